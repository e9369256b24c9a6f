import Activities
import Foundation
import GRDB
import Lottery
import TestSupport
import Testing

@testable import SQLiteStore

struct BulkInsertTests {
    private static let table = "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT, blob BLOB, other INTEGER) STRICT"
    private static let columns = ["id", "text", "blob", "other"]

    @Test func everyRowArrivesWithItsValues() throws {
        try DatabaseQueue().write { db in
            try db.execute(sql: Self.table)
            let insert = try BulkInsert(into: "t", columns: Self.columns, on: db)
            let hash = try #require(Hash(Array(0..<32)))
            // More than go at once, and texts too long for what is kept at first.
            let texts = ["", "中奖", "奖\u{301}", String(repeating: "长", count: 3000)]
            for id in 1...2500 {
                insert.rows.append(Int64(id))
                insert.rows.append(id % 5 == 4 ? nil : texts[id % 4])
                insert.rows.append(id % 3 == 0 ? nil : hash)
                insert.rows.append(id % 7 == 0 ? nil : Int64.min + Int64(id))
                try insert.endRow()
            }
            try insert.run()
            let rows = try Row.fetchAll(db, sql: "SELECT * FROM t ORDER BY id")
            #expect(rows.count == 2500)
            for (index, row) in rows.enumerated() {
                let id = index + 1
                #expect(row["id"] == id)
                #expect(row["text"] as String? == (id % 5 == 4 ? nil : texts[id % 4]))
                #expect(row["blob"] as Data? == (id % 3 == 0 ? nil : Data(0..<32)))
                #expect(row["other"] as Int64? == (id % 7 == 0 ? nil : Int64.min + Int64(id)))
            }
        }
    }

    @Test func withoutRowsNothingIsInserted() throws {
        try DatabaseQueue().write { db in
            try db.execute(sql: Self.table)
            try BulkInsert(into: "t", columns: Self.columns, on: db).run()
            #expect(try Int.fetchOne(db, sql: "SELECT count(*) FROM t") == 0)
        }
    }

    @Test func aRowThatBreaksARuleEndsTheTransaction() throws {
        try DatabaseQueue().writeWithoutTransaction { db in
            try db.execute(sql: Self.table)
            let insert = try BulkInsert(into: "t", columns: ["id"], on: db)
            try db.beginTransaction(.immediate)
            try db.execute(sql: "INSERT INTO t (id) VALUES (9)")
            for id in [1, 2, 9, 3] as [Int64] { insert.rows.append(id) }
            let error = #expect(throws: StoreError.self) { try insert.run() }
            #expect(error?.code == .constraint)
            #expect(!db.isInsideTransaction)
            #expect(try Int.fetchOne(db, sql: "SELECT count(*) FROM t") == 0)
            // And the next rows are not those of before.
            insert.rows.append(5)
            try insert.run()
            #expect(try Int.fetchAll(db, sql: "SELECT id FROM t") == [5])
        }
    }
}
