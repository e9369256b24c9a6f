import Activities
import NIOConcurrencyHelpers
import SQLiteStore
import TestSupport
import TrafficGate

/// A store that notes what each batch changed in the gate, once the batch is durable.
final class WatchedStore: StoreAround {
    struct Batch: Sendable {
        /// Each session whose status changed, in its final state, in the order of the first change.
        let journal: [Participant]
        let statistics: [GateStatistics]
    }

    let store: SQLiteStore
    private let seen = NIOLockedValueBox<[Batch]>([])

    init(_ store: SQLiteStore) {
        self.store = store
    }

    var batches: [Batch] { seen.withLockedValue { $0 } }

    func write(_ changes: Changes, next: @escaping @Sendable () -> FactRequest?) async throws {
        try await store.write(changes, next: next)
        if changes.journal.isEmpty, changes.statistics.isEmpty { return }
        seen.withLockedValue { $0.append(Batch(journal: changes.journal, statistics: changes.statistics)) }
    }
}
