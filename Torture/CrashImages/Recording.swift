internal import CRecordingVFS
internal import Foundation

/// The files of one database, by what their names end with.
enum DatabaseFile: Int, CaseIterable {
    case database
    case log
    case journal

    var suffix: String { ["", "-wal", "-journal"][rawValue] }

    var inVFS: vfs_file { vfs_file(UInt32(rawValue)) }
}

/// What SQLite did to a file, in the order in which it was done.
struct Operation {
    enum Kind {
        /// There is a new, empty file of this name.
        case create
        case write(offset: Int, UnsafeRawBufferPointer)
        case truncate(size: Int)
        /// Everything before is durable.
        case sync
        /// The kernel takes everything before for flushed, but it was not.
        case lostSync
        case delete
    }

    let file: DatabaseFile
    let kind: Kind
}

/// Everything that connections to one database do to its files, while it is alive.
///
/// Unchecked: the C side has a lock, and recorded operations never change.
final class Recording: @unchecked Sendable {
    struct NotInstalled: Error {}

    private let recording: OpaquePointer

    /// - Parameter path: Absolute, without symbolic links. Connections opened from now on are recorded.
    init(ofDatabase path: String) throws {
        guard vfs_install(), let recording = vfs_recording_start(path) else { throw NotInstalled() }
        self.recording = recording
    }

    deinit {
        vfs_recording_free(recording)
    }

    var count: Int { Int(vfs_recording_count(recording)) }

    /// - Returns: An operation whose bytes live as long as the recording.
    subscript(index: Int) -> Operation {
        let operation = vfs_recording_operation(recording, Int64(index))
        guard let file = DatabaseFile(rawValue: Int(operation.file.rawValue)) else {
            preconditionFailure("the VFS records three files")
        }
        let kind: Operation.Kind =
            switch operation.kind {
            case VFS_CREATE: .create
            case VFS_TRUNCATE: .truncate(size: Int(operation.offset))
            case VFS_SYNC: .sync
            case VFS_LOST_SYNC: .lostSync
            case VFS_DELETE: .delete
            default:
                .write(
                    offset: Int(operation.offset),
                    UnsafeRawBufferPointer(start: operation.bytes, count: Int(operation.size)))
            }
        return Operation(file: file, kind: kind)
    }

    /// From now on the disk lies about flushing `file`.
    func ignoreSyncs(of file: DatabaseFile) {
        vfs_recording_ignore_syncs(recording, file.inVFS)
    }

    /// The sync after `count` others fails.
    func failSync(after count: Int) {
        vfs_recording_fail_sync(recording, Int64(count))
    }

    /// Whether that sync has failed.
    var hasFailedSync: Bool { vfs_recording_has_failed(recording) }

    /// What open connections do from now on reaches no file: their process is dead.
    func cutOff() {
        vfs_recording_cut_off(recording)
    }
}

/// A database in memory that every SQLite connection of the process can open by its path.
final class MemoryDatabase {
    struct NotAvailable: Error {}

    private let image: OpaquePointer
    let path: String
    private var files: [UnsafeMutableRawBufferPointer?] = DatabaseFile.allCases.map { _ in nil }

    init() throws {
        guard vfs_install(), let image = vfs_image_create() else { throw NotAvailable() }
        self.image = image
        path = String(cString: vfs_image_path(image))
    }

    deinit {
        vfs_image_free(image)
    }

    /// Gives a file a size, or takes it away (nil). What it then holds is undefined.
    ///
    /// - Returns: Its bytes, good until the next call for the same file.
    @discardableResult
    func resize(_ file: DatabaseFile, to size: Int?) -> UnsafeMutableRawBufferPointer? {
        let bytes = vfs_image_resize(image, file.inVFS, Int64(size ?? -1))
        files[file.rawValue] = size.flatMap { size in
            bytes.map { UnsafeMutableRawBufferPointer(start: $0, count: size) }
        }
        return files[file.rawValue]
    }

    /// Copies the files as they were made to a folder.
    func write(toFolder folder: String, named name: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for file in DatabaseFile.allCases {
            guard let bytes = files[file.rawValue] else { continue }
            try Data(bytes).write(to: URL(fileURLWithPath: folder + "/" + name + file.suffix))
        }
    }
}
