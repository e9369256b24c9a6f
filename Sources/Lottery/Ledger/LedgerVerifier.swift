internal import Algorithms
internal import Basics

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
/// Memory grows with the number of users, wins and rounds, not with the number of rows, but for room for a million users
/// at most that is kept for as many rows. Never traps, whatever the lines.
///
/// - Source: spec.md sections 5 and 9.
public struct LedgerVerifier: Sendable {
    private struct Win {
        let seq: Int64
        let award: AwardID
        let user: UserKey?
        var isVoided = false
    }

    private struct UserState {
        /// Attempts before the first that is visible.
        var hiddenAttempts: Int
        var lastAttempt: Int
        var voidCount = 0
        var win: Int64?
    }

    /// What every draw of a round is checked against. A class, so that no row copies its parts.
    private final class RoundState: Sendable {
        let rules: RoundRules
        let awards: [ActivityAward]
        let indexes: [AwardID: Int]
        let commitment: Hash
        /// Of the rules' awards, in the report's totals.
        let totals: [Int]
        /// Nil when the seed is not revealed, or not the one committed to.
        let words: RoundWords?
        /// Whether these are the words that lines were read with.
        let areFirstWordsKnown: Bool

        init(
            rules: RoundRules, awards: [ActivityAward], indexes: [AwardID: Int], commitment: Hash, totals: [Int],
            words: RoundWords?, areFirstWordsKnown: Bool
        ) {
            self.rules = rules
            self.awards = awards
            self.indexes = indexes
            self.commitment = commitment
            self.totals = totals
            self.words = words
            self.areFirstWordsKnown = areFirstWordsKnown
        }
    }

    private let seeds: LedgerSeeds
    private let claim: HeadClaim?
    private var report = LedgerReport()
    private var lineCount = 0
    private var at = Instant(milliseconds: 0)
    /// The round that is open, or the last one that was.
    private var round: RoundState?
    private var isRoundOpen = false
    /// Copies left of the round's awards.
    private var remaining: [Int] = []
    private var users: [UserKey: UserState] = [:]
    /// In the order of their rows.
    private var wins: [Win] = []
    private var awardIndexes: [AwardID: Int] = [:]
    private var claimedSeq: Int64?

    /// - Parameters:
    ///   - seeds: From a first pass over the same lines. Without them no outcome is computed again.
    ///   - head: What the head of the chain is said to be.
    public init(seeds: LedgerSeeds, head: HeadClaim? = nil) {
        self.seeds = seeds
        claim = head
        // Most draws are a user's first; a table that grows is written again and again.
        users.reserveCapacity(min(seeds.lineCount, 1 << 20))
    }

    /// Reads the lines that this verifier checks.
    public var reader: LineReader { LineReader(seeds: seeds) }

    /// Both passes over a ledger that is in memory.
    public static func verify(_ contents: [UInt8], head: HeadClaim? = nil) -> LedgerReport {
        var seeds = LedgerSeeds()
        seeds.read(slice: contents)
        var verifier = LedgerVerifier(seeds: seeds, head: head)
        verifier.reader.forEach(of: contents) { verifier.read($0) }
        return verifier.finish()
    }

    /// Checks the next line.
    ///
    /// - Parameter line: From this verifier's ``reader``, or that of a copy.
    /// - Returns: False once a row was bad; further lines are passed over.
    public mutating func read(_ line: Line) -> Bool {
        guard report.badRow == nil else { return false }
        lineCount += 1
        let row: LedgerRow
        do throws(LedgerLineError) {
            row = try line.row.get()
        } catch {
            report.badRow = LedgerReport.BadRow(line: lineCount, seq: nil, fault: .unreadable(error))
            return false
        }
        do throws(LedgerFault) {
            try check(row, of: line)
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

    private mutating func check(_ row: LedgerRow, of line: Line) throws(LedgerFault) {
        let due = Int64(report.rowCount)
        guard row.seq == due else { throw .sequence(expected: due, found: row.seq) }
        let hash = line.hash(of: row, behind: report.head)
        guard hash == row.hash else { throw .chain(expected: hash, found: row.hash) }
        guard row.at >= at else { throw .timeBackwards(previous: at, found: row.at) }
        switch row.event {
        case .open(let number, let rules, let commitment):
            try open(row, number: number, rules: rules, commitment: commitment)
        case .draw(let entry):
            try draw(row, entry, of: line)
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
        if isRoundOpen { throw .roundStillOpen(UInt32(clamping: report.rounds.count)) }
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
        let words = seed.map { RoundWords(seed: $0, activity: rules.activity, round: number) }
        round = RoundState(
            rules: rules,
            awards: rules.awards.map { ActivityAward(id: $0.id, kind: $0.kind, percent: $0.percent, name: "") },
            indexes: indexes, commitment: commitment, totals: totals, words: words,
            areFirstWordsKnown: words != nil && words == seeds.words(of: number))
        isRoundOpen = true
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

    private mutating func draw(_ row: LedgerRow, _ entry: DrawEntry, of line: Line) throws(LedgerFault) {
        guard let round, isRoundOpen else { throw .noOpenRound }
        let number = UInt32(clamping: report.rounds.count)
        guard entry.round == number else { throw .round(expected: number, found: entry.round) }
        guard line.isUserHash else { throw .userHash }

        // The outcome, as far as it can be known.
        var index: Int?
        if let award = entry.award {
            guard let known = round.indexes[award] else { throw .unknownAward(award) }
            index = known
        }
        try checkOutcome(index, entry, in: round, firstWords: round.areFirstWordsKnown ? line.firstWords : nil)

        // What is left.
        var expected: Int? = 0
        if let index {
            expected = round.awards[index].kind == .DI_BAO ? nil : remaining[index] - 1
        }
        let isDiBaoZero = index.map { round.awards[$0].kind == .DI_BAO } == true && entry.remaining == 0
        guard entry.remaining == expected || isDiBaoZero else {
            throw .remaining(expected: expected, found: entry.remaining)
        }

        // The user.
        guard entry.attempt > 0 else { throw .attempt(expected: 1, found: 0) }
        if let user = line.user {
            try Self.checkUser(
                &users[user], row: row, entry: entry, rules: round.rules, hiddenUserCount: report.hiddenUserCount)
        } else {
            report.hiddenUserCount += 1
        }

        let roundIndex = report.rounds.count - 1
        report.drawCount += 1
        report.rounds[roundIndex].drawCount += 1
        if round.words != nil, entry.user != nil {
            report.recomputedCount += 1
            report.rounds[roundIndex].recomputedCount += 1
        }
        guard let index, let award = entry.award else {
            report.missCount += 1
            return
        }
        if let expected { remaining[index] = expected }
        report.rounds[roundIndex].winCount += 1
        report.awards[round.totals[index]].winCount += 1
        wins.append(Win(seq: row.seq, award: award, user: line.user))
    }

    /// - Parameter index: The position of the row's award; nil for a miss.
    private func checkOutcome(
        _ index: Int?, _ entry: DrawEntry, in round: RoundState, firstWords: FirstWords?
    ) throws(LedgerFault) {
        if let index, round.awards[index].kind != .DI_BAO, remaining[index] <= 0 {
            throw .outOfStock(round.awards[index].id)
        }
        if let roundWords = round.words, let user = entry.user {
            lazy var words = roundWords.words(of: user, attempt: entry.attempt)
            let result = decideDraw(awards: round.awards, remaining: remaining) {
                firstWords?.word(at: $0) ?? words.word(at: $0)
            }
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
        guard let round, isRoundOpen else { throw .noOpenRound }
        let due = UInt32(clamping: report.rounds.count)
        guard number == due else { throw .round(expected: due, found: number) }
        guard round.rules.commitment(round: number, seed: seed) == round.commitment else { throw .commitment }
        isRoundOpen = false
        report.rounds[report.rounds.count - 1].closedAt = row.at
    }

    private mutating func void(_ receipt: Receipt) throws(LedgerFault) {
        guard let activity = report.activity, receipt.activity == activity else {
            throw .voidOfOtherActivity(receipt)
        }
        let place = wins.partitioningIndex { $0.seq >= receipt.seq }
        guard place < wins.count, case let win = wins[place], win.seq == receipt.seq else {
            throw .voidOfNoWin(receipt)
        }
        guard !win.isVoided else { throw .voidedTwice(receipt) }
        wins[place].isVoided = true
        // One copy is available again, after a close too: the next opening's numbers include it.
        if let round, let index = round.indexes[win.award], round.awards[index].kind != .DI_BAO {
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
