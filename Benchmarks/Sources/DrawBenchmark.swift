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
        var answered: [Double] = []
        let comparison = try await settings.compare(
            title,
            ours: { seed in
                let rate = try await rate(drawCount, folder: settings.folder, seed: seed)
                answered.append(rate.answered)
                return rate.written
            },
            reference: { seed in
                try plain.drawsPerSecond(
                    draws: drawCount, perCommit: userCount, folder: settings.folder, seed: seed)
            })
        let reference = "plain C program, \(userCount) a commit"
        return [
            Figure(title, comparison, "draws/s", reference: reference, goal: goal),
            Figure(
                "\(title), until the last answer", Comparison(answered, comparison.references), "draws/s",
                reference: reference),
        ]
    }

    /// Draws a second.
    struct Rate {
        /// Until the sessions' table holds them all, which is what counts.
        let written: Double
        /// Until the last player has an answer: every draw is on the disk, and the sessions in the journal.
        let answered: Double
    }

    /// Draws in a file that is made for it.
    ///
    /// - Throws: ``Wrong`` when afterwards not every draw is in the file.
    func rate(_ drawCount: Int, folder: String, seed: UInt64) async throws -> Rate {
        let path = folder + "/hongbao.db"
        BenchActivity.removeDatabase(path)
        defer { BenchActivity.removeDatabase(path) }
        let rate = try await Self.rate(drawCount, userCount, path: path, seed: seed) { service in
            try await BenchActivity.open(in: service)
        }
        try await BenchActivity.check(path, drawCount: drawCount)
        return rate
    }

    /// Draws in the file at `path`, by users that are bound first.
    ///
    /// - Parameter prepare: Asked before the clock starts; afterwards the activity is open.
    static func rate(
        _ drawCount: Int, _ userCount: Int, path: String, seed: UInt64,
        prepare: (ActivityService) async throws -> Void = { _ in }
    ) async throws -> Rate {
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
        let rate = try await withThrowingTaskGroup(of: Void.self, returning: Rate.self) { group in
            group.addTask { try await service.run() }
            try await prepare(service)
            let (_, drawing) = try await timed { try await draw(users, userCount, service) }
            // The end writes the sessions' table: in a run of hours every tick does, and the reference writes its sessions
            // with each draw.
            let (_, ending) = try await timed {
                service.shutDown()
                try await group.waitForAll()
            }
            return Rate(
                written: Double(drawCount) / (drawing + ending), answered: Double(drawCount) / drawing)
        }
        try await store.close()
        return rate
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
