internal import Activities
internal import Foundation

#if canImport(Glibc)
    // Which module owns the C library's structures depends on the order in which files are compiled.
    internal import CDispatch
    internal import CoreFoundation
    internal import Glibc
#endif

/// A file in the making, under a name of its own until it is whole and on disk. Without ``finish(as:replacing:)`` it
/// goes away again.
///
/// Only its owner may read it. A file of that name that somebody left behind is taken over, unless they still write it.
final class NewFile {
    let path: String
    private let descriptor: Int32
    private var isFinished = false

    /// - Parameter model: An existing file; where an administrator writes for somebody else, the new one belongs to them.
    /// - Throws: ``StoreError`` with `inaccessible`, or `locked` while somebody else writes it.
    init(_ path: String, ownedAs model: String? = nil) throws(StoreError) {
        self.path = path
        descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            isFinished = true
            throw Self.fault(path)
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            isFinished = true
            throw StoreError(
                code: .locked, message: "Another program is writing \(path). Nothing was changed. Wait for it.")
        }
        guard ftruncate(descriptor, 0) == 0, fchmod(descriptor, 0o600) == 0 else { throw Self.fault(path) }
        if let model { adoptOwner(of: model) }
    }

    private func adoptOwner(of model: String) {
        var status = stat()
        guard geteuid() == 0, stat(model, &status) == 0 else { return }
        _ = fchown(descriptor, status.st_uid, status.st_gid)
    }

    func write(_ bytes: [UInt8]) throws(StoreError) {
        let count = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
        guard count == bytes.count else { throw Self.fault(path) }
    }

    /// Brings the file to disk and gives it its name.
    ///
    /// - Parameter isReplacing: Whether a file of that name goes; otherwise it stays, and this throws.
    func finish(as name: String, replacing isReplacing: Bool) throws(StoreError) {
        guard fsync(descriptor) == 0 else { throw Self.fault(path) }
        if isReplacing {
            guard rename(path, name) == 0 else { throw Self.fault(name) }
        } else {
            // A link refuses to take a name that is taken, a renaming does not; some file systems have no links.
            if link(path, name) == 0 {
                unlink(path)
            } else if errno == EEXIST || FileManager.default.fileExists(atPath: name) {
                throw StoreError(
                    code: .inaccessible, message: "There is a file \(name) already. Nothing was changed. Name another.")
            } else if rename(path, name) != 0 {
                throw Self.fault(name)
            }
        }
        isFinished = true
        guard Self.synchronize(folderOf: name) else { throw Self.fault(name) }
    }

    /// New names must not be lost with the power.
    static func synchronize(folderOf path: String) -> Bool {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let descriptor = open(folder, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { Foundation.close(descriptor) }
        return fsync(descriptor) == 0
    }

    deinit {
        if !isFinished {
            for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
        }
        if descriptor >= 0 { close(descriptor) }
    }

    private static func fault(_ path: String) -> StoreError {
        let isFull = errno == ENOSPC || errno == EDQUOT
        return StoreError(
            code: isFull ? .full : .inaccessible,
            message: "\(path) cannot be written. Nothing was changed. "
                + (isFull ? "Free some space." : "Check that its folder exists and that you may write there."),
            cause: String(cString: strerror(errno)))
    }
}
