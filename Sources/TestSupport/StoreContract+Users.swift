internal import Activities
internal import Basics
internal import Lottery
internal import TrafficGate

// What is asked for by user, message and session.

extension StoreContract {
    static let userChecks: [Check] = [
        Check("facts list only what exists", factsListOnlyWhatExists),
        Check("a binding is set, changed and removed", bindingsChange),
        Check("misses, voids and the last row are found again", participationsAreFoundAgain),
        Check("a winner is found under the folded game id", winnerIsFoundByGameID),
        Check("earlier wins count once an activity asks for one win per game id", earlierWinsGetGameIDKeys),
        Check("a draw to void comes with its user, award and state", voidableIsFound),
        Check("awards that were ever won are known, voided ones too", wonAwardsAreKnown),
    ]

    static let messageChecks: [Check] = [
        Check("a processed message is found again with all its fields", messageIsFoundAgain),
        Check("message keys are told apart by time and by bytes", messageKeysAreToldApart),
        Check("a message key is taken once", messageKeyIsTakenOnce),
        Check("messages are found after reopening", needsReopening: true, messagesSurviveReopening),
        Check("processed messages before a moment are forgotten", oldMessagesAreForgotten),
    ]

    static let gateChecks: [Check] = [
        Check("sessions are found from the journal and from the table", sessionsAreFoundAgain),
        Check("sessions are found after reopening", needsReopening: true, sessionsSurviveReopening),
        Check("a session keeps its milliseconds through the journal", needsReopening: true, journalKeepsMilliseconds),
        Check("configuration is found again", configurationIsFoundAgain),
        Check("own changes of the configuration are not reported back", ownConfigurationIsNotReported),
        Check("audit and statistics are written in a batch", auditAndStatisticsAreWritten),
    ]

    // MARK: Users

    private static func factsListOnlyWhatExists(_ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractSure(oneWinPerGameID: true))
        host.open()
        host.draw("qq:1", gameID: .contract("a"))
        host.changes.bindings["qq:1"] = .some(.contract("a"))
        try await host.commit(to: bench)
        let facts = try await bench.facts {
            $0.messages = [.test("none"), .test("none", at: .contractNoon)]
            $0.bindings = ["qq:1", "qq:2"]
            $0.participations = [host.key("qq:1"), host.key("qq:2"), ParticipationKey(user: "qq:1", activity: "other")]
            $0.activitiesByGameID = [host.id]
            $0.gameIDs = [GameIDKey(activity: host.id, folded: "b"), GameIDKey(activity: "other", folded: "a")]
            $0.erased = [host.key("qq:2"): .contract(7)]
            $0.receipt = Receipt(activity: host.id, seq: 99)
            $0.wonAwardsOf = "other"
            $0.erasing = ["qq:2"]
        }
        try expect(facts.messages, is: [:], "messages")
        try expect(facts.bindings, is: ["qq:1": .contract("a")], "bindings")
        try expect(
            facts.participations, is: [host.key("qq:1"): host.participations["qq:1"] ?? Participation()],
            "participations")
        try expect(
            facts.winnersByGameID, is: [GameIDKey(activity: host.id, folded: "a"): "qq:1"], "winners by game id")
        try expect(facts.voidable, is: nil, "voidable")
        try expect(facts.wonAwards, is: [], "won awards")
        try expect(facts.activitiesOfErasing["qq:2"] ?? [], is: [], "activities of a user without any")

        let nothing = try await bench.facts(FactQuery())
        try expect(nothing.bindings.isEmpty && nothing.participations.isEmpty, "an empty query has no facts")
    }

    private static func bindingsChange(_ bench: StoreContractBench) async throws {
        func found() async throws -> [UserID: GameID] {
            try await bench.facts { $0.bindings = ["qq:1", "qq:2", "qq:3"] }.bindings
        }
        try await bench.write {
            $0.bindings = ["qq:1": .some(.contract("一")), "qq:2": .some(.contract("二 号"))]
        }
        try expect(try await found(), is: ["qq:1": .contract("一"), "qq:2": .contract("二 号")], "when set")
        try await bench.write {
            $0.bindings = ["qq:1": GameID?.none, "qq:2": .some(.contract("Two")), "qq:3": GameID?.none]
        }
        try expect(try await found(), is: ["qq:2": .contract("Two")], "when changed and removed")
        try expect(try await bench.store.data(of: "qq:2").gameID, is: "Two", "in the user's data")
        try expect(try await bench.store.data(of: "qq:1").gameID, is: nil, "in the data of one without")
    }

    private static func participationsAreFoundAgain(_ bench: StoreContractBench) async throws {
        // Given misses of one user in two activities
        var activity = Activity.contractSure("first", number: 0)
        var first = StoreContractHost(activity)
        first.open()
        for _ in 1...3 { first.draw("qq:1", gameID: .contract("a")) }
        try await first.commit(to: bench)
        var second = StoreContractHost(.contractSure("second", number: 2))
        second.open()
        second.draw("qq:1", gameID: .contract("a"))
        second.draw("qq:2", gameID: .contract("b"))
        try await second.commit(to: bench)
        try expect(first.participations["qq:1"]?.missCount, is: 3, "misses of the host")
        try await first.expectFound(in: bench)
        try await second.expectFound(in: bench)

        // When a win is voided and won again after more stock came
        activity.awards[0].number = 1
        first.close()
        first.replaceRules(activity)
        first.open()
        first.draw("qq:1", gameID: .contract("a"))
        try await first.commit(to: bench)
        try await first.expectFound(in: bench)
        first.void("qq:1")
        try await first.commit(to: bench)
        try await first.expectFound(in: bench)
        first.draw("qq:1", gameID: .contract("c"))
        try await first.commit(to: bench)

        // Then misses, voids and the live win stand side by side
        try expect(first.participations["qq:1"]?.voidCount, is: 1, "voids of the host")
        try await first.expectFound(in: bench)
        try await second.expectFound(in: bench)
        try await first.expectVerified(in: bench)
        try expect(try await bench.store.data(of: "qq:1").missCount, is: 3, "misses in the user's data")
    }

    private static func winnerIsFoundByGameID(_ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractSure(oneWinPerGameID: true))
        host.open()
        host.draw("qq:1", gameID: .contract("Ｄragon 一"))
        host.changes.bindings = ["qq:1": .some(.contract("Ｄragon 一")), "qq:2": .some(.contract("dRAGON 一"))]
        try await host.commit(to: bench)
        let key = GameIDKey(activity: host.id, folded: GameID.contract("DRAGON 一").folded)
        func found(_ prepare: (inout FactQuery) -> Void) async throws -> [GameIDKey: UserID] {
            try await bench.facts(prepare).winnersByGameID
        }
        let byBinding: (inout FactQuery) -> Void = {
            $0.bindings = ["qq:2"]
            $0.participations = [host.key("qq:2")]
            $0.activitiesByGameID = [host.id]
        }
        try expect(try await found { $0.gameIDs = [key] }, is: [key: "qq:1"], "by the key")
        try expect(try await found(byBinding), is: [key: "qq:1"], "by the bound game id")
        try expect(
            try await found {
                $0.bindings = ["qq:2"]
                $0.participations = [host.key("qq:2")]
            }, is: [:], "where the activity does not ask")
        host.void("qq:1")
        try await host.commit(to: bench)
        try expect(try await found { $0.gameIDs = [key] }, is: [:], "by the key after a void")
        try expect(try await found(byBinding), is: [:], "by the bound game id after a void")
    }

    private static func earlierWinsGetGameIDKeys(_ bench: StoreContractBench) async throws {
        var activity = Activity.contractSure()
        var host = StoreContractHost(activity)
        host.open()
        host.draw("qq:1", gameID: .contract("ＡＢ"))
        host.close()
        try await host.commit(to: bench)
        let key = GameIDKey(activity: host.id, folded: "ab")
        try expect(try await bench.facts { $0.gameIDs = [key] }.winnersByGameID, is: [:], "before")
        activity.oneWinPerGameID = true
        host.replaceRules(activity)
        try await host.commit(to: bench)
        try expect(try await bench.facts { $0.gameIDs = [key] }.winnersByGameID, is: [key: "qq:1"], "after")
    }

    private static func voidableIsFound(_ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractSure(number: 1))
        host.open()
        let won = host.draw("qq:1", gameID: .contract("a"))
        let missed = host.draw("qq:2", gameID: .contract("b"))
        try await host.commit(to: bench)
        func voidable(_ receipt: Receipt) async throws -> VoidableDraw? {
            try await bench.facts { $0.receipt = receipt }.voidable
        }
        try expect(
            try await voidable(won),
            is: VoidableDraw(
                receipt: won, user: "qq:1", award: "skin", isVoided: false,
                participation: host.participations["qq:1"] ?? Participation()), "a win")
        try expect(
            try await voidable(missed),
            is: VoidableDraw(
                receipt: missed, user: "qq:2", award: nil, isVoided: false,
                participation: host.participations["qq:2"] ?? Participation()), "a miss")
        try expect(try await voidable(Receipt(activity: host.id, seq: 0)), is: nil, "the opening")
        try expect(try await voidable(Receipt(activity: "none", seq: 1)), is: nil, "another activity")
        host.void("qq:1")
        try await host.commit(to: bench)
        try expect(
            try await voidable(won),
            is: VoidableDraw(
                receipt: won, user: "qq:1", award: "skin", isVoided: true,
                participation: Participation(voidCount: 1, lastSeq: won.seq)), "a voided win")
    }

    private static func wonAwardsAreKnown(_ bench: StoreContractBench) async throws {
        var activity = Activity.contractSure(number: 1)
        activity.awards.append(ActivityAward(id: "bao", kind: .DI_BAO, name: "金币"))
        activity.awards.append(ActivityAward(id: "never", kind: .NORNAL, percent: .zero, name: "无", number: 1))
        var host = StoreContractHost(activity)
        host.open()
        host.draw("qq:1", gameID: .contract("a"))
        host.void("qq:1")
        try await host.commit(to: bench)
        try expect(try await bench.facts { $0.wonAwardsOf = host.id }.wonAwards, is: ["skin"], "after a void")
        host.draw("qq:2", gameID: .contract("b"))
        host.draw("qq:3", gameID: .contract("c"))
        try await host.commit(to: bench)
        try expect(try await bench.facts { $0.wonAwardsOf = host.id }.wonAwards, is: ["skin", "bao"], "all")
    }

    // MARK: Messages

    private static func messageIsFoundAgain(_ bench: StoreContractBench) async throws {
        try await findMessages(bench) {}
    }

    private static func messagesSurviveReopening(_ bench: StoreContractBench) async throws {
        try await findMessages(bench) { try await bench.reopen() }
    }

    private static func findMessages(
        _ bench: StoreContractBench, between: () async throws -> Void
    ) async throws {
        let messages =
            OutcomeCode.allCases.enumerated().map { index, code in
                ProcessedMessage(
                    key: .test("onebot11 10001 \(index)", at: Instant.contractNoon.advanced(bySeconds: -Int64(index))),
                    user: UserID("qq:\(index)"), chat: index.isMultiple(of: 2) ? nil : "qq:88001",
                    fingerprint: "bind 游戏 id \(index)",
                    answer: StoredAnswer(
                        code: code, receipt: Receipt(activity: "spring-2027", seq: Int64(index)),
                        parameters: "{\"hash\":\"0a\",\"text\":\"引号 \\\" 与 \\u0000\"}"),
                    at: Instant.contractNoon.advanced(bySeconds: Int64(index)))
            } + [.contract("bare")]
        try await bench.write { $0.messages = messages }
        try await between()
        let facts = try await bench.facts { $0.messages = messages.map(\.key) }
        for message in messages { try expect(facts.messages[message.key], is: message, "the message") }
        try expect(facts.messages.count, is: messages.count, "messages")
        try expect(try await bench.store.data(of: "qq:3").messageCount, is: 1, "messages of a user")
    }

    private static func messageKeysAreToldApart(_ bench: StoreContractBench) async throws {
        let texts = ["caf\u{E9}", "cafe\u{301}", "CAF\u{E9}", "a", "a ", " a", "名", String(repeating: "x", count: 256)]
        let times: [Instant?] = [nil, .contractNoon, Instant(milliseconds: Instant.contractNoon.milliseconds + 1)]
        let messages = texts.enumerated().flatMap { index, text in
            times.enumerated().map { place, time in
                ProcessedMessage.contract(text, sentAt: time, user: UserID("qq:\(index)-\(place)"))
            }
        }
        try await bench.write { $0.messages = messages }
        let facts = try await bench.facts { $0.messages = messages.map(\.key) }
        for message in messages { try expect(facts.messages[message.key], is: message, "the message") }
        try expect(facts.messages.count, is: texts.count * times.count, "messages")
        let other = try await bench.facts { $0.messages = [.test("a", at: Instant(milliseconds: 5)), .test("A")] }
        try expect(other.messages, is: [:], "keys that were not used")
    }

    private static func messageKeyIsTakenOnce(_ bench: StoreContractBench) async throws {
        for time in [nil, Instant.contractNoon] {
            let first = ProcessedMessage.contract("m", sentAt: time, user: "qq:1")
            try await bench.write { $0.messages = [first] }
            try await expectRefusal(.constraint, "the same key again") {
                try await bench.write { $0.messages = [.contract("m", sentAt: time, user: "qq:2")] }
            }
            try expect(
                try await bench.facts { $0.messages = [first.key] }.messages, is: [first.key: first], "the first answer"
            )
        }
    }

    private static func oldMessagesAreForgotten(_ bench: StoreContractBench) async throws {
        let moment = Instant.contractNoon
        func message(_ key: String, _ seconds: Int64, timed: Bool) -> ProcessedMessage {
            let at = moment.advanced(bySeconds: seconds)
            return .contract(key, sentAt: timed ? at : nil, at: at)
        }
        let old = [
            message("a", -1, timed: true), message("b", -1, timed: false), message("c", -9_999_999, timed: true),
        ]
        let kept = [message("d", 0, timed: true), message("e", 0, timed: false), message("f", 1, timed: true)]
        try await bench.write { $0.messages = old + kept }
        let query = old + kept
        try expect(
            try await bench.facts { $0.messages = query.map(\.key) }.messages.count, is: 6, "messages before")
        try await bench.write { $0.forgetMessagesBefore = moment }
        try expect(
            Set(try await bench.facts { $0.messages = query.map(\.key) }.messages.keys), is: Set(kept.map(\.key)),
            "messages after")
    }

    // MARK: The gate

    private static func participants(_ bench: StoreContractBench) async throws -> [SessionID: Participant] {
        Dictionary(uniqueKeysWithValues: try await bench.store.load().participants.map { ($0.session, $0) })
    }

    private static func sessionsAreFoundAgain(_ bench: StoreContractBench) async throws {
        try await changeSessions(bench) {}
    }

    private static func sessionsSurviveReopening(_ bench: StoreContractBench) async throws {
        try await changeSessions(bench) { try await bench.reopen() }
    }

    private static func changeSessions(
        _ bench: StoreContractBench, between: () async throws -> Void
    ) async throws {
        func expectLive(_ expected: [Participant], _ what: String) async throws {
            try await between()
            let live = Dictionary(uniqueKeysWithValues: expected.map { ($0.session, $0) })
            try expect(try await participants(bench), is: live, what)
        }
        let active = Participant.contract("qq:1", user: "qq:1", status: .active)
        var web = Participant.contract("web:é", status: .queued, ticket: 2)
        web.ipAddress = "2001:db8::1"
        web.queuePosition = 7
        let queued = Participant.contract("qq:3", user: "qq:3", status: .queued, ticket: 1 << 53 + 1)

        // In the journal only, the latest entry counts.
        try await bench.write { $0.journal = [.contract("qq:1", status: .queued, ticket: 1), web, active] }
        try await expectLive([active, web], "from the journal")
        try await bench.write { $0.journal = [queued] }
        try await expectLive([active, web, queued], "from two batches")

        // A tick brings the table up to date.
        var beaten = active
        beaten.lastHeartbeat = active.lastHeartbeat.advanced(bySeconds: 30)
        let left = Participant.contract("qq:3", user: "qq:3", status: .left)
        try await bench.tick([beaten, left, web].sorted { $0.session < $1.session }, journal: [left])
        try await expectLive([beaten, web], "from the table")
        try await bench.tick([])
        try await expectLive([beaten, web], "after a tick that changed nothing")

        // The journal is newer than the table.
        var promoted = web
        promoted.status = .active
        promoted.ticket = nil
        promoted.queuePosition = nil
        try await bench.write {
            $0.journal = [
                .contract("qq:1", user: "qq:1", status: .expired), promoted, .contract("qq:4", status: .left),
            ]
        }
        try await expectLive([promoted], "from both")
        var returned = active
        returned.joinTime = active.joinTime.advanced(bySeconds: 100)
        returned.lastHeartbeat = returned.joinTime
        try await bench.write { $0.journal = [returned] }
        try await expectLive([promoted, returned], "after a return")
    }

    private static func journalKeepsMilliseconds(_ bench: StoreContractBench) async throws {
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed &+ 5)
        let sessions = (0..<400).map { index in
            Participant.contract(
                SessionID("qq:\(index)"), status: .active,
                joinTime: Instant(milliseconds: Int64.random(in: 0...4_102_444_800_000, using: &generator)))
        }
        try await bench.write { $0.journal = sessions }
        try await bench.reopen()
        let found = try await participants(bench)
        for session in sessions {
            try expect(
                found[session.session], is: session, "a session, with HONGBAO_SEED=\(SeededGenerator.baseSeed)")
        }
    }

    private static func configurationIsFoundAgain(_ bench: StoreContractBench) async throws {
        let before = try await bench.store.load().configuration
        try await bench.write {
            $0.configuration = [
                ("max_concurrent_users", "5"), ("time_zone", "UTC"), ("max_concurrent_users", "6"),
                ("maintenance_reason", "升级"),
            ]
        }
        let values = ["max_concurrent_users": "6", "time_zone": "UTC", "maintenance_reason": "升级"]
        try expect(
            try await bench.store.load().configuration,
            is: before.map {
                ConfigurationRow(key: $0.key, value: values[$0.key] ?? $0.value, isActive: $0.isActive)
            }, "the rows")
    }

    private static func ownConfigurationIsNotReported(_ bench: StoreContractBench) async throws {
        _ = try await bench.facts(FactQuery())
        try await bench.write { $0.configuration = [("max_concurrent_users", "5")] }
        try expect(try await bench.facts(FactQuery()).configuration, is: nil, "the configuration in the facts")
    }

    private static func auditAndStatisticsAreWritten(_ bench: StoreContractBench) async throws {
        let bare = Changes.Audit(
            at: .contractNoon, actor: "schedule", chat: nil, action: "schedule.start", target: "", result: .badArgument)
        for _ in 1...2 {
            try await bench.write {
                $0.audit = [.contract(actor: "qq:1"), bare]
                $0.statistics = [
                    .contract(at: .contractNoon), .contract(at: .contractNoon, averageSessionSeconds: nil),
                ]
            }
        }
    }
}
