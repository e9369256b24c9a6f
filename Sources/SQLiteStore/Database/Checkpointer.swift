internal import GRDB
internal import GRDBSQLite
internal import NIOConcurrencyHelpers

/// Moves the log into the file on a connection and a thread of its own, while batches go on being written to the log.
///
/// The log begins anew only when all of it is in the file, and while batches come that is never so from here: what they
/// add during a move is left to the writer, with ``move(_:)`` on its own connection. That is little.
struct Checkpointer: Sendable {
    private let connection: DatabaseQueue
    private let lastCode = NIOLockedValueBox(SQLITE_OK)

    init(path: String) throws {
        connection = try DatabaseQueue(path: path, configuration: SQLiteStore.configuration)
        try connection.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
    }

    /// Moves what is in the log, and then once more what was added meanwhile.
    ///
    /// - Parameter finish: Called on this thread with a code as ``move(_:)`` returns it.
    func begin(_ finish: @escaping @Sendable (Int32) -> Void) {
        connection.asyncWriteWithoutTransaction { db in
            var code = Self.move(db)
            if code == SQLITE_OK { code = Self.move(db) }
            lastCode.withLockedValue { $0 = code }
            finish(code)
        }
    }

    /// Waits for what was begun.
    ///
    /// - Returns: The code that it ended with.
    func wait() -> Int32 {
        connection.writeWithoutTransaction { _ in lastCode.withLockedValue { $0 } }
    }

    /// Waits for what was begun, and closes.
    func close() throws {
        try connection.close()
    }

    /// Moves as much of the log into the file as nobody reads any more.
    ///
    /// - Returns: SQLite's code; busy or locked where somebody else is doing the same.
    static func move(_ db: Database) -> Int32 {
        sqlite3_wal_checkpoint_v2(db.sqliteConnection, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
    }
}
