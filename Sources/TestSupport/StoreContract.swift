public import Activities
internal import NIOConcurrencyHelpers
internal import TrafficGate

/// What every store promises, as a list of checks against the ``Store`` protocol alone.
///
/// A test target runs the list on its engine:
///
///     @Test(arguments: StoreContract.checks)
///     func promiseHolds(check: StoreContract.Check) async throws {
///         try await StoreContract { … }.run(check)
///     }
public struct StoreContract: Sendable {
    /// A store with nothing in it but what a new one has.
    public struct FreshStore: Sendable {
        public let store: any Store
        /// Opens the same data again, after the store was closed; nil where closing ends the data, as in memory.
        public let reopen: (@Sendable () async throws -> any Store)?

        public init(_ store: any Store, reopen: (@Sendable () async throws -> any Store)? = nil) {
            self.store = store
            self.reopen = reopen
        }
    }

    /// One promise.
    public struct Check: Sendable, CustomStringConvertible {
        public let name: String
        /// Whether it is about data that outlives the store; only for engines that can open it again.
        public let needsReopening: Bool
        let body: @Sendable (StoreContractBench) async throws -> Void

        public var description: String { name }

        init(
            _ name: String, needsReopening: Bool = false,
            _ body: @escaping @Sendable (StoreContractBench) async throws -> Void
        ) {
            self.name = name
            self.needsReopening = needsReopening
            self.body = body
        }
    }

    /// Makes a store for one check.
    public let make: @Sendable () async throws -> FreshStore

    public init(make: @escaping @Sendable () async throws -> FreshStore) {
        self.make = make
    }

    /// Runs one check on a fresh store and closes it.
    ///
    /// - Throws: ``BrokenPromise`` with what was found and what was expected, or what the store threw.
    public func run(_ check: Check) async throws {
        let fresh = try await make()
        let bench = StoreContractBench(fresh)
        do {
            try await check.body(bench)
        } catch {
            try? await bench.store.close()
            throw error
        }
        if !bench.isClosed { try await bench.store.close() }
    }

    /// Every promise.
    public static let checks: [Check] =
        activityChecks + batchChecks + userChecks + messageChecks + outboxChecks + gateChecks + readingChecks
        + erasureChecks
        + textChecks
}

/// The store that a check works on.
final class StoreContractBench: Sendable {
    private let current: NIOLockedValueBox<(store: any Store, isClosed: Bool)>
    private let opening: (@Sendable () async throws -> any Store)?
    /// The journal's last number.
    private let journalNumber = NIOLockedValueBox<Int64>(0)

    init(_ fresh: StoreContract.FreshStore) {
        current = NIOLockedValueBox((fresh.store, false))
        opening = fresh.reopen
    }

    var store: any Store { current.withLockedValue { $0.store } }
    var isClosed: Bool { current.withLockedValue { $0.isClosed } }

    func close() async throws {
        try await store.close()
        current.withLockedValue { $0.isClosed = true }
    }

    /// Closes the store and opens its data again.
    func reopen() async throws {
        guard let opening else {
            throw BrokenPromise("this engine cannot open its data again; skip the check")
        }
        try await close()
        let store = try await opening()
        current.withLockedValue { $0 = (store, false) }
    }

    /// Writes `changes` in a batch of their own, the journal's entries numbered on.
    func write(_ changes: Changes) async throws {
        var changes = changes
        changes.firstJournalNumber = journalNumber.withLockedValue { last in
            defer { last += Int64(changes.journal.count) }
            return last + 1
        }
        let batch = changes
        try await store.transact(FactQuery()) { _ in (batch, ()) }
    }

    /// Brings the table of sessions up to date, as a tick does: the journal so far may go.
    func tick(_ participants: [Participant], journal: [Participant] = []) async throws {
        let written = journalNumber.withLockedValue { $0 } + Int64(journal.count)
        try await write {
            $0.journal = journal
            $0.participants = participants
            $0.savedJournalNumber = written
        }
    }

    /// Writes what `prepare` puts into a batch.
    func write(_ prepare: (inout Changes) -> Void) async throws {
        var changes = Changes()
        prepare(&changes)
        try await write(changes)
    }

    /// Reads facts and writes nothing.
    func facts(_ query: FactQuery) async throws -> Facts {
        try await store.transact(query) { facts in (Changes(), facts) }
    }

    func facts(_ prepare: (inout FactQuery) -> Void) async throws -> Facts {
        var query = FactQuery()
        prepare(&query)
        return try await facts(query)
    }
}

// MARK: Expectations

func expect<Value: Equatable>(
    _ found: Value, is expected: Value, _ what: String, file: StaticString = #fileID, line: UInt = #line
) throws {
    if found != expected {
        throw BrokenPromise("\(what): expected \(expected), found \(found) (\(file):\(line))")
    }
}

func expect(_ holds: Bool, _ what: String, file: StaticString = #fileID, line: UInt = #line) throws {
    if !holds { throw BrokenPromise("\(what) does not hold (\(file):\(line))") }
}

func unwrap<Value>(
    _ value: Value?, _ what: String, file: StaticString = #fileID, line: UInt = #line
) throws -> Value {
    guard let value else {
        throw BrokenPromise("\(what): nothing was found (\(file):\(line))")
    }
    return value
}

/// Expects that `body` throws a ``StoreError`` with `code`.
func expectRefusal(
    _ code: StoreError.Code, _ what: String, file: StaticString = #fileID, line: UInt = #line,
    _ body: () async throws -> Void
) async throws {
    do {
        try await body()
    } catch let error as StoreError {
        try expect(error.code, is: code, "\(what), refused with \(error)", file: file, line: line)
        return
    }
    throw BrokenPromise("\(what): expected \(code.rawValue), but it went well (\(file):\(line))")
}
