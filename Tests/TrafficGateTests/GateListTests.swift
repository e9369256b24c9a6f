import Basics
import Testing
import TrafficGate

/// What the gate hands out to be written and told, and what it forgets.
struct GateListTests {
    @Test func journalListsEachChangedSessionOnceInTheOrderOfItsFirstChange() {
        var gate = Gate(configuration(users: 1))
        gate.join("qq:3", 0)
        gate.join("qq:1", 1)
        gate.join("qq:2", 2)
        gate.leave("qq:3", 3)
        let rows = gate.takeJournal()
        #expect(rows.map(\.session.text) == ["qq:3", "qq:1", "qq:2"])
        #expect(rows.map(\.status) == [.left, .active, .queued])
        #expect(rows.map(\.queuePosition) == [nil, nil, 2])
        #expect(gate.takeJournal().isEmpty)
        _ = gate.heartbeat("qq:1", now: at(4))
        #expect(gate.takeJournal().isEmpty)
    }

    @Test func touchedListsHeartbeatsTooSortedByBytes() {
        var gate = Gate(configuration(users: 9))
        let names = [
            "qq:9", "qq:10", "qq:1", "qq:\u{E9}", "qq:e\u{301}", "qq:0123456789abcdef", "qq:0123456789abcde", "q", "",
        ]
        for name in names { gate.join(name) }
        #expect(gate.takeTouched().map(\.session) == names.map { SessionID($0) }.sorted())
        _ = gate.heartbeat("qq:9", now: at(1))
        _ = gate.heartbeat("qq:1", now: at(1))
        _ = gate.heartbeat("qq:9", now: at(2))
        let rows = gate.takeTouched()
        #expect(rows.map(\.session.text) == ["qq:1", "qq:9"])
        #expect(rows.map(\.lastHeartbeat) == [at(1), at(2)])
        #expect(gate.takeTouched().isEmpty)
    }

    @Test func endedSessionIsListedOnceAndThenForgotten() {
        var gate = Gate(configuration(users: 9))
        gate.join("qq:1")
        _ = gate.takeTouched()
        gate.leave("qq:1", 1)
        #expect(gate.takeTouched().map(\.status) == [.left])
        // Forgetting for the table does not keep the journal from saying it.
        #expect(gate.takeJournal().map(\.status) == [.left])
        #expect(gate.erase(user: "qq:1", now: at(2)).isEmpty)
    }

    @Test func promotedListsWhoStillHasThePlace() {
        var gate = Gate(configuration(users: 1))
        for name in ["qq:1", "qq:2", "qq:3"] { gate.join(name) }
        gate.leave("qq:1", 1)
        gate.leave("qq:2", 1)
        #expect(gate.takePromoted().map(\.session.text) == ["qq:3"])
        #expect(gate.takePromoted().isEmpty)
    }

    // MARK: - Erasing

    @Test func erasedUserIsInNoListAfterwards() {
        var gate = Gate(configuration(users: 1))
        gate.join("qq:1")
        _ = gate.join("web:b", user: "qq:1", ipAddress: "1.2.3.4", now: at(0))
        _ = gate.join("web:a", user: "qq:1", ipAddress: "1.2.3.4", now: at(0))
        gate.join("qq:2")
        gate.leave("web:b", 0)

        #expect(gate.erase(user: "qq:1", now: at(1)) == ["qq:1", "web:a", "web:b"])
        #expect(gate.position("qq:1") == nil && gate.position("web:a") == nil)
        #expect(gate.position("qq:2") == 0)
        #expect(gate.takeJournal().map(\.session.text) == ["qq:2"])
        #expect(gate.takePromoted().map(\.session.text) == ["qq:2"])
        #expect(gate.takeTouched().map(\.session.text) == ["qq:2"])
        // Its session counts in the statistics, which name nobody.
        #expect(gate.tick(now: at(3)).averageSessionSeconds == 1)
        #expect(gate.erase(user: "qq:1", now: at(4)).isEmpty)
    }

    @Test func erasedUserMayComeBackAsSomebodyNew() {
        var gate = Gate(configuration(users: 1))
        gate.join("qq:1")
        gate.join("qq:2")
        _ = gate.erase(user: "qq:1", now: at(1))
        gate.join("qq:1", 2)
        #expect(gate.position("qq:1") == 1)
        #expect(gate.takeJournal().map(\.session.text) == ["qq:2", "qq:1"])
        #expect(gate.takeTouched().map(\.joinTime) == [at(2), at(0)])
    }

    @Test func erasingFreesTheAddress() {
        var gate = Gate(configuration(users: 9, ipMaxSessions: 1))
        _ = gate.join("web:a", user: "web:u", ipAddress: "1.2.3.4", now: at(0))
        _ = gate.erase(user: "web:u", now: at(1))
        #expect(gate.join("web:b", user: nil, ipAddress: "1.2.3.4", now: at(2)) == .active)
    }

    @Test func pageThatNamesItselfLikeAnotherUserIsNotErasedWithThem() {
        var gate = Gate(configuration(users: 9))
        _ = gate.join("web:1", user: "web:2", ipAddress: nil, now: at(0))
        _ = gate.join("web:3", user: nil, ipAddress: nil, now: at(0))
        _ = gate.join("qq:4", user: nil, ipAddress: nil, now: at(0))
        #expect(gate.erase(user: "web:1", now: at(1)).isEmpty)
        #expect(gate.erase(user: "web:3", now: at(1)).isEmpty)
        #expect(gate.erase(user: "qq:4", now: at(1)) == ["qq:4"])
        #expect(gate.activeCount == 2)
    }

    @Test func sessionTakenOverByAnotherUserBelongsToThem() {
        var gate = Gate(configuration(users: 9))
        _ = gate.join("web:a", user: "web:1", ipAddress: nil, now: at(0))
        _ = gate.leave("web:a", now: at(1))
        _ = gate.join("web:a", user: "web:2", ipAddress: nil, now: at(2))
        #expect(gate.erase(user: "web:1", now: at(3)).isEmpty)
        #expect(gate.erase(user: "web:2", now: at(3)) == ["web:a"])
    }

    // MARK: - Restart

    private func row(
        _ name: String, _ status: ParticipantStatus, ticket: UInt64? = nil, joined: Double = -100
    ) -> Participant {
        Participant(
            session: SessionID(name), user: UserID(name), joinTime: at(joined), lastHeartbeat: at(joined),
            status: status,
            ticket: ticket, queuePosition: ticket.map { Int(clamping: $0) })
    }

    @Test func placesAndOrderSurviveARestart() {
        var gate = Gate(configuration(users: 2))
        for name in ["qq:5", "qq:4", "qq:3", "qq:2", "qq:1"] { gate.join(name) }
        gate.leave("qq:2", 1)
        var restarted = Gate(configuration(users: 2), restoring: gate.takeTouched())
        #expect(restarted.activeCount == 2)
        #expect(restarted.position("qq:3") == 1)
        #expect(restarted.position("qq:1") == 2)
        // The next ticket is behind all of them.
        restarted.join("qq:9", 2)
        let tickets = (restarted.takeTouched() + gate.takeTouched()).map(\.ticket)
        #expect(tickets == [4])
        #expect(restarted.position("qq:9") == 3)
    }

    @Test func orderIsThatOfTheTicketsNotOfTheRows() {
        let rows = [row("qq:1", .queued, ticket: 900), row("qq:2", .queued, ticket: 7), row("qq:3", .active)]
        var gate = Gate(configuration(users: 1), restoring: rows)
        #expect(gate.position("qq:2") == 1 && gate.position("qq:1") == 2)
        #expect(gate.takeJournal().isEmpty && gate.takeTouched().isEmpty)
        gate.join("qq:4")
        #expect(gate.takeJournal().map(\.ticket) == [901])
    }

    @Test func laterRowOfASessionCountsAndEndedOnesAreIgnored() {
        let rows = [
            row("qq:1", .active), row("qq:2", .queued, ticket: 1), row("qq:3", .left), row("qq:4", .expired),
            row("qq:1", .left), row("qq:2", .active),
        ]
        let gate = Gate(configuration(users: 1), restoring: rows)
        #expect(gate.activeCount == 1 && gate.queuedCount == 0)
        #expect(gate.position("qq:2") == 0)
    }

    @Test func restartWithMoreRoomPromotesAndWithLessThrowsNobodyOut() {
        let rows = [row("qq:1", .active), row("qq:2", .active), row("qq:3", .queued, ticket: 3)]
        var more = Gate(configuration(users: 3), restoring: rows)
        #expect(more.takePromoted().map(\.session.text) == ["qq:3"])
        #expect(more.takeJournal().map(\.status) == [.active])
        let less = Gate(configuration(users: 1), restoring: rows)
        #expect(less.activeCount == 2 && less.queuedCount == 1)
        let maintenance = Gate(configuration(users: 3, maintenance: true), restoring: rows)
        #expect(maintenance.position("qq:3") == 1)
    }

    @Test(
        arguments: [
            [nil, 5, 6], [5, 5, 6], [.max, 5, 6], [nil, nil, nil],
        ] as [[UInt64?]])
    func unusableTicketsAreGivenAnewInTheBestOrderKnown(tickets: [UInt64?]) {
        let rows = zip(["qq:1", "qq:2", "qq:3"], tickets).map { row($0, .queued, ticket: $1, joined: -9) }
        var gate = Gate(configuration(users: 0), restoring: rows)
        let journal = gate.takeJournal()
        #expect(journal.map(\.ticket) == [1, 2, 3])
        #expect(Set(journal.map(\.session)).count == 3)
        #expect(journal.last?.ticket == 3)
        gate.join("qq:4")
        #expect(gate.position("qq:4") == 4)
    }
}
