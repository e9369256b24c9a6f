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

    private let verificationToken: Secret
    private let encryptKey: Secret?
    private let botOpenID: String?
    private let appID: String?
    private let replySender: FeishuSender?

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        verificationToken = try settings.requiredSecret("verification_token")
        let allowsUnsigned = try settings.flag("allow_unsigned", default: false)
        encryptKey = allowsUnsigned ? settings.secret("encrypt_key") : try settings.requiredSecret("encrypt_key")
        botOpenID = settings["bot_open_id"]
        appID = settings["app_id"]
        replySender = try FeishuSender(settings)
    }

    public var sender: (any ReplySender)? { replySender }

    public var startWarning: String? {
        var warnings: [String] = []
        if replySender == nil {
            warnings.append("没有 app_id 和 app_secret：什么都不会回复。Without app_id and app_secret nothing is answered.")
        }
        if encryptKey == nil {
            warnings.append(
                "没有 encrypt_key：事件没有签名，知道 Verification Token 的人可以冒充任何人。"
                    + "Without encrypt_key nothing is signed: whoever knows the token can speak for anybody.")
        }
        return warnings.isEmpty ? nil : warnings.joined(separator: " ")
    }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
        guard let encryptKey else { return try event(try request.jsonBody()) }
        guard request.header("x-lark-signature") != nil else {
            return .answer(try unsignedHandshake(request, encryptKey))
        }
        try verify(request, encryptKey)
        guard let encrypted = try request.jsonBody()["encrypt"]?.stringValue else { throw .notEncrypted }
        guard let plaintext = FeishuCipher.decrypt(encrypted, key: encryptKey) else { throw .badCiphertext }
        return try event(try WebhookRequest.jsonObject(plaintext))
    }

    /// Plain SHA-256 with the key between what the platform wrote. That more could be appended to such a hash by a
    /// stranger does not matter: behind a document's end nothing may follow.
    private func verify(_ request: WebhookRequest, _ encryptKey: Secret) throws(WebhookFault) {
        guard let signature = request.header("x-lark-signature"),
            let timestamp = request.header("x-lark-request-timestamp"),
            let nonce = request.header("x-lark-request-nonce")
        else { throw .missingSignature }
        guard let digest = Hex.decode(signature), digest.count == SHA256.byteCount else { throw .malformedSignature }
        let expected = SHA256.hash(data: Array((timestamp + nonce + encryptKey.exposedText).utf8) + request.body)
        guard SecretBytes.areEqual(digest, expected) else { throw .badSignature }
    }

    /// The platform leaves its signature out of the check of a new address.
    ///
    /// - Throws: For anything else `missingSignature`, whatever is wrong: nothing here may tell whether a ciphertext
    ///   that somebody made up has a right padding.
    private func unsignedHandshake(
        _ request: WebhookRequest, _ encryptKey: Secret
    ) throws(WebhookFault) -> WebhookResponse {
        guard let encrypted = (try? request.jsonBody())?["encrypt"]?.stringValue,
            let plaintext = FeishuCipher.decrypt(encrypted, key: encryptKey),
            let object = try? WebhookRequest.jsonObject(plaintext),
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
        if let appID, header["app_id"]?.stringValue.map({ areEqualBytes($0, appID) }) != true {
            throw .receiverMismatch
        }
        guard header["event_type"]?.stringValue == "im.message.receive_v1" else { return .messages([]) }
        return .messages(try FeishuMessage.read(object, header: header, botOpenID: botOpenID).map { [$0] } ?? [])
    }

    /// The platform reads nothing in it.
    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse { .json(.object([:])) }

    public func answersInResponse(to message: IncomingMessage) -> Bool { false }
}
