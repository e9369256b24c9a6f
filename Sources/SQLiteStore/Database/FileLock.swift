internal import Activities

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#else
    internal import Darwin
#endif

/// Keeps a second process away from a database, by an exclusive lock on a file beside it.
///
/// The kernel drops the lock when the process ends, however it ends; the file itself stays.
final class FileLock: Sendable {
    private let descriptor: Int32

    /// - Throws: ``StoreError`` with `locked` when another process holds the lock, `inaccessible` when the lock file
    ///   cannot be opened.
    init(besideDatabase path: String) throws(StoreError) {
        let lockPath = path + ".lock"
        descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw StoreError(
                code: .inaccessible,
                message: "The lock file \(lockPath) cannot be opened. Nothing was changed. "
                    + "Check that its folder exists and that you may write there.",
                cause: String(cString: strerror(errno)))
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            var buffer = [UInt8](repeating: 0, count: 32)
            let count = pread(descriptor, &buffer, buffer.count, 0)
            let holder =
                String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
                .split(whereSeparator: \.isNewline).first.map { " (process \($0))" } ?? ""
            close(descriptor)
            throw StoreError(
                code: .locked,
                message: "The database \(path) is in use by another hongbao\(holder). Nothing was changed. "
                    + "Stop that one first, or name another file with --database.")
        }
        let pid = "\(getpid())\n"
        ftruncate(descriptor, 0)
        _ = pid.withCString { pwrite(descriptor, $0, strlen($0), 0) }
    }

    /// Lets the next process in.
    func release() {
        flock(descriptor, LOCK_UN)
    }

    deinit {
        close(descriptor)
    }
}
