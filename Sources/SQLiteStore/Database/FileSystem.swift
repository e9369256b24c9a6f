internal import Foundation

/// The file system that a file lies on, as far as that matters to a database.
public struct FileSystem: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case local
        /// On another machine: locks and shared memory do not work there as SQLite needs them.
        case network
        /// In memory: gone when the machine restarts.
        case memory
        /// The layers of a container: gone with it.
        case container
        /// Behind a program or a virtual machine, and of either kind.
        case unclear
    }

    /// As the system calls it, such as `ext4`.
    public let name: String

    public var kind: Kind {
        switch name {
        case "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre", "ocfs2", "gfs2", "beegfs",
            "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.davfs", "davfs":
            .network
        case "tmpfs", "ramfs": .memory
        case "overlay", "aufs": .container
        case "9p", "virtiofs", "vboxsf", "fuse", "fuseblk": .unclear
        case _ where name.hasPrefix("fuse."): .unclear
        default: .local
        }
    }

    /// Of an existing folder; nil when the system does not tell.
    public init?(ofFolder path: String) {
        guard let data = FileManager.default.contents(atPath: "/proc/self/mountinfo") else { return nil }
        let path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        self.init(ofFolder: path, mounts: String(decoding: data, as: UTF8.self))
    }

    /// - Parameters:
    ///   - path: Absolute, without links.
    ///   - mounts: What `/proc/self/mountinfo` says: in each line the fifth word is where, and the first behind the
    ///     lonely dash what. Of two in one place the later hides the earlier.
    /// - Source: proc(5).
    package init?(ofFolder path: String, mounts: String) {
        var found: (place: String, name: Substring)?
        for line in mounts.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 6, let dash = words.firstIndex(of: "-"), dash + 1 < words.count else { continue }
            let place = Self.unescaped(words[4])
            let isAbove = place == "/" || path == place || path.hasPrefix(place + "/")
            if isAbove, place.utf8.count >= found?.place.utf8.count ?? 0 { found = (place, words[dash + 1]) }
        }
        guard let found else { return nil }
        name = String(found.name)
    }

    /// A space, a tab, a newline and a backslash stand there as three octal digits.
    private static func unescaped(_ text: Substring) -> String {
        [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")].reduce(String(text)) {
            $0.replacingOccurrences(of: $1.0, with: $1.1)
        }
    }
}
