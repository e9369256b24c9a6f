import Basics
import TestSupport
import TrafficGate

/// Runs random operations on the gate and on ``ReferenceGate`` and compares them after each.
struct GateRehearsal {
    /// Somebody who comes and goes.
    struct Visitor {
        var session: SessionID
        var user: UserID?
        var ipAddress: String?
        /// Equal for addresses that count as one.
        var addressGroup: Int?
    }

    static let visitors: [Visitor] = [
        Visitor(session: "qq:1", user: "qq:1"),
        Visitor(session: "qq:2", user: "qq:2"),
        Visitor(session: "qq:3", user: "qq:3"),
        Visitor(session: "qq:with-a-rather-long-id-1", user: "qq:with-a-rather-long-id-1"),
        Visitor(session: "qq:with-a-rather-long-id-2", user: "qq:with-a-rather-long-id-2"),
        Visitor(session: "web:a", user: "web:u1", ipAddress: "203.0.113.7", addressGroup: 0),
        Visitor(session: "web:b", user: "web:u1", ipAddress: "::ffff:203.0.113.7", addressGroup: 0),
        Visitor(session: "web:c", user: "web:u2", ipAddress: "2001:db8::1", addressGroup: 1),
        Visitor(session: "web:d", user: "web:u1", ipAddress: "2001:db8:0:0:ffff::2", addressGroup: 1),
        Visitor(session: "web:e", user: nil, ipAddress: "2001:db8:0:1::1", addressGroup: 2),
        Visitor(session: "web:f", user: nil, ipAddress: "nonsense", addressGroup: 3),
        Visitor(session: "qq:", user: "web:u2", ipAddress: "nonsense", addressGroup: 3),
    ]
    static let numbers: [SessionID: Int] = Dictionary(
        uniqueKeysWithValues: visitors.enumerated().map { ($1.session, $0) })
    static let users: [(user: UserID, visitors: [Int])] = [
        ("qq:1", [0]), ("qq:with-a-rather-long-id-2", [4]), ("web:u1", [5, 6, 8]), ("web:u2", [7, 11]), ("qq:9", []),
    ]

    enum Operation {
        case join(Int)
        case heartbeat(Int)
        case leave(Int)
        case erase(Int)
        case tick
        case configure(ReferenceGate.Rules)
        case request(Bool)
        case check, takeJournal, takeTouched, takePromoted, restart
    }

    private var generator: SeededGenerator
    private var gate: Gate
    private var reference: ReferenceGate
    /// 2027-02-06 00:00 UTC and some hours.
    private var now: Int
    private let timeMayGoBack: Bool
    private var log: [(now: Int, operation: Operation)] = []

    // What a store would hold.
    private var table: [Int: Participant] = [:]
    private var journal: [Participant] = []

    private struct Difference: Error {
        var text: String
    }

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        now = 1_801_872_000_000 + generator.below(24) * 3_600_000
        timeMayGoBack = generator.below(4) == 0
        let rules = Self.rules(&generator)
        gate = Gate(configuration: Self.configuration(rules), restoring: [], startedAt: Self.instant(now))
        reference = ReferenceGate(rules: rules, now: now)
    }

    /// - Returns: The first difference with all that led to it; nil when there is none.
    mutating func run(operations: Int) -> String? {
        do throws(Difference) {
            for number in 0..<operations {
                advance()
                let operation = draw()
                log.append((now, operation))
                reference.pass(to: now)
                try perform(operation)
                try compareState(everybody: number % 8 == 7)
            }
            return nil
        } catch {
            let start = log.first?.now ?? 0
            let steps = log.map { "  \(Double($0.now - start) / 1000) s  \($0.operation)" }.joined(separator: "\n")
            return "operation \(log.count): \(error.text)\n\(steps)"
        }
    }

    private mutating func advance() {
        switch generator.below(40) {
        case 0..<14: break
        case 14..<30: now += generator.below(4) * 1000
        case 30..<34: now += generator.below(15) * 1000 + generator.below(2)
        case 34: now += 10_000
        case 35: now += 20_001
        case 36: now += generator.below(100_000)
        case 37: now += generator.below(2) * 3_600_000
        default: if timeMayGoBack { now -= generator.below(30_000) }
        }
    }

    private mutating func draw() -> Operation {
        let visitor = generator.below(Self.visitors.count)
        switch generator.below(100) {
        case 0..<40: return .join(visitor)
        case 40..<58: return .heartbeat(visitor)
        case 58..<70: return .leave(visitor)
        case 70..<78: return .tick
        case 78..<83: return .configure(Self.rules(&generator))
        case 83..<86: return .request(generator.below(2) == 0)
        case 86..<88: return .check
        case 88..<91: return .takeJournal
        case 91..<94: return .takeTouched
        case 94..<96: return .takePromoted
        case 96..<98: return .erase(generator.below(Self.users.count))
        default: return .restart
        }
    }

    private static func rules(_ generator: inout SeededGenerator) -> ReferenceGate.Rules {
        var rules = ReferenceGate.Rules()
        rules.users = 1 + generator.below(5)
        if generator.below(3) == 0 {
            rules.rushStart = generator.below(24)
            rules.rushEnd = generator.below(24)
            rules.rushUsers = 1 + generator.below(5)
        }
        rules.offsetHours = generator.below(2) * 8
        rules.heartbeatSeconds = 1 + generator.below(20)
        rules.queueSeconds = 1 + generator.below(30)
        rules.maintenance = generator.below(6) == 0
        if generator.below(4) == 0 { rules.perAddress = 1 + generator.below(2) }
        if generator.below(4) == 0 { rules.queueLength = 1 + generator.below(4) }
        return rules
    }

    private static func configuration(_ rules: ReferenceGate.Rules) -> GateConfiguration {
        var configuration = GateConfiguration()
        configuration.maxConcurrentUsers = rules.users
        configuration.rushHourStart = rules.rushStart
        configuration.rushHourEnd = rules.rushEnd
        configuration.rushHourMaxUsers = rules.rushUsers
        try! configuration.set("time_zone", to: rules.offsetHours == 8 ? "Asia/Shanghai" : "UTC")
        configuration.heartbeatTimeoutSeconds = rules.heartbeatSeconds
        configuration.queueTimeoutSeconds = rules.queueSeconds
        configuration.maintenanceMode = rules.maintenance
        configuration.ipMaxSessions = rules.perAddress
        configuration.maxQueueLength = rules.queueLength
        return configuration
    }

    private static func instant(_ milliseconds: Int) -> Instant {
        Instant(milliseconds: Int64(milliseconds))
    }

    // MARK: - Operations

    private mutating func perform(_ operation: Operation) throws(Difference) {
        let moment = Self.instant(now)
        switch operation {
        case .join(let number):
            let visitor = Self.visitors[number]
            let answer = gate.join(visitor.session, user: visitor.user, ipAddress: visitor.ipAddress, now: moment)
            try compare(answer, reference.join(number, address: visitor.addressGroup, now: now))
        case .heartbeat(let number):
            let answer = gate.heartbeat(Self.visitors[number].session, now: moment)
            try compare(answer, reference.heartbeat(number, now: now))
        case .leave(let number):
            let answer = gate.leave(Self.visitors[number].session, now: moment)
            try expect(answer == reference.leave(number, now: now), "leave answered \(answer)")
        case .erase(let index):
            let (user, owned) = Self.users[index]
            let known = owned.filter { reference.find($0) != nil }.map { Self.visitors[$0].session }.sorted()
            reference.erase(owned, now: now)
            let erased = gate.erase(user: user, now: moment)
            try expect(erased == known, "erased \(erased), expected \(known)")
            for number in owned { table[number] = nil }
            journal.removeAll { owned.contains(Self.numbers[$0.session]!) }
        case .tick:
            let row = gate.tick(now: moment)
            let expected = reference.tick(now: now)
            try expect(row == expected, "row \(row), expected \(expected)")
        case .configure(let rules):
            gate.configure(Self.configuration(rules), now: moment)
            reference.configure(rules, now: now)
        case .request(let rejected):
            gate.recordRequest(rejected: rejected)
            reference.requests += 1
            reference.rejections += rejected ? 1 : 0
        case .check: try compareCheck()
        case .takeJournal: try takeJournal()
        case .takeTouched:
            // As a store does it: the journal first, then the table in its place.
            try takeJournal()
            let rows = gate.takeTouched()
            try compare(rows, reference.touched, unordered: reference.touched)
            try expect(zip(rows, rows.dropFirst()).allSatisfy { $0.session < $1.session }, "touched is not sorted")
            for row in rows { table[Self.numbers[row.session]!] = row }
            journal = []
            reference.touched = []
            reference.sessions.removeAll { $0.status == .left || $0.status == .expired }
        case .takePromoted:
            try compare(gate.takePromoted(), reference.promoted)
            reference.promoted = []
        case .restart:
            try takeJournal()
            let rows = table.values.sorted { $0.session < $1.session } + journal
            for row in journal { table[Self.numbers[row.session]!] = row }
            journal = []
            gate = Gate(configuration: gate.configuration, restoring: rows, startedAt: moment)
            var lastSigns: [Int: Int] = [:]
            for row in rows { lastSigns[Self.numbers[row.session]!] = Int(row.lastHeartbeat.milliseconds) }
            reference.restart(lastSigns: lastSigns, now: now)
        }
    }

    private mutating func takeJournal() throws(Difference) {
        let rows = gate.takeJournal()
        let unordered = reference.changedByExpiry
        try compare(rows, reference.changed, unordered: unordered)
        reference.changed = []
        reference.changedByExpiry = []
        journal += rows
    }

    // MARK: - Comparisons

    private func expect(_ holds: Bool, _ text: @autoclosure () -> String) throws(Difference) {
        if !holds { throw Difference(text: text()) }
    }

    private func compare(_ answer: GateAnswer, _ verdict: ReferenceGate.Verdict) throws(Difference) {
        switch (answer, verdict) {
        case (.active, .active), (.maintenance, .maintenance): return
        case (.blocked(let reason), .blocked(let expected)) where reason == expected: return
        case (.queued(let place), .queued(let position)) where place.position == position:
            try compareWait(place.wait, position)
        default: throw Difference(text: "answered \(answer), expected \(verdict)")
        }
    }

    private func compareWait(_ wait: WaitEstimate, _ position: Int) throws(Difference) {
        switch wait {
        case .unknown:
            if timeMayGoBack { return }
            try expect(reference.expectedWait(position) == nil, "the wait is known at \(position)")
        case .seconds(let range):
            try expect(range.lowerBound >= 1, "a wait of \(range)")
            if timeMayGoBack { return }
            guard let expected = reference.expectedWait(position) else {
                throw Difference(text: "wait \(range) although nothing was measured")
            }
            let low = max(1, expected * 2 / 3)
            try expect(
                abs(Double(range.lowerBound) - low) <= 1.001
                    && abs(Double(range.upperBound) - max(low, expected * 3 / 2)) <= 1.001,
                "wait \(range), expected around \(expected)")
        }
    }

    private func compareCheck() throws(Difference) {
        let check = gate.check(now: Self.instant(now))
        let capacity = reference.capacity(now)
        let status: GateCheck.Status =
            reference.rules.maintenance
            ? .maintenance : reference.activeCount >= capacity || !reference.queue.isEmpty ? .crowded : .ok
        try expect(
            check.status == status && check.currentUsers == reference.activeCount && check.maxUsers == capacity
                && check.queuePosition == (status == .crowded ? reference.queue.count + 1 : nil)
                && (check.retryAfterSeconds == nil) == (status == .ok) && check.retryAfterSeconds ?? 1 >= 1,
            "\(check), expected \(status)")
        if status == .crowded { try compareWait(check.wait, reference.queue.count + 1) }
        let summary = gate.summary(now: Self.instant(now))
        try expect(
            summary.capacity == capacity && summary.totalRequests == reference.requests
                && summary.rejectedRequests == reference.rejections,
            "\(summary)")
    }

    private func compareState(everybody: Bool) throws(Difference) {
        let active = reference.activeCount
        try expect(gate.activeCount == active, "\(gate.activeCount) active, expected \(active)")
        try expect(
            gate.queuedCount == reference.queue.count, "\(gate.queuedCount) queued, expected \(reference.queue)")
        for (ahead, number) in reference.queue.enumerated() {
            guard let answer = gate.answer(for: Self.visitors[number].session) else {
                throw Difference(text: "visitor \(number) is not in the queue")
            }
            try compare(answer, .queued(ahead + 1))
        }
        guard everybody else { return }
        for number in Self.visitors.indices {
            let answer = gate.answer(for: Self.visitors[number].session)
            if reference.live(number) == nil {
                try expect(answer == nil, "visitor \(number) is \(String(describing: answer)), expected nothing")
            } else if let answer {
                try compare(answer, reference.verdict(number))
            } else {
                throw Difference(text: "visitor \(number) has no session")
            }
        }
    }

    private func compare(_ rows: [Participant], _ expected: [Int], unordered: [Int] = []) throws(Difference) {
        let numbers = rows.map { Self.numbers[$0.session] ?? -1 }
        try expect(
            numbers.sorted() == expected.sorted()
                && numbers.filter { !unordered.contains($0) } == expected.filter { !unordered.contains($0) },
            "listed \(numbers), expected \(expected)")
        for (row, number) in zip(rows, numbers) {
            guard let index = reference.find(number) else { throw Difference(text: "listed unknown \(number)") }
            let session = reference.sessions[index]
            let visitor = Self.visitors[number]
            try expect(
                row.status == session.status && row.joinTime == Self.instant(session.joined)
                    && row.leaveTime == session.left.map { Self.instant($0) }
                    && row.lastHeartbeat == Self.instant(session.lastSign)
                    && row.queuePosition == session.positionWhenQueued
                    && (row.ticket != nil) == (session.status == .queued)
                    && row.user == visitor.user && row.ipAddress == visitor.ipAddress,
                "row \(row), expected \(session)")
        }
        let queued = rows.filter { $0.status == .queued }.sorted { $0.ticket! < $1.ticket! }
        let order = queued.map { Self.numbers[$0.session]! }
        try expect(order == reference.queue.filter { order.contains($0) }, "tickets \(order) are out of order")
    }
}
