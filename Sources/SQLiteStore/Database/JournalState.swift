public import Activities
internal import GRDB

/// How a database keeps a transaction that is not in the file yet, and whether somebody is writing it.
public struct JournalState: Hashable, Sendable {
    /// Whether it is in WAL mode, as every writer sets it. A backup is one file and therefore is not.
    public let isWriteAhead: Bool
    /// Whether a process holds the writer's lock on it.
    public let isInUse: Bool
}

extension SQLiteStore {
    /// What the database at `path` says of itself. Works beside a writer and changes nothing.
    ///
    /// Tries the writer's lock for a moment, and waits up to a second on the caller's thread when somebody holds it.
    ///
    /// - Throws: ``StoreError`` when it cannot be read.
    public static func journalState(path: String) throws(StoreError) -> JournalState {
        do {
            let mode = try withReader(path) { try String.fetchOne($0, sql: "PRAGMA journal_mode") }
            return JournalState(isWriteAhead: mode == "wal", isInUse: try isInUse(path))
        } catch {
            throw StoreError(error)
        }
    }

    private static func isInUse(_ path: String) throws(StoreError) -> Bool {
        do {
            try FileLock(ofDatabase: path).release()
            return false
        } catch {
            guard error.code == .locked else { throw error }
            return true
        }
    }
}
