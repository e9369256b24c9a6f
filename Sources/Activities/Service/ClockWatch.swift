internal import Basics

/// Notices when the wall clock does not go as time does: set back or forth, or standing still.
///
/// Nothing depends on it: whoever decides follows the wall clock and copes with jumps. It is for the log, since times in
/// the ledger and opening times are only as good as the clock.
struct ClockWatch {
    /// Slewing and leap seconds stay below.
    static let toleranceSeconds: Int64 = 60

    private var wall: Instant
    private var elapsed: ContinuousClock.Instant

    init(startingAt wall: Instant, elapsed: ContinuousClock.Instant = .now) {
        self.wall = wall
        self.elapsed = elapsed
    }

    /// By how many seconds the wall clock went ahead (behind when negative) since it was last right.
    ///
    /// - Returns: Nil within a minute. Each jump is told once: afterwards the wall clock is taken to be right.
    mutating func deviation(at wall: Instant, elapsed: ContinuousClock.Instant) -> Int64? {
        let due = self.wall.advanced(bySeconds: self.elapsed.duration(to: elapsed).components.seconds)
        let seconds = wall.milliseconds(since: due) / 1000
        guard seconds.magnitude > UInt64(Self.toleranceSeconds) else { return nil }
        (self.wall, self.elapsed) = (wall, elapsed)
        return seconds
    }
}
