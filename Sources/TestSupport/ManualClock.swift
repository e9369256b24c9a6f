public import Basics
internal import NIOConcurrencyHelpers

/// A clock that a test moves by hand.
public final class ManualClock: Sendable {
    private let time: NIOLockedValueBox<Instant>

    /// - Parameter start: Noon of 2027-02-10 in Shanghai unless given: within the gate's rush hours.
    public init(_ start: Instant = Instant(milliseconds: 1_802_232_000_000)) {
        time = NIOLockedValueBox(start)
    }

    public var now: Instant { time.withLockedValue { $0 } }

    /// To be handed to whoever reads the time.
    public var read: WallClock { { self.now } }

    /// Forwards, or back when negative.
    public func advance(seconds: Int64) {
        time.withLockedValue { $0 = $0.advanced(bySeconds: seconds) }
    }

    public func advance(milliseconds: Int64) {
        time.withLockedValue { $0 = $0.advanced(byMilliseconds: milliseconds) }
    }

    public func set(_ instant: Instant) {
        time.withLockedValue { $0 = instant }
    }
}
