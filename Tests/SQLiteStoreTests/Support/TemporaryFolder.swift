import Foundation
import GRDB
import SQLiteStore

/// A folder of one test's own, removed with everything in it when the value goes away.
final class TemporaryFolder: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appendingPathComponent("hongbao-store-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    func path(_ name: String = "hongbao.db") -> String {
        url.appendingPathComponent(name).path
    }

    func bytes(_ name: String = "hongbao.db") throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: path(name)))
    }

    func write(_ bytes: Data, to name: String = "hongbao.db") throws {
        try bytes.write(to: URL(fileURLWithPath: path(name)))
    }

    /// 0 when there is no such file.
    func size(_ name: String) -> Int {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path(name))
        return attributes?[.size] as? Int ?? 0
    }

    /// Makes a database of ours and closes it.
    func makeDatabase() async throws {
        try await SQLiteStore(path: path()).close()
    }

    /// Works on the file as another program would.
    @discardableResult
    func withDatabase<Value>(_ body: (Database) throws -> Value) throws -> Value {
        let queue = try DatabaseQueue(path: path())
        let value = try queue.writeWithoutTransaction(body)
        try queue.close()
        return value
    }
}
