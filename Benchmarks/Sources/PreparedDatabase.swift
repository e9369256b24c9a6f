internal import Activities
internal import Basics
internal import Logging
internal import SQLiteStore

extension BenchActivity {
    /// A new database with users that are bound and an open activity.
    static func prepare(_ path: String, users: [UserID]) async throws {
        removeDatabase(path)
        let store = try SQLiteStore(path: path)
        try await bind(users, in: store)
        let service = ActivityService(
            store: store, stored: try await store.load(), library: library, clock: clock, logger: Logger(label: "bench")
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            try await open(in: service)
            service.shutDown()
            try await group.waitForAll()
        }
        try await store.close()
    }
}
