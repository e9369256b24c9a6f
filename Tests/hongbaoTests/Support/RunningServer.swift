import Foundation

/// `hongbao serve` on a port of its own.
final class RunningServer {
    /// `http://127.0.0.1:<port>`: what documents write as port 8080.
    let address: String
    private let program: Program
    private var isStopped = false

    struct Silent: Error, CustomStringConvertible {
        let description: String
    }

    /// Waits until it listens.
    init(_ arguments: [String] = [], in folder: TemporaryFolder, environment: [String: String] = [:]) throws {
        let environment = environment.merging(["HONGBAO_PORT": "0"]) { $1 }
        let program = try Program(
            ["serve"] + arguments, in: folder.path, environment: environment, limits: "exec 2>serve.log")
        let end = Date(timeIntervalSinceNow: 30)
        var found: Substring?
        while found == nil, Date() < end {
            Thread.sleep(forTimeInterval: 0.05)
            found = (try? folder.text("serve.log"))?.split(separator: "\n").first { $0.hasPrefix("http://") }
        }
        guard let found else {
            program.send(SIGKILL)
            _ = program.finish()
            throw Silent(description: (try? folder.text("serve.log")) ?? "")
        }
        self.program = program
        address = String(found)
    }

    deinit {
        if !isStopped { program.send(SIGKILL) }
    }

    /// Tells it to stop.
    ///
    /// - Returns: The exit code; nil when it had to be killed.
    func stop() -> Int32? {
        isStopped = true
        program.send(SIGTERM)
        return program.finish(within: 30)?.status
    }
}
