import Activities
import Basics
import Lottery
import TestSupport
import Testing

/// 奖品数量
struct StockNumberTests {
    private static let awards: [ActivityAward] = [
        .only("top"), .normal("gold", number: 5, prefix: "一等奖", name: "Skin Ｂ"),
        .normal("silver", number: 5, prefix: "二等奖", name: "皮肤"),
        .normal("bronze", number: 5, prefix: "三等奖", name: "皮肤"), .diBao("bao"),
    ]

    private func bench() async throws -> DecisionBench {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: Self.awards))
        return bench
    }

    @Test(arguments: ["gold", "一等奖", "Skin Ｂ", "skin b", "SKIN B"])
    func anAwardIsNamedByIDPrefixOrName(_ text: String) async throws {
        let bench = try await bench()
        let view = try #require(
            try await bench.command(.setNumber(activity: nil, award: text, number: 9)).numberSet)
        #expect(view.award.id == "gold")
        #expect((view.oldNumber, view.number, view.remaining) == (5, 9, 9))
    }

    @Test func anIDWinsOverAnotherAwardsName() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: [.normal("a", name: "b"), .normal("b", name: "a")]))
        let view = try await bench.command(.setNumber(activity: nil, award: "b", number: 1)).numberSet
        #expect(view?.award.id == "b")
    }

    @Test func whatCannotBeSetIsRefusedAndChangesNothing() async throws {
        let bench = try await bench()
        func refusal(_ award: String, _ number: Int, in activity: String? = nil) async throws -> Refusal? {
            try await bench.command(.setNumber(activity: activity, award: award, number: number)).refusal
        }
        #expect(try await refusal("皮肤", 9) == .ambiguousAward(name: "皮肤", ids: ["silver", "bronze"]))
        #expect(try await refusal("铜", 9) == .unknownAward(name: "铜", activityName: "春节抽奖"))
        #expect(try await refusal("top", 1) == .numberOfOnly(AwardLabel(id: "top", prefix: "", name: "top")))
        #expect(try await refusal("bao", 1) == .numberOfDiBao(AwardLabel(id: "bao", prefix: "", name: "bao")))
        #expect(try await refusal("gold", 9, in: "秋") == .unknownActivity(name: "秋"))
        let range = ArgumentFault.outOfRange(minimum: 0, maximum: 1_000_000_000)
        #expect(try await refusal("gold", 1_000_000_001) == .argument(.setNumber, range))
        #expect(try await refusal("gold", -1) == .argument(.setNumber, range))
        #expect(
            try await bench.command(.setNumber(activity: nil, award: "gold", number: 1), in: "qq:2").code == .ok)
        #expect(try await bench.store.wholeLedger(of: "spring").map(\.event.type) == [1, 3, 1])
    }

    @Test func noActivityHereIsSaid() async throws {
        let bench = try await DecisionBench()
        try await bench.put(.sample())
        #expect(
            try await bench.command(.setNumber(activity: nil, award: "gold", number: 1)).refusal == .nothingOpen)
    }

    @Test("hardening row 71: a number does not pass what is issued") func aNumberMayReachButNotPassWhatIsIssued()
        async throws
    {
        let bench = try await DecisionBench()
        try await bench.open(.sample())
        try await bench.bind("qq:11", "qq:12", "qq:13")
        let receipt = try #require(try await bench.draw("qq:11").receipt)
        try await bench.draw("qq:12")
        let refusal = Refusal.numberBelowIssued(AwardLabel(id: "gold", prefix: "", name: "gold"), issued: 2)
        #expect(try await bench.command(.setNumber(activity: nil, award: "gold", number: 1)).refusal == refusal)
        let view = try await bench.command(.setNumber(activity: nil, award: "gold", number: 2)).numberSet
        #expect(view?.remaining == 0)
        #expect(try await bench.draw("qq:13").code == .missed)
        // A voided win is not issued any more.
        try await bench.command(.void(receipt, reason: "x"))
        #expect(try await bench.command(.setNumber(activity: nil, award: "gold", number: 1)).numberSet?.remaining == 0)
        #expect(try await bench.store.verifiedLedger(of: "spring").holds)
    }

    @Test func aNewNumberWhileOpenIsANewRound() async throws {
        let bench = try await DecisionBench()
        let started = try #require(try await bench.open(.sample(awards: [.normal("gold", number: 1)])))
        try await bench.bind("qq:11", "qq:12")
        #expect(try await bench.draw("qq:11").code == .won)
        bench.now = noon.advanced(bySeconds: 60)
        let view = try #require(
            try await bench.command(.setNumber(activity: nil, award: "gold", number: 3)).numberSet)
        #expect(view.remaining == 2)
        #expect(view.commitment != started.commitment)
        #expect(try await bench.draw("qq:12").code == .won)

        let rows = try await bench.store.wholeLedger(of: "spring")
        #expect(rows.map(\.event.type) == [1, 2, 3, 1, 2])
        guard case .open(let round, let rules, let commitment) = rows[3].event else { return }
        #expect(round == 2)
        #expect(rules.awards.map(\.number) == [2])
        #expect(commitment.hex == view.commitment)
        guard case .ok(.activity(let activity)) = try await bench.say(.activity, as: "qq:11") else {
            Issue.record("活动 shows the open activity")
            return
        }
        // The activity has been open all the time.
        #expect(activity.openedAt == noon)
        #expect(activity.commitment == view.commitment)
        let report = try await bench.store.verifiedLedger(of: "spring")
        #expect(report.holds)
        #expect(report.rounds.last?.beginning == .rulesChanged([.number("gold", from: 0, to: 2)]))
    }

    @Test func anUnchangedNumberBeginsNoRound() async throws {
        let bench = try await DecisionBench()
        try await bench.open()
        let view = try await bench.command(.setNumber(activity: nil, award: "gold", number: 10)).numberSet
        #expect(view?.commitment == nil)
        #expect(try await bench.store.wholeLedger(of: "spring").count == 1)
    }

    @Test func aClosedActivityTakesTheNumberWithoutARound() async throws {
        let bench = try await DecisionBench()
        try await bench.put(.sample())
        let view = try #require(
            try await bench.command(.setNumber(activity: "春节抽奖", award: "gold", number: 7)).numberSet)
        #expect(view.commitment == nil)
        #expect(view.remaining == 7)
        #expect(try await bench.store.wholeLedger(of: "spring").isEmpty)
        try await bench.restart()
        try await bench.command(.start(activity: "spring"))
        #expect(try await bench.store.wholeLedger(of: "spring").first?.rules?.awards.map(\.number) == [7])
    }
}
