public import Basics

/// An application of WeCom (企业微信) that takes its members' messages by callback.
///
/// Replies stand in the response, signed and encrypted. With `corp_secret` they can also go out by a call. Members
/// write to the application alone: there are no groups.
///
/// - Source: platforms.md section 9.
public struct WeComAdapter: PlatformAdapter {
    public static let platform = Platform.wecom

    public static let settings = [
        PlatformSetting(
            "token", isSecret: true, "应用“接收消息→设置API接收”里的 Token。The Token of “receive messages” in the application."),
        PlatformSetting(
            "encoding_aes_key", isSecret: true,
            "同一页的 EncodingAESKey，43 个字符。The EncodingAESKey beside it, 43 characters."),
        PlatformSetting("receive_id", "企业 ID，在“我的企业”页底部。The corp id, at the bottom of “my enterprise”."),
        PlatformSetting(
            "agent_id", "应用的 AgentId；填了就拒收其他应用的消息。The application's AgentId; if set, messages of others are refused."),
        PlatformSetting(
            "corp_secret", isSecret: true,
            "应用的 Secret，主动发消息（如“轮到你了”）时需要。The application's Secret, for messages that answer nothing."),
        PlatformSetting(
            "api_url", "接口地址，默认 https://qyapi.weixin.qq.com。The API's address, if not https://qyapi.weixin.qq.com."),
    ]

    private let cipher: WeChatCipher
    private let agentID: String?
    private let replySender: WeComSender?

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        cipher = try WeChatCipher(settings)
        agentID = settings["agent_id"]
        if let agentID, WeComSender.agentNumber(agentID) == nil {
            throw SettingFault("agent_id", "agent_id 应为数字", "agent_id must be a number")
        }
        replySender = try WeComSender(settings, corpID: cipher.receiverID)
    }

    public var sender: (any ReplySender)? { replySender }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPath()
        switch request.method {
        case "GET": return .answer(try handshake(request))
        case "POST": break
        default: throw .wrongMethod
        }
        let signature = try WeChatSignature("msg_signature", in: request)
        guard let encrypted = try request.flatXMLBody()["Encrypt"] else { throw .notEncrypted }
        let plaintext = try cipher.open(encrypted, of: signature)
        guard let texts = FlatXML.texts(of: plaintext) else { throw .malformedBody }
        guard let message = try WeChatMessage(texts) else { return .messages([]) }
        let agent = texts["AgentID"] ?? ""
        if let agentID, !areEqualBytes(agent, agentID) { throw .receiverMismatch }
        guard agent.isEmpty || WeComSender.agentNumber(agent) != nil else { throw .malformedBody }
        var incoming = message.incoming
        incoming.account = agent
        if replySender != nil {
            incoming.address = ReplyAddress(chat: message.sender, isPrivate: true, user: message.sender, account: agent)
        }
        return .messages([incoming])
    }

    /// Shows the platform that the address is ours: what it encrypted, in the clear.
    private func handshake(_ request: WebhookRequest) throws(WebhookFault) -> WebhookResponse {
        let signature = try WeChatSignature("msg_signature", in: request)
        guard let echo = request.queryItem("echostr") else { throw .missingSignature }
        let plaintext = try cipher.open(echo, of: signature)
        return WebhookResponse(status: 200, contentType: "text/plain; charset=utf-8", body: plaintext)
    }

    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        let texts = answered.compactMap(\.text)
        guard let message = answered.first?.message, !texts.isEmpty else { return .ok }
        let timestamp = now.milliseconds / 1000
        // A callback's ToUserName is the corp id, which is what it was encrypted for.
        let reply = WeChatMessage.reply(
            texts.joined(separator: "\n"), from: cipher.receiverID, to: message.userID, at: timestamp)
        let body = cipher.envelope(reply, context: message.messageID, timestamp: timestamp)
        return WebhookResponse(status: 200, contentType: "text/xml; charset=utf-8", body: Array(body.utf8))
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { true }
}
