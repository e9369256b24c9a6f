import Activities
import Basics
import Lottery
import TestSupport
import Testing

/// 活动导入
struct ImportTests {
    @Test func aFileIsCreatedThenUnchangedThenReplaced() async throws {
        let bench = try await DecisionBench()
        let activity = Activity.sample(startsAt: noon.advanced(bySeconds: 86_400))
        #expect(try await bench.put(activity).imported?.effect == .created)
        #expect(try await bench.put(activity).imported?.effect == .unchanged)
        try await bench.restart()
        #expect(try await bench.put(activity).imported?.effect == .unchanged)
        let view = try await bench.put(.sample(awards: [.normal("gold"), .diBao("bao")])).imported
        #expect(view == ImportView(id: "spring", name: "春节抽奖", awardCount: 2, effect: .replaced))
        #expect(try await bench.store.wholeLedger(of: "spring").isEmpty)
    }

    @Test func whileOpenOnlyTheIdenticalFileIsAccepted() async throws {
        let bench = try await DecisionBench()
        try await bench.open()
        #expect(try await bench.put(.sample()).imported?.effect == .unchanged)
        #expect(try await bench.put(.sample(maxAttempts: 2)).refusal == .importWhileOpen(activityName: "春节抽奖"))
        try await bench.bind("qq:11")
        #expect(try await bench.draw("qq:11").attempt?.activityName == "春节抽奖")
        #expect(try await bench.draw("qq:11").code == .alreadyWon)
    }

    @Test func whatWasIssuedStaysWithItsAward() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: [.normal("gold", number: 1), .normal("silver", number: 5)]))
        try await bench.bind("qq:11", "qq:12", "qq:13")
        #expect(try await bench.draw("qq:11").award == "gold")
        #expect(try await bench.draw("qq:12").award == "silver")
        try await bench.command(.stop(activity: nil))
        // Another order, another number, another percent, a new award, a new name of the activity.
        let replaced = try await bench.open(
            .sample(
                name: "新春抽奖",
                awards: [
                    .normal("silver", number: 3), .normal("iron", percent: "1"),
                    .normal("gold", percent: "3", number: 2),
                ]))
        #expect(replaced?.round == 2)
        let rows = try await bench.store.wholeLedger(of: "spring")
        #expect(rows.last?.rules?.awards.map(\.number) == [2, 10, 1])
        #expect(try await bench.draw("qq:11").code == .alreadyWon)
        #expect(try await bench.draw("qq:13").award == "silver")
        try await bench.restart()
        #expect(try await bench.command(.stop(activity: nil)).stopped?.awards.map(\.issued) == [2, 0, 1])
        #expect(try await bench.store.verifiedLedger(of: "spring").holds)
    }

    @Test func anAwardThatWasEverWonStaysUnderItsName() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: [.normal("gold"), .normal("never", percent: "1")]))
        try await bench.bind("qq:11")
        let receipt = try #require(try await bench.draw("qq:11").receipt)
        try await bench.command(.void(receipt, reason: "x"))
        try await bench.command(.stop(activity: nil))
        let gold = AwardLabel(id: "gold", prefix: "", name: "gold")
        #expect(try await bench.put(.sample(awards: [.normal("never")])).refusal == .importDropsWonAward(gold))
        #expect(
            try await bench.put(.sample(awards: [.normal("gold", name: "Gold")])).refusal == .importDropsWonAward(gold))
        // The prefix may change; what nobody won may go.
        #expect(
            try await bench.put(.sample(awards: [.normal("gold", prefix: "特等奖")])).imported?.effect == .replaced)
    }

    @Test("hardening row 71: a number below what is issued is refused") func aNumberBelowWhatIsIssuedIsRefused()
        async throws
    {
        let bench = try await DecisionBench()
        try await bench.open()
        try await bench.bind("qq:11", "qq:12")
        try await bench.draw("qq:11")
        try await bench.draw("qq:12")
        try await bench.command(.stop(activity: nil))
        let gold = AwardLabel(id: "gold", prefix: "", name: "gold")
        for awards in [[ActivityAward.normal("gold", number: 1)], [.only("gold")]] {
            #expect(
                try await bench.put(.sample(awards: awards)).refusal
                    == .importBelowIssued(gold, issued: 2))
        }
        #expect(try await bench.put(.sample(awards: [.normal("gold", number: 2)])).imported?.effect == .replaced)
    }

    @Test func aNameBelongsToOneActivity() async throws {
        let bench = try await DecisionBench()
        try await bench.put(.sample("a", name: "甲"))
        #expect(try await bench.put(.sample("b", name: "甲")).refusal == .importNameTaken(name: "甲", by: "a"))
        #expect(try await bench.put(.sample("a", name: "乙")).imported?.effect == .replaced)
        #expect(try await bench.put(.sample("b", name: "甲")).imported?.effect == .created)
    }

    @Test func aFileThatIsNotThereOrFaultyIsAnswered() async throws {
        let bench = try await DecisionBench()
        bench.library.put(.sample(), as: "a.yaml")
        #expect(
            try await bench.command(.importActivity(file: "b.yaml")).refusal
                == .fileNotFound(file: "b.yaml", available: ["a.yaml"]))
        // What the library says is passed on as it is.
        var machine = bench.machine
        var entropy = SeededGenerator(seed: 1)
        let faults = Refusal.importFaults(
            file: "c.yaml", faults: [ImportFault(line: 3, chinese: "数量不对", english: "bad number")])
        let item = BatchItem(
            .saying(.importActivity(file: "c.yaml"), as: admin, isAdmin: true),
            importing: .failure(ImportRefusal(faults)))
        _ = machine.prepare([item], now: noon, entropy: &entropy)
        let (changes, decided) = machine.decide([item], facts: Facts(), now: noon, entropy: &entropy)
        #expect(decided.map(\.decision) == [.answered(.badArgument(faults))])
        #expect(changes.activities.isEmpty)
        #expect(changes.audit.map(\.result) == [.badArgument])
    }

    @Test func awardsThatDifferOnlyInTheirNormalFormAreNotIdentical() async throws {
        let bench = try await DecisionBench()
        try await bench.put(.sample(awards: [.normal("gold", name: "caf\u{E9}")]))
        let view = try await bench.put(.sample(awards: [.normal("gold", name: "cafe\u{301}")])).imported
        #expect(view?.effect == .replaced)
    }
}
