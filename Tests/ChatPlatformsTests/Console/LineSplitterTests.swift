import Basics
import ChatPlatforms
import TestSupport
import Testing

struct LineSplitterTests {
    /// The lines as text, nil for one that is too long.
    static func lines(_ bytes: [UInt8], limit: Int, chunkSizes: () -> Int) -> [[UInt8]?] {
        var splitter = LineSplitter(maximumLineSize: limit)
        var lines: [LineSplitter.Line] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let chunk = rest.prefix(max(chunkSizes(), 0))
            lines += splitter.append(chunk)
            rest = rest.dropFirst(chunk.count)
        }
        if let last = splitter.finish() { lines.append(last) }
        return lines.map { if case .line(let line) = $0 { Array(line) } else { nil } }
    }

    /// The same from the whole stream at once, the plain way.
    static func expected(_ bytes: [UInt8], limit: Int) -> [[UInt8]?] {
        var parts = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if parts.last?.isEmpty == true { parts.removeLast() }
        return parts.map { part in
            let line = part.last == UInt8(ascii: "\r") ? part.dropLast() : part
            return line.count <= limit ? Array(line) : nil
        }
    }

    @Test(
        arguments: [
            ("", []), ("\n", [""]), ("\r\n", [""]), ("\n\n", ["", ""]), ("a", ["a"]), ("a\n", ["a"]), ("a\r", ["a"]),
            ("a\nb", ["a", "b"]), ("a\r\nb\r\n", ["a", "b"]), ("a\rb\n", ["a\rb"]), ("a\r\r\n", ["a\r"]), ("\r", [""]),
            ("抽\n奖", ["抽", "奖"]), ("1234\n", ["1234"]), ("1234\r\n", ["1234"]), ("1234\r", ["1234"]),
            ("12345\n1", [nil, "1"]), ("12345\r\n1", [nil, "1"]), ("12345", [nil]), ("1234\r5\nx\n", [nil, "x"]),
            ("1234\r\r\n", [nil]), ("1234567890123\n\n12345678\nab", [nil, "", nil, "ab"]), ("a\u{2028}b\n", [nil]),
            ("a\u{85}b", ["a\u{85}b"]), ("\u{0}\n", ["\u{0}"]),
        ] as [(String, [String?])])
    func streamIsSplit(text: String, expected: [String?]) {
        let bytes = Array(text.utf8)
        let expected = expected.map { $0.map { Array($0.utf8) } }
        #expect(Self.expected(bytes, limit: 4) == expected)
        for size in 1...max(bytes.count, 1) {
            #expect(Self.lines(bytes, limit: 4) { size } == expected, "chunks of \(size)")
        }
    }

    @Test func chunksDoNotMatter() {
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        let alphabet = Array("ab\r\n".utf8)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...60, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator)!
            }
            let limit = Int.random(in: 0...8, using: &generator)
            let lines = Self.lines(bytes, limit: limit) { Int.random(in: 0...9, using: &generator) }
            #expect(lines == Self.expected(bytes, limit: limit), "\(bytes), limit \(limit)")
        }
    }

    @Test func tooLongIsReportedOnceAndAtOnce() {
        var splitter = LineSplitter(maximumLineSize: 8)
        #expect(splitter.append(Array("12345678".utf8)[...]) == [])
        #expect(splitter.append(Array("9".utf8)[...]) == [.tooLong])
        for _ in 0..<100 { #expect(splitter.append(ArraySlice(repeating: 0x78, count: 100_000)) == []) }
        #expect(splitter.append(Array("x\nab\n".utf8)[...]) == [.line(Array("ab".utf8)[...])])
        #expect(splitter.finish() == nil)
    }

    @Test func finishStartsAnew() {
        var splitter = LineSplitter(maximumLineSize: 2)
        #expect(splitter.append(Array("123".utf8)[...]) == [.tooLong])
        #expect(splitter.finish() == nil)
        #expect(splitter.append(Array("ab".utf8)[...]) == [])
        #expect(splitter.finish() == .line(Array("ab".utf8)[...]))
        #expect(splitter.finish() == nil)
    }

    @Test func sliceMayStartAnywhere() {
        var splitter = LineSplitter(maximumLineSize: 10)
        let bytes = Array("xxab\ncd\nyy".utf8)
        #expect(splitter.append(bytes[2..<8]) == [.line(Array("ab".utf8)[...]), .line(Array("cd".utf8)[...])])
    }
}
