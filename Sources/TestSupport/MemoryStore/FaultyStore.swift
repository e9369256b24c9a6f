public import Activities
public import Basics
public import Lottery
internal import NIOConcurrencyHelpers

/// A store whose calls go wrong as somebody plans it.
///
/// One caller at a time plans and looks; the store itself may be called from anywhere.
public final class FaultyStore: Store {
    /// What goes wrong with a batch.
    public enum Fault: String, Sendable, CaseIterable {
        /// The process ends before anything was decided.
        case crashBefore = "crash before the decision"
        /// The process ends when all was decided and nothing written.
        case crashUnwritten = "crash before the commit"
        /// The process ends when all was written, before anybody could be told.
        case crashWritten = "crash after the commit"
        /// An error that does not say whether the batch was written: it was not.
        case unknownUnwritten = "commit result unknown, not written"
        /// An error that does not say whether the batch was written: it was.
        case unknownWritten = "commit result unknown, written"
        /// Nothing was written.
        case full = "disk full"
    }

    private struct State {
        var fault: Fault?
        var failingReads = 0
        var committed: Changes?
        var isCloseFailing = false
    }

    private let store: any Store
    private let state = NIOLockedValueBox(State())

    public init(_ store: any Store) {
        self.store = store
    }

    /// The next batch goes wrong in this way.
    public func plan(_ fault: Fault?) { state.withLockedValue { $0.fault = fault } }

    /// The next reads fail, so many of them.
    public func failReads(_ count: Int) { state.withLockedValue { $0.failingReads = count } }

    /// Whether the close fails. The store is closed all the same.
    public func failClose(_ isFailing: Bool) { state.withLockedValue { $0.isCloseFailing = isFailing } }

    /// What the last batch wrote, whatever its caller was told; nil when nothing was written since the last call.
    public func takeCommitted() -> Changes? { state.withLockedValue { $0.committed.take() } }

    public func facts(for query: FactQuery) async throws -> Facts {
        try crashBefore()
        return try await store.facts(for: query)
    }

    private func crashBefore() throws {
        let isNow = state.withLockedValue { state in
            defer { if state.fault == .crashBefore { state.fault = nil } }
            return state.fault == .crashBefore
        }
        if isNow { throw StoreError(code: .failed, message: "simulated: the process ended") }
    }

    public func write(_ changes: Changes, next: @escaping @Sendable () -> FactRequest?) async throws {
        try crashBefore()
        let fault = state.withLockedValue { $0.fault.take() }
        if ![.crashUnwritten, .unknownUnwritten, .full].contains(fault) {
            try await store.write(changes, next: next)
            state.withLockedValue { $0.committed = changes }
        }
        switch fault {
        case nil: return
        case .full: throw StoreError(code: .full, message: "simulated: the disk is full")
        case let fault?: throw StoreError(code: .failed, message: "simulated: \(fault.rawValue)")
        }
    }

    private func reading<Value>(_ body: () async throws -> Value) async throws -> Value {
        let isFailing = state.withLockedValue { state in
            defer { state.failingReads = max(0, state.failingReads - 1) }
            return state.failingReads > 0
        }
        if isFailing { throw StoreError(code: .failed, message: "simulated: the read failed") }
        return try await body()
    }

    public func load() async throws -> StoredState { try await reading { try await store.load() } }
    public func wins(of user: UserID) async throws -> [Win] { try await reading { try await store.wins(of: user) } }
    public func winners(of activities: [ActivityID], page: Int, pageSize: Int) async throws -> WinnersPage {
        try await reading { try await store.winners(of: activities, page: page, pageSize: pageSize) }
    }
    public func draw(_ receipt: Receipt) async throws -> StoredDraw? {
        try await reading { try await store.draw(receipt) }
    }
    public func data(of user: UserID) async throws -> UserData { try await reading { try await store.data(of: user) } }
    public func ledger(of activity: ActivityID, from seq: Int64, limit: Int) async throws -> [LedgerRow] {
        try await reading { try await store.ledger(of: activity, from: seq, limit: limit) }
    }
    public func winners(of activity: ActivityID, after seq: Int64, limit: Int) async throws -> [StoredWin] {
        try await reading { try await store.winners(of: activity, after: seq, limit: limit) }
    }
    public func pendingReplies(through endpoint: String, limit: Int) async throws -> [ProcessedMessage] {
        try await reading { try await store.pendingReplies(through: endpoint, limit: limit) }
    }
    public func endpointsOfPendingReplies() async throws -> Set<String> {
        try await reading { try await store.endpointsOfPendingReplies() }
    }
    public func destinationsOfQueuedUsers(
        since moment: Instant, limit: Int
    ) async throws -> [(user: UserID, destination: Destination)] {
        try await reading { try await store.destinationsOfQueuedUsers(since: moment, limit: limit) }
    }
    public func close() async throws {
        try await store.close()
        if state.withLockedValue({ $0.isCloseFailing }) {
            throw StoreError(code: .failed, message: "simulated: the close failed")
        }
    }
}
