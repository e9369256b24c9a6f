internal import GRDB
internal import GRDBSQLite

/// Moves the log into the file on a connection and a thread of its own, while batches go on being written to the log.
///
/// The log begins anew only when all of it is in the file, and while batches come that is never so from here: what they
/// add during a move is left to the writer, with ``move(_:)`` on its own connection. That is little. It is not tried here
/// once more: a move that finds nothing to do beside a commit that begins the log anew may leave frames behind for ever,
/// by a fault of SQLite's before 3.51.3.
struct Checkpointer: Sendable {
    private let connection: DatabaseQueue

    init(path: String) throws {
        connection = try DatabaseQueue(path: path, configuration: SQLiteStore.configuration)
        try connection.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
    }

    /// Moves what is in the log.
    ///
    /// - Parameter finish: Called on this thread with a code as ``move(_:)`` returns it.
    func begin(_ finish: @escaping @Sendable (Int32) -> Void) {
        connection.asyncWriteWithoutTransaction { db in
            let code = Self.move(db)
            finish(code == SQLITE_OK ? Self.synchronizeFile(db) : code)
        }
    }

    /// SQLite does so with the last frame of the log, which is the writer's to move: it would wait for all of them.
    private static func synchronizeFile(_ db: Database) -> Int32 {
        let file = db.file
        return file?.pointee.pMethods?.pointee.xSync?(file, SQLITE_SYNC_NORMAL) ?? SQLITE_OK
    }

    /// Waits for what was begun, and for its `finish`.
    func wait() {
        connection.writeWithoutTransaction { _ in }
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
