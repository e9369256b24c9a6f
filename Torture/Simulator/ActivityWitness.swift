internal import Activities
internal import Basics
internal import Lottery
internal import TestSupport

/// One activity as its ledger tells it, row by row: what is left, who has won, who has tried how often.
///
/// - Source: spec.md section 5.
struct ActivityWitness {
    struct Player {
        var attempts = 0
        var misses = 0
        var win: Receipt?
    }

    private struct Win {
        let award: AwardID
        /// Nil once erased.
        var user: UserID?
        let account: Int
        var isVoided = false
    }

    let id: ActivityID
    private(set) var rowCount = 0
    private var at = Instant(milliseconds: 0)
    private var round: UInt32 = 0
    private var rules: RoundRules?
    private var isOpen = false
    private var remaining: [AwardID: Int] = [:]
    /// Wins not voided.
    private(set) var held: [AwardID: Int] = [:]
    private(set) var players: [UserID: Player] = [:]
    private var wins: [Int64: Win] = [:]
    private(set) var erased: Set<UserID> = []
    private var verifier = LedgerVerifier(seeds: LedgerSeeds())
    private var verifiedCount = 0

    init(_ id: ActivityID) {
        self.id = id
    }

    /// Whether somebody else holds a live win under the same game account.
    func isAccountUsed(_ account: Int, otherThanBy user: UserID) -> Bool {
        wins.values.contains { !$0.isVoided && $0.account == account && $0.user != nil && $0.user != user }
    }

    /// Takes the next row of the ledger, and with a win what stands beside it.
    mutating func take(_ row: LedgerRow, win: MemoryTables.KeptWin?, account: (GameID) -> Int?) throws(BrokenPromise) {
        try expect(row.seq == Int64(rowCount), "row \(row.seq) of \(id) where \(rowCount) is due")
        try expect(row.at >= at, "row \(row.seq) of \(id) is earlier than the one before")
        rowCount += 1
        at = row.at
        switch row.event {
        case .open(let number, let new, _):
            try expect(!isOpen && number == round + 1, "round \(number) of \(id) after round \(round)")
            (round, rules, isOpen, remaining) = (number, new, true, [:])
            for award in new.awards { remaining[award.id] = award.number }
        case .close(let number, _):
            try expect(isOpen && number == round, "the close of round \(number) of \(id) in round \(round)")
            isOpen = false
        case .void(let receipt, _):
            guard let voided = wins[receipt.seq], !voided.isVoided, receipt.activity == id else {
                throw BrokenPromise("\(receipt) was voided but is no live win")
            }
            wins[receipt.seq]?.isVoided = true
            held[voided.award, default: 0] -= 1
            remaining[voided.award]? += 1
            if let user = voided.user { players[user]?.win = nil }
        case .draw(let entry): try take(entry, row, win: win, account: account)
        }
    }

    private mutating func take(
        _ entry: DrawEntry, _ row: LedgerRow, win: MemoryTables.KeptWin?, account: (GameID) -> Int?
    ) throws(BrokenPromise) {
        let receipt = Receipt(activity: id, seq: row.seq)
        guard let rules, isOpen, entry.round == round else { throw BrokenPromise("\(receipt) was drawn in no round") }
        guard let user = entry.user else { throw BrokenPromise("\(receipt) has no user") }
        var player = players[user] ?? Player()
        try expect(!erased.contains(user), "\(user) drew \(receipt) after being forgotten in between")
        try expect(player.win == nil, "\(user) drew \(receipt) with a live win \(player.win.map(\.description) ?? "")")
        try expect(
            player.misses < rules.maxAttempts ?? .max,
            "\(user) drew \(receipt) beyond \(rules.maxAttempts ?? 0) attempts")
        player.attempts += 1
        try expect(
            Int(entry.attempt) == player.attempts, "\(receipt) is attempt \(entry.attempt), not \(player.attempts)")
        try expect((win != nil) == (entry.award != nil), "\(receipt) stands in one of ledger and wins only")
        guard let award = entry.award, let win else {
            player.misses += 1
            players[user] = player
            try expect(entry.remaining == 0, "the miss \(receipt) leaves \(entry.remaining ?? -1)")
            return
        }
        guard let kind = rules.awards.first(where: { $0.id == award })?.kind else {
            throw BrokenPromise("\(receipt) won \(award), which is not in the rules")
        }
        if kind == .DI_BAO {
            try expect(entry.remaining == nil, "\(receipt) leaves a number of a 低保 award")
        } else {
            let left = (remaining[award] ?? 0) - 1
            try expect(left >= 0, "\(receipt) gave a copy of \(award) when none was left")
            try expect(entry.remaining == left, "\(receipt) leaves \(entry.remaining ?? -1) of \(award), not \(left)")
            remaining[award] = left
        }
        guard win.user == user, win.award == award, let account = account(win.gameID) else {
            throw BrokenPromise("the win \(receipt) is not what the ledger says")
        }
        if rules.oneWinPerGameID {
            try expect(!isAccountUsed(account, otherThanBy: user), "\(receipt) is a second win of one game id")
        }
        held[award, default: 0] += 1
        wins[row.seq] = Win(award: award, user: user, account: account)
        player.win = receipt
        players[user] = player
    }

    /// What stays of a user is that they took part.
    mutating func erase(_ user: UserID) {
        guard players.removeValue(forKey: user) != nil else { return }
        erased.insert(user)
        for seq in wins.keys where wins[seq]?.user == user { wins[seq]?.user = nil }
    }

    /// Has the rows since the last time verified.
    mutating func verify(_ rows: [LedgerRow]) throws(BrokenPromise) {
        for row in rows[verifiedCount...] { _ = verifier.read(verifier.reader.line(row.canonicalLine)) }
        verifiedCount = rows.count
        if let bad = verifier.finish().badRow, !rows.isEmpty {
            throw BrokenPromise("the ledger of \(id) does not verify: \(bad)")
        }
    }
}
