import Basics
import Foundation
import GRDB
import NIOConcurrencyHelpers
import TestSupport
import Testing

#if os(Linux)
    /// The disk fails under the running program: nobody of the batch is told success, the process ends by itself with a
    /// message, and the next start is as if the batch had never been asked for, or had been answered.
    @Suite struct DiskFaultTests {
        private static let chinese = "已经答复过的结果是安全的"
        private static let english = "What was acknowledged is safe"

        /// The end of a process that lost its disk.
        private func expectExplained(_ result: Program.Result, _ place: Comment) {
            #expect(result.status == 1, place)
            #expect(
                result.errors.contains(Self.chinese) && result.errors.contains(Self.english),
                "\(place) \(result.errors)")
            #expect(!result.errors.contains("Fatal error"), "\(place) \(result.errors)")
        }

        // MARK: A flush that fails

        @Test(arguments: [12, 13, 25, 60])
        func aFlushThatFailsUnderLoadEndsServeAndLosesNothing(_ number: Int) throws {
            let folder = try TemporaryFolder()
            try WebhookLoad.prepare(folder)
            let load = WebhookLoad(seed: SeededGenerator.baseSeed &+ UInt64(number))
            let serve = try ServeProcess(
                in: folder, yaml: WebhookSender.yaml,
                environment: FailingSync.environment(number: number, builtIn: folder))
            let threads = load.start(serve.port)
            let result = try #require(serve.program.finish(within: 25), "it goes on after a failed flush")
            threads.wait()
            let place: Comment = "flush \(number)"
            expectExplained(result, place)
            // The batch is gone with its flush, so whoever was told of it is found now.
            #expect(FailingSync.hasLost(result), "nothing was written before flush \(number): \(result.errors)")
            try load.check(folder.path + "/serve.db", "flush \(number)")

            let next = try ServeProcess(in: folder)
            try load.sendAgain(next.port)
            #expect(load.unansweredCount == 0, place)
            #expect(try next.stop().status == 0, place)
            try load.check(folder.path + "/serve.db", "after flush \(number)")
            try WebhookLoad.verify(folder)
        }

        /// Also while the file is being opened.
        @Test func everyFlushOfAShortRunMayFail() throws {
            var (refusals, losses) = (0, 0)
            for number in [1, 2, 3, 4, 6, 9, 13] {
                let folder = try TemporaryFolder()
                try WebhookLoad.prepare(folder, database: "chat.db")
                let before = try Self.answeredCount(folder)
                let arguments = ["chat", "--json", "--database", "chat.db"]
                let lines = (0..<40).map { number in
                    #"{"platform":"qq","user":"\#(number / 2)","chat":"g","id":"m\#(number)","text":"\#(number.isMultiple(of: 2) ? "绑定 角色\(number)" : "抽奖")"}"#
                }
                let answered = DispatchSemaphore(value: 0)
                let program = try Program(
                    arguments, in: folder.path, environment: FailingSync.environment(number: number, builtIn: folder)
                ) { _ in answered.signal() }
                // Each when the one before was answered, so that each is a batch and has its flush.
                Thread {
                    for line in lines where program.isRunning && program.write(line + "\n") {
                        while program.isRunning, answered.wait(timeout: .now() + 0.1) == .timedOut {}
                    }
                    program.closeInput()
                }.start()
                let first = try #require(program.finish(within: 25), "it goes on after flush \(number) failed")
                if first.status != 0 {
                    refusals += 1
                    expectExplained(first, "flush \(number)")
                }
                if FailingSync.hasLost(first) { losses += 1 }
                // Drawing again would give the same answers, so that they would not tell what was lost.
                #expect(try Self.answeredCount(folder) - before >= first.lines.count, "flush \(number)")
                let again = try Program.run(arguments, in: folder.path, input: lines.joined(separator: "\n") + "\n")
                #expect(again.status == 0, "after flush \(number): \(again.errors)")
                // Whatever was answered before is answered the same, and the rest is answered now.
                #expect(again.lines.count == lines.count)
                #expect(again.lines.starts(with: first.lines), "flush \(number)")
                try WebhookLoad.verify(folder, database: "chat.db")
            }
            // One of the refusals is of the file of issued receipts, which the program can do without.
            #expect(refusals >= 6 && losses >= 3, "\(refusals), \(losses)")
        }

        /// How many messages have an answer in the file.
        private static func answeredCount(_ folder: TemporaryFolder) throws -> Int {
            let database = try DatabaseQueue(path: folder.path + "/chat.db")
            defer { try? database.close() }
            return try database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM bot_processed_message") ?? 0 }
        }

        // MARK: A full disk

        @Test(.enabled(if: SmallDisk.isAllowed, "mounting a small disk needs root"))
        func aFullDiskUnderLoadEndsServeAndLosesNothing() throws {
            let folder = try TemporaryFolder()
            let disk = try SmallDisk(in: folder, megabytes: 3)
            let database = disk.path + "/serve.db"
            try WebhookLoad.prepare(folder, database: database)
            let load = WebhookLoad(seed: SeededGenerator.baseSeed)
            let arguments = ["--database", database]
            let serve = try ServeProcess(in: folder, arguments, yaml: WebhookSender.yaml)
            let threads = load.start(serve.port)
            let result = try #require(serve.program.finish(within: 60), "it goes on although the disk is full")
            threads.wait()
            expectExplained(result, "\(result.errors)")
            #expect(result.errors.contains("磁盘已满") && result.errors.contains("The disk is full"), "\(result.errors)")
            #expect(load.winCount > 0 && load.unansweredCount > 0)

            // It says the same at a start, as long as there is no room, and doctor says so too.
            try disk.fill()
            let refused = try Program.run(["serve", "--port", "0", "--database", database], in: folder.path)
            #expect(refused.status == 1)
            #expect(refused.errors.contains("磁盘已满") && refused.errors.contains("The disk is full"), "\(refused.errors)")
            let doctor = try Program.run(["doctor", "--offline", "--database", database], in: folder.path)
            #expect(doctor.status == 1 && doctor.output.contains("磁盘只剩"), "\(doctor.output)")

            try disk.resize(megabytes: 64)
            let next = try ServeProcess(in: folder, arguments)
            try load.sendAgain(next.port)
            #expect(load.unansweredCount == 0)
            #expect(try next.stop().status == 0)
            try load.check(database, "after the disk was full")
            try WebhookLoad.verify(folder, database: database)
        }

        /// The log cannot be moved into the file at the end: it stays where it is.
        @Test(.enabled(if: SmallDisk.isAllowed, "mounting a small disk needs root"))
        func aDiskThatIsFullAtTheEndKeepsTheLog() throws {
            let folder = try TemporaryFolder()
            let disk = try SmallDisk(in: folder, megabytes: 16)
            let database = disk.path + "/serve.db"
            try WebhookLoad.prepare(folder, database: database)
            let load = WebhookLoad(seed: SeededGenerator.baseSeed)
            let arguments = ["--database", database]
            let serve = try ServeProcess(in: folder, arguments, yaml: WebhookSender.yaml)
            let client = try SocketClient(serve.port)
            for number in 0..<300 {
                try load.send(.init(id: "b\(number)", user: "u\(number)", text: "绑定 角色\(number)"), client)
                try load.send(.init(id: "d\(number)", user: "u\(number)", text: "抽奖"), client)
            }
            client.close()
            try disk.fill()
            _ = try serve.stop()

            try disk.removeFiller()
            let next = try ServeProcess(in: folder, arguments)
            try load.sendAgain(next.port)
            #expect(try next.stop().status == 0)
            try load.check(database, "after the disk was full at the end")
            try WebhookLoad.verify(folder, database: database)
        }
    }
#endif
