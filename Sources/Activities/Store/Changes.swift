public import Basics
public import Lottery
public import TrafficGate

/// What a batch writes, in one transaction.
///
/// Lists are in the order in which they happened. A store may group them by table.
public struct Changes: Sendable {
    /// A row appended to an activity's ledger.
    public struct LedgerEntry: Hashable, Sendable {
        public let activity: ActivityID
        public let row: LedgerRow
        /// The user's row before this one in the same activity, for draws.
        public let previousSeq: Int64?

        public init(activity: ActivityID, row: LedgerRow, previousSeq: Int64? = nil) {
            self.activity = activity
            self.row = row
            self.previousSeq = previousSeq
        }
    }

    /// A win, to be written beside its ledger row.
    public struct NewWin: Hashable, Sendable {
        public let receipt: Receipt
        public let user: UserID
        public let award: AwardID
        public let awardName: String
        public let gameID: GameID
        /// The folded game id where the activity allows one win per game id, else nil.
        public let gameIDKey: String?
        public let wonAt: Instant

        public init(
            receipt: Receipt, user: UserID, award: AwardID, awardName: String, gameID: GameID, gameIDKey: String?,
            wonAt: Instant
        ) {
            self.receipt = receipt
            self.user = user
            self.award = award
            self.awardName = awardName
            self.gameID = gameID
            self.gameIDKey = gameIDKey
            self.wonAt = wonAt
        }
    }

    /// How an activity's counters moved.
    public struct Progress: Hashable, Sendable {
        /// Added to the wins not voided, by the award's id. Negative for voids.
        public var issued: [AwardID: Int] = [:]
        public var userCount = 0
        public var drawCount = 0

        public init() {}

        mutating func countDraw(isFirst: Bool, award: AwardID?) {
            drawCount += 1
            if isFirst { userCount += 1 }
            if let award { issued[award, default: 0] += 1 }
        }
    }

    /// A round that began.
    public struct NewRound: Hashable, Sendable {
        public let rules: RoundRules
        public let round: OpenRound
        public let openedAt: Instant

        public init(rules: RoundRules, round: OpenRound, openedAt: Instant) {
            self.rules = rules
            self.round = round
            self.openedAt = openedAt
        }
    }

    /// A round whose seed may be shown now.
    public struct ClosedRound: Hashable, Sendable {
        public let activity: ActivityID
        public let round: UInt32
        public let closedAt: Instant

        public init(activity: ActivityID, round: UInt32, closedAt: Instant) {
            self.activity = activity
            self.round = round
            self.closedAt = closedAt
        }
    }

    /// A win that is taken back. Its row stays.
    public struct VoidedWin: Hashable, Sendable {
        public let receipt: Receipt
        public let reason: String
        public let at: Instant

        public init(receipt: Receipt, reason: String, at: Instant) {
            self.receipt = receipt
            self.reason = reason
            self.at = at
        }
    }

    /// Somebody who wants to be forgotten.
    public struct Erasure: Hashable, Sendable {
        public let user: UserID
        /// What stays, so that nobody wins twice by being forgotten in between: a keyed digest per activity.
        public let digests: [ActivityID: Hash]
        /// Sessions that the gate forgot with them, and of which no row may stay, whomever an earlier one names. Those
        /// whose latest row names the user go too.
        public let sessions: [SessionID]

        public init(user: UserID, digests: [ActivityID: Hash], sessions: [SessionID] = []) {
            self.user = user
            self.digests = digests
            self.sessions = sessions
        }
    }

    /// A line of the audit log.
    public struct Audit: Hashable, Sendable {
        public let at: Instant
        /// Who: a user, or `schedule` or `command-line`.
        public let actor: String
        public let chat: ChatID?
        /// A ``CommandName``, or `schedule.start`, `schedule.stop`, `message.reused`.
        public let action: String
        /// What it was done to: an activity, a receipt, a key.
        public let target: String
        /// Nil where there is nothing to tell.
        public let before: String?
        public let after: String?
        /// The outcome's code.
        public let result: OutcomeCode

        public init(
            at: Instant, actor: String, chat: ChatID?, action: String, target: String, before: String? = nil,
            after: String? = nil, result: OutcomeCode
        ) {
            self.at = at
            self.actor = actor
            self.chat = chat
            self.action = action
            self.target = target
            self.before = before
            self.after = after
            self.result = result
        }
    }

    /// Activities whose rules or state are new; counters and head are not taken from them for one that exists.
    public var activities: [ActivityRecord] = []
    public var newRounds: [NewRound] = []
    public var closedRounds: [ClosedRound] = []
    public var ledger: [LedgerEntry] = []
    public var wins: [NewWin] = []
    public var voidedWins: [VoidedWin] = []
    public var progress: [ActivityID: Progress] = [:]
    /// Misses, voids and the last row; the win itself is in `wins`.
    public var participations: [ParticipationKey: Participation] = [:]
    /// Nil removes the binding.
    public var bindings: [UserID: GameID?] = [:]
    public var messages: [ProcessedMessage] = []
    /// What became of replies to messages of earlier batches; ``Delivery/pending`` for one that was to be said in the
    /// response and was not.
    public var deliveries: [MessageKey: Delivery] = [:]
    /// Done after everything else in the batch.
    public var erasures: [Erasure] = []
    public var configuration: [(key: String, value: String)] = []
    /// Sessions whose status changed, for the journal, in order.
    public var journal: [Participant] = []
    /// The number of the first of ``journal``; the others follow it. Above all numbers given since the store was
    /// opened, which empties the journal.
    public var firstJournalNumber: Int64 = 1
    /// Sessions to be brought up to date in their table, sorted by session.
    public var participants: [Participant] = []
    /// The table now holds what the journal says up to this number, so that much of it can go.
    public var savedJournalNumber: Int64?
    public var statistics: [GateStatistics] = []
    public var audit: [Audit] = []
    /// Processed messages answered before this moment are deleted, as many as fit into a batch; the rest when it is
    /// asked for again.
    public var forgetMessagesBefore: Instant?
    /// Of the rows of statistics in each whole hour before this moment one is left, with what they say together; as many
    /// hours as fit into a batch, the rest when it is asked for again.
    public var thinStatisticsBefore: Instant?

    public init() {}

    /// Whether there is nothing to write.
    public var isEmpty: Bool {
        activities.isEmpty && newRounds.isEmpty && closedRounds.isEmpty && ledger.isEmpty && wins.isEmpty
            && voidedWins.isEmpty && progress.isEmpty && participations.isEmpty && bindings.isEmpty
            && messages.isEmpty && deliveries.isEmpty && erasures.isEmpty && configuration.isEmpty && journal.isEmpty
            && participants.isEmpty && savedJournalNumber == nil && statistics.isEmpty && audit.isEmpty
            && forgetMessagesBefore == nil && thinStatisticsBefore == nil
    }
}
