import Basics
import Foundation
import GRDB
import SQLiteStore
import TestSupport
import Testing

@testable import hongbao

/// `hongbao doctor` as an operator meets it.
@Suite struct DoctorCommandTests {
    private static let secret = Canary.planted("b7f3a1c95d2e48f06a1b9c3d7e5f2048", as: "secret of hongbao.yaml")
    private static let botToken = Canary.planted("123456789:AAFx3kQ2mZ9Wn7", as: "secret of hongbao.yaml")

    /// Three bots whose API is at `url`.
    private static func yaml(_ url: String) -> String {
        """
        admins: ["qq:10001"]
        endpoints:
          onebot11: {secret: \(secret), access_token: \(secret), api_url: "\(url)"}
          telegram: {secret_token: \(secret), bot_username: DrawBot, bot_token: "\(botToken)", api_url: "\(url)"}
          wecom:
            token: WeComTests91fb
            encoding_aes_key: serveTestsWeChatKey0123456789ABCDEFGHIJKLMN
            receive_id: ww0000000000000001
            corp_secret: \(secret)
            api_url: "\(url)"

        """
    }

    private static func answer(_ call: StubServer.Call) -> StubServer.Answer {
        switch call.path {
        case "/get_login_info":
            call.authorization == "Bearer " + secret
                ? .init(body: #"{"status":"ok","retcode":0,"data":{"user_id":1}}"#) : .init(status: 403, body: "")
        case "/bot\(botToken)/getMe": .init(body: #"{"ok":true,"result":{"id":1}}"#)
        case _ where call.path.hasPrefix("/cgi-bin/gettoken?"):
            .init(body: #"{"errcode":0,"access_token":"t","expires_in":7200}"#)
        default: .init(status: 404, body: "")
        }
    }

    private func doctor(
        _ yaml: String, in folder: TemporaryFolder, _ arguments: [String] = []
    ) throws -> Program.Result {
        _ = try folder.file("hongbao.yaml", yaml)
        let result = try Program.run(["doctor"] + arguments, in: folder.path)
        // One line each, Chinese first and English beside it, and no secret.
        for line in result.lines {
            #expect(["✓ ", "! ", "✗ "].contains { line.hasPrefix($0) }, "\(line)")
            #expect(line.contains("。") && line.hasSuffix("."), "\(line)")
            #expect(!line.contains("。。") && !line.contains("..") && !line.contains(".。"), "\(line)")
        }
        #expect(!(result.output + result.errors).contains(Self.secret))
        #expect(!(result.output + result.errors).contains(Self.botToken))
        return result
    }

    private static func bad(_ result: Program.Result) -> [String] { result.lines.filter { !$0.hasPrefix("✓") } }

    @Test func allIsWell() throws {
        let api = StubServer(Self.answer)
        let folder = try TemporaryFolder()
        let result = try doctor(Self.yaml(api.url), in: folder)
        #expect(result.status == 0, "\(result.output)\(result.errors)")
        #expect(Self.bad(result).isEmpty, "\(result.output)")
        for part in ["配置没有问题", "./hongbao.db 还不存在", "磁盘剩余"] { #expect(result.output.contains(part), "\(part)") }
        for name in ["onebot11", "telegram", "wecom"] {
            #expect(result.output.contains("\(name)：\(api.url) 接受了凭据"), "\(result.output)")
        }
        #expect(api.calls.count == 3)
        // It only looks.
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["hongbao.yaml"])
    }

    @Test func aDatabaseInUseIsReadAsWell() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file(
            "all.yaml", "id: all\nname: 全服\nawards:\n  - {id: bao, prefix: 低保, name: 金币, kind: DI_BAO}\n")
        let opened = try Shell.run(
            "hongbao activity import all.yaml --database serve.db && hongbao activity start 全服 --database serve.db",
            in: folder.path)
        #expect(opened.status == 0, "\(opened.text)")
        let serve = try ServeProcess(in: folder)
        let before = try Data(contentsOf: URL(fileURLWithPath: folder.path + "/serve.db"))
        let result = try doctor("admins: [\"qq:1\"]\n", in: folder, ["--database", "serve.db"])
        for part in [
            "✓ 数据库可读：1 个活动，1 个进行中", "✓ 数据库结构完整，引用都在（integrity_check）", "✓ 账本成立，库存和中奖名单与账本一致（1 行）",
            "✓ 系统时钟 ", "✓ 已经发出的结果都在数据库里（serve.db.heads）",
        ] { #expect(result.output.contains(part), "\(result.output)") }
        #expect(try Data(contentsOf: URL(fileURLWithPath: folder.path + "/serve.db")) == before)
        #expect(try serve.stop().status == 0)
    }

    @Test func wrongCredentialsAreNamedByTheirBot() throws {
        let api = StubServer { call in
            call.path.hasPrefix("/cgi-bin/")
                ? .init(body: #"{"errcode":40001,"errmsg":"invalid credential"}"#) : .init(status: 401, body: "{}")
        }
        let folder = try TemporaryFolder()
        let result = try doctor(Self.yaml(api.url), in: folder)
        #expect(result.status == 1)
        for (name, status) in [("onebot11", 401), ("telegram", 401), ("wecom", 200)] {
            #expect(
                result.output.contains("✗ \(name)：\(api.url) 没有接受凭据（状态 \(status)）"), "\(result.output)")
        }
    }

    @Test func anotherServerAtTheAddressIsAWarning() throws {
        let api = StubServer { _ in .init(status: 200, body: "hello") }
        let folder = try TemporaryFolder()
        let yaml = "admins: [\"qq:1\"]\nendpoints:\n  onebot11: {secret: \(Self.secret), api_url: \"\(api.url)\"}\n"
        let result = try doctor(yaml, in: folder)
        #expect(result.status == 0)
        #expect(Self.bad(result).count == 1 && result.output.contains("! onebot11：\(api.url) 的回答看不懂（状态 200）"))
    }

    @Test func anAPIThatDoesNotAnswerIsNamed() throws {
        // Nobody listens there any more.
        let url = StubServer(Self.answer).url
        let folder = try TemporaryFolder()
        let result = try doctor(Self.yaml(url), in: folder)
        #expect(result.status == 1)
        for name in ["onebot11", "telegram", "wecom"] {
            #expect(result.output.contains("✗ \(name)：连不上 \(url)"), "\(result.output)")
        }
    }

    @Test func offlineItAsksNobody() throws {
        let api = StubServer(Self.answer)
        let folder = try TemporaryFolder()
        let result = try doctor(Self.yaml(api.url), in: folder, ["--offline"])
        #expect(result.status == 0)
        #expect(api.calls.isEmpty)
        #expect(!result.output.contains(api.url))
    }

    @Test func whereRepliesNeedNoCallItSaysSo() throws {
        let folder = try TemporaryFolder()
        let yaml = """
            admins: ["qq:1"]
            endpoints:
              onebot11: {access_token: \(Self.secret)}
              rocketchat: {token: \(Self.secret)}

            """
        let result = try doctor(yaml, in: folder)
        #expect(result.status == 0)
        #expect(result.output.contains("✓ onebot11：回复写在响应里，或由反向 WebSocket 发出"), "\(result.output)")
        #expect(result.output.contains("✓ rocketchat：回复写在响应里，或发到消息带来的地址"), "\(result.output)")
    }

    @Test func whoCouldStartNothingIsWarned() throws {
        let folder = try TemporaryFolder()
        let result = try doctor("log_level: info\n", in: folder)
        #expect(result.status == 0)
        #expect(Self.bad(result).count == 2, "\(result.output)")
        #expect(result.output.contains("! 没有配置管理员") && result.output.contains("! 没有配置聊天平台"))
    }

    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        let yaml: String
        var files: [String: String] = [:]
        let text: String

        var testDescription: String { name }
    }

    /// What stops `hongbao serve` as well.
    static let faults = [
        Fault(name: "a key that does not exist", yaml: "prot: 1\n", text: "✗ 配置有误：./hongbao.yaml:1：不认识的键“prot”"),
        Fault(
            name: "broken reply texts", yaml: "replies_file: r.yaml\n", files: ["r.yaml": "won: '{{nobody}}'\n"],
            text: "✗ 配置有误：文案文件 r.yaml 有误"),
        Fault(name: "no reply texts", yaml: "replies_file: none.yaml\n", text: "✗ 配置有误：配置项 replies_file"),
        Fault(
            name: "a TLS key of another certificate", yaml: "tls_certificate_file: a.pem\ntls_key_file: b.pem\n",
            files: ["a.pem": TLSFiles.certificate, "b.pem": TLSFiles.otherKey], text: "✗ 配置有误：tls_key_file"),
        Fault(
            name: "a file that is no database", yaml: "admins: [\"qq:1\"]\n",
            files: ["hongbao.db": String(repeating: "no database ", count: 500)], text: "✗ 数据库 ./hongbao.db："),
    ]

    @Test(arguments: faults)
    func whatWouldStopTheStartIsFound(_ fault: Fault) throws {
        let folder = try TemporaryFolder()
        for (name, text) in fault.files { _ = try folder.file(name, text) }
        let result = try doctor(fault.yaml, in: folder)
        #expect(result.status == 1)
        #expect(result.lines.contains { $0.hasPrefix(fault.text) }, "\(result.output)\(result.errors)")
        let served = try #require(Program(["serve", "--port", "0"], in: folder.path).finish(within: 20), "it starts")
        #expect(served.status == 1)
    }

    // MARK: The clock

    private static func httpDate(secondsFromNow seconds: Double) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return formatter.string(from: Date(timeIntervalSinceNow: seconds))
    }

    @Test(arguments: [(-400, "快"), (400, "慢"), (0, ""), (20, "")] as [(Double, String)])
    func aPlatformsTimeIsComparedWithOurs(_ seconds: Double, _ word: String) throws {
        let api = StubServer { call in
            var answer = Self.answer(call)
            answer.date = Self.httpDate(secondsFromNow: seconds)
            return answer
        }
        let folder = try TemporaryFolder()
        let yaml =
            "admins: [\"qq:1\"]\nendpoints:\n  onebot11: {secret: \(Self.secret), access_token: \(Self.secret), api_url: \"\(api.url)\"}\n"
        let result = try doctor(yaml, in: folder)
        #expect(result.status == 0, "\(result.output)")
        let warnings = Self.bad(result)
        #expect(warnings.count == (word.isEmpty ? 0 : 1), "\(result.output)")
        if !word.isEmpty {
            #expect(warnings.first?.hasPrefix("! 系统时钟比 onebot11 那边\(word) ") == true, "\(result.output)")
        }
    }

    @Test func aClockBeforeTheLastEntryIsBad() throws {
        let now = Instant(milliseconds: 1_802_232_000_000)
        #expect(ClockFindings.since(nil, now: now).mark == .good)
        #expect(ClockFindings.since(now.advanced(bySeconds: -5), now: now).mark == .good)
        #expect(ClockFindings.since(now.advanced(bySeconds: 60), now: now).mark == .good)
        let late = ClockFindings.since(now.advanced(bySeconds: 3600), now: now)
        #expect(late.mark == .bad && late.chinese.contains("早 3600 秒"))
        #expect(ClockFindings.plausible(now).isEmpty)
        for milliseconds in [0, 1_700_000_000_000, 4_102_444_800_000, .max, .min] as [Int64] {
            #expect(ClockFindings.plausible(Instant(milliseconds: milliseconds)).map(\.mark) == [.bad])
        }
    }

    @Test func aDatabaseFromTheFutureMeansAClockThatIsBehind() throws {
        let folder = try TemporaryFolder()
        #expect(try Program.run(["activity", "list"], in: folder.path).status == 1)
        #expect(try Program.run(["chat", "--json"], in: folder.path).status == 0)
        let database = try DatabaseQueue(path: folder.path + "/hongbao.db")
        try database.writeWithoutTransaction {
            try $0.execute(
                sql:
                    "INSERT INTO redpacket_traffic_stats (stat_time) VALUES (strftime('%Y-%m-%d %H:%M:%f', 'now', '+1 day'))"
            )
        }
        try database.close()
        let result = try doctor("admins: [\"qq:1\"]\n", in: folder, ["--offline"])
        #expect(result.status == 1)
        #expect(result.lines.contains { $0.hasPrefix("✗ 系统时钟 ") }, "\(result.output)")
    }

    // MARK: Where the database lies, and what was issued from it

    @Test func theFileSystemIsNamedWithWhatToDo() throws {
        func mark(_ name: String) throws -> Finding.Mark {
            let mounts = "1 0 0:1 / / rw - \(name) x rw\n"
            return DatabaseFindings.place(try #require(FileSystem(ofFolder: "/a", mounts: mounts))).mark
        }
        #expect(try mark("ext4") == .good)
        #expect(try mark("nfs4") == .bad)
        for name in ["tmpfs", "overlay", "9p", "fuse.x"] { #expect(try mark(name) == .warning) }
    }

    @Test func howTheDatabaseIsWrittenIsReadFromIt() throws {
        let folder = try TemporaryFolder()
        func lines() throws -> [String] {
            try doctor("admins: [\"qq:1\"]\n", in: folder, ["--offline"]).lines
                .filter { $0.contains("WAL") || $0.contains("synchronous") }
        }
        // Of a file that is not there, or none of ours, nothing is said.
        #expect(try lines().isEmpty)
        _ = try folder.file("hongbao.db", String(repeating: "no database ", count: 500))
        #expect(try lines().isEmpty)
        try FileManager.default.removeItem(atPath: folder.path + "/hongbao.db")
        #expect(try Program.run(["chat", "--json"], in: folder.path).status == 0)
        #expect(try lines().map { $0.hasPrefix("✓ 数据库是 WAL 模式") } == [true])
        // As a backup is that was put in its place,
        let path = folder.path + "/hongbao.db"
        let database = try DatabaseQueue(path: path)
        try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode = DELETE") }
        try database.close()
        let before = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(try lines().map { $0.hasPrefix("✓ 数据库不是 WAL 模式") } == [true])
        // and as a writer must never have it.
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        #expect(try lines().map { $0.hasPrefix("✗ 数据库正在使用，却不是 WAL 模式") } == [true])
        #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
    }

    @Test func theFileOfIssuedReceiptsIsLookedAt() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file(
            "all.yaml", "id: all\nname: 全服\nawards:\n  - {id: bao, prefix: 低保, name: 金币, kind: DI_BAO}\n")
        let opened = try Shell.run("hongbao activity import all.yaml && hongbao activity start 全服", in: folder.path)
        #expect(opened.status == 0, "\(opened.text)")
        let heads = URL(fileURLWithPath: folder.path + "/hongbao.db.heads")
        func line() throws -> String? {
            try doctor("admins: [\"qq:1\"]\n", in: folder, ["--offline"]).lines.first { $0.contains(".heads") }
        }
        #expect(try line()?.hasPrefix("✓ 已经发出的结果都在数据库里") == true)
        var bytes = try Data(contentsOf: heads)
        bytes[200] ^= 1
        try bytes.write(to: heads)
        #expect(try line()?.hasPrefix("! ./hongbao.db.heads 有 1 处读不出来") == true)
        // It only looks.
        #expect(try Data(contentsOf: heads) == bytes)
        try FileManager.default.removeItem(at: heads)
        #expect(try line()?.hasPrefix("! 没有 ./hongbao.db.heads") == true)
        #expect(!FileManager.default.fileExists(atPath: heads.path))
    }

    @Test func aLogThatGrowsWithoutEndIsNamed() throws {
        let folder = try TemporaryFolder()
        #expect(try Program.run(["chat", "--json"], in: folder.path).status == 0)
        let log = folder.path + "/hongbao.db-wal"
        // All zeros: SQLite finds no frame in it.
        #expect(FileManager.default.createFile(atPath: log, contents: nil))
        #expect(truncate(log, 300 << 20) == 0)
        let result = try doctor("admins: [\"qq:1\"]\n", in: folder, ["--offline"])
        #expect(result.lines.contains { $0.hasPrefix("! ./hongbao.db-wal 有 300 MiB") }, "\(result.output)")
    }
}
