import Basics
import Lottery
import TestSupport

/// Honest ledgers of many kinds, and somebody who rewrites them and links every row anew.
struct LedgerForger {
    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    /// Rounds that are reopened and whose rules change, voids, misses; now and then the last round stays open.
    mutating func ledger() -> LedgerBuilder {
        var activity = sampleActivity(
            maxAttempts: [1, 2, nil].randomElement(using: &generator) ?? nil, withDiBao: .random(using: &generator))
        if below(4) == 0 { activity.awards[1].percent = .of("100") }
        if below(4) == 0 { activity.awards[0].percent = .zero }
        if below(3) == 0 {
            // More awards than one block has words for.
            activity.awards += (1...4).map {
                ActivityAward(id: AwardID("more\($0)"), kind: .NORNAL, percent: .of("12.5"), name: "更多", number: $0)
            }
        }
        var ledger = LedgerBuilder(activity, seed: generator.next())
        for _ in 0..<(8 + below(25)) {
            let user = UserID(below(8) == 0 ? "qq:é\u{301}\"\\\(below(3))" : "qq:\(below(9))")
            switch below(14) {
            case 0 where ledger.isOpen: ledger.close()
            case 1, 2:
                ledger.void(user, reason: ["", "小号", "\"\\\n\u{1F}\u{7F}é"].randomElement(using: &generator) ?? "")
            case 3 where !ledger.isOpen: changeRules(of: &ledger)
            case 4 where ledger.isOpen:
                ledger.close()
                changeRules(of: &ledger)
                ledger.open()
            default:
                if !ledger.isOpen { ledger.open() }
                if ledger.canDraw(user) { ledger.draw(user) }
            }
        }
        if ledger.isOpen, below(4) > 0 { ledger.close() }
        if ledger.rows.isEmpty { ledger.open() }
        return ledger
    }

    private mutating func changeRules(of ledger: inout LedgerBuilder) {
        ledger.setRemaining(below(6), at: 1)
        if below(2) == 0 { ledger.activity.awards[1].percent = .of("\(below(100))") }
        if below(3) == 0 { ledger.activity.awards[1].name = "换了\u{202E}名" }
    }

    /// Rows that fit each other as far as stock goes, of users who were let win twice, draw too often and so on.
    ///
    /// Nobody can compute the outcomes: users have no name before the last round, and that one stays open.
    mutating func looseLedger() -> [LedgerRow] {
        var head = LedgerHead.empty
        var rows: [LedgerRow] = []
        var awards = sampleActivity(withDiBao: below(2) == 0).awards
        var attempts: [UserID: UInt32] = [:]
        var wins: [Int64] = []
        let roundCount = 1 + below(3)
        for round in 1...UInt32(roundCount) {
            let isLast = round == roundCount
            if below(12) == 0 { awards.append(ActivityAward(id: "bao2", kind: .DI_BAO, name: "另一个")) }
            if below(12) == 0 { awards[1].kind = .ONLY }
            if below(6) == 0 { awards[below(awards.count)].percent = [.zero, .of("100")][below(2)] }
            var left = awards.map { $0.kind == .ONLY ? below(8) == 0 ? 2 : below(2) : below(5) }
            let seed = RoundSeed.random(using: &generator)
            let rules = RoundRules(
                activity: Activity(
                    id: "spring-2027", name: "春节抽奖", maxAttempts: [nil, 1, 2, 3][below(4)], awards: awards),
                remaining: left)
            func append(_ event: LedgerEvent) {
                rows.append(head.append(event, now: Instant(milliseconds: Int64(rows.count))))
            }
            append(.open(round: round, rules: rules, commitment: rules.commitment(round: round, seed: seed)))
            for _ in 0..<below(12) {
                if below(4) == 0 {
                    let seq = below(4) == 0 ? Int64(below(rows.count + 1)) : wins.randomElement(using: &generator) ?? 0
                    append(.void(receipt: Receipt(activity: "spring-2027", seq: seq), reason: ""))
                    continue
                }
                let user: UserID? = isLast && below(5) > 0 ? UserID("qq:\(below(3))") : nil
                var attempt: UInt32 = 1
                if let user {
                    attempt = attempts[user].map { $0 + 1 } ?? UInt32(1 + below(2) * below(3))
                    attempts[user] = attempt
                }
                var index = below(awards.count + 1)
                if index == awards.count || awards[index].kind != .DI_BAO && left[index] == 0 {
                    index = awards.firstIndex { $0.kind == .DI_BAO } ?? awards.count
                }
                let award = index < awards.count ? awards[index] : nil
                var rest: Int? = 0
                if let award {
                    rest = award.kind == .DI_BAO ? nil : left[index] - 1
                    if let rest { left[index] = rest }
                }
                let salt = Salt.random(using: &generator)
                if award != nil { wins.append(Int64(rows.count)) }
                append(
                    .draw(
                        DrawEntry(
                            round: round, user: user, salt: user == nil ? nil : salt,
                            userHash: user.map { userHash($0, salt: salt) } ?? .zero, attempt: attempt,
                            award: award?.id,
                            remaining: rest)))
            }
            if !isLast { append(.close(round: round, seed: seed)) }
        }
        return rows
    }

    /// Rows as they are when some users had themselves erased.
    mutating func erased(_ rows: [LedgerRow]) -> [LedgerRow] {
        let gone = UserID("qq:\(below(9))")
        return rows.map { row in
            if case .draw(let entry) = row.event, entry.user == gone { row.publicForm } else { row }
        }
    }

    /// One to three changes, then every row linked anew.
    mutating func forged(_ rows: [LedgerRow]) -> [LedgerRow] {
        var events = rows.events
        for _ in 0...below(3) where !events.isEmpty { change(&events) }
        return rehashed(events)
    }

    mutating func below(_ bound: Int) -> Int { generator.below(bound) }

    private mutating func change(_ events: inout [(event: LedgerEvent, at: Instant)]) {
        let index = below(events.count)
        switch below(30) {
        case 0: events.remove(at: index)
        case 1: events.insert(events[below(events.count)], at: index)
        case 2: events.swapAt(index, below(events.count))
        case 3: events[index].at = events[index].at.advanced(bySeconds: Int64(below(5)) - 2)
        default: events[index].event = changed(events[index].event, among: events.map(\.event))
        }
    }

    private mutating func changed(_ event: LedgerEvent, among events: [LedgerEvent]) -> LedgerEvent {
        switch event {
        case .open(let round, let rules, let commitment):
            let rules = changed(rules)
            let round = below(8) == 0 ? round + 1 : round
            for case .close(round, let seed) in events where below(3) > 0 {
                return .open(round: round, rules: rules, commitment: rules.commitment(round: round, seed: seed))
            }
            return .open(round: round, rules: rules, commitment: commitment)
        case .draw(let entry):
            switch below(8) {
            case 0: return event.altered(round: below(2) == 0 ? entry.round + 1 : 0)
            case 1: return event.altered(user: UserID("qq:\(below(12))"))
            case 2: return event.altered(attempt: UInt32(below(4)))
            case 3: return event.altered(remaining: [nil, 0, 1, 2, 3].randomElement(using: &generator) ?? nil)
            case 4: return event.altered(user: .some(nil))
            case 5:
                return .draw(
                    DrawEntry(
                        round: entry.round, user: entry.user, salt: entry.salt, userHash: .zero, attempt: entry.attempt,
                        award: entry.award, remaining: entry.remaining))
            default:
                // An award with the rest that fits where nobody won it before, so that the outcome is what is wrong.
                let awards: [(AwardID?, Int?)] = [
                    (nil, 0), ("gold", 0), ("silver", 2), ("silver", 1), ("bronze", 3), ("bao", nil), ("bao", 0),
                    ("none", 1),
                ]
                let (award, rest) = awards[below(awards.count)]
                return event.altered(award: .some(award), remaining: .some(rest))
            }
        case .close(let round, let seed):
            if below(2) == 0 { return .close(round: below(4) == 0 ? 0 : round + 1, seed: seed) }
            return RoundSeed(generator.bytes(32)).map { .close(round: round, seed: $0) } ?? event
        case .void(let receipt, let reason):
            let activity: ActivityID = below(5) == 0 ? "autumn" : receipt.activity
            return .void(receipt: Receipt(activity: activity, seq: Int64(below(events.count))), reason: reason)
        }
    }

    private mutating func changed(_ rules: RoundRules) -> RoundRules {
        var awards = rules.awards
        var activity = rules.activity
        var maxAttempts = rules.maxAttempts
        let index = below(awards.count)
        let old = awards[index]
        func replaced(
            id: AwardID? = nil, kind: AwardKind? = nil, ppm: Int? = nil, number: Int?? = nil
        ) -> RoundRules.Award {
            RoundRules.Award(
                id: id ?? old.id, kind: kind ?? old.kind,
                percent: ppm.flatMap { Percent(partsPerMillion: $0) } ?? old.percent, number: number ?? old.number,
                prefix: old.prefix, name: old.name)
        }
        switch below(11) {
        case 0: awards[index] = replaced(number: .some(below(4)))
        case 1: awards[index] = replaced(number: .some(nil))
        case 2: awards[index] = replaced(ppm: 0)
        case 3: awards[index] = replaced(ppm: 1_000_000)
        case 4: awards[index] = replaced(kind: AwardKind.allCases.randomElement(using: &generator))
        case 5: awards[index] = replaced(id: ["gold", "", "a b", "春"].randomElement(using: &generator))
        case 6: awards.remove(at: index)
        case 7: awards.append(old)
        case 8: awards.swapAt(index, below(awards.count))
        case 9: maxAttempts = below(2) == 0 ? nil : 1
        default: activity = ["autumn", "", "春"].randomElement(using: &generator) ?? activity
        }
        return RoundRules(
            activity: activity, maxAttempts: maxAttempts, oneWinPerGameID: rules.oneWinPerGameID, awards: awards)
    }
}
