internal import Basics

/// The seeds that a ledger reveals, gathered in a first pass so that the second can compute outcomes again as it goes.
public struct LedgerSeeds: Sendable {
    private var seeds: [UInt32: RoundSeed] = [:]

    public init() {}

    /// Takes one line. Lines that reveal nothing, and lines that cannot be read, are passed over: judging them is the
    /// second pass's. Of several seeds for a round the first counts.
    public mutating func read(line: [UInt8]) {
        // `{"seq":123,"type":3`: only these lines are worth reading whole.
        guard let comma = line.prefix(32).firstIndex(of: UInt8(ascii: ",")),
            line[comma...].starts(with: ",\"type\":3,".utf8), let row = try? LedgerRow(canonicalLine: line),
            case .close(let round, let seed) = row.event
        else { return }
        if seeds[round] == nil { seeds[round] = seed }
    }

    /// The seed that was revealed for a round; not yet compared with its commitment.
    public subscript(round: UInt32) -> RoundSeed? { seeds[round] }
}

/// A hash that somebody saw in the chat, to compare with a ledger's head.
public struct HeadClaim: Hashable, Sendable {
    private let hex: String

    /// - Parameter text: 64 hexadecimal digits, or the first 16 of them as replies show them; upper case is accepted.
    /// - Returns: Nil for anything else.
    public init?(_ text: some StringProtocol) {
        let hex = text.lowercased()
        guard [16, 64].contains(hex.utf8.count), hexBytes(hex) != nil else { return nil }
        self.hex = hex
    }

    /// Whether the hash is the claimed one, as far as the claim goes.
    public func matches(_ hash: Hash) -> Bool {
        hash.hex.utf8.starts(with: hex.utf8)
    }
}

/// Checks an exported ledger, line by line: everything that can be known from the file.
///
/// Chain, order and times; rounds counted from 1, one at a time; rules and commitments; every outcome whose round is
/// closed and whose user is present; attempts, stock, one unvoided win per user; void targets. A row without a user
/// (erased, or a public export) skips what needs the user.
///
/// If a revealed seed does not match its round's commitment, the closing row is the bad one and the round's outcomes
/// are not computed again: they say nothing about a seed that was exchanged afterwards.
///
/// For `DI_BAO` both `null` and 0 are accepted as what remains. This project writes null (2^64−1 in the hash), but
/// ledgers with 0 exist; the number has no meaning there, and the row's hash binds whichever was written.
/// See docs/decisions/0003-dibao-remaining.md.
///
/// After an erasure a user may appear again whose earlier rows have no name any more, so a first attempt above 1 is
/// accepted when there were enough nameless rows before it.
///
/// Memory grows with the number of users, wins and rounds, not with the number of rows. Never traps, whatever the
/// lines.
///
/// - Source: spec.md sections 5 and 9.
public struct LedgerVerifier: Sendable {
    private struct Win {
        let award: AwardID
        let user: UserID?
    }

    private struct UserState {
        /// Attempts before the first that is visible.
        var hiddenAttempts: Int
        var lastAttempt: Int
        var voidCount = 0
        var win: Int64?
    }

    /// The round that is open, or the last one that was.
    private struct RoundState {
        let rules: RoundRules
        let awards: [ActivityAward]
        let indexes: [AwardID: Int]
        let commitment: Hash
        /// Of the rules' awards, in the report's totals.
        let totals: [Int]
        /// Nil when the seed is not revealed, or not the one committed to.
        let words: RoundWords?
        var isOpen = true
    }

    private let seeds: LedgerSeeds
    private let claim: HeadClaim?
    private var report = LedgerReport()
    private var lineCount = 0
    private var at = Instant(milliseconds: 0)
    private var round: RoundState?
    /// Copies left of the round's awards.
    private var remaining: [Int] = []
    private var users: [UserID: UserState] = [:]
    private var wins: [Int64: Win] = [:]
    private var voidedSeqs: Set<Int64> = []
    private var awardIndexes: [AwardID: Int] = [:]
    private var claimedSeq: Int64?

    /// - Parameters:
    ///   - seeds: From a first pass over the same lines. Without them no outcome is computed again.
    ///   - head: What the head of the chain is said to be.
    public init(seeds: LedgerSeeds, head: HeadClaim? = nil) {
        self.seeds = seeds
        claim = head
    }

    /// Both passes over a ledger that is in memory.
    public static func verify(_ contents: [UInt8], head: HeadClaim? = nil) -> LedgerReport {
        var seeds = LedgerSeeds()
        var splitter = LedgerLineSplitter()
        splitter.read(contents) {
            seeds.read(line: $0)
            return true
        }
        if let rest = splitter.finish() { seeds.read(line: rest) }
        var verifier = LedgerVerifier(seeds: seeds, head: head)
        splitter.read(contents) { verifier.read(line: $0) }
        if let rest = splitter.finish() { _ = verifier.read(line: rest) }
        return verifier.finish()
    }

    /// Checks the next line.
    ///
    /// - Parameter line: Without its `\n`.
    /// - Returns: False once a row was bad; further lines are passed over.
    public mutating func read(line: [UInt8]) -> Bool {
        read(Self.row(of: line))
    }

    /// What a line says. Needs no verifier, so that it can be done ahead of ``read(_:)``.
    public static func row(of line: [UInt8]) -> Result<LedgerRow, LedgerLineError> {
        Result { () throws(LedgerLineError) in try LedgerRow(canonicalLine: line) }
    }

    /// Checks the next line, which ``row(of:)`` has read. As ``read(line:)``.
    public mutating func read(_ line: Result<LedgerRow, LedgerLineError>) -> Bool {
        guard report.badRow == nil else { return false }
        lineCount += 1
        let row: LedgerRow
        do throws(LedgerLineError) {
            row = try line.get()
        } catch {
            report.badRow = LedgerReport.BadRow(line: lineCount, seq: nil, fault: .unreadable(error))
            return false
        }
        do throws(LedgerFault) {
            try check(row)
        } catch {
            report.badRow = LedgerReport.BadRow(line: lineCount, seq: row.seq, fault: error)
            return false
        }
        return true
    }

    /// The report over all lines read. May be asked at any time.
    public func finish() -> LedgerReport {
        var report = report
        if report.badRow == nil, report.rowCount == 0 {
            report.badRow = LedgerReport.BadRow(line: 1, seq: nil, fault: .noRows)
        }
        if let claim {
            if report.rowCount > 0, claim.matches(report.head) {
                report.headCheck = .isHead
            } else {
                report.headCheck = claimedSeq.map { .isEarlier(seq: $0) } ?? .isMissing
            }
        }
        return report
    }

    private mutating func check(_ row: LedgerRow) throws(LedgerFault) {
        let due = Int64(report.rowCount)
        guard row.seq == due else { throw .sequence(expected: due, found: row.seq) }
        let hash = LedgerRow.hash(previous: report.head, seq: row.seq, at: row.at, event: row.event)
        guard hash == row.hash else { throw .chain(expected: hash, found: row.hash) }
        guard row.at >= at else { throw .timeBackwards(previous: at, found: row.at) }
        switch row.event {
        case .open(let number, let rules, let commitment):
            try open(row, number: number, rules: rules, commitment: commitment)
        case .draw(let entry):
            try draw(row, entry)
        case .close(let number, let seed):
            try close(row, number: number, seed: seed)
        case .void(let receipt, _):
            try void(receipt)
        }
        at = row.at
        report.head = row.hash
        report.rowCount += 1
        if claim?.matches(row.hash) == true { claimedSeq = row.seq }
    }

    private mutating func open(
        _ row: LedgerRow, number: UInt32, rules: RoundRules, commitment: Hash
    ) throws(LedgerFault) {
        if let round, round.isOpen { throw .roundStillOpen(UInt32(clamping: report.rounds.count)) }
        if let activity = report.activity, activity != rules.activity {
            throw .otherActivity(expected: activity, found: rules.activity)
        }
        let due = UInt32(clamping: report.rounds.count + 1)
        guard number == due else { throw .round(expected: due, found: number) }
        if let fault = fault(of: rules) { throw .rules(fault) }

        let beginning: RoundBeginning
        if let round {
            let changes = rules.changes(from: round.rules, remaining: remaining)
            beginning = changes.isEmpty ? .reopened : .rulesChanged(changes)
        } else {
            beginning = .opened
        }
        let seed = seeds[number].flatMap { rules.commitment(round: number, seed: $0) == commitment ? $0 : nil }
        var indexes: [AwardID: Int] = [:]
        var totals: [Int] = []
        for (index, award) in rules.awards.enumerated() {
            indexes[award.id] = index
            if let known = awardIndexes[award.id] {
                totals.append(known)
                report.awards[known].prefix = award.prefix
                report.awards[known].name = award.name
            } else {
                totals.append(report.awards.count)
                awardIndexes[award.id] = report.awards.count
                report.awards.append(
                    LedgerReport.AwardTotal(id: award.id, prefix: award.prefix, name: award.name))
            }
        }
        round = RoundState(
            rules: rules,
            awards: rules.awards.map { ActivityAward(id: $0.id, kind: $0.kind, percent: $0.percent, name: "") },
            indexes: indexes, commitment: commitment, totals: totals,
            words: seed.map { RoundWords(seed: $0, activity: rules.activity, round: number) })
        remaining = rules.awards.map { $0.number ?? 0 }
        report.activity = rules.activity
        report.rounds.append(
            LedgerReport.Round(
                number: number, openedAt: row.at, openedSeq: row.seq, beginning: beginning, commitment: commitment))
    }

    private func fault(of rules: RoundRules) -> RulesFault? {
        guard isValidID(rules.activity.text) else { return .activityID }
        guard !rules.awards.isEmpty else { return .noAwards }
        var ids: Set<AwardID> = []
        var hasDiBao = false
        for award in rules.awards {
            guard isValidID(award.id.text) else { return .awardID(award.id) }
            guard ids.insert(award.id).inserted else { return .repeatedAward(award.id) }
            if award.kind == .DI_BAO {
                guard !hasDiBao else { return .secondDiBao(award.id) }
                hasDiBao = true
                guard award.number == nil, award.percent == .zero else { return .limitedDiBao(award.id) }
                continue
            }
            guard let number = award.number else { return .missingNumber(award.id) }
            if award.kind == .ONLY {
                guard number <= 1 else { return .onlyNumber(award.id, number) }
                guard number == 0 || heldCount(award.id) == 0 else { return .onlyGone(award.id) }
            }
        }
        return nil
    }

    /// Unvoided wins of an award.
    private func heldCount(_ award: AwardID) -> Int {
        guard let total = awardIndexes[award].map({ report.awards[$0] }) else { return 0 }
        return total.winCount - total.voidCount
    }

    private mutating func draw(_ row: LedgerRow, _ entry: DrawEntry) throws(LedgerFault) {
        guard let current = round, current.isOpen else { throw .noOpenRound }
        let number = UInt32(clamping: report.rounds.count)
        guard entry.round == number else { throw .round(expected: number, found: entry.round) }
        if let user = entry.user, let salt = entry.salt {
            guard userHash(user, salt: salt) == entry.userHash else { throw .userHash }
        }

        // The outcome, as far as it can be known.
        var index: Int?
        if let award = entry.award {
            guard let known = current.indexes[award] else { throw .unknownAward(award) }
            index = known
        }
        try checkOutcome(index, entry, in: current)

        // What is left.
        var expected: Int? = 0
        if let index {
            expected = current.awards[index].kind == .DI_BAO ? nil : remaining[index] - 1
        }
        let isDiBaoZero = index.map { current.awards[$0].kind == .DI_BAO } == true && entry.remaining == 0
        guard entry.remaining == expected || isDiBaoZero else {
            throw .remaining(expected: expected, found: entry.remaining)
        }

        // The user.
        guard entry.attempt > 0 else { throw .attempt(expected: 1, found: 0) }
        if let user = entry.user {
            try Self.checkUser(
                &users[user], row: row, entry: entry, rules: current.rules, hiddenUserCount: report.hiddenUserCount)
        } else {
            report.hiddenUserCount += 1
        }

        let roundIndex = report.rounds.count - 1
        report.drawCount += 1
        report.rounds[roundIndex].drawCount += 1
        if current.words != nil, entry.user != nil {
            report.recomputedCount += 1
            report.rounds[roundIndex].recomputedCount += 1
        }
        guard let index, let award = entry.award else {
            report.missCount += 1
            return
        }
        if let expected { remaining[index] = expected }
        report.rounds[roundIndex].winCount += 1
        report.awards[current.totals[index]].winCount += 1
        wins[row.seq] = Win(award: award, user: entry.user)
    }

    /// - Parameter index: The position of the row's award; nil for a miss.
    private func checkOutcome(
        _ index: Int?, _ entry: DrawEntry, in round: RoundState
    ) throws(LedgerFault) {
        if let index, round.awards[index].kind != .DI_BAO, remaining[index] <= 0 {
            throw .outOfStock(round.awards[index].id)
        }
        if let roundWords = round.words, let user = entry.user {
            var words = roundWords.words(of: user, attempt: entry.attempt)
            let result = decideDraw(awards: round.awards, remaining: remaining) { words.word(at: $0) }
            let expected: AwardID? =
                switch result {
                case .won(let index): round.awards[index].id
                case .missed: nil
                }
            guard expected == entry.award else { throw .outcome(expected: expected, found: entry.award) }
            return
        }
        // Without the words: a chance of nothing never hits, a certain award is never passed over, and where there is
        // a 低保 award nobody misses.
        let isPassedOver: (Int) -> Bool = {
            round.awards[$0].kind != .DI_BAO && remaining[$0] > 0
                && round.awards[$0].percent.threshold == nil
        }
        let isPossible: Bool
        if let index, round.awards[index].kind != .DI_BAO {
            isPossible = round.awards[index].percent > .zero && !(0..<index).contains(where: isPassedOver)
        } else {
            let hasDiBao = round.awards.contains { $0.kind == .DI_BAO }
            isPossible = (index != nil) == hasDiBao && !round.awards.indices.contains(where: isPassedOver)
        }
        guard isPossible else { throw .impossibleOutcome(entry.award) }
    }

    /// - Parameter user: Nil before the user's first row; as it was when the row is bad.
    private static func checkUser(
        _ user: inout UserState?, row: LedgerRow, entry: DrawEntry, rules: RoundRules, hiddenUserCount: Int
    ) throws(LedgerFault) {
        let attempt = Int(entry.attempt)
        var state: UserState
        if let known = user {
            state = known
            guard attempt == state.lastAttempt + 1 else {
                throw .attempt(expected: state.lastAttempt + 1, found: attempt)
            }
        } else {
            guard attempt - 1 <= hiddenUserCount else { throw .attempt(expected: 1, found: attempt) }
            state = UserState(hiddenAttempts: attempt - 1, lastAttempt: attempt - 1)
        }
        if let maximum = rules.maxAttempts, attempt - state.hiddenAttempts - state.voidCount > maximum {
            throw .attemptsUsed(maximum: maximum)
        }
        state.lastAttempt = attempt
        if entry.award != nil {
            if let first = state.win { throw .secondWin(first: Receipt(activity: rules.activity, seq: first)) }
            state.win = row.seq
        }
        user = state
    }

    private mutating func close(_ row: LedgerRow, number: UInt32, seed: RoundSeed) throws(LedgerFault) {
        guard let current = round, current.isOpen else { throw .noOpenRound }
        let due = UInt32(clamping: report.rounds.count)
        guard number == due else { throw .round(expected: due, found: number) }
        guard current.rules.commitment(round: number, seed: seed) == current.commitment else { throw .commitment }
        round?.isOpen = false
        report.rounds[report.rounds.count - 1].closedAt = row.at
    }

    private mutating func void(_ receipt: Receipt) throws(LedgerFault) {
        guard let activity = report.activity, receipt.activity == activity else {
            throw .voidOfOtherActivity(receipt)
        }
        guard let win = wins.removeValue(forKey: receipt.seq) else {
            throw voidedSeqs.contains(receipt.seq) ? .voidedTwice(receipt) : .voidOfNoWin(receipt)
        }
        voidedSeqs.insert(receipt.seq)
        // One copy is available again, after a close too: the next opening's numbers include it.
        if let current = round, let index = current.indexes[win.award], current.awards[index].kind != .DI_BAO {
            remaining[index] += 1
        }
        if let user = win.user {
            users[user]?.voidCount += 1
            users[user]?.win = nil
        }
        report.voidCount += 1
        if let total = awardIndexes[win.award] { report.awards[total].voidCount += 1 }
    }
}
