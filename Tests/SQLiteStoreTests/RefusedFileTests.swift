import Activities
import Basics
import Foundation
import GRDB
import Lottery
import SQLiteStore
import TestSupport
import Testing

/// Files that must be refused with a clear message, and not be changed by a byte.
///
/// - Source: hardening.md, row 78.
struct RefusedFileTests {
    struct Case: Sendable, CustomStringConvertible {
        let description: String
        let code: StoreError.Code
        let make: @Sendable (TemporaryFolder) async throws -> Void

        init(
            _ description: String, _ code: StoreError.Code,
            _ make: @escaping @Sendable (TemporaryFolder) async throws -> Void
        ) {
            self.description = description
            self.code = code
            self.make = make
        }
    }

    static let cases: [Case] = [
        Case("zero bytes", .foreign) { try $0.write(Data()) },
        Case("one byte", .foreign) { try $0.write(Data([0x53])) },
        Case("text", .foreign) { try $0.write(Data(String(repeating: "- id: 春节\n", count: 900).utf8)) },
        Case("SQLite's first 16 bytes and nothing else", .foreign) { try $0.write(Data("SQLite format 3\0".utf8)) },
        Case("another program's database", .foreign) { folder in
            try folder.withDatabase {
                try $0.execute(sql: "CREATE TABLE note (text TEXT); INSERT INTO note VALUES ('x')")
            }
        },
        Case("another program's database with a log", .foreign) { folder in
            try folder.withDatabase {
                try $0.execute(sql: "PRAGMA journal_mode = WAL; CREATE TABLE bot_activity (id TEXT)")
            }
        },
        Case("another application id", .foreign) { folder in
            try await folder.makeDatabase()
            try folder.withDatabase { try $0.execute(sql: "PRAGMA application_id = 1") }
        },
        Case("no application id", .foreign) { folder in
            try await folder.makeDatabase()
            try folder.withDatabase { try $0.execute(sql: "PRAGMA application_id = 0") }
        },
        Case("a newer schema", .foreign) { folder in
            try await folder.makeDatabase()
            try folder.withDatabase { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('999 prizes by post')") }
        },
        Case("a trigger", .foreign) { folder in
            try await folder.makeDatabase()
            try folder.withDatabase {
                try $0.execute(
                    sql: """
                        CREATE TRIGGER gift AFTER INSERT ON bot_activity_user BEGIN
                            DELETE FROM bot_user_award;
                        END
                        """)
            }
        },
        Case("a view", .foreign) { folder in
            try await folder.makeDatabase()
            try folder.withDatabase {
                try $0.execute(
                    sql:
                        "ALTER TABLE bot_user_award RENAME TO x; CREATE VIEW bot_user_award AS SELECT * FROM x WHERE FALSE"
                )
            }
        },
        Case("another program's log beside it", .foreign) { folder in
            try await folder.makeDatabase()
            // Left behind by a program that was killed.
            let other = folder.path("other.db")
            let queue = try DatabaseQueue(path: other)
            try await queue.writeWithoutTransaction { db in
                try db.execute(
                    sql: "PRAGMA journal_mode = WAL; CREATE TABLE note (text TEXT); INSERT INTO note VALUES ('x')")
                for name in ["-wal", "-shm"] {
                    try FileManager.default.copyItem(atPath: other + name, toPath: folder.path() + name)
                }
            }
            try queue.close()
        },
        Case("the second half missing", .corrupt) { folder in
            try await folder.makeDatabase()
            let whole = try folder.bytes()
            try folder.write(whole.prefix(whole.count / 2))
        },
        Case("all but the first page missing", .corrupt) { folder in
            try await folder.makeDatabase()
            try folder.write(try folder.bytes().prefix(4096))
        },
        Case("an end that is cut off", .corrupt) { folder in
            try await folder.makeDatabase()
            // More than a page: the last may be empty, and its loss none.
            try folder.write(try folder.bytes().dropLast(4096 + 100))
        },
        Case("a directory", .foreign) { folder in
            try FileManager.default.createDirectory(atPath: folder.path(), withIntermediateDirectories: false)
        },
        Case("a FIFO", .foreign) { folder in
            guard mkfifo(folder.path(), 0o600) == 0 else { throw CocoaError(.fileWriteUnknown) }
        },
        Case("a link to a FIFO", .foreign) { folder in
            guard mkfifo(folder.path("fifo"), 0o600) == 0 else { throw CocoaError(.fileWriteUnknown) }
            try FileManager.default.createSymbolicLink(atPath: folder.path(), withDestinationPath: folder.path("fifo"))
        },
    ]

    @Test("hardening row 78: a file that is not ours is refused unchanged", .timeLimit(.minutes(1)), arguments: cases)
    func fileIsRefusedUnchanged(example: Case) async throws {
        let folder = try TemporaryFolder()
        try await example.make(folder)
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path())
        let isFile = attributes[.type] as? FileAttributeType == .typeRegular
        let before = isFile ? try folder.bytes() : nil
        let logSize = folder.size("hongbao.db-wal")

        for mode in [SQLiteStore.Mode.exclusive, .readOnly, .exclusive] {
            let error = #expect(throws: StoreError.self) { try SQLiteStore(path: folder.path(), mode: mode) }
            #expect(error?.code == example.code, "\(error?.description ?? "")")
            #expect(error?.message.contains("Nothing was changed") == true, "\(error?.message ?? "")")
            #expect(error?.message.contains(folder.path()) == true, "\(error?.message ?? "")")
        }

        if let before { #expect(try folder.bytes() == before) }
        #expect(folder.size("hongbao.db-wal") == logSize)
    }

    @Test("hardening row 78: every damaged page is noticed")
    func everyDamagedPageIsNoticedOrHarmless() async throws {
        // Given a database with something in it
        let folder = try TemporaryFolder()
        let bench = try await TestBench(path: folder.path(), library: MemoryLibrary(["spring.yaml": .sample]))
        try await bench.running { bench in
            try await bench.send(.importActivity(file: "spring.yaml"), as: "qq:9", isAdmin: true)
            try await bench.send(.start(activity: "spring"), as: "qq:9", isAdmin: true)
        }
        let whole = try folder.bytes()
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        for page in 0..<(whole.count / 4096) {
            // When one page of it is overwritten
            var damaged = whole
            damaged.replaceSubrange(
                (page * 4096)..<(page * 4096 + 4096),
                with: (0..<4096).map { _ in UInt8.random(in: 0...255, using: &generator) })
            try folder.write(damaged)

            // Then it is refused and left alone
            let hint: Comment = "page \(page + 1), HONGBAO_SEED=\(SeededGenerator.baseSeed)"
            let error = #expect(throws: StoreError.self, hint) { try SQLiteStore(path: folder.path()) }
            #expect(error?.code == (page == 0 ? .foreign : .corrupt), hint)
            #expect(try folder.bytes() == damaged, hint)
        }
    }

    @Test(
        "hardening row 78: a file that may not be written is refused",
        .enabled(if: getuid() != 0, "root may write everything; the program's own test becomes another user"))
    func aFileThatMayNotBeWrittenIsRefused() async throws {
        let folder = try TemporaryFolder()
        try await folder.makeDatabase()
        let before = try folder.bytes()
        try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: folder.path())
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: folder.path()) }
        #expect(error?.code == .inaccessible)
        #expect(try folder.bytes() == before)
    }

    @Test
    func missingFolderIsRefused() throws {
        let folder = try TemporaryFolder()
        for mode in [SQLiteStore.Mode.exclusive, .readOnly] {
            let error = #expect(throws: StoreError.self) {
                try SQLiteStore(path: folder.path("none/hongbao.db"), mode: mode)
            }
            #expect(error?.code == .inaccessible)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
    }

    @Test
    func databaseWithoutTablesIsTaken() async throws {
        let folder = try TemporaryFolder()
        try folder.withDatabase { try $0.execute(sql: "CREATE TABLE x (y); DROP TABLE x; VACUUM") }
        #expect(try !folder.bytes().isEmpty)
        let store = try SQLiteStore(path: folder.path())
        #expect(try await store.load().configuration.count >= 7)
        try await store.close()
        #expect(throws: Never.self) { try SQLiteStore(path: folder.path(), mode: .readOnly) }
    }

    @Test
    func databaseThatWasNeverFinishedIsFinishedByAWriterOnly() async throws {
        // Given a file whose first process was killed before its tables were there
        let folder = try TemporaryFolder()
        try folder.withDatabase {
            try $0.execute(
                sql: """
                    PRAGMA application_id = \(0x4842_616F);
                    CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
                    """)
        }
        let error = #expect(throws: StoreError.self) { try SQLiteStore(path: folder.path(), mode: .readOnly) }
        #expect(error?.code == .foreign)
        let store = try SQLiteStore(path: folder.path())
        #expect(try await store.load().configuration.count >= 7)
        try await store.close()
        try await SQLiteStore(path: folder.path(), mode: .readOnly).close()
    }

    /// A file may be whole and yet not make sense, after somebody's repair by hand.
    @Test
    func rowThatCannotBeReadIsAFaultAndNotTheEndOfTheProcess() async throws {
        let folder = try TemporaryFolder()
        let bench = try await TestBench(path: folder.path(), library: MemoryLibrary(["spring.yaml": .sample]))
        try await bench.running { bench in
            try await bench.send(.importActivity(file: "spring.yaml"), as: "qq:9", isAdmin: true)
            try await bench.send(.start(activity: "spring"), as: "qq:9", isAdmin: true)
        }
        for change in ["DELETE FROM bot_draw_round", "UPDATE bot_draw_ledger SET round = NULL"] {
            try folder.withDatabase { try $0.execute(sql: change) }
            let store = try SQLiteStore(path: folder.path(), mode: .readOnly)
            let error = await #expect(throws: StoreError.self, "\(change)") {
                try await store.ledger(of: "spring", from: 0, limit: .max)
            }
            #expect(error?.code == .corrupt, "\(change)")
            try await store.close()
        }
    }
}
