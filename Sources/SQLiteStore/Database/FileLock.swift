internal import Activities
internal import NIOConcurrencyHelpers

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Keeps a second process away from a database, by an exclusive lock on a file.
///
/// Two are held: one on a file beside the database, which is there before the database is, and one on the database
/// itself, which another name for it or a deleted file beside it does not get around. The kernel drops a lock when the
/// process ends, however it ends.
final class FileLock: Sendable {
    private let descriptor: Int32
    private let isReleased = NIOLockedValueBox(false)

    /// Locks the file beside the database, and leaves the process's number in it. The file stays.
    ///
    /// - Throws: ``StoreError`` with `locked` when another process holds the lock, `inaccessible` when the file cannot
    ///   be opened.
    convenience init(besideDatabase path: String) throws(StoreError) {
        let lockPath = path + ".lock"
        try self.init(lockPath, O_RDWR | O_CREAT | O_NOFOLLOW, database: path)
        let pid = "\(getpid())\n"
        ftruncate(descriptor, 0)
        _ = pid.withCString { pwrite(descriptor, $0, strlen($0), 0) }
    }

    /// Locks the database's own file, which must exist.
    ///
    /// To be kept until every connection is closed: closing any descriptor of a file drops the process's other kind of
    /// locks on it, which SQLite uses.
    ///
    /// - Throws: As ``init(besideDatabase:)``.
    convenience init(ofDatabase path: String) throws(StoreError) {
        try self.init(path, O_RDONLY, database: path)
    }

    private init(_ lockPath: String, _ flags: Int32, database path: String) throws(StoreError) {
        descriptor = open(lockPath, flags | O_CLOEXEC | O_NONBLOCK, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(
                code: .inaccessible,
                message: "The file \(lockPath) cannot be opened. Nothing was changed. "
                    + "Check that its folder exists and that you may write there.",
                cause: String(cString: strerror(errno)))
        }
        guard Self.lock(descriptor) else {
            let holder = Self.holder(path)
            close(descriptor)
            throw StoreError(
                code: .locked,
                message: "The database \(path) is in use by another hongbao\(holder). Nothing was changed. "
                    + "Stop that one first, or name another file with --database.")
        }
    }

    /// Waits up to a second: a predecessor that is just ending, and a child process between its birth and its program,
    /// hold the lock for a moment only.
    private static func lock(_ descriptor: Int32) -> Bool {
        for _ in 0..<50 {
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
            usleep(20_000)
        }
        return flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }

    /// What the file beside the database says about who holds it; empty when it says nothing.
    private static func holder(_ path: String) -> String {
        let descriptor = open(path + ".lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = pread(descriptor, &buffer, buffer.count, 0)
        return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
            .split(whereSeparator: \.isNewline).first.map { " (process \($0))" } ?? ""
    }

    /// Lets the next process in.
    func release() {
        let wasReleased = isReleased.withLockedValue { isReleased in
            defer { isReleased = true }
            return isReleased
        }
        if !wasReleased { close(descriptor) }
    }

    deinit {
        release()
    }
}
