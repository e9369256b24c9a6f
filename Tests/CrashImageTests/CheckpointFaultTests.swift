import Activities
import Basics
import CRecordingVFS
import Foundation
import SQLiteStore
import Testing

struct CheckpointFaultTests {
    /// A sync of the log or of the file itself fails, in a commit or while the log is moved into the file: in each case the
    /// next batch at the latest hears of it.
    @Test func noBatchIsTakenAfterADiskThatFailed() async throws {
        #expect(vfs_install())
        var files: Set<UInt32> = []
        for number in 0..<16 {
            let folder = URL(fileURLWithPath: NSTemporaryDirectory()).resolvingSymlinksInPath()
                .appending(path: "hongbao-checkpoint-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let path = folder.path + "/hongbao.db"
            let recording = try #require(vfs_recording_start(path))
            let store = try SQLiteStore(path: path, checkpointFrameCount: 6)
            vfs_recording_fail_sync(recording, Int64(number))
            var failure: StoreError?
            var batchesAfterFault = 0
            while failure == nil, batchesAfterFault < 3 {
                if vfs_recording_has_failed(recording) { batchesAfterFault += 1 }
                do {
                    try await store.transact(FactQuery()) { _ -> (Changes, Void) in
                        var changes = Changes()
                        changes.bindings[UserID("qq:\(number)")] = .some(GameID(stored: "角色"))
                        return (changes, ())
                    }
                    try await store.untilCheckpointed()
                } catch {
                    failure = error as? StoreError
                }
            }
            #expect(failure?.code == .diskFailed, "sync \(number)")
            #expect(batchesAfterFault <= 1, "sync \(number)")
            await #expect(throws: StoreError.self) { try await store.checkWritable() }
            try? await store.close()
            for index in 0..<vfs_recording_count(recording) {
                let operation = vfs_recording_operation(recording, index)
                if operation.kind == VFS_LOST_SYNC { files.insert(operation.file.rawValue) }
            }
            vfs_recording_free(recording)
        }
        #expect(files == [VFS_FILE_DATABASE.rawValue, VFS_FILE_LOG.rawValue])
    }
}
