public import Activities
public import Basics
internal import Foundation
internal import Logging
public import Lottery
internal import NIOConcurrencyHelpers
public import SQLiteStore

/// Activities that can be imported by name, and exports that go nowhere.
public final class MemoryLibrary: ActivityLibrary {
    private let activities: NIOLockedValueBox<[String: Activity]>

    public init(_ activities: [String: Activity] = [:]) {
        self.activities = NIOLockedValueBox(activities)
    }

    /// What 活动导入 `name` gives from now on.
    public func put(_ activity: Activity, as name: String) {
        activities.withLockedValue { $0[name] = activity }
    }

    public func activity(inFile name: String) -> Result<Activity, ImportRefusal> {
        activities.withLockedValue { activities in
            activities[name].map { .success($0) }
                ?? .failure(ImportRefusal(.fileNotFound(file: name, available: activities.keys.sorted())))
        }
    }

    public func export(_ activity: ActivityID, from store: any Store) async throws -> [String] {
        ["\(activity).ledger.jsonl", "\(activity).winners.csv"]
    }
}

/// A whole service on a store, with a clock and randomness of the test's own.
///
/// ``running(_:)`` runs it; requests are then answered as in the program.
public final class TestBench: Sendable {
    public let store: SQLiteStore
    public let clock: ManualClock
    public let library: MemoryLibrary
    public let service: ActivityService

    /// - Parameters:
    ///   - path: Nil: in memory.
    ///   - seed: Of the randomness that seeds and salts come from.
    public init(
        path: String? = nil, clock: ManualClock = ManualClock(), library: MemoryLibrary = MemoryLibrary(),
        seed: UInt64 = 1, limits: ActivityService.Limits = ActivityService.Limits(),
        onNotice: (@Sendable (ActivityStateMachine.Notice) -> Void)? = nil
    ) async throws {
        self.clock = clock
        self.library = library
        store = try path.map { try SQLiteStore(path: $0) } ?? SQLiteStore()
        service = ActivityService(
            store: store, stored: try await store.load(), library: library, limits: limits, clock: clock.read,
            entropy: SeededGenerator(seed: seed), logger: Canary.logger(),
            onNotice: onNotice)
    }

    /// Runs the service while `body` runs, then shuts it down gracefully and closes the store.
    public func running<Value: Sendable>(
        _ body: @escaping @Sendable (TestBench) async throws -> Value
    ) async throws -> Value {
        let service = service
        let result = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            do {
                let result = try await body(self)
                service.shutDown()
                try await group.waitForAll()
                return result
            } catch {
                service.shutDown()
                throw error
            }
        }
        try await store.close()
        return result
    }

    /// Sends a command and waits for its answer.
    @discardableResult
    public func send(
        _ command: Command, as user: UserID, in chat: ChatID? = "qq:88001", isAdmin: Bool = false,
        key: MessageKey? = nil
    ) async throws -> Response {
        try await service.submit(
            Request(user: user, chat: chat, role: isAdmin ? .admin : .player, key: key, content: .command(command)))
    }
}

extension MessageKey {
    /// A key of a test's own.
    public static func test(_ text: String, at: Instant? = nil) -> MessageKey {
        guard let key = MessageKey(sentAt: at, text: text) else { preconditionFailure("\(text) is no key") }
        return key
    }
}
