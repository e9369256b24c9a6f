import Foundation
import TestSupport

/// A disk of a few megabytes, in memory; gone with its owner.
final class SmallDisk {
    struct NotMounted: Error, CustomStringConvertible {
        let description: String
    }

    let path: String

    /// Whether this process may mount anything: as root, outside of most containers; and by sudo, where no test may be skipped.
    static let isAllowed: Bool = {
        guard let folder = try? TemporaryFolder() else { return false }
        return (try? SmallDisk(in: folder, megabytes: 1)) != nil
    }()

    init(in folder: TemporaryFolder, megabytes: Int) throws {
        path = folder.path + "/disk"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Self.run("mount -t tmpfs -o size=\(megabytes)m tmpfs '\(path)'")
    }

    deinit {
        try? Self.run("umount -l '\(path)'")
    }

    func resize(megabytes: Int) throws {
        try Self.run("mount -o remount,size=\(megabytes)m '\(path)'")
    }

    /// Leaves no byte free.
    func fill() throws {
        _ = try Shell.run("cat /dev/zero > '\(path)/filler'", in: "/")
    }

    func removeFiller() throws {
        try FileManager.default.removeItem(atPath: path + "/filler")
    }

    private static func run(_ command: String) throws {
        let prefix = Program.isUnhindered || !TestMachine.mustHaveAll ? "" : "sudo -n "
        let result = try Shell.run("PATH=$PATH:/usr/sbin:/sbin; \(prefix)\(command)", in: "/")
        guard result.status == 0 else { throw NotMounted(description: result.text) }
    }
}
