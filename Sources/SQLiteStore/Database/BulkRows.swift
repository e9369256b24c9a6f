internal import Activities
internal import Basics
internal import GRDB
internal import GRDBSQLite
internal import Lottery

/// Rows that SQLite reads as a table, for a statement that takes them all at once.
///
/// Values are appended in the order of the columns, which the statement calls `c0`, `c1` and so on. Used only on the
/// connection that it was made for, by one thread at a time.
final class BulkRows {
    /// What the statement calls the table.
    let name: String
    private let buffer: UnsafeMutablePointer<RowBuffer>

    /// - Parameters:
    ///   - name: One that no other value of this connection has.
    ///   - width: Columns.
    init(_ name: String, width: Int, on db: Database) throws {
        guard let connection = db.sqliteConnection else {
            throw StoreError(code: .failed, message: "The database connection is closed.")
        }
        self.name = name
        buffer = UnsafeMutablePointer<RowBuffer>.allocate(capacity: 1)
        buffer.initialize(to: RowBuffer(width: width))
        // From here on the connection owns the rows, and frees them when it is closed.
        let code = sqlite3_create_module_v2(connection, name, RowModule.module, buffer) { rows in
            guard let rows = rows?.assumingMemoryBound(to: RowBuffer.self) else { return }
            rows.pointee.deallocate()
            rows.deinitialize(count: 1).deallocate()
        }
        guard code == SQLITE_OK else { throw StoreError(sqlite: code, connection) }
    }

    var isEmpty: Bool { buffer.pointee.cellCount == 0 }
    var count: Int { buffer.pointee.rowCount }

    func append(_ text: String?) {
        guard var text else { return appendNull() }
        text.withUTF8 { buffer.pointee.append(.text, UnsafeRawBufferPointer($0)) }
    }

    func append(_ value: Int64?) {
        guard let value else { return appendNull() }
        buffer.pointee.append(.integer, value, 0)
    }

    func append(_ hash: Hash?) {
        guard let hash else { return appendNull() }
        hash.withUnsafeBytes { buffer.pointee.append(.blob, $0) }
    }

    func append(_ salt: Salt?) {
        guard let salt else { return appendNull() }
        salt.withUnsafeBytes { buffer.pointee.append(.blob, $0) }
    }

    private func appendNull() {
        buffer.pointee.append(.null, 0, 0)
    }

    func removeAll() {
        buffer.pointee.removeAll()
    }
}

/// The values of rows one behind the other, where SQLite's callbacks find them without counting references.
private struct RowBuffer {
    enum Kind: Int32 {
        case null, integer, text, blob
    }

    struct Cell {
        let kind: Kind
        /// Bytes of a text or blob.
        let count: Int32
        /// An integer, or where the bytes begin.
        let value: Int64
    }

    let width: Int
    private(set) var cellCount = 0
    private var cellCapacity = 256
    private var byteCount = 0
    private var byteCapacity = 4096
    private var cells: UnsafeMutablePointer<Cell>
    private var bytes: UnsafeMutableRawPointer

    init(width: Int) {
        self.width = width
        cells = .allocate(capacity: cellCapacity)
        bytes = .allocate(byteCount: byteCapacity, alignment: 16)
    }

    func deallocate() {
        cells.deallocate()
        bytes.deallocate()
    }

    /// Every row has a value for every column.
    var rowCount: Int {
        precondition(cellCount.isMultiple(of: width), "a row without a value for every column")
        return cellCount / width
    }

    mutating func append(_ kind: Kind, _ value: Int64, _ count: Int32) {
        if cellCount == cellCapacity {
            let more = UnsafeMutablePointer<Cell>.allocate(capacity: cellCapacity * 2)
            more.moveInitialize(from: cells, count: cellCount)
            cells.deallocate()
            (cells, cellCapacity) = (more, cellCapacity * 2)
        }
        (cells + cellCount).initialize(to: Cell(kind: kind, count: count, value: value))
        cellCount += 1
    }

    mutating func append(_ kind: Kind, _ source: UnsafeRawBufferPointer) {
        if byteCount + source.count > byteCapacity {
            let capacity = max(byteCapacity * 2, byteCount + source.count)
            let more = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
            more.copyMemory(from: bytes, byteCount: byteCount)
            bytes.deallocate()
            (bytes, byteCapacity) = (more, capacity)
        }
        if let start = source.baseAddress { (bytes + byteCount).copyMemory(from: start, byteCount: source.count) }
        append(kind, Int64(byteCount), Int32(source.count))
        byteCount += source.count
    }

    mutating func removeAll() {
        cellCount = 0
        byteCount = 0
    }

    /// Hands a value to SQLite, which takes texts and blobs as they lie here.
    func give(row: Int, column: Int, to context: OpaquePointer?) {
        let cell = cells[row * width + column]
        switch cell.kind {
        case .null: sqlite3_result_null(context)
        case .integer: sqlite3_result_int64(context, cell.value)
        case .text:
            let start = (bytes + Int(cell.value)).assumingMemoryBound(to: CChar.self)
            sqlite3_result_text(context, start, cell.count, nil)
        case .blob: sqlite3_result_blob(context, bytes + Int(cell.value), cell.count, nil)
        }
    }
}

/// What makes a ``RowBuffer`` a table that SQLite reads from its first row to its last.
///
/// - Source: sqlite.org/vtab.html; without `xCreate` the table is there without being created.
private enum RowModule {
    private struct Table {
        var base: sqlite3_vtab
        let rows: UnsafeMutablePointer<RowBuffer>
    }

    private struct Cursor {
        var base: sqlite3_vtab_cursor
        var row: Int
    }

    /// Never changed, never freed: connections refer to it until they are closed.
    nonisolated(unsafe) static let module: UnsafePointer<sqlite3_module> = {
        var module = sqlite3_module()
        module.xConnect = { db, rows, _, _, table, _ in
            guard let rows = rows?.assumingMemoryBound(to: RowBuffer.self) else { return SQLITE_ERROR }
            let columns = (0..<rows.pointee.width).map { "c\($0)" }.joined(separator: ", ")
            let code = sqlite3_declare_vtab(db, "CREATE TABLE rows (\(columns))")
            guard code == SQLITE_OK else { return code }
            let made = UnsafeMutablePointer<Table>.allocate(capacity: 1)
            made.initialize(to: Table(base: sqlite3_vtab(), rows: rows))
            table?.pointee = UnsafeMutableRawPointer(made).assumingMemoryBound(to: sqlite3_vtab.self)
            return SQLITE_OK
        }
        module.xDisconnect = { table in
            UnsafeMutableRawPointer(table)?.assumingMemoryBound(to: Table.self).deallocate()
            return SQLITE_OK
        }
        module.xBestIndex = { _, _ in SQLITE_OK }
        module.xOpen = { _, cursor in
            let made = UnsafeMutablePointer<Cursor>.allocate(capacity: 1)
            made.initialize(to: Cursor(base: sqlite3_vtab_cursor(), row: 0))
            cursor?.pointee = UnsafeMutableRawPointer(made).assumingMemoryBound(to: sqlite3_vtab_cursor.self)
            return SQLITE_OK
        }
        module.xClose = { cursor in
            RowModule.cursor(cursor)?.deallocate()
            return SQLITE_OK
        }
        module.xFilter = { cursor, _, _, _, _ in
            RowModule.cursor(cursor)?.pointee.row = 0
            return SQLITE_OK
        }
        module.xNext = { cursor in
            RowModule.cursor(cursor)?.pointee.row += 1
            return SQLITE_OK
        }
        module.xEof = { cursor in
            guard let cursor = RowModule.cursor(cursor), let rows = RowModule.rows(cursor) else { return 1 }
            return cursor.pointee.row * rows.pointee.width < rows.pointee.cellCount ? 0 : 1
        }
        module.xColumn = { cursor, context, column in
            guard let cursor = RowModule.cursor(cursor), let rows = RowModule.rows(cursor) else { return SQLITE_ERROR }
            rows.pointee.give(row: cursor.pointee.row, column: Int(column), to: context)
            return SQLITE_OK
        }
        module.xRowid = { cursor, number in
            number?.pointee = Int64(RowModule.cursor(cursor)?.pointee.row ?? 0)
            return SQLITE_OK
        }
        let place = UnsafeMutablePointer<sqlite3_module>.allocate(capacity: 1)
        place.initialize(to: module)
        return UnsafePointer(place)
    }()

    private static func cursor(_ cursor: UnsafeMutablePointer<sqlite3_vtab_cursor>?) -> UnsafeMutablePointer<Cursor>? {
        UnsafeMutableRawPointer(cursor)?.assumingMemoryBound(to: Cursor.self)
    }

    private static func rows(_ cursor: UnsafeMutablePointer<Cursor>) -> UnsafeMutablePointer<RowBuffer>? {
        UnsafeMutableRawPointer(cursor.pointee.base.pVtab)?.assumingMemoryBound(to: Table.self).pointee.rows
    }
}
