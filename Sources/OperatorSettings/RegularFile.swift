package import Foundation

#if canImport(Glibc)
    // Which module owns the C library's structures depends on the order in which files are compiled.
    internal import CDispatch
    internal import CoreFoundation
    internal import Glibc
#endif

/// Files that people name. Only regular ones are opened: a FIFO or a device could block, or never end.
package enum RegularFile {
    package enum Fault: Error {
        case missing
        /// A folder, a FIFO, a device; a link where links are not followed.
        case notRegular
        case unreadable
        case tooLarge
    }

    /// Opens the file at `path` for reading.
    ///
    /// - Parameter followsLinks: Whether a link may lead elsewhere.
    package static func open(_ path: String, followsLinks: Bool = true) throws(Fault) -> FileHandle {
        guard !path.isEmpty, !path.utf8.contains(0) else { throw .missing }
        var status = stat()
        guard (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else {
            throw errno == ENOENT || errno == ENOTDIR ? .missing : .unreadable
        }
        guard isRegular(status) else { throw .notRegular }
        // Something else may have taken its place since: that must not block either.
        let descriptor = Foundation.open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | (followsLinks ? 0 : O_NOFOLLOW))
        guard descriptor >= 0 else { throw .unreadable }
        guard fstat(descriptor, &status) == 0, isRegular(status) else {
            close(descriptor)
            throw .notRegular
        }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    /// All of the file at `path`.
    package static func contents(
        of path: String, maximumSize: Int, followsLinks: Bool = true
    ) throws(Fault) -> Data {
        let file = try open(path, followsLinks: followsLinks)
        let data: Data
        do {
            data = try file.read(upToCount: maximumSize + 1) ?? Data()
        } catch {
            throw .unreadable
        }
        guard data.count <= maximumSize else { throw .tooLarge }
        return data
    }

    /// Refuses what the person at the command line named and what cannot be opened.
    ///
    /// - Throws: An ``OperatorMessage``.
    package static func check(_ path: String) throws {
        do {
            try open(path).close()
        } catch let fault as Fault {
            throw OperatorMessage(fault, path)
        }
    }

    private static func isRegular(_ status: stat) -> Bool {
        status.st_mode & S_IFMT == S_IFREG
    }
}

extension OperatorMessage {
    package init(_ fault: RegularFile.Fault, _ path: String) {
        switch fault {
        case .missing: self.init("找不到文件 \(path)。", "There is no file \(path).")
        case .notRegular:
            self.init(
                "\(path) 不是普通文件（而是文件夹、管道或设备），没有读取。",
                "\(path) is not a regular file but a folder, a pipe or a device. It was not read.")
        case .unreadable: self.init("打不开文件 \(path)，请检查权限。", "The file \(path) cannot be opened. Check who may read it.")
        case .tooLarge: self.init("文件 \(path) 太大，没有读取。", "The file \(path) is too large. It was not read.")
        }
    }
}
