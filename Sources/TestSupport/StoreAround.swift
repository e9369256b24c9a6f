public import Activities
public import Basics
public import Lottery
internal import NIOConcurrencyHelpers
public import SQLiteStore

/// A store that does as another one does, but for what it writes out itself.
public protocol StoreAround: Store {
    associatedtype Inner: Store

    var store: Inner { get }
}

extension StoreAround {
    public func load() async throws -> StoredState { try await store.load() }

    public func facts(for query: FactQuery) async throws -> Facts { try await store.facts(for: query) }

    public func write(_ changes: Changes, next: @escaping @Sendable () -> FactRequest?) async throws {
        try await store.write(changes, next: next)
    }

    public func wins(of user: UserID) async throws -> [Win] { try await store.wins(of: user) }

    public func winners(of activities: [ActivityID], page: Int, pageSize: Int) async throws -> WinnersPage {
        try await store.winners(of: activities, page: page, pageSize: pageSize)
    }

    public func draw(_ receipt: Receipt) async throws -> StoredDraw? { try await store.draw(receipt) }

    public func data(of user: UserID) async throws -> UserData { try await store.data(of: user) }

    public func ledger(of activity: ActivityID, from seq: Int64, limit: Int) async throws -> [LedgerRow] {
        try await store.ledger(of: activity, from: seq, limit: limit)
    }

    public func winners(of activity: ActivityID, after seq: Int64, limit: Int) async throws -> [StoredWin] {
        try await store.winners(of: activity, after: seq, limit: limit)
    }

    public func pendingReplies(through endpoint: String, limit: Int) async throws -> [ProcessedMessage] {
        try await store.pendingReplies(through: endpoint, limit: limit)
    }

    public func endpointsOfPendingReplies() async throws -> Set<String> {
        try await store.endpointsOfPendingReplies()
    }

    public func destinationsOfQueuedUsers(
        since moment: Instant, limit: Int
    ) async throws -> [(user: UserID, destination: Destination)] {
        try await store.destinationsOfQueuedUsers(since: moment, limit: limit)
    }

    public func close() async throws { try await store.close() }
}

/// A store on a slow disk: each commit takes a while, or does not end as long as the disk hangs.
public final class SlowStore: StoreAround {
    public let store: SQLiteStore
    private let pause: Duration
    private let state = NIOLockedValueBox((isHanging: false, commitCount: 0))

    public init(_ store: SQLiteStore, pause: Duration = .zero) {
        self.store = store
        self.pause = pause
    }

    /// How many commits have ended that had something to write: what waiting is counted in, where a busy machine's seconds say
    /// nothing.
    public var commitCount: Int { state.withLockedValue { $0.commitCount } }

    /// No commit ends from here on, until ``recover()``.
    public func hang() { state.withLockedValue { $0.isHanging = true } }

    public func recover() { state.withLockedValue { $0.isHanging = false } }

    public func write(_ changes: Changes, next: @escaping @Sendable () -> FactRequest?) async throws {
        try await store.write(changes, next: next)
        // A look at the clock finds nothing to write, and waits for no disk.
        if changes.isEmpty { return }
        if pause > .zero { try await Task.sleep(for: pause) }
        while state.withLockedValue({ $0.isHanging }) { try await Task.sleep(for: .milliseconds(2)) }
        state.withLockedValue { $0.commitCount += 1 }
    }
}
