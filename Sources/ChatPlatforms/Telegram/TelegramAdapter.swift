public import Basics

/// A Telegram bot by webhook. The first reply stands in the response, later ones need the bot's token.
///
/// The `secret_token` given to `setWebhook` is all that proves who sends; nothing covers the body.
/// ``IncomingMessage/account`` is the bot's user name in lower case, as configured: an update does not name the bot.
/// ``IncomingMessage/address`` is there with and without `bot_token`, since the response needs the topic in it.
///
/// - Source: platforms.md section 4.
public struct TelegramAdapter: PlatformAdapter {
    public static let platform = Platform.telegram

    public static let settings = [
        PlatformSetting(
            "secret_token", isSecret: true,
            "调用 setWebhook 时给的 secret_token，1–256 个字母、数字、_ 或 -。The secret_token given to setWebhook."),
        PlatformSetting("bot_username", "机器人的用户名，不带 @。The bot's user name, without @."),
        PlatformSetting(
            "bot_token", isSecret: true,
            "BotFather 给的令牌，主动发言（如“轮到你了”）时需要。The bot's token, for messages beyond the first reply."),
        PlatformSetting("api_url", "Bot API 的网址，默认 https://api.telegram.org。Base of the Bot API."),
    ]

    private let secretToken: Secret
    /// In lower case, without `@`.
    private let botName: String
    private let replySender: TelegramSender?

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        secretToken = try settings.requiredSecret("secret_token")
        guard secretToken.exposedText.utf8.count <= 256, secretToken.exposedText.isPlainName else {
            throw SettingFault(
                "secret_token", "secret_token 应为 1–256 个字母、数字、_ 或 -",
                "secret_token must be 1-256 of letters, digits, _ and -")
        }
        botName = try settings.required("bot_username").lowercased()
        guard TelegramText.isUserName(botName) else {
            throw SettingFault(
                "bot_username", "bot_username 应为机器人的用户名（字母、数字、_），不带 @",
                "bot_username must be the bot's user name (letters, digits, _), without @")
        }
        replySender = try TelegramSender(settings)
    }

    public var sender: (any ReplySender)? { replySender }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
        guard let token = request.header("x-telegram-bot-api-secret-token") else { throw .missingToken }
        guard SecretBytes.areEqual(token, secretToken) else { throw .badToken }
        let update = try request.jsonBody()
        guard let updateID = update["update_id"]?.integerValue else { throw .malformedBody }
        // Edits, channel posts and all else come under other names.
        guard let message = update["message"]?.objectValue else { return .messages([]) }
        return .messages(decode(message, updateID: updateID).map { [$0] } ?? [])
    }

    /// - Returns: Nil for what is no message of a person to this bot, and for one that is not as documented: Telegram
    ///   repeats what it is answered an error to for a day, and holds back the chat's later messages meanwhile.
    private func decode(_ message: JSONObject, updateID: Int64) -> IncomingMessage? {
        guard let messageID = message["message_id"]?.integerValue,
            let sentAt = try? MessageField.instant(message["date"], millisecondsPerUnit: 1000),
            let chat = message["chat"]?.objectValue, let chatID = chat["id"]?.integerValue,
            let chatType = chat["type"]?.stringValue, ["private", "group", "supergroup"].contains(chatType),
            let from = message["from"]?.objectValue, let userID = from["id"]?.integerValue,
            let isBot = from["is_bot"]?.boolValue, let written = message["text"]?.stringValue
        else { return nil }
        // Somebody else's words.
        guard message["forward_origin"] == nil, message["forward_date"] == nil, message["via_bot"] == nil else {
            return nil
        }
        var isAnonymous = false
        if let senderChat = message["sender_chat"] {
            // An administrator who speaks as the group; other chats that speak here are channels.
            guard senderChat.objectValue?["id"]?.integerValue == chatID else { return nil }
            isAnonymous = true
        } else if isBot {
            return nil
        }
        guard let (text, isMentioned) = TelegramText.plain(written, entities: message["entities"], botName: botName)
        else { return nil }
        let user = String(isAnonymous ? chatID : userID)
        var decoded = IncomingMessage(
            userID: user, chatID: String(chatID), messageID: String(messageID), text: text, dedupe: String(updateID))
        decoded.isAnonymous = isAnonymous
        if isAnonymous { decoded.adminHint = .yes }
        decoded.isPrivate = chatType == "private"
        decoded.isMentioned = isMentioned || decoded.isPrivate
        decoded.account = botName
        decoded.sentAt = sentAt
        var thread: String?
        if message["is_topic_message"]?.boolValue == true {
            thread = message["message_thread_id"]?.integerValue.map { String($0) }
        }
        decoded.address = ReplyAddress(
            chat: decoded.chatID, isPrivate: decoded.isPrivate, user: user, message: decoded.messageID, thread: thread,
            account: botName)
        return decoded
    }

    /// An update that cannot be read is acknowledged: Telegram would repeat it for a day, and hold back what was written
    /// in the chat after it.
    public func refusal(_ fault: WebhookFault) -> WebhookResponse {
        fault == .malformedBody ? .ok : fault.bareResponse
    }

    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        let texts = answered.compactMap(\.text)
        guard !texts.isEmpty, let address = answered.first(where: { $0.text != nil })?.message.address,
            var members = TelegramSender.members(address)
        else { return .ok }
        let text = TelegramText.limit.cut(TelegramText.escape(texts.joined(separator: "\n")))
        members.insert(JSONObject.Member(key: "method", value: "sendMessage"), at: 0)
        members.append(JSONObject.Member(key: "text", value: .string(text)))
        return .json(.object(JSONObject(uniqueMembers: members)))
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { true }
}
