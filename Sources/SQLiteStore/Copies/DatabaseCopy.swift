internal import Activities
public import Basics
internal import Foundation
internal import GRDB
internal import Lottery

#if canImport(Glibc)
    // Which module owns the C library's structures depends on the order in which files are compiled.
    internal import CDispatch
    internal import CoreFoundation
    internal import Glibc
#endif

/// Copies of a database: made while another process writes it, believed only once they have been looked through.
public enum DatabaseCopy {
    /// Why a copy was not made. Nothing was changed.
    public enum Refusal: Error, Hashable, Sendable {
        /// A file of that name is there already.
        case taken(String)
        /// The copy was made and found bad; it is gone again.
        case unsound([DatabaseFault])
        /// The copy does not hold what its source held at that moment; it is gone again.
        case unlike
        /// The backup is the database itself.
        case same
        /// The file named as the backup cannot be restored, whatever the state of the database.
        case unusable(BackupFault, cause: String?)
    }

    /// Why a file is no backup to restore.
    public enum BackupFault: Hashable, Sendable {
        case missing
        /// It is something else, of a newer version, or has what is not ours in it.
        case foreign
        case damaged
        /// It is there and may not be read.
        case unreadable
    }

    /// What a restore did.
    public struct Restoration: Sendable {
        public let report: DatabaseReport
        /// The file that was exchanged, as an absolute path, whatever link led to it.
        public let database: String
        /// Where the database that was there before is now; nil: there was none.
        public let kept: String?
        /// What was issued and is not in the backup.
        public let gaps: [LedgerGap]
        /// Whether the database before was another one, not an earlier or later state of this.
        public let replacesAnother: Bool
        /// Whether the database before could be asked what was issued from it.
        public let couldReadKept: Bool
    }

    /// Pages a step; the observer is asked after each.
    private static let pagesPerStep: CInt = 4_096

    // MARK: Backup

    /// Copies the database at `path` to a new file, as it is at one moment, and looks the copy through.
    ///
    /// - Parameter file: Appears when it is whole, checked and on disk; never replaces one that is there.
    /// - Throws: ``Refusal``, ``StoreError``, or what `observe` throws. There is no file then.
    @discardableResult
    public static func backUp(
        _ path: String, to file: String, _ observe: @escaping DatabaseWorkObserver = { _ in }
    ) throws -> DatabaseReport {
        try guarded {
            if isTaken(file) { throw Refusal.taken(file) }
            try SQLiteStore.checkFile(path, mayBeMissing: false)
            let new = try NewFile(file + ".part")
            try copy(path, to: new.path, observe)
            let report = try checked(new.path, observe)
            try new.finish(as: file, replacing: false)
            return report
        }
    }

    private static func isTaken(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    /// Within one transaction of reading, which other connections neither disturb nor wait for.
    private static func copy(
        _ path: String, to target: String, _ observe: @escaping DatabaseWorkObserver
    ) throws {
        let source = try SQLiteStore.withReader(path) { db in
            let summaries = try DatabaseCheck.summaries(db)
            var configuration = Configuration()
            configuration.prepareDatabase { db in
                // Until it has its name, nobody misses it; it is brought to disk as a whole.
                try db.execute(sql: "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
            }
            let copy = try DatabaseQueue(path: target, configuration: configuration)
            try copy.writeWithoutTransaction { copy in
                try db.backup(to: copy, pagesPerStep: pagesPerStep) { progress in
                    let share = Double(progress.completedPageCount) / Double(max(1, progress.totalPageCount))
                    try observe(.copying(share))
                }
            }
            try copy.close()
            return summaries
        }
        // One file, that can be read from where nothing can be written.
        let copy = try DatabaseQueue(path: target)
        let found = try copy.writeWithoutTransaction { db in
            try db.execute(sql: "PRAGMA journal_mode = DELETE")
            return try DatabaseCheck.summaries(db)
        }
        try copy.close()
        guard found == source else { throw Refusal.unlike }
    }

    private static func checked(_ path: String, _ observe: @escaping DatabaseWorkObserver) throws -> DatabaseReport {
        let report = try SQLiteStore.report(path: path, isThorough: true, observe)
        guard report.faults.isEmpty else { throw Refusal.unsound(report.faults) }
        return report
    }

    private static func guarded<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as DatabaseError {
            throw StoreError(error)
        }
    }

    // MARK: Restore

    /// Puts a copy of the backup `file` in the place of the database at `path`, and keeps what was there under another
    /// name, with its log.
    ///
    /// The database before tells what was issued from it, so that a writer refuses the older one until an operator
    /// accepts the loss (``SQLiteStore/accept(_:path:at:)``).
    ///
    /// - Parameter moment: Goes into the other name.
    /// - Throws: ``Refusal``, ``StoreError`` (`locked` while a process uses the database), or what `observe` throws.
    ///   Nothing was changed then.
    @discardableResult
    public static func restore(
        _ file: String, to path: String, at moment: Instant, _ observe: @escaping DatabaseWorkObserver = { _ in }
    ) throws -> Restoration {
        try guarded {
            let lock = try FileLock(besideDatabase: path)
            defer { lock.release() }
            // Whatever link leads to it: the file itself is exchanged.
            let database = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
            let isThere = FileManager.default.fileExists(atPath: database)
            if isThere, isSame(file, database) { throw Refusal.same }
            let ownLock = isThere ? try FileLock(ofDatabase: database) : nil
            defer { ownLock?.release() }

            guard FileManager.default.fileExists(atPath: file) else { throw Refusal.unusable(.missing, cause: nil) }
            try readingBackup { try SQLiteStore.checkFile(file, mayBeMissing: false, acceptsOlder: true) }
            // What cannot be compared afterwards is found out before anything is exchanged.
            _ = try HeadsFile.contents(at: HeadsFile.path(besideDatabase: database))
            let owner = isThere ? database : URL(fileURLWithPath: database).deletingLastPathComponent().path
            let new = try NewFile(database + ".restoring", ownedAs: owner)
            try readingBackup { try copy(file, to: new.path, observe) }
            let queue = try DatabaseQueue(path: new.path)
            try Schema.migrator.migrate(queue)
            try queue.close()
            let report = try readingBackup { try checked(new.path, observe) }

            let before = isThere ? try? noteHeads(of: database) : nil
            let identity = try SQLiteStore.withReader(new.path) { try HeadsComparison.identity(of: $0) }
            let kept = keptName(of: database, at: moment)
            do {
                try setAside(database, as: kept)
                try new.finish(as: database, replacing: true)
            } catch {
                putBack(database, from: kept)
                throw error
            }
            return Restoration(
                report: report, database: database, kept: isThere ? kept : nil,
                gaps: try SQLiteStore.issuedState(path: database).gaps,
                replacesAnother: before.map { $0 != identity } ?? false, couldReadKept: !isThere || before != nil)
        }
    }

    /// Says of a fault whether it is the backup's own.
    private static func readingBackup<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try guarded(body)
        } catch let error as StoreError {
            switch error.code {
            case .foreign: throw Refusal.unusable(.foreign, cause: error.cause)
            case .corrupt: throw Refusal.unusable(.damaged, cause: error.cause)
            case .inaccessible: throw Refusal.unusable(.unreadable, cause: error.cause)
            case .locked, .unusableSideFile, .full, .diskFailed, .notDurable, .constraint, .failed: throw error
            }
        }
    }

    private static func isSame(_ left: String, _ right: String) -> Bool {
        var (first, second) = (stat(), stat())
        guard stat(left, &first) == 0, stat(right, &second) == 0 else { return false }
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }

    /// What was issued from a database that had no file of issued receipts, or went on without it.
    private static func noteHeads(of database: String) throws -> DatabaseIdentity? {
        let path = HeadsFile.path(besideDatabase: database)
        let contents = try HeadsFile.contents(at: path)
        let (identity, heads) = try SQLiteStore.withReader(database) { db in
            (try HeadsComparison.identity(of: db), try HeadsComparison.heads(in: db))
        }
        guard let identity else { return nil }
        let file = try HeadsFile(at: path, contents: contents, identity: identity, database: database)
        let known = Dictionary(contents.heads(of: identity).map { ($0.activity, $0.seq) }) { max($0, $1) }
        for head in heads where head.seq > known[head.activity] ?? -1 { try file.note(head) }
        file.synchronize()
        return identity
    }

    private static let logSuffixes = ["-wal", "-shm", "-journal"]

    /// A name that neither a file nor the log of one has.
    private static func keptName(of database: String, at moment: Instant) -> String {
        let digits = moment.dateTimeText().prefix(19).filter { $0.isNumber }
        let name = "\(database).before-restore-\(digits.prefix(8))T\(digits.dropFirst(8))Z"
        var free = name
        var number = 1
        while ([""] + logSuffixes).contains(where: { isTaken(free + $0) }) {
            number += 1
            free = "\(name)-\(number)"
        }
        return free
    }

    /// Keeps the database and its log under another name. The database's own name stays taken until the copy takes it:
    /// a process that starts in between must not make a new one. Its log goes first, since it would be applied to
    /// whatever lies under that name.
    private static func setAside(_ database: String, as kept: String) throws {
        func fault(_ name: String) -> StoreError {
            StoreError(
                code: .inaccessible, message: "\(name) cannot be kept under another name. Nothing was changed.",
                cause: String(cString: strerror(errno)))
        }
        // Some file systems have no links. A process that starts just then finds no database; there is no other way.
        if isTaken(database), link(database, kept) != 0, rename(database, kept) != 0 { throw fault(database) }
        for suffix in logSuffixes where isTaken(database + suffix) {
            guard rename(database + suffix, kept + suffix) == 0 else { throw fault(database + suffix) }
        }
        guard NewFile.synchronize(folderOf: database) else { throw fault(database) }
    }

    /// After a ``setAside(_:as:)`` that was in vain. Once the copy has the name, the old log must stay away from it.
    private static func putBack(_ database: String, from kept: String) {
        guard isSame(database, kept) || !isTaken(database) else { return }
        for suffix in logSuffixes where isTaken(kept + suffix) { _ = rename(kept + suffix, database + suffix) }
        if isTaken(database) { unlink(kept) } else { _ = rename(kept, database) }
    }
}
