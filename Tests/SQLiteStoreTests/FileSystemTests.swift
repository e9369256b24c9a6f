import SQLiteStore
import Testing

struct FileSystemTests {
    private static let mounts = """
        22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
        30 22 0:25 / /tmp rw,nosuid - tmpfs tmpfs rw
        31 22 0:40 / /mnt/share rw - nfs4 server:/export rw
        32 31 0:41 / /mnt/share/disk rw shared:9 master:2 - xfs /dev/vdb rw
        33 22 0:42 / /mnt/my\\040disk rw - cifs //nas/a rw
        34 22 0:43 / /var/lib/docker rw - overlay overlay rw
        35 22 0:44 / /home rw - ext4 /dev/a rw
        36 22 0:45 / /home rw - fuse.sshfs user@host: rw
        garbage

        """

    @Test(arguments: [
        ("/", "ext4", FileSystem.Kind.local), ("/srv", "ext4", .local), ("/tmp/a", "tmpfs", .memory),
        ("/tmpfile", "ext4", .local), ("/mnt/share", "nfs4", .network), ("/mnt/share/a", "nfs4", .network),
        ("/mnt/share/disk/a", "xfs", .local), ("/mnt/my disk/a", "cifs", .network),
        ("/var/lib/docker/a", "overlay", .container), ("/home/a", "fuse.sshfs", .network),
    ])
    func theDeepestMountCounts(_ path: String, _ name: String, _ kind: FileSystem.Kind) {
        let found = FileSystem(ofFolder: path, mounts: Self.mounts)
        #expect(found?.name == name)
        #expect(found?.kind == kind)
    }

    @Test func whatIsNotToldIsNotGuessed() {
        #expect(FileSystem(ofFolder: "/a", mounts: "") == nil)
        #expect(FileSystem(ofFolder: "/a", mounts: "36 35 0:45 / /b rw - ext4 x rw\n1 2 3 4 / - \n") == nil)
    }
}
