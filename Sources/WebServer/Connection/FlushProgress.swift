internal import NIOCore

/// Tells a peer that reads slowly from one that does not read.
///
/// It looks at one step of bytes at a time, so that a large answer may take long in all, but each step only so long.
///
/// - Source: hardening.md section 1.3 row 48.
struct FlushProgress {
    private static let step = 64 << 10

    /// When the bytes up to `target` began to wait.
    private var waiting: (since: NIODeadline, target: Int)?

    /// - Parameters:
    ///   - written: All bytes ever given to the socket.
    ///   - buffered: Those the kernel has not taken yet. TLS makes more bytes of what it is given, so that this may
    ///     be a little too large; an empty buffer sets it right.
    ///   - deadline: How long one step may wait.
    mutating func isStuck(written: Int, buffered: Int, now: NIODeadline, deadline: TimeAmount) -> Bool {
        guard buffered > 0 else {
            waiting = nil
            return false
        }
        let flushed = written - buffered
        guard let (since, target) = waiting, flushed < target else {
            waiting = (now, min(written, flushed + Self.step))
            return false
        }
        return now - since > deadline
    }
}
