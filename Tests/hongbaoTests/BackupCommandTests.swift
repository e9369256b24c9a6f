import Foundation
import GRDB
import Testing

@testable import hongbao

/// `hongbao backup` and `hongbao restore` as an operator meets them.
@Suite struct BackupCommandTests {
    private static let activity = """
        id: spring
        name: 春节抽奖
        awards:
          - {id: skin, prefix: 一等奖, name: 皮肤, kind: NORNAL, percent: 50, number: 500}

        """

    /// A folder with an open activity in `hongbao.db`.
    private func opened() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        _ = try folder.file("spring.yaml", Self.activity)
        let result = try Shell.run(
            "hongbao activity import spring.yaml && hongbao activity start spring", in: folder.path)
        try #require(result.status == 0, "\(result.text)")
        return folder
    }

    /// Each of `users` binds and draws.
    private static func lines(_ users: ClosedRange<Int>) -> String {
        users.flatMap { user in
            ["绑定 角色\(user)", "抽奖"].map { text in
                #"{"platform":"qq","user":"\#(user)","chat":"g","id":"\#(text.prefix(1))\#(user)","text":"\#(text)"}"#
                    + "\n"
            }
        }.joined()
    }

    @discardableResult
    private func draw(_ users: ClosedRange<Int>, in folder: TemporaryFolder) throws -> Program.Result {
        try Program.run(["chat", "--json"], in: folder.path, input: Self.lines(users))
    }

    private func run(_ folder: TemporaryFolder, _ arguments: String...) throws -> Program.Result {
        let result = try Program.run(arguments, in: folder.path)
        // Chinese first, English beside it.
        if result.status == 1, !arguments.contains("doctor") {
            let first = result.errors.split(separator: "\n").first { $0.contains("Error: ") }
            let isChinese = first?.unicodeScalars.contains { $0.properties.isIdeographic } == true
            #expect(isChinese, "\(result.errors)")
        }
        return result
    }

    /// Without what SQLite leaves beside a database that was only read.
    private func contents(_ folder: TemporaryFolder) throws -> Set<String> {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        return Set(names.filter { !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm") })
    }

    // MARK: The story

    @Test func anOlderBackupDrawsOnlyOnceSomebodyConfirms() throws {
        // Given a backup, and draws after it
        let folder = try opened()
        #expect(try draw(1...20, in: folder).status == 0)
        let backup = try run(folder, "backup", "backup.db")
        #expect(backup.status == 0, "\(backup.errors)")
        #expect(backup.lines.first == "✓ 已备份到 backup.db，已检查。Backed up to backup.db, and checked.")
        #expect(backup.output.contains("活动 activities 1，抽奖 draws 20，中奖 wins "))
        #expect(backup.output.contains("进行中 open：春节抽奖 (spring)，末行 head spring-20 "))
        try draw(21...50, in: folder)

        // When it is restored, then it is said what is missing and where the rest is,
        let restored = try run(folder, "restore", "backup.db")
        #expect(restored.status == 0, "\(restored.errors)")
        #expect(restored.output.contains("缺 30 行，编号 spring-21 到 spring-50"), "\(restored.output)")
        let export = try #require(restored.lines.first { $0.contains("hongbao activity export ") })
        #expect(try Shell.run(export, in: folder.path).status == 0)
        #expect(try folder.text("before/spring.ledger.jsonl").split(separator: "\n").count == 51)

        // nothing that writes starts,
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/hongbao.db"))
        for arguments in [["chat", "--json"], ["serve", "--port", "0"], ["activity", "stop", "spring"]] {
            let program = try Program(arguments, in: folder.path)
            program.closeInput()
            let result = try #require(program.finish(within: 30), "\(arguments) runs")
            #expect(result.status == 1)
            #expect(result.output.isEmpty)
            #expect(result.errors.contains("编号 spring-21 到 spring-50"), "\(result.errors)")
            #expect(result.errors.contains("receipts spring-21 to spring-50"), "\(result.errors)")
            #expect(result.errors.contains("hongbao restore --accept-lost-draws --database ./hongbao.db"))
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/hongbao.db")) == before)

        // what reads works, and the doctor says why,
        #expect(try run(folder, "activity", "show", "spring").status == 0)
        #expect(try run(folder, "backup", "again.db").status == 0)
        let sick = try run(folder, "doctor", "--offline")
        #expect(sick.status == 1)
        #expect(sick.output.contains("✗ 数据库比已经发出的结果旧（缺 spring-21 … spring-50）"), "\(sick.output)")

        // and only an explicit word lets it go on.
        let asked = try run(folder, "restore", "--accept-lost-draws")
        #expect(asked.status == 1 && asked.errors.contains("--yes"))
        #expect(try draw(21...22, in: folder).status == 1)
        let accepted = try run(folder, "restore", "--accept-lost-draws", "--yes")
        #expect(accepted.status == 0, "\(accepted.errors)")
        #expect(accepted.output.contains("缺 30 行") && accepted.output.contains("✓ 已确认，记入审计"))
        #expect(accepted.output.contains("请先“抽奖结束 春节抽奖”，再“抽奖开始 春节抽奖”"))
        #expect(try draw(21...25, in: folder).status == 0)
        #expect(try run(folder, "doctor", "--offline").status == 0)
        let database = try DatabaseQueue(path: folder.path + "/hongbao.db")
        let audit = try database.read { db in
            try Row.fetchAll(db, sql: "SELECT * FROM bot_audit_log WHERE action = 'restore.accept'")
        }
        try database.close()
        #expect(audit.count == 1)
        #expect((audit.first?["before"] as String?)?.hasPrefix("spring-50 ") == true)
        #expect((audit.first?["after"] as String?)?.hasPrefix("spring-20 ") == true)
        // There is nothing left to confirm.
        #expect(try run(folder, "restore", "--accept-lost-draws").output.contains("不用确认"))
    }

    @Test func atATerminalItAsksBeforeItGoesOn() throws {
        let folder = try opened()
        try draw(1...3, in: folder)
        #expect(try run(folder, "backup", "backup.db").status == 0)
        try draw(4...6, in: folder)
        #expect(try run(folder, "restore", "backup.db").status == 0)
        for (answer, status) in [("no", 1), ("", 1), ("yes", 0)] as [(String, Int32)] {
            let terminal = try PseudoTerminal(["restore", "--accept-lost-draws"], in: folder.path)
            #expect(terminal.read(until: { $0.contains("Type yes") }, within: 30).contains("spring-4 到 spring-6"))
            terminal.write(answer + "\n")
            #expect(terminal.finish(within: 30) == status, "\(answer)")
            #expect(try draw(4...4, in: folder).status == status)
        }
    }

    // MARK: Beside the service

    @Test func aBackupIsMadeWhileTheServiceRunsAndARestoreIsNot() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("spring.yaml", Self.activity)
        let opened = try Shell.run(
            "hongbao activity import spring.yaml --database serve.db && hongbao activity start spring --database serve.db",
            in: folder.path)
        #expect(opened.status == 0, "\(opened.text)")
        let serve = try ServeProcess(in: folder, yaml: WebhookSender.yaml)
        let client = try SocketClient(serve.port)
        for user in 1...3 {
            #expect(try WebhookSender.send("绑定 角色\(user)", of: "\(user)", id: "b\(user)", on: client).status == 200)
            #expect(try WebhookSender.send("抽奖", of: "\(user)", id: "d\(user)", on: client).status == 200)
        }
        let backup = try run(folder, "backup", "backup.db", "--database", "serve.db")
        #expect(backup.status == 0 && backup.output.contains("抽奖 draws 3"), "\(backup.output)\(backup.errors)")
        let restored = try run(folder, "restore", "backup.db", "--database", "serve.db")
        #expect(restored.status == 1 && restored.errors.contains("正被另一个 hongbao 使用"), "\(restored.errors)")
        let confirmed = try run(folder, "restore", "--accept-lost-draws", "--yes", "--database", "serve.db")
        #expect(confirmed.status == 0 && confirmed.output.contains("不用确认"))
        let doctor = try run(folder, "doctor", "--offline", "--database", "serve.db")
        #expect(doctor.output.contains("✓ 账本成立，库存和中奖名单与账本一致（4 行）"), "\(doctor.output)")
        #expect(doctor.output.contains("✓ 已经发出的结果都在数据库里（serve.db.heads）"))
        #expect(try WebhookSender.send("抽奖", of: "4", id: "d4", on: client).status == 200)
        client.close()
        #expect(try serve.stop().status == 0)
    }

    @Test func afterAKillItStartsWithItsLogAndNotWithout() throws {
        let folder = try opened()
        try draw(1...5, in: folder)
        let program = try Program(["chat", "--json"], in: folder.path, readsOutput: false)
        program.write(Self.lines(6...40))
        // As soon as the last row stands in the file beside it, everything was committed.
        let end = Date(timeIntervalSinceNow: 60)
        func seq() -> UInt8 {
            ((try? Data(contentsOf: URL(fileURLWithPath: folder.path + "/hongbao.db.heads"))) ?? Data()).dropFirst(151)
                .first ?? 0
        }
        while seq() < 40, Date() < end { Thread.sleep(forTimeInterval: 0.02) }
        program.send(SIGKILL)
        _ = program.finish()
        #expect(seq() == 40)
        let (path, aside) = (folder.path + "/hongbao.db-wal", folder.path + "/aside")
        try FileManager.default.moveItem(atPath: path, toPath: aside)
        let refused = try draw(41...41, in: folder)
        #expect(refused.status == 1 && refused.errors.contains("到 spring-40"), "\(refused.errors)")
        try? FileManager.default.removeItem(atPath: path)
        try? FileManager.default.removeItem(atPath: folder.path + "/hongbao.db-shm")
        try FileManager.default.moveItem(atPath: aside, toPath: path)
        #expect(try draw(41...41, in: folder).status == 0)
    }

    // MARK: Refusals

    @Test func aFileThatIsThereStays() throws {
        let folder = try opened()
        _ = try folder.file("backup.db", "mine")
        let result = try run(folder, "backup", "backup.db")
        #expect(result.status == 1)
        #expect(result.errors.contains("已经有文件 backup.db，没有覆盖它"), "\(result.errors)")
        #expect(try folder.text("backup.db") == "mine")
        #expect(try run(folder, "backup", ".").status == 1)
        #expect(try run(folder, "backup", "none/a.db").status == 1)
        #expect(try run(folder, "backup", "a.db", "--database", "none.db").errors.contains("打不开"))
        #expect(
            try contents(folder) == ["spring.yaml", "hongbao.db", "hongbao.db.heads", "hongbao.db.lock", "backup.db"])
    }

    @Test func aDatabaseThatWasTamperedWithIsNotBackedUpAsGood() throws {
        let folder = try opened()
        try draw(1...20, in: folder)
        let database = try DatabaseQueue(path: folder.path + "/hongbao.db")
        try database.writeWithoutTransaction {
            try $0.execute(sql: "UPDATE bot_draw_ledger SET at_ms = at_ms + 1 WHERE seq = 7")
        }
        try database.close()
        let result = try run(folder, "backup", "backup.db")
        #expect(result.status == 1)
        #expect(result.errors.contains("检查没有通过") && result.errors.contains("seq 7"), "\(result.errors)")
        #expect(try !contents(folder).contains { $0.hasPrefix("backup.db") })
        let doctor = try run(folder, "doctor", "--offline")
        #expect(doctor.status == 1)
        #expect(doctor.lines.contains { $0.hasPrefix("✗ 数据库：活动 spring 的账本第 seq 7 行不成立") }, "\(doctor.output)")
    }

    @Test func aDiskThatIsFullLeavesNoFile() throws {
        let folder = try opened()
        try draw(1...20, in: folder)
        // In blocks of 512 or 1024 bytes: less than the database.
        let program = try Program(["backup", "backup.db"], in: folder.path, limits: "trap '' XFSZ; ulimit -f 60")
        let result = try #require(program.finish(within: 60))
        #expect(result.status == 1, "\(result.output)")
        #expect(try !contents(folder).contains { $0.hasPrefix("backup.db") })
    }

    @Test(arguments: [
        ["restore"], ["restore", "a.db", "--accept-lost-draws"], ["restore", "a.db", "--yes"], ["backup"],
    ])
    func wrongUsageEndsWith64(_ arguments: [String]) throws {
        let folder = try TemporaryFolder()
        #expect(try Program.run(arguments, in: folder.path).status == 64)
    }

    @Test func whatIsNoBackupIsRefusedAndNothingChanges() throws {
        let folder = try opened()
        _ = try folder.file("text.db", String(repeating: "no database ", count: 100))
        _ = try folder.file("empty.db", "")
        #expect(try run(folder, "backup", "whole.db").status == 0)
        let whole = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/whole.db"))
        try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: folder.path + "/half.db"))
        let before = try contents(folder)
        for (name, chinese, english) in [
            ("text.db", "text.db 不是本版本 hongbao 能恢复的备份", "Use another backup."),
            ("empty.db", "empty.db 不是本版本 hongbao 能恢复的备份", "Use another backup."),
            ("none.db", "没有备份文件 none.db", "Check the name of the file."),
            ("half.db", "备份 half.db 已损坏", "Use another backup."),
            ("hongbao.db", "就是正在用的数据库", "not a backup"),
        ] {
            let result = try run(folder, "restore", name)
            #expect(result.status == 1)
            #expect(result.errors.contains(chinese) && result.errors.contains(english), "\(result.errors)")
            // What the operator named is the backup, and one sentence says that all is as before.
            #expect(!result.errors.contains("--database") && !result.errors.contains("restore a backup"))
            #expect(result.errors.components(separatedBy: "Nothing was changed").count == 2, "\(result.errors)")
        }
        #expect(try contents(folder) == before)
    }

    // MARK: What it prints to be copied

    @Test func theCommandsThatItPrintsRunAlsoWithASpaceInTheName() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("spring.yaml", Self.activity)
        let database = "it's my.db"
        for arguments in [
            ["activity", "import", "spring.yaml"], ["activity", "start", "spring"], ["backup", "a.db"],
        ] {
            #expect(try Program.run(arguments + ["--database", database], in: folder.path).status == 0)
        }
        let drawn = try Program.run(
            ["chat", "--json", "--database", database], in: folder.path, input: Self.lines(1...3))
        #expect(drawn.status == 0)
        let restored = try run(folder, "restore", "a.db", "--database", database)
        #expect(restored.lines.contains { $0.hasPrefix("换上的数据库是 /") && $0.contains("/\(database)。") })
        let commands = restored.lines.filter { $0.hasPrefix("  hongbao ") }
        #expect(commands.count == 2, "\(restored.output)")
        let elsewhere = try TemporaryFolder()
        for command in commands {
            let typed = command.replacingOccurrences(of: "--accept-lost-draws", with: "--accept-lost-draws --yes")
            // As absolute as they are, from anywhere else as well.
            let result = try Shell.run(typed, in: elsewhere.path)
            #expect(result.status == 0, "\(typed)\n\(result.text)")
        }
    }

    @Test(arguments: [
        ("/var/lib/hongbao.db", "/var/lib/hongbao.db"), ("my db", "'my db'"), ("it's", #"'it'\''s'"#), ("", "''"),
        ("$(rm)", "'$(rm)'"), ("~x", "'~x'"),
    ])
    func aPathIsOneWordOfAShell(_ text: String, _ word: String) throws {
        #expect(ShellWord.quoted(text) == word)
        #expect(try Shell.run("printf %s \(ShellWord.quoted(text))", in: "/").text == text)
    }
}
