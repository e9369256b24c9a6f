import Basics
import Lottery
import TestSupport
import Testing
import TrafficGate

@testable import Activities

/// Answers are kept as code, receipt and parameters, and come back as they were.
struct StoredAnswerTests {
    private static let activity = Activity.sample(awards: [.normal("gold", prefix: "一等奖"), .diBao("bao")])
    private static let gold = AwardLabel(id: "gold", prefix: "一等奖", name: "gold")
    private static let receipt = Receipt(activity: "spring", seq: 7)
    private static let odd = "\"\\\u{0}\u{1F}/剑\u{1F9E7} </script>\n"
    private static let win = Win(
        activityName: odd, award: gold, receipt: receipt, gameID: odd, wonAt: noon, voidedAt: noon)

    private static func attempt(_ award: AwardLabel?, left: Int?) -> DrawnAttempt {
        DrawnAttempt(
            activityName: "春节抽奖", award: award, receipt: receipt, rowHash: "0123456789abcdef", attemptsLeft: left)
    }

    static let answers: [Answer] = [
        .bound(gameID: odd, previous: nil), .bound(gameID: "a", previous: odd), .unbound(gameID: odd),
        .binding(gameID: odd), .wins([]), .wins([win]),
        .winners(
            WinnersPage(page: 1, pageCount: 2, winnerCount: 11, winners: [.init(gameID: odd, wins: [win])])),
        .pool(
            PoolView(
                activityName: odd,
                awards: [
                    .init(
                        label: gold, kind: .NORNAL, percent: Percent("33.3333") ?? .zero, effectiveOdds: 1.0 / 3,
                        remaining: 3, number: 1_000_000_000),
                    .init(
                        label: gold, kind: .DI_BAO, percent: .zero, effectiveOdds: 0.1 + 0.2, remaining: nil,
                        number: nil),
                ], missOdds: 1e-300)),
        .activity(
            ActivityView(
                name: odd, openedAt: noon, endsAt: nil, userCount: 1, drawCount: 2, maxAttempts: nil, round: 3,
                commitment: "ab")),
        .place(isIn: true), .place(isIn: false), .left(hadPlace: true), .left(hadPlace: false),
        .verification(
            VerificationView(
                activityName: odd, receipt: receipt, round: 1, attempt: 2, drawnAt: noon, award: nil, isVoided: true,
                rowHash: "a", commitment: "b", user: "qq:1", salt: "c", seed: "d",
                steps: [
                    .init(award: gold, word: .max, threshold: nil, fate: .soldOut),
                    .init(award: gold, word: 1 << 63, threshold: .max - 1, fate: .won),
                ])),
        .help(nil), .help(.draw),
        .myData(
            UserData(user: "qq:\u{301}", gameID: nil, wins: [win], missCount: 1, messageCount: 2, hasSession: true)),
        .erased,
        .started(
            StartView(
                activityName: odd, round: 1, commitment: "a", head: "b",
                warnings: [.oddsGap(missChance: 0.1 + 0.2), .unlimitedAttempts], endsAt: noon)),
        .stopped(
            StopView(
                activityName: odd, round: 1, userCount: 2, drawCount: 3, winCount: 4,
                awards: [.init(label: gold, issued: 1, remaining: nil)], seed: "a", head: "b")),
        .activities(
            ActivityStatus.allCases.map {
                ActivityListItem(id: "a", name: odd, status: $0, startsAt: noon, endsAt: nil, drawCount: 1)
            }, hasOthers: true),
        .imported(ImportView(id: "a", name: odd, awardCount: 1, effect: .created)),
        .imported(ImportView(id: "a", name: odd, awardCount: 1, effect: .replaced)),
        .imported(ImportView(id: "a", name: odd, awardCount: 1, effect: .unchanged)),
        .numberSet(
            NumberView(activityName: odd, award: gold, oldNumber: 1, number: 2, remaining: 0, commitment: nil)),
        .traffic(
            GateSummary(
                activeUsers: 1, queuedUsers: 2, capacity: 3, maintenance: true, totalRequests: 4, rejectedRequests: 5,
                averageSessionSeconds: nil, wait: .seconds(1...9))),
        .trafficSet(key: "k", old: odd, new: ""), .maintenance(isOn: true, reason: odd),
        .maintenance(isOn: false, reason: nil),
        .voided(
            VoidView(activityName: odd, receipt: receipt, award: gold, reason: odd, remaining: nil, mayDrawAgain: false)
        ),
        .exported(activityName: odd, files: [odd, "b"]),
    ]

    static let refusals: [Refusal] =
        [
            ArgumentFault.missing, .unexpected, .tooLong(maximumSize: 4096), .notPrintable, .notANumber,
            .outOfRange(minimum: -1, maximum: 1_000_000_000), .notAReceipt, .notASwitch, .unknownCommand,
        ].map { .argument(.setNumber, $0) } + [
            .messageTooLong(.bind), .messageKeyReused, .unknownActivity(name: odd), .nothingOpen,
            .notOpen(activityName: odd), .unknownAward(name: odd, activityName: odd),
            .ambiguousAward(name: odd, ids: ["a", "b"]),
            .cannotStart(
                activityName: odd,
                [
                    .alreadyOpen, .noAwards, .overlaps(activityName: odd), .onlyNumber(gold, number: 3),
                    .twoDiBao,
                ]),
            .numberOfOnly(gold), .numberOfDiBao(gold), .numberBelowIssued(gold, issued: 2), .unknownReceipt(odd),
            .notAWin(receipt), .alreadyVoided(receipt), .trafficSetting(.unknownKey(odd)),
            .trafficSetting(.invalidValue(key: "a", value: odd, expected: .integer(1...10))),
            .trafficSetting(.invalidValue(key: "a", value: odd, expected: .boolean)),
            .trafficSetting(.invalidValue(key: "a", value: odd, expected: .timeZone)),
            .importFaults(
                file: odd,
                faults: [
                    ImportFault(line: nil, chinese: odd, english: "b"),
                    ImportFault(line: 3, chinese: "c", english: "d"),
                ]),
            .fileNotFound(file: odd, available: []), .fileUnreadable(file: odd), .importWhileOpen(activityName: odd),
            .importDropsWonAward(gold), .importBelowIssued(gold, issued: 3), .importNameTaken(name: odd, by: "a"),
            .exportFailed(activityName: odd),
        ]

    static let outcomes: [Outcome] =
        [
            .won(attempt(gold, left: 0)), .missed(attempt(nil, left: 2)), .missed(attempt(nil, left: nil)),
            .alreadyWon(win), .gameIDUsed(gameID: odd), .attemptsUsed(maximum: 3), .erasedBefore, .notBound,
            .noActivity,
            .queued(Place(position: 3, wait: .unknown)), .queued(Place(position: 1, wait: .seconds(3...5))),
            .blocked(.ipSessions), .blocked(.queueFull), .blocked(.noSession), .maintenance(reason: nil),
            .maintenance(reason: odd), .rateLimited(perMinute: 30), .busy, .notPermitted(.stop),
            .unknownCommand(suggestion: nil), .unknownCommand(suggestion: .draw), .ignored,
        ] + refusals.map { .badArgument($0) } + answers.map { .ok($0) }

    @Test(arguments: outcomes)
    func everyOutcomeComesBackAsItWas(_ outcome: Outcome) {
        let stored = StoredAnswer(.answered(outcome))
        #expect(stored.code == outcome.code)
        #expect(stored.receipt == outcome.receipt)
        #expect(stored.decision { $0 == "spring" ? Self.activity : nil } == .answered(outcome))
    }

    @Test func theTableHasEveryCode() {
        #expect(Set(Self.outcomes.map(\.code)) == Set(OutcomeCode.allCases))
    }

    @Test(arguments: [
        Reading.wins("qq:1"), .winners(activities: ["a", "b"], page: 3), .winners(activities: [], page: 1),
        .verification(receipt, viewer: "qq:1", isAdmin: true), .userData("qq:\u{1F9E7}", hasSession: false),
        .export("a", name: odd),
    ])
    func everyReadingComesBackAsItWas(_ reading: Reading) {
        let stored = StoredAnswer(.reading(reading))
        #expect(stored.decision { _ in nil } == .reading(reading))
    }

    @Test func awardsOfAnActivityThatIsGoneAreNamedByTheirIDs() {
        let stored = StoredAnswer(.answered(.won(Self.attempt(Self.gold, left: 0))))
        guard case .answered(.won(let attempt))? = stored.decision(activity: { _ in nil }) else {
            Issue.record("a win stays a win")
            return
        }
        #expect(attempt.activityName == "spring")
        #expect(attempt.award == AwardLabel(id: "gold", prefix: "", name: "gold"))
    }

    @Test func parametersThatCannotBeReadGiveNothing() {
        for code in [OutcomeCode.won, .missed, .ok, .queued, .badArgument] {
            for parameters in [nil, "", "{", "{}", "[]", "{\"outcome\":{\"other\":{}}}"] {
                let stored = StoredAnswer(code: code, receipt: nil, parameters: parameters)
                #expect(stored.decision { _ in nil } == nil)
            }
        }
    }

    @Test func theWordingAndTheNamesOfAnAttemptAreNotStored() {
        let parameters = StoredAnswer(.answered(.won(Self.attempt(Self.gold, left: 0)))).parameters
        #expect(parameters == #"{"award":"gold","hash":"0123456789abcdef","left":0}"#)
    }
}
