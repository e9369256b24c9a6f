internal import Foundation
internal import NIOConcurrencyHelpers
internal import SQLiteStore

/// What keeps the program from serving well.
///
/// - Source: hardening.md section 2.
final class Readiness: Sendable {
    /// Below this many bytes of free space nothing should be begun.
    static let minimumFreeSpace: Int64 = 64 << 20
    /// Whoever asks must hear in time that the answer does not come.
    private static let patience = Duration.seconds(3)

    private struct State {
        var isChecking = false
        var waiting: [Int: CheckedContinuation<String?, Never>] = [:]
        var nextID = 0
    }

    private let store: SQLiteStore
    private let freeSpace: @Sendable () -> Int64?
    private let sleep: @Sendable (Duration) async throws -> Void
    private let state = NIOLockedValueBox(State())

    /// - Parameter folder: Where the database lies.
    convenience init(of store: SQLiteStore, folder: String) {
        self.init(of: store, freeSpace: { Self.freeSpace(inFolder: folder) })
    }

    /// - Parameter freeSpace: Of the disk that the database lies on, in bytes; nil when it cannot be asked.
    init(
        of store: SQLiteStore, freeSpace: @escaping @Sendable () -> Int64?,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) {
        self.store = store
        self.freeSpace = freeSpace
        self.sleep = sleep
    }

    /// One sentence in English a fault; empty when all is well.
    func faults() async -> [String] {
        var faults: [String] = []
        if let fault = await databaseFault() { faults.append("database: \(fault)") }
        if let free = freeSpace(), free < Self.minimumFreeSpace {
            faults.append("disk: less than \(Self.minimumFreeSpace >> 20) MiB free")
        }
        return faults
    }

    /// In bytes; nil when the folder's disk cannot be asked.
    static func freeSpace(inFolder folder: String) -> Int64? {
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder.isEmpty ? "." : folder)
        return (attributes?[.systemFreeSize] as? NSNumber)?.int64Value
    }

    /// The check stands in line behind the batch that is being written, which waits as long as another program holds the
    /// file: nobody waits here for that, and however many ask, one check is enough.
    private func databaseFault() async -> String? {
        var patience: Task<Void, Never>?
        let fault = await withCheckedContinuation { continuation in
            let (id, mustCheck) = state.withLockedValue { state in
                let id = state.nextID
                state.nextID += 1
                state.waiting[id] = continuation
                defer { state.isChecking = true }
                return (id, !state.isChecking)
            }
            if mustCheck { Task { await check() } }
            patience = Task {
                guard (try? await sleep(Self.patience)) != nil else { return }
                let late = state.withLockedValue { $0.waiting.removeValue(forKey: id) }
                late?.resume(returning: "it does not take a write now; another program may be holding it")
            }
        }
        patience?.cancel()
        return fault
    }

    private func check() async {
        var fault: String?
        do {
            try await store.checkWritable()
        } catch {
            fault = "\(error)"
        }
        let waiting = state.withLockedValue { state in
            defer { state.waiting = [:] }
            state.isChecking = false
            return state.waiting.values
        }
        for continuation in waiting { continuation.resume(returning: fault) }
    }
}
