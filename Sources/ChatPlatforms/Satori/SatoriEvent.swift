internal import Basics

/// - Source: platforms.md section 3; satorijs/docs: zh-CN/protocol/events.md.
enum SatoriEvent {
    /// `channel.type` of a one-to-one chat.
    private static let directChannel: Int64 = 1

    /// The namespaces of other kinds of endpoints, of the web page's players and of who sits at the machine. Who logs in
    /// at the other end must not speak for them unless the operator names that platform.
    private static let others = Set(Platform.allCases.compactMap(\.defaultIdentity))
        .union(["web", "local", "command-line", ConsoleLine.adapterID])

    /// The message in an event; nil for other events, for the bot's own and for those of other bots.
    ///
    /// - Parameter platforms: The login platforms whose messages are taken; nil: those of all.
    /// - Throws: `malformedBody`; `receiverMismatch` for another platform.
    static func message(_ event: JSONObject, from platforms: Set<String>?) throws(WebhookFault) -> IncomingMessage? {
        let isCommand: Bool
        switch event["type"]?.stringValue {
        case "message-created": isCommand = false
        case "interaction/command": isCommand = true
        default: return nil
        }
        guard let login = event["login"]?.objectValue, let platform = login["platform"]?.stringValue,
            isPlatform(platform), let user = event["user"]?.objectValue
        else { throw .malformedBody }
        if let platforms, !platforms.contains(platform) { throw .receiverMismatch }
        let selfID = try MessageField.id(login["user"]?.objectValue?["id"])
        let userID = try MessageField.id(user["id"])
        if areEqualBytes(userID, selfID) || user["is_bot"]?.boolValue == true { return nil }
        guard let channel = event["channel"]?.objectValue, let channelType = channel["type"]?.integerValue else {
            throw .malformedBody
        }
        let channelID = try MessageField.id(channel["id"])
        let content = try content(event, isCommand: isCommand, userID: userID, selfID: selfID)

        var message = IncomingMessage(
            userID: userID, chatID: channelID, messageID: content.id, text: content.text,
            dedupe: "\(platform):\(selfID):\(channelID):\(content.id)")
        message.isPrivate = channelType == directChannel
        message.isMentioned = content.isMentioned
        message.account = SatoriAccount(platform: platform, userID: selfID).text
        message.sentAt = content.sentAt
        message.identity = identity(of: platform, isNamed: platforms != nil)
        message.address = ReplyAddress(
            chat: channelID, isPrivate: message.isPrivate, user: userID, account: message.account)
        return message
    }

    /// - Parameter isNamed: Whether the operator wants messages of this very platform.
    private static func identity(of platform: String, isNamed: Bool) -> String? {
        // `red` is how Koishi's adapter for QQ calls itself; its users are the ones that OneBot knows.
        if platform == "red" { return "qq" }
        return isNamed || !others.contains(platform) ? platform : nil
    }

    private struct Content {
        var id: String
        var text: String
        var isMentioned: Bool
        var sentAt: Instant?
    }

    private static func content(
        _ event: JSONObject, isCommand: Bool, userID: String, selfID: String
    ) throws(WebhookFault) -> Content {
        let message = event["message"]?.objectValue
        // The message's own time stays the same however often the event is told.
        let time = MessageField.optional(message?["created_at"]) ?? MessageField.optional(event["timestamp"])
        let sentAt = try MessageField.optionalInstant(time, millisecondsPerUnit: 1)
        if isCommand, let argv = MessageField.optional(event["argv"]) {
            guard let argv = argv.objectValue else { throw .malformedBody }
            let id: String
            if let message {
                id = try MessageField.id(message["id"])
            } else {
                // Such a command has no id of its own. The user and the millisecond tell it from any other.
                guard let sentAt else { throw .malformedBody }
                id = "command:\(sentAt.milliseconds):\(userID)"
            }
            return Content(id: id, text: try commandText(argv), isMentioned: true, sentAt: sentAt)
        }
        guard let message, let content = message["content"]?.stringValue else { throw .malformedBody }
        let elements = SatoriElements(content, selfID: selfID)
        return Content(
            id: try MessageField.id(message["id"]), text: elements.text,
            isMentioned: elements.isMentioned || isCommand, sentAt: sentAt)
    }

    /// `/name`, then the arguments and what the options are set to, as somebody would have typed them.
    private static func commandText(_ argv: JSONObject) throws(WebhookFault) -> String {
        guard let name = argv["name"]?.nonEmptyString else { throw .malformedBody }
        var values: [JSONValue] = []
        if let arguments = MessageField.optional(argv["arguments"]) {
            guard let arguments = arguments.arrayValue else { throw .malformedBody }
            values += arguments
        }
        if let options = MessageField.optional(argv["options"]) {
            guard let options = options.objectValue else { throw .malformedBody }
            values += options.members.map(\.value)
        }
        var words = ["/" + name]
        for value in values {
            switch value {
            case .string(let text): words.append(text)
            case .number(let number): words.append(number.text)
            case .bool(let flag): words.append(flag ? "true" : "false")
            case .null: break
            case .object, .array: throw .malformedBody
            }
        }
        return MessageField.text(words.joined(separator: " "))
    }

    /// `[a-z0-9_-]{1,32}`: fit to be a namespace.
    static func isPlatform(_ text: String) -> Bool {
        text.utf8.count <= 32 && text.isPlainName && !text.utf8.contains { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 }
    }
}

/// One of the accounts that a Satori server has logged in.
struct SatoriAccount {
    var platform: String
    var userID: String

    init(platform: String, userID: String) {
        self.platform = platform
        self.userID = userID
    }

    /// `platform/user`: a platform's name has no slash.
    var text: String { platform + "/" + userID }

    /// Reads ``text``.
    init?(_ text: String) {
        guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        platform = String(text[..<slash])
        userID = String(text[text.utf8.index(after: slash)...])
    }
}
