import Basics
import Foundation
import GRDB
import NIOConcurrencyHelpers
import TestSupport
import Testing

/// The program is killed at random instants while it draws; afterwards everything that it acknowledged is there.
///
/// `HONGBAO_CRASHES` sets how often (`make crash`: 200), `HONGBAO_SEED` repeats the instants as far as a machine can.
@Suite struct CrashTests {
    private static let activity = """
        id: crash
        name: 崩溃演练
        awards:
          - {id: gold, prefix: 一等奖, name: 主机, kind: ONLY, percent: 50}
          - {id: silver, prefix: 二等奖, name: 皮肤, kind: NORNAL, percent: 30, number: 500}
          - {id: lucky, prefix: 幸运奖, name: 金币, kind: NORNAL, percent: 40, number: 1000000}

        """

    private static var crashCount: Int {
        ProcessInfo.processInfo.environment["HONGBAO_CRASHES"].flatMap { Int($0) } ?? 20
    }

    private struct Answer: Decodable, Hashable {
        var id: String?
        var user: String?
        var code: String
        var receipt: String?
        var award: String?
    }

    @Test func whatWasAcknowledgedSurvivesAKill() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("crash.yaml", Self.activity)
        // Whoever misses keeps a place in the gate, so there must be room for all.
        let commands = [
            "抽奖开始 崩溃演练", "流量设置 max_concurrent_users 10000000", "流量设置 rush_hour_max_users 10000000",
        ]
        let opened = try Program.run(
            ["chat", "--as", "qq:1", "--database", "crash.db", "--admin", "qq:1", "--activity", file], in: folder.path,
            input: commands.joined(separator: "\n"))
        try #require(opened.output.contains("活动开启成功"), "\(opened.output)\(opened.errors)")

        let seed = SeededGenerator.baseSeed
        var generator = SeededGenerator(seed: seed)
        // What the program has said, by message; a later answer to the same message must be the same.
        var acknowledged: [String: Answer] = [:]
        var messageCount = 0
        var unanswered: [String] = []
        for crash in 1...Self.crashCount {
            let answers = NIOLockedValueBox<[String]>([])
            let firstAnswer = DispatchSemaphore(value: 0)
            let program = try Program(["chat", "--json", "--database", "crash.db"], in: folder.path) { line in
                answers.withLockedValue { $0.append(line) }
                firstAnswer.signal()
            }
            // Messages that were sent before: answered ones, and ones whose fate nobody knows.
            let again = acknowledged.keys.sorted().suffix(20) + unanswered.prefix(200)
            program.write(again.map(Self.message).joined())
            let sent = NIOLockedValueBox<[String]>(Array(again))
            let first = messageCount
            let feeder = Thread {
                for block in 0..<400 {
                    let ids = (0..<50).map { "m\(first + block * 50 + $0)" }
                    sent.withLockedValue { $0 += ids }
                    if !program.write(ids.map(Self.message).joined()) { break }
                }
                program.closeInput()
            }
            feeder.start()
            #expect(firstAnswer.wait(timeout: .now() + 60) == .success, "no answer, crash \(crash), seed \(seed)")
            Thread.sleep(forTimeInterval: Double.random(in: 0...0.25, using: &generator))
            program.send(SIGKILL)
            _ = program.finish()
            messageCount += 400 * 50

            // What arrived whole is acknowledged.
            unanswered = sent.withLockedValue { $0 }
            for line in answers.withLockedValue({ $0 }) {
                let answer = try JSONDecoder().decode(Answer.self, from: Data(line.utf8))
                let id = try #require(answer.id)
                if let earlier = acknowledged[id] { #expect(answer == earlier, "crash \(crash), seed \(seed)") }
                acknowledged[id] = answer
            }
            unanswered.removeAll { acknowledged[$0] != nil }
            try check(acknowledged, folder, "crash \(crash) of \(Self.crashCount), seed \(seed)")
        }
        let wins = acknowledged.values.count { $0.code == "won" }
        print("\(Self.crashCount) kills, \(acknowledged.count) answers kept, \(wins) wins among them")
        #expect(wins > 10 * Self.crashCount)

        // And the ledger holds from its first row.
        let exported = try Program.run(
            ["activity", "export", "crash", "--database", "crash.db", "--out", "out"], in: folder.path)
        #expect(exported.status == 0, "\(exported.errors)")
        let verified = try Program.run(["verify", "out/crash.ledger.jsonl"], in: folder.path)
        #expect(verified.status == 0, "\(verified.output)")
    }

    /// A process that ends while it makes the database leaves nothing that the next one cannot use.
    @Test func aFirstStartMayEndAtAnyInstant() throws {
        let folder = try TemporaryFolder()
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        var wasThere = 0
        // How long a first start takes here and now, so that the instants lie within it.
        let start = ContinuousClock.now
        #expect(try Program.run(["chat", "--json", "--database", "whole.db"], in: folder.path).status == 0)
        let duration = start.duration(to: .now) / .seconds(1)
        for number in 0..<3 * Self.crashCount {
            let program = try Program(["chat", "--json", "--database", "\(number).db"], in: folder.path)
            Thread.sleep(forTimeInterval: duration * Double.random(in: 0.1...0.9, using: &generator))
            program.send(SIGKILL)
            _ = program.finish()
            if FileManager.default.fileExists(atPath: folder.path + "/\(number).db") { wasThere += 1 }
            let next = try Program.run(
                ["chat", "--json", "--database", "\(number).db"], in: folder.path, input: Self.message("m0"))
            #expect(next.status == 0 && next.output.contains("\"ok\""), "\(number): \(next.errors)")
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/\(number).db.new"))
        }
        print("\(3 * Self.crashCount) first starts, \(wasThere) had made the file")
    }

    /// A binding or a draw: every user sends both, one after the other.
    private static func message(_ id: String) -> String {
        let number = Int(id.dropFirst()) ?? 0
        let user = number / 2
        let text = number.isMultiple(of: 2) ? "绑定 角色\(user)" : "抽奖"
        return #"{"platform":"qq","user":"\#(user)","chat":"g","id":"\#(id)","text":"\#(text)"}"# + "\n"
    }

    private func check(_ acknowledged: [String: Answer], _ folder: TemporaryFolder, _ place: String) throws {
        let place = Comment(rawValue: place)
        let database = try DatabaseQueue(path: folder.path + "/crash.db")
        try database.read { db in
            #expect(try String.fetchAll(db, sql: "PRAGMA integrity_check") == ["ok"], place)
            let wins = try Row.fetchAll(
                db, sql: "SELECT id, user_id, activity_award_id FROM bot_user_award WHERE voided_at IS NULL")
            var stored: [String: (user: String, award: String)] = [:]
            for row in wins { stored[row["id"]] = (row["user_id"], row["activity_award_id"]) }
            for answer in acknowledged.values where answer.code == "won" {
                let win = stored[answer.receipt ?? ""]
                #expect(win?.user == answer.user, place)
                #expect(win?.award == answer.award, place)
            }
            let awards = try Row.fetchAll(
                db,
                sql: """
                    SELECT a.id, a.number, a.issued, count(w.seq) AS wins FROM bot_activity_award a
                    LEFT JOIN bot_user_award w ON w.activity_id = a.activity_id AND w.activity_award_id = a.id
                        AND w.voided_at IS NULL
                    GROUP BY a.id
                    """)
            for row in awards {
                #expect((row["issued"] as Int) == row["wins"], place)
                #expect((row["issued"] as Int) <= row["number"], place)
            }
            let users = try Int.fetchOne(db, sql: "SELECT count(DISTINCT user_id) FROM bot_user_award")
            #expect(users == wins.count, "a user won twice; \(place)")
        }
        try database.close()
    }
}
