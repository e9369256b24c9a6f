internal import Activities
internal import Basics
internal import Foundation
internal import Logging
internal import Lottery
internal import SQLiteStore

/// Users who each draw once, `userCount` of them at any time, through the service that the program runs: gate, draw,
/// ledger, exactly-once, `synchronous=FULL`, an answer only after the commit.
struct DrawBenchmark {
    let name: String
    let userCount: Int
    let drawCount: Int

    /// - Returns: Durable draws a second.
    /// - Throws: ``Wrong`` when afterwards not every draw is in the file.
    func run(inFolder folder: String, seed: UInt64) async throws -> Double {
        let path = folder + "/hongbao.db"
        BenchActivity.removeDatabase(path)
        var generator = SystemRandomNumberGenerator()
        let users = (0..<drawCount).map { _ in UserID("qq:\(generator.next() as UInt64)") }
        let store = try SQLiteStore(path: path)
        try await BenchActivity.bind(users, in: store)

        let service = ActivityService(
            store: store, stored: try await store.load(), library: BenchActivity.library,
            clock: { Instant(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) },
            logger: Logger(label: "bench"))
        let seconds = try await withThrowingTaskGroup(of: Void.self, returning: Double.self) { group in
            group.addTask { try await service.run() }
            try await BenchActivity.open(in: service)
            let start = ContinuousClock.now
            try await drawAll(users, service)
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            service.shutDown()
            try await group.waitForAll()
            return seconds
        }
        try await store.close()
        try await BenchActivity.check(path, drawCount: drawCount)
        return Double(drawCount) / seconds
    }

    private func drawAll(_ users: [UserID], _ service: ActivityService) async throws {
        let share = (users.count + userCount - 1) / userCount
        try await withThrowingTaskGroup(of: Void.self) { group in
            for first in stride(from: 0, to: users.count, by: share) {
                group.addTask {
                    for user in users[first..<min(first + share, users.count)] {
                        let now = Instant(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
                        let key = MessageKey(sentAt: now, text: "bench:\(user)")
                        let request = Request(
                            user: user, chat: "qq:88001", role: .player, key: key, content: .command(.draw))
                        let code = try await service.submit(request).outcome.code
                        guard code == .won else { throw Wrong(description: "a draw ended with \(code)") }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

}
