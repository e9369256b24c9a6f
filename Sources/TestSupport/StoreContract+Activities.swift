internal import Activities
internal import Basics
internal import Lottery
internal import NIOConcurrencyHelpers
internal import TrafficGate

// Activities, their rounds and ledgers, and what a batch promises as a whole.

extension StoreContract {
    static let activityChecks: [Check] = [
        Check("a new store has no activities and the source's configuration", newStoreIsEmpty),
        Check("every new store has an erasure key of its own", erasureKeysDiffer),
        Check("an activity is found again with every field and its awards in order", activityIsFoundAgain),
        Check("new rules replace the old and keep what was issued", newRulesKeepWhatWasIssued),
        Check("an award that was won cannot be removed", wonAwardCannotBeRemoved),
        Check("a name belongs to one activity, by its bytes", namesAreUnique),
        Check("the seed of an open round is found again, and none after the close", openRoundIsFoundAgain),
        Check("counters, issued counts and the head of the ledger follow the draws", drawsAreFoundAgain),
        Check("what was committed is there after reopening", needsReopening: true, dataSurvivesReopening),
        Check("counters hold 2^53 and refuse to overflow", countersDoNotOverflow),
        Check("times from 1970 to 9999 keep their milliseconds", timesKeepMilliseconds),
    ]

    static let batchChecks: [Check] = [
        Check("an empty query with no changes runs and returns the result", emptyBatchReturns),
        Check("the decision is asked for exactly once", decisionIsAskedOnce),
        Check("writes run one after the other, each asked behind the one before", writesAreSerial),
        Check("what is asked behind a batch is answered as after it", nextFactsAreThoseAfterTheBatch),
        Check("a batch may be decided where it is written", batchIsDecidedOnItsFacts),
        Check("a second live win of a user in an activity is refused", secondWinIsRefused),
        Check("more than the stock cannot be issued", overIssuingIsRefused),
        Check("a ledger row is never written twice", ledgerRowIsWrittenOnce),
        Check("a batch that fails leaves no trace", failedBatchLeavesNoTrace),
        Check("a closed store refuses to work", closedStoreRefuses),
    ]

    // MARK: Activities

    private static func newStoreIsEmpty(_ bench: StoreContractBench) async throws {
        let state = try await bench.store.load()
        try expect(state.activities, is: [], "activities")
        try expect(state.participants, is: [], "participants")
        try expect(
            state.configuration.prefix(7).map { "\($0.key) \($0.value) \($0.isActive)" },
            is: [
                "max_concurrent_users 1000 true", "queue_timeout_seconds 300 true",
                "heartbeat_timeout_seconds 60 true", "maintenance_mode false true", "rush_hour_start 11 true",
                "rush_hour_end 20 true", "rush_hour_max_users 800 true",
            ], "the source's configuration")
        try expect(
            Set(state.configuration.dropFirst(7).map(\.key)),
            is: [
                "ip_max_sessions", "max_queue_length", "time_zone", "release_after_draw", "user_messages_per_minute",
                "maintenance_reason",
            ], "the added configuration")
        try expect(try await bench.store.wins(of: "qq:1"), is: [], "wins")
        try expect(
            try await bench.store.winners(of: ["x"], page: 3, pageSize: 5),
            is: WinnersPage(page: 1, pageCount: 0, winnerCount: 0, winners: []), "winners")
        try expect(try await bench.store.draw(Receipt(activity: "x", seq: 0)), is: nil, "draw")
        try expect(try await bench.store.ledger(of: "x", from: 0, limit: 10), is: [], "ledger")
        try expect(try await bench.store.winners(of: "x", after: -1, limit: 10), is: [], "stored wins")
        try expect(
            try await bench.store.data(of: "qq:1"),
            is: UserData(user: "qq:1", gameID: nil, wins: [], missCount: 0, messageCount: 0, hasSession: false),
            "data")
    }

    private static func erasureKeysDiffer(_ bench: StoreContractBench) async throws {
        let key = try await bench.store.load().erasureKey
        try expect(key.count, is: 32, "the key's size")
        try expect(Set(key).count > 4, "a key of random bytes")
        try expect(try await bench.store.load().erasureKey, is: key, "the key when read again")
    }

    private static func activityIsFoundAgain(_ bench: StoreContractBench) async throws {
        let rich = StoreContractHost(.contractRich)
        var bare = ActivityRecord(
            activity: Activity(id: "A", name: "空", scope: .chats([]), awards: []), isStartUsed: true)
        try await bench.write { $0.activities = [rich.record, bare] }
        try expect(Set(try await bench.store.load().activities), is: [rich.record, bare], "both activities")

        bare.isEndUsed = true
        bare.activity.name = "不空"
        bare.activity.scope = .everywhere
        try await bench.write { $0.activities = [bare] }
        try expect(Set(try await bench.store.load().activities), is: [rich.record, bare], "after a change of one")
    }

    private static func newRulesKeepWhatWasIssued(_ bench: StoreContractBench) async throws {
        // Given an activity with wins
        var activity = Activity.contractSure(number: 5)
        activity.awards.append(ActivityAward(id: "never", kind: .NORNAL, percent: .zero, name: "无", number: 3))
        var host = StoreContractHost(activity)
        host.open()
        for user in 1...3 { host.draw(UserID("qq:\(user)"), gameID: .contract("id\(user)")) }
        host.close()
        try await host.commit(to: bench)

        // When its rules are replaced: another order, a removed award, a new one, a smaller number, no limits
        activity.awards = [
            ActivityAward(id: "new", kind: .DI_BAO, prefix: "低保", name: "金币", remark: "每人"),
            ActivityAward(
                id: "skin", kind: .NORNAL, percent: .contract("0.0001"), prefix: "特等奖", name: "皮肤", remark: "改",
                number: 3),
        ]
        activity.name = "新名"
        activity.maxAttempts = 7
        host.replaceRules(activity)
        try await host.commit(to: bench)

        // Then the counts of the kept award are still there
        try expect(host.record.issued, is: [0, 3], "the host's counts")
        try await host.expectFound(in: bench)
    }

    private static func wonAwardCannotBeRemoved(_ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractSure())
        host.open()
        host.draw("qq:1", gameID: .contract("a"))
        host.void("qq:1")
        host.close()
        try await host.commit(to: bench)
        var emptied = host
        var activity = host.record.activity
        activity.awards = [ActivityAward(id: "other", kind: .DI_BAO, name: "金币")]
        emptied.replaceRules(activity)
        let changes = emptied.takeChanges()
        try await expectRefusal(.constraint, "removing a won award") { try await bench.write(changes) }
        try await host.expectFound(in: bench)
    }

    private static func namesAreUnique(_ bench: StoreContractBench) async throws {
        let composed = ActivityRecord(activity: .contractSure("a", name: "caf\u{E9}"))
        let decomposed = ActivityRecord(activity: .contractSure("b", name: "cafe\u{301}"))
        try await bench.write { $0.activities = [composed, decomposed] }
        try expect(try await bench.store.load().activities.count, is: 2, "names that differ in their bytes")
        try await expectRefusal(.constraint, "the same name twice") {
            try await bench.write { $0.activities = [ActivityRecord(activity: .contractSure("c", name: "caf\u{E9}"))] }
        }
    }

    private static func openRoundIsFoundAgain(_ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractRich)
        try await host.commit(to: bench)
        for _ in 1...3 {
            host.open()
            try await host.commit(to: bench)
            let open = try unwrap(try await bench.store.load().activities.first?.openRound, "the open round")
            try expect(open.seed.bytes, is: host.record.openRound?.seed.bytes ?? [], "the seed")
            try await host.expectFound(in: bench)
            host.close()
            try await host.commit(to: bench)
            try await host.expectFound(in: bench)
        }
        // A change of the rules closes and opens in one batch.
        host.open()
        try await host.commit(to: bench)
        host.close()
        host.open()
        try await host.commit(to: bench)
        try await host.expectFound(in: bench)
        try await host.expectVerified(in: bench)
    }

    private static func drawsAreFoundAgain(_ bench: StoreContractBench) async throws {
        try await playAndCompare(bench) { _ in }
    }

    private static func dataSurvivesReopening(_ bench: StoreContractBench) async throws {
        let key = try await bench.store.load().erasureKey
        try await playAndCompare(bench) { try await $0.reopen() }
        try expect(try await bench.store.load().erasureKey, is: key, "the erasure key")
    }

    /// A random course of an activity, in random batches, compared with the host after each; `between` runs before
    /// every fifth comparison.
    private static func playAndCompare(
        _ bench: StoreContractBench, between: (StoreContractBench) async throws -> Void
    ) async throws {
        var activity = Activity.contractRich
        activity.maxAttempts = nil
        activity.awards[2].number = 6
        var host = StoreContractHost(activity)
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed &+ 17)
        try await host.commit(to: bench)
        do {
            for batch in 1...25 {
                for _ in 0..<Int.random(in: 1...12, using: &generator) {
                    if host.record.status != .active { host.open() }
                    let user = UserID("qq:\(Int.random(in: 1...40, using: &generator))")
                    if host.participations[user]?.win == nil {
                        host.draw(user, gameID: .contract("角色 \(user)"))
                    } else if Int.random(in: 0..<4, using: &generator) == 0 {
                        host.void(user, reason: "第 \(batch) 批")
                    }
                    if Int.random(in: 0..<20, using: &generator) == 0 { host.close() }
                }
                try await host.commit(to: bench)
                if batch.isMultiple(of: 5) {
                    try await between(bench)
                    try await host.expectFound(in: bench)
                }
            }
            try await host.expectVerified(in: bench)
        } catch {
            throw BrokenPromise("\(error), with HONGBAO_SEED=\(SeededGenerator.baseSeed)")
        }
    }

    private static func countersDoNotOverflow(_ bench: StoreContractBench) async throws {
        let host = StoreContractHost(.contractSure())
        try await bench.write(host.changes)
        func progress(users: Int, draws: Int) -> Changes {
            var changes = Changes()
            changes.progress[host.id] = Changes.Progress()
            changes.progress[host.id]?.userCount = users
            changes.progress[host.id]?.drawCount = draws
            return changes
        }
        try await bench.write(progress(users: 1 << 53 + 1, draws: .max))
        let record = try unwrap(try await bench.store.load().activities.first, "the activity")
        try expect(record.userCount, is: 1 << 53 + 1, "users")
        try expect(record.drawCount, is: .max, "draws")
        try await expectRefusal(.constraint, "counting beyond 2^63 − 1") {
            try await bench.write(progress(users: 0, draws: 1))
        }
        try await expectRefusal(.constraint, "counting below 0") {
            try await bench.write(progress(users: -(1 << 53) - 2, draws: 0))
        }
        try expect(try await bench.store.load().activities.first, is: record, "the record afterwards")
    }

    private static func timesKeepMilliseconds(_ bench: StoreContractBench) async throws {
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed &+ 3)
        let times =
            [0, 1, 999, 951_782_399_999, 4_107_542_399_999, 253_402_300_799_999]
            + (0..<60).map { _ in Int64.random(in: 0...253_402_300_799_999, using: &generator) }
        for (index, milliseconds) in times.sorted().enumerated() {
            var activity = Activity.contractSure(ActivityID("t\(index)"))
            activity.startsAt = Instant(milliseconds: milliseconds)
            activity.endsAt = Instant(milliseconds: milliseconds)
            var host = StoreContractHost(activity, now: Instant(milliseconds: max(0, milliseconds - 3000)))
            host.open()
            host.draw("qq:1", gameID: .contract("a"))
            host.close()
            try await host.commit(to: bench)
            try await host.expectFound(in: bench)
        }
    }

    // MARK: Batches

    private static func emptyBatchReturns(_ bench: StoreContractBench) async throws {
        let result = try await bench.store.transact(FactQuery()) { _ in (Changes(), "answer") }
        try expect(result, is: "answer", "the result")
    }

    private static func decisionIsAskedOnce(_ bench: StoreContractBench) async throws {
        let calls = NIOLockedValueBox(0)
        let good = StoreContractHost(.contractSure()).changes
        try await bench.store.transact(FactQuery()) { _ in
            calls.withLockedValue { $0 += 1 }
            return (good, ())
        }
        try expect(calls.withLockedValue { $0 }, is: 1, "calls for a batch that went well")
        var bad = Changes()
        bad.progress["sure"] = Changes.Progress()
        bad.progress["sure"]?.drawCount = -1
        let refused = bad
        try await expectRefusal(.constraint, "a batch that breaks a rule") {
            try await bench.store.transact(FactQuery()) { _ in
                calls.withLockedValue { $0 += 1 }
                return (refused, ())
            }
        }
        try expect(calls.withLockedValue { $0 }, is: 2, "calls after one more that failed")
    }

    private static func writesAreSerial(_ bench: StoreContractBench) async throws {
        let user: UserID = "qq:1"
        let seen = NIOLockedValueBox<[Int]>([])
        for number in 1...200 {
            var changes = Changes()
            changes.bindings[user] = .some(GameID(stored: "\(number)"))
            try await bench.store.write(changes) {
                var query = FactQuery()
                query.bindings = [user]
                return FactRequest(query) { facts in
                    seen.withLockedValue { $0.append(facts.bindings[user].flatMap { Int($0.text) } ?? 0) }
                }
            }
        }
        try expect(seen.withLockedValue { $0 }, is: Array(1...200), "the values that were seen behind the writes")
        try expect(try await bench.store.data(of: user).gameID, is: "200", "the last value")
    }

    private static func batchIsDecidedOnItsFacts(_ bench: StoreContractBench) async throws {
        let user: UserID = "qq:1"
        var query = FactQuery()
        query.bindings = [user]
        let asked = query
        let seen = NIOLockedValueBox<[String]>([])
        @Sendable func note(_ facts: Facts) -> Int {
            let number = facts.bindings[user].flatMap { Int($0.text) } ?? 0
            seen.withLockedValue { $0.append("\(number)") }
            return number
        }
        for _ in 1...3 {
            try await bench.store.transact(
                asked,
                next: {
                    seen.withLockedValue { $0.append("next") }
                    return FactRequest(asked) { _ = note($0) }
                },
                { facts in
                    var changes = Changes()
                    changes.bindings[user] = .some(GameID(stored: "\(note(facts) + 1)"))
                    return changes
                })
        }
        try expect(
            seen.withLockedValue { $0 }, is: ["0", "next", "1", "1", "next", "2", "2", "next", "3"],
            "what was seen before, between and behind the batches")
    }

    private static func nextFactsAreThoseAfterTheBatch(_ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractSure(oneWinPerGameID: true))
        host.open()
        for number in 1...5 {
            let user = UserID("qq:\(number)")
            let gameID = GameID.contract("Game\(number)")
            host.draw(user, gameID: gameID)
            host.changes.bindings[user] = .some(gameID)
            guard let key = MessageKey(sentAt: host.now, text: "m\(number)"), let win = host.wins.last else {
                throw BrokenPromise("a draw of a sure award won nothing")
            }
            host.changes.messages = [
                ProcessedMessage(
                    key: key, user: user, chat: nil, fingerprint: "draw",
                    answer: StoredAnswer(code: .won, receipt: win.receipt, parameters: nil), at: host.now)
            ]
            var query = FactQuery()
            query.messages = [key]
            query.bindings = [user]
            query.participations = [host.key(user)]
            query.activitiesByGameID = [host.id]
            query.gameIDs = [GameIDKey(activity: host.id, folded: gameID.folded)]
            query.receipt = win.receipt
            query.wonAwardsOf = host.id
            let asked = query
            let behind = NIOLockedValueBox<Facts?>(nil)
            try await bench.store.write(host.takeChanges()) {
                FactRequest(asked) { facts in behind.withLockedValue { $0 = facts } }
            }
            guard let early = behind.withLockedValue({ $0 }) else {
                throw BrokenPromise("nobody was asked behind a batch")
            }
            let late = try await bench.store.facts(for: asked)
            try expect(early.messages, is: late.messages, "messages")
            try expect(early.messages.keys.contains(key), is: true, "the message that was just processed")
            try expect(early.bindings, is: late.bindings, "bindings")
            try expect(early.participations, is: late.participations, "participations")
            try expect(early.participations[host.key(user)]?.win?.receipt, is: win.receipt, "the win just written")
            try expect(early.winnersByGameID, is: late.winnersByGameID, "winners by game id")
            try expect(early.voidable, is: late.voidable, "what may be voided")
            try expect(early.wonAwards, is: late.wonAwards, "awards that were won")
        }
    }

    private static func secondWinIsRefused(_ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractSure())
        host.open()
        host.draw("qq:1", gameID: .contract("a"))
        host.draw("qq:2", gameID: .contract("b"))
        try await host.commit(to: bench)
        func win(_ seq: Int64, at: Instant) -> Changes {
            var changes = Changes()
            changes.wins = [
                Changes.NewWin(
                    receipt: Receipt(activity: host.id, seq: seq), user: "qq:1", award: "skin", awardName: "皮肤",
                    gameID: .contract("other"), gameIDKey: nil, wonAt: at)
            ]
            changes.bindings["qq:1"] = .some(.contract("other"))
            return changes
        }
        let second = win(77, at: host.now)
        try await expectRefusal(.constraint, "a second win") { try await bench.write(second) }
        try await host.expectFound(in: bench)
        try expect(try await bench.store.data(of: "qq:1").gameID, is: nil, "what else was in the batch")

        // Once the first is voided, another may come; also in the same batch.
        host.void("qq:1")
        host.draw("qq:1", gameID: .contract("a"))
        try await host.commit(to: bench)
        try await host.expectFound(in: bench)
    }

    private static func overIssuingIsRefused(_ bench: StoreContractBench) async throws {
        var activity = Activity.contractSure(number: 2)
        activity.awards.append(ActivityAward(id: "bao", kind: .DI_BAO, name: "金币"))
        var host = StoreContractHost(activity)
        host.open()
        for user in 1...5 { host.draw(UserID("qq:\(user)"), gameID: .contract("\(user)")) }
        try await host.commit(to: bench)
        try expect(host.record.issued, is: [2, 3], "the host's counts")
        func issue(_ count: Int) -> Changes {
            var changes = Changes()
            changes.progress[host.id] = Changes.Progress()
            changes.progress[host.id]?.issued["skin"] = count
            changes.bindings["qq:9"] = .some(.contract("trace"))
            return changes
        }
        for count in [1, Int(Int32.max), -3] {
            try await expectRefusal(.constraint, "issuing \(count) of 0 left and 2 given") {
                try await bench.write(issue(count))
            }
        }
        // Nor can the stock be set below what was given.
        var fewer = host
        activity.awards[0].number = 1
        fewer.replaceRules(activity)
        let changes = fewer.takeChanges()
        try await expectRefusal(.constraint, "a stock below what was issued") { try await bench.write(changes) }
        for number in [-1, 1_000_000_001] {
            var wrong = StoreContractHost(.contractSure("wrong", number: number))
            let changes = wrong.takeChanges()
            try await expectRefusal(.constraint, "a stock of \(number)") { try await bench.write(changes) }
        }
        try await host.expectFound(in: bench)
        try expect(try await bench.store.data(of: "qq:9").gameID, is: nil, "what else was in the batches")
    }

    private static func ledgerRowIsWrittenOnce(_ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractSure())
        host.open()
        try await host.commit(to: bench)
        var fork = host
        host.draw("qq:1", gameID: .contract("a"))
        fork.draw("qq:2", gameID: .contract("b"))
        try await host.commit(to: bench)
        let other = fork.takeChanges()
        try await expectRefusal(.constraint, "another row with the same number") { try await bench.write(other) }
        try await host.expectFound(in: bench)
    }

    private static func failedBatchLeavesNoTrace(_ bench: StoreContractBench) async throws {
        // Given a store with a little of everything
        var host = StoreContractHost(.contractSure())
        host.open()
        host.draw("qq:1", gameID: .contract("a"))
        host.changes.bindings["qq:1"] = .some(.contract("a"))
        try await host.commit(to: bench)
        let before = try await bench.store.load()

        // When a batch writes to every table and breaks a rule at its end
        var doomed = host
        doomed.draw("qq:2", gameID: .contract("b"))
        doomed.void("qq:1")
        doomed.close()
        var changes = doomed.takeChanges()
        changes.activities.append(ActivityRecord(activity: .contractRich))
        changes.bindings["qq:1"] = .some(nil)
        changes.bindings["qq:2"] = .some(.contract("b"))
        changes.messages = [.contract("m", user: "qq:2")]
        changes.configuration = [("max_concurrent_users", "1")]
        changes.journal = [.contract("qq:2", status: .active)]
        changes.participants = [.contract("qq:3", status: .queued, ticket: 1)]
        changes.statistics = [.contract(at: host.now)]
        changes.audit = [.contract(actor: "qq:2")]
        changes.erasures = [Changes.Erasure(user: "qq:1", digests: [host.id: .contract(1)])]
        changes.forgetMessagesBefore = host.now
        changes.progress["sure", default: Changes.Progress()].drawCount = -100
        let batch = changes
        try await expectRefusal(.constraint, "the batch") { try await bench.write(batch) }

        // Then nothing of it is there, and the store still works
        let after = try await bench.store.load()
        try expect(after.activities, is: before.activities, "activities")
        try expect(after.participants, is: [], "participants")
        try expect(after.configuration, is: before.configuration, "configuration")
        try await host.expectFound(in: bench)
        let facts = try await bench.facts {
            $0.bindings = ["qq:1", "qq:2"]
            $0.messages = [batch.messages[0].key]
            $0.participations = [host.key("qq:2")]
            $0.erased = [host.key("qq:1"): .contract(1)]
        }
        try expect(facts.bindings, is: ["qq:1": .contract("a")], "bindings")
        try expect(facts.messages, is: [:], "messages")
        try expect(facts.participations, is: [:], "participations")
        host.draw("qq:2", gameID: .contract("b"))
        try await host.commit(to: bench)
        try await host.expectFound(in: bench)
    }

    private static func closedStoreRefuses(_ bench: StoreContractBench) async throws {
        try await bench.close()
        let store = bench.store
        for work: @Sendable () async throws -> Void in [
            { try await store.transact(FactQuery()) { _ in (Changes(), ()) } },
            { _ = try await store.load() },
            { _ = try await store.wins(of: "qq:1") },
        ] {
            do {
                try await work()
            } catch is StoreError {
                continue
            }
            throw BrokenPromise("a closed store went on working")
        }
    }
}
