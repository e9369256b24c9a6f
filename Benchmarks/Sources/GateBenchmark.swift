internal import Basics
internal import TrafficGate

/// The gate alone, in memory: calls a second while many are in it, and the tick that turns over half of them.
struct GateBenchmark: Benchmark {
    let name = "gate"

    func figures(_ settings: BenchmarkSettings) async throws -> [Figure] {
        let sessionCount = settings.scaled(100_000)
        let calls = "gate: joins and heartbeats at \(sessionCount) sessions"
        let tick = "gate: a tick that expires and promotes \(sessionCount / 2)"
        return [
            Figure(
                calls,
                try await settings.median(calls) { seed in
                    try callsPerSecond(sessionCount, seed: seed)
                }, "calls/s", goal: .valueAtLeast(1_000_000)),
            Figure(
                tick, try await settings.median(tick) { seed in try tickMilliseconds(sessionCount, seed: seed) }, "ms",
                goal: .valueAtMost(50)),
        ]
    }

    /// As many joins as heartbeats, in batches whose journal is taken as the service takes it. Whoever joins is new, so
    /// before each batch as many leave, off the clock; heartbeats come from anybody.
    private func callsPerSecond(_ sessionCount: Int, seed: UInt64) throws -> Double {
        var generator = SeededGenerator(seed: seed)
        var now = Instant(milliseconds: 1_776_643_200_000)
        var gate = Gate(configuration: configuration(capacity: sessionCount), restoring: [], startedAt: now)
        // Everybody is replaced twice: once before the clock starts, so that the tables have the size that they keep.
        let sessions = (0..<(3 * sessionCount)).map { _ in SessionID("qq:\(generator.next() as UInt64)") }
        for session in sessions[..<sessionCount] {
            try expect(gate.join(session, user: UserID(session.text), ipAddress: nil, now: now) == .active)
        }
        _ = gate.takeJournal()

        let batchCount = min(256, sessionCount)
        var callCount = 0
        var elapsed = Duration.zero
        for first in stride(from: 0, through: 2 * sessionCount - batchCount, by: batchCount) {
            now = now.advanced(byMilliseconds: 1)
            if gate.touchedCount > 2 * sessionCount {
                // What the tick hands over to the table.
                _ = gate.takeTouched()
            }
            for session in sessions[first..<(first + batchCount)] { _ = gate.leave(session, now: now) }
            var activeCount = 0
            let start = ContinuousClock.now
            for index in first..<(first + batchCount) {
                let newcomer = sessions[sessionCount + index]
                if gate.join(newcomer, user: UserID(newcomer.text), ipAddress: nil, now: now) == .active {
                    activeCount += 1
                }
                let living = sessions[
                    first + batchCount + Int(generator.next() % UInt64(sessionCount - batchCount + 1))]
                if gate.heartbeat(living, now: now) == .active { activeCount += 1 }
            }
            let journal = gate.takeJournal()
            if first >= sessionCount {
                elapsed += ContinuousClock.now - start
                callCount += 2 * batchCount
            }
            try expect(activeCount == 2 * batchCount && journal.count == 2 * batchCount)
        }
        try expect(callCount > 0 && gate.activeCount == sessionCount)
        return Double(callCount) / (elapsed / .seconds(1))
    }

    /// Half of the sessions are in and fall silent, the other half waits; all but some have an address, as pages have.
    private func tickMilliseconds(_ sessionCount: Int, seed: UInt64) throws -> Double {
        var generator = SeededGenerator(seed: seed)
        let half = sessionCount / 2
        let start = Instant(milliseconds: 1_776_643_200_000)
        var gate = Gate(configuration: configuration(capacity: half), restoring: [], startedAt: start)
        for index in 0..<(2 * half) {
            let word = generator.next() as UInt64
            let address = word & 7 == 0 ? nil : "10.\(word >> 8 & 255).\(word >> 16 & 255).\(word >> 24 & 255)"
            let answer = gate.join(SessionID("web:\(word)"), user: nil, ipAddress: address, now: start)
            try expect((answer == .active) == (index < half))
        }
        _ = gate.takeJournal()
        _ = gate.takeTouched()
        // Beyond the timeout of those who are in, within that of those who wait.
        let later = start.advanced(bySeconds: 61)

        let before = ContinuousClock.now
        let row = gate.tick(now: later)
        let milliseconds = (ContinuousClock.now - before) / .milliseconds(1)
        try expect(row.activeUsers == half && row.queuedUsers == 0)
        let journal = gate.takeJournal()
        try expect(journal.count { $0.status == .expired } == half && gate.takePromoted().count == half)
        return milliseconds
    }

    private func configuration(capacity: Int) -> GateConfiguration {
        var configuration = GateConfiguration()
        configuration.maxConcurrentUsers = capacity
        configuration.rushHourStart = configuration.rushHourEnd
        return configuration
    }

    private func expect(_ isRight: Bool) throws {
        guard isRight else { throw Wrong(description: "the gate answered something else than it should have") }
    }
}
