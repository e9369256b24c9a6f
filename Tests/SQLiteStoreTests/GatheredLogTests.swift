import Foundation
import GRDB
import TestSupport
import Testing

@testable import SQLiteStore

struct GatheredLogTests {
    /// A database whose log is gathered, and never synced: nothing but its own rule brings it out.
    private func database(in folder: TemporaryFolder) throws -> DatabaseQueue {
        let queue = try DatabaseQueue(path: folder.path())
        try queue.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 0")
            try db.execute(sql: "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)")
            GatheredLog.begin(db)
        }
        return queue
    }

    /// What somebody finds who takes the files as they are now.
    private func found(_ folder: TemporaryFolder) throws -> [Int] {
        let copy = try TemporaryFolder()
        for name in ["hongbao.db", "hongbao.db-wal"] { try copy.write(folder.bytes(name), to: name) }
        return try copy.withDatabase { db in
            try #expect(String.fetchOne(db, sql: "PRAGMA integrity_check") == "ok")
            return try Int.fetchAll(db, sql: "SELECT id FROM t ORDER BY id")
        }
    }

    @Test func everyTransactionIsOutWhenItsCommitReturns() throws {
        let folder = try TemporaryFolder()
        let queue = try database(in: folder)
        // From one page to many pieces.
        for (id, size) in [(1, 10), (2, 4000), (3, 200_000), (4, 1), (5, 3_000_000), (6, 70_000)] {
            try queue.write { db in
                try db.execute(
                    sql: "INSERT INTO t VALUES (?, ?)", arguments: [id, String(repeating: "x", count: size)])
            }
            #expect(try found(folder) == Array(1...id))
        }
        try queue.close()
    }

    @Test func whatIsTakenBackOrTooLargeForTheCacheIsReadAsItWasWritten() throws {
        let folder = try TemporaryFolder()
        let queue = try database(in: folder)
        try queue.writeWithoutTransaction { db in
            // So small that a transaction's pages go to the log before its end, and are read from there.
            try db.execute(sql: "PRAGMA cache_size = 5; PRAGMA cache_spill = 1")
            for isKept in [false, true, false] {
                try db.beginTransaction()
                for id in 1...300 {
                    try db.execute(
                        sql: "INSERT OR REPLACE INTO t VALUES (?, ?)",
                        arguments: [id + (isKept ? 0 : 1000), String(repeating: "\(id % 10)", count: 3000)])
                    let text = try String.fetchOne(
                        db, sql: "SELECT text FROM t WHERE id % 1000 = ?", arguments: [(id + 1) / 2])
                    #expect(text == String(repeating: "\((id + 1) / 2 % 10)", count: 3000))
                }
                if isKept { try db.commit() } else { try db.rollback() }
            }
        }
        #expect(try found(folder) == Array(1...300))
        try queue.close()
        #expect(try folder.withDatabase { try Int.fetchOne($0, sql: "SELECT count(*) FROM t") } == 300)
    }

    @Test func anotherConnectionSeesACommitAndTheCheckpointMovesIt() throws {
        let folder = try TemporaryFolder()
        let queue = try database(in: folder)
        let other = try DatabaseQueue(path: folder.path())
        for id in 1...50 {
            try queue.write {
                try $0.execute(
                    sql: "INSERT INTO t VALUES (?, ?)", arguments: [id, String(repeating: "y", count: 9000)])
            }
            #expect(try other.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM t") } == id)
            if id % 20 == 0 { _ = try queue.writeWithoutTransaction { try $0.checkpoint(.truncate) } }
        }
        try other.close()
        try queue.close()
        #expect(try folder.withDatabase { try Int.fetchOne($0, sql: "SELECT count(*) FROM t") } == 50)
    }
}
