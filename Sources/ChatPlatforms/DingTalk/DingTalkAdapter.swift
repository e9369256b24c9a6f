public import Basics
internal import Crypto

/// An enterprise robot of DingTalk (钉钉) in HTTP mode.
///
/// Its signature does not cover the body: whoever has seen one can send anything for as long as it is good. Keep the
/// endpoint's path secret, and set `robot_code` and `corp_id`.
///
/// - Source: platforms.md section 8.
public struct DingTalkAdapter: PlatformAdapter {
    public static let platform = Platform.dingtalk

    public static let settings = [
        PlatformSetting(
            "app_secret", isSecret: true,
            "应用“凭证与基础信息”里的 Client Secret（AppSecret）。The Client Secret (AppSecret) under “credentials”."),
        PlatformSetting(
            "robot_code", "机器人的 RobotCode；填了就拒收其他机器人的消息。The RobotCode; if set, messages to other robots are refused."),
        PlatformSetting(
            "corp_id", "企业的 CorpId；填了就拒收其他企业的消息。The CorpId; if set, messages of other enterprises are refused."),
        PlatformSetting(
            "max_age_seconds",
            "签名有效的秒数，1 到 3600，默认 3600；越小越安全，但时钟要准。"
                + "For how many seconds a signature is good, 1 to 3600, 3600 if missing; less is safer."
        ),
        PlatformSetting(
            "api_url", "sessionWebhook 另外允许的地址，一般不填。Another address that a sessionWebhook may have; usually left out."),
    ]

    private let appSecret: String
    private let robotCode: String?
    private let corpID: String?
    private let maximumAge: Int64
    private let sessionWebhooks: DingTalkSender

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        appSecret = try settings.required("app_secret")
        robotCode = settings["robot_code"]
        corpID = settings["corp_id"]
        let age = settings["max_age_seconds"] ?? "3600"
        guard age.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let seconds = Int64(age), 1...3600 ~= seconds else {
            throw SettingFault(
                "max_age_seconds", "max_age_seconds 应为 1 到 3600 的整数",
                "max_age_seconds must be a whole number from 1 to 3600"
            )
        }
        maximumAge = seconds * 1000
        sessionWebhooks = DingTalkSender(api: try settings.url("api_url"))
    }

    /// Says what cannot stand in the response to the address that came with a message.
    public var sender: (any ReplySender)? { sessionWebhooks }

    public func answersInResponse(to message: IncomingMessage) -> Bool { true }

    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        let texts = answered.compactMap(\.text)
        guard let message = answered.first?.message, !texts.isEmpty else { return .json(.object(["msgtype": "empty"])) }
        return .json(
            DingTalkSender.message(
                texts.joined(separator: "\n"), to: message.isPrivate ? [] : [message.userID]))
    }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPath()
        try request.requirePOST()
        try verify(request, now: now)
        return .messages(try message(request.jsonBody()).map { [$0] } ?? [])
    }

    private func verify(_ request: WebhookRequest, now: Instant) throws(WebhookFault) {
        guard let sign = request.header("sign"), let timestamp = request.header("timestamp") else {
            throw .missingSignature
        }
        guard let code = Base64.decode(sign), code.count == SHA256.byteCount else { throw .malformedSignature }
        guard timestamp.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let sentAt = Int64(timestamp) else {
            throw .malformedTimestamp
        }
        let expected = HMAC<SHA256>.authenticationCode(
            for: Array("\(timestamp)\n\(appSecret)".utf8), using: SymmetricKey(data: Array(appSecret.utf8)))
        guard SecretBytes.areEqual(code, expected) else { throw .badSignature }
        guard now.milliseconds(since: Instant(milliseconds: sentAt)).magnitude < maximumAge.magnitude else {
            throw .staleTimestamp
        }
    }

    private func message(_ body: JSONObject) throws(WebhookFault) -> IncomingMessage? {
        if let robotCode, body["robotCode"]?.stringValue.map({ SecretBytes.areEqual($0, robotCode) }) != true {
            throw .receiverMismatch
        }
        if let corpID, body["chatbotCorpId"]?.stringValue.map({ SecretBytes.areEqual($0, corpID) }) != true {
            throw .receiverMismatch
        }
        guard let kind = body["msgtype"]?.stringValue else { throw .malformedBody }
        guard kind == "text" else { return nil }
        let robot = try Self.optionalID(body["robotCode"])
        let robotUser = try Self.optionalID(body["chatbotUserId"])
        // Only members of the organisation have a staff id, which is the same wherever they write.
        let staff = try Self.optionalID(body["senderStaffId"])
        let sender = try Self.optionalID(body["senderId"])
        if let robotUser, sender == robotUser { return nil }
        guard let user = staff ?? sender, let chat = try Self.optionalID(body["conversationId"]),
            let messageID = try Self.optionalID(body["msgId"]),
            let text = body["text"]?.objectValue?["content"]?.stringValue,
            let createdAt = body["createAt"]?.integerValue, 0...253_402_300_799_999 ~= createdAt
        else { throw .malformedBody }
        let account = robot ?? robotUser ?? ""
        let isPrivate: Bool
        switch body["conversationType"]?.stringValue {
        case "1": isPrivate = true
        case "2": isPrivate = false
        default: throw .malformedBody
        }
        // Far beyond any command: enough is kept to see that it is none.
        let kept = text.utf8.count <= 64 * 1024 ? text : String(text.unicodeScalars.prefix(8 * 1024))
        var message = IncomingMessage(
            userID: user, chatID: chat, messageID: messageID, text: kept.trimmed, dedupe: messageID)
        message.isPrivate = isPrivate
        message.adminHint =
            switch try Self.optionalBool(body["isAdmin"]) {
            case true?: .yes
            case false?: .no
            case nil: .unknown
            }
        message.isMentioned = try Self.optionalBool(body["isInAtList"]) ?? false
        message.account = account
        message.sentAt = Instant(milliseconds: createdAt)
        if let url = body["sessionWebhook"]?.stringValue, sessionWebhooks.mayCall(url),
            let expiresAt = body["sessionWebhookExpiredTime"]?.integerValue
        {
            message.address = ReplyAddress(
                chat: chat, isPrivate: isPrivate, user: user, account: account, url: url,
                expiresAt: Instant(milliseconds: expiresAt))
        }
        return message
    }

    /// At most 128 bytes, none of them a control character. Nil when it is missing, null or empty.
    private static func optionalID(_ value: JSONValue?) throws(WebhookFault) -> String? {
        switch value {
        case nil, .null?, .string("")?: return nil
        case .string(let text)?:
            guard text.utf8.count <= 128,
                !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
            else { throw .malformedBody }
            return text
        default: throw .malformedBody
        }
    }

    private static func optionalBool(_ value: JSONValue?) throws(WebhookFault) -> Bool? {
        switch value {
        case nil, .null?: return nil
        case .bool(let value)?: return value
        default: throw .malformedBody
        }
    }
}
