public import HummingbirdCore
internal import Metrics
internal import NIOConcurrencyHelpers

/// Counts the open connections of one listener and holds back new ones at the limit.
///
/// Set it as `ApplicationConfiguration.availableConnectionsDelegate`, after any `.with(…)`, which drops it. A
/// connection beyond the limit is not refused: it waits in the kernel's backlog until another ends, so an address
/// that must always answer (health) needs a listener of its own.
///
/// - Source: hardening.md section 1.3 row 56, section 3.1.
public final class OpenConnections: AvailableConnectionsDelegate {
    private let limit: Int
    private let open = NIOLockedValueBox(0)

    private let meter: Meter?

    public convenience init(limits: ConnectionLimits = ConnectionLimits()) {
        self.init(limits: limits, meter: nil)
    }

    /// - Parameter meter: Follows the count.
    init(limits: ConnectionLimits, meter: Meter?) {
        limit = limits.connectionCount
        self.meter = meter
    }

    /// The number of open connections.
    public var count: Int { open.withLockedValue { $0 } }

    public func connectionOpened() {
        open.withLockedValue { $0 += 1 }
        meter?.increment()
    }

    public func connectionClosed() {
        open.withLockedValue { $0 -= 1 }
        meter?.decrement()
    }

    public func isAcceptingNewConnections() -> Bool { count < limit }
}
