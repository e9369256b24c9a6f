import Basics
import TrafficGate

/// The rules of spec.md section 6 in the plainest form: arrays and linear scans, written without looking at the gate.
///
/// Visitors are numbers; times are milliseconds.
struct ReferenceGate {
    enum Verdict: Equatable {
        case active
        case queued(Int)
        case blocked(BlockReason)
        case maintenance
    }

    struct Session {
        var visitor: Int
        var address: Int?
        var joined: Int
        var left: Int?
        var lastSign: Int
        var status: ParticipantStatus
        var positionWhenQueued: Int?
    }

    struct Rules {
        var users = 2
        var rushStart = 0
        var rushEnd = 0
        var rushUsers = 1
        var offsetHours = 8
        var heartbeatSeconds = 10
        var queueSeconds = 20
        var maintenance = false
        var perAddress = 0
        var queueLength = 0
    }

    var rules: Rules
    /// Live sessions, and ended ones that the table has not been told of.
    var sessions: [Session] = []
    /// Visitors, who is next first.
    var queue: [Int] = []
    var countFrom: Int

    var changed: [Int] = []
    /// Of `changed`, those that a tick ended: in no particular order.
    var changedByExpiry: [Int] = []
    var touched: [Int] = []
    var promoted: [Int] = []

    var requests = 0
    var rejections = 0
    var lengths: [Int] = []

    // For the expected wait.
    var lastMoment: Int
    var waited = 0
    var departures = 0
    var weightedWaited = 0.0
    var weightedDepartures = 0.0

    init(rules: Rules, now: Int) {
        self.rules = rules
        countFrom = now
        lastMoment = now
    }

    func find(_ visitor: Int) -> Int? {
        for index in 0..<sessions.count where sessions[index].visitor == visitor { return index }
        return nil
    }

    func live(_ visitor: Int) -> Int? {
        guard let index = find(visitor) else { return nil }
        let status = sessions[index].status
        return status == .active || status == .queued ? index : nil
    }

    var activeCount: Int {
        var count = 0
        for session in sessions where session.status == .active { count += 1 }
        return count
    }

    func capacity(_ now: Int) -> Int {
        let hour = (now / 3_600_000 + rules.offsetHours) % 24
        var hourIsRush = false
        var each = rules.rushStart
        while each != rules.rushEnd {
            if each == hour { hourIsRush = true }
            each = (each + 1) % 24
        }
        return hourIsRush && rules.rushUsers < rules.users ? rules.rushUsers : rules.users
    }

    func verdict(_ visitor: Int) -> Verdict {
        for (ahead, other) in queue.enumerated() where other == visitor { return .queued(ahead + 1) }
        return .active
    }

    /// Call before anything else happens at `now`.
    mutating func pass(to now: Int) {
        if !queue.isEmpty, !rules.maintenance, now > lastMoment { waited += now - lastMoment }
        lastMoment = now
    }

    mutating func fill(_ now: Int, left: Int) {
        if rules.maintenance { return }
        var count = 0
        while let next = queue.first, activeCount < capacity(now) {
            queue.removeFirst()
            let index = find(next)!
            sessions[index].status = .active
            sessions[index].lastSign = now
            sessions[index].positionWhenQueued = nil
            note(change: next)
            if !promoted.contains(next) { promoted.append(next) }
            count += 1
        }
        departures += min(count, left)
    }

    mutating func note(change visitor: Int) {
        if !changed.contains(visitor) { changed.append(visitor) }
        note(touch: visitor)
    }

    mutating func note(touch visitor: Int) {
        if !touched.contains(visitor) { touched.append(visitor) }
    }

    mutating func join(_ visitor: Int, address: Int?, now: Int) -> Verdict {
        if rules.maintenance { return .maintenance }
        if let index = live(visitor) {
            sessions[index].lastSign = now
            note(touch: visitor)
            fill(now, left: 0)
            return verdict(visitor)
        }
        fill(now, left: 0)
        if rules.perAddress > 0, let address {
            var same = 0
            for session in sessions where live(session.visitor) != nil && session.address == address { same += 1 }
            if same >= rules.perAddress { return .blocked(.ipSessions) }
        }
        let waits = !queue.isEmpty || activeCount >= capacity(now)
        if waits, rules.queueLength > 0, queue.count >= rules.queueLength { return .blocked(.queueFull) }
        if let index = find(visitor) { sessions.remove(at: index) }
        if waits { queue.append(visitor) }
        sessions.append(
            Session(
                visitor: visitor, address: address, joined: now, lastSign: now, status: waits ? .queued : .active,
                positionWhenQueued: waits ? queue.count : nil))
        note(change: visitor)
        return verdict(visitor)
    }

    mutating func heartbeat(_ visitor: Int, now: Int) -> Verdict {
        let index = live(visitor)
        if let index {
            sessions[index].lastSign = now
            note(touch: visitor)
        }
        fill(now, left: 0)
        return index == nil ? .blocked(.noSession) : verdict(visitor)
    }

    /// - Returns: Whether a place became free.
    mutating func finish(_ index: Int, _ status: ParticipantStatus, _ now: Int) -> Bool {
        let session = sessions[index]
        if session.status == .active { lengths.append(max(0, now - session.joined)) }
        queue.removeAll { $0 == session.visitor }
        promoted.removeAll { $0 == session.visitor }
        sessions[index].status = status
        sessions[index].left = max(now, session.joined)
        sessions[index].positionWhenQueued = nil
        if status == .expired, !changed.contains(session.visitor) { changedByExpiry.append(session.visitor) }
        note(change: session.visitor)
        return session.status == .active
    }

    mutating func leave(_ visitor: Int, now: Int) -> Bool {
        guard let index = live(visitor) else {
            fill(now, left: 0)
            return false
        }
        let freed = finish(index, .left, now)
        fill(now, left: freed ? 1 : 0)
        return true
    }

    mutating func erase(_ visitors: [Int], now: Int) {
        var freed = 0
        for visitor in visitors {
            if let index = live(visitor), finish(index, .left, now) { freed += 1 }
            sessions.removeAll { $0.visitor == visitor }
            changed.removeAll { $0 == visitor }
            changedByExpiry.removeAll { $0 == visitor }
            touched.removeAll { $0 == visitor }
            promoted.removeAll { $0 == visitor }
        }
        fill(now, left: freed)
    }

    mutating func configure(_ new: Rules, now: Int) {
        if rules.maintenance, !new.maintenance { countFrom = now }
        rules = new
        fill(now, left: 0)
    }

    mutating func tick(now: Int) -> GateStatistics {
        if countFrom > now { countFrom = now }
        var freed = 0
        for index in 0..<sessions.count where live(sessions[index].visitor) != nil {
            if sessions[index].lastSign > now {
                sessions[index].lastSign = now
                note(touch: sessions[index].visitor)
            }
            if rules.maintenance { continue }
            let silent = now - max(sessions[index].lastSign, countFrom)
            let allowed = sessions[index].status == .active ? rules.heartbeatSeconds : rules.queueSeconds
            if silent > allowed * 1000, finish(index, .expired, now) { freed += 1 }
        }
        fill(now, left: freed)

        let weight = 120 / (120 + Double(waited) / 1000)
        weightedWaited = weightedWaited * weight + Double(waited) / 1000
        weightedDepartures = weightedDepartures * weight + Double(departures)
        waited = 0
        departures = 0

        var sum = 0
        for length in lengths { sum += length }
        let mean = lengths.isEmpty ? nil : Int((Double(sum) / Double(lengths.count) / 1000 + 0.5).rounded(.down))
        defer {
            requests = 0
            rejections = 0
            lengths = []
        }
        return GateStatistics(
            at: Instant(milliseconds: Int64(now)), activeUsers: activeCount, queuedUsers: queue.count,
            totalRequests: requests, rejectedRequests: rejections, averageSessionSeconds: mean)
    }

    /// `30 · position / k` in seconds; nil when unknown.
    func expectedWait(_ position: Int) -> Double? {
        if rules.maintenance || weightedDepartures == 0 { return nil }
        let perHalfMinute = weightedDepartures / max(weightedWaited, 1) * 30
        let seconds = 30 * Double(position) / perHalfMinute
        return seconds > 86_400 ? nil : seconds
    }

    /// The process dies and starts again with what is on disk.
    mutating func restart(lastSigns: [Int: Int], now: Int) {
        sessions.removeAll { $0.status == .left || $0.status == .expired }
        for index in 0..<sessions.count { sessions[index].lastSign = lastSigns[sessions[index].visitor]! }
        (changed, changedByExpiry, touched, promoted, lengths) = ([], [], [], [], [])
        (requests, rejections, waited, departures) = (0, 0, 0, 0)
        (weightedWaited, weightedDepartures) = (0, 0)
        countFrom = now
        fill(now, left: 0)
    }
}
