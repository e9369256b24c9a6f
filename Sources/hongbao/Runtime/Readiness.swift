internal import Foundation
internal import SQLiteStore

/// What keeps the program from serving well.
///
/// - Source: hardening.md section 2.
enum Readiness {
    /// Below this many bytes of free space nothing should be begun.
    static let minimumFreeSpace: Int64 = 64 << 20

    /// - Parameter folder: Where the database lies.
    /// - Returns: One sentence in English a fault; empty when all is well.
    static func faults(of store: SQLiteStore, folder: String) async -> [String] {
        var faults: [String] = []
        do {
            try await store.checkWritable()
        } catch {
            faults.append("database: \(error)")
        }
        if let free = freeSpace(inFolder: folder), free < minimumFreeSpace {
            faults.append("disk: less than \(minimumFreeSpace >> 20) MiB free")
        }
        return faults
    }

    /// In bytes; nil when the folder's disk cannot be asked.
    static func freeSpace(inFolder folder: String) -> Int64? {
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder.isEmpty ? "." : folder)
        return (attributes?[.systemFreeSize] as? NSNumber)?.int64Value
    }
}
