internal import GRDB
internal import GRDBSQLite

/// Lets a connection write its log in large pieces.
///
/// SQLite writes each page of a commit with two calls to the system, one for the frame's header and one for the page. Here
/// what follows on one another is kept until it is large enough, and all of it goes out with the frame that ends the
/// transaction: before anybody else may look at it, and before it is synced. Nothing else about the log changes, neither
/// its bytes nor their order (docs/decisions/0020).
///
/// - Source: sqlite.org/c3ref/io_methods.html, sqlite.org/fileformat2.html section 4.1.
struct GatheredLog {
    /// A page may have as many bytes, so SQLite's own files take as many at once.
    static let pieceSize = 1 << 16
    private static let frameHeaderSize = 24
    private static let failed = ResultCode.SQLITE_IOERR_WRITE.rawValue

    /// The file's functions: SQLite finds them where the file's own were, and they find the rest behind them.
    private var methods: sqlite3_io_methods
    private let original: UnsafePointer<sqlite3_io_methods>
    private let bytes: UnsafeMutableRawPointer
    private var count = 0
    /// Where the first of the bytes belongs.
    private var offset: Int64 = 0
    /// Whether the header that came last belongs to the frame that ends a transaction.
    private var isLastFrame = false

    /// Has everything that `db` writes to its log gathered, until the log is closed. Does nothing for a database without
    /// one.
    static func begin(_ db: Database) {
        guard let file = db.log, let original = file.pointee.pMethods else { return }
        let log = UnsafeMutablePointer<GatheredLog>.allocate(capacity: 1)
        log.initialize(to: GatheredLog(original))
        file.pointee.pMethods = UnsafeRawPointer(log).assumingMemoryBound(to: sqlite3_io_methods.self)
    }

    private init(_ original: UnsafePointer<sqlite3_io_methods>) {
        self.original = original
        bytes = .allocate(byteCount: Self.pieceSize, alignment: 16)
        methods = original.pointee
        methods.xWrite = { file, source, count, offset in
            GatheredLog.of(file).pointee.write(file, source, count, at: offset)
        }
        methods.xRead = { file, target, count, offset in
            GatheredLog.flush(file) { $0.xRead(file, target, count, offset) }
        }
        methods.xTruncate = { file, size in
            GatheredLog.flush(file) { $0.xTruncate(file, size) }
        }
        methods.xSync = { file, flags in
            GatheredLog.flush(file) { $0.xSync(file, flags) }
        }
        methods.xFileSize = { file, size in
            GatheredLog.flush(file) { $0.xFileSize(file, size) }
        }
        methods.xClose = { file in
            let log = GatheredLog.of(file)
            let flushed = log.pointee.flush(file)
            let original = log.pointee.original
            file?.pointee.pMethods = original
            log.pointee.bytes.deallocate()
            log.deinitialize(count: 1).deallocate()
            let closed = original.pointee.xClose(file)
            return flushed == SQLITE_OK ? closed : flushed
        }
    }

    private static func of(_ file: UnsafeMutablePointer<sqlite3_file>?) -> UnsafeMutablePointer<GatheredLog> {
        guard let methods = file?.pointee.pMethods else { preconditionFailure("SQLite names the file that it means") }
        return UnsafeMutableRawPointer(mutating: methods).assumingMemoryBound(to: GatheredLog.self)
    }

    /// Before anything else is done with the file.
    private static func flush(
        _ file: UnsafeMutablePointer<sqlite3_file>?, then body: (sqlite3_io_methods) -> Int32
    ) -> Int32 {
        let log = of(file)
        let code = log.pointee.flush(file)
        return code == SQLITE_OK ? body(log.pointee.original.pointee) : code
    }

    private mutating func write(
        _ file: UnsafeMutablePointer<sqlite3_file>?, _ source: UnsafeRawPointer?, _ size: Int32, at place: Int64
    ) -> Int32 {
        guard let source, let write = original.pointee.xWrite else { return Self.failed }
        let size = Int(size)
        if count > 0, place != offset + Int64(count) || count + size > Self.pieceSize {
            let code = flush(file)
            guard code == SQLITE_OK else { return code }
        }
        guard size <= Self.pieceSize else { return write(file, source, Int32(size), place) }
        if count == 0 { offset = place }
        (bytes + count).copyMemory(from: source, byteCount: size)
        count += size
        if size == Self.frameHeaderSize {
            // After the page's number, the size of the database in pages; zero within a transaction.
            isLastFrame = (source + 4).loadUnaligned(as: UInt32.self) != 0
            return SQLITE_OK
        }
        return isLastFrame ? flush(file) : SQLITE_OK
    }

    /// What cannot be written is dropped: SQLite hears of it, gives the transaction up and writes over the place.
    private mutating func flush(_ file: UnsafeMutablePointer<sqlite3_file>?) -> Int32 {
        guard count > 0 else { return SQLITE_OK }
        defer { count = 0 }
        return original.pointee.xWrite?(file, bytes, Int32(count), offset) ?? Self.failed
    }
}
