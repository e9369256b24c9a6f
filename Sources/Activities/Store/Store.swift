public import Basics
public import Lottery
public import TrafficGate

/// Where everything is kept. Small and coarse, so that a second engine costs little; every engine passes one contract
/// suite.
public protocol Store: Sendable {
    /// Everything that the decisions keep in memory, as of the last commit.
    ///
    /// - Throws: ``StoreError``.
    func load() async throws -> StoredState

    /// The answers to a query, with all that was written before. Nothing is locked: this store alone writes.
    ///
    /// - Throws: ``StoreError``.
    func facts(for query: FactQuery) async throws -> Facts

    /// Writes the changes in one transaction, then reads what the batch behind needs to know, and returns once the changes
    /// are durable. So that batch is decided while this one is being committed.
    ///
    /// - Parameters:
    ///   - changes: May be empty; then nothing is locked or written.
    ///   - next: Called at most once, when the changes are written but not durable yet; nil: nobody waits. Must not
    ///     block.
    /// - Throws: ``StoreError``. What the caller holds in memory may then be ahead of the store, as is what was decided on
    ///   the facts handed out meanwhile; it must not decide again, but load afresh. Never retried in here: a commit whose
    ///   result is unknown may have happened.
    func write(_ changes: Changes, next: @escaping @Sendable () -> FactRequest?) async throws

    /// ``facts(for:)``, the changes that `decide` gives for them, and ``write(_:next:)``: for a batch that nothing was on its
    /// way before. An engine with a thread of its own does all three there, and nobody waits for a thread in between.
    ///
    /// - Parameter decide: Called once, unless something fails before. Must not block.
    /// - Throws: As ``write(_:next:)``.
    func transact(
        _ query: FactQuery, next: @escaping @Sendable () -> FactRequest?,
        _ decide: @escaping @Sendable (Facts) -> Changes
    ) async throws

    /// A user's wins in all activities, newest first, without those voided.
    func wins(of user: UserID) async throws -> [Win]

    /// A page of winners over `activities`, the activity that comes first in the list first, then in the order of
    /// winning; a winner stands where their first win in that order stands.
    ///
    /// - Parameters:
    ///   - page: From 1; beyond the end gives the last page.
    ///   - pageSize: Winners a page, at least 1.
    func winners(of activities: [ActivityID], page: Int, pageSize: Int) async throws -> WinnersPage

    /// The draw that `receipt` names; nil when there is none.
    func draw(_ receipt: Receipt) async throws -> StoredDraw?

    /// What is kept about a user, apart from the gate's session.
    func data(of user: UserID) async throws -> UserData

    /// The rows of an activity's ledger in order, from `seq` on, at most `limit`.
    func ledger(of activity: ActivityID, from seq: Int64, limit: Int) async throws -> [LedgerRow]

    /// The wins of an activity in order, those after the row `seq`, at most `limit`, voided ones included; the user is
    /// nil when erased.
    func winners(of activity: ActivityID, after seq: Int64, limit: Int) async throws -> [StoredWin]

    /// Messages whose replies through `endpoint` are ``Delivery/pending``, first answered first, at most `limit`.
    func pendingReplies(through endpoint: String, limit: Int) async throws -> [ProcessedMessage]

    /// Every endpoint through which a reply is pending, whether it is still configured or not.
    func endpointsOfPendingReplies() async throws -> Set<String>

    /// Where those were last who were told to wait since `moment`; at most `limit`, whoever wrote last first.
    func destinationsOfQueuedUsers(
        since moment: Instant, limit: Int
    ) async throws -> [(user: UserID, destination: Destination)]

    /// Finishes what was begun and closes. The store is not usable afterwards.
    func close() async throws
}

extension Store {
    public func transact(
        _ query: FactQuery, next: @escaping @Sendable () -> FactRequest?,
        _ decide: @escaping @Sendable (Facts) -> Changes
    ) async throws {
        try await write(decide(try await facts(for: query)), next: next)
    }

    /// One batch by itself.
    ///
    /// - Returns: What `decide` gave beside the changes, once these are durable.
    /// - Throws: As ``write(_:next:)``.
    public func transact<Result: Sendable>(
        _ query: FactQuery, _ decide: @escaping @Sendable (Facts) -> (Changes, Result)
    ) async throws -> Result {
        let result = OneTimeValue<Result>()
        @Sendable func decideOnce(_ facts: Facts) -> Changes {
            let (changes, decided) = decide(facts)
            result.resolve(decided)
            return changes
        }
        try await transact(query, next: { nil }, decideOnce)
        return await result.value
    }
}

/// What a batch needs to know, and who is told.
public struct FactRequest: Sendable {
    public let query: FactQuery
    /// Called once with the answers, unless reading them or writing what goes before them fails. Must not block.
    public let receive: @Sendable (Facts) -> Void

    public init(_ query: FactQuery, receive: @escaping @Sendable (Facts) -> Void) {
        self.query = query
        self.receive = receive
    }
}

/// What the decisions keep in memory.
public struct StoredState: Sendable {
    public var activities: [ActivityRecord]
    /// Live sessions of the gate: its table and what the journal adds.
    public var participants: [Participant]
    public var configuration: [ConfigurationRow]
    /// 32 secret bytes of this store, for the digests of erased users.
    public var erasureKey: [UInt8]
    /// When the newest processed message was sent or, without a time of its own, answered; nil: there is none.
    public var newestMessageAt: Instant?

    public init(
        activities: [ActivityRecord], participants: [Participant], configuration: [ConfigurationRow],
        erasureKey: [UInt8], newestMessageAt: Instant? = nil
    ) {
        self.activities = activities
        self.participants = participants
        self.configuration = configuration
        self.erasureKey = erasureKey
        self.newestMessageAt = newestMessageAt
    }
}

/// A draw with what is needed to check it.
public struct StoredDraw: Hashable, Sendable {
    public var row: LedgerRow
    public var entry: DrawEntry
    public var rules: RoundRules
    public var commitment: Hash
    /// Nil while the round is open.
    public var seed: RoundSeed?
    public var voidedAt: Instant?

    public init(
        row: LedgerRow, entry: DrawEntry, rules: RoundRules, commitment: Hash, seed: RoundSeed?, voidedAt: Instant?
    ) {
        self.row = row
        self.entry = entry
        self.rules = rules
        self.commitment = commitment
        self.seed = seed
        self.voidedAt = voidedAt
    }
}

/// A win as it is exported.
public struct StoredWin: Hashable, Sendable {
    public var receipt: Receipt
    public var user: UserID?
    public var gameID: String
    public var award: AwardLabel
    public var wonAt: Instant
    public var voidedAt: Instant?

    public init(
        receipt: Receipt, user: UserID?, gameID: String, award: AwardLabel, wonAt: Instant, voidedAt: Instant?
    ) {
        self.receipt = receipt
        self.user = user
        self.gameID = gameID
        self.award = award
        self.wonAt = wonAt
        self.voidedAt = voidedAt
    }
}

/// A fault of the store. For operators; its text never reaches a chat.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    public enum Code: String, Sendable {
        /// Another process has the database.
        case locked
        /// The file is not a database of this program, or one of a newer version.
        case foreign
        /// The file is damaged or incomplete.
        case corrupt
        /// The file or its folder cannot be read or written.
        case inaccessible
        /// What is kept beside the database cannot be used, or is something else.
        case unusableSideFile
        /// There is no space left.
        case full
        /// The disk did not read or write what it was asked to.
        case diskFailed
        /// The required durability could not be set.
        case notDurable
        /// A rule of the schema was about to be broken; nothing of the batch was written.
        case constraint
        /// Anything else.
        case failed
    }

    public var code: Code
    /// What happened, what is still safe, and what to do next, in English.
    public var message: String
    public var cause: String?

    public init(code: Code, message: String, cause: String? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    public var description: String {
        cause.map { "\(message) (\($0))" } ?? message
    }
}
