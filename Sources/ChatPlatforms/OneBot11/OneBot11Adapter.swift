public import Basics
internal import Crypto

/// QQ through a OneBot 11 implementation that reports by HTTP POST, signed with HMAC-SHA1. Without a `secret` every
/// POST is refused; the reverse WebSocket has its own way in, ``socket``.
///
/// The signature covers the body but no time: a replay is told only by `self_id:message_id`.
///
/// - Source: platforms.md section 1.
public struct OneBot11Adapter: PlatformAdapter {
    public static let platform = Platform.onebot11
    /// Of the signed POST. What a socket brings is only as good as its token.
    public static let signsRoles = true

    public static let settings = [
        PlatformSetting(
            "secret", isSecret: true,
            "HTTP 上报的签名密钥（实现端配置里的 secret）。The secret with which the implementation signs its HTTP posts."),
        PlatformSetting(
            "access_token", isSecret: true,
            "反向 WebSocket 和 HTTP API 用的 access_token；与 secret 至少填一个。"
                + "The access token of the reverse WebSocket and of the HTTP API; this or secret is needed."),
        PlatformSetting(
            "api_url",
            "实现端 HTTP API 的地址，不填则只在上报的响应里回复。"
                + "The address of the implementation's HTTP API; without it replies stand only in the responses."),
        PlatformSetting(
            "at_sender",
            "群里单独回复一人时是否 @ 他，true 或 false，默认 true。"
                + "Whether a reply to one person in a group mentions them, true or false, default true."),
    ]

    /// Begun with the key, to be continued with the body that is signed.
    private let code: HMAC<Insecure.SHA1>?
    private let mentionsSender: Bool
    private let replySender: OneBot11Sender?
    /// The reverse WebSocket's side; nil without an `access_token`.
    public let socket: OneBot11Socket?

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        code = settings.secret("secret").map { HMAC(key: SymmetricKey(data: $0.exposedBytes)) }
        mentionsSender = try settings.flag("at_sender", default: true)
        socket = settings["access_token"] == nil ? nil : try OneBot11Socket(settings)
        replySender = try OneBot11Sender(settings)
        guard code != nil || socket != nil else {
            throw SettingFault("secret", "缺少 secret 或 access_token", "secret or access_token is missing")
        }
    }

    public var sender: (any ReplySender)? { replySender }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
        try verify(request)
        let event = try request.jsonBody()
        guard let type = event["post_type"]?.stringValue, type == "message" else { return .messages([]) }
        let message = try OneBot11Event.message(event, isAnsweredByCall: replySender != nil)
        return .messages(message.map { [$0] } ?? [])
    }

    private func verify(_ request: WebhookRequest) throws(WebhookFault) {
        guard var code, let signature = request.header("x-signature") else { throw .missingSignature }
        code.update(data: request.body)
        let prefix = "sha1="
        // The library compares a code with bytes in constant time.
        guard signature.hasPrefix(prefix), let bytes = Hex.decode(String(signature.dropFirst(prefix.count))),
            code.finalize() == bytes
        else { throw .badSignature }
    }

    /// 401 for what is missing, 403 for what is wrong, as the specification has it.
    public func refusal(_ fault: WebhookFault) -> WebhookResponse {
        switch fault {
        case .badSignature, .badToken: WebhookResponse(status: 403)
        default: fault.bareResponse
        }
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { true }

    /// A quick operation that says the reply as plain text, without CQ codes; 204 without anything to say.
    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        let spoken = answered.filter { $0.text != nil }
        guard let first = spoken.first else { return .empty }
        let text = spoken.compactMap(\.text).joined(separator: "\n")
        return .json(
            .object([
                "reply": .string(OneBot11Sender.textLimit.cut(text)),
                // Without it the implementation would read CQ codes out of the text.
                "auto_escape": true,
                "at_sender": first.message.isPrivate ? nil : .bool(mentionsSender),
            ]))
    }
}
