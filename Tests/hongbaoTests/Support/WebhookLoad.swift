import Basics
import Foundation
import GRDB
import NIOConcurrencyHelpers
import TestSupport
import Testing

/// Players who bind and draw by signed webhooks, over several connections at once, pages that enter the gate and leave it, and
/// all that they were told.
///
/// A message that was sent before, whether it was answered or not, is sent again now and then; an answer that differs from the
/// first is a fault.
final class WebhookLoad: Sendable {
    struct Message: Hashable, Sendable {
        let id: String
        let user: String
        let text: String
    }

    /// A draw as its answer tells it.
    struct Draw: Equatable {
        let isWin: Bool
        let receipt: String
        /// The first 16 digits of its row's hash.
        let hash: String

        init(isWin: Bool, receipt: String, hash: String) {
            (self.isWin, self.receipt, self.hash) = (isWin, receipt, hash)
        }

        /// - Returns: Nil for what answers no draw.
        init?(answer: String) {
            guard let receipt = answer.firstMatch(of: /crash-\d+/)?.output,
                let hash = answer.firstMatch(of: /校验码 ([0-9a-f]{16})/)?.output.1
            else { return nil }
            self.init(isWin: answer.contains("恭喜中奖"), receipt: String(receipt), hash: String(hash))
        }
    }

    private struct State {
        /// The body of every answer with status 200.
        var answers: [Message: String] = [:]
        /// Those that were sent and not answered, or not with 200.
        var unanswered: Set<Message> = []
        /// What each page's session was told last; nil while nobody knows.
        var sessions: [String: String] = [:]
        var messageCount = 0
        var refusalCount = 0
        /// Requests whose connection ended while their answer was awaited.
        var interruptionCount = 0
        var faults: [String] = []
    }

    static let activity = """
        id: crash
        name: 崩溃演练
        awards:
          - {id: gold, prefix: 一等奖, name: 主机, kind: ONLY, percent: 1}
          - {id: silver, prefix: 二等奖, name: 皮肤, kind: NORNAL, percent: 50, number: 1000000}

        """
    private static let connectionCount = 12

    private let state = NIOLockedValueBox(State())
    private let random: NIOLockedValueBox<SeededGenerator>

    init(seed: UInt64) {
        random = NIOLockedValueBox(SeededGenerator(seed: seed))
    }

    private func below(_ bound: Int) -> Int { random.withLockedValue { $0.below(bound) } }

    var answerCount: Int { state.withLockedValue { $0.answers.count } }
    var unansweredCount: Int { state.withLockedValue { $0.unanswered.count } }
    var interruptionCount: Int { state.withLockedValue { $0.interruptionCount } }
    /// Answers with another status than 200, and `busy`: nobody was told that anything happened.
    var refusalCount: Int { state.withLockedValue { $0.refusalCount } }
    var winCount: Int { state.withLockedValue { $0.answers.values.count { Draw(answer: $0)?.isWin == true } } }
    /// What must not have happened.
    var faults: [String] { state.withLockedValue { $0.faults } }

    /// A folder with an open activity in `serve.db`, and room in the gate for everybody.
    ///
    /// - Parameter database: Where the file is to be.
    static func prepare(_ folder: TemporaryFolder, database: String = "serve.db") throws {
        let file = try folder.file("crash.yaml", activity)
        // Whoever misses keeps a place in the gate; and nobody's time is up meanwhile.
        let opened = try Program.run(
            ["chat", "--as", "qq:1", "--database", database, "--admin", "qq:1", "--activity", file], in: folder.path,
            input: "抽奖开始 崩溃演练\n流量设置 max_concurrent_users 10000000\n流量设置 rush_hour_max_users 10000000\n"
                + "流量设置 heartbeat_timeout_seconds 86400\n流量设置 user_messages_per_minute 0")
        try #require(opened.output.contains("活动开启成功"), "\(opened.output)\(opened.errors)")
    }

    // MARK: Sending

    /// Starts all connections; each goes on until the server closes it.
    ///
    /// - Returns: To wait for their end.
    func start(_ port: Int) -> DispatchGroup {
        let threads = DispatchGroup()
        for _ in 0..<Self.connectionCount {
            threads.enter()
            Thread { [self] in
                defer { threads.leave() }
                // Where it cannot, the process has ended.
                guard let client = try? SocketClient(port) else { return }
                defer { client.close() }
                do {
                    while true { try next(client) }
                } catch SocketClient.Fault.closed {
                    if client.awaitsAnswer { state.withLockedValue { $0.interruptionCount += 1 } }
                } catch {
                    state.withLockedValue { $0.faults.append("\(error)") }
                }
            }.start()
        }
        return threads
    }

    private func next(_ client: SocketClient) throws {
        if below(6) == 0, let message = earlier() { return try send(message, client) }
        let number = state.withLockedValue { state in
            state.messageCount += 1
            return state.messageCount
        }
        // Mostly somebody new, and now and then somebody who has drawn before.
        let user = below(5) == 0 ? "u\(1 + below(number))" : "u\(number)"
        try send(Message(id: "b\(number)", user: user, text: "绑定 角色\(user)"), client)
        let hasPage = below(4) == 0
        if hasPage { try ask("join", "active", "s\(number)", client) }
        try send(Message(id: "d\(number)", user: user, text: "抽奖"), client)
        if hasPage, below(2) == 0 { try ask("leave", "idle", "s\(number)", client) }
    }

    /// Somebody's message that may have been answered, or whose fate nobody knows.
    private func earlier() -> Message? {
        let number = random.withLockedValue { $0.next() }
        return state.withLockedValue { state in
            if number.isMultiple(of: 2), let message = state.unanswered.first { return message }
            guard !state.answers.isEmpty else { return nil }
            // Any of the first ones in the table's order, which is as good as random.
            return state.answers.keys.dropFirst(Int(number >> 33) % min(50, state.answers.count)).first
        }
    }

    /// Sends a message and takes down its answer.
    func send(_ message: Message, _ client: SocketClient) throws {
        state.withLockedValue { state in
            if state.answers[message] == nil { state.unanswered.insert(message) }
        }
        let answer = try WebhookSender.send(message.text, of: message.user, id: message.id, on: client)
        state.withLockedValue { state in
            // Busy: nothing was done, and the message may be sent again.
            guard answer.status == 200, !answer.body.contains("这条没有处理") else {
                state.refusalCount += 1
                if answer.status < 500, answer.status != 200 {
                    state.faults.append("\(message): \(answer.status) \(answer.body)")
                }
                return
            }
            state.unanswered.remove(message)
            if let first = state.answers.updateValue(answer.body, forKey: message), first != answer.body {
                state.faults.append("\(message) was answered \(first), and then \(answer.body)")
            }
        }
    }

    /// - Parameter status: What the session must be told.
    private func ask(_ action: String, _ status: String, _ session: String, _ client: SocketClient) throws {
        // Whether the server heard what it does not answer is unknown.
        state.withLockedValue { $0.sessions[session] = nil }
        let answer = try client.ask(
            "POST", "/api/traffic/\(action)", headers: ["Content-Type": "application/json"],
            body: #"{"action":"\#(action)","sessionId":"\#(session)"}"#)
        state.withLockedValue { state in
            if answer.status == 200, answer.body.contains(#""userStatus":"\#(status)""#) {
                state.sessions[session] = status
            } else if answer.status < 500 {
                state.faults.append("\(action): \(answer.status) \(answer.body)")
            }
        }
    }

    /// Sends everything again whose fate nobody knows, and some of the rest.
    func sendAgain(_ port: Int) throws {
        let client = try SocketClient(port)
        defer { client.close() }
        for message in state.withLockedValue({ Array($0.unanswered) + $0.answers.keys.prefix(200) }) {
            try send(message, client)
        }
    }

    // MARK: Checking

    /// Whatever was answered is in the file as it was answered, and the file agrees with itself.
    func check(_ path: String, _ place: String) throws {
        let place = Comment(rawValue: place)
        let state = state.withLockedValue { $0 }
        #expect(state.faults.isEmpty, "\(state.faults.prefix(5)) \(place)")
        let database = try DatabaseQueue(path: path)
        defer { try? database.close() }
        try database.read { db in
            #expect(try String.fetchAll(db, sql: "PRAGMA integrity_check") == ["ok"], place)
            var ledger: [String: (user: String, draw: Draw)] = [:]
            let draws = """
                SELECT user_id, award_id, 'crash-' || seq AS receipt, substr(hash, 1, 16) AS hash
                FROM bot_draw_ledger_readable WHERE type = 'draw'
                """
            for row in try Row.fetchAll(db, sql: draws) {
                let award: String? = row["award_id"]
                let draw = Draw(isWin: award != nil, receipt: row["receipt"], hash: row["hash"])
                ledger[draw.receipt] = (row["user_id"], draw)
            }
            var wins: [String: String] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT id, user_id FROM bot_user_award WHERE voided_at IS NULL") {
                wins[row["id"]] = row["user_id"]
            }
            let bound = Set(try String.fetchAll(db, sql: "SELECT id FROM bot_activity_user"))
            for (message, answer) in state.answers {
                let user = "webhook:" + message.user
                if let draw = Draw(answer: answer) {
                    #expect(ledger[draw.receipt]?.draw == draw && ledger[draw.receipt]?.user == user, place)
                    #expect(!draw.isWin || wins[draw.receipt] == user, place)
                } else if answer.contains("绑定成功") {
                    #expect(bound.contains(user), place)
                }
            }
            // One draw for a message, one win for a user, and the stock agrees.
            let answered = try Int.fetchOne(
                db, sql: "SELECT count(*) FROM bot_processed_message WHERE code IN ('won', 'missed')")
            #expect(answered == ledger.count, place)
            #expect(ledger.values.count { $0.draw.isWin } == wins.count, place)
            #expect(Set(wins.values).count == wins.count, "a user won twice; \(place)")
            #expect(try Int.fetchOne(db, sql: "SELECT sum(issued) FROM bot_activity_award") == wins.count, place)
            // Every session is what its page was told.
            var sessions: [String: String] = [:]
            for table in ["redpacket_activity_participants", "redpacket_session_journal"] {
                for row in try Row.fetchAll(db, sql: "SELECT session_id, status FROM \(table) ORDER BY id") {
                    sessions[row["session_id"]] = row["status"]
                }
            }
            for (session, told) in state.sessions {
                let found = sessions["web:" + session] ?? "left"
                #expect(found == (told == "idle" ? "left" : told), "\(session); \(place)")
            }
        }
    }

    /// The ledger holds from its first row.
    static func verify(_ folder: TemporaryFolder, database: String = "serve.db") throws {
        let exported = try Program.run(
            ["activity", "export", "crash", "--database", database, "--out", "out"], in: folder.path)
        #expect(exported.status == 0, "\(exported.errors)")
        let verified = try Program.run(["verify", "out/crash.ledger.jsonl"], in: folder.path)
        #expect(verified.status == 0, "\(verified.output)")
    }
}
