internal import Basics
internal import Foundation
internal import NIOConcurrencyHelpers

/// Draws in process and over HTTP beside Redis doing the same in a Lua script, `appendfsync always`.
struct RedisBenchmark: Benchmark {
    private static let reference = "Redis, a Lua draw, appendfsync always, 64 connections"

    var name: String { "redis" }

    func figures(_ settings: BenchmarkSettings) async throws -> [Figure] {
        let drawCount = settings.scaled(100_000)
        let load = WebhookLoad(signing: .standardWebhooks, drawCount: settings.scaled(60_000))
        let inProcess = DrawBenchmark(name: "draws-256", userCount: 256, drawCount: drawCount, goal: nil)
        let redis = RedisDraws(drawCount: drawCount)
        let title = "draws, 256 users at once, beside Redis"
        let webTitle = "signed webhook draws, 64 connections, beside Redis"
        return [
            Figure(
                title,
                try await settings.compare(
                    title,
                    ours: { try await inProcess.rate(drawCount, folder: settings.folder, seed: $0).written },
                    reference: { try await redis.perSecond(folder: settings.folder, seed: $0) }),
                "draws/s", reference: Self.reference, goal: .ratioAtLeast(1.1)),
            Figure(
                webTitle,
                try await settings.compare(
                    webTitle,
                    ours: { try await load.drawsPerSecond(settings.program, folder: settings.folder, seed: $0) },
                    reference: { try await redis.perSecond(folder: settings.folder, seed: $0) }),
                "draws/s", reference: Self.reference, goal: .ratioAtLeast(0.5)),
        ]
    }
}

/// The same draw in Redis: users bound beforehand, one win for each, stock, a ledger, messages that count once.
struct RedisDraws {
    /// KEYS: none, for all is on one server. ARGV: user, message, a random number below 100, the time.
    private static let script = """
        local user, message, chance, time = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
        local known = redis.call('GET', 'message:' .. message)
        if known then return known end
        local game = redis.call('HGET', 'bindings', user)
        if not game then return 'not bound' end
        if redis.call('HEXISTS', 'wins', user) == 1 then return 'already won' end
        local awards = {'gold', 'silver', 'bronze', 'lucky'}
        local weights = {0.5, 3, 12, 30}
        local stock = redis.call('HMGET', 'stock', unpack(awards))
        local won = 'bao'
        for i, award in ipairs(awards) do
            if chance < weights[i] then
                if tonumber(stock[i]) > 0 then won = award end
                break
            end
            chance = chance - weights[i]
        end
        redis.call('HINCRBY', 'stock', won, -1)
        local head = redis.call('LINDEX', 'ledger', -1)
        local entry = user .. ' ' .. won .. ' ' .. time
        local digest = redis.sha1hex((head or '') .. entry)
        redis.call('RPUSH', 'ledger', entry .. ' ' .. digest)
        redis.call('HSET', 'wins', user, won .. ' ' .. game)
        local reply = '恭喜中奖！【bench】您抽中了：奖 ' .. won .. ' 编号：' .. digest
        redis.call('SET', 'message:' .. message, reply, 'EX', 2592000)
        return reply
        """

    static let connectionCount = 64

    let drawCount: Int

    /// - Returns: Durable draws a second.
    /// - Throws: ``Wrong`` when there are not as many wins as draws afterwards.
    func perSecond(folder: String, seed: UInt64) async throws -> Double {
        let folder = folder + "/redis"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Not among the data: such a path may have about a hundred bytes.
        let socket = NSTemporaryDirectory() + "hongbao-bench-\(ProcessInfo.processInfo.processIdentifier).sock"
        defer { try? FileManager.default.removeItem(atPath: socket) }
        let server = Process()
        server.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        server.arguments = [
            "redis-server", "--port", "0", "--unixsocket", socket, "--dir", folder, "--daemonize", "no", "--save", "",
            "--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0",
        ]
        server.standardOutput = FileHandle.nullDevice
        try server.run()
        defer { server.kill() }
        try await waitUntilItAnswers(socket)

        var generator = SeededGenerator(seed: seed)
        let users = BenchActivity.platformIDs(drawCount, using: &generator)
        let sha = try await prepare(users, socket)
        let now = String(Int(Date().timeIntervalSince1970))
        let requests = users.enumerated().map { index, user in
            let chance = String(Double(generator.next() >> 11) * 0x1p-53 * 100)
            return Self.command("EVALSHA", sha, "0", user, "bench:\(index)", chance, now)
        }
        let win = Array("恭喜中奖".utf8)
        let seconds = try await RequestLoad(server: .socket(path: socket), connectionCount: Self.connectionCount) {
            received in
            guard let (size, text) = try Self.reply(received) else { return nil }
            guard text.starts(with: win) else {
                throw Wrong(description: "a draw was answered \(String(decoding: text, as: UTF8.self))")
            }
            return size
        }.run(requests).seconds
        try await check(socket)
        return Double(drawCount) / seconds
    }

    private func waitUntilItAnswers(_ socket: String) async throws {
        for _ in 0..<100 {
            if let answer = try? await ask(socket, Self.command("PING")), answer == "PONG" { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Wrong(description: "redis-server did not start; on Debian: apt-get install redis-server")
    }

    /// Binds the users and fills the stock, then has every write flushed to the disk before its answer.
    ///
    /// - Returns: By which the script is called.
    private func prepare(_ users: [String], _ socket: String) async throws -> String {
        for first in stride(from: 0, to: users.count, by: 1000) {
            let share = users[first..<min(first + 1000, users.count)]
            _ = try await ask(
                socket, Self.command(["HSET", "bindings"] + share.flatMap { [$0, "角色\($0.suffix(8))"] }))
        }
        _ = try await ask(
            socket,
            Self.command(
                "HSET", "stock", "gold", "1", "silver", "1000000", "bronze", "10000000", "lucky", "100000000", "bao",
                "0"))
        guard try await ask(socket, Self.command("CONFIG", "SET", "appendfsync", "always")) == "OK" else {
            throw Wrong(description: "Redis does not flush every write")
        }
        return try await ask(socket, Self.command("SCRIPT", "LOAD", Self.script))
    }

    /// Every draw is a win of another user, a line of the ledger, and a copy less in stock.
    private func check(_ socket: String) async throws {
        let counts = """
            local stock = 0
            for _, left in ipairs(redis.call('HVALS', 'stock')) do stock = stock + tonumber(left) end
            return redis.call('HLEN', 'wins') .. ' ' .. redis.call('LLEN', 'ledger') .. ' ' .. (111000001 - stock)
            """
        let found = try await ask(socket, Self.command("EVAL", counts, "0"))
        let expected = "\(drawCount) \(drawCount) \(drawCount)"
        guard found == expected else { throw Wrong(description: "Redis holds \(found) instead of \(expected)") }
        let state = try await ask(socket, Self.command("INFO", "persistence"))
        guard state.contains("aof_enabled:1"), state.contains("aof_last_write_status:ok") else {
            throw Wrong(description: "Redis did not keep its log: \(state)")
        }
    }

    // MARK: The protocol

    private func ask(_ socket: String, _ command: [UInt8]) async throws -> String {
        let answer = NIOLockedValueBox("")
        _ = try await RequestLoad(server: .socket(path: socket), connectionCount: 1) { received in
            guard let (size, text) = try Self.reply(received) else { return nil }
            answer.withLockedValue { $0 = String(decoding: text, as: UTF8.self) }
            return size
        }.run([command])
        return answer.withLockedValue { $0 }
    }

    static func command(_ words: String...) -> [UInt8] { command(words) }

    private static func command(_ words: [String]) -> [UInt8] {
        var bytes = Array("*\(words.count)\r\n".utf8)
        for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
        return bytes
    }

    /// A simple, integer or bulk reply.
    private static func reply(_ received: [UInt8]) throws -> (size: Int, text: ArraySlice<UInt8>)? {
        guard let lineEnd = received.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        let line = received[1..<(lineEnd - 1)]
        switch received[0] {
        case UInt8(ascii: "+"), UInt8(ascii: ":"): return (lineEnd + 1, line)
        case UInt8(ascii: "$"):
            guard let count = Int(String(decoding: line, as: UTF8.self)), count >= 0 else { break }
            let size = lineEnd + 1 + count + 2
            return received.count < size ? nil : (size, received[(lineEnd + 1)..<(size - 2)])
        default: break
        }
        throw Wrong(description: "Redis said \(String(decoding: received, as: UTF8.self))")
    }
}
