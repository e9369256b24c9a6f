public import Basics
public import Lottery

/// One user in one activity.
public struct ParticipationKey: Hashable, Sendable {
    public let user: UserID
    public let activity: ActivityID

    public init(user: UserID, activity: ActivityID) {
        self.user = user
        self.activity = activity
    }
}

/// A game id within one activity, folded so that two spellings are one account.
public struct GameIDKey: Hashable, Sendable {
    public let activity: ActivityID
    /// ``GameID/folded``
    public let folded: String

    public init(activity: ActivityID, folded: String) {
        self.activity = activity
        self.folded = folded
    }
}

/// What a batch needs to know before it can be decided.
///
/// Everything that grows with the number of users is asked for here, by index; a store answers each list with one
/// look-up per entry or with one set-based query for all. What is asked twice is answered once.
public struct FactQuery: Sendable {
    /// Has this message been processed?
    public var messages: [MessageKey] = []
    /// Which game id is bound?
    public var bindings: [UserID] = []
    /// What has this user done in this activity?
    public var participations: [ParticipationKey] = []
    /// Of `participations`, those for whose bound game id a winner must be looked up as well.
    public var activitiesByGameID: Set<ActivityID> = []
    /// Who has won under this game id? In addition to the bound ones.
    public var gameIDs: [GameIDKey] = []
    /// Digests of users who may have been erased, to be looked up in the participation's activity.
    public var erased: [ParticipationKey: Hash] = [:]
    /// The win that an admin wants to void.
    public var receipt: Receipt?
    /// Which awards of this activity were ever won?
    public var wonAwardsOf: ActivityID?
    /// All that is known about users who want to be forgotten.
    public var erasing: [UserID] = []

    public init() {}
}

/// A live win of a user in an activity.
public struct WinFact: Hashable, Sendable {
    public let receipt: Receipt
    public let award: AwardID
    public let gameID: GameID
    public let wonAt: Instant

    public init(receipt: Receipt, award: AwardID, gameID: GameID, wonAt: Instant) {
        self.receipt = receipt
        self.award = award
        self.gameID = gameID
        self.wonAt = wonAt
    }
}

/// What one user has done in one activity.
public struct Participation: Hashable, Sendable {
    /// The win that is not voided.
    public var win: WinFact?
    /// Attempts that won nothing.
    public var missCount: Int
    /// Wins that were voided.
    public var voidCount: Int
    /// The ledger row of the latest miss or voided win: the head of a list through the ledger that finds all rows of
    /// the user without an index.
    public var lastSeq: Int64?
    /// Whether the user took part and then had their data erased.
    public var isErased: Bool

    public init(
        win: WinFact? = nil, missCount: Int = 0, voidCount: Int = 0, lastSeq: Int64? = nil, isErased: Bool = false
    ) {
        self.win = win
        self.missCount = missCount
        self.voidCount = voidCount
        self.lastSeq = lastSeq
        self.isErased = isErased
    }
}

/// A message that was answered before.
public struct ProcessedMessage: Hashable, Sendable {
    public var key: MessageKey
    public var user: UserID
    public var chat: ChatID?
    /// ``Command/fingerprint`` or its like for what was no command.
    public var fingerprint: String
    public var answer: StoredAnswer
    /// When it was answered.
    public var at: Instant
    /// Where a reply, or something said unasked later, can be sent; see ``ReplyRoute``.
    public var destination: Destination?
    /// Nil: the reply is said in the response.
    public var delivery: Delivery?

    public init(
        key: MessageKey, user: UserID, chat: ChatID?, fingerprint: String, answer: StoredAnswer, at: Instant,
        destination: Destination? = nil, delivery: Delivery? = nil
    ) {
        self.key = key
        self.user = user
        self.chat = chat
        self.fingerprint = fingerprint
        self.answer = answer
        self.at = at
        self.destination = destination
        self.delivery = delivery
    }
}

/// What became of a reply that goes out by a call.
public enum Delivery: String, Hashable, Sendable, CaseIterable {
    /// To be sent.
    case pending
    case sent
    /// Given up: the platform takes it no more, or never did.
    case dropped
}

/// A win as 作废 needs it.
public struct VoidableDraw: Hashable, Sendable {
    public let receipt: Receipt
    /// Nil when the user was erased.
    public let user: UserID?
    /// Nil: the attempt missed.
    public let award: AwardID?
    public let isVoided: Bool
    /// The user's misses and voids so far; zeros when erased.
    public let participation: Participation

    public init(receipt: Receipt, user: UserID?, award: AwardID?, isVoided: Bool, participation: Participation) {
        self.receipt = receipt
        self.user = user
        self.award = award
        self.isVoided = isVoided
        self.participation = participation
    }
}

/// A row of `redpacket_traffic_config`.
public struct ConfigurationRow: Hashable, Sendable {
    public let key: String
    public let value: String
    /// False means that the default holds.
    public let isActive: Bool

    public init(key: String, value: String, isActive: Bool) {
        self.key = key
        self.value = value
        self.isActive = isActive
    }
}

/// The answers to a ``FactQuery``. What is not listed does not exist.
public struct Facts: Sendable {
    public var messages: [MessageKey: ProcessedMessage] = [:]
    public var bindings: [UserID: GameID] = [:]
    public var participations: [ParticipationKey: Participation] = [:]
    /// The user whose win stands under the game id.
    public var winnersByGameID: [GameIDKey: UserID] = [:]
    public var voidable: VoidableDraw?
    public var wonAwards: Set<AwardID> = []
    /// The activities in which each user who wants to be forgotten took part.
    public var activitiesOfErasing: [UserID: [ActivityID]] = [:]
    /// All rows of the gate's configuration, when another program may have changed one since the last transaction;
    /// nil otherwise.
    public var configuration: [ConfigurationRow]?

    public init() {}
}
