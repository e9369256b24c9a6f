internal import Basics

/// - Source: platforms.md section 2; botuniverse/onebot: specs/interface/**/events.md.
enum OneBot12Event {
    /// The message in an event; nil for other events and for the bot's own messages.
    ///
    /// - Throws: `malformedBody`.
    static func message(_ event: JSONObject) throws(WebhookFault) -> IncomingMessage? {
        guard event["type"]?.stringValue == "message" else { return nil }
        guard let kind = event["detail_type"]?.stringValue else { throw .malformedBody }
        let chat: OneBot12Chat
        switch kind {
        case "private": chat = .user(try MessageField.id(event["user_id"]))
        case "group": chat = .group(try partOfID(event["group_id"]))
        case "channel":
            chat = .channel(
                try MessageField.id(event["channel_id"]), guild: try partOfID(event["guild_id"]))
        // An extension of the implementation's own.
        default: return nil
        }
        let selfID = try MessageField.id(event["self"]?.objectValue?["user_id"])
        let userID = try MessageField.id(event["user_id"])
        if areEqualBytes(userID, selfID) { return nil }
        let content = try content(event["message"], selfID: selfID)

        var message = IncomingMessage(
            userID: userID, chatID: chat.id, messageID: try MessageField.id(event["message_id"]), text: content.text,
            dedupe: try MessageField.id(event["id"]))
        if case .user = chat { message.isPrivate = true }
        message.isMentioned = content.isMentioned
        message.account = selfID
        message.sentAt = try sentAt(event["time"])
        return message
    }

    /// An id with which ``OneBot12Chat/id`` begins. None is known that has a slash.
    private static func partOfID(_ value: JSONValue?) throws(WebhookFault) -> String {
        let id = try MessageField.id(value)
        guard !id.utf8.contains(UInt8(ascii: "/")) else { throw .malformedBody }
        return id
    }

    private static func content(
        _ value: JSONValue?, selfID: String
    ) throws(WebhookFault) -> (text: String, isMentioned: Bool) {
        guard let segments = value?.arrayValue else { throw .malformedBody }
        var text = ""
        var isMentioned = false
        for value in segments {
            guard let segment = value.objectValue, let type = segment["type"]?.stringValue else { throw .malformedBody }
            let data = segment["data"]?.objectValue
            switch type {
            case "text":
                guard let part = data?["text"]?.stringValue else { throw .malformedBody }
                text += part
            case "mention":
                if let id = data?["user_id"]?.stringValue, areEqualBytes(id, selfID) { isMentioned = true }
            default: break
            }
        }
        return (MessageField.text(text), isMentioned)
    }

    private static func sentAt(_ value: JSONValue?) throws(WebhookFault) -> Instant? {
        guard let value = MessageField.optional(value) else { return nil }
        guard case .number(let number) = value, let milliseconds = DecimalSeconds.milliseconds(number.text),
            0...MessageField.latestMilliseconds ~= milliseconds
        else { throw .malformedBody }
        return Instant(milliseconds: milliseconds)
    }
}

/// Where a message was written.
enum OneBot12Chat: Hashable {
    case user(String)
    case group(String)
    case channel(String, guild: String)

    /// As ``IncomingMessage/chatID`` has it: a channel is named with its guild, the two parted by the first slash.
    var id: String {
        switch self {
        case .user: ""
        case .group(let id): id
        case .channel(let id, let guild): guild + "/" + id
        }
    }

    /// The chat of a message that ``OneBot12Event/message(_:)`` gave.
    init(_ message: IncomingMessage) {
        if message.isPrivate {
            self = .user(message.userID)
        } else if let slash = message.chatID.utf8.firstIndex(of: UInt8(ascii: "/")) {
            self = .channel(
                String(message.chatID[message.chatID.utf8.index(after: slash)...]),
                guild: String(message.chatID[..<slash]))
        } else {
            self = .group(message.chatID)
        }
    }

    /// What `send_message` wants.
    func parameters(message: JSONValue) -> JSONValue {
        switch self {
        case .user(let id): .object(["detail_type": "private", "user_id": .string(id), "message": message])
        case .group(let id): .object(["detail_type": "group", "group_id": .string(id), "message": message])
        case .channel(let id, let guild):
            .object([
                "detail_type": "channel", "guild_id": .string(guild), "channel_id": .string(id), "message": message,
            ])
        }
    }
}

/// Seconds as a JSON number that may have a fraction and an exponent, read as the decimal that it is.
enum DecimalSeconds {
    /// - Parameter text: A number as RFC 8259 section 6 allows it.
    /// - Returns: Whole milliseconds, what is finer cut off; nil when negative or more than 15 digits long.
    static func milliseconds(_ text: String) -> Int64? {
        let parts = text.utf8.split(maxSplits: 1) { $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E") }
        guard let mantissa = parts.first, mantissa.first != UInt8(ascii: "-") else { return nil }
        var exponent = 0
        if parts.count == 2 {
            guard let number = Int(Substring(parts[1])), -200...200 ~= number else { return nil }
            exponent = number
        }
        let point = mantissa.firstIndex(of: UInt8(ascii: "."))
        let wholePart = mantissa[..<(point ?? mantissa.endIndex)]
        let fraction = point.map { mantissa[$0...].dropFirst() }
        let digits = Array(wholePart) + Array(fraction ?? "".utf8[...])
        // So many of the digits stand before the point once it is moved behind the milliseconds.
        let count = wholePart.count + exponent + 3
        let kept = digits.prefix(max(count, 0)).drop { $0 == UInt8(ascii: "0") }
        if kept.isEmpty { return 0 }
        let missing = max(count - digits.count, 0)
        guard kept.count + missing <= 15 else { return nil }
        return Int64(String(decoding: kept + Array(repeating: UInt8(ascii: "0"), count: missing), as: UTF8.self))
    }
}
