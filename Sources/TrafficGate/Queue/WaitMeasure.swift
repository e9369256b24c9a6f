internal import Basics

/// Measures how fast the queue moves.
///
/// Counted are the promotions that a departure made possible, over the time in which somebody waited; both sums lose
/// their weight with the time waited, so that the last few minutes count most. Time without a queue says nothing about
/// its speed and changes nothing. Neither does a burst of promotions after the capacity was raised.
struct WaitMeasure: Sendable {
    /// After this long half of the old weight is gone.
    private static let windowSeconds = 120.0
    /// A wait above this is not said: `k` is then so small that it means nothing.
    private static let longestSeconds = 86_400.0

    /// Weighted, as of the last tick.
    private var promotions = 0.0
    /// Weighted, as of the last tick.
    private var waitedSeconds = 0.0
    /// Since the last tick.
    private var newPromotions = 0
    /// Since the last tick, up to `waitingSince`.
    private var newMilliseconds: Int64 = 0
    /// Since when somebody waits without a break; nil when nobody does.
    private var waitingSince: Instant?

    /// Somebody waits, or nobody does, from now on. May be repeated.
    mutating func note(waiting: Bool, now: Instant) {
        if waiting {
            if waitingSince == nil { waitingSince = now }
        } else if let since = waitingSince {
            count(from: since, to: now)
            waitingSince = nil
        }
    }

    mutating func notePromotions(_ count: Int) {
        newPromotions += count
    }

    /// Takes what was counted since the last tick into the measure.
    mutating func tick(now: Instant) {
        if let since = waitingSince {
            count(from: since, to: now)
            waitingSince = now
        }
        let seconds = Double(newMilliseconds) / 1000
        let kept = Self.windowSeconds / (Self.windowSeconds + seconds)
        promotions = promotions * kept + Double(newPromotions)
        waitedSeconds = waitedSeconds * kept + seconds
        newPromotions = 0
        newMilliseconds = 0
    }

    /// A range around `30 · position / k`: from two thirds to one and a half of it, never below 1.
    ///
    /// - Parameter position: From 1.
    func estimate(position: Int) -> WaitEstimate {
        // A queue that lived for less than a second has been measured too briefly for a higher speed.
        let expected = Double(position) * max(waitedSeconds, 1) / promotions
        guard promotions > 0, expected <= Self.longestSeconds else { return .unknown }
        let low = max(1, Int((expected * 2 / 3).rounded(.down)))
        let high = max(low, Int((expected * 3 / 2).rounded(.up)))
        return .seconds(low...high)
    }

    private mutating func count(from earlier: Instant, to later: Instant) {
        // A clock that was set back has let no time pass; one that jumped ahead may not overflow the sum.
        let (sum, overflow) = newMilliseconds.addingReportingOverflow(max(0, later.milliseconds(since: earlier)))
        newMilliseconds = overflow ? .max : sum
    }
}
