import Basics
import Lottery
import TestSupport
import Testing

struct LedgerVerifierTests {
    /// Two rounds of twenty users each, with a void that is followed by another attempt.
    private static let honest: LedgerBuilder = {
        var ledger = LedgerBuilder(sampleActivity(), seed: 7)
        ledger.open()
        for number in 1...20 { ledger.draw(UserID("qq:\(number)")) }
        ledger.void("qq:1")
        ledger.draw("qq:1")
        ledger.close()
        ledger.void("qq:2")
        ledger.setRemaining(9, at: 1)
        ledger.open()
        for number in 21...40 { ledger.draw(UserID("qq:\(number)")) }
        ledger.close()
        return ledger
    }()

    private static var rows: [LedgerRow] { honest.rows }

    private static func verify(_ rows: [LedgerRow], head: String? = nil) -> LedgerReport {
        LedgerVerifier.verify(exported(rows), head: head.flatMap { HeadClaim($0) })
    }

    /// Position of the `count`-th draw (from 0) that fits.
    private static func drawIndex(_ count: Int = 0, where isWanted: (DrawEntry) -> Bool) -> Int {
        let found = rows.indices.filter {
            guard case .draw(let entry) = rows[$0].event else { return false }
            return isWanted(entry)
        }
        precondition(found.count > count, "the sample ledger has no such draw; choose another seed")
        return found[count]
    }

    // MARK: What holds

    @Test func honestLedgerHolds() {
        let report = Self.verify(Self.rows)
        #expect(report.badRow == nil)
        #expect(report.rowCount == Self.rows.count)
        #expect(report.head == Self.rows.last?.hash)
        #expect(report.drawCount == 41)
        #expect(report.recomputedCount == 41)
        #expect(report.voidCount == 2)
        #expect(report.winCount == report.awards.reduce(0) { $0 + $1.winCount })
        #expect(report.awards.map(\.id) == ["gold", "silver", "bao", "bronze"])
        #expect(report.rounds.map(\.number) == [1, 2])
        #expect(report.rounds[0].beginning == .opened)
        guard case .rulesChanged(let changes) = report.rounds[1].beginning else {
            Issue.record("the second round's number was changed by hand")
            return
        }
        #expect(changes.count == 1)
        guard case .number("silver", _, to: 9) = changes.first else {
            Issue.record("\(changes)")
            return
        }
    }

    @Test func publicFormHoldsWithoutOutcomes() {
        let report = Self.verify(Self.rows.map(\.publicForm))
        #expect(report.holds)
        #expect(report.recomputedCount == 0)
        #expect(report.hiddenUserCount == report.drawCount)
    }

    @Test func erasedUserIsPassedOver() {
        var rows = Self.rows
        for index in rows.indices {
            if case .draw(let entry) = rows[index].event, entry.user == "qq:1" { rows[index] = rows[index].publicForm }
        }
        let report = Self.verify(rows)
        #expect(report.holds)
        #expect(report.hiddenUserCount == 2)
    }

    @Test func openLastRoundIsSaidToBeOpen() {
        let report = Self.verify(Array(Self.rows.dropLast()))
        #expect(report.holds)
        #expect(report.isLastRoundOpen)
        #expect(report.rounds[1].recomputedCount == 0)
        #expect(report.rounds[0].recomputedCount == 21)
    }

    @Test func reopeningWithWhatIsLeftIsNoChange() {
        var ledger = LedgerBuilder(sampleActivity(), seed: 3)
        ledger.open()
        for number in 1...6 { ledger.draw(UserID("qq:\(number)")) }
        ledger.close()
        ledger.void("qq:1")
        ledger.open()
        ledger.draw("qq:1")
        let report = Self.verify(ledger.rows)
        #expect(report.holds)
        #expect(report.rounds.map(\.beginning) == [.opened, .reopened])
    }

    @Test func changedRulesAreListed() {
        var ledger = LedgerBuilder(sampleActivity(maxAttempts: 1), seed: 3)
        ledger.open()
        ledger.close()
        ledger.activity.awards[1].percent = .of("31")
        ledger.activity.awards[3].name = "别的"
        ledger.activity.awards.swapAt(1, 3)
        ledger.activity.maxAttempts = nil
        ledger.activity.oneWinPerGameID = true
        ledger.open()
        let report = Self.verify(ledger.rows)
        #expect(report.holds)
        // The builder's stock stays by position, so the two swapped awards have exchanged numbers too.
        #expect(
            report.rounds[1].beginning
                == .rulesChanged([
                    .number("bronze", from: 4, to: 3), .wording("bronze"),
                    .percent("silver", from: .of("30"), to: .of("31")), .number("silver", from: 3, to: 4),
                    .order, .maxAttempts(from: 1, to: nil), .oneWinPerGameID(true),
                ]))
    }

    @Test func headIsComparedInBothForms() throws {
        let head = try #require(Self.rows.last).hash
        #expect(Self.verify(Self.rows, head: head.hex).headCheck == .isHead)
        #expect(Self.verify(Self.rows, head: head.shortHex.uppercased()).holds)
        #expect(Self.verify(Self.rows, head: Self.rows[5].hash.shortHex).headCheck == .isEarlier(seq: 5))
        #expect(!Self.verify(Self.rows, head: Self.rows[5].hash.shortHex).holds)
        #expect(Self.verify(Array(Self.rows.dropLast()), head: head.hex).headCheck == .isMissing)
        for text in ["", "12", head.hex + "0", "zz" + head.hex.dropFirst(2), String(head.hex.prefix(17))] {
            #expect(HeadClaim(text) == nil)
        }
    }

    // MARK: What does not

    @Test func emptyFileHoldsNothing() {
        #expect(LedgerVerifier.verify([]).badRow?.fault == .noRows)
        #expect(LedgerVerifier.verify([0x0A]).badRow?.line == 1)
    }

    @Test func everyAlteredByteIsRefused() {
        var ledger = LedgerBuilder(sampleActivity(), seed: 5)
        ledger.open()
        for number in 1...2 { ledger.draw(UserID("qq:\(number)")) }
        ledger.void("qq:1", reason: "换\"奖\"")
        ledger.close()
        let contents = ledger.contents
        #expect(LedgerVerifier.verify(contents).holds)
        for index in contents.indices {
            for mask: UInt8 in [0x01, 0x20, 0x80] {
                var altered = contents
                altered[index] ^= mask
                let report = LedgerVerifier.verify(altered)
                #expect(report.badRow != nil, "byte \(index), mask \(mask)")
                let line = 1 + contents[..<index].count { $0 == 0x0A }
                #expect(
                    report.badRow?.line == line, "byte \(index), mask \(mask): \(String(describing: report.badRow))")
            }
        }
    }

    /// The honest ledger, and what somebody who links everything anew makes of it, one event changed.
    private static var relinked: [[LedgerRow]] {
        [rows]
            + rows.indices.flatMap { index in
                [
                    rows[index].event.altered(award: .some(nil), remaining: .some(0)),
                    rows[index].event.altered(user: "qq:somebody"), rows[index].event.altered(remaining: .some(7)),
                ].map { event in
                    var events = rows.events
                    events[index].event = event
                    return rehashed(events)
                }
            }
    }

    /// Whatever was found out about a line before its turn, the verifier uses only what fits what it knows.
    @Test(arguments: ["nothing", "a wrong hash before", "another activity's words"])
    func whatLinesBringAlongChangesNothing(_ brought: String) throws {
        var activity = sampleActivity()
        activity.id = "autumn-2027"
        var other = LedgerBuilder(activity, seed: 7)
        other.open()
        var badCount = 0
        for rows in Self.relinked {
            var seeds = LedgerSeeds()
            if brought == "another activity's words" { seeds.read(line: other.rows[0].canonicalLine) }
            seeds.read(slice: exported(rows))
            var verifier = LedgerVerifier(seeds: seeds)
            let reader = brought == "nothing" ? LedgerVerifier(seeds: LedgerSeeds()).reader : verifier.reader
            for row in rows {
                let previous = brought == "a wrong hash before" ? row.hash : nil
                _ = verifier.read(reader.line(row.canonicalLine, behind: previous))
            }
            #expect(verifier.finish() == Self.verify(rows))
            if !verifier.finish().holds { badCount += 1 }
        }
        #expect(badCount > Self.rows.count && Self.verify(Self.rows).holds)
    }

    @Test(arguments: [1, 500, 4096]) func slicesGiveTheSameReport(_ length: Int) {
        var ledgers = Self.relinked.map(exported)
        for index in [0, 700, 5000] {
            var altered = ledgers[0]
            altered[index] ^= 0x20
            ledgers.append(altered)
            ledgers.append(Array(ledgers[0][..<index] + [0x0A, 0x0A] + ledgers[0][index...]))
        }
        ledgers.append(ledgers[0].dropLast())
        for contents in ledgers {
            var seeds = LedgerSeeds()
            seeds.read(slice: contents)
            var verifier = LedgerVerifier(seeds: seeds)
            var slicer = LedgerSlicer()
            for start in stride(from: 0, to: contents.count, by: length) {
                let slice = slicer.read(contents[start..<min(start + length, contents.count)])
                for line in verifier.reader.lines(of: slice) { _ = verifier.read(line) }
            }
            for line in verifier.reader.lines(of: slicer.finish()) { _ = verifier.read(line) }
            #expect(verifier.finish() == LedgerVerifier.verify(contents))
        }
    }

    /// Every outcome is computed again, also in rounds whose words were not made ahead.
    @Test func moreRoundsThanWordsAreMadeAheadOf() {
        var ledger = LedgerBuilder(sampleActivity(), seed: 3)
        let roundCount = LedgerSeeds.maximumWordsCount + 2
        for number in 1...roundCount {
            ledger.open()
            ledger.draw(UserID("qq:\(number)"))
            ledger.close()
        }
        let report = LedgerVerifier.verify(ledger.contents)
        #expect(report.holds && report.recomputedCount == roundCount)
    }

    /// An id of megabytes is refused where it stands, and not kept for each round that is said to follow.
    @Test func anActivityThatIsNoneMakesNoWords() throws {
        let rules = RoundRules(
            activity: ActivityID(String(repeating: "x", count: 1 << 20)), maxAttempts: nil, oneWinPerGameID: false,
            awards: [])
        let seed = try #require(RoundSeed([UInt8](repeating: 7, count: 32)))
        var events: [(event: LedgerEvent, at: Instant)] = [
            (.open(round: 1, rules: rules, commitment: .zero), Instant(milliseconds: 0))
        ]
        for round: UInt32 in 1...20 { events.append((.close(round: round, seed: seed), Instant(milliseconds: 0))) }
        var seeds = LedgerSeeds()
        seeds.read(slice: exported(rehashed(events)))
        #expect(seeds[1] == seed)
        #expect((1...20).allSatisfy { seeds.words(of: $0) == nil })
    }

    @Test func missingRepeatedAndExchangedRowsAreRefused() {
        for index in Self.rows.indices {
            if index < Self.rows.count - 1 {
                var deleted = Self.rows
                deleted.remove(at: index)
                #expect(Self.verify(deleted).badRow?.line == index + 1)
                var swapped = Self.rows
                swapped.swapAt(index, index + 1)
                #expect(Self.verify(swapped).badRow?.line == index + 1)
            }
            var doubled = Self.rows
            doubled.insert(Self.rows[index], at: index)
            #expect(
                Self.verify(doubled).badRow?.fault
                    == .sequence(expected: Int64(index + 1), found: Int64(index)))
        }
    }

    @Test func tailIsMissedWithTheHeadOnly() throws {
        let head = try #require(Self.rows.last).hash.shortHex
        for count in 1..<Self.rows.count {
            let cut = Array(Self.rows.prefix(count))
            #expect(Self.verify(cut).holds)
            #expect(!Self.verify(cut, head: head).holds)
        }
    }

    @Test func rebuiltChainIsMissedByTheHeadOnly() throws {
        // Given a last round that is open: its outcomes cannot be computed, so a forger may alter a miss's user.
        let original = Array(Self.rows.dropLast())
        var events = original.events
        let last = events.count - 1
        events[last].event = events[last].event.altered(user: "qq:99")
        let forged = rehashed(events)
        #expect(Self.verify(forged).holds)
        #expect(!Self.verify(forged, head: try #require(original.last).hash.hex).holds)
    }

    /// A forgery by somebody who links every row anew: where it must be noticed, and as what.
    struct Forgery: Sendable, CustomTestStringConvertible {
        let name: String
        let isExpected: @Sendable (LedgerFault) -> Bool
        /// Changes the events; returns the position of the row that cannot be true.
        let forge: @Sendable (inout [(event: LedgerEvent, at: Instant)]) -> Int

        var testDescription: String { name }
    }

    private static let forgeries: [Forgery] = [
        Forgery(name: "an award for a miss or 低保") {
            if case .outcome(_, found: "silver") = $0 { true } else { false }
        } forge: { events in
            let index = drawIndex { $0.award == "bao" }
            events[index].event = events[index].event.altered(award: "silver", remaining: 2)
            return index
        },
        Forgery(name: "a miss for a win") {
            if case .outcome(expected: "silver", found: nil) = $0 { true } else { false }
        } forge: { events in
            let index = drawIndex { $0.award == "silver" }
            events[index].event = events[index].event.altered(award: .some(nil), remaining: 0)
            return index
        },
        Forgery(name: "another user in a winner's place") {
            if case .outcome = $0 { true } else { false }
        } forge: { events in
            // One in five would have won the same.
            let index = drawIndex { $0.award == "gold" }
            events[index].event = events[index].event.altered(user: "qq:friend-3")
            return index
        },
        Forgery(name: "a gap in the attempts") {
            // The words of attempt 3 are others, so the outcome may give it away first.
            switch $0 {
            case .attempt(expected: 2, found: 3), .outcome: true
            default: false
            }
        } forge: { events in
            let index = drawIndex { $0.attempt == 2 }
            events[index].event = events[index].event.altered(attempt: 3)
            return index
        },
        Forgery(name: "attempt 0") {
            switch $0 {
            case .attempt, .outcome: true
            default: false
            }
        } forge: { events in
            let index = drawIndex { $0.award == "silver" }
            events[index].event = events[index].event.altered(attempt: 0)
            return index
        },
        Forgery(name: "a rest that is too high") {
            if case .remaining = $0 { true } else { false }
        } forge: { events in
            let index = drawIndex { $0.award == "silver" }
            guard case .draw(let entry) = events[index].event, let left = entry.remaining else { return -1 }
            events[index].event = events[index].event.altered(remaining: left + 1)
            return index
        },
        Forgery(name: "null as the rest of a limited award") {
            if case .remaining = $0 { true } else { false }
        } forge: { events in
            let index = drawIndex { $0.award == "silver" }
            events[index].event = events[index].event.altered(remaining: .some(nil))
            return index
        },
        Forgery(name: "a number as the rest of 低保") {
            $0 == .remaining(expected: nil, found: 5)
        } forge: { events in
            let index = drawIndex { $0.award == "bao" }
            events[index].event = events[index].event.altered(remaining: 5)
            return index
        },
        Forgery(name: "an award that is not listed") {
            $0 == .unknownAward("platinum")
        } forge: { events in
            let index = drawIndex { $0.award == "bao" }
            events[index].event = events[index].event.altered(award: "platinum")
            return index
        },
        Forgery(name: "a user hash of somebody else") {
            $0 == .userHash
        } forge: { events in
            let index = drawIndex { $0.award == "bao" }
            guard case .draw(let entry) = events[index].event else { return -1 }
            events[index].event = .draw(
                DrawEntry(
                    round: entry.round, user: entry.user, salt: entry.salt, userHash: .zero, attempt: entry.attempt,
                    award: entry.award, remaining: entry.remaining))
            return index
        },
        Forgery(name: "time that goes back") {
            if case .timeBackwards = $0 { true } else { false }
        } forge: { events in
            events[9].at = events[7].at
            return 9
        },
        Forgery(name: "an exchanged seed") {
            $0 == .commitment
        } forge: { events in
            guard let index = events.firstIndex(where: { $0.event.type == 3 }),
                let seed = RoundSeed([UInt8](repeating: 1, count: 32))
            else { return -1 }
            events[index].event = .close(round: 1, seed: seed)
            return index
        },
        Forgery(name: "rules changed after the commitment") {
            $0 == .commitment
        } forge: { events in
            guard case .open(_, let rules, let commitment) = events[0].event,
                let index = events.firstIndex(where: { $0.event.type == 3 })
            else { return -1 }
            let longer = RoundRules(
                activity: rules.activity, maxAttempts: 9, oneWinPerGameID: rules.oneWinPerGameID, awards: rules.awards)
            events[0].event = .open(round: 1, rules: longer, commitment: commitment)
            return index
        },
        Forgery(name: "a draw of another round") {
            $0 == .round(expected: 1, found: 2)
        } forge: { events in
            let index = drawIndex { $0.round == 1 }
            events[index].event = events[index].event.altered(round: 2)
            return index
        },
        Forgery(name: "a draw after the close") {
            $0 == .noOpenRound
        } forge: { events in
            let close = events.firstIndex { $0.event.type == 3 } ?? 0
            events.insert((events[close - 1].event, events[close].at), at: close + 1)
            return close + 1
        },
        Forgery(name: "a round that never closed") {
            $0 == .roundStillOpen(1)
        } forge: { events in
            events.remove(at: events.firstIndex { $0.event.type == 3 } ?? 0)
            return events.lastIndex { $0.event.type == 1 } ?? -1
        },
        Forgery(name: "a round that is left out") {
            $0 == .round(expected: 1, found: 2)
        } forge: { events in
            events.removeSubrange(0..<(events.lastIndex { $0.event.type == 1 } ?? 0))
            return 0
        },
        Forgery(name: "a void of another activity") {
            if case .voidOfOtherActivity = $0 { true } else { false }
        } forge: { events in
            let index = events.firstIndex { $0.event.type == 4 } ?? 0
            events[index].event = .void(receipt: Receipt(activity: "autumn", seq: 1), reason: "")
            return index
        },
        Forgery(name: "a void of a row that is no win") {
            if case .voidOfNoWin = $0 { true } else { false }
        } forge: { events in
            let index = events.firstIndex { $0.event.type == 4 } ?? 0
            events[index].event = .void(receipt: Receipt(activity: "spring-2027", seq: 0), reason: "")
            return index
        },
        Forgery(name: "a void of a row to come") {
            if case .voidOfNoWin = $0 { true } else { false }
        } forge: { events in
            let index = events.firstIndex { $0.event.type == 4 } ?? 0
            events[index].event = .void(receipt: Receipt(activity: "spring-2027", seq: Int64(index + 1)), reason: "")
            return index
        },
        Forgery(name: "a second void") {
            if case .voidedTwice = $0 { true } else { false }
        } forge: { events in
            let index = events.lastIndex { $0.event.type == 4 } ?? 0
            events.insert(events[index], at: index + 1)
            return index + 1
        },
        Forgery(name: "a void that is left out") {
            // Without it the winner's next attempt is a second win, or the stock is one short.
            switch $0 {
            case .secondWin, .outcome, .outOfStock, .remaining: true
            default: false
            }
        } forge: { events in
            let index = events.firstIndex { $0.event.type == 4 } ?? 0
            events.remove(at: index)
            return index
        },
    ]

    @Test(arguments: forgeries)
    func forgedChainIsRefusedAtTheRightRow(_ forgery: Forgery) throws {
        var events = Self.rows.events
        let index = forgery.forge(&events)
        let report = Self.verify(rehashed(events))
        let bad = try #require(report.badRow)
        #expect(bad.line == index + 1, "\(bad)")
        #expect(bad.seq == Int64(index))
        #expect(forgery.isExpected(bad.fault), "\(bad.fault)")
        #expect(!bad.fault.description.isEmpty && !bad.fault.chineseText.isEmpty)
    }

    // MARK: Rounds whose outcomes cannot be computed

    /// A ledger of one open round: nobody knows the seed, so the rows must be consistent among themselves.
    private static func openRound(
        _ draws: [(user: UserID?, attempt: UInt32, award: AwardID?, left: Int?)],
        of activity: Activity = sampleActivity()
    ) -> LedgerReport {
        let rules = RoundRules(activity: activity, remaining: activity.awards.map(\.number))
        var head = LedgerHead.empty
        var rows = [head.append(.open(round: 1, rules: rules, commitment: .zero), now: Instant(milliseconds: 1))]
        for draw in draws {
            let salt = Salt([UInt8](repeating: 3, count: 16))
            let hash = draw.user.flatMap { user in salt.map { userHash(user, salt: $0) } } ?? .zero
            let entry = DrawEntry(
                round: 1, user: draw.user, salt: draw.user == nil ? nil : salt, userHash: hash, attempt: draw.attempt,
                award: draw.award, remaining: draw.left)
            rows.append(head.append(.draw(entry), now: Instant(milliseconds: 2)))
        }
        return verify(rows)
    }

    @Test func bothFormsOfDiBaoRestAreAccepted() {
        #expect(Self.openRound([("qq:1", 1, "bao", nil), ("qq:2", 1, "bao", 0)]).holds)
    }

    @Test func secondWinIsRefused() {
        let report = Self.openRound([("qq:1", 1, "silver", 2), ("qq:1", 2, "bronze", 3)])
        #expect(report.badRow?.fault == .secondWin(first: Receipt(activity: "spring-2027", seq: 1)))
        #expect(report.badRow?.line == 3)
    }

    @Test func usersAreComparedByBytes() {
        #expect(Self.openRound([("qq:é", 1, "silver", 2), ("qq:e\u{301}", 1, "bronze", 3)]).holds)
    }

    @Test func exhaustedAwardIsRefused() {
        let report = Self.openRound([(nil, 1, "gold", 0), (nil, 1, "gold", 0)])
        #expect(report.badRow?.fault == .outOfStock("gold"))
    }

    @Test func attemptsBeyondTheRulesAreRefused() {
        let activity = sampleActivity(maxAttempts: 1, withDiBao: false)
        let report = Self.openRound([("qq:1", 1, nil, 0), ("qq:1", 2, nil, 0)], of: activity)
        #expect(report.badRow?.fault == .attemptsUsed(maximum: 1))
        #expect(
            Self.openRound(
                [("q", 1, nil, 0), ("q", 2, nil, 0)], of: sampleActivity(maxAttempts: nil, withDiBao: false)
            ).holds)
        #expect(Self.openRound([("qq:1", 2, "bao", nil)]).badRow?.fault == .attempt(expected: 1, found: 2))
    }

    @Test func attemptsContinueAfterAnErasure() {
        let activity = sampleActivity(maxAttempts: nil, withDiBao: false)
        #expect(Self.openRound([(nil, 1, nil, 0), ("qq:1", 2, nil, 0), ("qq:1", 3, nil, 0)], of: activity).holds)
        #expect(
            Self.openRound([(nil, 1, nil, 0), ("qq:1", 3, nil, 0)], of: activity).badRow?.fault
                == .attempt(expected: 1, found: 3))
    }

    @Test func missWithDiBaoIsImpossible() {
        #expect(Self.openRound([(nil, 1, nil, 0)]).badRow?.fault == .impossibleOutcome(nil))
    }

    @Test func certainAwardIsNotPassedOver() {
        var activity = sampleActivity()
        activity.awards[1].percent = .of("100")
        activity.awards[0].percent = .zero
        #expect(Self.openRound([(nil, 1, "silver", 2)], of: activity).holds)
        #expect(Self.openRound([(nil, 1, "bronze", 3)], of: activity).badRow?.fault == .impossibleOutcome("bronze"))
        #expect(Self.openRound([(nil, 1, "bao", nil)], of: activity).badRow?.fault == .impossibleOutcome("bao"))
        #expect(Self.openRound([(nil, 1, "gold", 0)], of: activity).badRow?.fault == .impossibleOutcome("gold"))
    }

    @Test func missHasNoRest() {
        let activity = sampleActivity(withDiBao: false)
        #expect(Self.openRound([(nil, 1, nil, 1)], of: activity).badRow?.fault == .remaining(expected: 0, found: 1))
        #expect(Self.openRound([(nil, 1, nil, nil)], of: activity).badRow?.fault == .remaining(expected: 0, found: nil))
    }

    // MARK: Rules

    @Test func firstRowMustOpenARound() {
        var head = LedgerHead.empty
        let row = head.append(
            .void(receipt: Receipt(activity: "a", seq: 0), reason: ""), now: Instant(milliseconds: 0))
        #expect(Self.verify([row]).badRow?.line == 1)
    }

    @Test func rulesThatAreNoRulesAreRefused() {
        func fault(_ change: (inout Activity) -> Void) -> LedgerFault? {
            var activity = sampleActivity()
            change(&activity)
            return Self.openRound([], of: activity).badRow?.fault
        }
        #expect(fault { $0.awards = [] } == .rules(.noAwards))
        #expect(fault { $0.id = "春" } == .rules(.activityID))
        #expect(fault { $0.awards[0].id = "a b" } == .rules(.awardID("a b")))
        #expect(fault { $0.awards[0].id = "silver" } == .rules(.repeatedAward("silver")))
        #expect(fault { $0.awards[0].number = 2 } == .rules(.onlyNumber("gold", 2)))
        #expect(fault { $0.awards[0].kind = .DI_BAO } == .rules(.secondDiBao("bao")))
        #expect(fault { $0.awards[0].number = 0 } == nil)
    }

    @Test func onlyAwardThatIsGoneCannotBeOfferedAgain() {
        var activity = sampleActivity()
        activity.awards[0].percent = .of("100")
        var ledger = LedgerBuilder(activity, seed: 1)
        ledger.open()
        ledger.draw("qq:1")
        ledger.close()
        ledger.setRemaining(1, at: 0)
        ledger.open()
        #expect(Self.verify(ledger.rows).badRow?.fault == .rules(.onlyGone("gold")))
    }

    @Test func otherActivityInTheSameChainIsRefused() {
        var ledger = LedgerBuilder(sampleActivity(), seed: 1)
        ledger.open()
        ledger.close()
        ledger.activity.id = "autumn"
        ledger.open()
        #expect(
            Self.verify(ledger.rows).badRow?.fault == .otherActivity(expected: "spring-2027", found: "autumn"))
    }

    /// Random ledgers of a few dozen rows: the honest ones hold, and any one award exchanged does not.
    @Test func randomLedgersHoldAndTheirForgeriesDoNot() {
        print("LedgerVerifierTests seed \(SeededGenerator.baseSeed)")
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        for _ in 0..<150 {
            let activity = sampleActivity(
                maxAttempts: [1, 2, nil].randomElement(using: &generator) ?? nil, withDiBao: .random(using: &generator))
            var ledger = LedgerBuilder(activity, seed: generator.next())
            for _ in 0..<Int.random(in: 10...60, using: &generator) {
                let user = UserID("qq:\(Int.random(in: 1...15, using: &generator))")
                switch Int.random(in: 0..<20, using: &generator) {
                case 0 where ledger.isOpen: ledger.close()
                case 1, 2: ledger.void(user)
                case 3 where !ledger.isOpen: ledger.setRemaining(.random(in: 0...6, using: &generator), at: 1)
                default:
                    if !ledger.isOpen { ledger.open() }
                    if ledger.canDraw(user) { ledger.draw(user) }
                }
            }
            if ledger.isOpen { ledger.close() }
            guard !ledger.rows.isEmpty else { continue }
            let report = Self.verify(ledger.rows)
            #expect(report.holds, "\(String(describing: report.badRow))")
            #expect(report.recomputedCount == report.drawCount)

            var events = ledger.rows.events
            let draws = events.indices.filter { events[$0].event.type == 2 }
            guard let target = draws.randomElement(using: &generator), case .draw(let entry) = events[target].event
            else { continue }
            let others = activity.awards.map { Optional($0.id) } + [nil]
            guard let other = others.filter({ $0 != entry.award }).randomElement(using: &generator) else { continue }
            events[target].event = events[target].event.altered(award: .some(other))
            #expect(Self.verify(rehashed(events)).badRow?.line == target + 1)
        }
    }
}
