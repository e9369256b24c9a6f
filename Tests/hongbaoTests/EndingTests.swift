import Foundation
import GRDB
import NIOConcurrencyHelpers
import Testing

/// However a talk ends, it ends: nobody is left with a process that lives and answers nobody.
@Suite struct EndingTests {
    private struct Answer: Decodable {
        var user: String
        var code: String
    }

    private static func binding(_ number: Int) -> String {
        #"{"platform":"qq","user":"\#(number)","chat":"g","id":"\#(number)","text":"绑定 角色\#(number)"}"# + "\n"
    }

    /// Blocks of 512 or 1024 bytes, as the shell counts them: one is too small for the first batch, one for a later
    /// one.
    @Test(arguments: [600, 1600])
    func aStoreThatCannotWriteEndsTheProcessAlthoughTheInputStaysOpen(_ blocks: Int) throws {
        let folder = try TemporaryFolder()
        let answers = NIOLockedValueBox<[String]>([])
        let program = try Program(
            ["chat", "--json", "--database", "a.db"], in: folder.path, limits: "trap '' XFSZ; ulimit -f \(blocks)"
        ) { line in answers.withLockedValue { $0.append(line) } }
        Thread {
            for block in 0..<1000 {
                let lines = (0..<50).map { Self.binding(block * 50 + $0) }
                if !program.write(lines.joined()) { break }
            }
        }.start()
        let result = try #require(program.finish(within: 20), "it does not end")
        #expect(result.status == 1)
        let message = try #require(result.errors.range(of: "Error: "))
        #expect(
            result.errors[message.upperBound...].unicodeScalars.first?.properties.isIdeographic == true,
            "\(result.errors)")
        // What was acknowledged is in the file; the program can be started on it again.
        let again = try Program.run(["chat", "--json", "--database", "a.db"], in: folder.path)
        #expect(again.status == 0, "\(again.errors)")
        let database = try DatabaseQueue(path: folder.path + "/a.db")
        let stored = try database.read { Set(try String.fetchAll($0, sql: "SELECT id FROM bot_activity_user")) }
        try database.close()
        for line in answers.withLockedValue({ $0 }) {
            guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(line.utf8)), answer.code == "ok"
            else { continue }
            #expect(stored.contains(answer.user), "\(line)")
        }
    }

    @Test func aTerminationEndsTheProcessAlthoughNobodyReadsTheAnswers() throws {
        let folder = try TemporaryFolder()
        let program = try Program(
            ["chat", "--json", "--database", "a.db"], in: folder.path, readsOutput: false)
        Thread {
            var number = 0
            while program.write((number..<number + 50).map(Self.binding).joined()) { number += 50 }
        }.start()
        Thread.sleep(forTimeInterval: 3)
        program.send(SIGTERM)
        let result = try #require(program.finish(within: 10), "it does not end")
        #expect(result.status == 0, "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/a.db-wal"))
    }

    @Test func aTerminationEndsATalkInATerminalThatNobodyReads() throws {
        let folder = try TemporaryFolder()
        let terminal = try PseudoTerminal(["chat", "--demo"], in: folder.path)
        #expect(terminal.read(until: { $0.contains("demo:me>") }, within: 15).contains("demo:me>"))
        // Each line's answer is long: the terminal is full after a few, and then takes no more lines either.
        for _ in 0..<200 { terminal.write("帮助\n") }
        Thread.sleep(forTimeInterval: 3)
        terminal.send(SIGTERM)
        #expect(terminal.finish(within: 10) == 0)
    }

    // MARK: Notices

    private static let open = """
        id: first
        name: 茶话会
        awards:
          - {id: tea, prefix: 低保, name: 茶叶, kind: DI_BAO}

        """
    private static let due = """
        id: second
        name: 灯谜会
        starts_at: 2026-01-01T20:00:00+08:00
        awards:
          - {id: tea, prefix: 低保, name: 茶叶, kind: DI_BAO}

        """

    /// A talk while an activity should open whose scope another one holds.
    private func conflict(_ arguments: [String]) throws -> String {
        let folder = try TemporaryFolder()
        _ = try folder.file("first.yaml", Self.open)
        _ = try folder.file("second.yaml", Self.due)
        for arguments in [["import", "first.yaml"], ["start", "first"]] {
            #expect(try Program.run(["activity"] + arguments, in: folder.path).status == 0)
        }
        let terminal = try PseudoTerminal(["chat", "--activity", "second.yaml"] + arguments, in: folder.path)
        let end = Date(timeIntervalSinceNow: 20)
        var isDecided = false
        while !isDecided, Date() < end {
            isDecided = try Program.run(["activity", "show", "second"], in: folder.path).output.contains("(used)")
        }
        #expect(isDecided)
        let text = terminal.read(until: { $0.contains("不能开启") }, within: 2)
        terminal.send(SIGTERM)
        #expect(terminal.finish(within: 10) == 0)
        return text
    }

    @Test func anAdminIsToldOfAConflictAtTheStart() throws {
        let text = try conflict(["--as", "qq:1", "--admin", "qq:1"])
        #expect(text.contains("灯谜会") && text.contains("不能开启"), "\(text)")
    }

    @Test func aPlayerIsToldNothingOfAConflictAtTheStart() throws {
        let text = try conflict(["--as", "qq:2", "--admin", "qq:1"])
        #expect(text.contains("qq:2>"))
        #expect(!text.contains("灯谜会"), "\(text)")
    }
}
