import Activities
import Basics
import SQLiteStore
import TestSupport
import Testing

@testable import Activities

/// What is deleted does not come back: a wrong clock must not delete at once.
struct RetentionClockTests {
    private static let year: Int64 = 365 * 86_400

    @Test func aRightClockIsFollowedAtOnce() {
        var clock = RetentionClock(newest: nil)
        for second in stride(from: 0 as Int64, to: 600, by: 10) {
            #expect(clock.look(noon.advanced(bySeconds: second)) == noon.advanced(bySeconds: second))
        }
    }

    @Test func aClockTenYearsAheadIsFollowedByAMinuteALook() {
        var clock = RetentionClock(newest: noon)
        _ = clock.look(noon)
        let ahead = noon.advanced(bySeconds: 10 * Self.year)
        var last = noon
        // Looks of a whole day: the messages of the last weeks are safe.
        for _ in 1...8640 { last = clock.look(ahead) }
        #expect(last == noon.advanced(bySeconds: 8640 * 60))
        // Set right again, nothing remains of it.
        #expect(clock.look(noon.advanced(bySeconds: 86_400)) == noon.advanced(bySeconds: 86_400))
    }

    @Test func afterALongRestItCatchesUp() {
        var clock = RetentionClock(newest: noon)
        let now = noon.advanced(bySeconds: 40 * 86_400)
        #expect(clock.look(now) == noon.advanced(bySeconds: 60))
        for _ in 1...(40 * 1440) { _ = clock.look(now) }
        #expect(clock.look(now) == now)
    }

    @Test func aClockThatStartsInThePastDeletesNothingAndIsForgiven() {
        var clock = RetentionClock(newest: noon)
        #expect(clock.look(Instant(milliseconds: 0)) == Instant(milliseconds: 0))
        #expect(clock.look(noon.advanced(bySeconds: 30)) == noon.advanced(bySeconds: 30))
    }

    @Test func aClockAheadForgetsNoMessage() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(maxAttempts: nil, awards: [.normal("gold", percent: "0")]))
        try await bench.bind("qq:11")
        let key = MessageKey.test("no time of its own")
        let first = try await bench.say(.draw, as: "qq:11", key: key)
        for jump in [10 * Self.year, 0, 10 * Self.year, 0] {
            for look in 1...20 {
                bench.now = noon.advanced(bySeconds: jump + Int64(look) * 10)
                _ = try await bench.decide([])
            }
            #expect(try await bench.say(.draw, as: "qq:11", key: key) == first)
        }
        #expect(bench.changes.compactMap(\.thinStatisticsBefore).allSatisfy { $0 < noon })
    }
}
