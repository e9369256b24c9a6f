import Activities
import Basics
import Foundation
import GRDB
import Lottery
import SQLiteStore
import TestSupport
import Testing

/// Backups that can be believed, and restores that lose nothing.
struct DatabaseCopyTests {
    private static let moment = Instant(milliseconds: 1_802_232_000_000)

    private func names(_ folder: TemporaryFolder) throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: folder.url.path))
    }

    // MARK: Backup

    @Test func aBackupBesideAWriterHoldsOneMoment() async throws {
        let database = try await DrawnDatabase(draws: 3)
        let copies = try TemporaryFolder()
        let path = database.folder.path()
        let reports = try await TestBench(path: path).running { bench in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await bench.draw(4...120) }
                var reports: [DatabaseReport] = []
                for number in 1...12 {
                    reports.append(try DatabaseCopy.backUp(path, to: copies.path("\(number).db")))
                    try await Task.sleep(for: .milliseconds(5))
                }
                try await group.waitForAll()
                return reports
            }
        }
        let whole = try SQLiteStore(path: path, mode: .readOnly)
        var seqs: [Int64] = []
        for (number, report) in reports.enumerated() {
            let head = try #require(report.activities.first?.head)
            seqs.append(head.seq)
            // It is a beginning of what the database went on to hold, and says so itself.
            #expect(try await whole.ledger(of: "spring", from: head.seq, limit: 1).first?.hash == head.hash)
            let copy = try SQLiteStore(path: copies.path("\(number + 1).db"), mode: .readOnly)
            #expect(try await copy.ledger(of: "spring", from: 0, limit: .max).last?.seq == head.seq)
            try await copy.close()
        }
        try await whole.close()
        #expect(seqs == seqs.sorted() && seqs.first != seqs.last)
        #expect(try names(copies).filter { $0.hasSuffix(".part") }.isEmpty)
    }

    @Test func aBackupIsOneFileThatOnlyItsOwnerReads() async throws {
        let database = try await DrawnDatabase(draws: 30)
        let copies = try TemporaryFolder()
        let report = try DatabaseCopy.backUp(database.folder.path(), to: copies.path("a.db"))
        #expect(report.activities.map(\.drawCount) == [30])
        #expect(report.activities.first?.winCount == report.activities.first?.stock.first?.issued)
        #expect(report.rowCount == 31)
        #expect(try names(copies) == ["a.db"])
        let mode = try FileManager.default.attributesOfItem(atPath: copies.path("a.db"))[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600)
        // Reading it makes nothing beside it, so it may lie where nobody can write.
        #expect(try SQLiteStore.report(path: copies.path("a.db"), isThorough: true).faults.isEmpty)
        #expect(try names(copies) == ["a.db"])
    }

    @Test func noFileIsOverwritten() async throws {
        let database = try await DrawnDatabase(draws: 1)
        let copies = try TemporaryFolder()
        try copies.write(Data("mine".utf8), to: "file")
        try FileManager.default.createSymbolicLink(atPath: copies.path("link"), withDestinationPath: "nowhere")
        try FileManager.default.createDirectory(atPath: copies.path("folder"), withIntermediateDirectories: false)
        for name in ["file", "link", "folder"] {
            #expect(throws: DatabaseCopy.Refusal.taken(copies.path(name))) {
                try DatabaseCopy.backUp(database.folder.path(), to: copies.path(name))
            }
        }
        #expect(throws: DatabaseCopy.Refusal.self) {
            try DatabaseCopy.backUp(database.folder.path(), to: database.folder.path())
        }
        #expect(try copies.bytes("file") == Data("mine".utf8))
        #expect(try names(copies) == ["file", "link", "folder"])
        // One that appears while the copy is made stays as well.
        #expect(throws: StoreError.self) {
            try DatabaseCopy.backUp(database.folder.path(), to: copies.path("late")) { work in
                if work == .checkingStructure { try copies.write(Data("theirs".utf8), to: "late") }
            }
        }
        #expect(try copies.bytes("late") == Data("theirs".utf8))
        #expect(try names(copies) == ["file", "link", "folder", "late"])
    }

    private struct Stop: Error {}

    @Test func aBackupThatIsBrokenOffLeavesNothing() async throws {
        let database = try await DrawnDatabase(draws: 3)
        let copies = try TemporaryFolder()
        for step in 1...3 {
            var count = 0
            #expect(throws: Stop.self) {
                try DatabaseCopy.backUp(database.folder.path(), to: copies.path("a.db")) { _ in
                    count += 1
                    if count >= step { throw Stop() }
                }
            }
            #expect(try names(copies).isEmpty, "step \(step)")
        }
        #expect(throws: StoreError.self) {
            try DatabaseCopy.backUp(database.folder.path(), to: copies.path("none/a.db"))
        }
        #expect(throws: StoreError.self) {
            try DatabaseCopy.backUp(database.folder.path("none.db"), to: copies.path("a.db"))
        }
        #expect(try names(copies).isEmpty)
        #expect(try !names(database.folder).contains("none.db"))
    }

    @Test func whatIsLeftOfAKilledBackupIsTakenOver() async throws {
        let database = try await DrawnDatabase(draws: 3)
        let copies = try TemporaryFolder()
        try copies.write(Data(repeating: 7, count: 1 << 20), to: "a.db.part")
        try DatabaseCopy.backUp(database.folder.path(), to: copies.path("a.db"))
        #expect(try names(copies) == ["a.db"])
    }

    // MARK: What a check finds

    struct Tampering: Sendable, CustomTestStringConvertible {
        let sql: String
        let isExpected: @Sendable (DatabaseFault) -> Bool

        init(_ sql: String, _ isExpected: @escaping @Sendable (DatabaseFault) -> Bool) {
            self.sql = sql
            self.isExpected = isExpected
        }

        var testDescription: String { sql }
    }

    static let tamperings = [
        Tampering("UPDATE bot_activity_award SET issued = issued + 1") { if case .stock = $0 { true } else { false } },
        Tampering("UPDATE bot_activity SET draw_count = draw_count - 1") {
            if case .drawCount = $0 { true } else { false }
        },
        Tampering("DELETE FROM bot_user_award WHERE seq = (SELECT min(seq) FROM bot_user_award)") {
            if case .wins = $0 { true } else if case .stock = $0 { true } else { false }
        },
        Tampering("UPDATE bot_user_award SET user_id = 'qq:thief' WHERE seq = (SELECT max(seq) FROM bot_user_award)") {
            if case .wins(_, .some) = $0 { true } else { false }
        },
        Tampering(
            """
            INSERT INTO bot_user_award (activity_id, seq, user_id, activity_award_id, award_name, game_id, created_at)
            VALUES ('spring', 999, 'qq:thief', 'skin', 'x', 'x', '2027-02-10 04:00:00.000')
            """
        ) { if case .wins(_, nil) = $0 { true } else if case .stock = $0 { true } else { false } },
        Tampering("DELETE FROM bot_draw_ledger WHERE seq = 4") {
            if case .ledger(_, 5, .some) = $0 { true } else { false }
        },
        Tampering("UPDATE bot_draw_ledger SET at_ms = at_ms + 1 WHERE seq = 4") {
            if case .ledger(_, 4, .chain) = $0 { true } else { false }
        },
        Tampering("UPDATE bot_draw_ledger SET user_id = 'qq:thief' WHERE seq = 4") {
            if case .ledger(_, 4, .userHash) = $0 { true } else { false }
        },
        Tampering("UPDATE bot_draw_ledger SET hash = zeroblob(32) WHERE seq = 20") {
            if case .ledger(_, 20, .chain) = $0 { true } else { false }
        },
        Tampering("UPDATE bot_draw_round SET rules = '{}'") {
            if case .ledger(_, nil, nil) = $0 { true } else { false }
        },
        Tampering("PRAGMA foreign_keys = OFF; DELETE FROM bot_activity_award") {
            if case .foreignKey("bot_user_award") = $0 { true } else { false }
        },
    ]

    @Test(arguments: tamperings)
    func whatWasChangedBesidesTheProgramIsFoundAndNotBackedUp(_ tampering: Tampering) async throws {
        let database = try await DrawnDatabase(draws: 20)
        #expect(try SQLiteStore.report(path: database.folder.path(), isThorough: true).faults.isEmpty)
        try database.folder.withDatabase { try $0.execute(sql: tampering.sql) }
        let faults = try SQLiteStore.report(path: database.folder.path(), isThorough: true).faults
        #expect(faults.contains(where: tampering.isExpected), "\(faults)")
        let copies = try TemporaryFolder()
        #expect(throws: DatabaseCopy.Refusal.unsound(faults)) {
            try DatabaseCopy.backUp(database.folder.path(), to: copies.path("a.db"))
        }
        #expect(try names(copies).isEmpty)
    }

    @Test func aDamagedPageIsNeverBackedUpAsGood() async throws {
        let database = try await DrawnDatabase(draws: 20)
        let whole = try database.folder.bytes()
        let copies = try TemporaryFolder()
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        for page in 1..<(whole.count / 4096) {
            var damaged = whole
            damaged.replaceSubrange(
                page * 4096..<page * 4096 + 4096,
                with: (0..<4096).map { _ in UInt8.random(in: 0...255, using: &generator) })
            try database.folder.write(damaged)
            let made = try? DatabaseCopy.backUp(database.folder.path(), to: copies.path("\(page).db"))
            #expect(made == nil, "page \(page + 1)")
        }
        #expect(try names(copies).isEmpty)
    }

    @Test func aVoidedAndErasedHistoryIsSound() async throws {
        let database = try await DrawnDatabase(draws: 20)
        try await TestBench(path: database.folder.path()).running { (bench) async throws -> Void in
            let wins = try await bench.store.winners(of: "spring", after: -1, limit: 9)
            for win in wins.prefix(3) {
                try await bench.send(.void(win.receipt, reason: "x"), as: "qq:9", in: "qq:spring", isAdmin: true)
            }
            for win in wins.dropFirst(2).prefix(3) {
                try await bench.send(.eraseMyData, as: try #require(win.user), in: "qq:spring")
            }
            try await bench.send(.stop(activity: "spring"), as: "qq:9", in: "qq:spring", isAdmin: true)
            try await bench.send(.start(activity: "spring"), as: "qq:9", in: "qq:spring", isAdmin: true)
            try await bench.draw(21...25)
        }
        #expect(try SQLiteStore.report(path: database.folder.path(), isThorough: true).faults == [])
    }

    // MARK: Restore

    @Test func aRestoreKeepsWhatWasThereAndSaysWhatIsMissing() async throws {
        let database = try await DrawnDatabase(draws: 4)
        let path = database.folder.path()
        let backup = database.folder.path("backup.db")
        try DatabaseCopy.backUp(path, to: backup)
        try await database.draw(5...9)
        let restoration = try DatabaseCopy.restore(backup, to: path, at: Self.moment)
        #expect(restoration.report.activities.map(\.drawCount) == [4])
        #expect(!restoration.replacesAnother && restoration.couldReadKept)
        #expect(restoration.gaps.map(\.firstMissing) == [Receipt(activity: "spring", seq: 5)])
        #expect(restoration.gaps.map(\.issued.seq) == [9])
        let kept = try #require(restoration.kept)
        #expect(kept.hasSuffix("hongbao.db.before-restore-20270210T040000Z"))
        let before = try SQLiteStore(path: kept, mode: .readOnly)
        #expect(try await before.load().activities.first?.drawCount == 9)
        try await before.close()
        // Refused until somebody confirms.
        #expect(throws: OutdatedDatabase.self) { try SQLiteStore(path: path) }
        try await SQLiteStore.accept(restoration.gaps, path: path, at: Self.moment)
        try await database.draw(5...6, seed: 99)
        #expect(try SQLiteStore.report(path: path, isThorough: true).faults.isEmpty)
        // The newer one back again: its own receipts of the same numbers were given up.
        let again = try DatabaseCopy.restore(kept, to: path, at: Self.moment.advanced(bySeconds: 1))
        #expect(again.gaps.map(\.issued.seq) == [6])
        #expect(again.gaps.map(\.firstMissing) == [nil])
    }

    @Test func aNewerStateCanAlwaysBePutBack() async throws {
        let database = try await DrawnDatabase(draws: 4)
        let path = database.folder.path()
        let older = try database.folder.bytes()
        try await database.draw(5...9)
        let newer = database.folder.path("newer.db")
        try DatabaseCopy.backUp(path, to: newer)
        try database.folder.write(older)
        #expect(throws: OutdatedDatabase.self) { try SQLiteStore(path: path) }
        #expect(try DatabaseCopy.restore(newer, to: path, at: Self.moment).gaps.isEmpty)
        try await database.draw(10...11)
    }

    @Test func theLogOfTheDatabaseBeforeGoesWithIt() async throws {
        // Given what a killed process leaves, its last draws in the log only, and no side file
        let database = try await DrawnDatabase(draws: 2)
        let backup = database.folder.path("backup.db")
        try DatabaseCopy.backUp(database.folder.path(), to: backup)
        let killed = try TemporaryFolder()
        try await TestBench(path: database.folder.path()).running { bench in
            try await bench.draw(3...6)
            for name in ["hongbao.db", "hongbao.db-wal"] { try killed.write(try database.folder.bytes(name), to: name) }
        }
        let restoration = try DatabaseCopy.restore(backup, to: killed.path(), at: Self.moment)
        // Then even so it is known what was issued,
        #expect(restoration.gaps.map(\.issued.seq) == [6])
        // the log does not come over the restored one,
        #expect(killed.size("hongbao.db-wal") == 0)
        #expect(try SQLiteStore.report(path: killed.path(), isThorough: true).activities.map(\.drawCount) == [2])
        // and what was there is whole.
        let kept = try SQLiteStore(path: try #require(restoration.kept), mode: .readOnly)
        #expect(try await kept.load().activities.first?.drawCount == 6)
        try await kept.close()
    }

    @Test func aRestoreIsRefusedWhileTheDatabaseIsInUse() async throws {
        let database = try await DrawnDatabase(draws: 2)
        let backup = database.folder.path("backup.db")
        try DatabaseCopy.backUp(database.folder.path(), to: backup)
        let store = try SQLiteStore(path: database.folder.path())
        let before = try database.contents().filter { !$0.key.hasSuffix("-shm") }
        let error = #expect(throws: StoreError.self) {
            try DatabaseCopy.restore(backup, to: database.folder.path(), at: Self.moment)
        }
        #expect(error?.code == .locked)
        #expect(try database.contents().filter { !$0.key.hasSuffix("-shm") } == before)
        try await store.close()
    }

    @Test func aBadBackupChangesNothing() async throws {
        let database = try await DrawnDatabase(draws: 20)
        let path = database.folder.path()
        let backup = database.folder.path("backup.db")
        try DatabaseCopy.backUp(path, to: backup)
        let whole = try database.folder.bytes("backup.db")
        let before = try database.folder.bytes()
        var cases: [Data] = [Data(), Data("text".utf8), whole.prefix(whole.count / 2)]
        var damaged = whole
        damaged.replaceSubrange(whole.count - 8192..<whole.count - 4096, with: Data(repeating: 0x5A, count: 4096))
        cases.append(damaged)
        for bytes in cases {
            try database.folder.write(bytes, to: "backup.db")
            #expect(throws: (any Error).self) { try DatabaseCopy.restore(backup, to: path, at: Self.moment) }
            #expect(try database.folder.bytes() == before)
            #expect(try !names(database.folder).contains { $0.contains("restor") })
        }
        // One whose ledger was changed.
        try database.folder.write(whole, to: "backup.db")
        let queue = try DatabaseQueue(path: backup)
        try await queue.write { try $0.execute(sql: "UPDATE bot_draw_ledger SET at_ms = at_ms + 1 WHERE seq = 3") }
        try queue.close()
        #expect(throws: DatabaseCopy.Refusal.self) { try DatabaseCopy.restore(backup, to: path, at: Self.moment) }
        #expect(throws: DatabaseCopy.Refusal.unusable(.missing, cause: nil)) {
            try DatabaseCopy.restore(database.folder.path("none.db"), to: path, at: Self.moment)
        }
        #expect(throws: DatabaseCopy.Refusal.same) { try DatabaseCopy.restore(path, to: path, at: Self.moment) }
        #expect(try database.folder.bytes() == before)
        try await database.draw(21...21)
    }

    @Test func restoresOfTheSameSecondKeepEachDatabase() async throws {
        let database = try await DrawnDatabase(draws: 4)
        let path = database.folder.path()
        let backup = database.folder.path("backup.db")
        try DatabaseCopy.backUp(path, to: backup)
        let kept = try (1...3).map { _ in
            try #require(try DatabaseCopy.restore(backup, to: path, at: Self.moment).kept)
        }
        #expect(
            kept.map { $0.components(separatedBy: "hongbao.db.before-restore-").last }
                == ["20270210T040000Z", "20270210T040000Z-2", "20270210T040000Z-3"])
        for path in kept { #expect(try SQLiteStore.report(path: path, isThorough: true).faults.isEmpty) }
    }

    @Test func aSideFileThatIsNotOursStopsARestoreBeforeItChangesAnything() async throws {
        let database = try await DrawnDatabase(draws: 4)
        let path = database.folder.path()
        let backup = database.folder.path("backup.db")
        try DatabaseCopy.backUp(path, to: backup)
        try database.folder.write(Data(repeating: 0x61, count: 4096), to: "hongbao.db.heads")
        let before = try database.folder.bytes()
        let error = #expect(throws: StoreError.self) { try DatabaseCopy.restore(backup, to: path, at: Self.moment) }
        #expect(error?.code == .unusableSideFile)
        #expect(try database.folder.bytes() == before)
        #expect(try !names(database.folder).contains { $0.contains("restor") })
    }

    @Test func aDatabaseThatCannotBeReadIsKeptAsItIs() async throws {
        let database = try await DrawnDatabase(draws: 4)
        let path = database.folder.path()
        let backup = database.folder.path("backup.db")
        try DatabaseCopy.backUp(path, to: backup)
        try await database.draw(5...9)
        let broken = Data(repeating: 0xEE, count: 100_000)
        try database.folder.write(broken)
        let restoration = try DatabaseCopy.restore(backup, to: path, at: Self.moment)
        #expect(!restoration.couldReadKept)
        #expect(restoration.gaps.map(\.issued.seq) == [9])
        #expect(try Data(contentsOf: URL(fileURLWithPath: try #require(restoration.kept))) == broken)
    }

    @Test func aBackupIsRestoredWhereThereIsNothing() async throws {
        let database = try await DrawnDatabase(draws: 4)
        let elsewhere = try TemporaryFolder()
        let backup = elsewhere.path("backup.db")
        try DatabaseCopy.backUp(database.folder.path(), to: backup)
        let restoration = try DatabaseCopy.restore(backup, to: elsewhere.path(), at: Self.moment)
        #expect(restoration.kept == nil && restoration.gaps.isEmpty)
        let store = try SQLiteStore(path: elsewhere.path())
        #expect(try await store.load().activities.first?.drawCount == 4)
        try await store.close()
    }

    @Test func theBackupOfAnotherDatabaseIsSaidToBeThat() async throws {
        let (first, second) = (try await DrawnDatabase(draws: 4), try await DrawnDatabase(draws: 2))
        let backup = second.folder.path("backup.db")
        try DatabaseCopy.backUp(second.folder.path(), to: backup)
        let restoration = try DatabaseCopy.restore(backup, to: first.folder.path(), at: Self.moment)
        // What was issued from the one before is not in it.
        #expect(restoration.replacesAnother && restoration.gaps.map(\.issued.seq) == [4])
        #expect(throws: OutdatedDatabase.self) { try SQLiteStore(path: first.folder.path()) }
    }

    @Test func throughALinkTheFileItselfIsExchanged() async throws {
        let database = try await DrawnDatabase(draws: 4)
        let elsewhere = try TemporaryFolder()
        let backup = elsewhere.path("backup.db")
        try DatabaseCopy.backUp(database.folder.path(), to: backup)
        try FileManager.default.createSymbolicLink(
            atPath: elsewhere.path("link.db"), withDestinationPath: database.folder.path())
        let restoration = try DatabaseCopy.restore(backup, to: elsewhere.path("link.db"), at: Self.moment)
        #expect(restoration.kept?.hasPrefix(database.folder.url.resolvingSymlinksInPath().path) == true)
        let kind = try FileManager.default.attributesOfItem(atPath: elsewhere.path("link.db"))[.type]
        #expect(kind as? FileAttributeType == .typeSymbolicLink)
    }
}
