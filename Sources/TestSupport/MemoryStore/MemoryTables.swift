public import Activities
public import Basics
public import Lottery
public import TrafficGate

/// Everything that a store keeps, in dictionaries and arrays.
public struct MemoryTables: Sendable {
    /// A win, voided or not.
    public struct KeptWin: Sendable {
        public let seq: Int64
        /// Nil once erased.
        public internal(set) var user: UserID?
        public let award: AwardID
        public let awardName: String
        public internal(set) var gameID: GameID
        public internal(set) var gameIDKey: String?
        public let wonAt: Instant
        public internal(set) var voidedAt: Instant?

        var isLive: Bool { voidedAt == nil }
    }

    struct KeptRound: Sendable {
        let rules: RoundRules
        let round: OpenRound
        var closedAt: Instant?
    }

    /// One activity and all that happened in it.
    struct KeptActivity: Sendable {
        var activity: Activity
        var status = ActivityStatus.idle
        var isStartUsed = false
        var isEndUsed = false
        var openedAt: Instant?
        var issued: [AwardID: Int] = [:]
        var userCount = 0
        var drawCount = 0
        /// Round 1 first.
        var rounds: [KeptRound] = []
        /// The row of sequence number 0 first.
        var rows: [LedgerRow] = []
        /// In the order of winning.
        var wins: [KeptWin] = []
        /// Misses, voids and the last row.
        var attempts: [UserID: Participation] = [:]
        /// Where in `wins` a user's live one stands.
        var liveWins: [UserID: Int] = [:]
        var erased: Set<Hash> = []

        init(_ activity: Activity) {
            self.activity = activity
        }

        func win(_ seq: Int64) -> KeptWin? { wins.last { $0.seq == seq } }
    }

    var activities: [ActivityID: KeptActivity] = [:]
    var bindings: [UserID: GameID] = [:]
    var messages: [MessageKey: ProcessedMessage] = [:]
    /// No message is older: spares looking through them all for those to be forgotten.
    var oldestMessage = Instant(milliseconds: .max)
    /// The sessions' table.
    var participants: [SessionID: Participant] = [:]
    /// What the table does not have yet, by number.
    var journal: [(number: Int64, participant: Participant)] = []
    public internal(set) var configuration: [ConfigurationRow]
    public internal(set) var statistics: [GateStatistics] = []
    public internal(set) var audit: [Changes.Audit] = []
    let erasureKey: [UInt8]
    let isStrict: Bool

    /// - Parameter isStrict: Whether ``write(_:)`` refuses what breaks a rule of the schema.
    public init(erasureKey: [UInt8] = Array(repeating: 7, count: 32), isStrict: Bool = true) {
        self.erasureKey = erasureKey
        self.isStrict = isStrict
        configuration =
            GateConfiguration.keys.map { ConfigurationRow(key: $0.name, value: $0.defaultValue, isActive: true) }
            + [ConfigurationRow(key: "maintenance_reason", value: "", isActive: true)]
    }

    // MARK: What is written

    public var activityIDs: [ActivityID] { activities.keys.sorted() }
    public func ledger(of activity: ActivityID) -> [LedgerRow] { activities[activity]?.rows ?? [] }
    public func row(_ receipt: Receipt) -> LedgerRow? {
        guard let rows = activities[receipt.activity]?.rows, rows.indices.contains(Int(receipt.seq)) else { return nil }
        return rows[Int(receipt.seq)]
    }
    public func win(_ receipt: Receipt) -> KeptWin? { activities[receipt.activity]?.win(receipt.seq) }
    public func binding(of user: UserID) -> GameID? { bindings[user] }
    public func message(_ key: MessageKey) -> ProcessedMessage? { messages[key] }
    public func hasMessages(of user: UserID) -> Bool { messages.values.contains { $0.user == user } }
    public func hasAttempts(of user: UserID) -> Bool {
        activities.values.contains { $0.attempts[user] != nil || $0.liveWins[user] != nil }
    }

    /// The activity as ``StoredState`` has it.
    public func record(_ id: ActivityID) -> ActivityRecord? {
        guard let kept = activities[id] else { return nil }
        let open = kept.rounds.last.flatMap { $0.closedAt == nil ? $0.round : nil }
        return ActivityRecord(
            activity: kept.activity, status: kept.status,
            issued: kept.activity.awards.map { kept.issued[$0.id] ?? 0 },
            head: kept.rows.last.map { LedgerHead(nextSeq: $0.seq + 1, hash: $0.hash, at: $0.at) } ?? .empty,
            lastRound: kept.rounds.last?.round.round ?? 0, openRound: open, openedAt: kept.openedAt,
            isStartUsed: kept.isStartUsed, isEndUsed: kept.isEndUsed, userCount: kept.userCount,
            drawCount: kept.drawCount, hasErasedUsers: !kept.erased.isEmpty)
    }

    /// Live sessions: the latest entry of the journal counts, else the table.
    public var liveSessions: [Participant] {
        var latest = participants
        for (_, participant) in journal { latest[participant.session] = participant }
        return latest.values.filter(\.status.isLive).sorted { left, right in
            (left.ticket ?? 0, left.session) < (right.ticket ?? 0, right.session)
        }
    }

    public var storedState: StoredState {
        StoredState(
            activities: activityIDs.compactMap { record($0) }, participants: liveSessions,
            configuration: configuration, erasureKey: erasureKey)
    }

    // MARK: Facts

    public func facts(for query: FactQuery) -> Facts {
        var facts = Facts()
        for key in query.messages { facts.messages[key] = messages[key] }
        for user in query.bindings { facts.bindings[user] = bindings[user] }
        var gameIDs = query.gameIDs
        for key in query.participations {
            facts.participations[key] = participation(key, digest: query.erased[key])
            if query.activitiesByGameID.contains(key.activity), let gameID = bindings[key.user] {
                gameIDs.append(GameIDKey(activity: key.activity, folded: gameID.folded))
            }
        }
        for key in gameIDs {
            let winner = activities[key.activity]?.wins.first { $0.isLive && $0.gameIDKey == key.folded }
            if let user = winner?.user { facts.winnersByGameID[key] = user }
        }
        if let receipt = query.receipt { facts.voidable = voidable(receipt) }
        if let id = query.wonAwardsOf { facts.wonAwards = Set(activities[id]?.wins.map(\.award) ?? []) }
        for user in query.erasing {
            facts.activitiesOfErasing[user] = activityIDs.filter {
                activities[$0]?.attempts[user] != nil || activities[$0]?.liveWins[user] != nil
            }
        }
        return facts
    }

    private func participation(_ key: ParticipationKey, digest: Hash?) -> Participation? {
        guard let kept = activities[key.activity] else { return nil }
        let isErased = digest.map { kept.erased.contains($0) } ?? false
        let win = kept.liveWins[key.user].map { kept.wins[$0] }
        guard win != nil || kept.attempts[key.user] != nil || isErased else { return nil }
        var participation = kept.attempts[key.user] ?? Participation()
        participation.isErased = isErased
        participation.win = win.map {
            WinFact(
                receipt: Receipt(activity: key.activity, seq: $0.seq), award: $0.award, gameID: $0.gameID,
                wonAt: $0.wonAt)
        }
        return participation
    }

    private func voidable(_ receipt: Receipt) -> VoidableDraw? {
        guard case .draw(let entry)? = row(receipt)?.event else { return nil }
        let participation = entry.user.flatMap {
            self.participation(ParticipationKey(user: $0, activity: receipt.activity), digest: nil)
        }
        return VoidableDraw(
            receipt: receipt, user: entry.user, award: entry.award, isVoided: win(receipt)?.isLive == false,
            participation: participation ?? Participation())
    }
}
