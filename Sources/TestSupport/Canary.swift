public import Foundation
public import Logging
internal import NIOConcurrencyHelpers

/// Secrets that tests plant, and the output of the whole run, in which `make test` then looks for them.
///
/// Does nothing unless `HONGBAO_TEST_OUTPUT` names a folder for the output.
public enum Canary {
    /// Where the output goes.
    public static let folder = ProcessInfo.processInfo.environment["HONGBAO_TEST_OUTPUT"]

    /// In ``folder``: what was planted, each as a line of its bytes in hex and its name.
    public static let plantedFile = "planted.txt"

    /// Plants a secret, or words that may stand in a message and in no log, and gives it back.
    ///
    /// - Parameter secret: At least 12 bytes, and nothing that may be put out otherwise. Shorter ones are not planted.
    @discardableResult
    public static func planted(_ secret: String, as name: String) -> String {
        plant(Array(secret.utf8), as: name)
        return secret
    }

    /// Plants a secret that is no text.
    ///
    /// - Parameter secret: As with ``planted(_:as:)``.
    public static func plant(_ secret: [UInt8], as name: String) {
        guard folder != nil, secret.count >= 12 else { return }
        let hex = secret.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        append(Data("\(hex) \(name)\n".utf8), to: plantedFile)
    }

    /// Keeps output that nobody would see otherwise, such as that of a process.
    ///
    /// - Parameter name: What put it out; the output of one name is kept in one file.
    public static func keep(_ output: Data, of name: String) { append(output, to: "\(name).log") }

    /// A logger whose every message, from `trace` on, is kept and shown to nobody.
    public static func logger() -> Logger {
        guard folder != nil else { return Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
        return Logger(label: "test") { _ in KeptLogHandler() }
    }

    private static let lock = NIOLock()

    private static func append(_ data: Data, to name: String) {
        guard let folder else { return }
        lock.withLock {
            let descriptor = open("\(folder)/\(name)", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
            precondition(descriptor >= 0, "\(folder) is not there")
            data.withUnsafeBytes { bytes in
                let count = write(descriptor, bytes.baseAddress, bytes.count)
                precondition(count == bytes.count, "the output could not be kept")
            }
            close(descriptor)
        }
    }
}

private struct KeptLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    func log(event: LogEvent) {
        let merged = metadata.merging(event.metadata ?? [:]) { $1 }
        let text = merged.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        Canary.keep(Data("\(event.level) \(event.message)\(text)\n".utf8), of: "loggers")
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
}
