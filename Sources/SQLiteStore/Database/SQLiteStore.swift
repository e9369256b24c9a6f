public import Activities
internal import Foundation
internal import GRDB
internal import GRDBSQLite
public import Logging
internal import Lottery
internal import NIOConcurrencyHelpers

/// Everything in one SQLite file: one connection writes, others read, and one moves the log into the file.
///
/// A batch is one transaction under `synchronous=FULL`, so what ``write(_:next:)`` returned for is on disk. The first
/// fault of a write ends the store: whatever the file then holds is found out by opening it again.
public final class SQLiteStore: Store {
    /// How the file is opened.
    public enum Mode: Sendable {
        /// For one process at a time, behind a lock file.
        case exclusive
        /// Beside a process that writes: only what reads works.
        case readOnly
    }

    private let reader: any DatabaseReader
    private let writer: (any DatabaseWriter)?
    /// Nil without a file.
    private let checkpointer: Checkpointer?
    /// Empty without a file.
    private let locks: [FileLock]
    private let logger: Logger
    private let hot: HotStatements
    let winnersReader: WinnersReader
    private let touchedWins = NIOLockedValueBox(TouchedWins())
    /// Set before the connections are closed: to touch one afterwards would end the process.
    private let isClosed = NIOLockedValueBox(false)

    /// The prepared statements of the writing connection, and the length of its WAL.
    ///
    /// Unchecked: touched only inside the writer's serialised accesses.
    private final class HotStatements: @unchecked Sendable {
        var facts: FactReader?
        var changes: ChangeWriter?
        /// Nil without a file.
        var heads: HeadsFile?
        let walFrameCount = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
        /// Whether the log is being moved into the file.
        var isCheckpointing = false
        /// Why nothing may be written any more.
        var fault: StoreError?

        init() {
            walFrameCount.initialize(to: 0)
        }

        deinit {
            walFrameCount.deallocate()
        }

        /// What `error` says to an operator; unless a rule of the schema held, with which the file is as it was, nothing
        /// may be written behind it.
        func note(_ error: any Error) -> StoreError {
            let found = StoreError(error)
            if found.code != .constraint { fault = found }
            return found
        }

        /// Writes the changes, and reads the next batch's facts as soon as they are what they will be.
        ///
        /// - Returns: The wins that are there no longer, or belong to nobody any more.
        func write(_ changes: Changes, next: () -> FactRequest?, _ db: Database) throws -> [Receipt] {
            let writer = try writer(db)
            try writer.writeFacts(changes, db)
            // An erasure takes facts away, so nobody is asked behind one; and what a void asks stands in the ledger.
            let request = changes.erasures.isEmpty ? next() : nil
            let isLedgerAsked = request?.query.receipt != nil
            if isLedgerAsked { try writer.writeRest(changes, db) }
            if let request { request.receive(try reader(db).facts(for: request.query, db)) }
            if !isLedgerAsked { try writer.writeRest(changes, db) }
            return changes.voidedWins.map(\.receipt) + writer.takeErasedWins()
        }

        /// Moves what was added to the log while it was being moved, so that it begins anew.
        ///
        /// - Parameter code: What became of that move.
        func finishCheckpoint(_ code: Int32, _ db: Database) {
            isCheckpointing = false
            let code = code == SQLITE_OK ? Checkpointer.move(db) : code
            walFrameCount.pointee = 0
            // A reader in the way is no fault; a disk that takes no write must not be asked to keep another batch.
            guard code != SQLITE_OK, code & 0xFF != SQLITE_BUSY, code & 0xFF != SQLITE_LOCKED else { return }
            fault = StoreError(sqlite: code, db.sqliteConnection)
        }

        func reader(_ db: Database) throws -> FactReader {
            if let facts { return facts }
            let made = try FactReader(db)
            facts = made
            return made
        }

        func writer(_ db: Database) throws -> ChangeWriter {
            if let changes { return changes }
            let made = try ChangeWriter(db)
            changes = made
            return made
        }
    }

    /// The library's own default logger writes to standard output, where answers go.
    private static let silent = Logger(label: "hongbao.store") { _ in SwiftLogNoOpLogHandler() }

    /// At how many frames the WAL is moved into the file; seldom, since every page moved is written a second time.
    static let standardCheckpointFrameCount: Int32 = 16_000
    /// How long the log may become before the writer waits for it to be moved, in multiples of ``checkpointFrameCount``.
    /// Longer only while somebody reads an old part of it.
    private static let maximumLogLength: Int32 = 4
    private let checkpointFrameCount: Int32

    // MARK: Opening

    /// Opens the file at `path`, and creates it when there is none and the mode allows.
    ///
    /// - Throws: ``StoreError``: `locked` when another process has it, `foreign` when the file is something else or of
    ///   a newer version, `corrupt`, `inaccessible`, `notDurable`. ``OutdatedDatabase`` for a writer, when receipts were
    ///   issued that the file lacks. A refused file is not changed.
    ///
    /// - Parameter logger: Told when another program keeps the writer waiting, and when the file of issued receipts is
    ///   missing or damaged; nil: nobody is.
    public convenience init(
        path: String, mode: Mode = .exclusive, logger: Logger? = nil
    ) throws {
        try self.init(
            path: path, mode: mode, logger: logger ?? Self.silent,
            checkpointFrameCount: Self.standardCheckpointFrameCount)
    }

    /// - Parameters:
    ///   - checkpointFrameCount: For tests: the length of the WAL at which it is moved into the file.
    ///   - acceptance: What an operator accepts to be missing.
    package convenience init(
        path: String, mode: Mode = .exclusive, logger: Logger? = nil, checkpointFrameCount: Int32,
        accepting acceptance: LossAcceptance? = nil
    ) throws {
        let logger = logger ?? Self.silent
        do {
            switch mode {
            case .exclusive:
                try Self.checkFolder(of: path)
                try Self.checkPlace(of: path)
                let lock = try FileLock(besideDatabase: path)
                let isThere = FileManager.default.fileExists(atPath: path)
                let ownLock = isThere ? try FileLock(ofDatabase: path) : nil
                let headsPath = HeadsFile.path(besideDatabase: path)
                let issued = try HeadsFile.contents(at: headsPath)
                func check(_ gaps: [LedgerGap]) throws {
                    guard gaps.isEmpty || gaps == acceptance?.gaps else {
                        throw OutdatedDatabase(database: path, gaps: gaps)
                    }
                }
                if !isThere {
                    // Something was issued here: a new database would issue it again.
                    try check(HeadsComparison.gapsOfNothing(issued))
                    try Self.create(path)
                }
                try Self.checkFile(path, mayBeMissing: true) { try check(HeadsComparison.gaps(in: $0, issued)) }
                let pool = try DatabasePool(path: path, configuration: Self.configuration)
                let locks = [lock, try ownLock ?? FileLock(ofDatabase: path)]
                try self.init(
                    writer: pool, locks: locks, logger: logger, checkpointFrameCount: checkpointFrameCount)
                let hot = hot
                try pool.write { db in
                    try acceptance?.audit(db)
                    HeadsComparison.report(issued, try HeadsComparison.heads(in: db), path: headsPath, to: logger)
                }
                try pool.writeWithoutTransaction { db in
                    hot.heads = try HeadsComparison.begin(
                        at: headsPath, issued, db, database: path, isLossAccepted: acceptance != nil)
                }
            case .readOnly:
                try Self.checkFile(path, mayBeMissing: false)
                var configuration = Self.configuration
                configuration.readonly = true
                try self.init(reader: DatabasePool(path: path, configuration: configuration))
            }
        } catch let error as OutdatedDatabase {
            throw error
        } catch {
            throw StoreError(error)
        }
    }

    /// For tests: reads a database that is no file, such as one that SQLite's VFS holds in memory.
    package convenience init(readingThroughVFS path: String) throws {
        var configuration = Self.configuration
        configuration.readonly = true
        try self.init(reader: DatabaseQueue(path: path, configuration: configuration))
    }

    /// A store without a file, for tests. Nothing is durable.
    public convenience init() throws {
        do {
            try self.init(
                writer: DatabaseQueue(configuration: Self.configuration), locks: [],
                logger: Self.silent, checkpointFrameCount: Self.standardCheckpointFrameCount)
        } catch {
            throw StoreError(error)
        }
    }

    private init(reader: some DatabaseReader) {
        self.reader = reader
        writer = nil
        checkpointer = nil
        locks = []
        logger = Self.silent
        checkpointFrameCount = Self.standardCheckpointFrameCount
        hot = HotStatements()
        winnersReader = WinnersReader(touched: nil)
    }

    private init(
        writer: some DatabaseWriter, locks: [FileLock], logger: Logger, checkpointFrameCount: Int32
    ) throws {
        self.writer = writer
        self.reader = writer
        self.locks = locks
        self.logger = logger
        self.checkpointFrameCount = checkpointFrameCount
        hot = HotStatements()
        winnersReader = WinnersReader(touched: touchedWins)
        let hot = hot
        try Self.rewriteLog(writer)
        try Self.prepare(writer)
        try writer.write { try Self.foldJournal($0) }
        try writer.writeWithoutTransaction { db in
            // The pool sets NORMAL after its own set-up, so FULL is set afterwards and read back.
            try db.execute(sql: "PRAGMA synchronous = FULL")
            guard try Int.fetchOne(db, sql: "PRAGMA synchronous") == 2 else {
                throw StoreError(
                    code: .notDurable,
                    message:
                        "The database does not accept synchronous=FULL, so wins could be lost. Nothing was changed.")
            }
            if !locks.isEmpty, try String.fetchOne(db, sql: "PRAGMA journal_mode") != "wal" {
                throw StoreError(
                    code: .notDurable,
                    message: "The database cannot use a write-ahead log here. Use a local disk, not a network one.")
            }
            if !locks.isEmpty { GatheredLog.begin(db) }
            // What undoes a single statement; SQLite would write it to a file otherwise.
            try db.execute(sql: "PRAGMA temp_store = MEMORY")
            // Counting frames takes the place of SQLite's automatic checkpoint, which would run inside a commit that
            // somebody is waiting for.
            sqlite3_wal_hook(
                db.sqliteConnection,
                { count, _, _, frames in
                    count?.assumingMemoryBound(to: Int32.self).pointee = frames
                    return SQLITE_OK
                }, hot.walFrameCount)
        }
        checkpointer = locks.isEmpty ? nil : try Checkpointer(path: writer.path)
    }

    /// Makes a new database under another name and gives it its own when it is whole: a process that is killed meanwhile
    /// leaves nothing that the next start could take for somebody else's.
    private static func create(_ path: String) throws {
        let newPath = path + ".new"
        for suffix in ["", "-wal", "-shm", "-journal"] where FileManager.default.fileExists(atPath: newPath + suffix) {
            try FileManager.default.removeItem(atPath: newPath + suffix)
        }
        // Seeds that nobody may know yet will be in it. What SQLite puts beside it gets the same rights.
        guard FileManager.default.createFile(atPath: newPath, contents: nil, attributes: [.posixPermissions: 0o600])
        else { throw uncreatable(path) }
        let queue = try DatabaseQueue(path: newPath, configuration: configuration)
        try queue.writeWithoutTransaction {
            try $0.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        }
        try prepare(queue)
        try queue.close()
        guard rename(newPath, path) == 0, NewFile.synchronize(folderOf: path) else { throw uncreatable(path) }
    }

    private static func uncreatable(_ path: String) -> StoreError {
        StoreError(
            code: .inaccessible,
            message: "The database \(path) cannot be created. Nothing was changed. "
                + "Check that you may write to its folder.", cause: String(cString: strerror(errno)))
    }

    /// Writes the log once more, byte for byte, and syncs it, before anything that it holds is answered.
    ///
    /// A sync may have failed in the process before. The kernel then counts as written what never reached the disk, goes
    /// on showing it to whoever reads, and takes no later sync as a reason to write it. So a batch that was told to nobody
    /// is found in the log, answers its messages when they come again, and would be gone after a power cut.
    private static func rewriteLog(_ writer: some DatabaseWriter) throws {
        try writer.writeWithoutTransaction { db in
            // Within a transaction, so that no other program writes to the log meanwhile.
            try db.inTransaction(.immediate) {
                if let log = db.log { try rewrite(log, db) }
                return .rollback
            }
        }
    }

    private static func rewrite(_ file: UnsafeMutablePointer<sqlite3_file>, _ db: Database) throws {
        guard let methods = file.pointee.pMethods?.pointee, let size = methods.xFileSize, let read = methods.xRead,
            let write = methods.xWrite, let synchronize = methods.xSync
        else { return }
        func check(_ code: Int32) throws {
            guard code == SQLITE_OK else { throw StoreError(sqlite: code, db.sqliteConnection) }
        }
        var total: Int64 = 0
        try check(size(file, &total))
        guard total > 0 else { return }
        // No more at once than a page may have: that is as much as SQLite's own files take.
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { piece.deallocate() }
        for offset in stride(from: 0, to: total, by: piece.count) {
            let count = Int32(min(Int64(piece.count), total - offset))
            try check(read(file, piece.baseAddress, count, offset))
            try check(write(file, piece.baseAddress, count, offset))
        }
        try check(synchronize(file, SQLITE_SYNC_NORMAL))
    }

    /// Marks a database as ours and brings its schema up to date.
    private static func prepare(_ writer: some DatabaseWriter) throws {
        try writer.writeWithoutTransaction { db in
            if try Int32.fetchOne(db, sql: "PRAGMA application_id") != Schema.applicationID {
                try db.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
            }
        }
        try Schema.migrator.migrate(writer)
    }

    /// Brings the sessions' table up to date with what the journal has since the last tick of the process before.
    private static func foldJournal(_ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO redpacket_activity_participants (session_id, user_id, ip_address, join_time, leave_time,
                    last_heartbeat, status, queue_position, queue_ticket)
                SELECT session_id, user_id, ip_address, \(Schema.dateTime("join_time_ms")), \(Schema.dateTime("leave_time_ms")),
                    \(Schema.dateTime("last_heartbeat_ms")), status, queue_position, queue_ticket
                FROM redpacket_session_journal
                WHERE id IN (SELECT max(id) FROM redpacket_session_journal GROUP BY session_id)
                \(Schema.replacesSession)
                """)
        try db.execute(sql: "DELETE FROM redpacket_session_journal")
    }

    static var configuration: Configuration {
        var configuration = Configuration()
        configuration.foreignKeysEnabled = true
        configuration.busyMode = .timeout(2)
        configuration.maximumReaderCount = 4
        configuration.prepareDatabase { db in
            try db.execute(
                sql: """
                    PRAGMA trusted_schema = OFF;
                    PRAGMA cell_size_check = ON;
                    PRAGMA mmap_size = 0;
                    PRAGMA cache_size = -131072;
                    """)
        }
        return configuration
    }

    private static func checkFolder(of path: String) throws(StoreError) {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
            throw StoreError(
                code: .inaccessible,
                message:
                    "The folder \(folder) does not exist. Nothing was changed. Create it, or name another --database.")
        }
    }

    private static func checkPlace(of path: String) throws(StoreError) {
        let isLink = (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil
        guard !isLink || FileManager.default.fileExists(atPath: path) else {
            // Perhaps a disk that is not mounted: its database must not be begun anew here.
            throw StoreError(
                code: .inaccessible,
                message: "\(path) is a link to a file that does not exist. Nothing was changed. "
                    + "Check that its disk is there, or remove the link.")
        }
        let folder = URL(fileURLWithPath: path).resolvingSymlinksInPath().deletingLastPathComponent().path
        guard FileSystem(ofFolder: folder)?.kind != .network else {
            throw StoreError(
                code: .notDurable,
                message: "\(folder) is on another machine, where a database cannot be kept safe. Nothing was changed. "
                    + "Use a disk of this machine.")
        }
    }

    /// Refuses what is not ours before anything of it could be changed.
    ///
    /// - Parameter more: What else is looked at on the same connection.
    static func checkFile(
        _ path: String, mayBeMissing: Bool, acceptsOlder: Bool = false, _ more: (Database) throws -> Void = { _ in }
    ) throws {
        guard FileManager.default.fileExists(atPath: path) else {
            if mayBeMissing { return }
            throw StoreError(
                code: .inaccessible,
                message: "There is no database at \(path). Nothing was changed. Check the name given with --database.")
        }
        let attributes = try? FileManager.default.attributesOfItem(
            atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
        guard attributes?[.type] as? FileAttributeType == .typeRegular else {
            throw StoreError(
                code: .foreign, message: "\(path) is not a regular file. Nothing was changed. Name another --database.")
        }
        // SQLite takes a file of less than a page for a new database; somebody's lost one must not become that.
        if (attributes?[.size] as? Int).map({ $0 < 512 }) ?? true { throw foreign(path) }
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.read { db in
                try check(
                    db, at: path, size: attributes?[.size] as? Int, mayBeMissing: mayBeMissing,
                    acceptsOlder: acceptsOlder)
                try more(db)
            }
            try queue.close()
        } catch let error as DatabaseError where error.resultCode == .SQLITE_NOTADB {
            throw foreign(path)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_CORRUPT {
            throw damaged(path, error.message)
        }
    }

    private static func foreign(_ path: String) -> StoreError {
        StoreError(
            code: .foreign,
            message: "\(path) is not a hongbao database. Nothing was changed. "
                + "Name another file with --database, or move this one away.")
    }

    private static func damaged(_ path: String, _ cause: String?) -> StoreError {
        StoreError(
            code: .corrupt,
            message: "\(path) is damaged. Nothing was changed. Keep a copy of it and its -wal, "
                + "and restore a backup.", cause: cause)
    }

    /// Refuses a database that is not ours, not of this version, or not whole.
    private static func check(
        _ db: Database, at path: String, size: Int?, mayBeMissing: Bool, acceptsOlder: Bool
    ) throws {
        let tableCount = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        let application = try Int32.fetchOne(db, sql: "PRAGMA application_id")
        guard application == Schema.applicationID || (tableCount == 0 && mayBeMissing) else {
            throw foreign(path)
        }
        if try Schema.migrator.hasBeenSuperseded(db) {
            throw StoreError(
                code: .foreign,
                message: "\(path) was written by a newer hongbao. Nothing was changed. Use that version.")
        }
        if !mayBeMissing, !acceptsOlder, try !Schema.migrator.hasCompletedMigrations(db) {
            throw StoreError(
                code: .foreign,
                message: "\(path) was written by an older hongbao. Nothing was changed. "
                    + "Start this version with it once, then it can be read.")
        }
        // Ours has no trigger and two views: what else runs by itself inside the file was put there by somebody else.
        let injected = try String.fetchOne(
            db,
            sql: """
                SELECT type || ' ' || name FROM sqlite_master
                WHERE type = 'trigger' OR type = 'view' AND name NOT IN ('bot_draw_ledger_readable', 'redpacket_queue')
                LIMIT 1
                """)
        if let injected {
            throw StoreError(
                code: .foreign,
                message: "\(path) has a \(injected) that is not ours. Nothing was changed. "
                    + "Remove it with the sqlite3 shell, or restore a backup.")
        }
        if let size, size <= 64 << 20 {
            let verdict = try String.fetchOne(db, sql: "PRAGMA quick_check(1)")
            if verdict != "ok" { throw damaged(path, verdict) }
        }
    }

    // MARK: Writing

    private func requireOpen() throws(StoreError) {
        if isClosed.withLockedValue({ $0 }) { throw StoreError(code: .failed, message: "The database was closed.") }
    }

    /// What reads, away from the writer.
    func requireReader() throws(StoreError) -> any DatabaseReader {
        try requireOpen()
        return reader
    }

    private func requireWriter() throws(StoreError) -> any DatabaseWriter {
        try requireOpen()
        guard let writer else {
            throw StoreError(code: .inaccessible, message: "The database was opened for reading only.")
        }
        return writer
    }

    public func facts(for query: FactQuery) async throws -> Facts {
        let writer = try requireWriter()
        let hot = hot
        do {
            return try await writer.writeWithoutTransaction { db in
                if let fault = hot.fault { throw fault }
                do {
                    return try hot.reader(db).facts(for: query, db)
                } catch {
                    throw hot.note(error)
                }
            }
        } catch {
            throw StoreError(error)
        }
    }

    public func write(_ changes: Changes, next: @escaping @Sendable () -> FactRequest?) async throws {
        try await write(next: next) { _, _ in changes }
    }

    public func transact(
        _ query: FactQuery, next: @escaping @Sendable () -> FactRequest?,
        _ decide: @escaping @Sendable (Facts) -> Changes
    ) async throws {
        try await write(next: next) { hot, db in decide(try hot.reader(db).facts(for: query, db)) }
    }

    private func write(
        next: @escaping @Sendable () -> FactRequest?,
        _ decided: @escaping @Sendable (HotStatements, Database) throws -> Changes
    ) async throws {
        let writer = try requireWriter()
        let hot = hot
        let limit = checkpointFrameCount
        let checkpointer = checkpointer
        let logger = logger
        let touchedWins = touchedWins
        do {
            let isCheckpointDue = try await writer.writeWithoutTransaction { db in
                // A disk that moves pages more slowly than batches come must not let the log grow for ever. What is left to
                // the writer then comes before the next batch.
                if hot.isCheckpointing, hot.walFrameCount.pointee >= Self.maximumLogLength * limit {
                    checkpointer?.wait()
                }
                if let fault = hot.fault { throw fault }
                let isCheckpointDue = hot.walFrameCount.pointee >= limit && !hot.isCheckpointing
                do {
                    let changes = try decided(hot, db)
                    // Most of the time a look at the clock finds nothing to do, and needs no right to write.
                    if !changes.isEmpty { try Self.begin(db, logger) }
                    let touched = try hot.write(changes, next: next, db)
                    if !touched.isEmpty { touchedWins.withLockedValue { $0.note(touched) } }
                    if db.isInsideTransaction { try db.commit() }
                    if !touched.isEmpty { touchedWins.withLockedValue { $0.settle() } }
                    // Durable, and nobody has been told: from here on it counts as issued.
                    if !changes.ledger.isEmpty { try hot.heads?.note(changes.ledger) }
                    if !changes.statistics.isEmpty { hot.heads?.synchronize() }
                    if isCheckpointDue { hot.isCheckpointing = true }
                    return isCheckpointDue
                } catch {
                    if db.isInsideTransaction { try? db.rollback() }
                    throw hot.note(error)
                }
            }
            if isCheckpointDue { checkpointSoon() }
        } catch {
            throw StoreError(error)
        }
    }

    /// Begins to write, as soon as no other program does.
    ///
    /// Somebody may edit the configuration with the sqlite3 shell and take their time; nothing of the batch is written
    /// yet, so waiting is safe. A commit is never tried again.
    private static func begin(_ db: Database, _ logger: Logger) throws {
        var busy: DatabaseError?
        while true {
            do {
                return try db.beginTransaction(.immediate)
            } catch is CancellationError {
                // Told to stop meanwhile: it is the other program that operators must hear of.
                throw busy ?? CancellationError() as any Error
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
                busy = error
                logger.warning(
                    "another program is writing to the database; waiting until it has finished, everybody else waits too"
                )
            }
        }
    }

    /// Moves the log into the file while batches go on being written to it.
    private func checkpointSoon() {
        guard let checkpointer, let writer else { return }
        let hot = hot
        checkpointer.begin { code in
            writer.asyncWriteWithoutTransaction { hot.finishCheckpoint(code, $0) }
        }
    }

    public func close() async throws {
        let wasClosed = isClosed.withLockedValue { isClosed in
            defer { isClosed = true }
            return isClosed
        }
        if wasClosed { return }
        let hot = hot
        do {
            // What it leaves to the writer comes before the writer's end.
            try checkpointer?.close()
            if let writer {
                try await writer.writeWithoutTransaction { db in
                    hot.facts = nil
                    hot.changes = nil
                    hot.heads = nil
                    sqlite3_wal_hook(db.sqliteConnection, nil, nil)
                    sqlite3_wal_checkpoint_v2(db.sqliteConnection, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
                }
            }
            // Readers cannot remove the log that the last connection to close leaves behind.
            (writer as? DatabasePool)?.invalidateReadOnlyConnections()
            try reader.close()
        } catch {
            throw StoreError(error)
        }
        for lock in locks { lock.release() }
    }

    /// Finds out whether the file takes a write now and keeps its promise of durability. Writes nothing.
    ///
    /// - Throws: ``StoreError``.
    public func checkWritable() async throws {
        do {
            let hot = hot
            try await requireWriter().writeWithoutTransaction { db in
                if let fault = hot.fault { throw fault }
                guard try Int.fetchOne(db, sql: "PRAGMA synchronous") == 2 else {
                    throw StoreError(
                        code: .notDurable, message: "The database is not durable: synchronous is not FULL.")
                }
                try db.execute(sql: "BEGIN IMMEDIATE; ROLLBACK")
            }
        } catch {
            throw StoreError(error)
        }
    }

    /// Waits until a move of the log into the file is over, if one has begun: for tests, in which each write has its place.
    package func untilCheckpointed() async throws {
        guard let checkpointer else { return }
        checkpointer.wait()
        // Behind what is left to the writer.
        try await requireWriter().writeWithoutTransaction { _ in }
    }

    /// What PRAGMA `name` says on the writing connection, for tests and checks.
    package func pragma(_ name: String) async throws -> String? {
        try await requireWriter().writeWithoutTransaction { db in
            try Row.fetchOne(db, sql: "PRAGMA \(name)").map { "\($0[0] as DatabaseValue)" }
        }
    }
}
