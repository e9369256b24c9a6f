internal import Activities
internal import Basics
internal import GRDB
internal import GRDBSQLite
internal import Lottery

/// A prepared statement of SQLite's C interface, for what runs on every draw.
///
/// Counting both ways, a draw through GRDB's own statements costs about a third more (docs/decisions/0004). Used only
/// on the connection that it was prepared on, by one thread at a time.
final class RawStatement {
    private let statement: OpaquePointer
    private let connection: OpaquePointer
    /// Texts and blobs of the next run. All parameters are bound anew for each.
    private let parameters = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 16)
    /// How much of ``parameters`` is taken.
    private var parameterCount = 0

    /// - Throws: ``StoreError`` when SQLite refuses the text.
    init(_ sql: String, on db: Database) throws {
        guard let connection = db.sqliteConnection else {
            throw StoreError(code: .failed, message: "The database connection is closed.")
        }
        var statement: OpaquePointer?
        let code = sqlite3_prepare_v3(connection, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, nil)
        guard code == SQLITE_OK, let statement else {
            parameters.deallocate()
            throw StoreError(sqlite: code, connection)
        }
        self.connection = connection
        self.statement = statement
    }

    deinit {
        sqlite3_finalize(statement)
        parameters.deallocate()
    }

    // MARK: Parameters, from 1

    func bind(_ index: Int32, _ text: String) {
        var text = text
        text.withUTF8 { bind(index, UnsafeRawBufferPointer($0), isText: true) }
    }

    func bind(_ index: Int32, _ value: Int64) {
        sqlite3_bind_int64(statement, index, value)
    }

    func bind(_ index: Int32, _ hash: Hash) {
        hash.withUnsafeBytes { bind(index, $0, isText: false) }
    }

    /// Copies the bytes to where they stay until the statement has run, which spares SQLite a copy of its own.
    private func bind(_ index: Int32, _ bytes: UnsafeRawBufferPointer, isText: Bool) {
        var source = UnsafeRawPointer(parameters.baseAddress)
        var lifetime = Self.transient
        if bytes.count <= parameters.count - parameterCount {
            let place = UnsafeMutableRawBufferPointer(rebasing: parameters[parameterCount...])
            place.copyMemory(from: bytes)
            source = UnsafeRawPointer(place.baseAddress)
            lifetime = nil
            parameterCount += bytes.count
        } else {
            source = bytes.baseAddress
        }
        if isText {
            sqlite3_bind_text(
                statement, index, source?.assumingMemoryBound(to: CChar.self), Int32(bytes.count), lifetime)
        } else {
            sqlite3_bind_blob(statement, index, source, Int32(bytes.count), lifetime)
        }
    }

    // MARK: Running

    /// Runs a statement that gives no rows, and makes it ready for the next parameters.
    func run() throws {
        let code = sqlite3_step(statement)
        sqlite3_reset(statement)
        parameterCount = 0
        guard code == SQLITE_DONE || code == SQLITE_ROW else { throw StoreError(sqlite: code, connection) }
    }

    /// Rows that the last statement of this connection changed, this one if it has just run.
    var changedCount: Int { Int(sqlite3_changes(connection)) }

    /// Reads every row.
    func readAll(_ read: (RawStatement) throws -> Void) throws {
        defer {
            sqlite3_reset(statement)
            parameterCount = 0
        }
        while true {
            let code = sqlite3_step(statement)
            if code == SQLITE_DONE { return }
            guard code == SQLITE_ROW else { throw StoreError(sqlite: code, connection) }
            try read(self)
        }
    }

    /// Reads at most one row.
    func first<Value>(_ read: (RawStatement) -> Value) throws -> Value? {
        let code = sqlite3_step(statement)
        defer {
            sqlite3_reset(statement)
            parameterCount = 0
        }
        switch code {
        case SQLITE_ROW: return read(self)
        case SQLITE_DONE: return nil
        default: throw StoreError(sqlite: code, connection)
        }
    }

    // MARK: Columns, from 0, of the row that is being read

    func text(_ column: Int32) -> String? {
        guard let pointer = sqlite3_column_text(statement, column) else { return nil }
        let count = Int(sqlite3_column_bytes(statement, column))
        return String(decoding: UnsafeBufferPointer(start: pointer, count: count), as: UTF8.self)
    }

    func integer(_ column: Int32) -> Int64? {
        sqlite3_column_type(statement, column) == SQLITE_NULL ? nil : sqlite3_column_int64(statement, column)
    }

    private static let transient: sqlite3_destructor_type? = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
}

extension StoreError {
    /// What SQLite said, as what an operator can do about it.
    init(sqlite code: Int32, _ connection: OpaquePointer?) {
        self.init(resultCode: code, cause: connection.map { String(cString: sqlite3_errmsg($0)) } ?? "SQLite error")
    }

    init(_ error: any Error) {
        switch error {
        case let error as StoreError: self = error
        case let error as DatabaseError:
            self.init(resultCode: error.extendedResultCode.rawValue, cause: error.message ?? "\(error)")
        case is RowDecodingError:
            self.init(
                code: .corrupt,
                message: "The database holds a row that cannot be read. Stop, keep a copy of the file and its -wal, "
                    + "and restore a backup.")
        default: self.init(code: .failed, message: "The database could not be used.", cause: "\(error)")
        }
    }

    private init(resultCode: Int32, cause: String) {
        // The extended code tells where in the disk's work it went wrong, which the text does not.
        let cause = "\(cause), code \(resultCode)"
        // What SQLite keeps beside the file needs room as well, and says so differently.
        let isOutOfRoom = resultCode == ResultCode.SQLITE_IOERR_SHMSIZE.rawValue
        switch resultCode & 0xFF {
        case SQLITE_FULL,
            SQLITE_IOERR where isOutOfRoom:
            self.init(
                code: .full,
                message: "The disk is full. What was acknowledged is safe, the last batch was not taken. "
                    + "Free some space and start again.", cause: cause)
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            self.init(
                code: .corrupt,
                message:
                    "The database file is damaged. Stop, keep a copy of the file and its -wal, and restore a backup.",
                cause: cause)
        case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH:
            self.init(
                code: .inaccessible,
                message: "The database file cannot be opened or written. Nothing was changed. "
                    + "Check that its folder exists and that you may write there.", cause: cause)
        case SQLITE_BUSY, SQLITE_LOCKED:
            self.init(
                code: .locked,
                message: "Another program holds the database for too long. The last batch was not taken. "
                    + "Close that program and start again.", cause: cause)
        case SQLITE_CONSTRAINT:
            self.init(
                code: .constraint,
                message: "A rule of the database refused the last batch; nothing of it was written. "
                    + "Start again, and check that no other program changes the file.", cause: cause)
        case SQLITE_IOERR:
            self.init(
                code: .diskFailed,
                message:
                    "The disk could not be read or written. What was acknowledged is safe, the last batch may not be. "
                    + "Check the disk, keep a copy of the database and its -wal, and start again.", cause: cause)
        default:
            self.init(
                code: .failed,
                message: "The database failed. What was acknowledged is safe, the last batch may not be. Start again.",
                cause: cause)
        }
    }
}
