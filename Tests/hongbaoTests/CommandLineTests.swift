import Basics
import Foundation
import GRDB
import Lottery
import TestSupport
import Testing

/// The program as somebody at a terminal meets it: what it prints, what it refuses, how it ends.
@Suite struct CommandLineTests {
    private static let sample = """
        id: tea
        name: 茶话会
        awards:
          - {id: cup, prefix: 一等奖, name: 茶杯, kind: NORNAL, percent: 100, number: 2}
          - {id: tea, prefix: 低保, name: 茶叶, kind: DI_BAO}

        """

    // MARK: Talking

    @Test func aDemoCanBeTriedAtOnce() throws {
        let folder = try TemporaryFolder()
        let result = try Program.run(
            ["chat", "--demo"], in: folder.path, input: "绑定 剑侠客\n抽奖\n奖池\n中奖汇总\n抽奖结束\n")
        #expect(result.status == 0)
        for text in ["绑定成功", "恭喜中奖", "低保", "剑侠客", "种子"] { #expect(result.output.contains(text)) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test func aLineIsOneMessageAndTheLastNeedsNoNewline() throws {
        let folder = try TemporaryFolder()
        let result = try Program.run(
            ["chat", "--demo", "--as", "qq:7"], in: folder.path, input: "绑定 甲\r\n我的绑定")
        #expect(result.lines.count == 2)
        #expect(result.lines.last?.contains("甲") == true)
    }

    /// Short lines come by the ten thousand in one read; none of them may be told that too much is waiting.
    @Test func manyShortLinesAreAllAnswered() throws {
        let folder = try TemporaryFolder()
        let lines = 40_000
        let result = try Program.run(
            ["chat", "--as", "qq:1", "--admin", "qq:1"], in: folder.path,
            input: String(repeating: "流量\n", count: lines))
        #expect(result.output.components(separatedBy: "在场").count - 1 == lines)
    }

    @Test func jsonAnswersEveryLineInOrderAlsoBadOnes() throws {
        let folder = try TemporaryFolder()
        let long = String(repeating: "长", count: 60_000)
        let input = [
            #"{"platform":"qq","user":"1","chat":"g","id":"x","text":"绑定 甲"}"#, "nonsense", "",
            #"{"platform":"qq","user":"2","text":"\#(long)"}"#,
            #"{"platform":"qq","user":"2","id":7,"text":"抽奖"}"#,
            #"{"platform":"qq","user":"2","chat":"g","text":"随便聊聊"}"#, #"{"user":true,"id":"y","text":"抽奖"}"#,
        ].joined(separator: "\n")
        let result = try Program.run(["chat", "--json"], in: folder.path, input: input)
        #expect(result.status == 0)
        let starts = [
            #"{"id":"x","user":"qq:1","code":"ok","reply":"绑定成功"#, #"{"user":null,"code":"bad_argument""#,
            #"{"user":null,"code":"bad_argument""#, #"{"user":null,"code":"bad_argument""#,
            #"{"id":7,"user":"qq:2","code":"no_activity""#, #"{"user":"qq:2","code":"ignored","reply":""}"#,
            #"{"id":"y","user":null,"code":"bad_argument""#,
        ]
        #expect(result.lines.count == starts.count)
        for (line, start) in zip(result.lines, starts) { #expect(line.hasPrefix(start), "\(line)") }
    }

    @Test func aTerminationFinishesWhatWasAcceptedAndClosesTheFile() throws {
        let folder = try TemporaryFolder()
        let program = try Program(["chat", "--json", "--database", "a.db"], in: folder.path) { _ in }
        let count = 200
        for number in 0..<count {
            program.write(#"{"platform":"qq","user":"\#(number)","chat":"g","id":"\#(number)","text":"绑定 甲"}"# + "\n")
        }
        // An unfinished line was not sent, so it must not be executed.
        program.write(#"{"platform":"qq","user":"900","chat":"g","text":"绑定 乙"}"#)
        Thread.sleep(forTimeInterval: 2)
        program.send(SIGTERM)
        let result = program.finish()
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.lines.count == count)
        #expect(!result.output.contains("qq:900"))
        for name in ["a.db-wal", "a.db-shm"] {
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/" + name), "\(name)")
        }
    }

    @Test("hardening row 80: a second process is refused and the first goes on")
    func aSecondProcessIsRefusedAndTheFirstGoesOn() throws {
        let folder = try TemporaryFolder()
        let first = try Program(["chat", "--json", "--database", "a.db"], in: folder.path) { _ in }
        first.write(#"{"platform":"qq","user":"1","text":"绑定 甲"}"# + "\n")
        Thread.sleep(forTimeInterval: 1.5)
        let second = try Program.run(["chat", "--json", "--database", "a.db"], in: folder.path)
        #expect(second.status == 1)
        #expect(second.errors.contains("另一个 hongbao"))
        // Reading goes on beside it, writing says what to use instead.
        let list = try Program.run(["activity", "list", "--database", "a.db"], in: folder.path)
        #expect(list.status == 0, "\(list.errors)")
        let start = try Program.run(["activity", "start", "茶话会", "--database", "a.db"], in: folder.path)
        #expect(start.status == 1)
        #expect(start.errors.contains("抽奖开始"))
        first.write(#"{"platform":"qq","user":"1","text":"我的绑定"}"# + "\n")
        first.closeInput()
        #expect(first.finish().lines.count == 2)
    }

    /// Somebody edits the configuration with another program and takes their time: answers wait, and nothing but answers
    /// is on standard output.
    @Test func anotherProgramAtTheDatabaseIsWaitedForInSilence() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.db"
        let answered = DispatchSemaphore(value: 0)
        let program = try Program(["chat", "--json", "--database", "a.db"], in: folder.path) { _ in answered.signal() }
        program.write(#"{"platform":"qq","user":"1","text":"绑定 甲"}"# + "\n")
        #expect(answered.wait(timeout: .now() + 30) == .success)
        let other = try DatabaseQueue(path: path)
        try other.writeWithoutTransaction { db in
            try db.execute(sql: "BEGIN IMMEDIATE")
            try db.execute(
                sql: "UPDATE redpacket_traffic_config SET config_value = '5' WHERE config_key = 'max_concurrent_users'")
            program.write(#"{"platform":"qq","user":"2","text":"绑定 乙"}"# + "\n")
            #expect(answered.wait(timeout: .now() + 5) == .timedOut)
            try db.execute(sql: "COMMIT")
        }
        #expect(answered.wait(timeout: .now() + 30) == .success)
        try other.close()
        program.closeInput()
        let result = program.finish()
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.lines.count == 2)
        #expect(result.lines.allSatisfy { $0.hasPrefix("{") })
        #expect(result.errors.contains("another program is writing"))
    }

    // MARK: Activities

    @Test func anActivityGoesThroughItsLifeAtTheCommandLine() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("tea.yaml", Self.sample)
        func run(_ arguments: String...) throws -> Program.Result {
            try Program.run(["activity"] + arguments + ["--database", "a.db"], in: folder.path)
        }
        #expect(try run("import", "tea.yaml").status == 0)
        #expect(try run("list").output.contains("茶话会"))
        #expect(try run("start", "茶话会").output.contains("活动开启成功"))
        #expect(try run("show", "茶话会").output.contains("commitment"))
        let import2 = try run("import", "tea.yaml")
        #expect(import2.status == 0, "the same file again is nothing new")
        #expect(try run("stop", "tea").output.contains("种子"))
        let export = try run("export", "茶话会", "--out", "out")
        #expect(export.lines == ["out/tea.ledger.jsonl", "out/tea.winners.csv"])
        #expect(try run("export", "茶话会", "--out", "open", "--public").lines == ["open/tea.ledger.jsonl"])
        let verified = try Program.run(["verify", "out/tea.ledger.jsonl"], in: folder.path)
        #expect(verified.status == 0)
        #expect(verified.output.contains("账本成立"))
        #expect(try run("show", "没有").status == 1)
        #expect(try run("stop", "tea").status == 1)
    }

    @Test func aTamperedLedgerIsRefusedAtItsFirstBadRow() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("tea.yaml", Self.sample)
        let input = ["抽奖开始 茶话会", "绑定 甲", "抽奖", "抽奖结束", "导出 茶话会"].joined(separator: "\n")
        let talk = try Program.run(
            ["chat", "--as", "qq:1", "--admin", "qq:1", "--activity", "tea.yaml"], in: folder.path, input: input)
        #expect(talk.status == 0, "\(talk.errors)")
        var lines = try folder.text("exports/tea.ledger.jsonl").split(separator: "\n").map(String.init)
        let head = String(try #require(lines.last).suffix(66).prefix(64))
        #expect(
            try Program.run(["verify", "exports/tea.ledger.jsonl", "--head", head], in: folder.path).status == 0)
        lines[1] = lines[1].replacingOccurrences(of: "\"award\":\"cup\"", with: "\"award\":\"tea\"")
        _ = try folder.file("bad.jsonl", lines.joined(separator: "\n") + "\n")
        let bad = try Program.run(["verify", "bad.jsonl"], in: folder.path)
        #expect(bad.status == 1)
        #expect(bad.output.contains("第 2 行"))
        #expect(try Program.run(["verify", "nowhere.jsonl"], in: folder.path).status == 1)
        #expect(try Program.run(["verify", "bad.jsonl", "--head", "xyz"], in: folder.path).status == 64)
        let folderInstead = try Program.run(["verify", "."], in: folder.path)
        #expect(folderInstead.status == 1)
    }

    /// Much longer than what is read of it at once.
    @Test func aBadLineIsNamedWhereverItStandsInALongLedger() throws {
        let folder = try TemporaryFolder()
        let awards = [
            ActivityAward(id: "cup", kind: .NORNAL, percent: .of("50"), name: "茶杯", number: 400),
            ActivityAward(id: "tea", kind: .DI_BAO, name: "茶"),
        ]
        var ledger = LedgerBuilder(Activity(id: "tea", name: "茶话会", awards: awards), seed: 1)
        ledger.open()
        for number in 1...1500 { ledger.draw(UserID("qq:\(number)")) }
        ledger.close()
        let lines = ledger.rows.map(\.canonicalText)
        func verify(_ lines: [String], end: String = "\n") throws -> Program.Result {
            _ = try folder.file("tea.jsonl", lines.joined(separator: "\n") + end)
            return try Program.run(["verify", "tea.jsonl"], in: folder.path)
        }
        for end in ["\n", ""] {
            let good = try verify(lines, end: end)
            #expect(good.status == 0 && good.output.contains("rows: 1502"), "\(good.output)")
        }
        for index in [1, 700, 1499] {
            var bad = lines
            bad[index] = lines[index].replacingOccurrences(of: "\"attempt\":1", with: "\"attempt\":2")
            var unreadable = lines
            unreadable[index] += " "
            var empty = lines
            empty.insert("", at: index)
            var endless = lines
            endless[index] = String(repeating: "x", count: 9 << 20)
            for lines in [bad, unreadable, empty, endless] {
                let result = try verify(lines)
                #expect(result.status == 1 && result.output.contains("第 \(index + 1) 行"), "\(result.output)")
                #expect(result.output.contains("rows: \(index)\n"), "\(result.output)")
            }
        }
    }

    @Test func aNameInALedgerLooksLikeNoVerdict() throws {
        let folder = try TemporaryFolder()
        let name = "茶杯\n✓ 账本成立。The ledger holds.\u{1B}[8m\u{9B}8m"
        var ledger = LedgerBuilder(
            Activity(id: "tea", name: "茶话会", awards: [ActivityAward(id: "cup", kind: .DI_BAO, name: name)]), seed: 1)
        ledger.open()
        ledger.close()
        _ = try folder.file("tea.jsonl", String(decoding: ledger.contents, as: UTF8.self))
        _ = try folder.file(
            "bad.jsonl", String(decoding: ledger.contents.dropLast(9), as: UTF8.self) + "\u{85}\u{1B}\"}")
        for (file, verdicts) in [("tea.jsonl", 1), ("bad.jsonl", 0)] {
            let result = try Program.run(["verify", file], in: folder.path)
            #expect(result.lines.count { $0.hasPrefix("✓") } == verdicts, "\(result.output)")
            #expect(
                !result.output.unicodeScalars.contains { $0 != "\n" && $0.properties.generalCategory == .control },
                "\(result.output.debugDescription)")
        }
    }

    @Test func aSimulationShowsWhatWouldRunOut() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("tea.yaml", Self.sample)
        let result = try Program.run(["simulate", "tea.yaml", "--users", "10", "--seed", "1"], in: folder.path)
        #expect(result.status == 0)
        #expect(result.output.contains("发出 given 2（2–2）"))
        #expect(result.output.contains("发出 given 8（8–8）"))
        #expect(try Program.run(["simulate", "tea.yaml", "--users", "0"], in: folder.path).status == 64)
        #expect(try Program.run(["simulate", "none.yaml", "--users", "5"], in: folder.path).status == 1)
        _ = try folder.file("bad.yaml", "name: 坏\nawards:\n  - {name: 甲, kind: NORNAL, percent: 50%, number: 1}\n")
        let bad = try Program.run(["simulate", "bad.yaml", "--users", "5"], in: folder.path)
        #expect(bad.status == 1)
        #expect(bad.errors.contains("percent"))
        #expect(bad.errors.contains("3"))
    }

    @Test func aBrokenActivityFileStopsTheStartAndChangesNothing() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("bad.yaml", "name: 坏\nawards: []\n")
        let result = try Program.run(["chat", "--activity", "bad.yaml"], in: folder.path, input: "抽奖\n")
        #expect(result.status == 1)
        #expect(result.errors.contains("awards"))
        #expect(result.output.isEmpty)
    }

    @Test(arguments: [
        ["activity", "import", "bad.yaml"], ["activity", "start", "没有"], ["activity", "stop", "没有"],
        ["chat", "--activity", "bad.yaml"],
    ])
    func aRefusedCommandSaysSoOnceAndNothingElse(_ arguments: [String]) throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("bad.yaml", "name: 坏\nawards: []\n")
        let result = try Program.run(arguments, in: folder.path)
        #expect(result.status == 1)
        #expect(result.output.isEmpty)
        #expect(result.errors.components(separatedBy: "什么都没有改变").count == 2, "\(result.errors)")
        #expect(result.errors.hasPrefix("Error: "), "\(result.errors)")
        for alarm in ["CancellationError", "batch failed", " error hongbao"] {
            #expect(!result.errors.contains(alarm), "\(result.errors)")
        }
    }

    @Test(
        "hardening row 76: only regular files are opened",
        arguments: [["verify"], ["simulate", "--users", "5"], ["activity", "import"], ["chat", "--activity"]])
    func onlyRegularFilesAreOpened(_ arguments: [String]) throws {
        let folder = try TemporaryFolder()
        try #require(mkfifo(folder.path + "/fifo", 0o600) == 0)
        for (file, text) in [
            ("fifo", "不是普通文件"), (".", "不是普通文件"), ("/dev/zero", "不是普通文件"), ("nope", "找不到文件 nope"),
        ] {
            let program = try Program(arguments + [file], in: folder.path)
            let result = try #require(program.finish(within: 20), "\(file) blocks")
            #expect(result.status == 1)
            #expect(result.errors.contains(text), "\(result.errors)")
            #expect(!result.errors.contains("活动文件夹"))
        }
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/hongbao.db"))
    }

    @Test("hardening row 76: a FIFO among the activities is refused") func aFIFOInTheActivitiesFolderIsRefused() throws
    {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder.path + "/activities", withIntermediateDirectories: false)
        try #require(mkfifo(folder.path + "/activities/fifo.yaml", 0o600) == 0)
        _ = try folder.file("tea.yaml", Self.sample)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/activities/link.yaml", withDestinationPath: "../tea.yaml")
        let program = try Program(["chat", "--as", "qq:1", "--admin", "qq:1"], in: folder.path)
        program.write("活动导入 fifo\n活动导入 link.yaml\n")
        program.closeInput()
        let result = try #require(program.finish(within: 20), "it blocks")
        #expect(result.lines.count == 2)
        for line in result.lines { #expect(line.contains("读不出来"), "\(line)") }
    }

    @Test func aFolderThatCannotBeWrittenIsNamed() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("tea.yaml", Self.sample)
        #expect(try Program.run(["activity", "import", "tea.yaml"], in: folder.path).status == 0)
        for out in ["tea.yaml", "tea.yaml/out"] {
            let result = try Program.run(["activity", "export", "tea", "--out", out], in: folder.path)
            #expect(result.status == 1)
            #expect(result.errors.contains("无法写入文件夹 \(out)。"), "\(result.errors)")
            #expect(result.errors.contains("The folder \(out) cannot be written to: "), "\(result.errors)")
            #expect(result.errors.split(separator: "\n").count == 2, "\(result.errors)")
        }
    }

    @Test func anAwardWithoutPrefixIsPrintedWithoutABlank() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("tea.yaml", Self.sample.replacingOccurrences(of: "prefix: 一等奖, ", with: ""))
        func run(_ arguments: String...) throws -> Program.Result { try Program.run(arguments, in: folder.path) }
        #expect(try run("activity", "import", "tea.yaml").status == 0)
        #expect(try run("activity", "start", "tea").status == 0)
        #expect(try run("activity", "show", "tea").lines.contains { $0.hasPrefix("  1. 茶杯 [cup]") })
        #expect(try run("activity", "show", "tea").lines.contains { $0.hasPrefix("  2. 低保 茶叶 [tea]") })
        #expect(try run("activity", "export", "tea", "--out", ".").status == 0)
        #expect(try run("verify", "tea.ledger.jsonl").lines.contains { $0.hasPrefix("茶杯 [cup]") })
    }

    // MARK: Files that are not ours

    @Test(arguments: ["", "hello, this is a text\n", "SQLite format 3\0 and then nothing"])
    func aForeignFileIsRefusedUnchanged(_ contents: String) throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("a.db", contents)
        let result = try Program.run(["chat", "--database", "a.db"], in: folder.path, input: "抽奖\n")
        #expect(result.status == 1)
        #expect(!result.errors.isEmpty)
        #expect(try folder.text("a.db") == contents)
    }

    @Test func anotherProgramsDatabaseIsRefusedUnchanged() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/a.db"
        let queue = try DatabaseQueue(path: path)
        try queue.write { try $0.execute(sql: "CREATE TABLE diary (day TEXT)") }
        try queue.close()
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        let result = try Program.run(["chat", "--database", "a.db"], in: folder.path, input: "抽奖\n")
        #expect(result.status == 1)
        #expect(result.errors.contains("不是本版本 hongbao 的数据库"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }

    @Test func aMissingFolderIsNamed() throws {
        let folder = try TemporaryFolder()
        let result = try Program.run(["chat", "--database", "none/a.db"], in: folder.path, input: "抽奖\n")
        #expect(result.status == 1)
        #expect(result.errors.contains("none"))
    }

    // MARK: Configuration

    @Test func theCommandLineGoesBeforeTheEnvironmentBeforeTheFile() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file(
            "hongbao.yaml", "database: file.db\nlanguage: en\nadmins: [\"qq:1\"]\nactivities_folder: acts\n")
        let result = try Program.run(
            ["config", "--database", "line.db"], in: folder.path,
            environment: ["HONGBAO_DATABASE": "environment.db", "HONGBAO_LANGUAGE": "zh-Hant"])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.lines.contains("database: line.db  # command line"))
        #expect(result.lines.contains("language: zh-Hant  # environment"))
        #expect(result.lines.contains("admins: [qq:1]  # file"))
        #expect(result.lines.contains("activities_folder: acts  # file"))
        #expect(result.lines.contains("log_level: warning  # default"))
    }

    @Test(arguments: [
        ("admin: [\"qq:1\"]\n", "admin"), ("language: fr\n", "language"), ("admins: qq1\n", "admins"),
        ("admins: [\"10001\"]\n", "admins"), ("suggestions: perhaps\n", "suggestions"),
        ("time_zone: Mars/Olympus\n", "time_zone"), ("log_level: loud\n", "log_level"),
        ("exports_folder: [a, b]\n", "exports_folder"),
        ("- a\n- b\n", "hongbao.yaml"), ("a: [\n", "hongbao.yaml"), ("replies_file: none.yaml\n", "replies_file"),
    ])
    func aBadConfigurationValueStopsTheStartWithItsName(_ yaml: String, _ name: String) throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("hongbao.yaml", yaml)
        let result = try Program.run(["chat", "--database", "a.db"], in: folder.path, input: "抽奖\n")
        #expect(result.status == 1, "\(yaml)")
        #expect(result.errors.contains(name), "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/a.db"))
    }

    @Test(arguments: ["", "\n", "# language: en\n# admins: []\n", "---\n", "~\n"])
    func aConfigurationFileThatSaysNothingIsAsGoodAsNone(_ yaml: String) throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("hongbao.yaml", yaml)
        let result = try Program.run(["config"], in: folder.path)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.lines.allSatisfy { $0.hasSuffix("# default") })
    }

    @Test(arguments: [
        ("admins: qq:1\n", "admins 的值“qq:1”"), ("exports_folder: [a, b]\n", "exports_folder 的值“[a, b]”"),
        ("database: a.db\nlanguage: en\nlanguage: en\n", "hongbao.yaml:2：键“language”写了不止一次"),
        ("database: a.db\nadmins: {qq: 1}\n", "hongbao.yaml:2：键“admins”应为"), ("database: 'a\n", "hongbao.yaml:"),
    ])
    func aConfigurationFaultShowsTheValueOrTheLineInOneSentence(_ yaml: String, _ text: String) throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("hongbao.yaml", yaml)
        let result = try Program.run(["config"], in: folder.path)
        #expect(result.status == 1)
        #expect(result.errors.contains(text), "\(result.errors)")
        #expect(result.errors.split(separator: "\n").count == 2, "\(result.errors)")
    }

    @Test func repliesCanBeOverridden() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("mine.yaml", "no_activity: 现在没有活动，等通知。\n")
        _ = try folder.file("hongbao.yaml", "replies_file: mine.yaml\n")
        let result = try Program.run(["chat", "--database", "a.db"], in: folder.path, input: "抽奖\n")
        #expect(result.lines == ["现在没有活动，等通知。"])
    }

    @Test(arguments: [
        ["chat", "--as", "nobody"], ["chat", "--nonsense"], ["nonsense"], ["simulate", "a.yaml"],
        ["chat", "--json", "--as", "qq:1"], ["chat", "--demo", "--database", "a.db"],
    ])
    func wrongUsageEndsWith64(_ arguments: [String]) throws {
        let folder = try TemporaryFolder()
        #expect(try Program.run(arguments, in: folder.path).status == 64)
    }

    @Test(arguments: [
        ["--help"], ["--version"], ["chat", "--help"], ["activity", "--help"], ["activity", "import", "--help"],
    ])
    func helpAndVersionEndWell(_ arguments: [String]) throws {
        let folder = try TemporaryFolder()
        let result = try Program.run(arguments, in: folder.path)
        #expect(result.status == 0)
        #expect(!result.output.isEmpty)
    }
}
