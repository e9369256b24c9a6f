import Basics
import Lottery
import Testing

struct LedgerLineTests {
    private static let lines = DrawVector.all.flatMap(\.lines)

    @Test func readingAndWritingGiveTheSameBytes() throws {
        for line in Self.lines {
            let bytes = Array(line.utf8)
            #expect(try LedgerRow(canonicalLine: bytes).canonicalLine == bytes)
        }
    }

    @Test func controlCharactersAreEscapedInLowerCase() throws {
        var head = LedgerHead.empty
        let row = head.append(
            .void(receipt: Receipt(activity: "a", seq: 0), reason: "a\u{0}\u{1f}\n\u{7f}\"\\/é\u{301}"),
            now: Instant(milliseconds: 0))
        #expect(
            row.canonicalText.contains(
                "\"reason\":\"a\\u0000\\u001f\\u000a\u{7f}\\\"\\\\/é\u{301}\",\"hash\""))
        #expect(try LedgerRow(canonicalLine: row.canonicalLine) == row)
    }

    @Test func publicFormHidesTheUserAndKeepsTheHash() throws {
        let row = try LedgerRow(canonicalLine: Array(DrawVector.all[0].lines[1].utf8)).publicForm
        #expect(row.canonicalText.contains("\"user\":null,\"salt\":null,\"user_hash\":\"cf7c"))
        #expect(
            row.canonicalText.hasSuffix(
                "\"hash\":\"bd97b76258a8a03eac613bb94028f7e514b4f27f34ce11579dff79d25741cd1b\"}"))
        #expect(try LedgerRow(canonicalLine: row.canonicalLine) == row)
    }

    /// Each a different spelling of the same values, or a value out of its range.
    @Test(arguments: [
        ("\"seq\":1,", "\"seq\":01,", "seq"),
        ("\"seq\":1,", "\"seq\":-1,", "seq"),
        ("\"seq\":1,", "\"seq\":1.0,", "type"),
        ("\"seq\":1,", "\"seq\":1e0,", "type"),
        ("\"seq\":1,", "\"seq\": 1,", "seq"),
        ("\"seq\":1,", "\"seq\":18446744073709551617,", "seq"),
        ("\"seq\":1,", "\"seq\":9223372036854775808,", "seq"),
        ("\"seq\":1,", "\"seq\":,", "seq"),
        ("\"type\":2", "\"type\":5", "type"),
        ("\"type\":2", "\"type\":3", "seed"),
        ("1776643201000", "99999999999999999999999", "at_ms"),
        ("1776643201000", "253402300800000", "at_ms"),
        ("\"round\":1", "\"round\":4294967296", "round"),
        ("\"user\":\"qq:10001\"", "\"user\":\"qq\\u003a10001\"", "user"),
        ("\"user\":\"qq:10001\"", "\"user\":\"qq:10001\\n\"", "user"),
        ("\"user\":\"qq:10001\"", "\"user\":\"qq:\\u001F\"", "user"),
        ("\"user\":\"qq:10001\"", "\"user\":\"qq:10001\n\"", "user"),
        ("\"user\":\"qq:10001\"", "\"user\":null", "salt"),
        ("\"salt\":\"287546", "\"salt\":\"28754", "salt"),
        ("\"salt\":\"287546ea", "\"salt\":\"287546EA", "salt"),
        ("\"user_hash\":\"cf7", "\"user_hash\":\"cg7", "user_hash"),
        ("\"attempt\":1", "\"attempt\":\"1\"", "attempt"),
        ("\"award\":\"bao\"", "\"award\":\"\"", "award"),
        ("\"remaining\":null", "\"remaining\":-1", "remaining"),
        ("\"remaining\":null", "\"remaining\":1000000001", "remaining"),
        ("\"remaining\":null,", "", "remaining"),
        ("\"remaining\":null,", "\"remaining\":null,\"remaining\":null,", "hash"),
        ("cd1b\"}", "cd1b\"} ", ""),
        ("cd1b\"}", "cd1b\"}\r", ""),
        ("cd1b\"}", "cd1b\",\"more\":1}", "hash"),
        ("cd1b\"}", "cd1", "hash"),
        ("{\"seq\"", "\u{FEFF}{\"seq\"", "seq"),
    ])
    func otherSpellingsAreRefused(_ original: String, _ replacement: String, _ field: String) throws {
        let line = DrawVector.all[0].lines[1].replacing(original, with: replacement)
        try #require(line != DrawVector.all[0].lines[1])
        let error = #expect(throws: LedgerLineError.self) { try LedgerRow(canonicalLine: Array(line.utf8)) }
        #expect(error?.field == field, "\(String(describing: error))")
    }

    @Test func everyCutAndEveryBrokenByteIsRefusedWithoutATrap() {
        for line in [DrawVector.all[0].lines[0], DrawVector.all[0].lines[1], DrawVector.all[0].lines[2]] {
            let bytes = Array(line.utf8)
            for count in bytes.indices {
                #expect(throws: LedgerLineError.self) { try LedgerRow(canonicalLine: Array(bytes[..<count])) }
            }
            for index in bytes.indices {
                for value: UInt8 in [0x00, 0x22, 0x5C, 0xFF] where bytes[index] != value {
                    var broken = bytes
                    broken[index] = value
                    if let row = try? LedgerRow(canonicalLine: broken) { #expect(row.canonicalLine == broken) }
                }
            }
        }
    }

    @Test func rulesHashThatDoesNotFitIsRefused() {
        let line = DrawVector.all[0].lines[0].replacing("\"ppm\":10000,", with: "\"ppm\":10001,")
        let error = #expect(throws: LedgerLineError.self) { try LedgerRow(canonicalLine: Array(line.utf8)) }
        #expect(error?.field == "rules_hash")
    }

    @Test func overlongLinesAreRefused() {
        let bytes = [UInt8](repeating: 0x20, count: LedgerRow.maximumLineLength + 1)
        #expect(throws: LedgerLineError.self) { try LedgerRow(canonicalLine: bytes) }
    }

    @Test func piecesOfAnyLengthAreCutAtLines() {
        let contents = DrawVector.all[0].contents
        for length in [1, 7, 4096] {
            var slicer = LedgerSlicer()
            var slices: [[UInt8]] = []
            for start in stride(from: 0, to: contents.count, by: length) {
                slices.append(slicer.read(Array(contents[start..<min(start + length, contents.count)])))
            }
            #expect(slicer.finish().isEmpty)
            #expect(slices.allSatisfy { $0.isEmpty || $0.last == 0x0A })
            #expect(Array(slices.joined()) == contents)
        }
    }

    @Test func theLastLineNeedsNoEnd() {
        var slicer = LedgerSlicer()
        #expect(slicer.read(Array("a\nb\n\nc".utf8)) == Array("a\nb\n\n".utf8))
        #expect(slicer.finish() == Array("c".utf8))
        #expect(slicer.finish().isEmpty)
    }

    @Test func ofALineWithoutEndLittleIsHeld() {
        var slicer = LedgerSlicer()
        let piece = [UInt8](repeating: 0x20, count: 1 << 20)
        let lengths = (0..<9).map { _ in slicer.read(piece).count }
        #expect(lengths == [0, 0, 0, 0, 5 << 20, 0, 0, 0, 0])
    }
}
