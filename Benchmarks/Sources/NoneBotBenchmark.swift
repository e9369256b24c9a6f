internal import Basics
internal import Foundation

/// Draws of 64 users at once in a group over OneBot 11's reverse WebSocket, beside the bot that is usually written for it:
/// NoneBot2 with SQLAlchemy on SQLite (Benchmarks/peers/bot.py).
struct NoneBotBenchmark: Benchmark {
    private static let inFlightCount = 64
    private static let token = "hongbao-bench-4f0c1f0de9a7"

    var name: String { "nonebot" }

    func figures(_ settings: BenchmarkSettings) async throws -> [Figure] {
        let title = "messages answered over OneBot 11's reverse WebSocket, \(Self.inFlightCount) in flight"
        let comparison = try await settings.compare(
            title, ours: { try await ours(settings, seed: $0) }, reference: { try await theirs(settings, seed: $0) })
        return [
            Figure(
                title, comparison, "messages/s", reference: "NoneBot2, SQLAlchemy, SQLite", goal: .ratioAtLeast(60))
        ]
    }

    private static func users(_ count: Int, seed: UInt64) -> [String] {
        var generator = SeededGenerator(seed: seed)
        return BenchActivity.platformIDs(count, using: &generator)
    }

    private func ours(_ settings: BenchmarkSettings, seed: UInt64) async throws -> Double {
        let path = settings.folder + "/hongbao.db"
        let users = Self.users(settings.scaled(60_000, atLeast: 128), seed: seed)
        try await BenchActivity.prepare(path, users: users.map { UserID("qq:\($0)") })
        defer { BenchActivity.removeDatabase(path) }
        // The other bot does not wait between two messages, either.
        let server = try ServerProcess(
            serving: path, with: settings.program,
            configuration: "endpoints:\n  onebot11:\n    access_token: \"\(Self.token)\"\n    reply_interval_ms: 0\n")
        defer { server.stop() }
        let seconds = try await OneBotLoad(
            port: server.port, path: "/webhook/onebot11/ws", token: Self.token, inFlightCount: Self.inFlightCount
        ).run(users)
        server.stop()
        try await BenchActivity.check(path, drawCount: users.count)
        return Double(users.count) / seconds
    }

    private func theirs(_ settings: BenchmarkSettings, seed: UInt64) async throws -> Double {
        let path = settings.folder + "/nonebot.db"
        let users = Self.users(settings.scaled(3000, atLeast: 128), seed: seed)
        defer {
            for suffix in ["", "-wal", "-shm", ".users"] { try? FileManager.default.removeItem(atPath: path + suffix) }
        }
        let list = users.map { $0 + "\n" }.joined()
        try list.write(toFile: path + ".users", atomically: true, encoding: .utf8)
        let bot = try ServerProcess(
            settings.bot, ["serve", "--database", path, "--token", Self.token, "--users", path + ".users"])
        defer { bot.kill() }
        let seconds = try await OneBotLoad(
            port: bot.port, path: "/onebot/v11/ws", token: Self.token, inFlightCount: Self.inFlightCount
        ).run(users)
        bot.kill()
        try check(settings.bot, path, drawCount: users.count)
        return Double(users.count) / seconds
    }

    /// - Throws: ``Wrong`` when not every draw is in the bot's database, for another user.
    private func check(_ bot: String, _ path: String, drawCount: Int) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: bot)
        process.arguments = ["check", "--database", path]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let counts = try JSONDecoder().decode([String: Int].self, from: data)
        guard counts == ["wins": drawCount, "users": drawCount, "ledger": drawCount, "taken": drawCount] else {
            throw Wrong(description: "\(drawCount) draws were answered, the bot has \(counts)")
        }
    }
}
