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

    /// `hongbao serve`.
    ///
    /// - Parameter configuration: YAML; written beside the database.
    convenience init(serving database: String, with program: String, configuration: String) throws {
        let file = database + ".yaml"
        try configuration.write(toFile: file, atomically: true, encoding: .utf8)
        try self.init(program, ["serve", "--port", "0", "--database", database, "--config", file])
    }

    /// Memory that the process holds now, in MiB, as the kernel counts it.
    var residentMebibytes: Double {
        get throws {
            let path = "/proc/\(process.processIdentifier)/status"
            let line = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").first {
                $0.hasPrefix("VmRSS:")
            }
            guard let kibibytes = line?.split(separator: " ").compactMap({ Double($0) }).first else {
                throw Wrong(description: "\(path) does not say what the process holds")
            }
            return kibibytes / 1024
        }
    }

    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }

    /// Ends a program that is not ours.
    func kill() { process.kill() }
}

extension Process {
    /// Ends it at once. Signals that threads of ours block are blocked in what they start, and few programs undo that; so
    /// this is the one that cannot be.
    func kill() {
        guard isRunning else { return }
        Foundation.kill(processIdentifier, SIGKILL)
        waitUntilExit()
    }
}
