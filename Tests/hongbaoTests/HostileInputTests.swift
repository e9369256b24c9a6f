import Foundation
import GRDB
import TestSupport
import Testing

/// Hostile text and files in front of the built program: one answer a line, nothing stored that should not be, and no end
/// before the input's.
@Suite struct HostileInputTests {
    private static let activity = """
        id: tea
        name: 茶话会
        awards:
          - {id: cup, prefix: 一等奖, name: 茶杯, kind: NORNAL, percent: 100, number: 20}
          - {id: tea, prefix: 低保, name: 茶叶, kind: DI_BAO}

        """

    private struct Answer: Decodable {
        var user: String?
        var code: String
        var reply: String
    }

    /// A line as a program writes it.
    private static func line(_ text: String, user: String = "2", chat: String = "g", id: String? = nil) throws -> String
    {
        var object = ["platform": "qq", "user": user, "chat": chat, "text": text]
        object["id"] = id
        return String(decoding: try JSONEncoder().encode(object), as: UTF8.self)
    }

    /// Everything that is stored, but the sessions of the gate, the audit log and what was said to whom.
    private static func stored(_ folder: TemporaryFolder) throws -> String {
        let database = try DatabaseQueue(path: folder.path + "/a.db")
        defer { try? database.close() }
        return try database.read { db in
            var text = ""
            for table in [
                "bot_activity", "bot_award", "bot_activity_award", "bot_activity_user", "bot_user_award",
                "bot_user_attempt", "bot_draw_round", "bot_draw_ledger", "redpacket_traffic_config",
            ] {
                let rows = try Row.fetchAll(db, sql: "SELECT * FROM \(table)").map(\.description).sorted()
                text += "\(table)\n" + rows.joined(separator: "\n") + "\n"
            }
            return text
        }
    }

    /// Runs `hongbao chat --json`; qq:1 is the admin, and 茶话会 is open.
    private static func chat(
        _ lines: [String], in folder: TemporaryFolder, environment: [String: String] = [:], limits: String? = nil
    ) throws -> [Answer] {
        let result = try Program.run(
            ["chat", "--json", "--database", "a.db", "--admin", "qq:1"], in: folder.path,
            input: lines.joined(separator: "\n") + "\n", environment: environment, limits: limits)
        #expect(result.status == 0, "\(result.errors.prefix(500))")
        #expect(!result.errors.contains("伪造"), "\(result.errors.prefix(500))")
        let forbidden = result.output.unicodeScalars.filter { $0 != "\n" && ($0.value < 0x20 || $0.value == 0x7F) }
        #expect(forbidden.isEmpty, "raw control characters")
        #expect(result.lines.count == lines.count)
        return try result.lines.map { try JSONDecoder().decode(Answer.self, from: Data($0.utf8)) }
    }

    private static func prepared() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        let file = try folder.file("tea.yaml", activity)
        let result = try Program.run(
            ["chat", "--json", "--database", "a.db", "--admin", "qq:1", "--activity", file], in: folder.path,
            input: try [line("抽奖开始 茶话会", user: "1"), line("绑定 茶客"), line("流量设置 user_messages_per_minute 0", user: "1")]
                .joined(separator: "\n"))
        try #require(result.status == 0 && result.lines.count == 3, "\(result.errors)")
        return folder
    }

    // MARK: Text

    struct Texts: Sendable, CustomTestStringConvertible {
        let row: Int
        let texts: [String]
        /// What each may be answered.
        let codes: Set<String>
        var user = "2"

        var testDescription: String { "row \(row)" }
    }

    private static let marks = String(repeating: "\u{301}", count: 200_000)

    /// U+FDD0, which may not stand in a literal.
    private static let nonCharacter = String(decoding: [0xEF, 0xB7, 0x90], as: UTF8.self)

    static let refusedTexts: [Texts] = [
        Texts(row: 1, texts: ["", "   ", "\u{3000}\u{3000}", "\n\n\n", "\r\n"], codes: ["ignored"]),
        Texts(row: 2, texts: ["抽奖\u{301}", "/抽奖\u{301}"], codes: ["unknown_command"]),
        Texts(row: 4, texts: ["／ｄｒａｗ　１"], codes: ["bad_argument"]),
        Texts(row: 7, texts: ["抽奖" + marks, "/抽奖" + marks, "绑定 a" + marks], codes: ["bad_argument"]),
        Texts(row: 8, texts: [String(repeating: "长", count: 350_000)], codes: ["bad_argument"]),
        Texts(
            row: 9, texts: ["/抽\u{1B}[31m奖", "/抽奖\u{85}\u{9B}x", "绑定 \u{7}a"],
            codes: ["bad_argument", "unknown_command"]),
        Texts(
            row: 11,
            texts: ["绑定 a\u{1B}\n2027-01-01T00:00:00+0000 error hongbao: 伪造", "/抽奖\r\n2027-01-01 error hongbao: 伪造"],
            codes: ["bad_argument", "unknown_command"]),
        Texts(
            row: 16, texts: ["抽奖结束", "作废 tea-1 x", "维护 开", "流量设置 max_concurrent_users 1", "活动导入 tea.yaml"],
            codes: ["not_permitted"]),
        Texts(row: 16, texts: ["dr\u{430}w", "\u{501}raw", "ѕtop"], codes: ["ignored"]),
        Texts(
            row: 17,
            texts: ["-1", "+1", "1e9", "0x10", "1_000", "٣", "Ⅷ", "9223372036854775808"].flatMap {
                ["奖品数量 cup \($0)", "流量设置 max_concurrent_users \($0)", "中奖汇总 \($0)"]
            }, codes: ["bad_argument"], user: "1"),
        Texts(
            row: 18,
            texts: [
                String(repeating: "draw\n", count: 800), String(repeating: "抽奖 ", count: 500),
                String(repeating: "\"“'", count: 500) + "抽奖", "/抽奖 \"a 'b “c",
            ], codes: ["ignored", "bad_argument"]),
        Texts(
            row: 19, texts: [String(repeating: "a", count: 4000) + "!", String(repeating: "@", count: 4000)],
            codes: ["ignored"]),
        Texts(
            row: 21,
            texts: ["绑定 a\u{E000}", "绑定 \(nonCharacter)", "绑定 \u{10FFFD}", "绑定 \u{2800}", "绑定 \u{301}\u{301}"],
            codes: ["bad_argument"]),
    ]

    @Test(
        "hardening rows 1, 2, 4, 7, 8, 9, 11, 16, 17, 18, 19, 21: hostile text changes nothing",
        .timeLimit(.minutes(1)),
        arguments: refusedTexts)
    func hostileTextChangesNothing(_ row: Texts) throws {
        let folder = try Self.prepared()
        let before = try Self.stored(folder)
        let answers = try Self.chat(row.texts.map { try Self.line($0, user: row.user) }, in: folder)
        for (text, answer) in zip(row.texts, answers) {
            #expect(row.codes.contains(answer.code), "\(text.prefix(60).debugDescription): \(answer)")
            #expect((answer.code == "ignored") == answer.reply.isEmpty)
            #expect(answer.reply.utf8.count < 4096)
        }
        #expect(try Self.stored(folder) == before)
    }

    @Test(
        "hardening rows 5, 10: however a command is written, it is one draw",
        arguments: ["抽\u{200B}奖", "\u{FEFF}抽奖", "抽\u{200D}奖", "抽奖\r\n", "\r\n抽奖", "ｄｒａｗ"])
    func aCommandIsOneDrawHoweverItIsWritten(_ text: String) throws {
        let folder = try Self.prepared()
        // The plain form is the same message.
        let answers = try Self.chat(
            [try Self.line(text, id: "m"), try Self.line("抽奖", id: "m"), try Self.line("抽奖")], in: folder)
        #expect(answers.map(\.code) == ["won", "won", "already_won"])
        #expect(answers[0].reply == answers[1].reply)
    }

    @Test("hardening row 10: a line break of two characters ends no message")
    func aLineBreakEndsNoMessage() throws {
        let folder = try Self.prepared()
        let answers = try Self.chat([try Self.line("绑定 甲\r\n抽奖\n抽奖"), try Self.line("我的绑定")], in: folder)
        #expect(answers.map(\.code) == ["ok", "ok"])
        #expect(answers[1].reply.contains("甲 抽奖 抽奖"))
    }

    @Test("hardening rows 6, 21: whose id turns the text around is stored as given and never repeated so")
    func anIDIsStoredAsGivenAndEchoedClean() throws {
        let folder = try Self.prepared()
        for user in ["\u{202E}evil\u{2066}", "\u{E000}" + Self.nonCharacter] {
            let answers = try Self.chat(
                try ["绑定 甲", "抽奖", "中奖", "中奖汇总", "我的数据", "排队", "验证 tea-1"].map { try Self.line($0, user: user) },
                in: folder)
            #expect(answers.allSatisfy { $0.user == "qq:" + user })
            for answer in answers {
                let bad = answer.reply.unicodeScalars.filter {
                    [.format, .privateUse, .unassigned].contains($0.properties.generalCategory)
                }
                #expect(bad.isEmpty, "\(answer.reply.debugDescription)")
            }
            let database = try DatabaseQueue(path: folder.path + "/a.db")
            let users = try database.read { try String.fetchAll($0, sql: "SELECT id FROM bot_activity_user") }
            try database.close()
            #expect(users.contains { Array($0.utf8) == Array("qq:\(user)".utf8) })
        }
    }

    @Test(
        "hardening row 17: numbers that are plain digits", arguments: [("0", 0), ("00012", 12), ("１２", 12), ("12", 12)])
    func plainDigitsAreNumbers(_ text: String, _ number: Int) throws {
        let folder = try Self.prepared()
        #expect(try Self.chat([try Self.line("奖品数量 cup \(text)", user: "1")], in: folder).map(\.code) == ["ok"])
        let database = try DatabaseQueue(path: folder.path + "/a.db")
        let stored = try database.read {
            try Int.fetchOne($0, sql: "SELECT number FROM bot_activity_award WHERE id = 'cup'")
        }
        try database.close()
        #expect(stored == number)
    }

    @Test("hardening row 22: one id in two groups is two messages")
    func oneIDInTwoGroupsIsTwoMessages() throws {
        let folder = try Self.prepared()
        let answers = try Self.chat(
            try ["g", "h", "g", "h"].map { try Self.line("抽奖", chat: $0, id: "7") }, in: folder)
        #expect(answers.map(\.code) == ["won", "already_won", "won", "already_won"])
    }

    /// What is bound as a value is a name and nothing else.
    @Test(
        "hardening row 84: SQL and wildcards in names are names",
        arguments: ["'); DROP TABLE bot_activity;--", "%", "_%_", "a' OR '1'='1", "\" UNION SELECT seed--", "x\\'; --"])
    func namesAreNames(_ name: String) throws {
        let folder = try Self.prepared()
        let before = try Self.stored(folder)
        let refused = try Self.chat(
            try [
                "奖品数量 \(name) 5", "抽奖结束 \(name)", "导出 \(name)", "验证 \(name)", "作废 \(name) x", "中奖汇总 \(name)",
                "流量设置 \(name) 1",
            ].map { try Self.line($0, user: "1") }, in: folder)
        #expect(refused.allSatisfy { $0.code == "bad_argument" }, "\(refused)")
        #expect(try Self.stored(folder) == before)
        let answers = try Self.chat(
            try [Self.line("绑定 \(name)"), Self.line("抽奖"), Self.line("中奖汇总"), Self.line("我的绑定")], in: folder)
        #expect(answers.map(\.code) == ["ok", "won", "ok", "ok"])
        #expect(answers[2].reply.contains(name + "：") && answers[3].reply.contains(name))
    }

    // MARK: Files

    private static func award(_ fields: String) -> String {
        "id: tea\nname: 茶话会\nawards:\n  - {id: cup, prefix: 一等奖, name: 茶杯, \(fields)}\n  - {id: tea, prefix: 低保, name: 茶叶, kind: DI_BAO}\n"
    }

    struct BadFile: Sendable, CustomTestStringConvertible {
        let row: Int
        let name: String
        let text: String
        /// What the answer must say: the field, or the line.
        let word: String

        var testDescription: String { "row \(row): \(name)" }
    }

    static let badFiles: [BadFile] =
        ["-1", "100.01", ".nan", "NaN", "50%", "0.00001"].map {
            BadFile(row: 70, name: $0, text: award("kind: NORNAL, percent: \($0), number: 20"), word: "percent")
        } + [
            BadFile(
                row: 70, name: "1,001 awards",
                text: "id: tea\nname: 茶话会\nawards:\n"
                    + String(repeating: "  - {name: x, kind: NORNAL, percent: 0.01, number: 1}\n", count: 1001),
                word: "awards")
        ]
        + ["-1", "9223372036854775807", "9223372036854775808", "1000000001"].map {
            BadFile(row: 71, name: $0, text: award("kind: NORNAL, percent: 100, number: \($0)"), word: "number")
        } + [
            BadFile(
                row: 71, name: "below what is issued", text: award("kind: NORNAL, percent: 100, number: 0"), word: "1")
        ]
        + ["0.1+0.2", "100.01", "1e1", "0.00001"].map {
            BadFile(row: 72, name: $0, text: award("kind: NORNAL, percent: \($0), number: 20"), word: "percent")
        }
        + [
            ("an end before the start", "starts_at: 2027-02-10T20:00:00Z\nends_at: 2027-02-10T19:00:00Z"),
            ("an end at the start", "starts_at: 2027-02-10T20:00:00Z\nends_at: 2027-02-10T20:00:00Z"),
            ("no zone", "starts_at: 2027-02-10T20:00:00"),
            ("in a gap of a zone", "starts_at: 2027-03-14T02:30:00 America/New_York"),
            ("in an overlap of a zone", "starts_at: 2027-11-07T01:30:00 EST5EDT"),
            ("no 29 February", "starts_at: 2027-02-29T00:00:00Z"),
            ("the year 10000", "starts_at: 10000-01-01T00:00:00Z"), ("seconds since 1970", "starts_at: 0"),
        ].map {
            BadFile(
                row: 73, name: $0.0,
                text: "id: tea\nname: 茶话会\n\($0.1)\n"
                    + activity.split(separator: "\n").dropFirst(2).joined(separator: "\n") + "\n", word: "s_at")
        }
        + [
            ("an unknown key", "chance: 1\n" + activity, "第 1 行"), ("a key twice", activity + "name: x\n", "第 "),
            ("a tab", activity + "\t- x\n", "第 6 行"),
            ("CR LF", activity.replacingOccurrences(of: "\n", with: "\r\n"), "第 1 行"),
            ("a byte order mark", "\u{FEFF}" + activity, "第 1 行"),
            ("10 MB", activity + String(repeating: "# x\n", count: 2_500_000), "读不出来"),
            ("anchors", "a: &a [x,x,x]\nb: &b [*a,*a,*a]\n" + activity, "第 1 行"),
            ("half of it", String(activity.prefix(70)), "第 "),
            ("nothing", "", "第 1 行"),
        ].map { BadFile(row: 75, name: $0.0, text: $0.1, word: $0.2) }

    /// With one file after the other where the good one was, the activity stays as it is.
    @Test("hardening rows 70, 71, 72, 73, 75: a bad activity file is refused by its place and changes nothing")
    func aBadActivityFileChangesNothing() throws {
        let folder = try Self.prepared()
        // One copy is won, then it is closed, so that a good file would be taken.
        let answers = try Self.chat([try Self.line("抽奖"), try Self.line("抽奖结束", user: "1")], in: folder)
        #expect(answers.map(\.code) == ["won", "ok"])
        let before = try Self.stored(folder)
        try FileManager.default.createDirectory(atPath: folder.path + "/activities", withIntermediateDirectories: false)
        for (number, file) in Self.badFiles.enumerated() {
            _ = try folder.file("activities/f\(number).yaml", file.text)
        }
        let refused = try Self.chat(
            try Self.badFiles.indices.map { try Self.line("活动导入 f\($0).yaml", user: "1") }, in: folder)
        for (file, answer) in zip(Self.badFiles, refused) {
            #expect(
                answer.code == "bad_argument" && answer.reply.contains(file.word), "\(file.testDescription): \(answer)")
        }
        #expect(try Self.stored(folder) == before)
        _ = try folder.file("activities/good.yaml", Self.award("kind: NORNAL, percent: 99.9999, number: 7"))
        #expect(try Self.chat([try Self.line("活动导入 good.yaml", user: "1")], in: folder).map(\.code) == ["ok"])
        #expect(try Self.stored(folder) != before)
    }

    @Test(
        "hardening row 75: odd YAML in the configuration and the reply texts stops the start by its line",
        arguments: [
            ("surprise: 1\n", 1), ("port: 1\nlanguage: en\nlanguage: en\n", 2), ("language: en\n\tport: 1\n", 2),
            ("log_level: info\r\nlanguage: en\r\n", 1), ("\u{FEFF}language: en\n", 1),
            ("language: en\nport: &a 1\n", 2),
            ("language: en\nadmins: [*a]\n", 2), ("language: \"a\\e[31m\"\n", 1), ("language: \"a\\u202E\"\n", 1),
            ("endpoints:\n  webhook: {secret: \"a\\nb\"}\n", 2), ("language: en\n---\nport: 1\n", 2),
            ("a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n", 1),
            (String(repeating: "[", count: 100_000), 1), ("admins: " + String(repeating: "[", count: 100_000), 1),
        ])
    func oddYAMLStopsTheStart(_ yaml: String, _ line: Int) throws {
        let folder = try TemporaryFolder()
        for (name, settings) in [("hongbao.yaml", yaml), ("replies.yaml", "replies_file: replies.yaml\n")] {
            _ = try folder.file("hongbao.yaml", settings)
            // As reply texts only what is read before the keys is the same.
            if name == "replies.yaml" {
                guard yaml.contains("\r") || yaml.contains("&a") || yaml.contains("\u{FEFF}") else { continue }
                _ = try folder.file(name, yaml)
            }
            let program = try Program(["chat", "--database", "b.db"], in: folder.path)
            program.closeInput()
            let result = try #require(program.finish(within: 60), "it does not end")
            #expect(result.status == 1)
            #expect(result.errors.contains("\(name):\(line)"), "\(result.errors.prefix(300))")
            #expect(!result.errors.contains("\u{1B}") && !result.errors.contains("\u{202E}"))
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/b.db"))
        }
    }

    @Test("hardening row 75: a configuration of 10 MB is not read")
    func aHugeConfigurationIsNotRead() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("hongbao.yaml", String(repeating: "# nothing here\n", count: 700_000))
        let result = try Program.run(["config"], in: folder.path)
        #expect(result.status == 1 && result.errors.contains("hongbao.yaml"))
    }

    @Test(
        "hardening row 76: a configuration that is no file neither blocks nor counts as none",
        arguments: ["hongbao.yaml", "replies.yaml", "secret.txt"],
        ["a folder", "a FIFO", "a link to itself", "a link to a FIFO"])
    func aConfigurationThatIsNoFileStopsTheStart(_ name: String, _ kind: String) throws {
        let folder = try TemporaryFolder()
        switch name {
        case "replies.yaml": _ = try folder.file("hongbao.yaml", "replies_file: replies.yaml\n")
        case "secret.txt": _ = try folder.file("hongbao.yaml", "endpoints:\n  webhook: {secret_file: secret.txt}\n")
        default: break
        }
        let path = folder.path + "/" + name
        switch kind {
        case "a folder": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        case "a FIFO": try #require(mkfifo(path, 0o600) == 0)
        case "a link to itself": try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: name)
        default:
            try #require(mkfifo(folder.path + "/fifo", 0o600) == 0)
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "fifo")
        }
        let program = try Program(["serve", "--port", "0", "--database", "b.db"], in: folder.path)
        let result = try #require(program.finish(within: 60), "it blocks")
        #expect(result.status == 1)
        #expect(result.errors.contains(name), "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/b.db"))
    }

    /// Files are read when somebody asks for them: what becomes of one later is nothing to what was read.
    @Test("hardening row 76: a file that is gone, half written or replaced leaves the old")
    func aFileThatIsGoneLeavesTheOld() throws {
        let folder = try Self.prepared()
        _ = try Self.chat([try Self.line("抽奖结束", user: "1")], in: folder)
        let before = try Self.stored(folder)
        let activities = folder.path + "/activities"
        try FileManager.default.createDirectory(atPath: activities, withIntermediateDirectories: false)
        let outside = try folder.file("outside.yaml", Self.activity)
        try FileManager.default.createSymbolicLink(atPath: activities + "/link.yaml", withDestinationPath: outside)
        try FileManager.default.createDirectory(atPath: activities + "/folder.yaml", withIntermediateDirectories: false)
        try #require(mkfifo(activities + "/fifo.yaml", 0o600) == 0)
        _ = try folder.file("activities/half.yaml", String(Self.activity.prefix(90)))
        let unreadable = try folder.file(
            "activities/closed.yaml", Self.activity.replacingOccurrences(of: "20", with: "21"))
        try FileManager.default.setAttributes([.posixPermissions: 0o000], ofItemAtPath: unreadable)
        var names = ["gone", "link", "folder", "fifo", "half"]
        let limits = try Self.giveAway(folder)
        if Self.isHindered { names.append("closed") }
        let answers = try Self.chat(
            try names.map { try Self.line("活动导入 \($0).yaml", user: "1") }, in: folder, limits: limits)
        #expect(answers.allSatisfy { $0.code == "bad_argument" }, "\(answers)")
        #expect(try Self.stored(folder) == before)
    }

    @Test(
        "hardening row 78: the program says that it may not write its database",
        .enabled(if: HostileInputTests.isHindered, "root may write everything, and no other user may run this build"))
    func aDatabaseThatMayNotBeWrittenIsRefused() throws {
        let folder = try Self.prepared()
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/a.db"))
        let limits = try Self.giveAway(folder)
        try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: folder.path + "/a.db")
        let result = try Program.run(
            ["chat", "--json", "--database", "a.db"], in: folder.path, input: try Self.line("抽奖"), limits: limits)
        #expect(result.status == 1 && result.lines.isEmpty, "\(result.output)")
        #expect(result.errors.contains("数据库文件打不开或不能写"), "\(result.errors)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/a.db")) == before)
    }

    /// Whether there is a user for the program whom the rights of a file can stop.
    private static let isHindered = !Program.isUnhindered || Program.withoutRights != nil

    /// Root reads and writes everything: the folder then goes to a user without rights, who runs the program.
    ///
    /// - Returns: The program's `limits`.
    private static func giveAway(_ folder: TemporaryFolder) throws -> String? {
        guard let limits = Program.withoutRights else { return nil }
        let given = try Shell.run("chown -R nobody .", in: folder.path)
        try #require(given.status == 0, "\(given.text)")
        return limits
    }

    // MARK: Counters

    struct Counter: Sendable, CustomTestStringConvertible {
        let column: String
        let condition: String
        var testDescription: String { column }

        init(_ column: String, _ condition: String = "TRUE") {
            self.column = column
            self.condition = condition
        }
    }

    /// Counters that stand at their ends, as after years or by another program's hand: draws go on, or it stops with a
    /// message; it never traps.
    @Test(
        "hardening row 82: counters at their ends never trap",
        arguments: [
            Counter("bot_activity.draw_count"), Counter("bot_activity.user_count"),
            Counter("bot_activity.max_attempts"),
            Counter("bot_activity_award.issued", "id = 'tea'"), Counter("bot_activity_award.number", "id = 'cup'"),
            Counter("bot_activity_award.issued", "id = 'cup'"),
            Counter("bot_user_attempt.misses"), Counter("bot_user_attempt.voids"), Counter("bot_user_attempt.last_seq"),
            Counter("bot_draw_ledger.seq", "seq = 2"), Counter("bot_draw_ledger.attempt", "seq = 1"),
            Counter("bot_draw_ledger.round", "seq = 1"), Counter("bot_draw_round.round"),
            Counter("redpacket_activity_participants.queue_ticket"),
            Counter("redpacket_activity_participants.queue_position"),
            Counter("redpacket_traffic_stats.total_requests"),
        ])
    func countersAtTheirEndsNeverTrap(_ counter: Counter) throws {
        let template = try Self.prepared()
        _ = try Self.chat(
            try [
                Self.line("抽奖"), Self.line("作废 tea-1 x", user: "1"), Self.line("绑定 乙", user: "3"),
                Self.line("排队", user: "3"),
            ], in: template)
        let parts = counter.column.split(separator: ".")
        for value in [Int64(1) << 31, 1 << 53, .max] {
            let folder = try TemporaryFolder()
            try FileManager.default.copyItem(atPath: template.path + "/a.db", toPath: folder.path + "/a.db")
            let database = try DatabaseQueue(path: folder.path + "/a.db")
            try database.writeWithoutTransaction { db in
                try db.execute(sql: "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF")
                try db.execute(
                    sql: "UPDATE \(parts[0]) SET \(parts[1]) = ? WHERE \(counter.condition)", arguments: [value])
                try db.execute(
                    sql: "UPDATE redpacket_activity_participants SET status = 'queued' WHERE queue_ticket = ?",
                    arguments: [value])
            }
            try database.close()
            let driftBefore = try Self.drift(folder)
            let lines = try [
                Self.line("抽奖"), Self.line("抽奖", user: "3"), Self.line("作废 tea-3 x", user: "1"),
                Self.line("排队", user: "3"),
                Self.line("活动"), Self.line("中奖汇总"), Self.line("我的数据"), Self.line("奖品数量 cup 30", user: "1"),
                Self.line("流量", user: "1"), Self.line("导出 tea", user: "1"), Self.line("抽奖结束", user: "1"),
                Self.line("抽奖开始 tea", user: "1"),
            ]
            let result = try Program.run(
                ["chat", "--json", "--database", "a.db", "--admin", "qq:1"], in: folder.path,
                input: lines.joined(separator: "\n"), environment: ["SWIFT_BACKTRACE": "enable=no"])
            let hint: Comment = "\(counter.column) = \(value): \(result.status) \(result.errors.prefix(300))"
            #expect([0, 1].contains(result.status), hint)
            let doctor = try Program.run(
                ["doctor", "--offline", "--database", "a.db"], in: folder.path,
                environment: ["SWIFT_BACKTRACE": "enable=no"])
            #expect([0, 1].contains(doctor.status), "doctor: \(doctor.status); \(hint)")
            if result.status == 1 {
                #expect(result.errors.contains("数据库"), hint)
            } else {
                #expect(result.lines.count == lines.count, hint)
                // What was made wrong beforehand may stay wrong; nothing becomes so.
                for (name, count) in try Self.drift(folder) {
                    #expect(count == 0 || count == driftBefore[name], "\(name) is off by \(count); \(hint)")
                }
            }
        }
    }

    /// By how much stock, wins and ledger differ from each other.
    private static func drift(_ folder: TemporaryFolder) throws -> [String: Int64] {
        let database = try DatabaseQueue(path: folder.path + "/a.db")
        defer { try? database.close() }
        return try database.read { db in
            var drift: [String: Int64] = [:]
            let stock = """
                SELECT a.id, a.issued - (SELECT count(*) FROM bot_user_award w WHERE w.activity_id = a.activity_id
                    AND w.activity_award_id = a.id AND w.voided_at IS NULL) AS count FROM bot_activity_award a
                """
            for row in try Row.fetchAll(db, sql: stock) { drift["stock of \(row["id"] as String)"] = row["count"] }
            for (name, sql) in [
                (
                    "wins",
                    """
                    SELECT (SELECT count(*) FROM bot_draw_ledger WHERE type = 'draw' AND award_id IS NOT NULL)
                        - (SELECT count(*) FROM bot_user_award)
                    """
                ),
                (
                    "voids",
                    """
                    SELECT (SELECT count(*) FROM bot_draw_ledger WHERE type = 'void')
                        - (SELECT count(*) FROM bot_user_award WHERE voided_at IS NOT NULL)
                    """
                ),
                (
                    "wins with another row",
                    """
                    SELECT count(*) FROM bot_user_award w LEFT JOIN bot_draw_ledger l
                        ON l.activity_id = w.activity_id AND l.seq = w.seq
                    WHERE l.award_id IS NOT w.activity_award_id OR l.user_id IS NOT w.user_id
                    """
                ),
            ] { drift[name] = try Int64.fetchOne(db, sql: sql) }
            return drift
        }
    }

    // MARK: The environment

    /// The same talk under every environment gives the same answers, but for what is random or a time.
    @Test("hardening row 90: locale, time zone and umask change nothing")
    func theEnvironmentChangesNothing() throws {
        let lines = try [
            Self.line("绑定 ＩSTANBUL ıİ", user: "5"), Self.line("我的绑定", user: "5"), Self.line("DRAW", user: "5"),
            Self.line("BIND ISTANBUL", user: "6"), Self.line("MY WINS", user: "6"), Self.line("中奖", user: "5"),
            Self.line("中奖汇总"), Self.line("奖池"), Self.line("活动"), Self.line("流量设置 TIME_ZONE utc", user: "1"),
            Self.line("流量设置 rush_hour_start 7", user: "1"),
            Self.line("导出 TEA", user: "1"),
            Self.line("抽奖结束", user: "1"),
        ]
        func transcript(_ environment: [String: String], umask: String) throws -> [String] {
            let folder = try Self.prepared()
            let program = try Program(
                ["chat", "--json", "--database", "b.db", "--admin", "qq:1", "--activity", "tea.yaml"], in: folder.path,
                environment: environment, limits: "umask \(umask)")
            for line in [try Self.line("抽奖开始 茶话会", user: "1")] + lines { program.write(line + "\n") }
            program.closeInput()
            let result = try #require(program.finish(within: 120))
            #expect(result.status == 0, "\(environment): \(result.errors)")
            #expect(result.lines.count == lines.count + 1)
            // Whoever else has an account here changes nothing, and does not read the database.
            for name in ["b.db", "exports/tea.ledger.jsonl", "exports/tea.winners.csv"] {
                let attributes = try FileManager.default.attributesOfItem(atPath: folder.path + "/" + name)
                let mode = (attributes[.posixPermissions] as? Int) ?? 0o777
                let expected = name == "b.db" || umask == "077" ? 0o600 : 0o644
                #expect(mode == expected, "\(name) under \(umask): \(String(mode, radix: 8))")
            }
            // The file holds UTC.
            let database = try DatabaseQueue(path: folder.path + "/b.db")
            let opened = try database.read { try String.fetchOne($0, sql: "SELECT opened_at FROM bot_draw_round") }
            try database.close()
            let utc = Date().formatted(.iso8601).prefix(10)
            #expect(opened?.hasPrefix(utc) == true || opened == nil || Date().formatted(.iso8601).contains("T00:"))
            return result.lines.map { line in
                line.replacing(/[0-9a-f]{16,64}/, with: "H").replacing(/\d{4}-\d\d-\d\d \d\d:\d\d/, with: "T")
            }
        }
        let plain = try transcript(["LANG": "C.UTF-8"], umask: "022")
        for (environment, umask) in [
            (["LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"], "022"), (["TZ": ":bad"], "022"),
            (["TZ": "Asia/Kathmandu"], "000"),
            (["LANG": "xx_XX", "TZ": "../../etc/passwd"], "077"), (["LC_ALL": "C"], "000"),
        ] {
            for (line, expected) in zip(try transcript(environment, umask: umask), plain) {
                #expect(line == expected, "\(environment)")
            }
        }
    }

    // MARK: The end

    @Test("hardening row 57: connections that are stuck end with the server")
    func stuckConnectionsEndWithTheServer() throws {
        let folder = try TemporaryFolder()
        let serve = try ServeProcess(in: folder, yaml: WebhookSender.yaml)
        let stuck = try [
            "", "GET /api/tra",
            "POST /api/traffic/join HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{",
            "POST /webhook/webhook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nab",
        ].map { start in
            let client = try SocketClient(serve.port)
            try client.send(Array(start.utf8))
            return client
        }
        defer { for client in stuck { client.close() } }
        let start = ContinuousClock.now
        let result = try serve.stop(within: 25)
        #expect(result.status == 0, "\(result.errors)")
        #expect(ContinuousClock.now - start < .seconds(25))
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/serve.db-wal"))
    }
}
