internal import Activities
internal import GRDB

/// Many rows for one table, inserted by one statement.
///
/// They are bound, and their place in the tree is looked for, once and not once a row: a row costs about half of what it
/// costs as a statement (docs/decisions/0020). A row that breaks a rule ends the transaction: `OR ROLLBACK` spares SQLite a
/// second copy of every page that it would need to undo this statement alone.
final class BulkInsert {
    /// Rows that go at once; more are inserted in several statements, so that memory stays bounded.
    private static let maximumRowCount = 1024

    /// What is to be inserted, its values in the order of the columns.
    let rows: BulkRows
    private let statement: RawStatement

    /// - Parameters:
    ///   - table: One that no other value of this connection inserts into.
    ///   - conflict: What follows the rows, such as an `ON CONFLICT` clause.
    /// - Throws: ``StoreError`` when SQLite refuses the statement.
    init(into table: String, columns: [String], conflict: String = "", on db: Database) throws {
        rows = try BulkRows("rows_for_\(table)", width: columns.count, on: db)
        let values = columns.indices.map { "c\($0)" }.joined(separator: ", ")
        statement = try RawStatement(
            """
            INSERT OR ROLLBACK INTO \(table) (\(columns.joined(separator: ", ")))
            SELECT \(values) FROM \(rows.name) WHERE true \(conflict)
            """, on: db)
    }

    /// Ends the row whose last value was appended.
    func endRow() throws {
        if rows.count >= Self.maximumRowCount { try run() }
    }

    /// Inserts the rows, if there are any, and begins anew.
    ///
    /// - Throws: ``StoreError``; the transaction may then be over.
    func run() throws {
        if rows.isEmpty { return }
        defer { rows.removeAll() }
        try statement.run()
    }
}
