import Activities
import Basics
import Lottery
import TestSupport
import Testing

/// 绑定, 抽奖 and 作废: who may draw, how often, and under which game id.
struct DrawCommandTests {
    // MARK: Binding

    @Test func aBindingCanBeMadeChangedAndRemoved() async throws {
        let bench = try await DecisionBench()
        let user: UserID = "qq:11"
        #expect(try await bench.say(.myBinding, as: user) == .notBound)
        #expect(try await bench.say(.unbind, as: user) == .notBound)
        #expect(try await bench.say(.bind("a"), as: user) == .ok(.bound(gameID: "a", previous: nil)))
        #expect(try await bench.say(.bind("a"), as: user) == .ok(.bound(gameID: "a", previous: nil)))
        #expect(try await bench.say(.bind("b"), as: user) == .ok(.bound(gameID: "b", previous: "a")))
        #expect(try await bench.say(.myBinding, as: user) == .ok(.binding(gameID: "b")))
        #expect(try await bench.say(.unbind, as: user) == .ok(.unbound(gameID: "b")))
        #expect(try await bench.say(.myBinding, as: user) == .notBound)
    }

    @Test func bindingsOfOneBatchAreSeenByTheDrawsBehindThem() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(maxAttempts: nil, awards: [.normal("gold", percent: "0")]))
        let user: UserID = "qq:11"
        let outcomes = try await bench.together([
            .saying(.draw, as: user), .saying(.bind("a"), as: user), .saying(.draw, as: user),
            .saying(.unbind, as: user), .saying(.draw, as: user), .saying(.bind("b"), as: user),
            .saying(.bind("c"), as: user), .saying(.draw, as: user),
        ])
        #expect(outcomes.map(\.code) == [.notBound, .ok, .missed, .ok, .notBound, .ok, .ok, .missed])
        #expect(try await bench.say(.myBinding, as: user) == .ok(.binding(gameID: "c")))
    }

    @Test("hardening row 3: ids that differ in their normal form are two users")
    func usersWhoseIdsDifferOnlyInTheirNormalFormAreTwo() async throws {
        let bench = try await DecisionBench()
        try await bench.open()
        let (composed, decomposed): (UserID, UserID) = ("qq:\u{E9}", "qq:e\u{301}")
        try await bench.bind(composed, decomposed)
        #expect(try await bench.draw(composed).code == .won)
        #expect(try await bench.draw(decomposed).code == .won)
    }

    // MARK: One win per game id

    @Test(arguments: [("Role One", "role one"), ("ROLE", "ｒｏｌｅ"), ("Straße", "STRASSE"), ("ﬁsh", "FISH"), ("剑１", "剑1")])
    func spellingsOfOneGameIDWinOnce(_ first: String, _ second: String) async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(oneWinPerGameID: true))
        // In one batch, and again with the first win read from the store.
        let outcomes = try await bench.together([
            .saying(.bind(first), as: "qq:11"), .saying(.bind(second), as: "qq:12"), .saying(.draw, as: "qq:11"),
            .saying(.draw, as: "qq:12"),
        ])
        #expect(outcomes.map(\.code) == [.ok, .ok, .won, .gameIDUsed])
        #expect(try await bench.draw("qq:12") == .gameIDUsed(gameID: second))
        try await bench.say(.bind("somebody"), as: "qq:13")
        let rebound = try await bench.together([.saying(.bind(second), as: "qq:13"), .saying(.draw, as: "qq:13")])
        #expect(rebound.map(\.code) == [.ok, .gameIDUsed])
    }

    @Test func withoutTheRuleAGameIDMayWinThroughSeveralAccounts() async throws {
        let bench = try await DecisionBench()
        try await bench.open()
        try await bench.say(.bind("role"), as: "qq:11")
        try await bench.say(.bind("role"), as: "qq:12")
        #expect(try await bench.draw("qq:11").code == .won)
        #expect(try await bench.draw("qq:12").code == .won)
    }

    @Test func winsFromBeforeTheRuleCountOnceItHolds() async throws {
        let bench = try await DecisionBench()
        try await bench.open()
        try await bench.say(.bind("role"), as: "qq:11")
        #expect(try await bench.draw("qq:11").code == .won)
        try await bench.command(.stop(activity: nil))
        try await bench.open(.sample(oneWinPerGameID: true))
        try await bench.say(.bind("Role"), as: "qq:12")
        #expect(try await bench.draw("qq:12").code == .gameIDUsed)
    }

    @Test func aMissUsesUpNoGameIDAndAVoidedWinGivesItBack() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(maxAttempts: 3, oneWinPerGameID: true, awards: [.normal("gold", number: 1)]))
        for user in ["qq:11", "qq:12"] as [UserID] { try await bench.say(.bind("role"), as: user) }
        let receipt = try #require(try await bench.draw("qq:11").receipt)
        #expect(try await bench.draw("qq:12").code == .gameIDUsed)
        try await bench.command(.void(receipt, reason: "wrong"))
        #expect(try await bench.draw("qq:12").code == .won)
        #expect(try await bench.draw("qq:11").code == .gameIDUsed)
    }

    @Test func aWinKeepsTheGameIDOfItsMoment() async throws {
        let bench = try await TestBench()
        try await bench.running { bench in
            try await bench.open(.sample(oneWinPerGameID: true))
            try await bench.send(.bind("before"), as: "qq:11")
            try await bench.send(.draw, as: "qq:11")
            try await bench.send(.bind("after"), as: "qq:11")
            guard case .ok(.wins(let wins)) = try await bench.send(.myWins, as: "qq:11").outcome else {
                Issue.record("中奖 lists wins")
                return
            }
            #expect(wins.map(\.gameID) == ["before"])
            // Whoever takes the new game id has not won under it.
            try await bench.send(.bind("after"), as: "qq:12")
            #expect(try await bench.send(.draw, as: "qq:12").outcome.code == .won)
        }
    }

    // MARK: Attempts

    @Test(arguments: [1, 3])
    func attemptsAreCountedDownAndThenUsed(_ maximum: Int) async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(maxAttempts: maximum, awards: [.normal("gold", percent: "0")]))
        try await bench.bind("qq:11")
        for attempt in 1...maximum {
            #expect(try await bench.draw("qq:11").attempt?.attemptsLeft == maximum - attempt)
        }
        #expect(try await bench.draw("qq:11") == .attemptsUsed(maximum: maximum))
        #expect(
            try await bench.store.wholeLedger(of: "spring").compactMap(\.draw?.attempt)
                == (1...maximum).map(UInt32.init))
    }

    @Test func absentAttemptsAreUnlimitedUntilTheFirstWin() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(maxAttempts: nil, awards: [.normal("gold", number: 0)]))
        try await bench.bind("qq:11")
        let outcomes = try await bench.together(Array(repeating: .saying(.draw, as: "qq:11"), count: 25))
        #expect(outcomes.allSatisfy { $0.code == .missed && $0.attempt?.attemptsLeft == nil })
        try await bench.command(.setNumber(activity: nil, award: "gold", number: 5))
        #expect(try await bench.draw("qq:11").code == .won)
        #expect(try await bench.draw("qq:11").code == .alreadyWon)
        #expect(
            try await bench.store.wholeLedger(of: "spring").compactMap(\.draw?.attempt) == (1...26).map(UInt32.init))
    }

    @Test func attemptsAreCountedPerActivityAndOverReopenings() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: [.normal("gold", percent: "0")]))
        try await bench.bind("qq:11")
        #expect(try await bench.draw("qq:11").code == .missed)
        try await bench.command(.stop(activity: nil))
        try await bench.command(.start(activity: "spring"))
        #expect(try await bench.draw("qq:11").code == .attemptsUsed)
        try await bench.command(.stop(activity: nil))
        try await bench.open(.sample("autumn", name: "秋日抽奖"))
        #expect(try await bench.draw("qq:11").code == .won)
    }

    @Test func drawsOfOneBatchSeeEachOthersStock() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: [.only("top"), .normal("gold", number: 2), .diBao("bao")]))
        let users = (11...15).map { UserID("qq:\($0)") }
        _ = try await bench.decide(users.map { .saying(.bind("role of \($0)"), as: $0) })
        let outcomes = try await bench.together(users.map { .saying(.draw, as: $0) })
        #expect(outcomes.map(\.award) == ["top", "gold", "gold", "bao", "bao"])
        let entries = try await bench.store.wholeLedger(of: "spring").compactMap(\.draw)
        #expect(entries.map(\.remaining) == [0, 1, 0, nil, nil])
        #expect(try await bench.store.verifiedLedger(of: "spring").holds)
    }

    @Test func everyDrawCarriesItsReceiptAndItsRowsHash() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: [.normal("gold", number: 1)]))
        try await bench.bind("qq:11", "qq:12")
        let attempts = try await bench.together([.saying(.draw, as: "qq:11"), .saying(.draw, as: "qq:12")])
            .compactMap(\.attempt)
        let rows = try await bench.store.wholeLedger(of: "spring")
        #expect(attempts.map(\.receipt) == [Receipt(activity: "spring", seq: 1), Receipt(activity: "spring", seq: 2)])
        #expect(attempts.map(\.rowHash) == rows[1...].map { String($0.hash.hex.prefix(16)) })
    }

    // MARK: 作废

    @Test func aVoidGivesTheCopyAndTheAttemptBack() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: [.only("top")]))
        try await bench.bind("qq:11", "qq:12")
        let receipt = try #require(try await bench.draw("qq:11").receipt)
        #expect(try await bench.draw("qq:12").code == .missed)
        let view = try #require(try await bench.command(.void(receipt, reason: "代抽")).voided)
        #expect(view.remaining == 1)
        #expect(view.award.id == "top")
        #expect(view.reason == "代抽")

        // The same user draws again, with the next number.
        #expect(try await bench.draw("qq:11").code == .won)
        let entries = try await bench.store.wholeLedger(of: "spring").compactMap(\.draw)
        #expect(entries.filter { $0.user == "qq:11" }.map(\.attempt) == [1, 2])
        #expect(try await bench.store.verifiedLedger(of: "spring").holds)
    }

    @Test func attemptNumbersAreNeverReused() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(maxAttempts: 2))
        try await bench.bind("qq:11")
        for _ in 1...4 {
            let receipt = try #require(try await bench.draw("qq:11").receipt)
            try await bench.command(.void(receipt, reason: "again"))
        }
        try await bench.command(.setNumber(activity: nil, award: "gold", number: 0))
        #expect(try await bench.draw("qq:11").attempt?.attemptsLeft == 1)
        #expect(try await bench.draw("qq:11").attempt?.attemptsLeft == 0)
        #expect(try await bench.draw("qq:11").code == .attemptsUsed)
        #expect(try await bench.store.wholeLedger(of: "spring").compactMap(\.draw?.attempt) == [1, 2, 3, 4, 5, 6])
        #expect(try await bench.store.verifiedLedger(of: "spring").holds)
    }

    @Test func whatCannotBeVoidedIsRefusedAndChangesNothing() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: [.normal("gold", number: 1)]))
        try await bench.bind("qq:11", "qq:12")
        let won = try #require(try await bench.draw("qq:11").receipt)
        let missed = try #require(try await bench.draw("qq:12").receipt)
        func refusal(_ receipt: Receipt) async throws -> Refusal? {
            try await bench.command(.void(receipt, reason: "x")).refusal
        }
        #expect(try await refusal(missed) == .notAWin(missed))
        // The opening's own row, a row that is not there, and an activity that is not.
        for unknown in ["spring-0", "spring-99", "autumn-1"] {
            let receipt = try #require(Receipt(unknown))
            #expect(try await refusal(receipt) == .unknownReceipt(unknown))
        }
        #expect(try await bench.command(.void(won, reason: "x")).code == .ok)
        #expect(try await refusal(won) == .alreadyVoided(won))
        let rows = try await bench.store.wholeLedger(of: "spring")
        #expect(rows.map(\.event.type) == [1, 2, 2, 4])
        #expect(try await refusal(Receipt(activity: "spring", seq: 3)) == .unknownReceipt("spring-3"))
    }

    @Test func aVoidAfterTheCloseIsInTheNextOpeningsNumbers() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: [.only("top"), .normal("gold", number: 3)]))
        try await bench.bind("qq:11", "qq:12")
        let top = try #require(try await bench.draw("qq:11").receipt)
        #expect(try await bench.draw("qq:12").award == "gold")
        try await bench.command(.stop(activity: nil))
        try await bench.command(.start(activity: "spring"))
        try await bench.command(.stop(activity: nil))
        #expect(try await bench.command(.void(top, reason: "x")).voided?.remaining == 1)
        try await bench.command(.start(activity: "spring"))
        let numbers = try await bench.store.wholeLedger(of: "spring").compactMap(\.rules).map {
            $0.awards.map(\.number)
        }
        #expect(numbers == [[1, 3], [0, 2], [1, 2]])
        #expect(try await bench.draw("qq:11").award == "top")
        #expect(try await bench.store.verifiedLedger(of: "spring").holds)
    }

    @Test func aVoidedDiBaoGivesNothingBackButTheAttempt() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: [.diBao("bao")]))
        try await bench.bind("qq:11")
        let receipt = try #require(try await bench.draw("qq:11").receipt)
        let view = try #require(try await bench.command(.void(receipt, reason: "x")).voided)
        #expect(view.remaining == nil)
        #expect(try await bench.draw("qq:11").award == "bao")
        #expect(try await bench.command(.stop(activity: nil)).stopped?.awards.map(\.issued) == [1])
        #expect(try await bench.store.verifiedLedger(of: "spring").holds)
    }

    @Test func countsOfUsersAndDrawsAreKept() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(maxAttempts: 2, awards: [.normal("gold", number: 1)]))
        try await bench.bind("qq:11", "qq:12")
        let receipt = try #require(try await bench.draw("qq:11").receipt)
        _ = try await bench.together([.saying(.draw, as: "qq:12"), .saying(.draw, as: "qq:12")])
        try await bench.command(.void(receipt, reason: "x"))
        try await bench.draw("qq:11")
        try await bench.restart()
        guard case .ok(.activity(let view)) = try await bench.say(.activity, as: "qq:12") else {
            Issue.record("活动 shows the open activity")
            return
        }
        #expect((view.userCount, view.drawCount) == (2, 4))
        #expect(view.openedAt == noon)
        let totals = try #require(try await bench.command(.stop(activity: nil)).stopped)
        #expect((totals.userCount, totals.drawCount, totals.winCount) == (2, 4, 1))
    }
}
