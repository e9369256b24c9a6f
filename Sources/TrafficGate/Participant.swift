public import Basics

/// What a session is in the gate.
public enum ParticipantStatus: String, Sendable, CaseIterable {
    /// Holds one of the places.
    case active
    /// Waits in the queue.
    case queued
    /// Ended by the tick: no sign of life for longer than the timeout.
    case expired
    /// Ended by itself, or by the end of its draw.
    case left

    /// Whether the session still has a place or waits for one.
    public var isLive: Bool { self == .active || self == .queued }
}

/// One user's place in the gate, as the table `redpacket_activity_participants` keeps it.
///
/// - Source: spec.md sections 2 and 6.
public struct Participant: Hashable, Sendable {
    public var session: SessionID
    /// Nil for an anonymous visitor.
    public var user: UserID?
    /// As the adapter gave it; nil for chat. Never normalised here.
    public var ipAddress: String?
    /// When the session took its place or began to wait. A promotion does not change it; a rejoin does.
    public var joinTime: Instant
    /// When the session left or was found expired, never before `joinTime`; nil while it is live.
    public var leaveTime: Instant?
    /// The last join, heartbeat or promotion.
    public var lastHeartbeat: Instant
    public var status: ParticipantStatus
    /// Order of arrival in the queue, growing and never given out twice; nil unless queued.
    public var ticket: UInt64?
    /// Rank at the moment of queuing, from 1; nil unless queued. The true rank is ``Place/position``.
    public var queuePosition: Int?

    public init(
        session: SessionID, user: UserID? = nil, ipAddress: String? = nil, joinTime: Instant,
        leaveTime: Instant? = nil, lastHeartbeat: Instant, status: ParticipantStatus, ticket: UInt64? = nil,
        queuePosition: Int? = nil
    ) {
        self.session = session
        self.user = user
        self.ipAddress = ipAddress
        self.joinTime = joinTime
        self.leaveTime = leaveTime
        self.lastHeartbeat = lastHeartbeat
        self.status = status
        self.ticket = ticket
        self.queuePosition = queuePosition
    }
}
