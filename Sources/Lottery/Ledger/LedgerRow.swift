public import Basics

/// The rules of one round, as the rules hash covers them.
///
/// - Source: spec.md section 5, version 1.
public struct RoundRules: Hashable, Sendable {
    /// An award with what is available of it when the round begins.
    public struct Award: Hashable, Sendable {
        public let id: AwardID
        public let kind: AwardKind
        /// Zero for `DI_BAO`.
        public let percent: Percent
        /// Copies at the start of the round; nil for `DI_BAO`; 0 for an `ONLY` that is gone.
        public let number: Int?
        public let prefix: String
        public let name: String

        public init(id: AwardID, kind: AwardKind, percent: Percent, number: Int?, prefix: String, name: String) {
            self.id = id
            self.kind = kind
            self.percent = percent
            self.number = number
            self.prefix = prefix
            self.name = name
        }
    }

    public let activity: ActivityID
    /// Attempts per user; nil means unlimited (hashed as 0).
    public let maxAttempts: Int?
    public let oneWinPerGameID: Bool
    /// In the activity's order.
    public let awards: [Award]

    public init(activity: ActivityID, maxAttempts: Int?, oneWinPerGameID: Bool, awards: [Award]) {
        self.activity = activity
        self.maxAttempts = maxAttempts
        self.oneWinPerGameID = oneWinPerGameID
        self.awards = awards
    }

    /// The rules of `activity` with `remaining` copies, by position.
    public init(activity: Activity, remaining: [Int]) {
        self.init(
            activity: activity.id, maxAttempts: activity.maxAttempts, oneWinPerGameID: activity.oneWinPerGameID,
            awards: zip(activity.awards, remaining).map { award, copies in
                let isDiBao = award.kind == .DI_BAO
                return Award(
                    id: award.id, kind: award.kind, percent: isDiBao ? .zero : award.percent,
                    number: isDiBao ? nil : copies, prefix: award.prefix, name: award.name)
            })
    }

    /// `RH`: what the commitment binds.
    public var hash: Hash {
        var message = CanonicalBytes(tag: "hongbao/1/rules")
        message.append(lengthPrefixed: activity.text)
        message.append(u32: UInt32(maxAttempts ?? 0))
        message.append(u8: oneWinPerGameID ? 1 : 0)
        message.append(u32: UInt32(awards.count))
        for award in awards {
            message.append(lengthPrefixed: award.id.text)
            message.append(u8: award.kind.rawValue)
            message.append(u32: UInt32(award.percent.partsPerMillion))
            message.append(u64: award.number.map { UInt64($0) } ?? .max)
            message.append(lengthPrefixed: award.prefix)
            message.append(lengthPrefixed: award.name)
        }
        return .sha256(of: message)
    }

    /// `C`: shown when the round opens, so that neither rules nor seed can be exchanged later.
    ///
    /// - Parameter round: From 1 per activity.
    public func commitment(round: UInt32, seed: RoundSeed) -> Hash {
        Self.commitment(activity: activity, round: round, rulesHash: hash, seed: seed)
    }

    static func commitment(activity: ActivityID, round: UInt32, rulesHash: Hash, seed: RoundSeed) -> Hash {
        var message = CanonicalBytes(tag: "hongbao/1/commit")
        message.append(lengthPrefixed: activity.text)
        message.append(u32: round)
        message.append(rulesHash)
        message.append(seed)
        return .sha256(of: message)
    }
}

/// One attempt as the ledger keeps it.
public struct DrawEntry: Hashable, Sendable {
    public let round: UInt32
    /// Nil in the public form of an export, or when the user had it erased.
    public var user: UserID?
    /// Nil whenever `user` is.
    public var salt: Salt?
    /// `U`: the salted hash that stands in the chain.
    public let userHash: Hash
    /// From 1 per user and activity; never reused.
    public let attempt: UInt32
    /// Nil for a miss.
    public let award: AwardID?
    /// Copies left of the award afterwards; nil for `DI_BAO`; 0 for a miss.
    public let remaining: Int?

    public init(
        round: UInt32, user: UserID?, salt: Salt?, userHash: Hash, attempt: UInt32, award: AwardID?, remaining: Int?
    ) {
        self.round = round
        self.user = user
        self.salt = salt
        self.userHash = userHash
        self.attempt = attempt
        self.award = award
        self.remaining = remaining
    }
}

/// What a row of the ledger says.
public enum LedgerEvent: Hashable, Sendable {
    /// A round begins: its rules and the commitment to its seed.
    case open(round: UInt32, rules: RoundRules, commitment: Hash)
    /// An attempt.
    case draw(DrawEntry)
    /// A round ends and its seed is revealed.
    case close(round: UInt32, seed: RoundSeed)
    /// A win is taken back; a copy of the award is available again.
    case void(receipt: Receipt, reason: String)

    /// The type's byte in the chain: 1 open, 2 draw, 3 close, 4 void.
    public var type: UInt8 {
        switch self {
        case .open: 1
        case .draw: 2
        case .close: 3
        case .void: 4
        }
    }

    /// The row's body, which its hash covers.
    func append(to body: inout CanonicalBytes) {
        switch self {
        case .open(let round, let rules, let commitment):
            body.append(u32: round)
            body.append(rules.hash)
            body.append(commitment)
        case .draw(let entry):
            body.append(u32: entry.round)
            body.append(entry.userHash)
            body.append(u32: entry.attempt)
            body.append(lengthPrefixed: entry.award?.text ?? "")
            body.append(u64: entry.remaining.map { UInt64($0) } ?? .max)
        case .close(let round, let seed):
            body.append(u32: round)
            body.append(seed)
        case .void(let receipt, let reason):
            body.append(lengthPrefixed: receipt.description)
            body.append(lengthPrefixed: reason)
        }
    }
}

/// A row of an activity's ledger, chained to the one before.
public struct LedgerRow: Hashable, Sendable {
    /// From 0, without gaps.
    public let seq: Int64
    /// Never earlier than the row before.
    public let at: Instant
    public var event: LedgerEvent
    /// Over the previous hash, `seq`, type, time and body.
    public let hash: Hash

    /// A row as it was stored; nothing is recomputed.
    public init(seq: Int64, at: Instant, event: LedgerEvent, hash: Hash) {
        self.seq = seq
        self.at = at
        self.event = event
        self.hash = hash
    }

    /// The hash that a row with these contents must have.
    ///
    /// - Source: spec.md section 5, version 1.
    public static func hash(previous: Hash, seq: Int64, at: Instant, event: LedgerEvent) -> Hash {
        var message = CanonicalBytes(tag: "hongbao/1/leaf")
        message.append(previous)
        message.append(u64: UInt64(seq))
        message.append(u8: event.type)
        message.append(u64: UInt64(at.milliseconds))
        message.appendLengthPrefixed { event.append(to: &$0) }
        return .sha256(of: message)
    }
}

/// The end of an activity's chain: what the next row is linked to.
public struct LedgerHead: Hashable, Sendable {
    /// The sequence number that the next row gets.
    public private(set) var nextSeq: Int64
    public private(set) var hash: Hash
    /// The time of the last row.
    public private(set) var at: Instant

    /// Before the first row.
    public static let empty = LedgerHead(nextSeq: 0, hash: .zero, at: Instant(milliseconds: 0))

    public init(nextSeq: Int64, hash: Hash, at: Instant) {
        self.nextSeq = nextSeq
        self.hash = hash
        self.at = at
    }

    /// Links a row for `event` and moves the head to it.
    ///
    /// - Parameter now: Raised to the time of the row before when a clock went back.
    public mutating func append(_ event: LedgerEvent, now: Instant) -> LedgerRow {
        let at = max(now, self.at)
        let hash = LedgerRow.hash(previous: self.hash, seq: nextSeq, at: at, event: event)
        let row = LedgerRow(seq: nextSeq, at: at, event: event, hash: hash)
        self = LedgerHead(nextSeq: nextSeq + 1, hash: hash, at: at)
        return row
    }
}

/// `U`: hides a user in the chain behind a salt of the row's own.
///
/// - Source: spec.md section 5, version 1.
public func userHash(_ user: UserID, salt: Salt) -> Hash {
    var message = CanonicalBytes(tag: "hongbao/1/user")
    message.append(salt)
    message.append(lengthPrefixed: user.text)
    return .sha256(of: message)
}
