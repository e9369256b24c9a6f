import Activities
import Basics
import Foundation
import GRDB
import Logging
import NIOConcurrencyHelpers
import SQLiteStore
import TestSupport
import Testing
import TrafficGate

struct LockTests {
    @Test("hardening row 80: a second store is refused")
    func secondStoreIsRefusedWhileTheFirstWorks() async throws {
        let folder = try TemporaryFolder()
        let first = try SQLiteStore(path: folder.path())
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: folder.path()) }
        #expect(error?.code == .locked)
        #expect(error?.message.contains(folder.path()) == true)
        #expect(error?.message.contains("process \(ProcessInfo.processInfo.processIdentifier)") == true)
        // The first is not disturbed, and the next may come when it is gone.
        try await first.bind("qq:1", to: "a")
        try await first.close()
        let next = try SQLiteStore(path: folder.path())
        #expect(try await next.data(of: "qq:1").gameID == "a")
        try await next.close()
    }

    @Test(.enabled(if: TestMachine.python != nil, "python3 is not installed"), .timeLimit(.minutes(1)))
    func otherProcessKeepsTheStoreOutUntilItDies() async throws {
        // Given a process that holds the lock
        let folder = try TemporaryFolder()
        try await folder.makeDatabase()
        let before = try folder.bytes()
        let holder = Process()
        holder.executableURL = URL(fileURLWithPath: try #require(TestMachine.python))
        holder.arguments = [
            "-c",
            """
            import fcntl, sys, time
            file = open(sys.argv[1], "r+")
            fcntl.flock(file, fcntl.LOCK_EX)
            print("held", flush=True)
            time.sleep(60)
            """, folder.path("hongbao.db.lock"),
        ]
        let output = Pipe()
        holder.standardOutput = output
        try holder.run()
        #expect(try output.fileHandleForReading.read(upToCount: 4) == Data("held".utf8))

        // Then nobody else may write
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: folder.path()) }
        #expect(error?.code == .locked)
        #expect(try folder.bytes() == before)
        // but read.
        let reading = try SQLiteStore(path: folder.path(), mode: .readOnly)
        #expect(try await reading.load().activities.isEmpty)
        try await reading.close()

        // When it is killed, the lock goes with it
        kill(holder.processIdentifier, SIGKILL)
        holder.waitUntilExit()
        try await SQLiteStore(path: folder.path()).close()
    }

    @Test
    func anotherNameOrADeletedLockFileLetsNobodyIn() async throws {
        let folder = try TemporaryFolder()
        try await folder.makeDatabase()
        let first = try SQLiteStore(path: folder.path())
        try FileManager.default.linkItem(atPath: folder.path(), toPath: folder.path("other.db"))
        #expect(throws: StoreError.self) { try SQLiteStore(path: folder.path("other.db")) }
        try FileManager.default.removeItem(atPath: folder.path("hongbao.db.lock"))
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: folder.path()) }
        #expect(error?.code == .locked)
        try await first.bind("qq:1", to: "a")
        try await first.close()
        try await SQLiteStore(path: folder.path("other.db")).close()
    }

    /// Notes that something was logged.
    private struct Listener: LogHandler {
        let hasHeard: NIOLockedValueBox<Bool>
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        func log(event: LogEvent) {
            hasHeard.withLockedValue { $0 = true }
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
    }

    @Test func whoIsToldToStopWhileAnotherProgramWritesHearsOfThat() async throws {
        let folder = try TemporaryFolder()
        let hasWaited = NIOLockedValueBox(false)
        let store = try SQLiteStore(
            path: folder.path(), logger: Logger(label: "test") { _ in Listener(hasHeard: hasWaited) })
        var configuration = Configuration()
        configuration.allowsUnsafeTransactions = true
        let other = try DatabaseQueue(path: folder.path(), configuration: configuration)
        try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
        let waiting = Task { try await store.bind("qq:1", to: "a") }
        while !hasWaited.withLockedValue({ $0 }) { try await Task.sleep(for: .milliseconds(10)) }
        waiting.cancel()
        let error = await #expect(throws: StoreError.self) { try await waiting.value }
        #expect(error?.code == .locked)
        try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
        #expect(try await store.data(of: "qq:1").gameID == nil)
        try await store.close()
    }

    @Test(.enabled(if: TestMachine.python != nil, "python3 is not installed"), .timeLimit(.minutes(1)))
    func anotherProgramThatTakesItsTimeToWriteIsWaitedFor() async throws {
        // Given a store, and somebody at the sqlite3 shell who has begun to write
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: try #require(TestMachine.python))
        shell.arguments = [
            "-c",
            """
            import sqlite3, sys, time
            db = sqlite3.connect(sys.argv[1], isolation_level=None)
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE redpacket_traffic_config SET config_value = '7' WHERE config_key = 'max_concurrent_users'")
            print("held", flush=True)
            sys.stdin.read(1)
            time.sleep(1)
            db.execute("COMMIT")
            """, folder.path(),
        ]
        let (input, output) = (Pipe(), Pipe())
        shell.standardInput = input
        shell.standardOutput = output
        try shell.run()
        #expect(try output.fileHandleForReading.read(upToCount: 4) == Data("held".utf8))

        // Then a batch that has nothing to write does not wait, and one that writes does, and sees what was changed.
        try await store.transact(FactQuery()) { _ in (Changes(), ()) }
        #expect(shell.isRunning)
        try input.fileHandleForWriting.write(contentsOf: Data("x".utf8))
        try await store.bind("qq:1", to: "a")
        #expect(try await store.data(of: "qq:1").gameID == "a")
        let row = try await store.load().configuration.first { $0.key == "max_concurrent_users" }
        #expect(row?.value == "7")
        shell.waitUntilExit()
        try await store.close()
    }

    @Test
    func storeThatWasNeverClosedLetsTheNextOneIn() async throws {
        let folder = try TemporaryFolder()
        do {
            let store = try SQLiteStore(path: folder.path())
            try await store.bind("qq:1", to: "a")
        }
        let next = try SQLiteStore(path: folder.path())
        #expect(try await next.data(of: "qq:1").gameID == "a")
        try await next.close()
    }

    @Test
    func readerBesideTheWriterSeesWhatIsCommitted() async throws {
        let folder = try TemporaryFolder()
        let writer = try SQLiteStore(path: folder.path())
        let reader = try SQLiteStore(path: folder.path(), mode: .readOnly)
        for number in 1...5 {
            try await writer.bind("qq:1", to: "id \(number)")
            #expect(try await reader.data(of: "qq:1").gameID == "id \(number)")
        }
        // It cannot write.
        let error = await #expect(throws: StoreError.self) { try await reader.bind("qq:1", to: "b") }
        #expect(error?.code == .inaccessible)
        #expect(try await writer.data(of: "qq:1").gameID == "id 5")
        try await writer.close()
        #expect(try await reader.data(of: "qq:1").gameID == "id 5")
        try await reader.close()
    }

    @Test
    func readerSeesSessionsThatAreInTheJournalOnly() async throws {
        let folder = try TemporaryFolder()
        let writer = try SQLiteStore(path: folder.path())
        let at = Instant(milliseconds: 1_802_232_000_123)
        try await writer.transact(FactQuery()) { _ in
            var changes = Changes()
            changes.journal = [
                .init(session: "qq:1", user: "qq:1", joinTime: at, lastHeartbeat: at, status: .active)
            ]
            return (changes, ())
        }
        let reader = try SQLiteStore(path: folder.path(), mode: .readOnly)
        #expect(try await reader.load().participants == (try await writer.load().participants))
        #expect(try await reader.load().participants.count == 1)
        try await reader.close()
        try await writer.close()
    }

    @Test
    func readingOnlyCreatesNothing() throws {
        let folder = try TemporaryFolder()
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: folder.path(), mode: .readOnly) }
        #expect(error?.code == .inaccessible)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    }
}
