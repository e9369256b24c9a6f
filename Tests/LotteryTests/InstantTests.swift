import Basics
import TestSupport
import Testing

struct InstantTests {
    @Test func textsSurviveARoundTrip() {
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        var values: [Int64] = [0, 1, -1, 951_782_399_999, 951_782_400_000, 253_402_300_799_999, -62_167_219_200_000]
        for _ in 0..<2000 { values.append(.random(in: -62_167_219_200_000...253_402_300_799_999, using: &generator)) }
        for value in values {
            let instant = Instant(milliseconds: value)
            #expect(Instant(dateTimeText: instant.dateTimeText()) == instant, "\(value)")
        }
    }

    @Test(arguments: [
        (0, "1970-01-01 00:00:00.000"), (-1, "1969-12-31 23:59:59.999"), (951_782_400_000, "2000-02-29 00:00:00.000"),
        (1_776_643_200_000, "2026-04-20 00:00:00.000"), (253_402_300_799_999, "9999-12-31 23:59:59.999"),
    ])
    func knownMoments(_ milliseconds: Int64, _ text: String) {
        #expect(Instant(milliseconds: milliseconds).dateTimeText() == text)
    }

    @Test func offsetsShiftTheWallClock() {
        #expect(Instant(milliseconds: 0).dateTimeText(offsetSeconds: 8 * 3600) == "1970-01-01 08:00:00.000")
    }

    @Test func orderOfTextsIsOrderOfTime() {
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        let values = (0..<500).map { _ in Instant(milliseconds: .random(in: 0...4_102_444_800_000, using: &generator)) }
        #expect(values.sorted().map { $0.dateTimeText() } == values.map { $0.dateTimeText() }.sorted())
    }

    @Test(arguments: [
        "", "2027", "2027-02-29 00:00", "1900-02-29 00:00", "2027-13-01 00:00", "2027-00-01 00:00", "2027-04-31 00:00",
        "2027-01-00 00:00", "2027-01-01 24:00", "2027-01-01 23:60", "2027-01-01 23:59:60", "2027-01-01 00:00:00.1",
        "2027-01-01 00:00:00.0000", "2027-01-01 00:00:00Z", "2027-1-1 00:00", "10000-01-01 00:00", "2027-01-01  00:00",
        "2027-01-0\u{FF11} 00:00", "+027-01-01 00:00", "2027/01/01 00:00", "2027-01-01_00:00", "2027-01-01 00:00:",
    ])
    func anythingElseIsRefused(_ text: String) {
        #expect(Instant(dateTimeText: text) == nil)
    }

    @Test func leapDaysAreDays() {
        #expect(Instant(dateTimeText: "2024-02-29 12:00") != nil)
        #expect(Instant(dateTimeText: "2000-02-29T12:00:00") != nil)
    }

    @Test func arithmeticStaysInRange() {
        let first = Instant(milliseconds: .min)
        let last = Instant(milliseconds: .max)
        #expect(last.advanced(bySeconds: 1) == last)
        #expect(first.advanced(bySeconds: -1) == first)
        #expect(Instant(milliseconds: 0).advanced(bySeconds: .max) == last)
        #expect(Instant(milliseconds: 0).advanced(bySeconds: .min) == first)
        #expect(last.milliseconds(since: first) == .max)
        #expect(first.milliseconds(since: last) == .min)
        for instant in [first, last] { #expect(!instant.dateTimeText().isEmpty) }
    }
}
