/// Reads the event `im.message.receive_v1`.
///
/// - Source: platforms.md section 7.
enum FeishuMessage {
    /// Mentions of one message that are replaced; the rest stay as the platform wrote them.
    private static let maximumMentionCount = 100

    /// - Returns: Nil when a bot wrote it, and when it is no text.
    /// - Throws: `malformedBody` when something is missing or wrong.
    static func read(
        _ object: JSONObject, header: JSONObject, botOpenID: String?
    ) throws(WebhookFault) -> IncomingMessage? {
        guard let event = object["event"]?.objectValue, let sender = event["sender"]?.objectValue,
            let senderType = sender["sender_type"]?.stringValue, let message = event["message"]?.objectValue,
            let kind = message["message_type"]?.stringValue
        else { throw .malformedBody }
        guard senderType == "user", kind == "text" else { return nil }
        let userID = try MessageField.id(sender["sender_id"]?.objectValue?["open_id"])
        let messageID = try MessageField.id(message["message_id"])
        let chatID = try MessageField.id(message["chat_id"])
        guard let chatType = message["chat_type"]?.stringValue, let content = message["content"]?.stringValue else {
            throw .malformedBody
        }
        let written = try text(inContent: content)
        let isPrivate = chatType == "p2p"
        let mentions = try mentions(message["mentions"])
        let (text, isMentioned) = replaceMentions(
            in: written, mentions, botOpenID: botOpenID, takesFirstForBot: botOpenID == nil && !isPrivate)

        var incoming = IncomingMessage(
            userID: userID, chatID: chatID, messageID: messageID, text: text.trimmed,
            dedupe: try MessageField.id(header["event_id"]))
        incoming.isPrivate = isPrivate
        incoming.postID = messageID
        incoming.account = try MessageField.optionalID(header["app_id"]) ?? ""
        if let time = message["create_time"] ?? header["create_time"] {
            incoming.sentAt = try MessageField.instant(digits: time.stringValue, millisecondsPerUnit: 1)
        }
        incoming.isMentioned = isMentioned
        // An answer goes into the topic of its message: answers to different topics are not for one message.
        let thread = try MessageField.optionalID(message["thread_id"])
        let root = try MessageField.optionalID(message["root_id"])
        incoming.address = ReplyAddress(
            chat: chatID, isPrivate: isPrivate, user: userID, message: messageID,
            thread: thread ?? root ?? (chatType == "topic_group" ? messageID : nil))
        return incoming
    }

    /// `content` is a JSON document within a string.
    private static func text(inContent content: String) throws(WebhookFault) -> String {
        let document = try WebhookRequest.jsonObject(Array(content.utf8))
        guard let text = document["text"]?.stringValue else { throw .malformedBody }
        return MessageField.text(text)
    }

    private struct Mention {
        /// What stands for it in the text: `@_user_1`.
        var key: String
        var openID: String?
        var name: String
    }

    private static func mentions(_ value: JSONValue?) throws(WebhookFault) -> [Mention] {
        switch value {
        case nil, .null?: return []
        case .array(let values)?:
            var mentions: [Mention] = []
            for value in values.prefix(maximumMentionCount) {
                guard let mention = value.objectValue, let key = mention["key"]?.nonEmptyString, key.utf8.count <= 128,
                    key.utf8.first == UInt8(ascii: "@")
                else { throw .malformedBody }
                mentions.append(
                    Mention(
                        key: key, openID: mention["id"]?.objectValue?["open_id"]?.nonEmptyString,
                        name: String((mention["name"]?.stringValue ?? "").unicodeScalars.prefix(64))))
            }
            return mentions
        default: throw .malformedBody
        }
    }

    /// - Parameter takesFirstForBot: Whether a mention that the text begins with is the bot's, whoever it names. The
    ///   platform hands a group's message to a bot because it was mentioned, so that is who a command is addressed to.
    private static func replaceMentions(
        in text: String, _ mentions: [Mention], botOpenID: String?, takesFirstForBot: Bool
    ) -> (text: String, isMentioned: Bool) {
        // `@_user_1` is also how `@_user_10` begins.
        let longestFirst = mentions.map { (mention: $0, key: Array($0.key.utf8)) }.sorted {
            $0.key.count > $1.key.count
        }
        var isMentioned = false
        var result: [UInt8] = []
        var rest = Array(text.utf8)[...]
        var isAtStart = true
        while let byte = rest.first {
            if byte == UInt8(ascii: "@"), let (mention, key) = longestFirst.first(where: { rest.starts(with: $0.key) })
            {
                let isBot = if let botOpenID { mention.openID == botOpenID } else { takesFirstForBot && isAtStart }
                if isBot { isMentioned = true } else { result += "@\(mention.name)".utf8 }
                rest = rest.dropFirst(key.count)
                isAtStart = false
            } else {
                result.append(byte)
                rest = rest.dropFirst()
                isAtStart = isAtStart && (byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n"))
            }
        }
        return (String(decoding: result, as: UTF8.self), isMentioned)
    }
}
