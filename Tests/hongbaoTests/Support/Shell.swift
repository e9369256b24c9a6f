import Foundation
import TestSupport

/// Runs what a document tells its reader to type.
enum Shell {
    /// - Parameter folder: Where it runs. `hongbao` is the built one.
    /// - Returns: What it wrote, errors included.
    static func run(
        _ script: String, in folder: String, environment: [String: String] = [:]
    ) throws -> (status: Int32, text: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script]
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        let bin = URL(fileURLWithPath: Program.path).deletingLastPathComponent().path
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        process.environment = ["PATH": "\(bin):\(path)"].merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        Canary.keep(data, of: "programs")
        let text = String(decoding: data, as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, text)
    }
}
