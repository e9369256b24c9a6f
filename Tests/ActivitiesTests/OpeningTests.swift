import Activities
import Basics
import Lottery
import TestSupport
import Testing

/// 抽奖开始 and 抽奖结束.
struct OpeningTests {
    // MARK: Faults

    @Test(arguments: [
        (Activity.sample(awards: []), [StartFault.noAwards]),
        (
            .sample(awards: [.only("top", number: 3)]),
            [.onlyNumber(AwardLabel(id: "top", prefix: "", name: "top"), number: 3)]
        ),
        (
            .sample(awards: [.only("top", number: 0)]),
            [.onlyNumber(AwardLabel(id: "top", prefix: "", name: "top"), number: 0)]
        ),
        (.sample(awards: [.diBao("a"), .diBao("b")]), [.twoDiBao]),
        (
            .sample(awards: [.only("x", number: 2), .diBao("a"), .only("y", number: 0), .diBao("b")]),
            [
                .onlyNumber(AwardLabel(id: "x", prefix: "", name: "x"), number: 2),
                .onlyNumber(AwardLabel(id: "y", prefix: "", name: "y"), number: 0), .twoDiBao,
            ]
        ),
    ])
    func faultyRulesDoNotOpen(_ activity: Activity, _ faults: [StartFault]) async throws {
        let bench = try await DecisionBench()
        try await bench.put(activity)
        let outcome = try await bench.command(.start(activity: "spring"))
        #expect(outcome.refusal == .cannotStart(activityName: "春节抽奖", faults))
        #expect(try await bench.store.wholeLedger(of: "spring").isEmpty)
        #expect(try await bench.draw("qq:11") == .noActivity)
    }

    @Test func anUnknownActivityAndAnOpenOneAreRefused() async throws {
        let bench = try await DecisionBench()
        #expect(
            try await bench.command(.start(activity: "nothing")).refusal == .unknownActivity(name: "nothing"))
        try await bench.open()
        #expect(
            try await bench.command(.start(activity: "spring")).refusal
                == .cannotStart(activityName: "春节抽奖", [.alreadyOpen]))
    }

    @Test(arguments: [
        (Scope.everywhere, Scope.everywhere, true),
        (.everywhere, .chats(["qq:2"]), true),
        (.chats(["qq:1"]), .everywhere, true),
        (.chats(["qq:1", "qq:2"]), .chats(["qq:2", "qq:3"]), true),
        (.chats(["qq:1"]), .chats(["qq:2"]), false),
        (.chats(["qq:\u{E9}"]), .chats(["qq:e\u{301}"]), false),
        (.chats([]), .everywhere, true),
    ])
    func atMostOneActivityIsOpenForAChat(_ first: Scope, _ second: Scope, _ isConflict: Bool) async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample("a", name: "甲", scope: first))
        try await bench.put(.sample("b", name: "乙", scope: second))
        let outcome = try await bench.command(.start(activity: "乙"))
        #expect(
            outcome.refusal
                == (isConflict ? .cannotStart(activityName: "乙", [.overlaps(activityName: "甲")]) : nil))
        guard isConflict else { return }
        try await bench.command(.stop(activity: "甲"))
        #expect(try await bench.command(.start(activity: "乙")).code == .ok)
    }

    @Test func eachChatDrawsInItsOwnActivityAndPrivateTalksOnlyInAnOpenScope() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample("a", name: "甲", scope: .chats(["qq:1"])))
        try await bench.open(.sample("b", name: "乙", scope: .chats(["qq:2"])))
        try await bench.bind("qq:11")
        #expect(try await bench.draw("qq:11", in: "qq:1").attempt?.receipt.activity == "a")
        #expect(try await bench.draw("qq:11", in: "qq:2").attempt?.receipt.activity == "b")
        #expect(try await bench.draw("qq:11", in: "qq:3") == .noActivity)
        #expect(try await bench.draw("qq:11", in: nil) == .noActivity)
        try await bench.command(.stop(activity: "甲"))
        try await bench.command(.stop(activity: "乙"))
        try await bench.open(.sample("c", name: "丙"))
        #expect(try await bench.draw("qq:11", in: nil).attempt?.receipt.activity == "c")
    }

    // MARK: Warnings

    @Test(arguments: [
        ([ActivityAward.normal("a", percent: "25")], Optional(1), [StartWarning.oddsGap(missChance: 0.75)]),
        ([.normal("a", percent: "50"), .normal("b", percent: "50")], 1, [.oddsGap(missChance: 0.25)]),
        ([.normal("a", percent: "25"), .diBao("bao")], 1, []),
        ([.normal("a", percent: "25"), .diBao("bao")], nil, [.unlimitedAttempts]),
        ([.normal("a", percent: "100")], 1, []),
        // Rounding must not make a gap where the last award always hits.
        (
            [
                .normal("a", percent: "0.1"), .normal("b", percent: "0.3"), .normal("c", percent: "33.3333"),
                .normal("d", percent: "7"), .normal("e", percent: "100"),
            ], 1, []
        ),
        ([.normal("a", percent: "100", number: 0)], nil, [.oddsGap(missChance: 1), .unlimitedAttempts]),
    ])
    func gapsAndUnlimitedAttemptsAreWarnedOf(
        _ awards: [ActivityAward], _ maxAttempts: Int?, _ warnings: [StartWarning]
    ) async throws {
        let bench = try await DecisionBench()
        #expect(try await bench.open(.sample(maxAttempts: maxAttempts, awards: awards))?.warnings == warnings)
    }

    // MARK: Names

    @Test(arguments: ["Spring Draw １", "spring draw 1", "ＳＰＲＩＮＧ　draw 1".replacing("\u{3000}", with: " "), "s-1", "S-1"])
    func anActivityIsFoundByItsNameOrIDFolded(_ text: String) async throws {
        let bench = try await DecisionBench()
        try await bench.put(.sample("s-1", name: "Spring Draw １"))
        #expect(try await bench.command(.start(activity: text)).started?.activityName == "Spring Draw １")
    }

    @Test func anExactNameWinsOverAFoldedOneAndAFoldedTieIsUnknown() async throws {
        let bench = try await DecisionBench()
        try await bench.put(.sample("a", name: "Draw"))
        try await bench.put(.sample("b", name: "DRAW"))
        #expect(
            try await bench.command(.start(activity: "draw")).refusal == .unknownActivity(name: "draw"))
        #expect(try await bench.command(.start(activity: "DRAW")).started?.activityName == "DRAW")
    }

    // MARK: Rounds

    @Test func theCommitmentBindsTheRevealedSeedAndTheRules() async throws {
        let bench = try await DecisionBench()
        let started = try #require(
            try await bench.open(.sample(awards: [.only("top", percent: "0.5"), .normal("gold"), .diBao("bao")])))
        var rows = try await bench.store.wholeLedger(of: "spring")
        #expect(started.round == 1)
        #expect(started.head == rows.last?.hash.hex)
        #expect(!rows.map(\.canonicalText).joined().contains("seed"))
        let stopped = try #require(try await bench.command(.stop(activity: nil)).stopped)
        rows = try await bench.store.wholeLedger(of: "spring")
        #expect(stopped.head == rows.last?.hash.hex)
        let seed = try #require(hexBytes(stopped.seed).flatMap { RoundSeed($0) })
        let rules = RoundRules(
            activity: "spring", maxAttempts: 1, oneWinPerGameID: false,
            awards: [
                .init(
                    id: "top", kind: .ONLY, percent: try #require(Percent("0.5")), number: 1, prefix: "", name: "top"),
                .init(
                    id: "gold", kind: .NORNAL, percent: try #require(Percent("100")), number: 10, prefix: "",
                    name: "gold"),
                .init(id: "bao", kind: .DI_BAO, percent: .zero, number: nil, prefix: "", name: "bao"),
            ])
        #expect(rules.commitment(round: 1, seed: seed).hex == started.commitment)
    }

    @Test func reopeningContinuesWithANewSeed() async throws {
        let bench = try await DecisionBench()
        let first = try #require(try await bench.open(.sample(awards: [.normal("gold", number: 2)])))
        try await bench.bind("qq:11", "qq:12", "qq:13")
        #expect(try await bench.draw("qq:11").code == .won)
        let firstSeed = try await bench.command(.stop(activity: nil)).stopped?.seed
        bench.now = noon.advanced(bySeconds: 3600)
        try await bench.restart()
        let second = try #require(try await bench.command(.start(activity: "spring")).started)
        #expect((first.round, second.round) == (1, 2))
        #expect(first.commitment != second.commitment)
        #expect(try await bench.draw("qq:11").code == .alreadyWon)
        #expect(try await bench.draw("qq:12").code == .won)
        #expect(try await bench.draw("qq:13").code == .missed)
        let stopped = try #require(try await bench.command(.stop(activity: "春节抽奖")).stopped)
        #expect(stopped.seed != firstSeed)
        #expect(stopped.round == 2)
        #expect(stopped.awards.map(\.issued) == [2])
        #expect(stopped.awards.map(\.remaining) == [0])
        let report = try await bench.store.verifiedLedger(of: "spring", head: stopped.head)
        #expect(report.holds)
        #expect(report.rounds.map(\.beginning) == [.opened, .reopened])
        #expect(report.recomputedCount == 3)
    }

    @Test func stoppingNeedsSomethingOpen() async throws {
        let bench = try await DecisionBench()
        #expect(try await bench.command(.stop(activity: nil)).refusal == .nothingOpen)
        #expect(try await bench.command(.stop(activity: "x")).refusal == .unknownActivity(name: "x"))
        try await bench.put(.sample())
        #expect(try await bench.command(.stop(activity: "spring")).refusal == .notOpen(activityName: "春节抽奖"))
        try await bench.open(.sample("there", name: "那边", scope: .chats(["qq:2"])))
        #expect(try await bench.command(.stop(activity: nil)).refusal == .nothingOpen)
        #expect(try await bench.command(.stop(activity: nil), in: nil).refusal == .nothingOpen)
        #expect(try await bench.command(.stop(activity: nil), in: "qq:2").stopped?.activityName == "那边")
        #expect(try await bench.command(.stop(activity: "那边")).refusal == .notOpen(activityName: "那边"))
    }

    // MARK: Views

    @Test func thePoolShowsConfiguredAndEffectiveOdds() async throws {
        let bench = try await DecisionBench()
        try await bench.open(
            .sample(awards: [.only("top", percent: "50"), .normal("gold", percent: "50"), .diBao("bao")]))
        guard case .ok(.pool(let view)) = try await bench.say(.pool, as: "qq:11") else {
            Issue.record("奖池 shows the open activity")
            return
        }
        #expect(view.awards.map(\.effectiveOdds) == [0.5, 0.25, 0.25])
        #expect(view.awards.map(\.remaining) == [1, 10, nil])
        #expect(view.awards.map(\.number) == [1, 10, nil])
        #expect(view.missOdds == 0)
        #expect(try await bench.say(.pool, as: "qq:11", in: nil).code == .ok)
        try await bench.command(.stop(activity: nil))
        #expect(try await bench.say(.pool, as: "qq:11") == .noActivity)
        #expect(try await bench.say(.activity, as: "qq:11") == .noActivity)
    }

    @Test func activitiesAreListedWhereTheyBelong() async throws {
        let bench = try await DecisionBench()
        try await bench.put(.sample("a", name: "甲"))
        try await bench.put(.sample("b", name: "乙", scope: .chats(["qq:1"])))
        try await bench.command(.start(activity: "乙"))
        func list(_ place: ChatID?) async throws -> [ActivityID] {
            guard case .ok(.activities(let items, _)) = try await bench.command(.activities, in: place) else {
                return []
            }
            return items.map(\.id)
        }
        #expect(try await list("qq:1") == ["a", "b"])
        #expect(try await list("qq:2") == ["a"])
        #expect(try await list(nil) == ["a"])
    }
}
