internal import Basics

/// Counts each user's messages of the running minute.
///
/// A minute begins with the first message after the one before has ended.
struct MessageLimiter: Sendable {
    private struct Window {
        var start: Instant
        var count: Int
    }

    private var windows: [UserID: Window] = [:]

    /// Counts a message.
    ///
    /// - Parameter perMinute: 0 admits everything and counts nothing.
    /// - Returns: False when the user has sent `perMinute` messages in this minute already.
    mutating func admit(_ user: UserID, perMinute: Int, now: Instant) -> Bool {
        if perMinute == 0 { return true }
        var window = windows[user] ?? Window(start: now, count: 0)
        // A clock that went back must not lock anybody out.
        if !(0..<60_000).contains(now.milliseconds(since: window.start)) { window = Window(start: now, count: 0) }
        guard window.count < perMinute else { return false }
        window.count += 1
        windows[user] = window
        return true
    }

    /// Drops what no longer counts, so that memory follows the users of the last minute.
    mutating func forget(now: Instant) {
        windows = windows.filter { (0..<60_000).contains(now.milliseconds(since: $0.value.start)) }
    }

    mutating func forget(_ user: UserID) {
        windows[user] = nil
    }
}
