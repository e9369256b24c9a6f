public import Basics

/// What a message turned out to be.
public enum MessageContent: Hashable, Sendable {
    case command(Command)
    /// A command whose arguments cannot be understood.
    case badArgument(CommandName, ArgumentFault)
    /// Not a command, but close to one this person may run (`suggestion`), or addressed to the bot: in private, behind
    /// a prefix or a mention.
    case unknown(suggestion: CommandName?, isAddressed: Bool)
    /// Talk that is not for the bot.
    case ignored
}

/// Why an argument was refused.
public enum ArgumentFault: Error, Hashable, Sendable, Codable {
    case missing
    /// There is more than the command takes.
    case unexpected
    case tooLong(maximumSize: Int)
    case notPrintable
    /// Not plain decimal digits of at most 18 places.
    case notANumber
    case outOfRange(minimum: Int, maximum: Int)
    case notAReceipt
    /// Neither 开 nor 关.
    case notASwitch
    case unknownCommand
}

/// Under which a message that is delivered again is recognised.
///
/// - Source: spec.md section 7, promise 3.
public struct MessageKey: Hashable, Sendable {
    public static let maximumSize = 256

    /// The message's own time; nil where the platform gives none. Part of the key, and leads it, so that the store's
    /// index grows at its end.
    public let sentAt: Instant?
    /// Namespace, account and the platform's dedupe key, joined; at most ``maximumSize`` bytes.
    public let text: String

    /// - Returns: Nil when `text` is empty or larger than ``maximumSize`` bytes.
    public init?(sentAt: Instant?, text: String) {
        guard (1...Self.maximumSize).contains(text.utf8.count) else { return nil }
        self.sentAt = sentAt
        self.text = text
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.sentAt == right.sentAt && areEqualBytes(left.text, right.text)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(sentAt)
        hashBytes(text, into: &hasher)
    }
}

/// One message of one person, ready to be decided.
///
/// Whoever takes it from outside has refused ids with control characters: not every store keeps a text with a zero
/// byte.
public struct Request: Sendable {
    public var user: UserID
    /// Nil for a private talk.
    public var chat: ChatID?
    public var role: Role
    /// Nil: a message without an identity is always new.
    public var key: MessageKey?
    public var content: MessageContent
    /// The web page's session that the user acts in; nil: the user's own, as in chat.
    public var pageSession: SessionID?
    public var route: ReplyRoute

    public init(
        user: UserID, chat: ChatID?, role: Role, key: MessageKey? = nil, content: MessageContent,
        pageSession: SessionID? = nil, route: ReplyRoute = .response(nil)
    ) {
        self.user = user
        self.chat = chat
        self.role = role
        self.key = key
        self.content = content
        self.pageSession = pageSession
        self.route = route
    }

    /// The session that the gate knows the request by.
    var session: SessionID { pageSession ?? SessionID(user.text) }
}

/// How the answer to a message reaches its sender.
public enum ReplyRoute: Hashable, Sendable {
    /// In the response to the message itself. What is said later, or unasked, may go to the destination.
    case response(Destination?)
    /// By a call, once the batch is durable. Until it has gone out it is pending, also over a restart.
    case call(Destination)

    public var destination: Destination? {
        switch self {
        case .response(let destination): destination
        case .call(let destination): destination
        }
    }

    var isCall: Bool {
        if case .call = self { true } else { false }
    }
}

/// Where something can be said by a call. For whoever sends to read; here it is only kept, with the message.
public struct Destination: Hashable, Sendable {
    /// The endpoint's name. Replies through one do not wait for those through another.
    public var endpoint: String
    public var address: String

    public init(endpoint: String, address: String) {
        self.endpoint = endpoint
        self.address = address
    }
}
