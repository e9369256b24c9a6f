internal import Basics
internal import TrafficGate

/// The gate's rules in their plainest form, to tell who must be in, who must wait, and where.
///
/// - Source: spec.md section 6.
struct GateWitness {
    enum Verdict: Equatable {
        case active
        case queued(Int)
        case blocked
        case maintenance

        init(_ answer: GateAnswer) {
            switch answer {
            case .active: self = .active
            case .queued(let place): self = .queued(place.position)
            case .blocked: self = .blocked
            case .maintenance: self = .maintenance
            }
        }
    }

    struct Session {
        var user: UserID?
        /// Which of the world's addresses; those of one network count as one.
        var network: Int?
        var joined: Instant
        var lastSign: Instant
    }

    private(set) var rules: GateConfiguration
    /// The live ones.
    private(set) var sessions: [SessionID: Session] = [:]
    /// Who is next first.
    private(set) var queue: [SessionID] = []
    private var countFrom: Instant
    private var lastTick: Instant
    /// In milliseconds, of the active sessions that ended since the last row.
    private var lengths: [Int64] = []
    private var requests = 0
    private var rejections = 0

    /// A process starts.
    init(rules: GateConfiguration, sessions: [SessionID: Session], queue: [SessionID], now: Instant) {
        self.rules = rules
        self.sessions = sessions
        self.queue = queue
        countFrom = now
        lastTick = now
        fill(now)
    }

    var activeCount: Int { sessions.count - queue.count }

    func position(_ session: SessionID) -> Int? { queue.firstIndex(of: session).map { $0 + 1 } }

    func capacity(_ now: Instant) -> Int {
        let hours = now.milliseconds / 3_600_000 + (rules.timeZone == "UTC" ? 0 : 8)
        let hour = Int(hours % 24)
        var isRush = false
        var each = rules.rushHourStart
        while each != rules.rushHourEnd {
            if each == hour { isRush = true }
            each = (each + 1) % 24
        }
        return isRush ? min(rules.rushHourMaxUsers, rules.maxConcurrentUsers) : rules.maxConcurrentUsers
    }

    private func verdict(_ session: SessionID) -> Verdict { position(session).map { .queued($0) } ?? .active }

    private mutating func fill(_ now: Instant) {
        if rules.maintenanceMode { return }
        while let next = queue.first, activeCount < capacity(now) {
            queue.removeFirst()
            sessions[next]?.lastSign = now
        }
    }

    mutating func count(rejected: Bool) {
        requests += 1
        if rejected { rejections += 1 }
    }

    mutating func join(_ session: SessionID, user: UserID?, network: Int?, now: Instant) -> Verdict {
        if rules.maintenanceMode { return .maintenance }
        if sessions[session] != nil { return heartbeat(session, now: now) }
        fill(now)
        if rules.ipMaxSessions > 0, let network,
            sessions.values.count(where: { $0.network == network }) >= rules.ipMaxSessions
        {
            return .blocked
        }
        let waits = !queue.isEmpty || activeCount >= capacity(now)
        if waits, rules.maxQueueLength > 0, queue.count >= rules.maxQueueLength { return .blocked }
        sessions[session] = Session(user: user, network: network, joined: now, lastSign: now)
        if waits { queue.append(session) }
        return verdict(session)
    }

    mutating func heartbeat(_ session: SessionID, now: Instant) -> Verdict {
        let isLive = sessions[session] != nil
        sessions[session]?.lastSign = now
        fill(now)
        return isLive ? verdict(session) : .blocked
    }

    mutating func leave(_ session: SessionID, now: Instant) {
        end(session, now)
        fill(now)
    }

    /// - Returns: Whether the session serves this user.
    mutating func claim(_ session: SessionID, for user: UserID) -> Bool {
        guard let known = sessions[session] else { return false }
        if let owner = known.user { return owner == user }
        sessions[session]?.user = user
        return true
    }

    mutating func erase(_ user: UserID, now: Instant) {
        let own = sessions.filter { session, known in
            known.user == user || (known.user == nil && session.text == user.text && user.namespace != "web")
        }
        for session in own.keys { end(session, now) }
        fill(now)
    }

    mutating func configure(_ rules: GateConfiguration, now: Instant) {
        if self.rules.maintenanceMode, !rules.maintenanceMode { countFrom = now }
        self.rules = rules
        fill(now)
    }

    private mutating func end(_ session: SessionID, _ now: Instant) {
        guard let known = sessions.removeValue(forKey: session) else { return }
        let waited = queue.count
        queue.removeAll { $0 == session }
        if queue.count == waited {
            lengths.append(min(max(now.milliseconds(since: known.joined), 0), Int64(Int32.max) * 1000))
        }
    }

    /// A batch ends.
    ///
    /// - Returns: The row of statistics that must be written with it; nil when none is due.
    mutating func endBatch(now: Instant) -> GateStatistics? {
        let passed = now.milliseconds(since: lastTick)
        guard passed >= 30_000 || passed < 0 else { return nil }
        lastTick = now
        countFrom = min(countFrom, now)
        for (session, known) in sessions {
            if known.lastSign > now { sessions[session]?.lastSign = now }
            if rules.maintenanceMode { continue }
            let allowed = queue.contains(session) ? rules.queueTimeoutSeconds : rules.heartbeatTimeoutSeconds
            let silence = now.milliseconds(since: max(min(known.lastSign, now), countFrom))
            if silence > Int64(allowed) * 1000 { end(session, now) }
        }
        fill(now)
        let mean = lengths.isEmpty ? nil : Int((lengths.reduce(0, +) / Int64(lengths.count) + 500) / 1000)
        defer { (requests, rejections, lengths) = (0, 0, []) }
        return GateStatistics(
            at: now, activeUsers: activeCount, queuedUsers: queue.count, totalRequests: requests,
            rejectedRequests: rejections, averageSessionSeconds: mean)
    }
}
