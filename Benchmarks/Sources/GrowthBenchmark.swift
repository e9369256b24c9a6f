internal import Activities
internal import Basics
internal import Foundation
internal import GRDB
internal import Logging
internal import Lottery
internal import SQLiteStore

/// A file with years in it: whether a draw is as fast as on an empty one, and a start as quick.
struct GrowthBenchmark: Benchmark {
    let name = "growth"

    private static let atOnce = 256

    func figures(_ settings: BenchmarkSettings) async throws -> [Figure] {
        let path = settings.folder + "/grown.db"
        defer { BenchActivity.removeDatabase(path) }
        let file = GrownFile(path: path, userCount: settings.scaled(5_000_000, atLeast: 100))
        let (_, seconds) = try await timed { try await file.make() }
        print("a file with \(file.description) took \(seconds.short) s to make and has \(try file.mebibytes) MiB")

        let starts = try await starts(of: file, settings)
        return starts + [
            try await draws(in: file, settings), try await plainDraws(userCount: file.userCount, settings),
        ]
    }

    private func draws(in file: GrownFile, _ settings: BenchmarkSettings) async throws -> Figure {
        let drawCount = settings.scaled(100_000)
        let title = "draws, \(Self.atOnce) users at once, \(file.description)"
        let empty = DrawBenchmark(name: name, userCount: Self.atOnce, drawCount: drawCount, goal: nil)
        var drawn = file.drawCount
        let comparison = try await settings.compare(
            title,
            ours: { seed in
                let rate = try await DrawBenchmark.rate(drawCount, Self.atOnce, path: file.path, seed: seed)
                drawn += drawCount
                try await BenchActivity.check(file.path, drawCount: drawn)
                return rate.written
            }, reference: { try await empty.rate(drawCount, folder: settings.folder, seed: $0).written })
        return Figure(title, comparison, "draws/s", reference: "the same on an empty file", goal: .ratioAtLeast(0.7))
    }

    /// How much slower the program to beat becomes: what random places in large trees cost by themselves.
    private func plainDraws(userCount: Int, _ settings: BenchmarkSettings) async throws -> Figure {
        let drawCount = settings.scaled(100_000)
        let plain = PlainProgram(path: settings.plainProgram)
        let title = "plain C program, \(Self.atOnce) a commit, \(userCount) users before them"
        func drawsPerSecond(others: Int, seed: UInt64) throws -> Double {
            try plain.drawsPerSecond(
                draws: drawCount, perCommit: Self.atOnce, others: others, folder: settings.folder, seed: seed)
        }
        let comparison = try await settings.compare(
            title, ours: { seed in try drawsPerSecond(others: userCount, seed: seed) },
            reference: { seed in try drawsPerSecond(others: 0, seed: seed) })
        return Figure(title, comparison, "draws/s", reference: "the same on an empty file")
    }

    /// How long `hongbao serve` takes from its start to its first answer that it is ready, and what it holds then.
    private func starts(of file: GrownFile, _ settings: BenchmarkSettings) async throws -> [Figure] {
        let title = "start to ready, \(file.description)"
        var memory: [Double] = []
        let seconds = try await settings.median(title) { _ in
            let start = ContinuousClock.now
            let server = try ServerProcess(serving: file.path, with: settings.program, configuration: "{}\n")
            defer { server.stop() }
            let request = "GET /readyz HTTP/1.1\r\nhost: 127.0.0.1:\(server.port)\r\n\r\n"
            let load = RequestLoad(
                server: .port(server.port), connectionCount: 1, answerSize: HTTPAnswer.reader(expecting: "ready"))
            _ = try await load.run([Array(request.utf8)])
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            memory.append(try server.residentMebibytes)
            return seconds
        }
        let resident = "resident memory when ready, \(file.description)"
        let mebibytes = try await settings.median(resident) { memory[Int($0) - 1] }
        return [
            Figure(title, seconds, "s", goal: .valueAtMost(2)),
            Figure(resident, mebibytes, "MiB", goal: .valueAtMost(200)),
        ]
    }
}

/// What is left when everybody is bound and has won in two activities: one that is over, and one that is still drawn in.
///
/// One draw is made by the program itself; its rows in the ledger, of the win, the message and the session are what all the
/// others' are copied from. So each has what a draw leaves behind, but two things differ from a file that has grown:
/// hashes, salts and user hashes are random bytes, so that the ledger's chain would not verify (opening and drawing look
/// only at the last row), and tables whose keys arrive in order are filled in order.
private struct GrownFile: CustomStringConvertible {
    let path: String
    let userCount: Int

    private static let template = UserID("qq:template")

    var description: String { "\(2 * userCount) draws in the ledger, \(userCount) bindings" }

    /// In the activity that is open: everybody's, and the one that the others are made of.
    var drawCount: Int { userCount + 1 }

    var mebibytes: Int {
        get throws {
            try URL(fileURLWithPath: path).resourceValues(forKeys: [.fileSizeKey]).fileSize.map { $0 >> 20 } ?? 0
        }
    }

    func make() async throws {
        try await BenchActivity.prepare(path, users: [Self.template])
        try await drawOnce()
        try fill()
        // The program opens it, and finds what it should hold.
        try await BenchActivity.check(path, drawCount: drawCount)
    }

    private func drawOnce() async throws {
        let store = try SQLiteStore(path: path)
        let service = ActivityService(
            store: store, stored: try await store.load(), library: BenchActivity.library,
            clock: BenchActivity.clock, logger: Logger(label: "bench"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            try await DrawBenchmark.draw([Self.template], 1, service)
            service.shutDown()
            try await group.waitForAll()
        }
        try await store.close()
    }

    private func fill() throws {
        var configuration = Configuration()
        configuration.prepareDatabase { db in
            // A file that is lost is made again.
            try db.execute(
                sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -4194304;")
        }
        let database = try DatabaseQueue(path: path, configuration: configuration)
        try database.writeWithoutTransaction { db in
            try db.execute(sql: "BEGIN")
            try makeUsers(db)
            // No index finds it.
            try db.execute(
                sql: "CREATE TEMP TABLE template_message AS SELECT * FROM bot_processed_message WHERE user_id = ?",
                arguments: [Self.template.text])
            try addBindings(db)
            try addActivityThatIsOver(db)
            // The index is filled as its keys come, in no order, since it is what a draw's time depends on; but for its first
            // half, which is sorted.
            let index = try String.fetchOne(
                db, sql: "SELECT sql FROM sqlite_master WHERE name = 'idx_user_award_once'")
            guard let index else { throw Wrong(description: "the index of wins is called otherwise") }
            try db.execute(sql: "DROP INDEX idx_user_award_once")
            try addDraws(in: "over", db)
            try db.execute(sql: index)
            try addDraws(in: BenchActivity.activity.id.text, db)
            try addSessions(db)
            try db.execute(sql: "DROP TABLE user; COMMIT")
        }
        try database.close()
    }

    /// Ids that look as random as those of new users do, in order.
    private func makeUsers(_ db: Database) throws {
        let step = 8_000_000_000_000_000_000 / Int64(userCount)
        try db.execute(
            sql: """
                CREATE TABLE user (number INTEGER PRIMARY KEY, id TEXT NOT NULL);
                WITH RECURSIVE numbers (number) AS (
                    SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number + 1 < \(userCount)
                )
                INSERT INTO user
                    SELECT number, 'qq:' || (1000000000000000000 + number * \(step) + number * 2654435761 % \(step))
                    FROM numbers
                """)
    }

    private func addBindings(_ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO bot_activity_user (id, bind_id, created_at, updated_at)
                    SELECT user.id, '角色' || substr(user.id, -8), created_at, updated_at
                    FROM user JOIN bot_activity_user template ON template.id = ?
                    ORDER BY user.number
                """, arguments: [Self.template.text])
    }

    private func addActivityThatIsOver(_ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO bot_activity (id, name, status, scope, max_attempts, opened_at, created_at, updated_at)
                    SELECT 'over', 'over', 'inactive', scope, max_attempts, opened_at, created_at, updated_at
                    FROM bot_activity;
                INSERT INTO bot_activity_award (activity_id, id, award_id, position, kind, percent_ppm, prefix, number)
                    SELECT 'over', id, award_id, position, kind, percent_ppm, prefix, number FROM bot_activity_award;
                INSERT INTO bot_draw_round (activity_id, round, rules, commitment, seed, opened_at, closed_at)
                    SELECT 'over', round, replace(rules, '"bench"', '"over"'), commitment, seed, opened_at, opened_at
                    FROM bot_draw_round;
                INSERT INTO bot_draw_ledger (activity_id, seq, type, at_ms, round, hash)
                    SELECT 'over', seq, type, at_ms, round, randomblob(32) FROM bot_draw_ledger WHERE type = 'open'
                """)
    }

    /// Every user draws in it once, in no order, all of them within the day that ends with the template's draw.
    private func addDraws(in activity: String, _ db: Database) throws {
        // The template's row is there only in the activity that is open.
        let first = activity == "over" ? 1 : 2
        // Coprime to any number of users that is not a multiple of it: everybody is met once.
        let stride: Int64 = 1_000_003
        let arguments: StatementArguments = [
            "activity": activity, "first": first, "stride": stride, "count": userCount,
            "interval": 80_000_000 / Double(userCount),
        ]
        // What comes from the rows of the template's draw, and of which user it is this time.
        let draws = """
            FROM user CROSS JOIN user AS drawing ON drawing.number = user.number * :stride % :count
                CROSS JOIN (SELECT * FROM bot_draw_ledger WHERE activity_id = 'bench' AND seq = 1) AS ledger
            """
        let at = "CAST(ledger.at_ms - 80000000 + user.number * :interval AS INTEGER)"
        for sql in [
            """
            INSERT INTO bot_draw_ledger (activity_id, seq, type, at_ms, round, user_id, salt, user_hash, attempt, award_id,
                    remaining, previous_seq, receipt, reason, hash)
                SELECT :activity, user.number + :first, ledger.type, \(at), ledger.round, drawing.id, randomblob(16),
                    randomblob(32), ledger.attempt, 'bao', NULL, NULL, NULL, NULL, randomblob(32)
                \(draws) ORDER BY user.number
            """,
            """
            INSERT INTO bot_user_award (activity_id, seq, user_id, activity_award_id, award_name, game_id, created_at)
                SELECT :activity, user.number + :first, drawing.id, 'bao', win.award_name, '角色' || substr(drawing.id, -8),
                    win.created_at
                \(draws)
                CROSS JOIN (SELECT * FROM bot_user_award WHERE activity_id = 'bench' AND seq = 1) AS win
                ORDER BY user.number
            """,
            """
            INSERT INTO bot_processed_message (sent_at_ms, message_key, user_id, chat_id, command, code, receipt, parameters,
                    processed_at_ms, endpoint, destination, delivery)
                SELECT \(at), 'bench:' || :activity || drawing.id, drawing.id, message.chat_id, message.command, message.code,
                    :activity || '-' || (user.number + :first), message.parameters, \(at), message.endpoint,
                    message.destination, message.delivery
                \(draws)
                CROSS JOIN template_message AS message
                ORDER BY user.number
            """,
        ] {
            let statement = try db.makeStatement(sql: sql)
            statement.setUncheckedArguments(arguments)
            try statement.execute()
            guard db.changesCount == userCount else {
                throw Wrong(description: "\(db.changesCount) rows of \(userCount) were made by: \(sql)")
            }
        }
        try db.execute(
            sql: """
                UPDATE bot_activity SET user_count = user_count + \(userCount), draw_count = draw_count + \(userCount)
                    WHERE id = :activity;
                UPDATE bot_activity_award SET issued = issued + \(userCount) WHERE activity_id = :activity AND id = 'bao'
                """, arguments: ["activity": activity])
    }

    private func addSessions(_ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO redpacket_activity_participants (user_id, session_id, ip_address, join_time, leave_time,
                        last_heartbeat, status, queue_position, queue_ticket, created_at, updated_at)
                    SELECT user.id, user.id, ip_address, join_time, leave_time, last_heartbeat, status, queue_position,
                        queue_ticket, created_at, updated_at
                    FROM user JOIN redpacket_activity_participants template ON template.session_id = ?
                    ORDER BY user.number
                """, arguments: [Self.template.text])
        guard db.changesCount == userCount else {
            throw Wrong(description: "the template's session is called otherwise")
        }
    }
}
