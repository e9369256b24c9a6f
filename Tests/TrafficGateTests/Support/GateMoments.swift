import Basics
import Testing
import TrafficGate

/// 2027-02-06 08:00 in Shanghai, 00:00 UTC: outside the default rush hours. `at(1.5)` is one and a half seconds later.
func at(_ seconds: Double) -> Instant {
    Instant(milliseconds: 1_801_872_000_000 + Int64((seconds * 1000).rounded()))
}

/// A configuration without rush hours.
func configuration(
    users: Int, heartbeatTimeout: Int = 60, queueTimeout: Int = 300, maintenance: Bool = false, ipMaxSessions: Int = 0,
    maxQueueLength: Int = 0
) -> GateConfiguration {
    var configuration = GateConfiguration()
    configuration.maxConcurrentUsers = users
    configuration.rushHourStart = 0
    configuration.rushHourEnd = 0
    configuration.heartbeatTimeoutSeconds = heartbeatTimeout
    configuration.queueTimeoutSeconds = queueTimeout
    configuration.maintenanceMode = maintenance
    configuration.ipMaxSessions = ipMaxSessions
    configuration.maxQueueLength = maxQueueLength
    return configuration
}

extension Gate {
    init(_ configuration: GateConfiguration, restoring: [Participant] = []) {
        self.init(configuration: configuration, restoring: restoring, startedAt: at(0))
    }

    /// A chat user joins: the session is named like the user.
    @discardableResult
    mutating func join(_ name: String, _ seconds: Double = 0) -> GateAnswer {
        join(SessionID(name), user: UserID(name), ipAddress: nil, now: at(seconds))
    }

    /// A session that is there leaves.
    mutating func leave(_ name: String, _ seconds: Double, sourceLocation: SourceLocation = #_sourceLocation) {
        let wasLive = leave(SessionID(name), now: at(seconds))
        #expect(wasLive, sourceLocation: sourceLocation)
    }

    /// The position, or 0 for an active session, or nil for none.
    func position(_ name: String) -> Int? {
        switch answer(for: SessionID(name)) {
        case .active: 0
        case .queued(let place): place.position
        default: nil
        }
    }
}
