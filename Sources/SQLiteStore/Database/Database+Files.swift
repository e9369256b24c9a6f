internal import GRDB
internal import GRDBSQLite

extension Database {
    /// SQLite's own descriptor of the database: closing another one would drop the locks that SQLite holds.
    var file: UnsafeMutablePointer<sqlite3_file>? { file(SQLITE_FCNTL_FILE_POINTER) }

    /// The same of the log; nil, or without functions, where there is none.
    var log: UnsafeMutablePointer<sqlite3_file>? { file(SQLITE_FCNTL_JOURNAL_POINTER) }

    private func file(_ control: Int32) -> UnsafeMutablePointer<sqlite3_file>? {
        var file: UnsafeMutablePointer<sqlite3_file>?
        sqlite3_file_control(sqliteConnection, "main", control, &file)
        return file
    }
}
