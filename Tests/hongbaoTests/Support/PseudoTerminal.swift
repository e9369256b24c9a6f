import Foundation
import TestSupport

/// The built `hongbao` in a terminal: somebody types and reads.
final class PseudoTerminal {
    private let process = Process()
    private let screen: FileHandle

    init(_ arguments: [String], in folder: String) throws {
        var (screen, inside): (Int32, Int32) = (-1, -1)
        guard openpty(&screen, &inside, nil, nil, nil) == 0 else { throw POSIXError(.ENODEV) }
        // The program would otherwise hold its own screen open.
        _ = fcntl(screen, F_SETFD, FD_CLOEXEC)
        self.screen = FileHandle(fileDescriptor: screen, closeOnDealloc: true)
        _ = fcntl(screen, F_SETFL, O_NONBLOCK)
        let talk = FileHandle(fileDescriptor: inside, closeOnDealloc: true)
        process.executableURL = URL(fileURLWithPath: Program.path)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("HONGBAO_") }
        process.standardInput = talk
        process.standardOutput = talk
        process.standardError = FileHandle.nullDevice
        try process.run()
    }

    /// Types; what the terminal has no room for is lost.
    func write(_ text: String) {
        Array(text.utf8).withUnsafeBytes { _ = Foundation.write(screen.fileDescriptor, $0.baseAddress, $0.count) }
    }

    /// What is on the screen as soon as `isEnough`, or after `seconds`.
    func read(until isEnough: (String) -> Bool, within seconds: Double) -> String {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        let end = Date(timeIntervalSinceNow: seconds)
        while Date() < end, !isEnough(String(decoding: bytes, as: UTF8.self)) {
            let count = buffer.withUnsafeMutableBytes {
                Foundation.read(screen.fileDescriptor, $0.baseAddress, $0.count)
            }
            if count > 0 { bytes += buffer[..<count] } else { Thread.sleep(forTimeInterval: 0.02) }
        }
        Canary.keep(Data(bytes), of: "programs")
        return String(decoding: bytes, as: UTF8.self)
    }

    func send(_ signal: Int32) {
        kill(process.processIdentifier, signal)
    }

    /// The exit code; nil when the program had to be killed.
    func finish(within seconds: Double) -> Int32? {
        let end = Date(timeIntervalSinceNow: seconds)
        while process.isRunning, Date() < end { Thread.sleep(forTimeInterval: 0.02) }
        let isTooLate = process.isRunning
        if isTooLate { send(SIGKILL) }
        process.waitUntilExit()
        return isTooLate ? nil : process.terminationStatus
    }
}
