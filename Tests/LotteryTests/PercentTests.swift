import Lottery
import TestSupport
import Testing

struct PercentTests {
    @Test(
        "hardening row 72: decimals are exact",
        arguments: [
            ("0", 0), ("0.0001", 1), ("0.5", 5000), ("8", 80_000), ("08", 80_000), ("33.3333", 333_333),
            ("99.9999", 999_999),
            ("100", 1_000_000), ("100.0000", 1_000_000), ("0.1", 1000), ("0.29", 2900), ("1.1", 11_000),
        ])
    func decimalsAreExact(_ text: String, _ partsPerMillion: Int) {
        #expect(Percent(text)?.partsPerMillion == partsPerMillion)
    }

    /// hardening.md rows 70 and 72.
    @Test(
        "hardening rows 70, 72: any other percentage is refused",
        arguments: [
            "", " ", "-1", "-0", "+1", "100.01", "100.0001", "101", "999", "1000", "NaN", "nan", "inf", "50%",
            "50\u{FF05}",
            "0.00001",
            "0.1+0.2", "1e1", "1E1", "0x10", ".5", "5.", ".", "1..2", "1.2.3", "1,5", "1 ", " 1", "1\n", "\u{FF15}",
            "٥",
            "½",
            "1_0", "00000001", "1\u{0}", "99999999999999999999999999",
        ])
    func anythingElseIsRefused(_ text: String) {
        #expect(Percent(text) == nil)
    }

    @Test func everyValueSurvivesItsDescription() {
        for partsPerMillion in stride(from: 0, through: 1_000_000, by: 37) {
            let percent = Percent(partsPerMillion: partsPerMillion)
            #expect(percent.flatMap { Percent($0.description) } == percent)
        }
        #expect(Percent.of("0.5000").description == "0.5")
        #expect(Percent.of("100").description == "100")
    }

    @Test func numbersOutsideAreRefused() {
        for value in [-1, 1_000_001, .max, .min] { #expect(Percent(partsPerMillion: value) == nil) }
    }

    @Test func hitsLieBelowTheThresholdOnly() {
        let one = Percent(partsPerMillion: 1)
        #expect(one?.threshold == 18_446_744_073_709)
        #expect(isHit(18_446_744_073_708, percent: .of("0.0001")))
        #expect(!isHit(18_446_744_073_709, percent: .of("0.0001")))
        #expect(!isHit(0, percent: .zero))
        #expect(isHit(.max, percent: .of("100")))
        #expect(!isHit(.max, percent: .of("99.9999")))
    }
}
