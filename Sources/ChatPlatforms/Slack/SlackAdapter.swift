public import Basics
internal import Crypto
internal import Foundation

/// A Slack app: messages by the Events API, and slash commands. Both may be sent to the same endpoint.
///
/// A slash command is answered in the response and needs no token. An event is answered by a call, which takes
/// `bot_token`; without it replies to events are dropped. A slash command's ``IncomingMessage/postID`` is nil, an
/// event's is not.
///
/// - Source: platforms.md section 6.
public struct SlackAdapter: PlatformAdapter {
    public static let platform = Platform.slack

    public static let settings = [
        PlatformSetting(
            "signing_secret", isSecret: true, "应用的 Signing Secret，在 Basic Information 页。The app's signing secret."),
        PlatformSetting(
            "bot_token", isSecret: true,
            "xoxb- 开头的令牌，回复频道消息时需要；只用斜杠命令可不填。The bot token (xoxb-), to answer events."),
        PlatformSetting("api_url", "Slack API 的网址，默认 https://slack.com/api。Base of Slack's API."),
    ]

    private static let toleranceMilliseconds: UInt64 = 300_000

    private let signingKey: SymmetricKey
    private let replySender: SlackSender

    public var sender: (any ReplySender)? { replySender }

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        signingKey = SymmetricKey(data: Data(try settings.required("signing_secret").utf8))
        replySender = try SlackSender(settings)
    }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requirePOST()
        try request.requireOwnPath()
        try verify(request, now: now)
        if request.isOfType("application/x-www-form-urlencoded") { return try slashCommand(request.body, now: now) }
        let body = try request.jsonBody()
        guard let type = body["type"]?.stringValue else { throw .malformedBody }
        switch type {
        case "url_verification":
            guard let challenge = body["challenge"]?.stringValue else { throw .malformedBody }
            return .answer(.plainText(challenge))
        case "event_callback":
            return .messages(try message(body).map { [$0] } ?? [])
        default:
            return .messages([])
        }
    }

    private func verify(_ request: WebhookRequest, now: Instant) throws(WebhookFault) {
        guard let signatureText = request.header("x-slack-signature") else { throw .missingSignature }
        guard signatureText.utf8.count == 67, signatureText.hasPrefix("v0="),
            let signature = Hex.decode(String(signatureText.dropFirst(3)))
        else { throw .malformedSignature }
        guard let timestamp = request.header("x-slack-request-timestamp"), 1...13 ~= timestamp.utf8.count,
            timestamp.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let seconds = Int64(timestamp)
        else { throw .malformedTimestamp }
        let signedAt = Instant(milliseconds: 0).advanced(bySeconds: seconds)
        guard now.milliseconds(since: signedAt).magnitude <= Self.toleranceMilliseconds else { throw .staleTimestamp }
        let signed = Array("v0:\(timestamp):".utf8) + request.body
        guard SecretBytes.areEqual(HMAC<SHA256>.authenticationCode(for: signed, using: signingKey), signature) else {
            throw .badSignature
        }
    }

    /// - Returns: Nil for what is no message of a person: other events, bots, edits, notices.
    private func message(_ body: JSONObject) throws(WebhookFault) -> IncomingMessage? {
        guard let event = body["event"]?.objectValue, let type = event["type"]?.stringValue else {
            throw .malformedBody
        }
        guard type == "message" || type == "app_mention" else { return nil }
        switch event["subtype"] {
        case nil, .null: break
        case .string("thread_broadcast"), .string("file_share"): break
        default: return nil
        }
        for mark in ["bot_id", "edited"] {
            if let value = event[mark], value != .null { return nil }
        }
        let bot = Self.botUser(body)
        guard let eventID = Self.id(body["event_id"]), let user = Self.id(event["user"]),
            let channel = Self.id(event["channel"]), let ts = Self.id(event["ts"]), let sentAt = SlackText.instant(ts),
            let written = event["text"]?.stringValue
        else { throw .malformedBody }
        if let bot, areEqualBytes(user, bot) { return nil }
        let thread: String?
        switch event["thread_ts"] {
        case nil, .null: thread = nil
        case let value:
            guard let id = Self.id(value) else { throw .malformedBody }
            thread = id
        }
        let (text, isNamed) = SlackText.plain(written, bot: bot)
        var message = IncomingMessage(userID: user, chatID: channel, messageID: ts, text: text, dedupe: eventID)
        message.isPrivate = Self.isPrivate(channel) || event["channel_type"]?.stringValue == "im"
        message.isMentioned = isNamed || type == "app_mention" || message.isPrivate
        message.postID = channel + ":" + ts
        message.account = Self.id(body["api_app_id"]) ?? ""
        message.sentAt = sentAt
        message.address = ReplyAddress(
            chat: channel, isPrivate: message.isPrivate, user: user, message: ts, thread: thread,
            account: message.account)
        return message
    }

    private func slashCommand(_ body: [UInt8], now: Instant) throws(WebhookFault) -> WebhookEvent {
        guard let form = SlackForm(body) else { throw .malformedBody }
        if form["ssl_check"] == "1" { return .answer(.ok) }
        guard let command = form["command"], command.utf8.first == UInt8(ascii: "/"),
            let user = Self.id(form["user_id"].map { .string($0) }),
            let channel = Self.id(form["channel_id"].map { .string($0) }),
            let trigger = Self.id(form["trigger_id"].map { .string($0) })
        else { throw .malformedBody }
        let argument = SlackText.plain(form["text"] ?? "", bot: nil).text
        var message = IncomingMessage(
            userID: user, chatID: channel, messageID: trigger, text: (command + " " + argument).trimmed,
            dedupe: trigger)
        message.isPrivate = Self.isPrivate(channel)
        message.isMentioned = true
        message.account = Self.id(form["api_app_id"].map { .string($0) }) ?? ""
        let url = form["response_url"].flatMap { replySender.allows($0) ? $0 : nil }
        message.address = ReplyAddress(
            chat: channel, isPrivate: message.isPrivate, user: user, account: message.account, url: url,
            expiresAt: url == nil ? nil : now.advanced(bySeconds: SlackSender.urlLifetimeSeconds))
        return .messages([message])
    }

    /// The user that our bot is in this workspace, as far as the event says.
    private static func botUser(_ body: JSONObject) -> String? {
        let authorization = (body["authorizations"]?.arrayValue ?? []).lazy.compactMap(\.objectValue)
            .first { $0["is_bot"]?.boolValue == true }
        return id(authorization?["user_id"])
    }

    /// The ids of one-to-one conversations begin with D; mentions and commands do not say the channel's type.
    private static func isPrivate(_ channel: String) -> Bool {
        channel.utf8.first == UInt8(ascii: "D")
    }

    /// 1–128 of printable ASCII.
    private static func id(_ value: JSONValue?) -> String? {
        guard let text = value?.stringValue, 1...128 ~= text.utf8.count,
            text.utf8.allSatisfy({ 0x21...0x7E ~= $0 })
        else { return nil }
        return text
    }

    /// Slash commands are answered here, for everybody in the channel to see; for events this is an acknowledgement.
    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        let texts = answered.filter { answersInResponse(to: $0.message) }.compactMap(\.text)
        if texts.isEmpty { return .ok }
        let text = SlackText.limit.cut(SlackText.escape(texts.joined(separator: "\n")))
        return .json(.object(["response_type": "in_channel", "text": .string(text), "mrkdwn": false]))
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { message.postID == nil }
}
