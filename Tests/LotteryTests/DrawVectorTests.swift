import Basics
import Lottery
import Testing

/// The published vectors, rebuilt from their values by the code under test.
struct DrawVectorTests {
    @Test(arguments: DrawVector.all)
    func linesAreReproducedByteForByte(_ vector: DrawVector) throws {
        // Given what an operator would know: rules, seed, users, salts, times. Then rows follow.
        let seed = try #require(hexBytes(vector.seedHex).flatMap { RoundSeed($0) })
        var head = LedgerHead.empty
        var rules: RoundRules?
        var awards: [ActivityAward] = []
        var remaining: [Int] = []
        var winners: [Int64: Int] = [:]
        for line in vector.lines {
            let loose = try LooseRow(line: line)
            let event: LedgerEvent
            switch loose.type {
            case 1:
                let listed = try #require(loose.awards)
                awards = try listed.map {
                    ActivityAward(
                        id: AwardID($0.id), kind: try #require(AwardKind(name: $0.kind)),
                        percent: try #require(Percent(partsPerMillion: $0.ppm)), prefix: $0.prefix, name: $0.name,
                        number: $0.number ?? 0)
                }
                remaining = awards.map(\.number)
                let attempts = try #require(loose.max_attempts)
                let activity = Activity(
                    id: ActivityID(vector.activity), name: "", maxAttempts: attempts == 0 ? nil : attempts,
                    oneWinPerGameID: loose.one_win_per_game_id == true, awards: awards)
                let opened = RoundRules(activity: activity, remaining: remaining)
                #expect(opened.hash.hex == loose.rules_hash)
                #expect(opened.commitment(round: 1, seed: seed).hex == loose.commitment)
                event = .open(round: 1, rules: opened, commitment: opened.commitment(round: 1, seed: seed))
                rules = opened
            case 2:
                let user = UserID(try #require(loose.user))
                let salt = try #require(loose.salt.flatMap { hexBytes($0) }.flatMap { Salt($0) })
                let attempt = try #require(loose.attempt)
                var words = DrawWords(
                    seed: seed, activity: ActivityID(vector.activity), round: 1, user: user, attempt: attempt)
                let result = decideDraw(awards: awards, remaining: remaining) { words.word(at: $0) }
                var award: AwardID?
                var left: Int? = 0
                if case .won(let index) = result {
                    award = awards[index].id
                    winners[loose.seq] = index
                    if awards[index].kind == .DI_BAO {
                        // The vectors state 0 in most of these rows: docs/decisions/0003-dibao-remaining.md.
                        left = loose.remaining
                    } else {
                        remaining[index] -= 1
                        left = remaining[index]
                    }
                }
                #expect(award?.text == loose.award)
                event = .draw(
                    DrawEntry(
                        round: 1, user: user, salt: salt, userHash: userHash(user, salt: salt), attempt: attempt,
                        award: award, remaining: left))
            case 3:
                event = .close(round: 1, seed: seed)
            default:
                let receipt = try #require(loose.receipt.flatMap { Receipt($0) })
                event = .void(receipt: receipt, reason: try #require(loose.reason))
                if let index = winners[receipt.seq], awards[index].kind != .DI_BAO { remaining[index] += 1 }
            }
            let row = head.append(event, now: Instant(milliseconds: loose.at_ms))
            #expect(row.hash.hex == loose.hash)
            #expect(row.canonicalText == line)
        }
        #expect(rules != nil)
    }

    @Test(arguments: DrawVector.all)
    func wordsAreTheListedOnes(_ vector: DrawVector) throws {
        let seed = try #require(hexBytes(vector.seedHex).flatMap { RoundSeed($0) })
        for line in vector.lines {
            let loose = try LooseRow(line: line)
            guard loose.type == 2 else { continue }
            let listed = vector.wordsBySeq[Int(loose.seq)] ?? []
            #expect(listed.isEmpty == false || loose.seq == 2)
            var words = DrawWords(
                seed: seed, activity: ActivityID(vector.activity), round: 1,
                user: UserID(try #require(loose.user)), attempt: try #require(loose.attempt))
            // Backwards too: a word does not depend on which was asked before.
            for (index, word) in listed.enumerated().reversed() { #expect(words.word(at: index) == word) }
            for (index, word) in listed.enumerated() { #expect(words.word(at: index) == word) }
        }
    }

    @Test(arguments: DrawVector.all)
    func thresholdsAreTheListedOnes(_ vector: DrawVector) throws {
        let opening = try LooseRow(line: try #require(vector.lines.first))
        for award in try #require(opening.awards) where award.kind != "DI_BAO" {
            let threshold = try #require(Percent(partsPerMillion: award.ppm)).threshold
            // 2^64 has no UInt64: nil stands for "every word hits".
            #expect(threshold.map(String.init) ?? "18446744073709551616" == vector.thresholds[award.id])
        }
    }

    @Test(arguments: DrawVector.all)
    func ledgersHold(_ vector: DrawVector) throws {
        let report = LedgerVerifier.verify(vector.contents)
        #expect(report.holds)
        #expect(report.badRow == nil)
        #expect(report.rowCount == vector.lines.count)
        #expect(report.recomputedCount == report.drawCount)
        #expect(report.rounds.map(\.beginning) == [.opened])
        #expect(!report.isLastRoundOpen)
    }
}
