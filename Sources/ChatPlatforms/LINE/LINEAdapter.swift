public import Basics
internal import Crypto

/// LINE: signed events in, replies by calls.
///
/// A request may hold several events. The redelivery of a message is switched on in LINE's console, and has the same
/// `webhookEventId`.
///
/// - Source: platforms.md section 12.
public struct LINEAdapter: PlatformAdapter {
    public static let platform = Platform.line

    public static let settings = [
        PlatformSetting(
            "channel_secret", isSecret: true,
            "频道密钥，在 LINE Developers 控制台的“Basic settings”里。"
                + "The channel secret, under Basic settings in the LINE Developers console."),
        PlatformSetting(
            "channel_access_token", isSecret: true,
            "频道访问令牌，在“Messaging API”页，不填就不能回复。"
                + "The channel access token, on the Messaging API tab; without it nothing can be answered."),
        PlatformSetting(
            "push",
            "回复令牌过期后是否改用推送消息（占用每月额度），true 或 false，默认 false。"
                + "Whether to push what the reply token no longer takes (counts against the monthly quota); default false."
        ),
        PlatformSetting(
            "api_url",
            "LINE 接口地址，默认 https://api.line.me。The base of LINE's API, by default https://api.line.me."),
    ]

    /// A reply token is good for about a minute after the message; beyond this it is not relied on.
    static let replyTokenSeconds: Int64 = 50

    private let key: SymmetricKey
    private let replySender: LINESender?

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        key = SymmetricKey(data: try settings.requiredSecret("channel_secret").exposedBytes)
        replySender = try LINESender(settings)
    }

    public var sender: (any ReplySender)? { replySender }

    public var startWarning: String? {
        guard replySender == nil else { return nil }
        return "没有 channel_access_token：什么都不会回复。Without channel_access_token nothing is answered."
    }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
        try verify(request)
        let body = try request.jsonBody()
        let account = try MessageField.id(body["destination"])
        guard let events = body["events"]?.arrayValue else { throw .malformedBody }
        var messages: [IncomingMessage] = []
        for event in events {
            guard let event = event.objectValue else { throw .malformedBody }
            if let message = try Self.message(of: event, account: account) { messages.append(message) }
        }
        return .messages(messages)
    }

    /// The signature is compared as the text that it must be, so another spelling of the same base64 is refused too.
    private func verify(_ request: WebhookRequest) throws(WebhookFault) {
        guard let signature = request.header("x-line-signature") else { throw .missingSignature }
        let code = HMAC<SHA256>.authenticationCode(for: request.body, using: key)
        guard SecretBytes.areEqual(signature.utf8, Base64.encode(code).utf8) else { throw .badSignature }
    }

    /// Nil for what is no text message of a person that we may answer.
    private static func message(of event: JSONObject, account: String) throws(WebhookFault) -> IncomingMessage? {
        guard let type = event["type"]?.stringValue else { throw .malformedBody }
        guard type == "message" else { return nil }
        guard let mode = event["mode"]?.stringValue, let content = event["message"]?.objectValue,
            let contentType = content["type"]?.stringValue, let source = event["source"]?.objectValue,
            let sourceType = source["type"]?.stringValue
        else { throw .malformedBody }
        // In `standby` another bot of the channel has the floor.
        guard mode == "active", contentType == "text" else { return nil }
        let chat: String
        switch sourceType {
        case "user": chat = ""
        case "group": chat = try MessageField.id(source["groupId"])
        case "room": chat = try MessageField.id(source["roomId"])
        default: return nil
        }
        // Groups leave it out for users of old versions of LINE; nobody could be told apart then.
        if !chat.isEmpty, source["userId"] == nil { return nil }
        return try message(content, from: MessageField.id(source["userId"]), in: chat, event: event, account: account)
    }

    private static func message(
        _ content: JSONObject, from user: String, in chat: String, event: JSONObject, account: String
    ) throws(WebhookFault) -> IncomingMessage {
        guard let written = content["text"]?.stringValue else { throw .malformedBody }
        let messageID = try MessageField.id(content["id"])
        let (text, isMentioned) = withoutOwnMentions(written, content["mention"]?.objectValue)
        var message = IncomingMessage(
            userID: user, chatID: chat, messageID: messageID, text: MessageField.text(text),
            dedupe: try MessageField.id(event["webhookEventId"]))
        let sentAt = try MessageField.instant(event["timestamp"], millisecondsPerUnit: 1)
        message.isPrivate = chat.isEmpty
        message.account = account
        message.sentAt = sentAt
        message.isMentioned = isMentioned
        message.address = ReplyAddress(
            chat: chat.isEmpty ? user : chat, isPrivate: chat.isEmpty, user: user,
            message: try MessageField.optionalID(event["replyToken"]), account: account,
            expiresAt: sentAt.advanced(bySeconds: replyTokenSeconds))
        return message
    }

    /// `text` without the mentions of the bot, and whether there were any.
    ///
    /// A place that is none in this text (beyond its end, within a character, overlapping) is left as it is: the mention
    /// counts, the text stays.
    static func withoutOwnMentions(_ text: String, _ mention: JSONObject?) -> (text: String, isMentioned: Bool) {
        // A message of LINE's has at most 20.
        let own = (mention?["mentionees"]?.arrayValue ?? []).prefix(20).compactMap(\.objectValue).filter {
            $0["isSelf"]?.boolValue == true
        }
        var places: [Range<Int>] = []
        for mentionee in own {
            guard let index = mentionee["index"]?.integerValue, let length = mentionee["length"]?.integerValue,
                0...0xFFFF ~= index, 1...0xFFFF ~= length
            else { continue }
            places.append(Int(index)..<Int(index + length))
        }
        var scalars = text.unicodeScalars
        var unchanged = Int.max
        // From the end, so that the places before it stay where they are.
        for place in places.sorted(by: { $0.lowerBound > $1.lowerBound }) where place.upperBound <= unchanged {
            let units = String(scalars).utf16
            guard let start = units.index(units.startIndex, offsetBy: place.lowerBound, limitedBy: units.endIndex),
                let end = units.index(start, offsetBy: place.count, limitedBy: units.endIndex),
                let first = start.samePosition(in: scalars), let last = end.samePosition(in: scalars)
            else { continue }
            scalars.removeSubrange(first..<last)
            unchanged = place.lowerBound
        }
        return (String(scalars), !own.isEmpty)
    }

    /// A bare 200: LINE reads no body.
    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse { .ok }

    public func answersInResponse(to message: IncomingMessage) -> Bool { false }
}
