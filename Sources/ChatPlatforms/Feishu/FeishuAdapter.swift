public import Basics
internal import Crypto

/// A bot of Feishu (飞书) or Lark that takes messages as events 2.0.
///
/// Replies go out by calls alone: without `app_id` and `app_secret` nothing can be said, and ``sender`` is nil.
///
/// - Source: platforms.md section 7.
public struct FeishuAdapter: PlatformAdapter {
    public static let platform = Platform.feishu

    public static let settings = [
        PlatformSetting(
            "verification_token", isSecret: true,
            "“事件与回调→加密策略”里的 Verification Token。The Verification Token, under “events and callbacks → encryption”."),
        PlatformSetting("encrypt_key", isSecret: true, "同一页的 Encrypt Key。The Encrypt Key beside it."),
        PlatformSetting(
            "allow_unsigned",
            "true 时可不填 encrypt_key；事件就没有签名，不建议。true: encrypt_key may be missing, and nothing is signed; not advised."),
        PlatformSetting("app_id", "“凭证与基础信息”里的 App ID，用来回复。The App ID under “credentials”, for replies."),
        PlatformSetting("app_secret", isSecret: true, "同一页的 App Secret。The App Secret beside it."),
        PlatformSetting(
            "bot_open_id",
            "机器人的 open_id（ou_ 开头），用来认出 @机器人；不填则把群消息开头的 @ 当作它。"
                + "The bot's open_id (ou_…), to know its mention; if missing, "
                + "one at the beginning of a group message is taken for it."
        ),
        PlatformSetting(
            "api_url",
            "接口地址，默认 https://open.feishu.cn，Lark 为 https://open.larksuite.com。"
                + "The API's address, if not https://open.feishu.cn; for Lark https://open.larksuite.com."),
    ]

    private let verificationToken: String
    private let encryptKey: String?
    private let botOpenID: String?
    private let appID: String?
    private let callSender: FeishuSender?

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        verificationToken = try settings.required("verification_token")
        let allowsUnsigned = try settings.flag("allow_unsigned", default: false)
        encryptKey = allowsUnsigned ? settings["encrypt_key"] : try settings.required("encrypt_key")
        botOpenID = settings["bot_open_id"]
        appID = settings["app_id"]
        let api = try settings.url("api_url", default: "https://open.feishu.cn")
        switch (appID, settings["app_secret"], api) {
        case (let appID?, let appSecret?, let api?):
            callSender = FeishuSender(api: api, appID: appID, appSecret: appSecret)
        case (.some, nil, _), (nil, .some, _):
            let missing = appID == nil ? "app_id" : "app_secret"
            throw SettingFault(
                missing, "app_id 与 app_secret 要一起填，缺少 \(missing)",
                "app_id and app_secret belong together: \(missing) is missing")
        default:
            callSender = nil
        }
    }

    public var sender: (any ReplySender)? { callSender }

    public func answersInResponse(to message: IncomingMessage) -> Bool { false }

    /// The platform reads nothing in it.
    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse { .json(.object([:])) }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPath()
        try request.requirePOST()
        guard let encryptKey else { return try event(try request.jsonBody()) }
        guard request.header("x-lark-signature") != nil else {
            return .answer(try unsignedHandshake(request, encryptKey))
        }
        try verify(request, encryptKey)
        guard let encrypted = try request.jsonBody()["encrypt"]?.stringValue else { throw .notEncrypted }
        guard let plaintext = FeishuCipher.decrypt(encrypted, key: encryptKey) else { throw .badCiphertext }
        guard let object = (try? StrictJSON.parse(plaintext, maximumSize: WebhookRequest.maximumBodySize))?.objectValue
        else { throw .malformedBody }
        return try event(object)
    }

    /// Plain SHA-256 with the key between what the platform wrote. That more could be appended to such a hash by a
    /// stranger does not matter: behind a document's end nothing may follow.
    private func verify(_ request: WebhookRequest, _ encryptKey: String) throws(WebhookFault) {
        guard let signature = request.header("x-lark-signature"),
            let timestamp = request.header("x-lark-request-timestamp"),
            let nonce = request.header("x-lark-request-nonce")
        else { throw .missingSignature }
        guard let digest = Hex.decode(signature), digest.count == SHA256.byteCount else { throw .malformedSignature }
        let expected = SHA256.hash(data: Array((timestamp + nonce + encryptKey).utf8) + request.body)
        guard SecretBytes.areEqual(digest, expected) else { throw .badSignature }
    }

    /// The platform leaves its signature out of the check of a new address.
    ///
    /// - Throws: For anything else `missingSignature`, whatever is wrong: nothing here may tell whether a ciphertext
    ///   that somebody made up has a right padding.
    private func unsignedHandshake(
        _ request: WebhookRequest, _ encryptKey: String
    ) throws(WebhookFault) -> WebhookResponse {
        guard let encrypted = (try? request.jsonBody())?["encrypt"]?.stringValue,
            let plaintext = FeishuCipher.decrypt(encrypted, key: encryptKey),
            let object = (try? StrictJSON.parse(plaintext, maximumSize: WebhookRequest.maximumBodySize))?.objectValue,
            case .answer(let response)? = try? event(object)
        else { throw .missingSignature }
        return response
    }

    /// What the platform says, in the clear: checks the token in it.
    private func event(_ object: JSONObject) throws(WebhookFault) -> WebhookEvent {
        let isHandshake = object["type"]?.stringValue == "url_verification"
        let header = isHandshake ? nil : object["header"]?.objectValue
        guard let token = (header?["token"] ?? object["token"])?.stringValue else { throw .missingToken }
        guard SecretBytes.areEqual(token, verificationToken) else { throw .badToken }
        if isHandshake {
            guard let challenge = object["challenge"]?.nonEmptyString else { throw .malformedBody }
            return .answer(.json(.object(["challenge": .string(challenge)])))
        }
        // Events 1.0 have no header; none of them is for us.
        guard let header else { return .messages([]) }
        if let appID, header["app_id"]?.stringValue.map({ SecretBytes.areEqual($0, appID) }) != true {
            throw .receiverMismatch
        }
        guard header["event_type"]?.stringValue == "im.message.receive_v1" else { return .messages([]) }
        return .messages(try FeishuMessage.read(object, header: header, botOpenID: botOpenID).map { [$0] } ?? [])
    }
}
