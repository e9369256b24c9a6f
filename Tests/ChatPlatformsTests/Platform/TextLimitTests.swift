import Testing

@testable import ChatPlatforms

struct TextLimitTests {
    @Test(arguments: [
        ("", 0, 0, 0), ("abc", 3, 3, 3), ("周", 3, 1, 1), ("😀", 4, 1, 2), ("e\u{301}", 3, 2, 2), ("👨‍👩‍👧", 18, 5, 8),
        ("\r\n", 2, 2, 2),
    ])
    func eachUnitCountsItsOwn(_ text: String, _ bytes: Int, _ characters: Int, _ utf16: Int) {
        #expect(TextLimit(1, .bytes).size(of: text) == bytes)
        #expect(TextLimit(1, .characters).size(of: text) == characters)
        #expect(TextLimit(1, .utf16).size(of: text) == utf16)
    }

    @Test(arguments: [TextLimit.Unit.bytes, .characters, .utf16])
    func aTextOfExactlyTheLimitStays(_ unit: TextLimit.Unit) {
        let text = "周末😀\nab\n"
        let limit = TextLimit(TextLimit(0, unit).size(of: text), unit)
        #expect(limit.allows(text))
        #expect(limit.cut(text) == text)
        #expect(limit.pages(of: text, maximumCount: 1) == [text])
        #expect(!TextLimit(limit.count - 1, unit).allows(text))
    }

    @Test func anEmptyTextIsOneEmptyPage() {
        #expect(TextLimit(10, .bytes).pages(of: "", maximumCount: 3) == [""])
        #expect(TextLimit(10, .bytes).cut("") == "")
    }

    @Test func pagesEndWithLines() {
        let limit = TextLimit(13, .characters)
        #expect(limit.pages(of: "aaaa\nbbbb\ncccc\ndd", maximumCount: 5) == ["aaaa\nbbbb", "cccc\ndd"])
        #expect(limit.cut("aaaa\nbbbb\ncccc\ndd") == "aaaa\nbbbb\n……")
    }

    @Test func emptyLinesStayWithinAPage() {
        #expect(
            TextLimit(13, .characters).pages(of: "aaa\n\nbbb\n\nccccc", maximumCount: 5) == ["aaa\n\nbbb\n", "ccccc"])
    }

    @Test(arguments: [TextLimit.Unit.bytes, .characters, .utf16], [20, 21, 22, 23, 50, 99])
    func everyPageFitsAndNothingIsLost(_ unit: TextLimit.Unit, _ count: Int) {
        let text = (1...30).map { number in
            String(repeating: "周末😀e\u{301}", count: number % 7) + "#\(number)" + String(repeating: "x", count: number)
        }.joined(separator: "\n")
        let limit = TextLimit(count, unit)
        let pages = limit.pages(of: text, maximumCount: 10_000)
        #expect(pages.allSatisfy { limit.allows($0) })
        func withoutBreaks(_ text: String) -> [UInt8] { text.utf8.filter { $0 != 0x0A } }
        #expect(withoutBreaks(pages.joined()) == withoutBreaks(text))
        for maximum in 1...5 {
            let some = limit.pages(of: text, maximumCount: maximum)
            #expect(some.count == maximum)
            #expect(some.allSatisfy { limit.allows($0) })
            #expect(some.dropLast() == pages.prefix(maximum - 1))
            #expect(some.last == pages[maximum - 1] + "\n……")
        }
        #expect(limit.cut(text) == pages[0] + "\n……")
    }

    @Test(arguments: [
        (TextLimit.Unit.bytes, "😀😀\n……"), (.characters, String(repeating: "😀", count: 9) + "\n……"),
        (.utf16, "😀😀😀😀\n……"),
    ])
    func aLongLineIsCutBetweenScalars(_ unit: TextLimit.Unit, _ expected: String) {
        // The mark takes 7 bytes, 3 characters and 3 UTF-16 units.
        let limit = TextLimit(unit == .bytes ? 17 : 12, unit)
        let cut = limit.cut(String(repeating: "😀", count: 30))
        #expect(cut == expected)
        #expect(limit.allows(cut))
    }

    @Test func aLimitBelowTheMarkDoesNotTrap() {
        for unit in [TextLimit.Unit.bytes, .characters, .utf16] {
            for count in [-1, 0, 1, 3] {
                #expect(!TextLimit(count, unit).pages(of: "周末😀周末😀\n\n", maximumCount: 2).isEmpty)
            }
        }
    }
}
