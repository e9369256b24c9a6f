public import Basics

/// What a verifier found in a ledger.
public struct LedgerReport: Hashable, Sendable {
    /// The first row that cannot be true. Nothing after it was looked at.
    public struct BadRow: Hashable, Sendable {
        /// From 1.
        public let line: Int
        /// Nil when the line could not be read.
        public let seq: Int64?
        public let fault: LedgerFault
    }

    /// A round, why it began, and what came of it.
    public struct Round: Hashable, Sendable {
        /// From 1.
        public let number: UInt32
        public let openedAt: Instant
        public let openedSeq: Int64
        public let beginning: RoundBeginning
        public let commitment: Hash
        /// Nil while the round is open.
        public internal(set) var closedAt: Instant?
        public internal(set) var drawCount = 0
        public internal(set) var winCount = 0
        /// Draws whose outcome was computed again from the seed.
        public internal(set) var recomputedCount = 0
    }

    /// What became of one award over all rounds.
    public struct AwardTotal: Hashable, Sendable {
        public let id: AwardID
        /// As the last opening that lists the award calls it.
        public internal(set) var prefix: String
        public internal(set) var name: String
        /// All wins, the voided ones too.
        public internal(set) var winCount = 0
        public internal(set) var voidCount = 0
    }

    /// How the file's chain relates to a hash that was seen elsewhere.
    public enum HeadCheck: Hashable, Sendable {
        /// It is the hash of the last row.
        case isHead
        /// It is the hash of an earlier row: the file holds more than was seen.
        case isEarlier(seq: Int64)
        /// No row has it: rows were dropped or rebuilt, or it belongs to another ledger.
        case isMissing
    }

    /// Nil for a ledger that holds.
    public internal(set) var badRow: BadRow?
    public internal(set) var activity: ActivityID?
    /// Rows that were found good.
    public internal(set) var rowCount = 0
    public internal(set) var rounds: [Round] = []
    /// In the order in which the awards first appear.
    public internal(set) var awards: [AwardTotal] = []
    public internal(set) var drawCount = 0
    public internal(set) var missCount = 0
    public internal(set) var voidCount = 0
    /// Draws whose outcome was computed again from the seed.
    public internal(set) var recomputedCount = 0
    /// Draws without a user: erased, or a public export. What needs the user was not checked for them.
    public internal(set) var hiddenUserCount = 0
    /// The hash of the last good row; 32 zero bytes before the first.
    public internal(set) var head: Hash = .zero
    /// The answer for the hash that the verifier was given; nil without one.
    public internal(set) var headCheck: HeadCheck?

    /// Whether the last round is open: its seed is not known yet, so its outcomes were not computed again.
    public var isLastRoundOpen: Bool {
        rounds.last.map { $0.closedAt == nil } ?? false
    }

    public var winCount: Int { drawCount - missCount }

    /// Every row is good, and the given hash, if any, is the head.
    public var holds: Bool {
        badRow == nil && (headCheck ?? .isHead) == .isHead
    }
}

/// Why a round began.
public enum RoundBeginning: Hashable, Sendable {
    /// The first round.
    case opened
    /// The rules are those of the round before, with the stock that its draws and the voids left.
    case reopened
    /// Something is different from what the rows before leave; each difference once, in the order of the awards.
    case rulesChanged([RuleChange])
}

/// One difference between the rules of a round and what the round before left.
public enum RuleChange: Hashable, Sendable {
    /// Copies available; nil for `DI_BAO`.
    case number(AwardID, from: Int?, to: Int?)
    case percent(AwardID, from: Percent, to: Percent)
    case kind(AwardID, from: AwardKind, to: AwardKind)
    /// Prefix or name.
    case wording(AwardID)
    case added(AwardID, number: Int?)
    case removed(AwardID)
    /// The awards that stayed are asked in another order.
    case order
    /// Nil is unlimited.
    case maxAttempts(from: Int?, to: Int?)
    case oneWinPerGameID(Bool)
}

extension RuleChange: CustomStringConvertible {
    /// The English clause.
    public var description: String {
        switch self {
        case .number(let award, let from, let to): "number of \(award) \(count(from)) → \(count(to))"
        case .percent(let award, let from, let to): "percent of \(award) \(from) → \(to)"
        case .kind(let award, let from, let to): "kind of \(award) \(from.name) → \(to.name)"
        case .wording(let award): "prefix or name of \(award)"
        case .added(let award, let number): "\(award) added, number \(count(number))"
        case .removed(let award): "\(award) removed"
        case .order: "order of the awards"
        case .maxAttempts(let from, let to):
            "max_attempts \(from.map { "\($0)" } ?? "unlimited") → \(to.map { "\($0)" } ?? "unlimited")"
        case .oneWinPerGameID(let value): "one_win_per_game_id → \(value)"
        }
    }

    /// The Chinese clause.
    public var chineseText: String {
        switch self {
        case .number(let award, let from, let to): "\(award) 数量 \(count(from)) → \(count(to))"
        case .percent(let award, let from, let to): "\(award) 概率 \(from)% → \(to)%"
        case .kind(let award, let from, let to): "\(award) 类型 \(from.name) → \(to.name)"
        case .wording(let award): "\(award) 名称"
        case .added(let award, let number): "新增 \(award)，数量 \(count(number))"
        case .removed(let award): "移除 \(award)"
        case .order: "奖品顺序"
        case .maxAttempts(let from, let to):
            "每人次数 \(from.map { "\($0)" } ?? "不限") → \(to.map { "\($0)" } ?? "不限")"
        case .oneWinPerGameID(let value): "同一游戏 id 限中一次 → \(value ? "是" : "否")"
        }
    }
}

private func count(_ number: Int?) -> String {
    number.map { "\($0)" } ?? "∞"
}

extension RoundRules {
    /// What is different from the round before.
    ///
    /// - Parameter remaining: What the rows before left of the old rules' awards, by position.
    func changes(from old: RoundRules, remaining: [Int]) -> [RuleChange] {
        var changes: [RuleChange] = []
        var oldIndexes: [AwardID: Int] = [:]
        for (index, award) in old.awards.enumerated() { oldIndexes[award.id] = index }
        var keptIndexes: [Int] = []
        for award in awards {
            guard let index = oldIndexes.removeValue(forKey: award.id) else {
                changes.append(.added(award.id, number: award.number))
                continue
            }
            keptIndexes.append(index)
            let before = old.awards[index]
            let left = before.kind == .DI_BAO ? nil : remaining[index]
            if before.kind != award.kind { changes.append(.kind(award.id, from: before.kind, to: award.kind)) }
            if before.percent != award.percent {
                changes.append(.percent(award.id, from: before.percent, to: award.percent))
            }
            if left != award.number { changes.append(.number(award.id, from: left, to: award.number)) }
            if !areEqualBytes(before.prefix, award.prefix) || !areEqualBytes(before.name, award.name) {
                changes.append(.wording(award.id))
            }
        }
        for (index, award) in old.awards.enumerated() where oldIndexes[award.id] == index {
            changes.append(.removed(award.id))
        }
        if zip(keptIndexes, keptIndexes.dropFirst()).contains(where: { $0 > $1 }) { changes.append(.order) }
        if old.maxAttempts != maxAttempts { changes.append(.maxAttempts(from: old.maxAttempts, to: maxAttempts)) }
        if old.oneWinPerGameID != oneWinPerGameID { changes.append(.oneWinPerGameID(oneWinPerGameID)) }
        return changes
    }
}
