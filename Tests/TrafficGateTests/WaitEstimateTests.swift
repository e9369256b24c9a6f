import Basics
import Testing
import TrafficGate

struct WaitEstimateTests {
    /// One place; every five seconds its holder leaves.
    private func gateWithDepartures(waiting: Int) -> Gate {
        var gate = Gate(configuration(users: 1, heartbeatTimeout: 3600, queueTimeout: 3600))
        for number in 0...waiting + 6 { gate.join("qq:\(number)") }
        for number in 0..<6 { _ = gate.leave(SessionID("qq:\(number)"), now: at(Double(number + 1) * 5)) }
        return gate
    }

    private func wait(_ gate: Gate, _ name: String) -> WaitEstimate? {
        if case .queued(let place) = gate.answer(for: SessionID(name)) { place.wait } else { nil }
    }

    @Test func waitIsUnknownUntilATickHasMeasuredADeparture() {
        var gate = gateWithDepartures(waiting: 4)
        #expect(wait(gate, "qq:7") == .unknown)
        _ = gate.tick(now: at(30))
        #expect(wait(gate, "qq:7") == .seconds(3...8))
    }

    @Test func rangeLiesAroundThirtyTimesPositionByPromotionsPerThirtySeconds() {
        var gate = gateWithDepartures(waiting: 40)
        _ = gate.tick(now: at(30))
        // k = 6 in 30 s, so position 12 waits about a minute.
        #expect(wait(gate, "qq:18") == .seconds(40...90))
        #expect(gate.check(now: at(30)).retryAfterSeconds == 60)
        #expect(gate.summary(now: at(30)).wait == gate.check(now: at(30)).wait)
    }

    @Test func slowerDeparturesMakeTheWaitLonger() {
        var gate = gateWithDepartures(waiting: 40)
        _ = gate.tick(now: at(30))
        _ = gate.tick(now: at(60))
        guard case .seconds(let later) = wait(gate, "qq:18") else {
            Issue.record("unknown")
            return
        }
        // Four fifths of 6 in 30 s, and another 30 s with none: 4.8 in 54 s, about 135 s for position 12.
        #expect((89...90).contains(later.lowerBound) && (202...203).contains(later.upperBound))
    }

    @Test func trueTimeCountsNotTheNumberOfTicks() {
        var often = gateWithDepartures(waiting: 40)
        _ = often.tick(now: at(30))
        var once = often
        for second in 31...60 { _ = often.tick(now: at(Double(second))) }
        _ = once.tick(now: at(60))
        guard case .seconds(let many) = wait(often, "qq:18"), case .seconds(let one) = wait(once, "qq:18") else {
            Issue.record("unknown")
            return
        }
        #expect(abs(many.lowerBound - one.lowerBound) <= 8)
    }

    @Test func timeWithoutAQueueChangesNothing() {
        var gate = gateWithDepartures(waiting: 0)
        #expect(gate.queuedCount == 0)
        _ = gate.tick(now: at(30))
        _ = gate.tick(now: at(9000 - 6000))
        _ = gate.join("qq:late", 3000)
        #expect(wait(gate, "qq:late") == .seconds(3...8))
    }

    @Test func raisedCapacityIsNoDeparture() {
        var gate = Gate(configuration(users: 1))
        for number in 0..<50 { gate.join("qq:\(number)") }
        gate.configure(configuration(users: 40), now: at(10))
        _ = gate.tick(now: at(30))
        #expect(wait(gate, "qq:45") == .unknown)
    }

    @Test func waitIsNeverZeroAndUnknownWhenHopeless() {
        var fast = Gate(configuration(users: 100, heartbeatTimeout: 3600))
        for number in 0..<400 { fast.join("qq:\(number)") }
        for number in 0..<200 { _ = fast.leave(SessionID("qq:\(number)"), now: at(1)) }
        _ = fast.tick(now: at(1))
        #expect(wait(fast, "qq:300") == .seconds(1...1))

        var slow = gateWithDepartures(waiting: 3000)
        _ = slow.tick(now: at(3000))
        #expect(wait(slow, "qq:7") != .unknown)
        #expect(wait(slow, "qq:3000") == .unknown)
    }

    @Test func waitIsUnknownInMaintenance() {
        var gate = gateWithDepartures(waiting: 4)
        _ = gate.tick(now: at(30))
        gate.configure(configuration(users: 1, maintenance: true), now: at(31))
        #expect(wait(gate, "qq:7") == .unknown)
        _ = gate.tick(now: at(3000))
        gate.configure(configuration(users: 1), now: at(3000))
        #expect(wait(gate, "qq:7") == .seconds(3...8))
    }
}
