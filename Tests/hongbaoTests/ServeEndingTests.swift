import Basics
import Foundation
import GRDB
import NIOConcurrencyHelpers
import TestSupport
import Testing

/// `hongbao serve` is told to stop while 64 connections draw, and pages enter the gate and leave it; whatever was
/// acknowledged is there, and nobody hangs. ``ServeCrashTests`` kills it.
@Suite struct ServeEndingTests {
    private static let connectionCount = 64
    private static let usersPerConnection = 400
    private static let activity = """
        id: crash
        name: 崩溃演练
        awards:
          - {id: gold, prefix: 一等奖, name: 主机, kind: ONLY, percent: 50}
          - {id: silver, prefix: 二等奖, name: 皮肤, kind: NORNAL, percent: 50, number: 1000000}

        """

    /// What the connections saw.
    private struct Tally {
        /// What every draw was answered, by user.
        var draws: [String: Draw] = [:]
        var bound: Set<String> = []
        /// What each session of a page was told last.
        var sessions: [String: String] = [:]
        var winCount = 0
        /// Connections that were closed, and how long the last of them took after the signal.
        var closed = 0
        var faults: [String] = []
    }

    private struct Draw: Equatable {
        let isWin: Bool
        let receipt: String
        /// The first 16 digits of its row's hash.
        let hash: String

        /// - Returns: Nil for what is no answer to a draw.
        init?(answer: String) {
            let isWin = answer.contains("恭喜中奖")
            guard isWin || answer.contains("未中奖"), let receipt = answer.firstMatch(of: /crash-\d+/)?.output,
                let hash = answer.firstMatch(of: /校验码 ([0-9a-f]{16})/)?.output.1
            else { return nil }
            self.init(isWin: isWin, receipt: String(receipt), hash: String(hash))
        }

        init(isWin: Bool, receipt: String, hash: String) {
            (self.isWin, self.receipt, self.hash) = (isWin, receipt, hash)
        }
    }

    private func prepared() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let file = try folder.file("crash.yaml", Self.activity)
        // Whoever misses keeps a place in the gate, so there must be room for all; and nobody's time is up meanwhile.
        let opened = try Program.run(
            ["chat", "--as", "qq:1", "--database", "serve.db", "--admin", "qq:1", "--activity", file], in: folder.path,
            input: "抽奖开始 崩溃演练\n流量设置 max_concurrent_users 10000000\n流量设置 rush_hour_max_users 10000000\n"
                + "流量设置 heartbeat_timeout_seconds 86400")
        try #require(opened.output.contains("活动开启成功"), "\(opened.output)\(opened.errors)")
        return folder
    }

    /// Every connection binds, enters the gate as a page and draws for one user after the other, until the server closes
    /// or all have drawn. The page of every other user leaves again.
    ///
    /// - Parameter isOver: Called once, from another thread, when `count` wins were acknowledged.
    private func draw(
        _ port: Int, untilWins count: Int, _ isOver: @escaping @Sendable () -> Void
    ) -> NIOLockedValueBox<Tally> {
        let tally = NIOLockedValueBox(Tally())
        let enough = DispatchSemaphore(value: 0)
        let threads = DispatchGroup()
        for connection in 0..<Self.connectionCount {
            threads.enter()
            Thread {
                defer { threads.leave() }
                do {
                    let client = try SocketClient(port)
                    defer { client.close() }
                    for number in 0..<Self.usersPerConnection {
                        let user = "c\(connection)u\(number)"
                        let bound = try WebhookSender.send("绑定 角色\(user)", of: user, id: "b-\(user)", on: client)
                        guard bound.status == 200, bound.body.contains("绑定成功") else {
                            tally.withLockedValue { $0.faults.append("\(bound.status) \(bound.body)") }
                            return
                        }
                        tally.withLockedValue { _ = $0.bound.insert(user) }
                        try Self.ask("join", "active", "s-\(user)", client, tally)
                        let drawn = try WebhookSender.send("抽奖", of: user, id: "d-\(user)", on: client)
                        guard drawn.status == 200, let draw = Draw(answer: drawn.body) else {
                            tally.withLockedValue { $0.faults.append("\(drawn.status) \(drawn.body)") }
                            return
                        }
                        let wins = tally.withLockedValue { tally in
                            tally.draws[user] = draw
                            if draw.isWin { tally.winCount += 1 }
                            return tally.winCount
                        }
                        if draw.isWin, wins == count { enough.signal() }
                        if number.isMultiple(of: 2) { try Self.ask("leave", "idle", "s-\(user)", client, tally) }
                    }
                } catch SocketClient.Fault.closed, SocketClient.Fault.notConnected {
                    tally.withLockedValue { $0.closed += 1 }
                } catch {
                    tally.withLockedValue { $0.faults.append("\(error)") }
                }
            }.start()
        }
        if enough.wait(timeout: .now() + 60) == .timedOut {
            tally.withLockedValue { $0.faults.append("not \(count) wins in a minute") }
        }
        isOver()
        threads.wait()
        return tally
    }

    /// - Parameter status: What the session must be told.
    private static func ask(
        _ action: String, _ status: String, _ session: String, _ client: SocketClient,
        _ tally: NIOLockedValueBox<Tally>
    ) throws {
        // Whether the server heard what it does not answer is unknown.
        tally.withLockedValue { $0.sessions[session] = nil }
        let answer = try client.ask(
            "POST", "/api/traffic/\(action)", headers: ["Content-Type": "application/json"],
            body: #"{"action":"\#(action)","sessionId":"\#(session)"}"#)
        tally.withLockedValue { tally in
            if answer.status == 200, answer.body.contains(#""userStatus":"\#(status)""#) {
                tally.sessions[session] = status
            } else {
                tally.faults.append("\(action): \(answer.status) \(answer.body)")
            }
        }
    }

    private func check(_ tally: Tally, in folder: TemporaryFolder) throws {
        let database = try DatabaseQueue(path: folder.path + "/serve.db")
        defer { try? database.close() }
        try database.read { db in
            #expect(try String.fetchAll(db, sql: "PRAGMA integrity_check") == ["ok"])
            // Every draw that was answered, win or miss, is the row of the ledger that it was said to be.
            var ledger: [String: Draw] = [:]
            let draws = """
                SELECT user_id, award_id, 'crash-' || seq AS receipt, substr(hash, 1, 16) AS hash
                FROM bot_draw_ledger_readable WHERE type = 'draw'
                """
            for row in try Row.fetchAll(db, sql: draws) {
                let award: String? = row["award_id"]
                let draw = Draw(isWin: award != nil, receipt: row["receipt"], hash: row["hash"])
                #expect(ledger.updateValue(draw, forKey: row["user_id"]) == nil, "drew twice")
            }
            #expect(tally.draws.values.contains { $0.isWin } && tally.draws.values.contains { !$0.isWin })
            for (user, draw) in tally.draws { #expect(ledger["webhook:" + user] == draw) }
            var stored: [String: String] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT id, user_id FROM bot_user_award WHERE voided_at IS NULL") {
                stored[row["user_id"]] = row["id"]
            }
            for (user, draw) in tally.draws { #expect(stored["webhook:" + user] == (draw.isWin ? draw.receipt : nil)) }
            // Every session is what its page was told.
            var sessions: [String: String] = [:]
            for table in ["redpacket_activity_participants", "redpacket_session_journal"] {
                for row in try Row.fetchAll(db, sql: "SELECT session_id, status FROM \(table) ORDER BY id") {
                    sessions[row["session_id"]] = row["status"]
                }
            }
            #expect(tally.sessions.values.contains("active") && tally.sessions.values.contains("idle"))
            for (session, told) in tally.sessions {
                #expect(sessions["web:" + session] == (told == "idle" ? "left" : told), "\(session)")
            }
            let bound = Set(try String.fetchAll(db, sql: "SELECT id FROM bot_activity_user"))
            for user in tally.bound { #expect(bound.contains("webhook:" + user)) }
            // One win each, one row of the ledger each, and the stock agrees.
            let rows = try Int.fetchOne(db, sql: "SELECT count(*) FROM bot_draw_ledger WHERE award_id IS NOT NULL")
            #expect(rows == stored.count)
            #expect(try Int.fetchOne(db, sql: "SELECT sum(issued) FROM bot_activity_award") == stored.count)
        }
    }

    private func verify(_ folder: TemporaryFolder) throws {
        let exported = try Program.run(
            ["activity", "export", "crash", "--database", "serve.db", "--out", "out"], in: folder.path)
        #expect(exported.status == 0, "\(exported.errors)")
        let verified = try Program.run(["verify", "out/crash.ledger.jsonl"], in: folder.path)
        #expect(verified.status == 0, "\(verified.output)")
    }

    @Test func aTerminationUnderLoadLosesNothingAndHangsNobody() throws {
        let folder = try prepared()
        let serve = try ServeProcess(in: folder, yaml: WebhookSender.yaml)
        // Somebody who has connected and says nothing must not hold it up either.
        let silent = try SocketClient(serve.port)
        let signalled = NIOLockedValueBox(ContinuousClock.now)
        let tally = draw(serve.port, untilWins: 300) {
            signalled.withLockedValue { $0 = .now }
            serve.program.send(SIGTERM)
        }.withLockedValue { $0 }
        let connections = ContinuousClock.now - signalled.withLockedValue { $0 }
        let result = try #require(serve.program.finish(within: 25), "it does not end")
        let process = ContinuousClock.now - signalled.withLockedValue { $0 }
        silent.close()
        #expect(result.status == 0, "\(result.errors)")
        #expect(!result.errors.contains(" error "), "\(result.errors)")
        #expect(tally.faults.isEmpty, "\(tally.faults.prefix(5))")
        #expect(tally.closed == Self.connectionCount)
        #expect(connections < .seconds(20))
        for name in ["serve.db-wal", "serve.db-shm"] {
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/" + name), "\(name)")
        }
        try check(tally, in: folder)
        try verify(folder)
        print(
            "terminated after \(tally.draws.count) draws, \(tally.winCount) wins, \(tally.sessions.count) sessions; "
                + "connections ended after \(connections), the process after \(process)")
    }
}
