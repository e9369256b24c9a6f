public import Basics

/// One chat message as a platform stated it, verified and decoded. Ids are the platform's own, without namespace.
///
/// - Source: platforms.md section 0.
public struct IncomingMessage: Hashable, Sendable {
    /// What a payload says about the sender's role. A hint, never proof.
    public enum AdminHint: String, Hashable, Sendable {
        case yes = "true"
        case no = "false"
        case unknown
    }

    public var userID: String
    /// Empty where the platform gives none for one-to-one chats.
    public var chatID: String
    public var messageID: String
    /// Escapes decoded once, other segments dropped, the bot's own mention removed, trimmed.
    public var text: String
    public var adminHint = AdminHint.unknown
    public var isPrivate = false
    /// Under which the platform says that a redelivery is recognised.
    public var dedupe: String
    /// What the message itself is called where one message may come as two events, each with a ``dedupe`` of its own
    /// (Slack's `message` and `app_mention`), or be delivered anew (Feishu); nil elsewhere.
    public var postID: String?
    /// The bot's account, as far as the payload names it; part of the key under which the message is kept.
    public var account = ""
    /// The message's own time. The same in every redelivery, or nil.
    public var sentAt: Instant?
    /// The message mentioned the bot, or could be meant for nobody else (a slash command).
    public var isMentioned = false
    /// Several people share this user id. They take no part.
    public var isAnonymous = false
    /// The namespace that the payload's login gives, for an endpoint that has none of its own (Satori).
    public var identity: String?
    /// Where a reply can be sent by a call; nil where it can only stand in the response.
    public var address: ReplyAddress?

    public init(userID: String, chatID: String, messageID: String, text: String, dedupe: String) {
        self.userID = userID
        self.chatID = chatID
        self.messageID = messageID
        self.text = text
        self.dedupe = dedupe
    }
}

/// Where a reply goes that is not said in the response. Kept with the message until the reply has gone out.
///
/// What the parts mean is the platform's business: only its adapter fills them in and reads them. Two replies may be
/// merged into one when ``chat``, ``isPrivate``, ``thread`` and ``account`` are the same.
public struct ReplyAddress: Hashable, Sendable {
    /// The chat as the platform's API wants it; in private the user where there is no chat.
    public var chat: String
    public var isPrivate: Bool
    /// Who is answered, to be mentioned.
    public var user: String
    /// The message that is answered, or the token that answering takes.
    public var message: String?
    /// A thread or topic within the chat.
    public var thread: String?
    /// The bot's account, where an endpoint may serve several.
    public var account: String?
    /// An address that came with the message. Called only when its host is allow-listed.
    public var url: String?
    /// When ``url`` or ``message`` stops being good for an answer.
    public var expiresAt: Instant?

    public init(
        chat: String, isPrivate: Bool, user: String, message: String? = nil, thread: String? = nil,
        account: String? = nil, url: String? = nil, expiresAt: Instant? = nil
    ) {
        self.chat = chat
        self.isPrivate = isPrivate
        self.user = user
        self.message = message
        self.thread = thread
        self.account = account
        self.url = url
        self.expiresAt = expiresAt
    }
}

/// What one message of a request came to.
public struct AnsweredMessage: Hashable, Sendable {
    public var message: IncomingMessage
    /// To be said in the response; nil when there is nothing to say, or when it goes out by a call.
    public var text: String?
    /// The same message identity came before with another user, command or argument.
    public var isConflict: Bool

    public init(message: IncomingMessage, text: String?, isConflict: Bool = false) {
        self.message = message
        self.text = text
        self.isConflict = isConflict
    }
}
