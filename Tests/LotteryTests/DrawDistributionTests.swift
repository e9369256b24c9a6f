import Basics
import Lottery
import TestSupport
import Testing

/// Draws from real words: a million per table, with stock for all of them.
struct DrawDistributionTests {
    struct Table: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let awards: [ActivityAward]
    }

    private static func awards(_ percents: [String], diBaoAt diBaoIndex: Int? = nil) -> [ActivityAward] {
        var awards = percents.enumerated().map {
            ActivityAward(
                id: AwardID("a\($0.offset + 1)"), kind: .NORNAL, percent: .of($0.element), name: "",
                number: Activity.maximumNumber)
        }
        if let diBaoIndex { awards.insert(ActivityAward(id: "bao", kind: .DI_BAO, name: ""), at: diBaoIndex) }
        return awards
    }

    private static let tables = [
        Table(testDescription: "rare to common, 低保 last", awards: awards(["0.5", "8", "33.3333"], diBaoAt: 3)),
        Table(testDescription: "no 低保, a gap", awards: awards(["0.01", "1", "10", "0.0001"])),
        Table(
            testDescription: "低保 in the middle, nothing and certainty",
            awards: awards(["50", "0", "99.9999"], diBaoAt: 1)),
    ]

    private static let drawCount = 1_000_000

    @Test(arguments: tables)
    func sharesLieWithinFourStandardDeviations(_ table: Table) throws {
        // Always the same: of all seeds, one in some hundred lies further off by nature.
        var generator = SeededGenerator(seed: 20_270_210)
        let seed = RoundSeed.random(using: &generator)
        let remaining = table.awards.map(\.number)
        var counts = [Int](repeating: 0, count: table.awards.count)
        var missCount = 0
        for number in 0..<Self.drawCount {
            var words = DrawWords(
                seed: seed, activity: "spring-2027", round: 1, user: UserID("qq:\(number)"), attempt: 1)
            switch decideDraw(awards: table.awards, remaining: remaining, word: { words.word(at: $0) }) {
            case .won(let index): counts[index] += 1
            case .missed: missCount += 1
            }
        }
        let odds = effectiveOdds(awards: table.awards, remaining: remaining)
        let misses = missOdds(awards: table.awards, remaining: remaining)
        #expect(abs(odds.reduce(misses, +) - 1) < 1e-12)
        for (count, chance) in zip(counts + [missCount], odds + [misses]) {
            let mean = Double(Self.drawCount) * chance
            let deviation = (mean * (1 - chance)).squareRoot()
            // Where hardly any hit is due the deviation is below one: a single hit more must not fail.
            #expect(abs(Double(count) - mean) <= max(4 * deviation, 3 * chance.squareRoot()), "\(count) for \(mean)")
        }
    }

    @Test func everyPositionIsReachable() {
        let awards = Self.awards([String](repeating: "5", count: 40))
        let remaining = awards.map(\.number)
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        let seed = RoundSeed.random(using: &generator)
        var reached: Set<Int> = []
        for number in 0..<4000 {
            var words = DrawWords(seed: seed, activity: "many", round: 1, user: UserID("qq:\(number)"), attempt: 1)
            if case .won(let index) = decideDraw(awards: awards, remaining: remaining, word: { words.word(at: $0) }) {
                reached.insert(index)
            }
        }
        #expect(reached == Set(0..<40))
    }

    @Test func stockIsNeverOverdrawnAndDiBaoComesLast() {
        var ledger = LedgerBuilder(sampleActivity(maxAttempts: nil), seed: SeededGenerator.baseSeed)
        ledger.open()
        var counts = [Int](repeating: 0, count: 4)
        for number in 0..<300 {
            if let index = ledger.draw(UserID("qq:\(number)")) { counts[index] += 1 }
            #expect(ledger.remaining.allSatisfy { $0 >= 0 })
        }
        #expect(counts == [1, 3, 292, 4])
    }

    @Test func diBaoIsGivenWhenNothingElseHitsOnly() {
        let awards = Self.awards(["50", "50"], diBaoAt: 0)
        let hit: UInt64 = 0
        let missed = UInt64.max
        for (first, second, expected) in [(hit, hit, 1), (hit, missed, 1), (missed, hit, 2), (missed, missed, 0)] {
            let result = decideDraw(awards: awards, remaining: [0, 5, 5]) { $0 == 1 ? first : second }
            #expect(result == .won(index: expected))
        }
        #expect(decideDraw(awards: awards, remaining: [0, 0, 0]) { _ in hit } == .won(index: 0))
        #expect(decideDraw(awards: [], remaining: []) { _ in hit } == .missed)
    }
}
