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

    private let appSecret: Secret
    private let robotCode: String?
    private let corpID: String?
    private let toleranceMilliseconds: Int64
    private let replySender: DingTalkSender

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        appSecret = try settings.requiredSecret("app_secret")
        robotCode = settings["robot_code"]
        corpID = settings["corp_id"]
        let age = settings["max_age_seconds"] ?? "3600"
        guard age.isDigits, let seconds = Int64(age), 1...3600 ~= seconds else {
            throw SettingFault(
                "max_age_seconds", "max_age_seconds 应为 1 到 3600 的整数",
                "max_age_seconds must be a whole number from 1 to 3600"
            )
        }
        // An hour is stale, a millisecond less is not.
        toleranceMilliseconds = seconds * 1000 - 1
        replySender = try DingTalkSender(settings)
    }

    /// Says what cannot stand in the response to the address that came with a message.
    public var sender: (any ReplySender)? { replySender }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
        try verify(request, now: now)
        return .messages(try message(request.jsonBody()).map { [$0] } ?? [])
    }

    private func verify(_ request: WebhookRequest, now: Instant) throws(WebhookFault) {
        guard let sign = request.header("sign"), let timestamp = request.header("timestamp") else {
            throw .missingSignature
        }
        guard let code = Base64.decode(sign), code.count == SHA256.byteCount else { throw .malformedSignature }
        let time = try SignedTime(timestamp, millisecondsPerUnit: 1)
        let expected = HMAC<SHA256>.authenticationCode(
            for: Array("\(time.text)\n".utf8) + appSecret.exposedBytes,
            using: SymmetricKey(data: appSecret.exposedBytes))
        guard SecretBytes.areEqual(code, expected) else { throw .badSignature }
        try time.requireRecent(at: now, toleranceMilliseconds: toleranceMilliseconds)
    }

    private func message(_ body: JSONObject) throws(WebhookFault) -> IncomingMessage? {
        if let robotCode, body["robotCode"]?.stringValue.map({ areEqualBytes($0, robotCode) }) != true {
            throw .receiverMismatch
        }
        if let corpID, body["chatbotCorpId"]?.stringValue.map({ areEqualBytes($0, corpID) }) != true {
            throw .receiverMismatch
        }
        guard let kind = body["msgtype"]?.stringValue else { throw .malformedBody }
        guard kind == "text" else { return nil }
        let robot = try MessageField.optionalID(body["robotCode"])
        let robotUser = try MessageField.optionalID(body["chatbotUserId"])
        // Only members of the organisation have a staff id, which is the same wherever they write.
        let staff = try MessageField.optionalID(body["senderStaffId"])
        let sender = try MessageField.optionalID(body["senderId"])
        if let robotUser, sender == robotUser { return nil }
        guard let user = staff ?? sender, let text = body["text"]?.objectValue?["content"]?.stringValue else {
            throw .malformedBody
        }
        let chat = try MessageField.id(body["conversationId"])
        let messageID = try MessageField.id(body["msgId"])
        let account = robot ?? robotUser ?? ""
        let isPrivate: Bool
        switch body["conversationType"]?.stringValue {
        case "1": isPrivate = true
        case "2": isPrivate = false
        default: throw .malformedBody
        }
        var message = IncomingMessage(
            userID: user, chatID: chat, messageID: messageID, text: MessageField.text(text), dedupe: messageID)
        message.isPrivate = isPrivate
        message.adminHint =
            switch try Self.optionalBool(body["isAdmin"]) {
            case true?: .yes
            case false?: .no
            case nil: .unknown
            }
        message.isMentioned = try Self.optionalBool(body["isInAtList"]) ?? false
        message.account = account
        message.sentAt = try MessageField.instant(body["createAt"], millisecondsPerUnit: 1)
        if let url = body["sessionWebhook"]?.stringValue, replySender.allows(url),
            let expiresAt = try? MessageField.instant(body["sessionWebhookExpiredTime"], millisecondsPerUnit: 1)
        {
            message.address = ReplyAddress(
                chat: chat, isPrivate: isPrivate, user: user, account: account, url: url,
                expiresAt: expiresAt)
        }
        return message
    }

    private static func optionalBool(_ value: JSONValue?) throws(WebhookFault) -> Bool? {
        guard let value = MessageField.optional(value) else { return nil }
        guard let value = value.boolValue else { throw .malformedBody }
        return value
    }

    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        let texts = answered.compactMap(\.text)
        guard let message = answered.first?.message, !texts.isEmpty else { return .json(.object(["msgtype": "empty"])) }
        return .json(
            DingTalkSender.message(
                texts.joined(separator: "\n"), to: message.isPrivate ? [] : [message.userID]))
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { true }
}
