import Activities
import Basics
import Lottery
import TrafficGate

/// At least one of every outcome, answer, refusal and fault.
enum Samples {
    static let label = AwardLabel(id: "gold", prefix: "一等奖", name: "游戏主机")
    static let bare = AwardLabel(id: "lucky", prefix: "", name: "金币")
    static let at = Instant(milliseconds: 1_800_000_000_000)
    static let hash = String(repeating: "0123456789abcdef", count: 4)
    static let win = Win(
        activityName: "春节抽奖", award: label, receipt: receipt, gameID: "剑侠客", wonAt: at)
    static let voidedWin = Win(
        activityName: "春节抽奖", award: bare, receipt: receipt, gameID: "剑侠客", wonAt: at, voidedAt: at)

    static func attempt(_ award: AwardLabel?, left: Int?) -> DrawnAttempt {
        DrawnAttempt(
            activityName: "春节抽奖", award: award, receipt: receipt, rowHash: "0123456789abcdef", attemptsLeft: left)
    }

    static let outcomes: [Outcome] =
        [
            .won(attempt(label, left: 0)), .missed(attempt(nil, left: 2)), .missed(attempt(nil, left: 0)),
            .missed(attempt(nil, left: nil)), .alreadyWon(win), .gameIDUsed(gameID: "剑侠客"), .attemptsUsed(maximum: 3),
            .erasedBefore,
            .notBound, .noActivity, .queued(Place(position: 1, wait: .unknown)),
            .queued(Place(position: 42, wait: .seconds(30...90))),
            .queued(Place(position: 42, wait: .seconds(30...30))),
            .queued(Place(position: 9999, wait: .seconds(600...1500))),
            .queued(Place(position: 9999, wait: .seconds(240...240))), .blocked(.ipSessions), .blocked(.queueFull),
            .blocked(.noSession), .maintenance(reason: nil), .maintenance(reason: "升级"), .rateLimited(perMinute: 30),
            .busy, .notPermitted(.start), .unknownCommand(suggestion: nil), .unknownCommand(suggestion: .draw),
        ] + answers.map { .ok($0) } + refusals.map { .badArgument($0) }

    static let answers: [Answer] = [
        .bound(gameID: "剑侠客", previous: nil), .bound(gameID: "剑侠客", previous: "路人甲"), .unbound(gameID: "剑侠客"),
        .binding(gameID: "剑侠客"), .wins([]), .wins([win, voidedWin]),
        .winners(WinnersPage(page: 1, pageCount: 0, winnerCount: 0, winners: [])),
        .winners(
            WinnersPage(
                page: 1, pageCount: 2, winnerCount: 11,
                winners: [.init(gameID: "剑侠客", wins: [win, voidedWin]), .init(gameID: "", wins: [win])])),
        .pool(
            PoolView(
                activityName: "春节抽奖",
                awards: [
                    .init(
                        label: label, kind: .ONLY, percent: Percent("0.5") ?? .zero, effectiveOdds: 0.005, remaining: 1,
                        number: 1),
                    .init(
                        label: bare, kind: .DI_BAO, percent: .zero, effectiveOdds: 0.995, remaining: nil, number: nil),
                ], missOdds: 0.25)),
        .activity(
            ActivityView(
                name: "春节抽奖", openedAt: at, endsAt: at, userCount: 3, drawCount: 4, maxAttempts: 2, round: 1,
                commitment: hash)),
        .activity(
            ActivityView(
                name: "春节抽奖", openedAt: at, endsAt: nil, userCount: 3, drawCount: 4, maxAttempts: nil, round: 1,
                commitment: hash)),
        .place(isIn: true), .place(isIn: false), .left(hadPlace: true), .left(hadPlace: false),
        .verification(verification(isOpen: true)), .verification(verification(isOpen: false)), .help(nil), .help(.draw),
        .help(.start),
        .myData(
            UserData(user: "qq:10001", gameID: "剑侠客", wins: [win], missCount: 1, messageCount: 2, hasSession: true)),
        .myData(UserData(user: "qq:10001", gameID: nil, wins: [], missCount: 0, messageCount: 0, hasSession: false)),
        .erased,
        .started(
            StartView(
                activityName: "春节抽奖", round: 1, commitment: hash, head: hash,
                warnings: [.oddsGap(missChance: 0.5), .unlimitedAttempts], endsAt: at)),
        .stopped(
            StopView(
                activityName: "春节抽奖", round: 1, userCount: 3, drawCount: 4, winCount: 2,
                awards: [.init(label: label, issued: 1, remaining: 0), .init(label: bare, issued: 1, remaining: nil)],
                seed: hash, head: hash)),
        .activities([], hasOthers: false), .activities([], hasOthers: true),
        .activities(
            ActivityStatus.allCases.map {
                ActivityListItem(id: "spring", name: "春节抽奖", status: $0, startsAt: at, endsAt: at, drawCount: 4)
            }, hasOthers: true),
        .imported(ImportView(id: "spring", name: "春节抽奖", awardCount: 5, effect: .created)),
        .imported(ImportView(id: "spring", name: "春节抽奖", awardCount: 5, effect: .replaced)),
        .imported(ImportView(id: "spring", name: "春节抽奖", awardCount: 5, effect: .unchanged)),
        .numberSet(
            NumberView(
                activityName: "春节抽奖", award: label, oldNumber: 100, number: 120, remaining: 110, commitment: hash)),
        .numberSet(
            NumberView(
                activityName: "春节抽奖", award: label, oldNumber: 100, number: 120, remaining: 110, commitment: nil)),
        .traffic(
            GateSummary(
                activeUsers: 5, queuedUsers: 6, capacity: 7, maintenance: true, totalRequests: 8, rejectedRequests: 9,
                averageSessionSeconds: 10, wait: .seconds(1...2))),
        .trafficSet(key: "max_concurrent_users", old: "1000", new: "500"),
        .maintenance(isOn: true, reason: "升级"), .maintenance(isOn: false, reason: nil),
        .voided(
            VoidView(
                activityName: "春节抽奖", receipt: receipt, award: label, reason: "重复账号", remaining: 1, mayDrawAgain: true)),
        .voided(
            VoidView(
                activityName: "春节抽奖", receipt: receipt, award: bare, reason: "重复账号", remaining: nil, mayDrawAgain: false
            )),
        .exported(activityName: "春节抽奖", files: ["a.ledger.jsonl", "a.winners.csv"]),
    ]

    static let refusals: [Refusal] =
        faults.map { .argument(.bind, $0) } + [
            .argument(.importActivity, .unexpected), .argument(.draw, .tooLong(maximumSize: 4096)),
            .messageTooLong(.draw),
            .messageKeyReused, .unknownActivity(name: "没有"), .nothingOpen, .notOpen(activityName: "春节抽奖"),
            .unknownAward(name: "没有", activityName: "春节抽奖"), .ambiguousAward(name: "皮肤", ids: ["a1", "a2"]),
            .cannotStart(
                activityName: "春节抽奖",
                [
                    .alreadyOpen, .noAwards, .overlaps(activityName: "中秋"), .onlyNumber(label, number: 2),
                    .twoDiBao,
                ]),
            .numberOfOnly(label), .numberOfDiBao(bare), .numberBelowIssued(label, issued: 7), .unknownReceipt("a-1"),
            .notAWin(receipt), .alreadyVoided(receipt), .trafficSetting(.unknownKey("speed")),
            .trafficSetting(.invalidValue(key: "rush_hour_start", value: "24", expected: .integer(0...23))),
            .trafficSetting(.invalidValue(key: "release_after_draw", value: "x", expected: .boolean)),
            .trafficSetting(.invalidValue(key: "time_zone", value: "CST", expected: .timeZone)),
            .importFaults(
                file: "a.yaml",
                faults: (1...12).map {
                    ImportFault(
                        line: $0 == 1 ? nil : $0, chinese: "第 \($0) 行 awards：不对", english: "line \($0), awards: wrong")
                }),
            .fileNotFound(file: "a.yaml", available: []),
            .fileNotFound(file: "a.yaml", available: ["b.yaml", "c.yaml"]),
            .fileUnreadable(file: "a.yaml"), .importWhileOpen(activityName: "春节抽奖"), .importDropsWonAward(label),
            .importBelowIssued(label, issued: 7), .importNameTaken(name: "春节抽奖", by: "spring"),
            .exportFailed(activityName: "春节抽奖"),
        ]

    static let notices: [ActivityStateMachine.Notice] = [
        .openedBySchedule(activityName: "春节抽奖"), .closedBySchedule(activityName: "春节抽奖"),
        .scheduleConflict(activityName: "春节抽奖", faults: [.noAwards, .overlaps(activityName: "中秋")]),
        .scheduleMissed(activityName: "春节抽奖"), .promoted("qq:10001"),
        .configurationIgnored(key: "rush_hour_start", value: "24"), .configurationIgnored(key: "speed", value: "1"),
    ]

    static let faults: [ArgumentFault] = [
        .missing, .unexpected, .tooLong(maximumSize: 64), .notPrintable, .notANumber,
        .outOfRange(minimum: 1, maximum: 9),
        .notAReceipt, .notASwitch, .unknownCommand,
    ]

    static func verification(isOpen: Bool) -> VerificationView {
        VerificationView(
            activityName: "春节抽奖", receipt: receipt, round: 1, attempt: 2, drawnAt: at, award: isOpen ? nil : label,
            isVoided: !isOpen, rowHash: hash, commitment: hash, user: isOpen ? nil : "qq:10001",
            salt: isOpen ? nil : "00112233", seed: isOpen ? nil : hash,
            steps: isOpen
                ? []
                : [
                    .init(award: label, word: 255, threshold: 1 << 60, fate: .won),
                    .init(award: bare, word: .max, threshold: nil, fate: .notAsked),
                ])
    }
}
