public import Hummingbird
public import HummingbirdCore
internal import NIOCore

/// What one connection, and all of them together, may cost.
///
/// Sizes are in bytes. The defaults are for a server on the open internet without a proxy in front.
///
/// - Source: hardening.md sections 1.3 and 3.1.
public struct ConnectionLimits: Sendable {
    /// How long a connection may stay open without a request being received or answered.
    public var idle: Duration = .seconds(15)
    /// From the first byte of a request's head to the last byte of its body, however the bytes are spread; then 408.
    public var requestDeadline: Duration = .seconds(10)
    /// How long written bytes may stay unread by the peer. What is longer than 64 KiB is measured in steps of that
    /// size, so that a large answer over a slow line is not cut off.
    public var writeDeadline: Duration = .seconds(10)
    /// For the TLS handshake, from the accepted connection on.
    public var handshakeDeadline: Duration = .seconds(10)
    /// What is left to a request in progress, or to the peer of a WebSocket, once the server is to stop.
    public var shutdownDeadline: Duration = .seconds(5)

    /// A request's body, declared or counted, also when the answer was sent before its end; then 413. A route may
    /// allow less.
    public var bodySize = 1 << 20
    /// One line of the head after the first, without its end; then 431.
    public var headerFieldSize = 8 << 10
    /// All of these lines together; then 431.
    public var headerListSize = 16 << 10
    /// The number of these lines; then 431.
    public var headerCount = 64
    /// The request's target, query included; then 414.
    public var targetSize = 8 << 10

    /// Open connections. Others wait in the backlog, unaccepted, until one of these ends, at the latest by `idle`.
    public var connectionCount = 4_096
    /// Connections the kernel keeps waiting; it may allow fewer (`net.core.somaxconn`).
    public var backlog = 1_024
    /// Requests of one connection that are read but not answered; more stay unread, none is refused.
    public var pipelinedCount = 64

    /// One message, its fragments together; then close code 1009.
    public var webSocketMessageSize = 1 << 20
    /// How long a WebSocket peer may stay silent, pongs included; then close code 1001.
    public var webSocketIdle: Duration = .seconds(60)
    /// A peer that was silent so long is sent a ping.
    public var webSocketPing: Duration = .seconds(20)

    public init() {}

    /// How often a connection looks at its clocks: a deadline is met up to this much late.
    var checkInterval: TimeAmount {
        let shortest = [
            idle, requestDeadline, writeDeadline, handshakeDeadline, shutdownDeadline, webSocketIdle, webSocketPing,
        ].map { TimeAmount($0).nanoseconds }.min()
        return .nanoseconds(max(5_000_000, min(1_000_000_000, (shortest ?? 0) / 4)))
    }
}

extension ConnectionLimits {
    /// The part of the limits that belongs to the listener. `ApplicationConfiguration.with(…)` drops it.
    public func configuration(
        address: BindAddress, openConnections: OpenConnections
    ) -> ApplicationConfiguration {
        ApplicationConfiguration(
            address: address, backlog: backlog, reuseAddress: true, availableConnectionsDelegate: openConnections)
    }
}
