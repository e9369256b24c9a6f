public import Basics
public import Lottery

/// A round that is open: its secret and what was promised about it.
public struct OpenRound: Hashable, Sendable {
    /// From 1 per activity.
    public let round: UInt32
    /// Shown to nobody before the round is closed.
    public let seed: RoundSeed
    public let commitment: Hash

    public init(round: UInt32, seed: RoundSeed, commitment: Hash) {
        self.round = round
        self.seed = seed
        self.commitment = commitment
    }
}

/// An activity with all that changes about it.
public struct ActivityRecord: Hashable, Sendable {
    public var activity: Activity
    public var status: ActivityStatus
    /// Wins not voided, by the award's position; DI_BAO counted too.
    public var issued: [Int]
    /// The end of the activity's ledger.
    public var head: LedgerHead
    /// The number of the latest round; 0 before the first opening.
    public var lastRound: UInt32
    /// Nil unless the activity is active.
    public var openRound: OpenRound? {
        didSet { roundWords = Self.words(of: openRound, activity.id) }
    }
    /// What decides the draws of the open round.
    private(set) var roundWords: RoundWords?
    /// When it was last opened, not counting changes of its rules.
    public var openedAt: Instant?
    /// Whether `startsAt` has been acted on, by the clock or by hand.
    public var isStartUsed: Bool
    /// Whether `endsAt` has been acted on.
    public var isEndUsed: Bool
    /// Users who have drawn at least once.
    public var userCount: Int
    public var drawCount: Int
    /// Whether somebody who took part had their data erased.
    public var hasErasedUsers: Bool

    public init(
        activity: Activity, status: ActivityStatus = .idle, issued: [Int]? = nil, head: LedgerHead = .empty,
        lastRound: UInt32 = 0, openRound: OpenRound? = nil, openedAt: Instant? = nil, isStartUsed: Bool = false,
        isEndUsed: Bool = false, userCount: Int = 0, drawCount: Int = 0, hasErasedUsers: Bool = false
    ) {
        self.activity = activity
        self.status = status
        self.issued = issued ?? Array(repeating: 0, count: activity.awards.count)
        self.head = head
        self.lastRound = lastRound
        self.openRound = openRound
        roundWords = Self.words(of: openRound, activity.id)
        self.openedAt = openedAt
        self.isStartUsed = isStartUsed
        self.isEndUsed = isEndUsed
        self.userCount = userCount
        self.drawCount = drawCount
        self.hasErasedUsers = hasErasedUsers
    }

    private static func words(of round: OpenRound?, _ activity: ActivityID) -> RoundWords? {
        round.map { RoundWords(seed: $0.seed, activity: activity, round: $0.round) }
    }

    /// When it will open by itself; nil when nothing is planned, or no longer.
    public var plannedStart: Instant? { isStartUsed ? nil : activity.startsAt }
    /// When it will close by itself; nil when nothing is planned, or no longer.
    public var plannedEnd: Instant? { isEndUsed ? nil : activity.endsAt }

    /// - Parameters:
    ///   - isFirst: Whether the user had not drawn here before.
    ///   - wonIndex: The award's position; nil for a miss.
    mutating func countDraw(isFirst: Bool, wonIndex: Int?) {
        // At its end a count stays there; the store refuses the batch.
        if drawCount < .max { drawCount += 1 }
        if isFirst, userCount < .max { userCount += 1 }
        if let wonIndex { issued[wonIndex] += 1 }
    }

    /// Copies left of the award at `index`: number − issued; 0 for DI_BAO, which never runs out.
    public func remaining(at index: Int) -> Int {
        let award = activity.awards[index]
        if award.kind == .DI_BAO { return 0 }
        let left = award.number - issued[index]
        #if DEBUG
            if Mutation.current == .skipStockCheck { return max(left, 1) }
        #endif
        return left
    }

    /// ``remaining(at:)`` of every award.
    public var remaining: [Int] {
        activity.awards.indices.map { remaining(at: $0) }
    }
}

extension ActivityListItem {
    public init(_ record: ActivityRecord) {
        self.init(
            id: record.activity.id, name: record.activity.name, status: record.status,
            startsAt: record.plannedStart, endsAt: record.plannedEnd, drawCount: record.drawCount)
    }
}
