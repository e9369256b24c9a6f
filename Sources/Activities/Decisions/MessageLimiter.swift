internal import Basics

/// Counts each user's messages of the running minute.
///
/// A minute begins with the first message after the one before has ended.
struct MessageLimiter: Sendable {
    private struct Window {
        var start: Instant
        var count: Int

        mutating func admit(perMinute: Int, now: Instant) -> Bool {
            // A clock that went back must not lock anybody out.
            if !(0..<60_000).contains(now.milliseconds(since: start)) { self = Window(start: now, count: 0) }
            guard count < perMinute else { return false }
            count += 1
            return true
        }
    }

    private var windows: [UserID: Window] = [:]

    /// Counts a message.
    ///
    /// - Parameter perMinute: 0 admits everything and counts nothing.
    /// - Returns: False when the user has sent `perMinute` messages in this minute already.
    mutating func admit(_ user: UserID, perMinute: Int, now: Instant) -> Bool {
        if perMinute == 0 { return true }
        return windows[user, default: Window(start: now, count: 0)].admit(perMinute: perMinute, now: now)
    }

    /// Drops what no longer counts, so that memory follows the users of the last minute.
    mutating func forget(now: Instant) {
        windows = windows.filter { (0..<60_000).contains(now.milliseconds(since: $0.value.start)) }
    }

    mutating func forget(_ user: UserID) {
        windows[user] = nil
    }
}
