internal import Foundation

/// The plain C program, run as a process of its own.
struct PlainProgram {
    let path: String

    private struct Result: Decodable {
        let drawsPerSecond: Double

        private enum CodingKeys: String, CodingKey {
            case drawsPerSecond = "draws_per_second"
        }
    }

    /// - Parameter others: Users who have drawn before the clock starts.
    func drawsPerSecond(
        draws: Int, perCommit: Int, others: Int = 0, folder: String, seed: UInt64
    ) throws -> Double {
        let database = folder + "/plain.db"
        BenchActivity.removeDatabase(database)
        defer { BenchActivity.removeDatabase(database) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = [
            "--draws", "\(draws)", "--per-commit", "\(perCommit)", "--database", database, "--seed", "\(seed)",
            "--others", "\(others)",
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Wrong(description: "\(path) ended with \(process.terminationStatus)")
        }
        return try JSONDecoder().decode(Result.self, from: data).drawsPerSecond
    }
}
