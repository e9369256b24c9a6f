public import Basics
public import Lottery

/// An honest operator: opens, lets users draw, voids, closes, and keeps the ledger.
public struct LedgerBuilder: Sendable {
    public var activity: Activity
    public private(set) var rows: [LedgerRow] = []
    public private(set) var remaining: [Int]
    public private(set) var isOpen = false
    private var head = LedgerHead.empty
    private var round: UInt32 = 0
    private var seed: RoundSeed
    private var attempts: [UserID: UInt32] = [:]
    private var voids: [UserID: Int] = [:]
    public private(set) var wins: [UserID: Int64] = [:]
    private var clock = Instant(milliseconds: 1_776_643_200_000)
    private var generator: SeededGenerator

    public init(_ activity: Activity, seed: UInt64) {
        self.activity = activity
        generator = SeededGenerator(seed: seed)
        remaining = activity.awards.map(\.number)
        self.seed = .random(using: &generator)
    }

    private mutating func append(_ event: LedgerEvent) {
        clock = clock.advanced(bySeconds: 1)
        rows.append(head.append(event, now: clock))
    }

    public mutating func open() {
        precondition(!isOpen)
        round += 1
        seed = .random(using: &generator)
        let rules = RoundRules(activity: activity, remaining: remaining)
        append(.open(round: round, rules: rules, commitment: rules.commitment(round: round, seed: seed)))
        isOpen = true
    }

    public mutating func close() {
        precondition(isOpen)
        append(.close(round: round, seed: seed))
        isOpen = false
    }

    public func canDraw(_ user: UserID) -> Bool {
        let used = Int(attempts[user] ?? 0) - (voids[user] ?? 0)
        return isOpen && wins[user] == nil && used < activity.maxAttempts ?? .max
    }

    /// - Returns: The position of the award; nil for a miss.
    @discardableResult
    public mutating func draw(_ user: UserID) -> Int? {
        precondition(canDraw(user))
        let attempt = (attempts[user] ?? 0) + 1
        attempts[user] = attempt
        var words = DrawWords(seed: seed, activity: activity.id, round: round, user: user, attempt: attempt)
        var index: Int?
        if case .won(let won) = decideDraw(awards: activity.awards, remaining: remaining, word: { words.word(at: $0) })
        {
            index = won
        }
        var left: Int? = 0
        if let index {
            if activity.awards[index].kind == .DI_BAO {
                left = nil
            } else {
                remaining[index] -= 1
                left = remaining[index]
            }
            wins[user] = Int64(rows.count)
        }
        let salt = Salt.random(using: &generator)
        append(
            .draw(
                DrawEntry(
                    round: round, user: user, salt: salt, userHash: userHash(user, salt: salt), attempt: attempt,
                    award: index.map { activity.awards[$0].id }, remaining: left)))
        return index
    }

    public mutating func void(_ user: UserID, reason: String = "测试") {
        guard let seq = wins.removeValue(forKey: user), case .draw(let entry) = rows[Int(seq)].event else { return }
        voids[user, default: 0] += 1
        if let index = activity.awards.firstIndex(where: { $0.id == entry.award }),
            activity.awards[index].kind != .DI_BAO
        {
            remaining[index] += 1
        }
        append(.void(receipt: Receipt(activity: activity.id, seq: seq), reason: reason))
    }

    /// 奖品数量, while closed.
    public mutating func setRemaining(_ count: Int, at index: Int) {
        precondition(!isOpen)
        remaining[index] = count
    }

    public var contents: [UInt8] { exported(rows) }
}

/// Rows as a file.
public func exported(_ rows: [LedgerRow]) -> [UInt8] {
    rows.flatMap { $0.canonicalLine + [0x0A] }
}

/// What a forger with the whole ledger does: changes events, then links everything anew, without any clamping of times.
public func rehashed(_ events: [(event: LedgerEvent, at: Instant)]) -> [LedgerRow] {
    var previous = Hash.zero
    return events.enumerated().map { index, item in
        let hash = LedgerRow.hash(previous: previous, seq: Int64(index), at: item.at, event: item.event)
        previous = hash
        return LedgerRow(seq: Int64(index), at: item.at, event: item.event, hash: hash)
    }
}

extension [LedgerRow] {
    public var events: [(event: LedgerEvent, at: Instant)] { map { ($0.event, $0.at) } }
}

extension LedgerEvent {
    /// The same draw with some of its values replaced.
    public func altered(
        user: UserID?? = nil, attempt: UInt32? = nil, award: AwardID?? = nil, remaining: Int?? = nil,
        round: UInt32? = nil
    ) -> LedgerEvent {
        guard case .draw(let entry) = self else { return self }
        let user = user ?? entry.user
        let salt = user == nil ? nil : entry.salt
        var hash = entry.userHash
        if let user, let salt { hash = userHash(user, salt: salt) }
        return .draw(
            DrawEntry(
                round: round ?? entry.round, user: user, salt: salt, userHash: hash,
                attempt: attempt ?? entry.attempt, award: award ?? entry.award,
                remaining: remaining ?? entry.remaining))
    }
}

extension RoundSeed {
    static func random(using generator: inout SeededGenerator) -> RoundSeed {
        guard let seed = RoundSeed(generator.bytes(32)) else { preconditionFailure("a seed has 32 bytes") }
        return seed
    }
}

extension Salt {
    static func random(using generator: inout SeededGenerator) -> Salt {
        guard let salt = Salt(generator.bytes(16)) else { preconditionFailure("a salt has 16 bytes") }
        return salt
    }
}

extension Percent {
    /// For tests: a literal that must be right.
    public static func of(_ text: String) -> Percent {
        guard let percent = Percent(text) else { preconditionFailure("\(text) is no percentage") }
        return percent
    }
}

/// One 一等奖, some skins, and a 低保 in the middle of the list.
public func sampleActivity(maxAttempts: Int? = 2, withDiBao: Bool = true) -> Activity {
    var awards = [
        ActivityAward(id: "gold", kind: .ONLY, percent: .of("20"), prefix: "一等奖", name: "游戏主机", number: 1),
        ActivityAward(id: "silver", kind: .NORNAL, percent: .of("30"), prefix: "二等奖", name: "限定\"皮肤\"", number: 3),
        ActivityAward(id: "bronze", kind: .NORNAL, percent: .of("33.3333"), prefix: "三等奖", name: "改名卡", number: 4),
    ]
    if withDiBao { awards.insert(ActivityAward(id: "bao", kind: .DI_BAO, prefix: "低保", name: "金币"), at: 2) }
    return Activity(id: "spring-2027", name: "春节抽奖", maxAttempts: maxAttempts, awards: awards)
}
