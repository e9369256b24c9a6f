import Activities
import Basics
import Lottery
import TestSupport
import Testing

/// `starts_at` and `ends_at`.
struct ScheduleTests {
    private static let start = noon.advanced(bySeconds: 3600)
    private static let end = noon.advanced(bySeconds: 7200)

    private static func millisecond(before instant: Instant) -> Instant {
        Instant(milliseconds: instant.milliseconds - 1)
    }

    private func bench(_ activities: Activity...) async throws -> DecisionBench {
        let bench = try await DecisionBench()
        for activity in activities { try await bench.put(activity) }
        return bench
    }

    private func types(_ bench: DecisionBench, _ id: ActivityID = "spring") async throws -> [UInt8] {
        try await bench.store.wholeLedger(of: id).map(\.event.type)
    }

    @Test("hardening row 73: the interval is half-open") func theIntervalIsHalfOpen() async throws {
        let bench = try await bench(.sample(maxAttempts: nil, startsAt: Self.start, endsAt: Self.end))
        try await bench.bind("qq:11", "qq:12", "qq:13")
        bench.now = Self.millisecond(before: Self.start)
        #expect(try await bench.draw("qq:11") == .noActivity)
        bench.now = Self.start
        #expect(try await bench.draw("qq:11").code == .won)
        bench.now = Self.millisecond(before: Self.end)
        #expect(try await bench.draw("qq:12").code == .won)
        bench.now = Self.end
        #expect(try await bench.draw("qq:13") == .noActivity)
        #expect(bench.notices == [.openedBySchedule(activityName: "春节抽奖"), .closedBySchedule(activityName: "春节抽奖")])
        let audits = bench.audits.filter { $0.actor == "schedule" }
        #expect(audits.map(\.action) == ["schedule.start", "schedule.stop"])
        #expect(audits.map(\.at) == [Self.start, Self.end])
        #expect(try await bench.store.verifiedLedger(of: "spring").holds)
    }

    @Test func aDrawOfTheBatchThatOpensIsPreparedForIt() async throws {
        let bench = try await bench(
            .sample(maxAttempts: 1, oneWinPerGameID: true, startsAt: Self.start, endsAt: Self.end))
        // Known from an opening by hand before: a winner, and a game id that has won.
        try await bench.bind("qq:11")
        try await bench.say(.bind("role of qq:11"), as: "qq:12")
        try await bench.bind("qq:13")
        try await bench.command(.start(activity: "spring"))
        try await bench.draw("qq:11")
        try await bench.command(.stop(activity: nil))
        try await bench.put(
            .sample(
                maxAttempts: 1, oneWinPerGameID: true, startsAt: Self.start.advanced(bySeconds: 60), endsAt: Self.end))
        try await bench.restart()
        bench.now = Self.start.advanced(bySeconds: 60)
        let codes = try await bench.together([
            .saying(.draw, as: "qq:11"), .saying(.draw, as: "qq:12"), .saying(.draw, as: "qq:13"),
        ]).map(\.code)
        #expect(codes == [.alreadyWon, .gameIDUsed, .won])
    }

    @Test func whatIsDueIsDoneOnce() async throws {
        let bench = try await bench(.sample(startsAt: Self.start, endsAt: Self.end))
        bench.now = Self.start
        for _ in 1...3 { _ = try await bench.decide([]) }
        try await bench.restart()
        _ = try await bench.decide([])
        bench.now = Self.end
        for _ in 1...3 { _ = try await bench.decide([]) }
        try await bench.restart()
        _ = try await bench.decide([])
        #expect(try await types(bench) == [1, 3])
    }

    @Test func aRestartWithinTheIntervalOpensLate() async throws {
        let bench = try await bench(.sample(startsAt: Self.start, endsAt: Self.end))
        try await bench.bind("qq:11")
        bench.now = Self.end.advanced(bySeconds: -10)
        try await bench.restart()
        #expect(try await bench.draw("qq:11").code == .won)
        bench.now = Self.end.advanced(bySeconds: 10)
        try await bench.restart()
        #expect(try await bench.draw("qq:11") == .noActivity)
        #expect(try await types(bench) == [1, 2, 3])
    }

    @Test func aProcessThatWasDownOverBothDoesNeither() async throws {
        let bench = try await bench(.sample(startsAt: Self.start, endsAt: Self.end))
        bench.now = Self.end
        try await bench.restart()
        for _ in 1...2 { _ = try await bench.decide([]) }
        #expect(try await types(bench).isEmpty)
        // Also not after the next restart, and not when the clock is set back into the interval.
        bench.now = Self.start
        try await bench.restart()
        _ = try await bench.decide([])
        #expect(try await types(bench).isEmpty)
    }

    @Test func aProcessThatSleptOverBothDoesNeither() async throws {
        let bench = try await bench(.sample(startsAt: Self.start, endsAt: Self.end))
        try await bench.bind("qq:11")
        bench.now = Self.end
        #expect(try await bench.draw("qq:11") == .noActivity)
        #expect(try await types(bench).isEmpty)
        #expect(bench.notices == [.scheduleMissed(activityName: "春节抽奖")])
    }

    @Test func openingOrClosingByHandUsesTheEventUp() async throws {
        let bench = try await bench(.sample(startsAt: Self.start, endsAt: Self.end))
        try await bench.command(.start(activity: "spring"))
        try await bench.command(.stop(activity: "spring"))
        bench.now = Self.start
        _ = try await bench.decide([])
        #expect(try await types(bench) == [1, 3])
        // Opened again by hand, the end that was used up does not close it, also not after a restart.
        try await bench.command(.start(activity: "spring"))
        bench.now = Self.end
        _ = try await bench.decide([])
        try await bench.restart()
        _ = try await bench.decide([])
        #expect(try await types(bench) == [1, 3, 1])
    }

    @Test func anEndAloneClosesWhatWasOpenedByHand() async throws {
        let bench = try await bench(.sample(endsAt: Self.end))
        let view = try await bench.command(.start(activity: "spring")).started
        #expect(view?.endsAt == Self.end)
        bench.now = Self.end
        _ = try await bench.decide([])
        #expect(try await types(bench) == [1, 3])
    }

    @Test func anEndThatPassedBeforeTheOpeningByHandDoesNotCloseIt() async throws {
        let bench = try await bench(.sample(endsAt: Self.end))
        bench.now = Self.end.advanced(bySeconds: 1)
        let view = try await bench.command(.start(activity: "spring")).started
        #expect(view?.endsAt == nil)
        _ = try await bench.decide([])
        #expect(try await types(bench) == [1])
    }

    @Test func newTimesInTheFileAreNewEvents() async throws {
        let bench = try await bench(.sample(startsAt: Self.start))
        bench.now = Self.start
        _ = try await bench.decide([])
        try await bench.command(.stop(activity: nil))
        let later = Self.start.advanced(bySeconds: 600)
        try await bench.put(.sample(startsAt: later))
        bench.now = later
        _ = try await bench.decide([])
        #expect(try await types(bench) == [1, 3, 1])
    }

    @Test func aConflictLeavesItClosedAuditedAndNoticed() async throws {
        let bench = try await bench(.sample("a", name: "甲"), .sample("b", name: "乙", startsAt: Self.start))
        try await bench.command(.start(activity: "甲"))
        bench.now = Self.start
        _ = try await bench.decide([])
        let faults = [StartFault.overlaps(activityName: "甲")]
        #expect(bench.notices == [.scheduleConflict(activityName: "乙", faults: faults)])
        let audit = try #require(bench.audits.last)
        #expect((audit.actor, audit.action, audit.target) == ("schedule", "schedule.start", "b"))
        #expect(audit.result == .badArgument)
        // Tried once, not again when the way is free.
        try await bench.command(.stop(activity: "甲"))
        _ = try await bench.decide([])
        try await bench.restart()
        _ = try await bench.decide([])
        #expect(try await types(bench, "b").isEmpty)
    }

    @Test(arguments: [("a", "b"), ("b", "a")] as [(ActivityID, ActivityID)])
    func oneActivityMayBeginWhereAnotherEnds(_ first: ActivityID, _ second: ActivityID) async throws {
        let bench = try await bench(
            .sample(first, name: "先", endsAt: Self.start), .sample(second, name: "后", startsAt: Self.start))
        try await bench.command(.start(activity: "先"))
        bench.now = Self.start
        _ = try await bench.decide([])
        #expect(bench.notices == [.closedBySchedule(activityName: "先"), .openedBySchedule(activityName: "后")])
        #expect(try await types(bench, first) == [1, 3])
        #expect(try await types(bench, second) == [1])
    }
}
