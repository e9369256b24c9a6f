internal import Foundation

/// A server that was started for a measurement and says its address on standard error.
final class ServerProcess {
    let port: Int
    private let process = Process()

    init(_ program: String, _ arguments: [String]) throws {
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        let output = Pipe()
        process.standardError = output
        try process.run()
        var said = Data()
        var port: Int?
        while port == nil {
            let more = output.fileHandleForReading.availableData
            if more.isEmpty {
                throw Wrong(description: "\(program) did not start: \(String(decoding: said, as: UTF8.self))")
            }
            said += more
            // The address is the last line, whole once its line end is there.
            if said.last == 0x0A, let line = String(decoding: said, as: UTF8.self).split(separator: "\n").last,
                line.hasPrefix("http://")
            {
                port = line.split(separator: ":").last.flatMap { Int($0) }
            }
        }
        self.port = port ?? 0
    }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }
}
