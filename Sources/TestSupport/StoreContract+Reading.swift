internal import Activities
internal import Basics
internal import Lottery
internal import TrafficGate

// Lists, single draws, erasure, and texts that are easily mistaken for each other.

extension StoreContract {
    static let readingChecks: [Check] = [
        Check("own wins are listed newest first, without those voided", winsAreNewestFirst),
        Check("winners are grouped by user, the newest activity first", winnersAreGrouped),
        Check("pages of winners have no gaps and no repetitions", winnersArePaged),
        Check("the seed of a draw is given out after the close only", seedFollowsTheClose),
        Check("ledger and stored wins are read in pages", ledgerIsPaged),
    ]

    static let erasureChecks: [Check] = [
        Check("erasing a user leaves nothing that names them, and the chain holds", erasureUnlinks),
        Check("an erased user is known again by the digest alone", erasedUserIsKnownAgain),
        Check("an erasure lasts beyond reopening", needsReopening: true, erasureLasts),
        Check("the erased are listed as winners without a name", erasedWinnersStayCounted),
        Check("no earlier row of an erased user's session makes it a session again", erasedSessionsStayGone),
    ]

    static let textChecks: [Check] = [
        Check("users with equivalent but different bytes are two users", equivalentUsersAreTwo),
        Check("empty and odd texts are found again as they were", oddTextsAreKept),
    ]

    // MARK: Lists

    /// Three activities, of which `c` was opened last: qq:1 won in all, qq:2 in `a` and `b`, qq:3 in `a`; qq:4 won in
    /// `b` and it was voided; qq:5 won in `c` only.
    private static func threeActivities(_ bench: StoreContractBench) async throws -> [ActivityID: StoreContractHost] {
        var hosts: [ActivityID: StoreContractHost] = [:]
        let winners: [(ActivityID, [UserID])] = [
            ("a", ["qq:3", "qq:1", "qq:2"]), ("b", ["qq:4", "qq:2", "qq:1"]), ("c", ["qq:5", "qq:1"]),
        ]
        var now = Instant.contractNoon
        for (id, users) in winners {
            var host = StoreContractHost(.contractSure(id), now: now)
            host.open()
            for user in users { host.draw(user, gameID: .contract("\(user) in \(id)")) }
            if id == "b" { host.void("qq:4") }
            if id != "c" { host.close() }
            try await host.commit(to: bench)
            now = host.now
            hosts[id] = host
        }
        return hosts
    }

    private static func win(_ win: StoredWin, in host: StoreContractHost?) -> Win {
        Win(
            activityName: host?.record.activity.name ?? "", award: win.award, receipt: win.receipt, gameID: win.gameID,
            wonAt: win.wonAt, voidedAt: win.voidedAt)
    }

    private static func winsAreNewestFirst(_ bench: StoreContractBench) async throws {
        let hosts = try await threeActivities(bench)
        func wins(_ user: UserID, _ ids: [ActivityID]) -> [Win] {
            ids.compactMap { id in
                hosts[id]?.wins.first { $0.user == user }.map { win($0, in: hosts[id]) }
            }
        }
        try expect(try await bench.store.wins(of: "qq:1"), is: wins("qq:1", ["c", "b", "a"]), "three wins")
        try expect(try await bench.store.wins(of: "qq:2"), is: wins("qq:2", ["b", "a"]), "two wins")
        try expect(try await bench.store.wins(of: "qq:4"), is: [], "a voided win")
        let data = try await bench.store.data(of: "qq:1")
        try expect(data.wins, is: wins("qq:1", ["c", "b", "a"]), "wins in the user's data")
    }

    private static func winnersAreGrouped(_ bench: StoreContractBench) async throws {
        let hosts = try await threeActivities(bench)
        func winner(_ user: UserID, _ ids: [ActivityID]) -> WinnersPage.Winner {
            let wins = ids.compactMap { id in
                hosts[id]?.wins.first { $0.user == user }.map { win($0, in: hosts[id]) }
            }
            return WinnersPage.Winner(gameID: wins.first?.gameID ?? "", wins: wins)
        }
        func expectWinners(
            _ expected: [WinnersPage.Winner], of activities: [ActivityID], line: UInt = #line
        ) async throws {
            try expect(
                try await bench.store.winners(of: activities, page: 1, pageSize: 10),
                is: WinnersPage(
                    page: 1, pageCount: expected.isEmpty ? 0 : 1, winnerCount: expected.count, winners: expected),
                "winners of \(activities)", line: line)
        }
        try await expectWinners(
            [
                winner("qq:5", ["c"]), winner("qq:1", ["c", "b", "a"]), winner("qq:2", ["b", "a"]),
                winner("qq:3", ["a"]),
            ], of: ["c", "b", "a"])
        try await expectWinners(
            [winner("qq:3", ["a"]), winner("qq:1", ["c", "a"]), winner("qq:2", ["a"]), winner("qq:5", ["c"])],
            of: ["a", "c"])
        try await expectWinners([winner("qq:2", ["b"]), winner("qq:1", ["b"])], of: ["b"])
        try await expectWinners([], of: [])
        try await expectWinners([], of: ["unknown"])
    }

    private static func winnersArePaged(_ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractSure(number: 25))
        host.open()
        for user in 1...23 { host.draw(UserID("qq:\(user)"), gameID: .contract("id \(user)")) }
        try await host.commit(to: bench)
        var listed: [String] = []
        for page in 1...5 {
            let found = try await bench.store.winners(of: [host.id], page: page, pageSize: 5)
            try expect([found.page, found.pageCount, found.winnerCount], is: [page, 5, 23], "page \(page)")
            listed += found.winners.map(\.gameID)
        }
        try expect(listed, is: (1...23).map { "id \($0)" }, "all pages")
        for page in [6, 1_000_000, Int.max] {
            let found = try await bench.store.winners(of: [host.id], page: page, pageSize: 5)
            try expect(found.page, is: 5, "the page for page \(page)")
            try expect(found.winners.map(\.gameID), is: ["id 21", "id 22", "id 23"], "page \(page)")
        }
        let whole = try await bench.store.winners(of: [host.id], page: 1, pageSize: 23)
        try expect([whole.pageCount, whole.winners.count], is: [1, 23], "a page that just fits")
    }

    private static func seedFollowsTheClose(_ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractSure(number: 1))
        host.open()
        let won = host.draw("qq:1", gameID: .contract("a"))
        let missed = host.draw("qq:2", gameID: .contract("b"))
        try await host.commit(to: bench)

        try await expectDraw(won, of: host, isClosed: false, bench)
        try await expectDraw(missed, of: host, isClosed: false, bench)
        try expect(try await bench.store.draw(Receipt(activity: host.id, seq: 0)), is: nil, "the opening as a draw")
        try expect(try await bench.store.draw(Receipt(activity: host.id, seq: 3)), is: nil, "a row that is not there")

        host.close()
        host.open()
        let later = host.draw("qq:3", gameID: .contract("c"))
        host.void("qq:1")
        try await host.commit(to: bench)
        try await expectDraw(won, of: host, isClosed: true, voidedAt: host.now, bench)
        try await expectDraw(missed, of: host, isClosed: true, bench)
        try await expectDraw(later, of: host, isClosed: false, bench)
    }

    private static func expectDraw(
        _ receipt: Receipt, of host: StoreContractHost, isClosed: Bool, voidedAt: Instant? = nil,
        _ bench: StoreContractBench, line: UInt = #line
    ) async throws {
        let row = host.rows[Int(receipt.seq)]
        guard case .draw(let entry) = row.event, let round = host.rounds[entry.round] else {
            throw BrokenPromise("the host has no draw \(receipt)")
        }
        try expect(
            try await bench.store.draw(receipt),
            is: StoredDraw(
                row: row, entry: entry, rules: round.rules, commitment: round.round.commitment,
                seed: isClosed ? round.round.seed : nil, voidedAt: voidedAt), "draw \(receipt)", line: line)
    }

    private static func ledgerIsPaged(_ bench: StoreContractBench) async throws {
        var hosts = [StoreContractHost(.contractSure("a", number: 4)), StoreContractHost(.contractSure("b"))]
        for index in hosts.indices {
            hosts[index].open()
            for user in 1...9 { hosts[index].draw(UserID("qq:\(user)"), gameID: .contract("\(user)")) }
            hosts[index].void("qq:2")
            hosts[index].close()
            try await hosts[index].commit(to: bench)
        }
        let host = hosts[0]
        var rows: [LedgerRow] = []
        while true {
            let page = try await bench.store.ledger(of: host.id, from: Int64(rows.count), limit: 4)
            try expect(page.count <= 4, "a page of at most 4 rows")
            rows += page
            if page.isEmpty { break }
        }
        try expect(rows, is: host.rows, "the ledger in pages")
        try expect(try await bench.store.ledger(of: host.id, from: 0, limit: 0), is: [], "no rows asked for")
        try expect(try await bench.store.ledger(of: host.id, from: .max, limit: 5), is: [], "beyond the end")

        var wins: [StoredWin] = []
        while true {
            let page = try await bench.store.winners(of: host.id, after: wins.last?.receipt.seq ?? -1, limit: 3)
            try expect(page.count <= 3, "a page of at most 3 wins")
            wins += page
            if page.isEmpty { break }
        }
        try expect(wins, is: host.wins, "the wins in pages")
        try expect(wins.contains { $0.voidedAt != nil }, "voided wins among them")
    }

    // MARK: Erasure

    private static func erasureUnlinks(_ bench: StoreContractBench) async throws {
        try await eraseAndCompare(bench) {}
    }

    private static func erasureLasts(_ bench: StoreContractBench) async throws {
        try await eraseAndCompare(bench) { try await bench.reopen() }
    }

    private static func eraseAndCompare(
        _ bench: StoreContractBench, between: () async throws -> Void
    ) async throws {
        // Given a user with misses, a voided win, a live win, and rows of others in between; and one with misses only
        let gone: UserID = "qq:1"
        var activity = Activity.contractSure("a", number: 0)
        var first = StoreContractHost(activity)
        first.open()
        for user in [gone, "qq:2", gone, "qq:10", gone] as [UserID] { first.draw(user, gameID: .contract("g\(user)")) }
        first.close()
        activity.awards[0].number = 5
        first.replaceRules(activity)
        first.open()
        first.draw(gone, gameID: .contract("ggone"))
        first.void(gone, reason: "第一次")
        first.draw("qq:2", gameID: .contract("g2"))
        first.draw(gone, gameID: .contract("ggone"))
        first.void(gone, reason: "第二次")
        first.draw("qq:3", gameID: .contract("g3"))
        first.draw(gone, gameID: .contract("ggone"))
        try await first.commit(to: bench)
        var second = StoreContractHost(.contractSure("b", number: 0))
        second.open()
        second.draw(gone, gameID: .contract("ggone"))
        second.draw("qq:2", gameID: .contract("g2"))
        try await second.commit(to: bench)
        let untouched: UserID = "qq:2"
        try await bench.write {
            $0.bindings = [gone: .some(.contract("ggone")), untouched: .some(.contract("g2"))]
            $0.messages = [
                .contract("m1", user: gone), .contract("m2", sentAt: .contractNoon, user: gone),
                .contract("m3", user: untouched),
            ]
            $0.journal = [
                .contract("qq:1", user: gone, status: .active), .contract("web:x", user: gone, status: .active),
                .contract("qq:2", user: untouched, status: .active),
            ]
            $0.participants = [
                .contract("qq:1", user: gone, status: .active), .contract("qq:2", user: untouched, status: .active),
                .contract("web:x", user: gone, status: .active),
            ]
            $0.audit = [.contract(actor: gone.text), .contract(actor: untouched.text)]
        }
        try await bench.write { $0.journal = [.contract("web:y", user: gone, status: .active)] }
        let activities = try await bench.facts { $0.erasing = [gone] }.activitiesOfErasing[gone]
        try expect(Set(activities ?? []), is: ["a", "b"], "the activities of the user")

        // When the user is erased
        let erased = ProcessedMessage.contract("erase", user: "")
        try await bench.write {
            $0.messages = [erased]
            $0.erasures = [Changes.Erasure(user: gone, digests: ["a": .contract(1), "b": .contract(2)])]
        }
        first.erase(gone)
        second.erase(gone)
        try await between()

        // Then nothing names them
        try await first.expectFound(in: bench)
        try await second.expectFound(in: bench)
        let texts = try await [first, second].asyncFlatMap {
            try await bench.store.ledger(of: $0.id, from: 0, limit: .max).map(\.canonicalText)
        }
        try expect(!texts.contains { $0.contains("\"qq:1\"") }, "a ledger without the user")
        try expect(texts.contains { $0.contains("\"qq:10\"") }, "a ledger with others")
        let data = try await bench.store.data(of: gone)
        try expect(
            data, is: UserData(user: gone, gameID: nil, wins: [], missCount: 0, messageCount: 0, hasSession: false),
            "the user's data")
        let facts = try await bench.facts {
            $0.messages = [.test("m1"), .test("m2", at: .contractNoon), .test("m3"), erased.key]
            $0.bindings = [gone, untouched]
            $0.participations = [first.key(gone), second.key(gone)]
            $0.erasing = [gone]
        }
        try expect(Set(facts.messages.keys), is: [.test("m3"), erased.key], "messages")
        try expect(facts.bindings, is: [untouched: .contract("g2")], "bindings")
        try expect(facts.participations, is: [:], "participations")
        try expect(facts.activitiesOfErasing[gone] ?? [], is: [], "activities")
        let sessions = try await bench.store.load().participants
        try expect(sessions.map(\.session), is: ["qq:2"], "sessions")

        // And both chains hold, also after further draws
        try await first.expectVerified(in: bench)
        try await second.expectVerified(in: bench)
        first.draw("qq:4", gameID: .contract("g4"))
        try await first.commit(to: bench)
        try await first.expectFound(in: bench)
        try await first.expectVerified(in: bench)
    }

    private static func erasedSessionsStayGone(_ bench: StoreContractBench) async throws {
        let gone: UserID = "qq:1"
        // Given sessions that had nobody, or somebody else, before they were theirs, and one that never named them
        try await bench.write {
            $0.participants = [
                .contract("web:1", status: .active), .contract("web:2", user: "qq:2", status: .active),
                .contract("web:3", status: .active), .contract("web:4", user: "qq:2", status: .active),
            ]
            $0.journal = [
                .contract("web:1", user: gone, status: .active), .contract("web:2", user: gone, status: .active),
                // And one that is somebody else's by now.
                .contract("web:4", user: gone, status: .active), .contract("web:4", user: "qq:2", status: .active),
            ]
        }
        // When the user is erased, together with one that the gate took for theirs
        try await bench.write { $0.erasures = [Changes.Erasure(user: gone, digests: [:], sessions: ["web:3"])] }
        // Then only the other's is left
        let sessions = try await bench.store.load().participants
        try expect(sessions.map(\.session), is: ["web:4"], "sessions")
        try expect(sessions.map(\.user), is: ["qq:2"], "whose they are")
    }

    private static func erasedUserIsKnownAgain(_ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractSure())
        host.open()
        host.draw("qq:1", gameID: .contract("a"))
        try await host.commit(to: bench)
        try await bench.write { $0.erasures = [Changes.Erasure(user: "qq:1", digests: [host.id: .contract(9)])] }
        func participation(_ digest: Hash, in activity: ActivityID) async throws -> Participation? {
            let key = ParticipationKey(user: "qq:1", activity: activity)
            return try await bench.facts {
                $0.participations = [key]
                $0.erased = [key: digest]
            }.participations[key]
        }
        try expect(
            try await participation(.contract(9), in: host.id), is: Participation(isErased: true), "the digest")
        try expect(try await participation(.contract(8), in: host.id), is: nil, "another digest")
        try expect(try await participation(.contract(9), in: "other"), is: nil, "another activity")
        try expect(try await bench.store.load().activities.first?.hasErasedUsers, is: true, "the activity's mark")
        // Twice is the same as once.
        try await bench.write { $0.erasures = [Changes.Erasure(user: "qq:1", digests: [host.id: .contract(9)])] }
        try expect(
            try await participation(.contract(9), in: host.id), is: Participation(isErased: true), "after a second time"
        )
    }

    private static func erasedWinnersStayCounted(_ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractSure(oneWinPerGameID: true))
        host.open()
        let receipts = ["qq:1", "qq:2", "qq:3"].map { host.draw(UserID($0), gameID: .contract("G \($0)")) }
        try await host.commit(to: bench)
        for user in ["qq:1", "qq:3"] as [UserID] {
            try await bench.write {
                $0.erasures = [Changes.Erasure(user: user, digests: [host.id: .contract(user == "qq:1" ? 1 : 3)])]
            }
            host.erase(user)
        }
        let page = try await bench.store.winners(of: [host.id], page: 1, pageSize: 10)
        try expect(page.winners.map(\.gameID), is: ["", "G qq:2", ""], "the winners' game ids")
        try expect(page.winners.map { $0.wins.map(\.receipt) }, is: receipts.map { [$0] }, "the winners' receipts")
        try expect(page.winnerCount, is: 3, "winners")
        let key = GameIDKey(activity: host.id, folded: "g qq:1")
        try expect(try await bench.facts { $0.gameIDs = [key] }.winnersByGameID, is: [:], "the erased game id")
        let voidable = try await bench.facts { $0.receipt = receipts[0] }.voidable
        try expect(
            voidable,
            is: VoidableDraw(
                receipt: receipts[0], user: nil, award: "skin", isVoided: false, participation: Participation()),
            "a win without its user")
        // Rules written again must not bring the erased game id back.
        host.replaceRules(host.record.activity)
        try await host.commit(to: bench)
        try expect(try await bench.facts { $0.gameIDs = [key] }.winnersByGameID, is: [:], "after new rules")
        try await host.expectFound(in: bench)
    }

    // MARK: Texts

    private static func equivalentUsersAreTwo(_ bench: StoreContractBench) async throws {
        try await expectSeparate(["qq:caf\u{E9}", "qq:cafe\u{301}", "qq:CAF\u{E9}", "qq:\u{212B}", "qq:\u{C5}"], bench)
    }

    /// Every user plays, binds and is erased on their own.
    private static func expectSeparate(_ users: [UserID], _ bench: StoreContractBench) async throws {
        var host = StoreContractHost(.contractSure(number: users.count))
        host.open()
        for (index, user) in users.enumerated() {
            host.draw(user, gameID: .contract("id \(index)"))
            host.changes.bindings[user] = .some(.contract("id \(index)"))
            host.changes.messages.append(.contract("m\(index)", user: user))
            host.changes.journal.append(.contract(SessionID(user.text), user: user, status: .active))
        }
        try await host.commit(to: bench)
        try await host.expectFound(in: bench)
        let page = try await bench.store.winners(of: [host.id], page: 1, pageSize: 100)
        try expect(page.winners.map(\.wins.count), is: users.map { _ in 1 }, "wins of each winner")
        for (index, user) in users.enumerated() {
            let data = try await bench.store.data(of: user)
            try expect(data.gameID, is: "id \(index)", "the binding of \(user.text.debugDescription)")
            try expect(data.wins.map(\.gameID), is: ["id \(index)"], "the wins of \(user.text.debugDescription)")
            try expect(data.messageCount, is: 1, "the messages of \(user.text.debugDescription)")
            let activities = try await bench.facts { $0.erasing = [user] }.activitiesOfErasing[user]
            try expect(activities, is: [host.id], "the activities of \(user.text.debugDescription)")
            try expect(
                try await bench.facts { $0.receipt = host.wins[index].receipt }.voidable?.user, is: user,
                "the user of a draw")
        }
        try expect(
            Set(try await bench.store.load().participants.map(\.session)), is: Set(users.map { SessionID($0.text) }),
            "the sessions")

        var rest = users
        while let user = rest.popLast() {
            try await bench.write {
                $0.erasures = [Changes.Erasure(user: user, digests: [host.id: .contract(UInt8(rest.count))])]
            }
            host.erase(user)
            try await host.expectFound(in: bench)
            let bound = try await bench.facts { $0.bindings = users }.bindings
            try expect(Set(bound.keys), is: Set(rest), "the bindings after \(user.text.debugDescription) was erased")
            try expect(
                Set(try await bench.store.load().participants.map(\.user)), is: Set(rest), "the sessions afterwards")
        }
    }

    private static func oddTextsAreKept(_ bench: StoreContractBench) async throws {
        let texts = [
            "", " ", "'); DROP TABLE bot_user_award; --", "%_\\", "\"", "\u{FEFF}x", "🧧👨‍👩‍👧‍👦", "\u{FFFD}\u{FFFF}", "\r\n\t",
            String(repeating: "长", count: 2000),
        ]
        for (index, text) in texts.enumerated() {
            var activity = Activity.contractSure(ActivityID("t\(index)"), name: "名\(text)")
            activity.scope = .chats([ChatID(text), "qq:1"])
            activity.awards[0].prefix = text
            activity.awards[0].name = text
            activity.awards[0].remark = text
            var host = StoreContractHost(activity)
            host.open()
            let user = UserID("qq:\(text)")
            host.draw(user, gameID: .contract("g\(text)"))
            host.void(user, reason: text)
            host.draw(user, gameID: .contract("g\(text)"))
            let message = ProcessedMessage(
                key: .test("\(index)"), user: user, chat: ChatID(text), fingerprint: text,
                answer: StoredAnswer(code: .ok, receipt: nil, parameters: text), at: .contractNoon)
            host.changes.messages = [message]
            host.changes.bindings[user] = .some(.contract(text))
            host.changes.configuration = [("odd_\(index)", text)]
            try await host.commit(to: bench)
            try await host.expectFound(in: bench)
            try await host.expectVerified(in: bench)
            let facts = try await bench.facts {
                $0.messages = [message.key]
                $0.bindings = [user]
            }
            try expect(facts.messages, is: [message.key: message], "the message")
            try expect(facts.bindings, is: [user: .contract(text)], "the binding")
            let row = try await bench.store.load().configuration.last
            try expect(row.map { Array($0.value.utf8) }, is: Array(text.utf8), "the configuration")
        }
    }
}

extension Sequence {
    fileprivate func asyncFlatMap<Value>(_ transform: (Element) async throws -> [Value]) async throws -> [Value] {
        var values: [Value] = []
        for element in self { values += try await transform(element) }
        return values
    }
}
