public import Basics

/// An award's place in an activity: what it is, how likely, how many.
public struct ActivityAward: Hashable, Sendable {
    /// Unique within the activity.
    public var id: AwardID
    public var kind: AwardKind
    /// The chance of a hit per attempt. Zero and without meaning for `DI_BAO`.
    public var percent: Percent
    /// What the award is called in the list, such as 一等奖. May be empty.
    public var prefix: String
    /// What is given, such as 游戏主机.
    public var name: String
    /// A note for operators; never shown to players. May be empty.
    public var remark: String
    /// Configured stock, 0…10^9; 1 for `ONLY`; without meaning for `DI_BAO`, where it is 0.
    public var number: Int

    public init(
        id: AwardID, kind: AwardKind, percent: Percent = .zero, prefix: String = "", name: String,
        remark: String = "", number: Int = 0
    ) {
        self.id = id
        self.kind = kind
        self.percent = percent
        self.prefix = prefix
        self.name = name
        self.remark = remark
        self.number = number
    }
}

/// The chats an activity is for.
public enum Scope: Hashable, Sendable {
    /// `*`: every chat and every private talk. Overlaps any other scope.
    case everywhere
    /// These chats only; a private talk is none of them.
    case chats(Set<ChatID>)

    /// Whether a message from `chat` belongs to the activity.
    ///
    /// - Parameter chat: Nil for a private talk.
    public func includes(_ chat: ChatID?) -> Bool {
        switch (self, chat) {
        case (.everywhere, _): true
        case (.chats(let chats), let chat?): chats.contains(chat)
        case (.chats, nil): false
        }
    }

    /// Whether some chat would belong to both.
    public func overlaps(_ other: Scope) -> Bool {
        switch (self, other) {
        case (.everywhere, _), (_, .everywhere): true
        case (.chats(let mine), .chats(let others)): !mine.isDisjoint(with: others)
        }
    }
}

/// A draw with its awards, as an operator wrote it. What has been given out is not part of it.
public struct Activity: Hashable, Sendable {
    /// The most awards that one activity may have.
    public static let maximumAwardCount = 1000
    /// The largest configured stock of one award.
    public static let maximumNumber = 1_000_000_000

    public var id: ActivityID
    /// Unique among activities, by bytes.
    public var name: String
    public var scope: Scope
    /// Attempts per user; nil means unlimited until the first win.
    public var maxAttempts: Int?
    /// Whether a game id that has won here refuses further accounts bound to it.
    public var oneWinPerGameID: Bool
    /// Opens by itself then; nil: by hand only.
    public var startsAt: Instant?
    /// Closes by itself then; the half-open interval excludes this moment.
    public var endsAt: Instant?
    /// The order decides who is asked first.
    public var awards: [ActivityAward]

    public init(
        id: ActivityID, name: String, scope: Scope = .everywhere, maxAttempts: Int? = nil,
        oneWinPerGameID: Bool = false, startsAt: Instant? = nil, endsAt: Instant? = nil, awards: [ActivityAward]
    ) {
        self.id = id
        self.name = name
        self.scope = scope
        self.maxAttempts = maxAttempts
        self.oneWinPerGameID = oneWinPerGameID
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.awards = awards
    }

    /// The position in ``awards`` of the first 低保 award, from 0.
    public var diBaoIndex: Int? {
        awards.firstIndex { $0.kind == .DI_BAO }
    }
}

/// Whether an id may stand in a file, a ledger and a receipt: `[A-Za-z0-9._-]{1,64}`.
///
/// - Source: spec.md section 5.
public func isValidID(_ text: some StringProtocol) -> Bool {
    let bytes = text.utf8
    return (1...64).contains(bytes.count)
        && bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
}
