import Activities
import Basics
import Foundation
import GRDB
import Logging
import Lottery
import NIOConcurrencyHelpers
import TestSupport
import Testing

@testable import SQLiteStore

/// A database that is older than the receipts that were issued from it does not draw.
///
/// - Source: hardening.md, row 79.
struct HeadsFileTests {
    private func gaps(_ database: DrawnDatabase) -> [LedgerGap]? {
        #expect(throws: OutdatedDatabase.self) { try SQLiteStore(path: database.folder.path()) }?.gaps
    }

    private func heads(_ database: DrawnDatabase) throws -> [IssuedHead] {
        try HeadsFile.contents(at: database.folder.path("hongbao.db.heads")).records.values.map(\.head)
    }

    // MARK: What must be noticed

    @Test func anOlderCopyPutBackIsRefusedWithTheReceiptsItLacks() async throws {
        let database = try await DrawnDatabase(draws: 5, activityCount: 2)
        let older = try database.folder.bytes()
        try await database.draw(6...12)
        try database.folder.write(older)
        func kept() throws -> [Data] {
            try ["hongbao.db", "hongbao.db.heads"].map { try database.folder.bytes($0) }
        }
        let before = try kept()
        for _ in 1...2 {
            let gap = try #require(gaps(database)?.first)
            #expect(gap.firstMissing == Receipt(activity: "spring", seq: 6))
            #expect(gap.issued.receipt == Receipt(activity: "spring", seq: 12))
            #expect(gap.missingCount == 7)
            #expect(gap.found?.seq == 5)
        }
        // Nothing was changed, and whoever only reads may.
        #expect(try kept() == before)
        let reader = try SQLiteStore(path: database.folder.path(), mode: .readOnly)
        #expect(try await reader.load().activities.count == 2)
        try await reader.close()
        #expect(try SQLiteStore.issuedState(path: database.folder.path()).gaps.map(\.issued.activity) == ["spring"])
    }

    @Test("hardening row 79: a log that is gone is noticed")
    func aLogThatIsGoneIsNoticed() async throws {
        // Given a process that was killed, whose last draws stand in the log only
        let database = try await DrawnDatabase(draws: 2)
        let killed = try TemporaryFolder()
        try await TestBench(path: database.folder.path()).running { bench in
            try await bench.draw(3...9)
            for name in ["hongbao.db", "hongbao.db-wal", "hongbao.db.heads"] {
                try killed.write(try database.folder.bytes(name), to: name)
            }
        }
        // With its log it starts; without, it does not.
        let log = try killed.bytes("hongbao.db-wal")
        try FileManager.default.removeItem(atPath: killed.path("hongbao.db-wal"))
        let error = #expect(throws: OutdatedDatabase.self) { try SQLiteStore(path: killed.path()) }
        #expect(error?.gaps.first?.firstMissing == Receipt(activity: "spring", seq: 3))
        #expect(error?.gaps.first?.issued.seq == 9)
        // Nor with the log of another time.
        try killed.write(log.prefix(log.count / 2), to: "hongbao.db-wal")
        #expect(throws: OutdatedDatabase.self) { try SQLiteStore(path: killed.path()) }
        try killed.write(log, to: "hongbao.db-wal")
        for suffix in ["-shm", ".lock"] {
            try? FileManager.default.removeItem(atPath: killed.path("hongbao.db" + suffix))
        }
        try await SQLiteStore(path: killed.path()).close()
    }

    @Test(arguments: [8, 3])
    func aDatabaseThatWentAnotherWayIsRefused(_ last: Int) async throws {
        // Given a copy that went on elsewhere, with other outcomes, further or less far
        let database = try await DrawnDatabase(draws: 2)
        let older = try database.folder.bytes()
        try await database.draw(3...5)
        let issued = try database.folder.bytes("hongbao.db.heads")
        try database.folder.write(older)
        try FileManager.default.removeItem(atPath: database.folder.path("hongbao.db.heads"))
        try await database.draw(3...last, seed: 99)
        // When it comes back
        try database.folder.write(issued, to: "hongbao.db.heads")
        let gap = try #require(gaps(database)?.first)
        #expect(gap.issued.seq == 5)
        #expect(gap.found?.seq == Int64(last))
        #expect(gap.firstMissing == (last < 5 ? Receipt(activity: "spring", seq: 4) : nil))
    }

    // MARK: What must not be refused

    /// Whenever the process ends, the file is at most as far as the database, and as far as the answers.
    @Test func aKillBetweenCommitAndNoteIsNoReasonToRefuse() async throws {
        let database = try await DrawnDatabase(draws: 1)
        let path = database.folder.path()
        try await TestBench(path: path).running { (bench) async throws -> Void in
            for number in 2...101 {
                let earlier = try database.folder.bytes("hongbao.db.heads")
                try await bench.draw(number...number)
                // Answered: what was issued stands in the file.
                #expect(try heads(database).map(\.seq) == [Int64(number)])
                let image = try TemporaryFolder()
                for name in ["hongbao.db", "hongbao.db-wal"] {
                    try image.write(try database.folder.bytes(name), to: name)
                }
                let later = try database.folder.bytes("hongbao.db.heads")
                for heads in [earlier, later] {
                    try image.write(heads, to: "hongbao.db.heads")
                    #expect(try SQLiteStore.issuedState(path: image.path()).gaps.isEmpty, "draw \(number)")
                }
                if number.isMultiple(of: 20) { try await SQLiteStore(path: image.path()).close() }
            }
        }
    }

    @Test func eachBatchNotesTheLastRowOfEachActivityInIt() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        var hosts = [ActivityID("a"), "b", "c"].map { LedgerBuilder(sampleActivity(id: $0), seed: 1) }
        for index in hosts.indices { hosts[index].open() }
        for index in [0, 1, 0, 1, 0] { hosts[index].draw(UserID("qq:\(hosts[index].rows.count)")) }
        let entries = zip(["a", "b", "c"] as [ActivityID], hosts).flatMap { id, host in
            host.rows.map { Changes.LedgerEntry(activity: id, row: $0) }
        }
        // Interleaved, as draws of two groups are.
        let ledger = entries.sorted { ($0.row.seq, $0.activity) < ($1.row.seq, $1.activity) }
        try await store.transact(FactQuery()) { _ in
            var changes = Changes()
            changes.ledger = ledger.filter { $0.activity != "c" }
            return (changes, ())
        }
        func seqs() throws -> [String] {
            try HeadsFile.contents(at: folder.path("hongbao.db.heads")).records.sorted { $0.key < $1.key }
                .map { "\($0.value.head.receipt)" }
        }
        #expect(try seqs().sorted() == ["a-3", "b-2"])
        let bytes = try folder.bytes("hongbao.db.heads")
        try await store.bind("qq:1", to: "x")
        #expect(try folder.bytes("hongbao.db.heads") == bytes)
        try await store.transact(FactQuery()) { _ in
            var changes = Changes()
            changes.ledger = ledger.filter { $0.activity == "c" }
            return (changes, ())
        }
        #expect(try seqs().sorted() == ["a-3", "b-2", "c-0"])
        try await store.close()
    }

    @Test func aBatchThatFailsIsNotNoted() async throws {
        let database = try await DrawnDatabase(draws: 3)
        let before = try database.folder.bytes("hongbao.db.heads")
        let store = try SQLiteStore(path: database.folder.path())
        var host = LedgerBuilder(sampleActivity(id: "spring"), seed: 1)
        host.open()
        let row = host.rows[0]
        await #expect(throws: StoreError.self) {
            try await store.transact(FactQuery()) { _ in
                var changes = Changes()
                changes.ledger = [Changes.LedgerEntry(activity: "spring", row: row)]
                return (changes, ())
            }
        }
        try await store.close()
        #expect(try database.folder.bytes("hongbao.db.heads") == before)
    }

    @Test func erasuresClosesAndVoidsMakeNoDifference() async throws {
        let database = try await DrawnDatabase(draws: 6)
        try await TestBench(path: database.folder.path()).running { (bench) async throws -> Void in
            try await bench.send(.eraseMyData, as: "qq:1001")
            let win = try #require(try await bench.store.winners(of: "spring", after: -1, limit: 9).last)
            try await bench.send(.void(win.receipt, reason: "x"), as: "qq:9", in: "qq:spring", isAdmin: true)
            try await bench.send(.stop(activity: "spring"), as: "qq:9", in: "qq:spring", isAdmin: true)
        }
        try await SQLiteStore(path: database.folder.path()).close()
        #expect(try heads(database).map(\.seq) == [8])
    }

    /// Nothing else tells a new one from one that was lost.
    @Test func aDatabaseThatIsGoneIsNotBegunAnew() async throws {
        let database = try await DrawnDatabase(draws: 5)
        let (folder, path) = (database.folder, database.folder.path())
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.url.path) where !name.hasSuffix(".heads")
        {
            try FileManager.default.removeItem(atPath: folder.path(name))
        }
        #expect(gaps(database)?.map(\.issued.receipt.description) == ["spring-5"])
        #expect(gaps(database)?.map(\.missingCount) == [6])
        #expect(!FileManager.default.fileExists(atPath: path))
        // An operator may begin anew.
        try await SQLiteStore.accept(
            SQLiteStore.issuedState(path: path).gaps, path: path, at: Instant(milliseconds: 1_802_232_000_000))
        let audit = try folder.withDatabase { try String.fetchAll($0, sql: "SELECT before FROM bot_audit_log") }
        #expect(audit.count == 1 && audit.first?.hasPrefix("spring-5 ") == true)
        try await SQLiteStore(path: path).close()
        #expect(try heads(database).isEmpty)
    }

    @Test func aDatabaseInThePlaceOfAnotherIsRefusedUntilThatIsAccepted() async throws {
        let (first, second) = (try await DrawnDatabase(draws: 9), try await DrawnDatabase(draws: 2))
        try second.folder.write(try first.folder.bytes("hongbao.db.heads"), to: "hongbao.db.heads")
        let path = second.folder.path()
        let missing = try #require(gaps(second))
        #expect(missing.map(\.issued.seq) == [9])
        try await SQLiteStore.accept(missing, path: path, at: Instant(milliseconds: 0))
        #expect(try heads(second).map(\.seq) == [2])
        try await second.draw(3...4)
    }

    @Test func eachOfTwoDatabasesInOnePlaceIsGuardedByItsOwnRecord() async throws {
        let (first, second) = (try await DrawnDatabase(draws: 9), try await DrawnDatabase(draws: 2))
        // Given both in one place, one after the other, and both in the side file
        let older = try second.folder.bytes()
        let others = try first.folder.bytes("hongbao.db.heads").dropFirst(HeadRecord.size)
        try second.folder.write(try second.folder.bytes("hongbao.db.heads") + others, to: "hongbao.db.heads")
        try await second.draw(3...4)
        #expect(try Set(heads(second).map(\.seq)) == [9, 4])
        // Then an older one is noticed, and the other is as it was left.
        try second.folder.write(older)
        #expect(gaps(second)?.map(\.issued.seq) == [4])
        try second.folder.write(try first.folder.bytes())
        try await SQLiteStore(path: second.folder.path()).close()
    }

    @Test func twoDatabasesInAFolderHaveAFileEach() async throws {
        let database = try await DrawnDatabase(draws: 2)
        let (path, other) = (database.folder.path(), database.folder.path("other.db"))
        try FileManager.default.copyItem(atPath: path, toPath: other)
        try await TestBench(path: other).running { try await $0.draw(3...5) }
        try await SQLiteStore(path: path).close()
        #expect(try heads(database).map(\.seq) == [2])
        #expect(try HeadsFile.contents(at: other + ".heads").records.values.map(\.head.seq) == [5])
    }

    @Test func aLinkLeadsToTheSameFile() async throws {
        let database = try await DrawnDatabase(draws: 2)
        let elsewhere = try TemporaryFolder()
        try FileManager.default.createSymbolicLink(
            atPath: elsewhere.path("link.db"), withDestinationPath: database.folder.path())
        try await TestBench(path: elsewhere.path("link.db")).running { try await $0.draw(3...4) }
        #expect(try heads(database).map(\.seq) == [4])
        #expect(!FileManager.default.fileExists(atPath: elsewhere.path("link.db.heads")))
    }

    @Test func aLinkThatLeadsNowhereMakesNoDatabase() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createSymbolicLink(
            atPath: folder.path(), withDestinationPath: folder.path("not-mounted/hongbao.db"))
        for mode in [SQLiteStore.Mode.exclusive, .readOnly] {
            let error = #expect(throws: StoreError.self) { try SQLiteStore(path: folder.path(), mode: mode) }
            #expect(error?.code == .inaccessible)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["hongbao.db"])
    }

    // MARK: The file itself

    @Test func onlyTheOwnerMayReadTheFile() async throws {
        let database = try await DrawnDatabase(draws: 1)
        let path = database.folder.path("hongbao.db.heads")
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600)
        #expect(database.folder.size("hongbao.db.heads") == 2 * HeadRecord.size)
        #expect(
            String(decoding: try database.folder.bytes("hongbao.db.heads").prefix(128), as: UTF8.self).contains("请勿删除"))
    }

    @Test func aRecordReadsAsItWasWrittenAndAnyChangedByteIsNoticed() throws {
        for text in ["a", "spring-2027", String(repeating: "x", count: 64)] {
            let hash = try #require(Hash((0..<32).map { UInt8($0) }))
            let record = HeadRecord(
                identity: DatabaseIdentity(erasureKey: Array(repeating: 7, count: 32)),
                head: IssuedHead(activity: ActivityID(text), seq: 1 << 40 + 3, hash: hash))
            var bytes = [UInt8](repeating: 0xFF, count: HeadRecord.size)
            #expect(record.write(to: &bytes))
            #expect(HeadRecord(bytes[...]) == record)
            for index in bytes.indices {
                for mask in [1, 0x80, 0xFF] as [UInt8] {
                    var changed = bytes
                    changed[index] ^= mask
                    #expect(HeadRecord(changed[...]) == nil, "byte \(index)")
                }
            }
            for count in 0..<bytes.count { #expect(HeadRecord(bytes[..<count]) == nil) }
        }
        #expect(HeadRecord(ArraySlice(repeating: 0, count: HeadRecord.size)) == nil)
    }

    /// Keeps what is logged.
    private struct Keeper: LogHandler {
        let messages: NIOLockedValueBox<[String]>
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        func log(event: LogEvent) {
            messages.withLockedValue { $0.append("\(event.level) \(event.message)") }
        }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
    }

    private func logged(opening path: String) async throws -> [String] {
        let messages = NIOLockedValueBox<[String]>([])
        try await SQLiteStore(path: path, logger: Logger(label: "test") { _ in Keeper(messages: messages) }).close()
        return messages.withLockedValue { $0 }
    }

    @Test func aMissingFileIsSaidOnceAndMadeAnew() async throws {
        let database = try await DrawnDatabase(draws: 3)
        let path = database.folder.path()
        #expect(try await logged(opening: path) == [])
        try FileManager.default.removeItem(atPath: path + ".heads")
        let messages = try await logged(opening: path)
        #expect(messages.count == 1 && messages[0].hasPrefix("warning the file of issued receipts is missing"))
        #expect(try heads(database).map(\.seq) == [3])
        #expect(try await logged(opening: path) == [])
        // A database from which nothing was issued needs none.
        #expect(try await logged(opening: database.folder.path("new.db")) == [])
    }

    @Test func aDamagedRecordIsSaidAndTheOthersStillCount() async throws {
        // Given an older copy of two activities that went on
        let database = try await DrawnDatabase(draws: 2, activityCount: 2)
        let older = try database.folder.bytes()
        for id in DrawnDatabase.activities { try await database.draw(3...5, in: id) }
        let (newer, whole) = (try database.folder.bytes(), try database.folder.bytes("hongbao.db.heads"))
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        for place in 1...2 {
            for _ in 1...5 {
                // When one record is damaged somewhere
                var damaged = whole
                let index = place * HeadRecord.size + Int.random(in: 0..<HeadRecord.size, using: &generator)
                damaged[damaged.startIndex + index] ^= 1 << UInt8.random(in: 0...7, using: &generator)
                try database.folder.write(damaged, to: "hongbao.db.heads")
                // Then the newer one starts and mends it, the older one is refused for the other.
                try database.folder.write(older)
                #expect(gaps(database)?.count == 1)
                try database.folder.write(newer)
                let messages = try await logged(opening: database.folder.path())
                #expect(messages.count == 1 && messages[0].contains("damaged in part"))
                #expect(try Set(heads(database).map(\.seq)) == [5])
                #expect(try heads(database).count == 2)
            }
        }
        for count in [0, 1, 127, 128, 200, 255, 300] {
            try database.folder.write(whole.prefix(count), to: "hongbao.db.heads")
            try database.folder.write(newer)
            try await SQLiteStore(path: database.folder.path()).close()
            #expect(try heads(database).count == 2, "\(count) bytes")
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["text", "FIFO", "folder", "link", "large"])
    func aFileThatIsNotOursIsRefusedUnchanged(_ kind: String) async throws {
        let database = try await DrawnDatabase(draws: 1)
        let path = database.folder.path("hongbao.db.heads")
        try FileManager.default.removeItem(atPath: path)
        switch kind {
        case "text":
            try database.folder.write(
                Data(String(repeating: "notes of mine\n", count: 90).utf8), to: "hongbao.db.heads")
        case "FIFO": try #require(mkfifo(path, 0o600) == 0)
        case "folder": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        case "large": try database.folder.write(Data(count: 9 << 20), to: "hongbao.db.heads")
        default: try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/etc/hostname")
        }
        let before = try database.folder.bytes()
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: database.folder.path()) }
        #expect(error?.message.contains("Nothing was changed") == true)
        #expect(error?.message.contains("hongbao.db.heads") == true)
        #expect(try database.folder.bytes() == before)
        if kind == "text" { #expect(try database.folder.bytes("hongbao.db.heads").starts(with: Data("notes".utf8))) }
    }

    // MARK: Acceptance

    @Test func acceptedLossIsAuditedAndDrawsGoOn() async throws {
        let database = try await DrawnDatabase(draws: 4, activityCount: 2)
        let path = database.folder.path()
        let older = try database.folder.bytes()
        for id in DrawnDatabase.activities { try await database.draw(5...9, in: id) }
        try database.folder.write(older)
        let missing = try SQLiteStore.issuedState(path: path).gaps
        #expect(missing.count == 2)
        // Only all of it can be accepted, and only as it is.
        await #expect(throws: OutdatedDatabase.self) {
            try await SQLiteStore.accept(Array(missing.prefix(1)), path: path, at: Instant(milliseconds: 0))
        }
        #expect(throws: OutdatedDatabase.self) { try SQLiteStore(path: path) }
        try await SQLiteStore.accept(missing, path: path, at: Instant(milliseconds: 1_802_232_000_000))
        let audit = try database.folder.withDatabase {
            try Row.fetchAll($0, sql: "SELECT * FROM bot_audit_log WHERE action = 'restore.accept' ORDER BY target")
        }
        #expect(audit.map { $0["target"] as String } == ["autumn", "spring"])
        #expect(audit.map { $0["actor"] as String } == ["command-line:operator", "command-line:operator"])
        #expect(audit.map { $0["at"] as String } == Array(repeating: "2027-02-10 04:00:00.000", count: 2))
        for row in audit {
            #expect((row["before"] as String).contains("-9 ") && (row["after"] as String).contains("-4 "))
        }
        try await database.draw(10...11)
        #expect(try Set(heads(database).map(\.receipt.description)) == ["spring-6", "autumn-4"])
    }
}
