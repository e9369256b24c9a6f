/// How long somebody will probably wait.
public enum WaitEstimate: Hashable, Sendable, Codable {
    /// Nothing has been measured yet, the gate is in maintenance, or so few leave that a number would be a guess.
    case unknown
    /// From the sooner to the later; both at least 1 and at most a day and a half.
    case seconds(ClosedRange<Int>)
}

/// A place in the queue at this moment.
public struct Place: Hashable, Sendable, Codable {
    /// From 1; `position - 1` people are ahead.
    public var position: Int
    public var wait: WaitEstimate

    public init(position: Int, wait: WaitEstimate) {
        self.position = position
        self.wait = wait
    }
}

/// Why the gate lets somebody neither in nor wait.
public enum BlockReason: String, Hashable, Sendable, Codable {
    /// The address already has `ip_max_sessions` live sessions.
    case ipSessions
    /// `max_queue_length` sessions wait already, or the gate holds as many sessions as it ever will.
    case queueFull
    /// A heartbeat of a session that never joined, left or expired.
    case noSession
}

/// What the gate says to one request.
public enum GateAnswer: Hashable, Sendable {
    /// The session has a place.
    case active
    /// The session waits here.
    case queued(Place)
    /// Refused; nothing changed.
    case blocked(BlockReason)
    /// Closed for maintenance; nothing changed.
    case maintenance
}

/// What a visitor sees before joining.
///
/// - Source: spec.md sections 6 and 8.
public struct GateCheck: Hashable, Sendable {
    /// The raw value is the wire form.
    public enum Status: String, Hashable, Sendable {
        /// A newcomer would be active at once.
        case ok
        /// A newcomer would wait.
        case crowded
        /// A newcomer would be refused.
        case maintenance
    }

    public var status: Status
    /// Active sessions; may exceed `maxUsers` after the capacity was lowered.
    public var currentUsers: Int
    /// The capacity now.
    public var maxUsers: Int
    /// The position a newcomer would get, from 1; nil unless crowded.
    public var queuePosition: Int?
    /// The wait at that position; unknown unless crowded.
    public var wait: WaitEstimate
    /// When asking again is worth it, 1…60; nil when ok.
    public var retryAfterSeconds: Int?

    public init(
        status: Status, currentUsers: Int, maxUsers: Int, queuePosition: Int? = nil, wait: WaitEstimate = .unknown,
        retryAfterSeconds: Int? = nil
    ) {
        self.status = status
        self.currentUsers = currentUsers
        self.maxUsers = maxUsers
        self.queuePosition = queuePosition
        self.wait = wait
        self.retryAfterSeconds = retryAfterSeconds
    }
}
