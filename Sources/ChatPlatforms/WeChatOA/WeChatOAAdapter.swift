public import Basics

/// A WeChat Official Account (微信公众号).
///
/// Replies stand in the response; there is no other way to say anything, so users ask for results. Every chat is
/// private.
///
/// - Source: platforms.md section 10.
public struct WeChatOAAdapter: PlatformAdapter {
    public static let platform = Platform.wechatOA

    public static let settings = [
        PlatformSetting(
            "token", isSecret: true, "公众号后台“基本配置→服务器配置”里的令牌 Token。The Token of the account's server configuration."),
        PlatformSetting(
            "encoding_aes_key", isSecret: true,
            "同一页的 EncodingAESKey，消息加解密方式选“安全模式”。The EncodingAESKey beside it; choose the safe mode."),
        PlatformSetting("receive_id", "公众号的 AppID。The account's AppID."),
        PlatformSetting(
            "allow_plain",
            "true 时收发明文（明文模式），此时不填 encoding_aes_key；签名不保护内容，不建议。"
                + "true: plain mode, without encoding_aes_key. Its signature does not cover the message; not advised."),
    ]

    private enum Mode {
        case safe(WeChatCipher)
        case plain
    }

    private let token: Secret
    private let mode: Mode

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        token = try settings.requiredSecret("token")
        if try settings.flag("allow_plain", default: false) {
            // Which of the two an endpoint speaks must not be for the sender to choose.
            guard settings["encoding_aes_key"] == nil else {
                throw SettingFault(
                    "allow_plain", "已填 encoding_aes_key（安全模式），请去掉 allow_plain",
                    "encoding_aes_key is set (safe mode): remove allow_plain")
            }
            mode = .plain
        } else {
            mode = .safe(try WeChatCipher(settings))
        }
    }

    public var startWarning: String? {
        guard case .plain = mode else { return nil }
        return "allow_plain：签名不保护内容，看到过一次请求的人可以冒充任何人。"
            + "allow_plain: the signature does not cover the message; whoever has seen one can speak for anybody."
    }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPath()
        switch request.method {
        case "GET": return .answer(try handshake(request))
        case "POST": break
        default: throw .wrongMethod
        }
        guard let message = try WeChatMessage(verifiedTexts(request)) else { return .messages([]) }
        var incoming = message.incoming
        incoming.account = message.receiver
        return .messages([incoming])
    }

    private func verifiedTexts(_ request: WebhookRequest) throws(WebhookFault) -> [String: String] {
        switch mode {
        case .plain:
            try verifyPlainSignature(request)
            guard request.isOfType("text/xml") || request.isOfType("application/xml") else { throw .wrongMediaType }
            guard let texts = FlatXML.texts(of: request.body) else { throw .malformedBody }
            return texts
        case .safe(let cipher):
            // The plain signature, which comes too, says nothing about the body.
            let signature = try WeChatSignature("msg_signature", in: request)
            guard let encrypted = try request.flatXMLBody()["Encrypt"] else { throw .notEncrypted }
            guard let texts = FlatXML.texts(of: try cipher.open(encrypted, of: signature)) else { throw .malformedBody }
            return texts
        }
    }

    private func verifyPlainSignature(_ request: WebhookRequest) throws(WebhookFault) {
        let signature = try WeChatSignature("signature", in: request)
        guard signature.isRight(token) else { throw .badSignature }
    }

    /// Signed in the plain way in both modes. The signature does not cover what is to be echoed: only an innocent text
    /// is.
    private func handshake(_ request: WebhookRequest) throws(WebhookFault) -> WebhookResponse {
        try verifyPlainSignature(request)
        guard let echo = request.queryItem("echostr"), echo.utf8.count <= 256, echo.isVisibleASCII,
            !echo.utf8.contains(where: { "<>&\"'".utf8.contains($0) })
        else { throw .malformedBody }
        return .plainText(echo)
    }

    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        let texts = answered.compactMap(\.text)
        // Anything but a reply or this word shows the user a notice of a fault.
        guard let message = answered.first?.message, !texts.isEmpty else { return .plainText("success") }
        let timestamp = now.milliseconds / 1000
        var body = WeChatMessage.reply(
            texts.joined(separator: "\n"), from: message.account, to: message.userID, at: timestamp)
        if case .safe(let cipher) = mode {
            body = cipher.envelope(body, context: message.messageID, timestamp: timestamp)
        }
        return WebhookResponse(status: 200, contentType: "text/xml; charset=utf-8", body: Array(body.utf8))
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { true }
}
