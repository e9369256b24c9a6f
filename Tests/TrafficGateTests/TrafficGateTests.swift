import Basics
import Testing

@testable import TrafficGate

struct TrafficGateTests {
    private func unknown(_ position: Int) -> GateAnswer { .queued(Place(position: position, wait: .unknown)) }

    // MARK: - Join

    @Test func newcomersAreActiveUntilTheGateIsFullThenQueueInOrder() {
        var gate = Gate(configuration(users: 2))
        #expect(gate.join("qq:1") == .active)
        #expect(gate.join("qq:2") == .active)
        #expect(gate.join("qq:3") == unknown(1))
        #expect(gate.join("qq:4") == unknown(2))
        #expect(gate.activeCount == 2)
        #expect(gate.queuedCount == 2)
    }

    @Test func liveSessionIsReturnedAsItIsAndRefreshed() {
        var gate = Gate(configuration(users: 1))
        gate.join("qq:1", 0)
        gate.join("qq:2", 0)
        #expect(gate.join("qq:1", 50) == .active)
        #expect(gate.join("qq:2", 290) == unknown(1))
        #expect(gate.activeCount == 1)
        _ = gate.tick(now: at(110))
        #expect(gate.position("qq:1") == 0)
    }

    @Test func sessionsDifferByBytesNotByUnicode() {
        var gate = Gate(configuration(users: 5))
        gate.join("qq:\u{E9}")
        gate.join("qq:e\u{301}")
        #expect(gate.activeCount == 2)
    }

    @Test func rejoinAfterLeavingOrExpiryIsANewPlaceAtTheBack() {
        var gate = Gate(configuration(users: 1, heartbeatTimeout: 1000, queueTimeout: 10))
        gate.join("qq:1", 0)
        gate.join("qq:2", 0)
        gate.join("qq:3", 0)
        gate.join("qq:4", 5)
        gate.leave("qq:2", 6)
        _ = gate.tick(now: at(11))
        #expect(gate.position("qq:3") == nil)
        #expect(gate.join("qq:2", 12) == unknown(2))
        #expect(gate.join("qq:3", 12) == unknown(3))
        let rows = gate.takeTouched()
        #expect(rows.map(\.session.text) == ["qq:1", "qq:2", "qq:3", "qq:4"])
        #expect(rows[1].joinTime == at(12) && rows[1].leaveTime == nil && rows[1].status == .queued)
    }

    @Test func newcomerNeverOvertakesWhoeverWaits() {
        // 10:59 in Shanghai; the rush hour and with it the small capacity ends at 11:00.
        var rules = configuration(users: 2)
        rules.rushHourStart = 10
        rules.rushHourEnd = 11
        rules.rushHourMaxUsers = 1
        var gate = Gate(rules)
        let before = 3 * 3600 - 1.0
        gate.join("qq:1", before)
        #expect(gate.join("qq:2", before) == unknown(1))
        // There is room for one now, and it belongs to the one who waits.
        #expect(gate.join("qq:3", before + 1) == unknown(1))
        #expect(gate.position("qq:2") == 0)
        #expect(gate.takePromoted().map(\.session.text) == ["qq:2"])
    }

    // MARK: - Capacity

    @Test func loweringTheCapacityThrowsNobodyOutAndPromotesNobodyAboveIt() {
        var gate = Gate(configuration(users: 3))
        for name in ["qq:1", "qq:2", "qq:3", "qq:4"] { gate.join(name) }
        gate.configure(configuration(users: 1), now: at(1))
        #expect(gate.activeCount == 3)
        gate.leave("qq:1", 2)
        gate.leave("qq:2", 2)
        #expect(gate.position("qq:4") == 1)
        gate.leave("qq:3", 3)
        #expect(gate.position("qq:4") == 0)
    }

    @Test func raisingTheCapacityPromotesAtOnceInOrder() {
        var gate = Gate(configuration(users: 1))
        for name in ["qq:1", "qq:2", "qq:3", "qq:4"] { gate.join(name) }
        gate.configure(configuration(users: 3), now: at(1))
        #expect(gate.takePromoted().map(\.session.text) == ["qq:2", "qq:3"])
        #expect(gate.position("qq:4") == 1)
    }

    @Test func rushHourEndsForWhoeverWaitsWithTheNextEvent() {
        var rules = configuration(users: 2)
        rules.rushHourStart = 10
        rules.rushHourEnd = 11
        rules.rushHourMaxUsers = 1
        var gate = Gate(rules)
        gate.join("qq:1", 3 * 3600 - 1)
        gate.join("qq:2", 3 * 3600 - 1)
        #expect(gate.heartbeat("qq:2", now: at(3 * 3600 - 0.001)) == unknown(1))
        #expect(gate.heartbeat("qq:2", now: at(3 * 3600)) == .active)
    }

    @Test(arguments: [Int.min, -1, 0])
    func capacityBelowOneAdmitsNobody(users: Int) {
        var gate = Gate(configuration(users: users))
        #expect(gate.join("qq:1") == unknown(1))
        #expect(gate.check(now: at(0)).status == .crowded)
    }

    // MARK: - Heartbeat and leave

    @Test func heartbeatOfNoLiveSessionIsBlocked() {
        var gate = Gate(configuration(users: 1))
        #expect(gate.heartbeat("qq:1", now: at(0)) == .blocked(.noSession))
        gate.join("qq:1")
        gate.leave("qq:1", 1)
        #expect(gate.heartbeat("qq:1", now: at(2)) == .blocked(.noSession))
        #expect(gate.answer(for: "qq:1") == nil)
    }

    @Test func leavingPromotesTheHeadAndIsTrueOnce() {
        var gate = Gate(configuration(users: 1))
        for name in ["qq:1", "qq:2", "qq:3"] { gate.join(name) }
        gate.leave("qq:1", 1)
        #expect(gate.leave("qq:1", now: at(1)) == false)
        #expect(gate.position("qq:2") == 0)
        #expect(gate.position("qq:3") == 1)
        let left = gate.takeTouched().first { $0.session == "qq:1" }
        #expect(left?.status == .left && left?.leaveTime == at(1))
    }

    @Test func leavingTheQueueMovesThoseBehind() {
        var gate = Gate(configuration(users: 1))
        for name in ["qq:1", "qq:2", "qq:3", "qq:4"] { gate.join(name) }
        gate.leave("qq:3", 1)
        #expect(gate.position("qq:2") == 1)
        #expect(gate.position("qq:4") == 2)
    }

    // MARK: - Timeouts

    @Test func activeSessionExpiresAfterMoreThanTheTimeout() {
        var gate = Gate(configuration(users: 1, heartbeatTimeout: 60))
        gate.join("qq:1", 10)
        _ = gate.tick(now: at(70))
        #expect(gate.position("qq:1") == 0)
        _ = gate.tick(now: at(70.001))
        #expect(gate.position("qq:1") == nil)
        #expect(gate.takeTouched().map(\.status) == [.expired])
    }

    @Test func queuedSessionExpiresAfterMoreThanTheQueueTimeout() {
        var gate = Gate(configuration(users: 1, heartbeatTimeout: 1000, queueTimeout: 300))
        gate.join("qq:1", 0)
        gate.join("qq:2", 0)
        gate.join("qq:3", 0)
        _ = gate.heartbeat("qq:3", now: at(5))
        _ = gate.tick(now: at(300))
        #expect(gate.queuedCount == 2)
        let row = gate.tick(now: at(300.001))
        #expect(gate.position("qq:2") == nil)
        #expect(gate.position("qq:3") == 1)
        // Who never was active is no session to measure.
        #expect(row.averageSessionSeconds == nil)
    }

    @Test func promotionCountsAsHeartbeat() {
        var gate = Gate(configuration(users: 1, heartbeatTimeout: 60, queueTimeout: 300))
        gate.join("qq:1", 0)
        gate.join("qq:2", 0)
        gate.leave("qq:1", 200)
        _ = gate.tick(now: at(260))
        #expect(gate.position("qq:2") == 0)
        _ = gate.tick(now: at(260.001))
        #expect(gate.position("qq:2") == nil)
    }

    @Test func tickExpiresThenPromotesIntoThePlaces() {
        var gate = Gate(configuration(users: 2, heartbeatTimeout: 60))
        for name in ["qq:1", "qq:2", "qq:3", "qq:4", "qq:5"] { gate.join(name) }
        _ = gate.heartbeat("qq:2", now: at(30))
        let row = gate.tick(now: at(61))
        #expect(row.activeUsers == 2 && row.queuedUsers == 2)
        #expect(gate.takePromoted().map(\.session.text) == ["qq:3"])
    }

    @Test func timeoutsCountFromTheStartOfTheProcess() {
        let before = Participant(session: "qq:1", joinTime: at(-9000), lastHeartbeat: at(-9000), status: .active)
        var gate = Gate(configuration(users: 1, heartbeatTimeout: 60), restoring: [before])
        _ = gate.tick(now: at(60))
        #expect(gate.position("qq:1") == 0)
        _ = gate.tick(now: at(60.001))
        #expect(gate.position("qq:1") == nil)
    }

    // MARK: - Maintenance

    @Test func inMaintenanceNobodyJoinsExpiresOrIsPromoted() {
        var gate = Gate(configuration(users: 1))
        gate.join("qq:1", 0)
        gate.join("qq:2", 0)
        gate.configure(configuration(users: 5, maintenance: true), now: at(1))
        _ = gate.takeTouched()

        #expect(gate.join("qq:1", 2) == .maintenance)
        #expect(gate.join("qq:9", 2) == .maintenance)
        #expect(gate.takeTouched().isEmpty)
        #expect(gate.heartbeat("qq:2", now: at(3)) == unknown(1))
        let row = gate.tick(now: at(9000))
        #expect(row.activeUsers == 1 && row.queuedUsers == 1)
        gate.leave("qq:1", 9001)
        #expect(gate.position("qq:2") == 1)

        gate.configure(configuration(users: 5), now: at(9002))
        #expect(gate.position("qq:2") == 0)
    }

    @Test func timeoutsCountFromTheEndOfMaintenance() {
        var gate = Gate(configuration(users: 1, heartbeatTimeout: 60, queueTimeout: 90))
        gate.join("qq:1", 0)
        gate.join("qq:2", 0)
        gate.configure(configuration(users: 1, heartbeatTimeout: 60, queueTimeout: 90, maintenance: true), now: at(1))
        gate.configure(configuration(users: 1, heartbeatTimeout: 60, queueTimeout: 90), now: at(5000))
        _ = gate.tick(now: at(5060))
        #expect(gate.position("qq:1") == 0 && gate.position("qq:2") == 1)
        _ = gate.tick(now: at(5060.001))
        #expect(gate.position("qq:1") == nil && gate.position("qq:2") == 0)
    }

    // MARK: - Limits

    @Test func addressMayHaveSoManyLiveSessions() {
        var gate = Gate(configuration(users: 1, ipMaxSessions: 2))
        func join(_ name: String, _ address: String?) -> GateAnswer {
            gate.join(SessionID(name), user: nil, ipAddress: address, now: at(0))
        }
        #expect(join("web:1", "2001:db8::1") == .active)
        #expect(join("web:2", "2001:db8::2") == unknown(1))
        #expect(join("web:3", "2001:db8:0:0:5::") == .blocked(.ipSessions))
        #expect(join("web:3", "2001:db8:0:1::1") == unknown(2))
        // A live session is not a new one.
        #expect(join("web:2", "2001:db8::2") == unknown(1))
        // Chat has no address.
        #expect(join("qq:1", nil) == unknown(3))
        #expect(join("qq:2", nil) == unknown(4))
        #expect(join("qq:3", nil) == unknown(5))
        // Ended sessions do not count, however they ended.
        gate.leave("web:2", 1)
        #expect(join("web:4", "2001:db8::9") == unknown(5))
        #expect(join("web:5", "2001:db8::9") == .blocked(.ipSessions))
        #expect(gate.answer(for: "web:5") == nil)
    }

    @Test func addressLimitCountsWhoCameBeforeItWasSetAndBeforeARestart() {
        var gate = Gate(configuration(users: 9))
        _ = gate.join("web:1", user: nil, ipAddress: "1.2.3.4", now: at(0))
        gate.configure(configuration(users: 9, ipMaxSessions: 1), now: at(1))
        #expect(gate.join("web:2", user: nil, ipAddress: "::ffff:1.2.3.4", now: at(1)) == .blocked(.ipSessions))
        var restarted = Gate(configuration(users: 9, ipMaxSessions: 1), restoring: gate.takeTouched())
        #expect(restarted.join("web:2", user: nil, ipAddress: "1.2.3.4", now: at(2)) == .blocked(.ipSessions))
    }

    @Test func queueHasALength() {
        var gate = Gate(configuration(users: 1, maxQueueLength: 1))
        gate.join("qq:1")
        gate.join("qq:2")
        #expect(gate.join("qq:3") == .blocked(.queueFull))
        gate.leave("qq:2", 1)
        #expect(gate.join("qq:3") == unknown(1))
    }

    @Test func withoutAQueueLengthTheLiveSessionsAreLimited() {
        #expect(Gate.maximumLiveSessions == 1_000_000)
        var gate = Gate(configuration(users: 2))
        gate.liveSessionLimit = 3
        for name in ["qq:1", "qq:2", "qq:3"] { gate.join(name) }
        #expect(gate.join("qq:4") == .blocked(.queueFull))
        #expect(gate.join("qq:3") == unknown(1))
        gate.leave("qq:3", 1)
        #expect(gate.join("qq:4") == unknown(1))
    }

    // MARK: - Check, statistics

    @Test func checkSaysWhatANewcomerWouldMeet() {
        var gate = Gate(configuration(users: 2))
        #expect(gate.check(now: at(0)) == GateCheck(status: .ok, currentUsers: 0, maxUsers: 2))
        gate.join("qq:1")
        gate.join("qq:2")
        #expect(
            gate.check(now: at(0))
                == GateCheck(
                    status: .crowded, currentUsers: 2, maxUsers: 2, queuePosition: 1, wait: .unknown,
                    retryAfterSeconds: 30))
        gate.join("qq:3")
        #expect(gate.check(now: at(0)).queuePosition == 2)
        gate.configure(configuration(users: 2, maintenance: true), now: at(1))
        #expect(
            gate.check(now: at(1))
                == GateCheck(status: .maintenance, currentUsers: 2, maxUsers: 2, retryAfterSeconds: 60))
    }

    @Test func statisticsRowCoversWhatHappenedSinceTheLast() {
        var gate = Gate(configuration(users: 2, heartbeatTimeout: 60))
        gate.join("qq:1", 0)
        gate.join("qq:2", 0)
        gate.join("qq:3", 10)
        gate.leave("qq:1", 20)
        gate.recordRequest(rejected: false)
        gate.recordRequest(rejected: true)
        gate.recordRequest(rejected: false)
        #expect(
            gate.tick(now: at(30))
                == GateStatistics(
                    at: at(30), activeUsers: 2, queuedUsers: 0, totalRequests: 3, rejectedRequests: 1,
                    averageSessionSeconds: 20))
        #expect(gate.summary(now: at(30)).averageSessionSeconds == 20)
        #expect(
            gate.tick(now: at(60))
                == GateStatistics(
                    at: at(60), activeUsers: 2, queuedUsers: 0, totalRequests: 0, rejectedRequests: 0,
                    averageSessionSeconds: nil))
        // qq:2 expires after 61 s; qq:3 joined at 10 s and leaves at 61 s.
        gate.leave("qq:3", 61)
        #expect(gate.tick(now: at(61)).averageSessionSeconds == 56)
        #expect(gate.summary(now: at(61)).averageSessionSeconds == 44)
    }

    // MARK: - Clocks

    @Test func clockSetBackExpiresNobodyAndHoldsNoPlaceForever() {
        var gate = Gate(configuration(users: 1, heartbeatTimeout: 60))
        gate.join("qq:1", 1_000_000)
        _ = gate.takeTouched()
        _ = gate.tick(now: at(0))
        #expect(gate.position("qq:1") == 0)
        #expect(gate.takeTouched().map(\.lastHeartbeat) == [at(0)])
        #expect(gate.tick(now: at(61)).averageSessionSeconds == 0)
        #expect(gate.position("qq:1") == nil)
        #expect(gate.takeTouched().allSatisfy { $0.leaveTime == $0.joinTime })
    }

    @Test func endsOfTimeDoNotTrap() {
        let ends = [Instant(milliseconds: .min), Instant(milliseconds: .max), at(0)]
        for first in ends {
            for second in ends {
                var rules = configuration(users: 1, heartbeatTimeout: .max, queueTimeout: .max)
                rules.rushHourEnd = 5
                var gate = Gate(configuration: rules, restoring: [], startedAt: first)
                _ = gate.join("qq:1", user: nil, ipAddress: nil, now: first)
                _ = gate.join("qq:2", user: nil, ipAddress: nil, now: second)
                _ = gate.tick(now: second)
                rules.heartbeatTimeoutSeconds = .min
                gate.configure(rules, now: first)
                _ = gate.tick(now: second)
                _ = gate.tick(now: first)
                _ = gate.leave("qq:2", now: second)
                _ = gate.tick(now: second)
                _ = (gate.check(now: first), gate.summary(now: second))
                #expect(gate.activeCount + gate.queuedCount <= 2)
            }
        }
    }
}
