internal import Basics
internal import Lottery

extension FuzzTarget {
    /// An exported ledger. Read as it is; and linked anew where its lines can be read, as somebody would who forges one,
    /// so that what stands behind the chain's hashes is reached.
    public static let ledgers = FuzzTarget("ledgers") { input in
        try LedgerPromises.check(input)
        let forged = LedgerForger.linkedAnew(input)
        if !forged.isEmpty, forged != input { try LedgerPromises.check(forged) }
        try LedgerPromises.checkReceipt(String(decoding: input.prefix(100), as: UTF8.self))
    }
}

private enum LedgerPromises {
    static func check(_ contents: [UInt8]) throws {
        let report = LedgerVerifier.verify(contents)
        try require(report == LedgerVerifier.verify(contents), "a ledger that is verified again gives the same report")
        for text in texts(of: report) {
            try require(text.hasNoControls(), "no control character is in \(text.debugDescription)")
        }
        let rows = try rows(in: contents)
        try require(report.rowCount <= rows.count, "a row that is good can be read")
        guard report.holds else { return }
        try checkTotals(report, rows)
        try checkPublicForm(report, rows)
        try checkTampering(contents)
    }

    private static func texts(of report: LedgerReport) -> [String] {
        guard let fault = report.badRow?.fault else { return [] }
        return [fault.description, fault.chineseText]
    }

    /// Every row that can be read is written as it was.
    private static func rows(in contents: [UInt8]) throws -> [LedgerRow] {
        var rows: [LedgerRow] = []
        for line in contents.split(separator: 0x0A, omittingEmptySubsequences: false) {
            guard let row = try? LedgerRow(canonicalLine: Array(line)) else { continue }
            try require(row.canonicalLine.elementsEqual(line), "a row is written as it was read")
            rows.append(row)
        }
        return rows
    }

    /// Counted without the verifier: nobody holds two wins, and no award was given more often than it was there.
    private static func checkTotals(_ report: LedgerReport, _ rows: [LedgerRow]) throws {
        var winners: [Int64: UserID] = [:]
        var left: [AwardID: Int] = [:]
        var awards: [Int64: AwardID] = [:]
        for row in rows {
            switch row.event {
            case .open(_, let rules, _):
                left = [:]
                for award in rules.awards { left[award.id] = award.number }
            case .draw(let entry):
                guard let award = entry.award else { continue }
                awards[row.seq] = award
                if let user = entry.user {
                    try require(!winners.values.contains(user), "a user wins at most once")
                    winners[row.seq] = user
                }
                if let number = left[award] {
                    try require(number > 0, "stock is never over-issued")
                    left[award] = number - 1
                }
            case .void(let receipt, _):
                winners[receipt.seq] = nil
                if let award = awards.removeValue(forKey: receipt.seq), let number = left[award] {
                    left[award] = number + 1
                }
            case .close: break
            }
        }
        try require(awards.count == report.winCount - report.voidCount, "wins are counted rightly")
        try require(report.head == rows.last?.hash, "the head is the last row's hash")
    }

    private static func checkPublicForm(_ report: LedgerReport, _ rows: [LedgerRow]) throws {
        let lines: [[UInt8]] = rows.map { $0.publicForm.canonicalLine + [0x0A] }
        let published = LedgerVerifier.verify(Array(lines.joined()))
        try require(
            published.holds && published.head == report.head,
            "a ledger that holds does so without names: \(String(describing: published.badRow))")
    }

    /// One byte changed is always seen. The place follows from the contents, so that a finding can be replayed.
    private static func checkTampering(_ contents: [UInt8]) throws {
        guard let last = contents.last else { return }
        // Whether a newline stands at the end is no matter.
        let count = last == 0x0A ? contents.count - 1 : contents.count
        guard count > 0 else { return }
        var generator = SeededGenerator(seed: UInt64(contents.count) << 8 | UInt64(contents[count / 2]))
        for _ in 0..<4 {
            var tampered = contents
            tampered[Int.random(in: 0..<count, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator)
            try require(!LedgerVerifier.verify(tampered).holds, "a byte that was changed is seen")
        }
    }

    static func checkReceipt(_ text: String) throws {
        guard let receipt = Receipt(text) else { return }
        try require(areEqualBytes(receipt.description, text), "a receipt has one spelling")
    }
}

/// Somebody who has the whole file and may write anything into it, but what hashes cannot be made to say.
private enum LedgerForger {
    /// Lines that can be read, with rules hashes, commitments, user hashes and the chain put right.
    static func linkedAnew(_ contents: [UInt8]) -> [UInt8] {
        guard let seed = RoundSeed(Array(repeating: 7, count: 32)) else { return [] }
        var result: [UInt8] = []
        var previous = Hash.zero
        var seq: Int64 = 0
        for line in contents.split(separator: 0x0A).prefix(200) {
            guard let row = row(Array(line)) else { continue }
            let event = mended(row.event, seed)
            let hash = LedgerRow.hash(previous: previous, seq: seq, at: row.at, event: event)
            result += LedgerRow(seq: seq, at: row.at, event: event, hash: hash).canonicalLine + [0x0A]
            previous = hash
            seq += 1
        }
        return result
    }

    private static func row(_ line: [UInt8]) -> LedgerRow? {
        do throws(LedgerLineError) {
            return try LedgerRow(canonicalLine: line)
        } catch {
            // The refusal says what the hash should be.
            let hash = Array(error.expected.utf8.prefix(64))
            let start = error.position - 1
            guard error.field == "rules_hash", hash.count == 64, start + 64 <= line.count else { return nil }
            var mended = line
            mended.replaceSubrange(start..<start + 64, with: hash)
            return try? LedgerRow(canonicalLine: mended)
        }
    }

    private static func mended(_ event: LedgerEvent, _ seed: RoundSeed) -> LedgerEvent {
        switch event {
        case .open(let round, let rules, _):
            return .open(round: round, rules: rules, commitment: rules.commitment(round: round, seed: seed))
        case .close(let round, _): return .close(round: round, seed: seed)
        case .draw(let entry):
            guard let user = entry.user, let salt = entry.salt else { return event }
            return .draw(
                DrawEntry(
                    round: entry.round, user: user, salt: salt, userHash: userHash(user, salt: salt),
                    attempt: entry.attempt, award: entry.award, remaining: entry.remaining))
        case .void: return event
        }
    }
}
