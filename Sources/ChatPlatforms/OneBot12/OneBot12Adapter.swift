public import Basics

/// A OneBot 12 implementation that reports by HTTP webhook. Replies stand in the response, as actions.
///
/// The token is all that verifies a request; the body is not signed.
///
/// - Source: platforms.md section 2.
public struct OneBot12Adapter: PlatformAdapter {
    public static let platform = Platform.onebot12

    public static let settings = [
        PlatformSetting(
            "token", isSecret: true,
            "实现端配置里的 access_token。The access token from the implementation's configuration.")
    ]

    private static let textLimit = TextLimit(1500, .characters)

    private let token: BearerToken

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        token = BearerToken(secret: try settings.requiredSecret("token"), mayStandInQuery: true)
    }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
        try token.verify(request)
        let message = try OneBot12Event.message(try request.jsonBody())
        return .messages(message.map { [$0] } ?? [])
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { true }

    /// A list of `send_message` actions, whose segments are never read as markup; 204 without anything to say.
    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        let actions = answered.compactMap { answered in
            answered.text.map { Self.action(saying: Self.textLimit.cut($0), to: answered.message) }
        }
        return actions.isEmpty ? .empty : .json(.array(actions))
    }

    private static func action(saying text: String, to message: IncomingMessage) -> JSONValue {
        let chat = OneBot12Chat(message)
        let segments: [JSONValue] =
            message.isPrivate
            ? [textSegment(text)]
            : [
                .object(["type": "mention", "data": .object(["user_id": .string(message.userID)])]),
                textSegment(" " + text),
            ]
        return .object(["action": "send_message", "params": chat.parameters(message: .array(segments))])
    }

    private static func textSegment(_ text: String) -> JSONValue {
        .object(["type": "text", "data": .object(["text": .string(text)])])
    }
}
