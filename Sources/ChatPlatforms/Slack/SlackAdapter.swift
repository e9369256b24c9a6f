public import Basics
internal import Crypto

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

    private let signingKey: SymmetricKey
    private let replySender: SlackSender

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        signingKey = SymmetricKey(data: try settings.requiredSecret("signing_secret").exposedBytes)
        replySender = try SlackSender(settings)
    }

    public var sender: (any ReplySender)? { replySender }

    public var startWarning: String? {
        guard !replySender.answersEvents else { return nil }
        return "没有 bot_token：只能回复斜杠命令，频道消息和私信都不会得到回复。"
            + "Without bot_token only slash commands are answered, not messages."
    }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
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
        guard let signatureText = request.header("x-slack-signature"),
            let timestamp = request.header("x-slack-request-timestamp")
        else { throw .missingSignature }
        guard signatureText.utf8.count == 67, signatureText.hasPrefix("v0="),
            let signature = Hex.decode(String(signatureText.dropFirst(3)))
        else { throw .malformedSignature }
        let time = try SignedTime(timestamp)
        let signed = Array("v0:\(time.text):".utf8) + request.body
        guard SecretBytes.areEqual(HMAC<SHA256>.authenticationCode(for: signed, using: signingKey), signature) else {
            throw .badSignature
        }
        try time.requireRecent(at: now)
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
        for mark in ["bot_id", "edited"] where MessageField.optional(event[mark]) != nil { return nil }
        let bot = try Self.botUser(body)
        let user = try MessageField.id(event["user"])
        let channel = try MessageField.id(event["channel"])
        let ts = try MessageField.id(event["ts"])
        guard let sentAt = SlackText.instant(ts), let written = event["text"]?.stringValue else {
            throw .malformedBody
        }
        if let bot, areEqualBytes(user, bot) { return nil }
        let (text, isNamed) = SlackText.plain(written, bot: bot)
        var message = IncomingMessage(
            userID: user, chatID: channel, messageID: ts, text: text, dedupe: try MessageField.id(body["event_id"]))
        message.isPrivate = Self.isPrivate(channel) || event["channel_type"]?.stringValue == "im"
        message.isMentioned = isNamed || type == "app_mention" || message.isPrivate
        message.postID = channel + ":" + ts
        message.account = try MessageField.optionalID(body["api_app_id"]) ?? ""
        message.sentAt = sentAt
        message.address = ReplyAddress(
            chat: channel, isPrivate: message.isPrivate, user: user, message: ts,
            thread: try MessageField.optionalID(event["thread_ts"]), account: message.account)
        return message
    }

    private func slashCommand(_ body: [UInt8], now: Instant) throws(WebhookFault) -> WebhookEvent {
        guard let form = FormBody(body) else { throw .malformedBody }
        if form["ssl_check"] == "1" { return .answer(.ok) }
        guard let command = form["command"], command.utf8.first == UInt8(ascii: "/") else { throw .malformedBody }
        let user = try MessageField.id(form["user_id"])
        let channel = try MessageField.id(form["channel_id"])
        let trigger = try MessageField.id(form["trigger_id"])
        let argument = SlackText.plain(form["text"] ?? "", bot: nil).text
        var message = IncomingMessage(
            userID: user, chatID: channel, messageID: trigger, text: MessageField.text(command + " " + argument),
            dedupe: trigger)
        message.isPrivate = Self.isPrivate(channel)
        message.isMentioned = true
        message.account = try MessageField.optionalID(form["api_app_id"]) ?? ""
        let url = form["response_url"].flatMap { replySender.allows($0) ? $0 : nil }
        message.address = ReplyAddress(
            chat: channel, isPrivate: message.isPrivate, user: user, account: message.account, url: url,
            expiresAt: url == nil ? nil : now.advanced(bySeconds: SlackSender.urlLifetimeSeconds))
        return .messages([message])
    }

    /// The user that our bot is in this workspace, as far as the event says.
    private static func botUser(_ body: JSONObject) throws(WebhookFault) -> String? {
        let authorization = (body["authorizations"]?.arrayValue ?? []).lazy.compactMap(\.objectValue)
            .first { $0["is_bot"]?.boolValue == true }
        return try MessageField.optionalID(authorization?["user_id"])
    }

    /// The ids of one-to-one conversations begin with D; mentions and commands do not say the channel's type.
    private static func isPrivate(_ channel: String) -> Bool {
        channel.utf8.first == UInt8(ascii: "D")
    }

    /// Slash commands are answered here, for everybody in the channel to see; for events this is an acknowledgement.
    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        let texts = answered.filter { answersInResponse(to: $0.message) }.compactMap(\.text)
        if texts.isEmpty { return .ok }
        let text = SlackText.escape(SlackText.limit.cut(texts.joined(separator: "\n")))
        return .json(.object(["response_type": "in_channel", "text": .string(text), "mrkdwn": false]))
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { message.postID == nil }

    /// After three seconds Slack shows an error at a command; an event it delivers again.
    public func responseDeadlineMilliseconds(for message: IncomingMessage) -> Int64? {
        message.postID == nil ? 2500 : nil
    }
}
