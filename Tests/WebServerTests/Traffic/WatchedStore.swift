import Activities
import Basics
import Lottery
import NIOConcurrencyHelpers
import SQLiteStore
import TrafficGate

/// A store that notes what each batch changed in the gate, once the batch is durable.
final class WatchedStore: Store {
    struct Batch: Sendable {
        /// Each session whose status changed, in its final state, in the order of the first change.
        let journal: [Participant]
        let statistics: [GateStatistics]
    }

    private let store: SQLiteStore
    private let seen = NIOLockedValueBox<[Batch]>([])

    init(_ store: SQLiteStore) {
        self.store = store
    }

    var batches: [Batch] { seen.withLockedValue { $0 } }

    func facts(for query: FactQuery) async throws -> Facts { try await store.facts(for: query) }

    func write(_ changes: Changes, next: @escaping @Sendable () -> FactRequest?) async throws {
        try await store.write(changes, next: next)
        if changes.journal.isEmpty, changes.statistics.isEmpty { return }
        seen.withLockedValue { $0.append(Batch(journal: changes.journal, statistics: changes.statistics)) }
    }

    func load() async throws -> StoredState { try await store.load() }
    func wins(of user: UserID) async throws -> [Win] { try await store.wins(of: user) }
    func winners(of activities: [ActivityID], page: Int, pageSize: Int) async throws -> WinnersPage {
        try await store.winners(of: activities, page: page, pageSize: pageSize)
    }
    func draw(_ receipt: Receipt) async throws -> StoredDraw? { try await store.draw(receipt) }
    func data(of user: UserID) async throws -> UserData { try await store.data(of: user) }
    func ledger(of activity: ActivityID, from seq: Int64, limit: Int) async throws -> [LedgerRow] {
        try await store.ledger(of: activity, from: seq, limit: limit)
    }
    func winners(of activity: ActivityID, after seq: Int64, limit: Int) async throws -> [StoredWin] {
        try await store.winners(of: activity, after: seq, limit: limit)
    }
    func pendingReplies(through endpoint: String, limit: Int) async throws -> [ProcessedMessage] {
        try await store.pendingReplies(through: endpoint, limit: limit)
    }
    func endpointsOfPendingReplies() async throws -> Set<String> { try await store.endpointsOfPendingReplies() }
    func destinationsOfQueuedUsers(
        since moment: Instant, limit: Int
    ) async throws -> [(user: UserID, destination: Destination)] {
        try await store.destinationsOfQueuedUsers(since: moment, limit: limit)
    }
    func close() async throws { try await store.close() }
}
