import Activities
import NIOConcurrencyHelpers
import SQLiteStore
import TestSupport

/// A store that waits or fails when a test says so, and remembers what it was given.
struct ScriptedStore: StoreAround {
    enum Failure: Sendable {
        /// Before anything was decided.
        case reading
        /// After the decision: nothing of it is written.
        case committing
        /// When the batch behind may have been decided; nobody knows what was written.
        case afterwards
    }

    actor Script {
        private(set) var changes: [Changes] = []
        /// Batches that were asked for while the one before was written.
        private(set) var overlapCount = 0
        private(set) var failure: Failure?
        private(set) var heldCount = 0
        private var isHolding = false
        private var isHoldingCommits = false
        private var held: [CheckedContinuation<Void, Never>] = []

        func hold() { isHolding = true }

        func release() {
            isHolding = false
            for continuation in held { continuation.resume() }
            held = []
            heldCount = 0
        }

        func fail(_ failure: Failure) { self.failure = failure }

        func enter() async {
            guard isHolding else { return }
            heldCount += 1
            await withCheckedContinuation { held.append($0) }
        }

        func record(_ changes: Changes) { self.changes.append(changes) }

        func countOverlap() { overlapCount += 1 }

        /// As ``hold()``, for a batch that is written and not durable.
        func holdCommits() { isHoldingCommits = true }

        func enterCommit() async {
            guard isHoldingCommits else { return }
            isHoldingCommits = false
            isHolding = true
            await enter()
        }

        /// Waits until a batch is being held.
        func untilHolding() async throws {
            while heldCount == 0 { try await Task.sleep(for: .milliseconds(1)) }
        }

        /// Waits until something was written that `isWanted`.
        func until(_ isWanted: @Sendable (Changes) -> Bool) async throws {
            while !changes.contains(where: isWanted) { try await Task.sleep(for: .milliseconds(1)) }
        }
    }

    static let error = StoreError(code: .full, message: "The disk is full.")

    let store: SQLiteStore
    let script = Script()

    init() throws {
        store = try SQLiteStore()
    }

    func facts(for query: FactQuery) async throws -> Facts {
        await script.enter()
        if await script.failure == .reading { throw Self.error }
        return try await store.facts(for: query)
    }

    func write(_ changes: Changes, next: @escaping @Sendable () -> FactRequest?) async throws {
        if await script.failure == .committing { throw Self.error }
        let isNextAsked = NIOLockedValueBox(false)
        try await store.write(changes) {
            let request = next()
            isNextAsked.withLockedValue { $0 = request != nil }
            return request
        }
        if isNextAsked.withLockedValue({ $0 }) { await script.countOverlap() }
        await script.enterCommit()
        if await script.failure == .afterwards { throw Self.error }
        await script.record(changes)
    }
}
