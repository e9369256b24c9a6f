public import Basics

/// Rocket.Chat: outgoing integrations, answered in the response.
///
/// Nothing is signed: whoever knows the token can send anything, so only TLS protects the body. A script of the
/// integration must leave the fields as Rocket.Chat sends them.
///
/// - Source: platforms.md section 14.
public struct RocketChatAdapter: PlatformAdapter {
    public static let platform = Platform.rocketchat

    public static let settings = [
        PlatformSetting(
            "token", isSecret: true,
            "传出集成的令牌，在“管理→集成”里。The token of the outgoing integration, in Administration, Integrations.")
    ]

    /// Below the 5000 characters that servers take unless told otherwise.
    static let textLimit = TextLimit(4500, .characters)

    private let token: Secret

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        token = try settings.requiredSecret("token")
    }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
        // The token stands in the body, so that is read first.
        let body = try request.jsonBody()
        guard let stated = body["token"]?.nonEmptyString else { throw .missingToken }
        guard SecretBytes.areEqual(stated, token) else { throw .badToken }
        return .messages(try Self.message(of: body).map { [$0] } ?? [])
    }

    /// Nil for other bots, for edits, and for events that are no messages (rooms and users that come and go).
    private static func message(of body: JSONObject) throws(WebhookFault) -> IncomingMessage? {
        if isTrue(body["bot"]) || isTrue(body["isEdited"]) { return nil }
        if body["message_id"] == nil, body["text"] == nil { return nil }
        let messageID = try MessageField.id(body["message_id"])
        let user = try MessageField.id(body["user_id"])
        let channel = try MessageField.id(body["channel_id"])
        guard let written = body["text"]?.stringValue,
            let sentAt = body["timestamp"]?.stringValue.flatMap(ZonedTime.instant)
        else { throw .malformedBody }
        let (text, isMentioned) = MessageField.text(
            withoutQuotations(written), trigger: body["trigger_word"]?.stringValue)
        var message = IncomingMessage(
            userID: user, chatID: channel, messageID: messageID, text: text, dedupe: messageID)
        message.isMentioned = isMentioned
        message.sentAt = sentAt
        message.isPrivate = try isDirect(body["channel_name"], channel: channel, user: user)
        return message
    }

    /// A message that quotes others begins with a link without a text to each of them.
    private static func withoutQuotations(_ text: String) -> String {
        var rest = text.trimmed
        // Each takes a copy of the rest: nobody quotes more than a few.
        for _ in 0..<8 where rest.hasPrefix("[ ](") {
            guard let end = rest.utf8.firstIndex(of: UInt8(ascii: ")")) else { break }
            rest = String(rest[end...].dropFirst()).trimmed
        }
        return rest
    }

    /// A room of two has no name, and an id put together from both users' ids. A direct room of more has no name either.
    private static func isDirect(
        _ name: JSONValue?, channel: String, user: String
    ) throws(WebhookFault) -> Bool {
        switch name {
        case nil, .null: return channel.hasPrefix(user) || channel.hasSuffix(user)
        case .string: return false
        default: throw .malformedBody
        }
    }

    /// As JavaScript has it: `bot` is `true` or an object that names the integration.
    private static func isTrue(_ value: JSONValue?) -> Bool {
        switch value {
        case nil, .null, .bool(false), .string(""), .number(JSONNumber(0)): false
        default: true
        }
    }

    /// `{}` when there is nothing to say: an empty body counts as a failure, and may be sent again.
    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        let texts = answered.compactMap(\.text)
        if texts.isEmpty { return .json(.object([:])) }
        let text = MarkdownText.plain(Self.textLimit.cut(texts.joined(separator: "\n")))
        return .json(.object(["text": .string(text)]))
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { true }
}
