import Foundation
import GRDB
import NIOConcurrencyHelpers
import TestSupport

/// The built `hongbao`, run as a process of its own.
final class Program: @unchecked Sendable {
    // Unchecked: `process` and the pipes are set up before any other thread sees them, and only `output` changes,
    // behind its lock.

    private let process = Process()
    private let input = Pipe()
    private let standardOutput = Pipe()
    private let standardError = Pipe()
    private let output = NIOLockedValueBox(Data())
    private let errors = NIOLockedValueBox(Data())
    private let onLine: (@Sendable (String) -> Void)?
    private let readers = DispatchGroup()

    /// Beside the test bundle, where the package manager puts every product.
    static let path: String = {
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
        var folder = bundle.deletingLastPathComponent()
        while !FileManager.default.isExecutableFile(atPath: folder.appendingPathComponent("hongbao").path) {
            precondition(folder.path != "/", "hongbao was not built beside the tests")
            folder.deleteLastPathComponent()
        }
        return folder.appendingPathComponent("hongbao").path
    }()

    /// Whether these tests run as root, who may read and write every file.
    static let isUnhindered = getuid() == 0

    /// For `limits`: becomes the program as a user without rights. Nil where that is not to be had, as in a folder that
    /// only root may enter.
    static let withoutRights: String? = {
        let command = "setpriv --reuid=nobody --regid=65534 --clear-groups"
        guard isUnhindered, let reached = try? Shell.run("\(command) test -x '\(path)'", in: "/"), reached.status == 0
        else { return nil }
        return "exec \(command) \"$0\" \"$@\""
    }()

    struct Result {
        let status: Int32
        let output: String
        let errors: String

        var lines: [String] { output.split(separator: "\n").map(String.init) }
    }

    /// Starts the program.
    ///
    /// - Parameters:
    ///   - folder: Its working folder.
    ///   - limits: What a shell does before it turns into the program, such as `ulimit`.
    ///   - readsOutput: Whether anybody reads standard output; it is then empty in the result.
    ///   - onLine: Called for each line of standard output as it arrives, from one thread.
    init(
        _ arguments: [String], in folder: String, environment: [String: String] = [:], limits: String? = nil,
        readsOutput: Bool = true, onLine: (@Sendable (String) -> Void)? = nil
    ) throws {
        self.onLine = onLine
        if let limits {
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", limits + #"; exec "$0" "$@""#, Self.path] + arguments
        } else {
            process.executableURL = URL(fileURLWithPath: Self.path)
            process.arguments = arguments
        }
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("HONGBAO_") }
        variables.merge(environment) { _, new in new }
        process.environment = variables
        process.standardInput = input
        process.standardOutput = standardOutput
        process.standardError = standardError
        signal(SIGPIPE, SIG_IGN)
        try process.run()
        if readsOutput { collect(standardOutput, into: output, lines: true) }
        collect(standardError, into: errors, lines: false)
    }

    private func collect(_ pipe: Pipe, into box: NIOLockedValueBox<Data>, lines: Bool) {
        let onLine = lines ? onLine : nil
        readers.enter()
        Thread {
            var pending = Data()
            while true {
                let data = pipe.fileHandleForReading.availableData
                if data.isEmpty { break }
                box.withLockedValue { $0.append(data) }
                Canary.keep(data, of: "programs")
                guard let onLine else { continue }
                pending.append(data)
                while let end = pending.firstIndex(of: 0x0A) {
                    onLine(String(decoding: pending[pending.startIndex..<end], as: UTF8.self))
                    pending.removeSubrange(pending.startIndex...end)
                }
            }
            self.readers.leave()
        }.start()
    }

    /// Writes to standard input; false when the program no longer reads.
    @discardableResult
    func write(_ text: String) -> Bool {
        (try? input.fileHandleForWriting.write(contentsOf: Data(text.utf8))) != nil
    }

    /// What came on standard error so far.
    var errorText: String { String(decoding: errors.withLockedValue { $0 }, as: UTF8.self) }

    var isRunning: Bool { process.isRunning }

    func closeInput() {
        try? input.fileHandleForWriting.close()
    }

    func send(_ signal: Int32) {
        kill(process.processIdentifier, signal)
    }

    /// Waits for the end without telling the program anything; kills it and gives nil when it takes longer.
    func finish(within seconds: Double) -> Result? {
        let end = Date(timeIntervalSinceNow: seconds)
        while process.isRunning, Date() < end { Thread.sleep(forTimeInterval: 0.02) }
        let isTooLate = process.isRunning
        if isTooLate { send(SIGKILL) }
        let result = finish()
        return isTooLate ? nil : result
    }

    /// Waits for the end; the input should be closed or the program told to stop.
    func finish() -> Result {
        process.waitUntilExit()
        readers.wait()
        closeInput()
        let text = { (box: NIOLockedValueBox<Data>) in String(decoding: box.withLockedValue { $0 }, as: UTF8.self) }
        return Result(status: process.terminationStatus, output: text(output), errors: text(errors))
    }

    /// Runs the program with `input` and waits for its end.
    static func run(
        _ arguments: [String], in folder: String, input: String = "", environment: [String: String] = [:],
        limits: String? = nil
    ) throws -> Result {
        let program = try Program(arguments, in: folder, environment: environment, limits: limits)
        Thread {
            program.write(input)
            program.closeInput()
        }.start()
        return program.finish()
    }
}

/// A folder of a test's own, removed with it.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "hongbao-tests-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        if Canary.folder != nil { plantSeeds() }
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Nobody may know the seed of a round that is still open.
    private func plantSeeds() {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        for file in files where file.hasSuffix(".db") {
            let seeds = try? DatabaseQueue(path: path + "/" + file).read { db in
                try Data.fetchAll(db, sql: "SELECT seed FROM bot_draw_round WHERE closed_at IS NULL")
            }
            for seed in seeds ?? [] { Canary.plant(Array(seed), as: "seed of an open round") }
        }
        for file in files where file.hasSuffix(".log") {
            if let text = FileManager.default.contents(atPath: path + "/" + file) { Canary.keep(text, of: "programs") }
        }
    }

    func file(_ name: String, _ text: String) throws -> String {
        let file = path + "/" + name
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        return file
    }

    func text(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path + "/" + name)), as: UTF8.self)
    }
}
