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

    struct Wrong: Error, CustomStringConvertible {
        let description: String
    }

    private struct NoLibrary: ActivityLibrary {
        let sample: Activity

        func activity(inFile name: String) -> Result<Activity, ImportRefusal> { .success(sample) }
        func export(_ activity: ActivityID, from store: any Store) async throws -> [String] { [] }
    }

    /// Awards with stock, and one for everybody else, so that every draw writes a win.
    private static let activity = Activity(
        id: "bench", name: "bench", maxAttempts: 1,
        awards: [
            award("gold", .ONLY, "0.5", 1), award("silver", .NORNAL, "3", 1_000_000),
            award("bronze", .NORNAL, "12", 10_000_000), award("lucky", .NORNAL, "30", 100_000_000),
            award("bao", .DI_BAO, "0", 0),
        ])

    private static func award(_ id: String, _ kind: AwardKind, _ percent: String, _ number: Int) -> ActivityAward {
        ActivityAward(
            id: AwardID(id), kind: kind, percent: Percent(percent) ?? .zero, prefix: "奖", name: id, number: number)
    }

    /// - Returns: Durable draws a second.
    /// - Throws: ``Wrong`` when afterwards not every draw is in the file.
    func run(inFolder folder: String, seed: UInt64) async throws -> Double {
        let path = folder + "/hongbao.db"
        for suffix in ["", "-wal", "-shm", ".lock"] { try? FileManager.default.removeItem(atPath: path + suffix) }
        var generator = SystemRandomNumberGenerator()
        let users = (0..<drawCount).map { _ in UserID("qq:\(generator.next() as UInt64)") }
        let store = try SQLiteStore(path: path)
        try await bind(users, in: store)

        let service = ActivityService(
            store: store, stored: try await store.load(), library: NoLibrary(sample: Self.activity),
            clock: { Instant(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) },
            logger: Logger(label: "bench"))
        let seconds = try await withThrowingTaskGroup(of: Void.self, returning: Double.self) { group in
            group.addTask { try await service.run() }
            for command in [Command.importActivity(file: "bench"), .start(activity: "bench")] {
                let request = Request(user: "qq:1", chat: nil, role: .admin, content: .command(command))
                guard try await service.submit(request).outcome.code == .ok else {
                    throw Wrong(description: "\(command) was refused")
                }
            }
            let start = ContinuousClock.now
            try await drawAll(users, service)
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            service.shutDown()
            try await group.waitForAll()
            return seconds
        }
        try await store.close()
        try await check(path)
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

    private func bind(_ users: [UserID], in store: SQLiteStore) async throws {
        for first in stride(from: 0, to: users.count, by: 10_000) {
            var changes = Changes()
            for user in users[first..<min(first + 10_000, users.count)] {
                changes.bindings[user] = .some(GameID(stored: "角色\(user.text.suffix(8))"))
            }
            let batch = changes
            try await store.transact(FactQuery()) { _ in (batch, ()) }
        }
    }

    private func check(_ path: String) async throws {
        let store = try SQLiteStore(path: path, mode: .readOnly)
        let record = try await store.load().activities.first
        try await store.close()
        guard record?.drawCount == drawCount, record?.issued.reduce(0, +) == drawCount else {
            throw Wrong(description: "\(drawCount) draws were answered, the file has \(record?.drawCount ?? 0)")
        }
    }
}
