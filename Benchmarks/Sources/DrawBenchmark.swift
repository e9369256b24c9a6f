internal import Activities
internal import Basics
internal import Logging
internal import Lottery
internal import SQLiteStore

/// Users who each draw once, `userCount` of them at any time, through the service that the program runs: gate, draw,
/// ledger, exactly-once, `synchronous=FULL`, an answer only after the commit.
struct DrawBenchmark: Benchmark {
    let name: String
    let userCount: Int
    /// At full scale.
    let drawCount: Int
    let goal: Goal?

    func figures(_ settings: BenchmarkSettings) async throws -> [Figure] {
        let drawCount = settings.scaled(drawCount)
        let title = userCount == 1 ? "draws, one user at a time" : "draws, \(userCount) users at once"
        let plain = PlainProgram(path: settings.plainProgram)
        let comparison = try await settings.compare(
            title,
            ours: { seed in try await drawsPerSecond(drawCount, folder: settings.folder, seed: seed) },
            reference: { seed in
                try plain.drawsPerSecond(
                    draws: drawCount, perCommit: userCount, folder: settings.folder, seed: seed)
            })
        return [Figure(title, comparison, "draws/s", reference: "plain C program, \(userCount) a commit", goal: goal)]
    }

    /// Draws in a file that is made for it.
    ///
    /// - Returns: Durable draws a second.
    /// - Throws: ``Wrong`` when afterwards not every draw is in the file.
    func drawsPerSecond(_ drawCount: Int, folder: String, seed: UInt64) async throws -> Double {
        let path = folder + "/hongbao.db"
        BenchActivity.removeDatabase(path)
        defer { BenchActivity.removeDatabase(path) }
        let value = try await Self.drawsPerSecond(drawCount, userCount, path: path, seed: seed) { service in
            try await BenchActivity.open(in: service)
        }
        try await BenchActivity.check(path, drawCount: drawCount)
        return value
    }

    /// Draws in the file at `path`, by users that are bound first.
    ///
    /// - Parameter prepare: Asked before the clock starts; afterwards the activity is open.
    static func drawsPerSecond(
        _ drawCount: Int, _ userCount: Int, path: String, seed: UInt64,
        prepare: (ActivityService) async throws -> Void = { _ in }
    ) async throws -> Double {
        var generator = SeededGenerator(seed: seed)
        let users = (0..<drawCount).map { _ in UserID("qq:\(generator.next() as UInt64)") }
        // Closed, so that nothing of it is left to be moved from the log into the file while draws are counted.
        let binding = try SQLiteStore(path: path)
        try await BenchActivity.bind(users, in: binding)
        try await binding.close()

        let store = try SQLiteStore(path: path)
        let service = ActivityService(
            store: store, stored: try await store.load(), library: BenchActivity.library,
            clock: BenchActivity.clock, logger: Logger(label: "bench"))
        let seconds = try await withThrowingTaskGroup(of: Void.self, returning: Double.self) { group in
            group.addTask { try await service.run() }
            try await prepare(service)
            // With the end, which writes the sessions' table: in a run of hours every tick does, and the reference writes
            // its sessions with each draw.
            return try await timed {
                try await draw(users, userCount, service)
                service.shutDown()
                try await group.waitForAll()
            }.1
        }
        try await store.close()
        return Double(drawCount) / seconds
    }

    /// Every user draws once, `userCount` of them at any time.
    static func draw(
        _ users: [UserID], _ userCount: Int, _ service: ActivityService, expecting expected: OutcomeCode = .won
    ) async throws {
        let share = (users.count + userCount - 1) / userCount
        try await withThrowingTaskGroup(of: Void.self) { group in
            for first in stride(from: 0, to: users.count, by: share) {
                group.addTask {
                    for user in users[first..<min(first + share, users.count)] {
                        let key = MessageKey(sentAt: BenchActivity.clock(), text: "bench:\(user)")
                        let request = Request(
                            user: user, chat: "qq:88001", role: .player, key: key, content: .command(.draw))
                        let code = try await service.submit(request).outcome.code
                        guard code == expected else { throw Wrong(description: "a draw ended with \(code)") }
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
