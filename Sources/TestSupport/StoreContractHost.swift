internal import Activities
internal import Basics
internal import Lottery
internal import TrafficGate

/// An honest host of one activity: imports, opens, lets users draw, voids, closes. Says what a batch has to write, and
/// knows what a store must then hold.
struct StoreContractHost: Sendable {
    private(set) var record: ActivityRecord
    /// The whole ledger.
    private(set) var rows: [LedgerRow] = []
    private(set) var participations: [UserID: Participation] = [:]
    /// Everything won, voided or not, in the order of winning.
    private(set) var wins: [StoredWin] = []
    private(set) var rounds: [UInt32: (rules: RoundRules, round: OpenRound)] = [:]
    /// What the batch in the making writes.
    var changes = Changes()
    var now: Instant
    private var generator: SeededGenerator

    var id: ActivityID { record.activity.id }

    init(_ activity: Activity, now: Instant = .contractNoon, seed: UInt64 = SeededGenerator.baseSeed) {
        record = ActivityRecord(activity: activity)
        self.now = now
        generator = SeededGenerator(seed: seed)
        changes.activities = [record]
    }

    /// Hands the batch over and begins the next.
    mutating func takeChanges() -> Changes {
        defer { changes = Changes() }
        return changes
    }

    mutating func commit(to bench: StoreContractBench) async throws {
        try await bench.write(takeChanges())
    }

    func key(_ user: UserID) -> ParticipationKey {
        ParticipationKey(user: user, activity: id)
    }

    // MARK: What happens

    /// New rules. Awards that stay keep what was issued.
    mutating func replaceRules(_ activity: Activity) {
        precondition(activity.id == id)
        let issued = Dictionary(uniqueKeysWithValues: zip(record.activity.awards.map(\.id), record.issued))
        record.issued = activity.awards.map { issued[$0.id] ?? 0 }
        record.activity = activity
        wins = wins.map { win in
            // A win keeps its name; what the award is called in the list is the rules'.
            var win = win
            if let award = activity.awards.first(where: { $0.id == win.award.id }) { win.award.prefix = award.prefix }
            return win
        }
        changes.activities.append(record)
    }

    mutating func open() {
        record.lastRound += 1
        let seed = RoundSeed.random(using: &generator)
        let rules = RoundRules(activity: record.activity, remaining: record.remaining)
        let round = OpenRound(
            round: record.lastRound, seed: seed, commitment: rules.commitment(round: record.lastRound, seed: seed))
        let row = append(.open(round: round.round, rules: rules, commitment: round.commitment))
        rounds[round.round] = (rules, round)
        record.status = .active
        record.openRound = round
        record.openedAt = row.at
        record.isStartUsed = true
        changes.newRounds.append(Changes.NewRound(rules: rules, round: round, openedAt: row.at))
        changes.activities.append(record)
    }

    mutating func close() {
        guard let round = record.openRound else { preconditionFailure("nothing is open") }
        let row = append(.close(round: round.round, seed: round.seed))
        record.status = .inactive
        record.openRound = nil
        record.isEndUsed = true
        changes.closedRounds.append(Changes.ClosedRound(activity: id, round: round.round, closedAt: row.at))
        changes.activities.append(record)
    }

    /// One attempt, decided as in life.
    @discardableResult
    mutating func draw(_ user: UserID, gameID: GameID) -> Receipt {
        guard let round = record.openRound else { preconditionFailure("nothing is open") }
        let awards = record.activity.awards
        var participation = participations[user] ?? Participation()
        precondition(participation.win == nil, "\(user) has won")
        let attempt = UInt32(participation.missCount + participation.voidCount + 1)
        var words = DrawWords(seed: round.seed, activity: id, round: round.round, user: user, attempt: attempt)
        let result = decideDraw(awards: awards, remaining: record.remaining) { words.word(at: $0) }
        var index: Int?
        if case .won(let won) = result { index = won }
        if let index { record.issued[index] += 1 }
        let left: Int? =
            index.map { awards[$0].kind == .DI_BAO ? nil : record.remaining(at: $0) } ?? (index == nil ? 0 : nil)
        let salt = Salt.random(using: &generator)
        let row = append(
            .draw(
                DrawEntry(
                    round: round.round, user: user, salt: salt, userHash: userHash(user, salt: salt), attempt: attempt,
                    award: index.map { awards[$0].id }, remaining: left)),
            previousSeq: participation.lastSeq)
        let receipt = Receipt(activity: id, seq: row.seq)
        if attempt == 1 {
            record.userCount += 1
            changes.progress[id, default: Changes.Progress()].userCount += 1
        }
        record.drawCount += 1
        changes.progress[id, default: Changes.Progress()].drawCount += 1
        if let index {
            let award = awards[index]
            changes.progress[id, default: Changes.Progress()].issued[award.id, default: 0] += 1
            let win = Changes.NewWin(
                receipt: receipt, user: user, award: award.id, awardName: award.name, gameID: gameID,
                gameIDKey: record.activity.oneWinPerGameID ? gameID.folded : nil, wonAt: row.at)
            changes.wins.append(win)
            wins.append(
                StoredWin(
                    receipt: receipt, user: user, gameID: gameID.text, award: AwardLabel(award), wonAt: row.at,
                    voidedAt: nil))
            participation.win = WinFact(receipt: receipt, award: award.id, gameID: gameID, wonAt: row.at)
        } else {
            participation.missCount += 1
            participation.lastSeq = row.seq
            changes.participations[key(user)] = participation
        }
        participations[user] = participation
        return receipt
    }

    /// Takes a live win back.
    mutating func void(_ user: UserID, reason: String = "重复账号") {
        guard var participation = participations[user], let win = participation.win,
            let index = record.activity.awards.firstIndex(where: { $0.id == win.award })
        else { preconditionFailure("\(user) has no win") }
        let row = append(.void(receipt: win.receipt, reason: reason))
        record.issued[index] -= 1
        changes.progress[id, default: Changes.Progress()].issued[win.award, default: 0] -= 1
        changes.voidedWins.append(Changes.VoidedWin(receipt: win.receipt, reason: reason, at: row.at))
        if let place = wins.firstIndex(where: { $0.receipt == win.receipt }) { wins[place].voidedAt = row.at }
        participation.win = nil
        participation.voidCount += 1
        participation.lastSeq = win.receipt.seq
        participations[user] = participation
        changes.participations[key(user)] = participation
    }

    /// Forgets a user here as the store must.
    mutating func erase(_ user: UserID) {
        record.hasErasedUsers = true
        participations[user] = nil
        rows = rows.map { row in
            guard case .draw(let entry) = row.event, entry.user == user else { return row }
            return row.publicForm
        }
        wins = wins.map { win in
            guard win.user == user else { return win }
            var win = win
            win.user = nil
            win.gameID = ""
            return win
        }
    }

    private mutating func append(_ event: LedgerEvent, previousSeq: Int64? = nil) -> LedgerRow {
        now = now.advanced(bySeconds: 1)
        let row = record.head.append(event, now: now)
        rows.append(row)
        changes.ledger.append(Changes.LedgerEntry(activity: id, row: row, previousSeq: previousSeq))
        return row
    }

    // MARK: What must be found

    /// Expects that the store holds this activity and nothing else of it.
    func expectFound(in bench: StoreContractBench) async throws {
        let found = try await bench.store.load().activities.first { $0.activity.id == id }
        try expect(found, is: record, "the record of \(id)")
        try expect(try await bench.store.ledger(of: id, from: 0, limit: .max), is: rows, "the ledger of \(id)")
        try expect(try await bench.store.winners(of: id, after: -1, limit: .max), is: wins, "the wins of \(id)")
        let facts = try await bench.facts { $0.participations = participations.keys.map { key($0) } }
        for (user, participation) in participations {
            try expect(facts.participations[key(user)], is: participation, "the participation of \(user)")
        }
    }

    /// Expects that the ledger as the store gives it out passes the verifier.
    func expectVerified(in bench: StoreContractBench) async throws {
        let rows = try await bench.store.ledger(of: id, from: 0, limit: .max)
        let report = LedgerVerifier.verify(rows.flatMap { $0.canonicalLine + [0x0A] })
        try expect(report.badRow, is: nil, "the verifier's fault with the ledger of \(id)")
        try expect(report.head, is: record.head.hash, "the verified head of \(id)")
    }
}

// MARK: Samples

extension Instant {
    /// Noon of 2027-02-10 in Shanghai.
    static let contractNoon = Instant(milliseconds: 1_802_232_000_123)
}

extension Percent {
    static func contract(_ text: String) -> Percent {
        guard let percent = Percent(text) else { preconditionFailure("\(text) is no percentage") }
        return percent
    }
}

extension Hash {
    /// 32 times the same byte.
    static func contract(_ byte: UInt8) -> Hash {
        guard let hash = Hash(Array(repeating: byte, count: 32)) else { preconditionFailure("a hash has 32 bytes") }
        return hash
    }
}

extension Activity {
    /// Every field set, every kind of award, the order not that of the ids.
    static let contractRich = Activity(
        id: "spring-2027", name: "春节抽奖", scope: .chats(["qq:88001", "onebot11:7"]), maxAttempts: 3,
        oneWinPerGameID: true, startsAt: Instant(milliseconds: 1_802_228_400_000),
        endsAt: Instant(milliseconds: 1_802_314_800_001),
        awards: [
            ActivityAward(
                id: "gold", kind: .ONLY, percent: .contract("0.5"), prefix: "一等奖", name: "游戏主机", remark: "寄送",
                number: 1),
            ActivityAward(
                id: "bronze", kind: .NORNAL, percent: .contract("33.3333"), prefix: "三等奖", name: "改名卡", number: 40),
            ActivityAward(
                id: "a.silver_1", kind: .NORNAL, percent: .contract("8"), prefix: "二等奖", name: "限定\"皮肤\"\\",
                number: 1_000_000_000),
            ActivityAward(id: "bao", kind: .DI_BAO, prefix: "低保", name: "金币 x100"),
        ])

    /// One award that every attempt hits until it is gone; misses after that.
    static func contractSure(
        _ id: ActivityID = "sure", name: String? = nil, number: Int = 100, maxAttempts: Int? = nil,
        oneWinPerGameID: Bool = false
    ) -> Activity {
        Activity(
            id: id, name: name ?? "必中 \(id)", maxAttempts: maxAttempts, oneWinPerGameID: oneWinPerGameID,
            awards: [
                ActivityAward(
                    id: "skin", kind: .NORNAL, percent: .contract("100"), prefix: "一等奖", name: "皮肤", number: number)
            ])
    }
}

extension GameID {
    static func contract(_ text: String) -> GameID { GameID(stored: text) }
}

extension ProcessedMessage {
    static func contract(
        _ key: String, sentAt: Instant? = nil, user: UserID = "qq:1", at: Instant = .contractNoon
    ) -> ProcessedMessage {
        ProcessedMessage(
            key: .test(key, at: sentAt), user: user, chat: nil, fingerprint: "draw",
            answer: StoredAnswer(code: .notBound, receipt: nil, parameters: nil), at: at)
    }
}

extension Participant {
    static func contract(
        _ session: SessionID, user: UserID? = nil, status: ParticipantStatus, ticket: UInt64? = nil,
        joinTime: Instant = .contractNoon
    ) -> Participant {
        Participant(
            session: session, user: user, joinTime: joinTime,
            leaveTime: status.isLive ? nil : joinTime.advanced(bySeconds: 9),
            lastHeartbeat: joinTime.advanced(bySeconds: 5), status: status, ticket: ticket,
            queuePosition: ticket.map { Int($0) })
    }
}

extension GateStatistics {
    static func contract(at: Instant, averageSessionSeconds: Int? = 12) -> GateStatistics {
        GateStatistics(
            at: at, activeUsers: 3, queuedUsers: 4, totalRequests: 5, rejectedRequests: 1,
            averageSessionSeconds: averageSessionSeconds)
    }
}

extension Changes.Audit {
    static func contract(actor: String) -> Changes.Audit {
        Changes.Audit(
            at: .contractNoon, actor: actor, chat: "qq:88001", action: "void", target: "sure-1", before: "skin",
            after: "重复", result: .ok)
    }
}
