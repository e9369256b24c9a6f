public import Activities
public import Basics
internal import Foundation
public import Lottery
internal import NIOConcurrencyHelpers

/// A store in dictionaries and arrays: what every engine must amount to, and nothing faster or cleverer.
///
/// It lives on a ``Disk``, which outlives it: a new store on the same disk is the old one opened again, after a close
/// or after a crash.
public final class MemoryStore: Store {
    /// What outlives a store.
    public final class Disk: Sendable {
        fileprivate struct State: Sendable {
            var tables: MemoryTables
            /// How often a store was opened on it: an older store may not write any more.
            var openingCount = 0
            /// How often another program has written.
            var editCount = 0
        }

        fileprivate let state: NIOLockedValueBox<State>

        /// - Parameters:
        ///   - erasureKey: 32 bytes; random unless given.
        ///   - isStrict: Whether a batch that breaks a rule of the schema is refused. Off, somebody else has to notice.
        public init(erasureKey: [UInt8]? = nil, isStrict: Bool = true) {
            let key = erasureKey ?? (0..<32).map { _ in UInt8.random(in: 0...255) }
            state = NIOLockedValueBox(State(tables: MemoryTables(erasureKey: key, isStrict: isStrict)))
        }

        /// Looks at what is written. Keep no copy of a whole table: the next batch would have to copy it.
        public func look<Value>(_ body: (MemoryTables) throws -> Value) rethrows -> Value {
            try state.withLockedValue { try body($0.tables) }
        }

        /// Another program writes a row of the gate's configuration.
        public func editConfiguration(_ key: String, to value: String, isActive: Bool = true) {
            state.withLockedValue { state in
                state.tables.setConfiguration(key, to: value, isActive: isActive)
                state.editCount += 1
            }
        }
    }

    private let disk: Disk
    private let opening: Int
    private let isClosed = NIOLockedValueBox(false)
    /// ``Disk/State/editCount`` as of the last look; nil before the first.
    private let seenEditCount = NIOLockedValueBox<Int?>(nil)

    /// Opens what is on `disk`.
    public init(on disk: Disk = Disk()) {
        self.disk = disk
        opening = disk.state.withLockedValue { state in
            state.openingCount += 1
            state.tables.foldJournal()
            return state.openingCount
        }
    }

    private func use<Value>(_ body: (inout Disk.State) throws -> Value) throws -> Value {
        if isClosed.withLockedValue({ $0 }) { throw StoreError(code: .failed, message: "The store was closed.") }
        return try disk.state.withLockedValue { state in
            guard state.openingCount == opening else {
                throw StoreError(code: .locked, message: "The disk was opened by another store since.")
            }
            return try body(&state)
        }
    }

    public func load() async throws -> StoredState { try use { $0.tables.storedState } }

    public func facts(for query: FactQuery) async throws -> Facts {
        try use { facts(for: query, $0) }
    }

    public func write(_ changes: Changes, next: @escaping @Sendable () -> FactRequest?) async throws {
        try use { state in
            try state.tables.write(changes)
            guard let request = next() else { return }
            request.receive(facts(for: request.query, state))
        }
    }

    private func facts(for query: FactQuery, _ state: Disk.State) -> Facts {
        var facts = state.tables.facts(for: query)
        facts.configuration = seenEditCount.withLockedValue { seen in
            defer { seen = state.editCount }
            return seen == state.editCount ? nil : state.tables.configuration
        }
        return facts
    }

    public func wins(of user: UserID) async throws -> [Win] { try use { $0.tables.wins(of: user) } }

    public func winners(of activities: [ActivityID], page: Int, pageSize: Int) async throws -> WinnersPage {
        try use { $0.tables.winners(of: activities, page: page, pageSize: pageSize) }
    }

    public func draw(_ receipt: Receipt) async throws -> StoredDraw? { try use { $0.tables.draw(receipt) } }

    public func data(of user: UserID) async throws -> UserData { try use { $0.tables.data(of: user) } }

    public func ledger(of activity: ActivityID, from seq: Int64, limit: Int) async throws -> [LedgerRow] {
        try use { Array($0.tables.ledger(of: activity).drop { $0.seq < seq }.prefix(limit)) }
    }

    public func winners(of activity: ActivityID, after seq: Int64, limit: Int) async throws -> [StoredWin] {
        try use { Array($0.tables.storedWins(of: activity).filter { $0.receipt.seq > seq }.prefix(limit)) }
    }

    public func pendingReplies(through endpoint: String, limit: Int) async throws -> [ProcessedMessage] {
        try use { Array($0.tables.pendingReplies(through: endpoint).prefix(limit)) }
    }

    public func endpointsOfPendingReplies() async throws -> Set<String> {
        try use { $0.tables.endpointsOfPendingReplies }
    }

    public func destinationsOfQueuedUsers(
        since moment: Instant, limit: Int
    ) async throws -> [(user: UserID, destination: Destination)] {
        try use { Array($0.tables.destinationsOfQueuedUsers(since: moment).prefix(limit)) }
    }

    public func close() async throws { isClosed.withLockedValue { $0 = true } }
}
