public import Basics
public import TrafficGate

/// What a web page's session asks of the gate.
///
/// - Source: spec.md section 8.
public struct SessionRequest: Hashable, Sendable {
    public enum Action: Hashable, Sendable {
        /// The user is what the page says, unproven; the address is the client's.
        case join(user: UserID?, ipAddress: String?)
        case heartbeat
        case leave
    }

    /// `web:` and what the page calls it.
    public var session: SessionID
    public var action: Action

    public init(session: SessionID, action: Action) {
        self.session = session
        self.action = action
    }
}

/// What the gate said to a ``SessionRequest``.
public struct SessionAnswer: Hashable, Sendable {
    /// Nil for a session that left, or had no place to leave.
    public var gate: GateAnswer?
    /// Sessions that hold a place now.
    public var currentUsers: Int

    public init(gate: GateAnswer?, currentUsers: Int) {
        self.gate = gate
        self.currentUsers = currentUsers
    }
}
