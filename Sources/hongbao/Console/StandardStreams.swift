internal import Dispatch
internal import Foundation

/// Standard input as chunks of bytes. Reading waits outside the cooperative threads and can be stopped.
final class StandardInput: Sendable {
    private static let chunkSize = 64 << 10

    private let queue = DispatchQueue(label: "hongbao.standard-input")
    private let stopReading: Int32
    private let stopWriting: Int32

    init() {
        var descriptors: [Int32] = [0, 0]
        precondition(pipe(&descriptors) == 0, "a process at its limit of open files cannot read its input")
        (stopReading, stopWriting) = (descriptors[0], descriptors[1])
    }

    deinit {
        close(stopReading)
        close(stopWriting)
    }

    /// Ends a read that is waiting, and all later ones.
    func stop() {
        var byte: UInt8 = 0
        _ = write(stopWriting, &byte, 1)
    }

    enum Chunk: Sendable {
        case bytes([UInt8])
        /// The input has ended.
        case end
        /// ``stop()`` was called; there may be more input.
        case stopped
    }

    /// The next bytes, as soon as there are any.
    func next() async -> Chunk {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: self.read()) }
        }
    }

    private func read() -> Chunk {
        while true {
            var waiting = [
                pollfd(fd: stopReading, events: Int16(POLLIN), revents: 0),
                pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&waiting, 2, -1) < 0 {
                if errno == EINTR { continue }
                return .end
            }
            if waiting[0].revents != 0 { return .stopped }
            let bytes = [UInt8](unsafeUninitializedCapacity: Self.chunkSize) { buffer, count in
                count = max(0, Foundation.read(STDIN_FILENO, buffer.baseAddress, Self.chunkSize))
            }
            return bytes.isEmpty ? .end : .bytes(bytes)
        }
    }
}

/// Standard output. Writing waits outside the cooperative threads.
final class StandardOutput: Sendable {
    private let queue = DispatchQueue(label: "hongbao.standard-output")

    /// Writes all of `bytes`.
    ///
    /// - Returns: False when nobody reads any more.
    func write(_ bytes: [UInt8]) async -> Bool {
        if bytes.isEmpty { return true }
        return await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: Self.writeAll(bytes)) }
        }
    }

    func write(_ text: String) async -> Bool {
        await write(Array(text.utf8))
    }

    private static func writeAll(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var written = 0
            while written < buffer.count {
                let count = Foundation.write(
                    STDOUT_FILENO, buffer.baseAddress?.advanced(by: written), buffer.count - written)
                if count < 0 {
                    if errno == EINTR { continue }
                    return false
                }
                written += count
            }
            return true
        }
    }
}
