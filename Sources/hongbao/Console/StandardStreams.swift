internal import Dispatch
internal import Foundation

/// Something to `poll` beside what is waited for: readable from the first ``stop()`` on.
private final class StopPipe: Sendable {
    let descriptor: Int32
    private let writing: Int32

    init() {
        var descriptors: [Int32] = [0, 0]
        precondition(pipe(&descriptors) == 0, "a process at its limit of open files cannot talk")
        for descriptor in descriptors {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        }
        (descriptor, writing) = (descriptors[0], descriptors[1])
    }

    deinit {
        close(descriptor)
        close(writing)
    }

    func stop() {
        var byte: UInt8 = 0
        // A full pipe has said it already.
        _ = write(writing, &byte, 1)
    }
}

/// `poll` that a signal does not end.
///
/// - Returns: False when nothing happened for `milliseconds` (-1: no limit), or when it cannot be waited for.
private func wait(for descriptors: inout [pollfd], milliseconds: Int32) -> Bool {
    while true {
        let count = poll(&descriptors, nfds_t(descriptors.count), milliseconds)
        if count < 0, errno == EINTR { continue }
        return count > 0
    }
}

/// Standard input as chunks of bytes. Reading waits outside the cooperative threads and can be stopped.
final class StandardInput: Sendable {
    private static let chunkSize = 64 << 10

    private let queue = DispatchQueue(label: "hongbao.standard-input")
    private let stopped = StopPipe()

    /// Ends a read that is waiting, and all later ones.
    func stop() {
        stopped.stop()
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
                pollfd(fd: stopped.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
            ]
            guard wait(for: &waiting, milliseconds: -1) else { return .end }
            if waiting[0].revents != 0 { return .stopped }
            var isAgain = false
            let bytes = [UInt8](unsafeUninitializedCapacity: Self.chunkSize) { buffer, count in
                let read = Foundation.read(STDIN_FILENO, buffer.baseAddress, Self.chunkSize)
                isAgain = read < 0 && (errno == EINTR || errno == EAGAIN)
                count = max(0, read)
            }
            if isAgain { continue }
            return bytes.isEmpty ? .end : .bytes(bytes)
        }
    }
}

/// Standard output. Writing waits outside the cooperative threads, for as long as the reader takes; once the program
/// ends, not for long.
final class StandardOutput: Sendable {
    /// What goes into a pipe that `poll` calls writable without blocking. Making the descriptor itself non-blocking
    /// would do the same to whoever shares it, such as the shell.
    private static let pieceSize = Int(PIPE_BUF)
    /// How long a reader may take nothing once the program ends.
    private static let patienceMilliseconds: Int32 = 2000
    /// How long to wait when there was room and yet nothing was taken.
    private static let pauseMilliseconds: Int32 = 10

    private let queue = DispatchQueue(label: "hongbao.standard-output")
    private let ending = StopPipe()
    private let givenUp = StopPipe()
    private let descriptor: Int32

    init() {
        // A terminal takes part of a piece and blocks for the rest, so it is opened a second time, non-blocking.
        if isatty(STDOUT_FILENO) == 1, let name = ttyname(STDOUT_FILENO) {
            let terminal = open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
            descriptor = terminal < 0 ? STDOUT_FILENO : terminal
        } else {
            descriptor = STDOUT_FILENO
        }
    }

    deinit {
        if descriptor != STDOUT_FILENO { close(descriptor) }
    }

    /// From now on a reader that takes nothing for two seconds is no reader any more.
    func end() {
        ending.stop()
    }

    /// From now on only what the reader has room for is written.
    func giveUp() {
        givenUp.stop()
    }

    /// Writes all of `bytes`.
    ///
    /// - Returns: False when nobody reads any more.
    func write(_ bytes: [UInt8]) async -> Bool {
        if bytes.isEmpty { return true }
        return await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: self.writeAll(bytes)) }
        }
    }

    func write(_ text: String) async -> Bool {
        await write(Array(text.utf8))
    }

    private func writeAll(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var written = 0
            var pausedMilliseconds: Int32 = 0
            while written < buffer.count {
                guard hasRoom() else { return false }
                let count = Foundation.write(
                    descriptor, buffer.baseAddress?.advanced(by: written),
                    min(buffer.count - written, Self.pieceSize))
                if count < 0 {
                    if errno == EINTR { continue }
                    guard errno == EAGAIN, pause(&pausedMilliseconds) else { return false }
                    continue
                }
                pausedMilliseconds = 0
                written += count
            }
            return true
        }
    }

    /// Waits a moment, since a terminal may call itself writable and yet have no room for a line's end.
    ///
    /// - Returns: False when waiting is over.
    private func pause(_ pausedMilliseconds: inout Int32) -> Bool {
        var waiting = [
            pollfd(fd: givenUp.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: ending.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        if wait(for: &waiting, milliseconds: 0) {
            if waiting[0].revents != 0 { return false }
            if pausedMilliseconds >= Self.patienceMilliseconds {
                givenUp.stop()
                return false
            }
        }
        _ = poll(nil, 0, Self.pauseMilliseconds)
        // Only whether it is much matters, so it need not grow for ever.
        pausedMilliseconds = min(pausedMilliseconds + Self.pauseMilliseconds, Self.patienceMilliseconds)
        return true
    }

    /// Waits until there is room for a piece, or until waiting is over.
    private func hasRoom() -> Bool {
        var waiting = [
            pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0),
            pollfd(fd: givenUp.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: ending.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        guard wait(for: &waiting, milliseconds: -1) else { return false }
        if waiting[0].revents != 0 { return true }
        if waiting[1].revents == 0 {
            waiting.removeLast()
            if wait(for: &waiting, milliseconds: Self.patienceMilliseconds), waiting[0].revents != 0 { return true }
        }
        // Whatever is written later would wait as long again.
        givenUp.stop()
        return false
    }
}
