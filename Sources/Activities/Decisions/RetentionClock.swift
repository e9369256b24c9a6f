internal import Basics

/// The moment that retention counts back from.
///
/// What is deleted does not come back, and nothing depends on deleting it soon. So a clock that jumps ahead is followed
/// slowly: at each look by a minute at most, and looks are ten seconds apart. It takes a wrong clock days to cost the
/// messages of last week, and after a long rest deleting is late by some days.
struct RetentionClock: Sendable {
    static let maximumStepSeconds: Int64 = 60

    private var moment: Instant?

    /// - Parameter newest: The newest moment that the store knows of; nil: there is nothing in it that could be deleted.
    init(newest: Instant?) {
        moment = newest
    }

    /// - Parameter now: What the clock says.
    /// - Returns: What counts as now; never later.
    mutating func look(_ now: Instant) -> Instant {
        let last = moment ?? now
        let next = last < now ? min(now, last.advanced(bySeconds: Self.maximumStepSeconds)) : last
        moment = next
        return min(now, next)
    }
}
