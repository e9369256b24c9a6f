import Activities
import Basics
import Lottery
import TestSupport
import Testing

/// 中奖, 中奖汇总, 验证, 我的数据 and 导出: answers that are read once their batch is durable.
struct ReadingTests {
    @Test func ownWinsComeFromAllActivitiesWithoutVoidedOnes() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open(.sample("a", name: "甲", scope: .chats(["qq:1"])))
            try await bench.open(.sample("b", name: "乙", scope: .chats(["qq:2"])))
            try await bench.bindAndDraw("qq:11", in: "qq:1")
            bench.clock.advance(seconds: 10)
            let later = try await bench.bindAndDraw("qq:11", in: "qq:2")
            func wins() async throws -> [String] {
                guard case .ok(.wins(let wins)) = try await bench.send(.myWins, as: "qq:11", in: nil).outcome else {
                    return []
                }
                return wins.map(\.activityName)
            }
            #expect(try await wins() == ["乙", "甲"])
            try await bench.command(.void(try #require(later.receipt), reason: "x"))
            #expect(try await wins() == ["甲"])
        }
    }

    @Test func winnersAreScopedGroupedPagedAndNewestFirst() async throws {
        var limits = ActivityService.Limits()
        limits.winnersPageSize = 2
        try await TestBench(limits: limits).running { (bench) async throws -> Void in
            func winners(_ place: ChatID?, _ page: Int = 1) async throws -> WinnersPage? {
                guard
                    case .ok(.winners(let page)) = try await bench.send(
                        .winners(page: page), as: "qq:99", in: place
                    ).outcome
                else { return nil }
                return page
            }
            #expect(try await winners("qq:1") == WinnersPage(page: 1, pageCount: 0, winnerCount: 0, winners: []))
            try await bench.open(.sample("a", name: "甲", scope: .chats(["qq:1", "qq:2"])))
            for user in ["qq:11", "qq:12", "qq:13"] as [UserID] { try await bench.bindAndDraw(user, in: "qq:1") }
            try await bench.command(.stop(activity: "甲"))
            bench.clock.advance(seconds: 60)
            try await bench.open(.sample("b", name: "乙", scope: .chats(["qq:1"])))
            try await bench.bindAndDraw("qq:13", in: "qq:1")

            let first = try #require(try await winners("qq:1"))
            #expect((first.page, first.pageCount, first.winnerCount) == (1, 2, 3))
            #expect(first.winners.map(\.gameID) == ["role of qq:13", "role of qq:11"])
            #expect(first.winners[0].wins.map(\.activityName) == ["乙", "甲"])
            #expect(try await winners("qq:1", 2)?.winners.map(\.gameID) == ["role of qq:12"])
            #expect(try await winners("qq:1", 99)?.page == 2)
            // Another chat sees only what is for it, a private talk nothing of it.
            #expect(try await winners("qq:2")?.winners.flatMap(\.wins).map(\.activityName) == ["甲", "甲"])
            #expect(try await winners("qq:2")?.winnerCount == 3)
            #expect(try await winners(nil)?.winnerCount == 0)
            #expect(try await winners("qq:3")?.winnerCount == 0)
        }
    }

    @Test func aReceiptShowsEachViewerWhatTheyMayKnow() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            let started = try #require(
                try await bench.open(
                    .sample(awards: [.only("top", percent: "0"), .normal("gold", percent: "100"), .diBao("bao")])))
            let attempt = try #require(try await bench.bindAndDraw("qq:11").attempt)
            func view(_ viewer: UserID, isAdmin: Bool = false) async throws -> VerificationView {
                try #require(
                    try await bench.send(.verify(attempt.receipt), as: viewer, isAdmin: isAdmin).outcome.verification)
            }

            // Before the close.
            let early = try await view("qq:12")
            #expect((early.activityName, early.round, early.attempt) == ("春节抽奖", 1, 1))
            #expect(early.award?.id == "gold")
            #expect(early.commitment == started.commitment)
            #expect(early.rowHash.hasPrefix(attempt.rowHash))
            #expect(early.drawnAt == noon)
            for view in [early, try await view("qq:11"), try await view(admin, isAdmin: true)] {
                #expect(view.seed == nil)
                #expect(view.steps.isEmpty)
            }
            #expect((early.user, early.salt) == (nil, nil))
            let asAdmin = try await view(admin, isAdmin: true)
            #expect((asAdmin.user, asAdmin.salt) == ("qq:11", nil))
            let owned = try await view("qq:11")
            #expect(owned.user == "qq:11")
            let salt = try #require(owned.salt.flatMap { hexBytes($0) }.flatMap { Salt($0) })
            let entry = try await bench.store.wholeLedger(of: "spring")[1].draw
            #expect(userHash("qq:11", salt: salt) == entry?.userHash)

            // After it.
            let seedText = try #require(try await bench.command(.stop(activity: nil)).stopped?.seed)
            let late = try await view("qq:11")
            #expect(late.seed == seedText)
            #expect(try await view("qq:12").seed == seedText)
            #expect(try await view("qq:12").user == nil)
            #expect(try await view("qq:12").steps == late.steps)
            let seed = try #require(hexBytes(seedText).flatMap { RoundSeed($0) })
            var words = DrawWords(seed: seed, activity: "spring", round: 1, user: "qq:11", attempt: 1)
            #expect(late.steps.map(\.award.id) == ["top", "gold"])
            #expect(late.steps.map(\.word) == [words.word(at: 0), words.word(at: 1)])
            #expect(late.steps.map(\.threshold) == [0, nil])
            #expect(late.steps.map(\.fate) == [.missed, .won])
            #expect(!late.isVoided)
            try await bench.command(.void(attempt.receipt, reason: "x"))
            #expect(try await view("qq:12").isVoided)
        }
    }

    /// A hit on an award that was gone is no fraud, and must not look like one.
    @Test func aHitOnWhatWasGoneSaysSo() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open(
                .sample(awards: [.only("gold", percent: "100"), .normal("b", percent: "100", number: 1)]))
            for user in ["qq:11", "qq:12"] as [UserID] { _ = try await bench.bindAndDraw(user) }
            let receipt = try #require(try await bench.bindAndDraw("qq:13").receipt)
            try await bench.command(.stop(activity: nil))
            func fates(_ receipt: Receipt) async throws -> [VerificationView.Fate] {
                let outcome = try await bench.send(.verify(receipt), as: "qq:14").outcome
                return try #require(outcome.verification).steps.map(\.fate)
            }
            #expect(try await fates(Receipt(activity: receipt.activity, seq: 1)) == [.won, .notAsked])
            #expect(try await fates(Receipt(activity: receipt.activity, seq: 2)) == [.soldOut, .won])
            #expect(try await fates(receipt) == [.soldOut, .soldOut])
        }
    }

    @Test func stepsReproduceEveryOutcomeOfARound() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open(
                .sample(
                    awards: [
                        .normal("a", percent: "20", number: 1000), .normal("b", percent: "30", number: 1000),
                        .normal("c", percent: "10", number: 1000),
                    ]))
            var receipts: [UserID: Receipt] = [:]
            for number in 11...40 {
                let user = UserID("qq:\(number)")
                receipts[user] = try await bench.bindAndDraw(user).receipt
            }
            try await bench.command(.stop(activity: nil))
            for (user, receipt) in receipts {
                let view = try #require(try await bench.send(.verify(receipt), as: user).outcome.verification)
                #expect(view.steps.count == 3)
                #expect(
                    view.steps.allSatisfy { step in
                        let isHit = step.threshold.map { step.word < $0 } ?? true
                        return step.fate == .notAsked || isHit == (step.fate == .won || step.fate == .soldOut)
                    })
                #expect(view.steps.first { $0.fate == .won }?.award.id == view.award?.id)
            }
        }
    }

    @Test func receiptsThatAreNotShownHereAreUnknown() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open(.sample(scope: .chats(["qq:1"])))
            let receipt = try #require(try await bench.bindAndDraw("qq:11", in: "qq:1").receipt)
            func refusal(_ receipt: Receipt, in place: ChatID?) async throws -> Refusal? {
                try await bench.send(.verify(receipt), as: "qq:11", in: place).outcome.refusal
            }
            let unknown = Refusal.unknownReceipt(receipt.description)
            #expect(try await refusal(receipt, in: "qq:1") == nil)
            #expect(try await refusal(receipt, in: "qq:2") == unknown)
            #expect(try await refusal(receipt, in: nil) == unknown)
            for seq in [0, 2] as [Int64] {
                let other = Receipt(activity: "spring", seq: seq)
                #expect(try await refusal(other, in: "qq:1") == .unknownReceipt(other.description))
            }
            let gone = Receipt(activity: "autumn", seq: 1)
            #expect(try await refusal(gone, in: "qq:1") == .unknownReceipt("autumn-1"))
        }
    }

    @Test func exportsAreWrittenByTheLibrary() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open()
            #expect(
                try await bench.command(.export(activity: "春节抽奖"))
                    == .ok(
                        .exported(
                            activityName: "春节抽奖", files: ["spring.ledger.jsonl", "spring.winners.csv"])))
        }
    }

    // MARK: 我的数据 and 删除我的数据

    @Test func myDataIsWhatIsKept() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open(.sample(maxAttempts: 2, awards: [.normal("gold", percent: "0")]))
            try await bench.send(.bind("role"), as: "qq:11", key: .test("1"))
            try await bench.send(.draw, as: "qq:11", key: .test("2"))
            try await bench.send(.draw, as: "qq:11")
            guard case .ok(.myData(let data)) = try await bench.send(.myData, as: "qq:11").outcome else {
                Issue.record("我的数据 shows it")
                return
            }
            #expect(
                data
                    == UserData(
                        user: "qq:11", gameID: "role", wins: [], missCount: 2, messageCount: 2, hasSession: true))
        }
    }

    @Test("hardening row 87: an erased winner is unlinked and does not win again")
    func anErasedWinnerIsUnlinkedAndDoesNotWinAgain() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open(.sample(maxAttempts: nil, oneWinPerGameID: true))
            let receipt = try #require(try await bench.bindAndDraw("qq:11").receipt)
            try await bench.bindAndDraw("qq:12")
            let key = MessageKey.test("erase")
            #expect(try await bench.send(.eraseMyData, as: "qq:11", key: key).outcome == .ok(.erased))
            try await bench.send(.bind("another role"), as: "qq:11")
            #expect(try await bench.send(.draw, as: "qq:11").outcome.code == .attemptsUsed)

            // The message delivered again erases nothing that came later.
            #expect(try await bench.send(.eraseMyData, as: "qq:11", key: key).outcome == .ok(.erased))
            #expect(
                try await bench.send(.myBinding, as: "qq:11").outcome == .ok(.binding(gameID: "another role")))

            // The row stays, without name; the win is listed without a game id.
            let entry = try #require(try await bench.store.wholeLedger(of: "spring")[1].draw)
            #expect((entry.user, entry.salt) == (nil, nil))
            #expect(entry.award == "gold")
            let view = try #require(
                try await bench.send(.verify(receipt), as: "qq:11").outcome.verification)
            #expect((view.user, view.salt) == (nil, nil))
            guard case .ok(.winners(let page)) = try await bench.send(.winners(page: 1), as: "qq:12").outcome else {
                Issue.record("中奖汇总 lists winners")
                return
            }
            #expect(page.winners.map(\.gameID) == ["", "role of qq:12"])
            #expect(try await bench.send(.myWins, as: "qq:11").outcome == .ok(.wins([])))

            // Reopened, and with the win voided, the user still stays out.
            try await bench.command(.void(receipt, reason: "x"))
            try await bench.command(.stop(activity: nil))
            try await bench.command(.start(activity: "spring"))
            #expect(try await bench.send(.draw, as: "qq:11").outcome.code == .attemptsUsed)
            let head = try #require(try await bench.command(.stop(activity: nil)).stopped?.head)
            let report = try await bench.store.verifiedLedger(of: "spring", head: head)
            #expect(report.holds)
            #expect(report.hiddenUserCount == 1)
        }
    }

    /// It looks through all messages, so it must not be asked for as often as anything else.
    @Test func anErasureIsCarriedOutOnceAnHour() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            #expect(try await bench.send(.eraseMyData, as: "qq:11").outcome == .ok(.erased))
            bench.clock.advance(seconds: 3599)
            #expect(try await bench.send(.eraseMyData, as: "qq:11").outcome.code == .rateLimited)
            #expect(try await bench.send(.eraseMyData, as: "qq:12").outcome == .ok(.erased))
            bench.clock.advance(seconds: 1)
            #expect(try await bench.send(.eraseMyData, as: "qq:11").outcome == .ok(.erased))
        }
    }

    @Test func whoNeverDrewIsErasedWithoutATrace() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open(.sample("other", name: "别的", scope: .chats(["qq:2"])))
            try await bench.open(.sample("here", name: "这里", scope: .chats([groupChat])))
            try await bench.bindAndDraw("qq:11", in: "qq:2")
            #expect(try await bench.send(.eraseMyData, as: "qq:11").outcome == .ok(.erased))
            #expect(try await bench.send(.queue, as: "qq:11").outcome == .ok(.place(isIn: false)))
            // Only the activity where they drew knows them again.
            #expect(try await bench.bindAndDraw("qq:11").code == .won)
            #expect(try await bench.bindAndDraw("qq:11", in: "qq:2").code == .attemptsUsed)
        }
    }

    @Test("hardening row 87: erasing while queued gives up the place") func erasingWhileQueuedGivesUpThePlace()
        async throws
    {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.command(.setTraffic(key: "max_concurrent_users", value: "1"))
            try await bench.send(.pool, as: "qq:10")
            for user in ["qq:11", "qq:12"] as [UserID] { try await bench.send(.bind("role"), as: user) }
            #expect(try await bench.send(.queue, as: "qq:12").position == 2)
            let response = try await bench.send(.eraseMyData, as: "qq:11")
            #expect(response == Response(.ok(.erased)))
            #expect(try await bench.send(.queue, as: "qq:12").position == 1)
            #expect(try await bench.send(.queue, as: "qq:11").outcome == .ok(.place(isIn: false)))
        }
    }
}
