import Activities
import Basics
import Lottery
import TestSupport
import Testing
import TrafficGate

/// Who needs a place, who gets one, and who gives it up again.
struct GatePassageTests {
    /// What joins the gate. Of 删除我的数据 nothing is left afterwards, so it is not listed.
    static let joining: Set<CommandName> = [
        .bind, .unbind, .myBinding, .draw, .myWins, .winners, .pool, .activity, .verify, .myData,
    ]
    static let answeredInMaintenance: Set<CommandName> = [.help, .queue, .leave]

    private static func request(_ name: CommandName, as user: UserID) -> Request {
        .saying(.example(of: name), as: user, isAdmin: name.isForAdmins)
    }

    private static func code(_ decided: DecidedRequest) -> OutcomeCode {
        if case .answered(let outcome) = decided.decision { outcome.code } else { .ok }
    }

    private func bench(capacity: Int = 1000, queueLength: Int = 0) async throws -> DecisionBench {
        let bench = try await DecisionBench()
        bench.library.put(.sample("autumn", name: "秋"), as: "spring.yaml")
        try await bench.put(.sample(awards: [.normal("gold", percent: "0")]))
        try await bench.command(.start(activity: "spring"))
        try await bench.command(.setTraffic(key: "max_concurrent_users", value: String(capacity)))
        try await bench.command(.setTraffic(key: "max_queue_length", value: String(queueLength)))
        return bench
    }

    @Test(arguments: CommandName.allCases)
    func onlyPlayersCommandsThatReadOrWriteTakeAPlace(_ name: CommandName) async throws {
        let bench = try await bench()
        _ = try await bench.decide([Self.request(name, as: "qq:50")])
        #expect((bench.machine.gate.answer(for: "qq:50") == .active) == Self.joining.contains(name))
    }

    @Test(arguments: CommandName.allCases)
    func aFullGateHoldsBackOnlyTheDraw(_ name: CommandName) async throws {
        let bench = try await bench(capacity: 1)
        try await bench.say(.pool, as: "qq:49")
        let decided = try await bench.decide([Self.request(name, as: "qq:50")])[0]
        #expect((Self.code(decided) == .queued) == (name == .draw))
        #expect(decided.position == (Self.joining.contains(name) ? 1 : nil))
    }

    @Test(arguments: CommandName.allCases)
    func anAdminNeedsAPlaceForADrawToo(_ name: CommandName) async throws {
        let bench = try await bench(capacity: 1)
        try await bench.say(.pool, as: "qq:49")
        let decided = try await bench.decide([.saying(.example(of: name), as: admin, isAdmin: true)])[0]
        #expect((Self.code(decided) == .queued) == (name == .draw))
    }

    @Test(arguments: CommandName.allCases)
    func aBlockedUserStillGetsWhatTakesNoPlace(_ name: CommandName) async throws {
        let bench = try await bench(capacity: 1, queueLength: 1)
        try await bench.say(.pool, as: "qq:48")
        try await bench.say(.pool, as: "qq:49")
        let decided = try await bench.decide([Self.request(name, as: "qq:50")])[0]
        #expect((Self.code(decided) == .blocked) == (Self.joining.contains(name) || name == .eraseMyData))
        #expect(bench.machine.gate.answer(for: "qq:50") == nil)
    }

    @Test(arguments: CommandName.allCases)
    func maintenanceAnswersHelpQueueLeaveAndAdmins(_ name: CommandName) async throws {
        let bench = try await bench()
        try await bench.command(.maintenance(isOn: true, reason: "换服"))
        let decided = try await bench.decide([Self.request(name, as: "qq:50")])[0]
        let isAnswered = name.isForAdmins || Self.answeredInMaintenance.contains(name)
        #expect((decided.decision == .answered(.maintenance(reason: "换服"))) == !isAnswered)
        #expect(bench.machine.gate.answer(for: "qq:50") == nil)
    }

    @Test(arguments: CommandName.allCases)
    func badArgumentsTakeNoPlaceAndAreAnsweredLikeTheirCommand(_ name: CommandName) async throws {
        let bench = try await bench()
        let request = Request(
            user: "qq:50", chat: groupChat, role: name.isForAdmins ? .admin : .player,
            content: .badArgument(name, .unexpected))
        #expect(try await bench.together([request]) == [.badArgument(.argument(name, .unexpected))])
        try await bench.command(.maintenance(isOn: true, reason: nil))
        let isAnswered = name.isForAdmins || Self.answeredInMaintenance.contains(name)
        #expect(try await bench.together([request])[0].code == (isAnswered ? .badArgument : .maintenance))
        #expect(bench.machine.gate.answer(for: "qq:50") == nil)
    }

    /// One suggestion a minute; whoever speaks to the bot gets at least the hint.
    @Test func aSecondNearMissInAMinuteIsHintedAtOnlyWhenAddressed() async throws {
        let bench = try await bench()
        func say(isAddressed: Bool) async throws -> Outcome {
            let content = MessageContent.unknown(suggestion: .draw, isAddressed: isAddressed)
            return try await bench.together([
                Request(user: "qq:50", chat: groupChat, role: .player, content: content)
            ])[0]
        }
        #expect(try await say(isAddressed: false) == .unknownCommand(suggestion: .draw))
        #expect(try await say(isAddressed: false) == .ignored)
        #expect(try await say(isAddressed: true) == .unknownCommand(suggestion: nil))
    }

    @Test func nearMissesAndTalkTakeNoPlaceAndAreSilentInMaintenance() async throws {
        let bench = try await bench()
        let contents: [MessageContent] = [
            .unknown(suggestion: .draw, isAddressed: false), .unknown(suggestion: nil, isAddressed: true), .ignored,
        ]
        let requests = contents.map { Request(user: "qq:50", chat: groupChat, role: .player, content: $0) }
        #expect(try await bench.together(requests).map(\.code) == [.unknownCommand, .unknownCommand, .ignored])
        bench.now = noon.advanced(bySeconds: 120)
        try await bench.command(.maintenance(isOn: true, reason: nil))
        #expect(try await bench.together(requests).map(\.code) == [.ignored, .ignored, .ignored])
        #expect(bench.machine.gate.answer(for: "qq:50") == nil)
    }

    @Test func aMessageOverFourKiBSaysThatItIsTooLong() async throws {
        let bench = try await bench()
        let fault = ArgumentFault.tooLong(maximumSize: ParserLimits.messageSize)
        let request = Request(user: "qq:50", chat: groupChat, role: .player, content: .badArgument(.bind, fault))
        #expect(try await bench.together([request]) == [.badArgument(.messageTooLong(.bind))])
    }

    // MARK: The queue

    @Test func queueTellsThePlaceAndCreatesNone() async throws {
        let bench = try await bench(capacity: 1)
        #expect(try await bench.say(.queue, as: "qq:50") == .ok(.place(isIn: false)))
        #expect(bench.machine.gate.answer(for: "qq:50") == nil)
        try await bench.say(.pool, as: "qq:50")
        #expect(try await bench.say(.queue, as: "qq:50") == .ok(.place(isIn: true)))
        try await bench.say(.pool, as: "qq:51")
        guard case .queued(let place) = try await bench.say(.queue, as: "qq:51") else {
            Issue.record("who waits is told the position")
            return
        }
        #expect(place.position == 1)
        #expect(place.wait == .unknown)
    }

    @Test func queueRefreshesASessionThatWaits() async throws {
        let bench = try await bench(capacity: 1)
        try await bench.say(.pool, as: "qq:50")
        try await bench.say(.pool, as: "qq:51")
        try await bench.say(.pool, as: "qq:52")
        for minute in 1...10 {
            bench.now = noon.advanced(bySeconds: Int64(minute) * 50)
            try await bench.say(.queue, as: "qq:50")
            try await bench.say(.queue, as: "qq:51")
        }
        #expect(bench.machine.gate.answer(for: "qq:51") != nil)
        #expect(bench.machine.gate.answer(for: "qq:52") == nil)
    }

    @Test func waitingUsersMayBindAndLookButNotDraw() async throws {
        let bench = try await bench(capacity: 1)
        try await bench.say(.pool, as: "qq:49")
        let decided = try await bench.decide([
            .saying(.bind("role"), as: "qq:50"), .saying(.myBinding, as: "qq:50"), .saying(.myWins, as: "qq:50"),
            .saying(.draw, as: "qq:50"), .saying(.unbind, as: "qq:50"),
        ])
        #expect(decided.map(Self.code) == [.ok, .ok, .ok, .queued, .ok])
        #expect(decided.map(\.position) == [1, 1, 1, 1, 1])
        #expect(decided[1].decision == .answered(.ok(.binding(gameID: "role"))))
    }

    @Test func thePositionIsToldWithEveryAnswerOfSomebodyWhoWaits() async throws {
        let bench = try await bench(capacity: 1)
        try await bench.say(.pool, as: "qq:49")
        try await bench.say(.pool, as: "qq:50")
        let decided = try await bench.decide([
            .saying(.help(nil), as: "qq:50"), .saying(.stop(activity: nil), as: "qq:50"),
            .saying(.pool, as: "qq:49"), .saying(.leave, as: "qq:50"),
        ])
        #expect(decided.map(\.position) == [1, 1, nil, nil])
    }

    @Test func placesAreGivenInTheOrderOfArrival() async throws {
        let bench = try await bench(capacity: 1)
        let users: [UserID] = (50...54).map { UserID("qq:\($0)") }
        let decided = try await bench.decide(users.map { .saying(.pool, as: $0) })
        #expect(decided.map(\.position) == [nil, 1, 2, 3, 4])

        // A newcomer in the same batch as a departure does not overtake, and who gives up makes the rest move.
        let later = try await bench.decide([
            .saying(.leave, as: users[2]), .saying(.leave, as: users[0]), .saying(.draw, as: "qq:60"),
            .saying(.queue, as: users[3]), .saying(.queue, as: users[1]),
        ])
        #expect(later.map(\.position) == [nil, nil, 3, 1, nil])
        #expect(bench.notices == [.promoted(users[1])])
        #expect(bench.machine.gate.answer(for: SessionID(users[1].text)) == .active)
    }

    @Test func leaveSaysWhetherThereWasAPlace() async throws {
        let bench = try await bench()
        #expect(try await bench.say(.leave, as: "qq:50") == .ok(.left(hadPlace: false)))
        try await bench.say(.pool, as: "qq:50")
        #expect(try await bench.say(.leave, as: "qq:50") == .ok(.left(hadPlace: true)))
    }

    @Test(arguments: [false, true])
    func aRestartLetsNobodyInAboveTheLimit(_ isMaintenance: Bool) async throws {
        let bench = try await bench(capacity: 1)
        let users: [UserID] = (50...53).map { UserID("qq:\($0)") }
        _ = try await bench.decide(users.map { .saying(.pool, as: $0) })
        if isMaintenance { try await bench.command(.maintenance(isOn: true, reason: nil)) }
        try await bench.restart()
        let decided = try await bench.decide(users.map { .saying(.queue, as: $0) })
        #expect(decided.map(\.position) == [nil, 1, 2, 3])
        #expect(bench.notices.isEmpty)
    }

    // MARK: release_after_draw

    @Test(arguments: [true, false])
    func whoHasNothingMoreToDrawLeavesByItself(_ isReleasing: Bool) async throws {
        let bench = try await DecisionBench()
        try await bench.command(.setTraffic(key: "release_after_draw", value: String(isReleasing)))
        try await bench.open(
            .sample(maxAttempts: 2, oneWinPerGameID: true, awards: [.normal("gold", number: 1)]))
        func isIn(_ user: UserID) -> Bool { bench.machine.gate.answer(for: SessionID(user.text)) == .active }
        #expect(try await bench.draw("qq:51").code == .notBound)
        #expect(isIn("qq:51"))
        try await bench.say(.bind("role"), as: "qq:51")
        #expect(try await bench.draw("qq:51").code == .won)
        #expect(isIn("qq:51") == !isReleasing)
        #expect(try await bench.draw("qq:51").code == .alreadyWon)
        #expect(isIn("qq:51") == !isReleasing)
        try await bench.say(.bind("ROLE"), as: "qq:52")
        #expect(try await bench.draw("qq:52").code == .gameIDUsed)
        #expect(isIn("qq:52") == !isReleasing)
        try await bench.bind("qq:53")
        #expect(try await bench.draw("qq:53").code == .missed)
        #expect(isIn("qq:53"))
        #expect(try await bench.draw("qq:53").code == .missed)
        #expect(isIn("qq:53"))
        #expect(try await bench.draw("qq:53").code == .attemptsUsed)
        #expect(isIn("qq:53") == !isReleasing)
        #expect(try await bench.draw("qq:54", in: nil).code == .notBound)
        try await bench.command(.stop(activity: nil))
        #expect(try await bench.draw("qq:55").code == .noActivity)
        #expect(isIn("qq:55"))
    }

    @Test func aWinnerMakesRoomForTheNextWithinTheBatch() async throws {
        let bench = try await DecisionBench()
        try await bench.open()
        try await bench.command(.setTraffic(key: "max_concurrent_users", value: "1"))
        try await bench.bind("qq:51", "qq:52")
        let decided = try await bench.together([
            .saying(.draw, as: "qq:52"), .saying(.draw, as: "qq:51"), .saying(.draw, as: "qq:52"),
        ])
        #expect(decided.map(\.code) == [.queued, .won, .won])
        #expect(bench.notices.isEmpty || bench.notices == [.promoted("qq:52")])
    }
}
