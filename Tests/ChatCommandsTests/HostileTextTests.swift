import Activities
import ChatCommands
import Lottery
import Testing

// Rows of hardening.md section 1.1 that concern parsing.
@Suite struct HostileTextTests {
    @Test(
        "hardening row 1: nothing but blanks is ignored",
        arguments: [
            "", " ", "\u{3000}", "\u{3000}\u{3000} ", "\n", "\r\n\r\n", "\u{200B}\u{FEFF}", "\t\u{85}\u{2028}",
        ])
    func emptyTextIsIgnored(_ text: String) {
        #expect(parse(text) == .ignored)
        #expect(parse(text, privately) == .ignored)
    }

    @Test("hardening row 2: a combining mark never draws", arguments: ["抽奖\u{301}", "抽\u{301}奖", "抽奖\u{20DD}"])
    func aCombiningMarkNeverDraws(_ text: String) {
        #expect(parse(text) == .unknown(suggestion: .draw, isAddressed: false))
        #expect(parse(text, privately) == .unknown(suggestion: .draw, isAddressed: true))
        #expect(parse("/" + text) == .unknown(suggestion: .draw, isAddressed: true))
    }

    @Test func aCombiningMarkBehindASpaceNeverDraws() {
        #expect(parse("抽奖 \u{301}") == .unknown(suggestion: .draw, isAddressed: false))
        #expect(parse("/抽奖 \u{301}") == .badArgument(.draw, .unexpected))
    }

    @Test func aCombiningMarkNeverBinds() {
        #expect(parse("绑定\u{301}剑侠客") == .ignored)
        #expect(parse("绑定\u{301}") == .unknown(suggestion: .bind, isAddressed: false))
    }

    /// One scalar or two: `é` and `≮` are the same text either way.
    @Test(arguments: [("绑定e\u{301}a", "绑定\u{E9}a"), ("绑定<\u{338}a>", "绑定\u{226E}a>")])
    func howACharacterIsPutTogetherMakesNoDifference(_ decomposed: String, _ composed: String) {
        for context in [MessageContext(), privately] {
            switch (parse(decomposed, context), parse(composed, context)) {
            case (.command(.bind(let left)), .command(.bind(let right))):
                // Swift's own comparison, which is by canonical equivalence.
                #expect(left.text == right.text)
            case (let left, let right): #expect(left == right)
            }
        }
    }

    @Test("hardening row 3: other normal forms match and are kept as given")
    func compatibilityIdeographsFoldForMatchingOnly() {
        // U+F961 率, U+F9DB 率, U+F9CA 流, U+F97E 量
        #expect(parse("概\u{F961}") == .command(.pool))
        #expect(parse("\u{F9CA}\u{F97E}") == .command(.traffic))
        #expect(parse("绑定 \u{F9DB}") == bound("\u{F9DB}"))
        let content = parse("绑定 e\u{301}")
        guard case .command(.bind(let gameID)) = content else {
            Issue.record("\(content)")
            return
        }
        #expect(Array(gameID.text.utf8) == Array("e\u{301}".utf8))
    }

    @Test(
        "hardening row 5: invisible scalars are not seen",
        arguments: [
            "抽\u{200B}奖", "\u{FEFF}抽奖", "抽\u{200D}奖\u{200C}", "\u{2066}抽奖\u{2069}", "抽\u{AD}奖", "抽奖\u{FE0F}",
            "d\u{200B}raw",
            "抽\u{E0100}奖", "\u{202E}抽奖",
        ])
    func invisibleScalarsAreNotSeen(_ text: String) {
        #expect(parse(text) == .command(.draw))
    }

    // "dr" Cyrillic а "w"
    @Test(
        "hardening rows 9, 16: look-alikes and controls are not folded",
        arguments: ["dr\u{430}w", "\u{501}raw", "抽\u{5956}\u{0}", "抽\u{0}奖", "抽\u{1B}奖", "抽\u{7F}奖"])
    func lookAlikesAndControlsAreNotFolded(_ text: String) {
        #expect(parse(text) == .ignored)
    }

    @Test(
        "hardening row 4: full-width forms are letters and digits",
        arguments: [
            ("／ｄｒａｗ", .command(.draw)), ("ＤＲＡＷ", .command(.draw)), ("／ｄｒａｗ　１", .badArgument(.draw, .unexpected)),
            ("中奖汇总　１２", .command(.winners(page: 12))), ("ｗｉｎｎｅｒｓ ２", .command(.winners(page: 2))),
            ("验证　ｓｐｒｉｎｇ－ｓａｍｐｌｅ－１", .command(.verify(receipt))),
        ] as [(String, MessageContent)])
    func fullWidthFormsAreFolded(_ text: String, _ content: MessageContent) {
        #expect(parse(text) == content)
    }

    @Test("hardening row 10: CR LF is white space of two scalars")
    func aLineBreakOfTwoScalarsIsWhiteSpace() {
        #expect(parse("抽奖\r\n") == .command(.draw))
        #expect(parse("\r\n抽奖") == .command(.draw))
        #expect(parse("绑定 a\r\nb") == bound("a b"))
        #expect(parse("绑定\r\na") == bound("a"))
        #expect(parse("抽奖\r\n抽奖") == .ignored)
    }

    /// The end of the range of an `Int` is far away, and what is no plain digit is no number.
    @Test(
        "hardening row 17: numbers",
        arguments: [
            ("-1", nil), ("+1", nil), ("0", 0), ("00012", 12), ("1e9", nil), ("0x10", nil), ("1_000", nil), ("１２", 12),
            ("٣", nil), ("Ⅷ", nil), ("9223372036854775808", nil), ("999999999", 999_999_999),
        ] as [(String, Int?)])
    func numbersAreTheirDigits(_ text: String, _ number: Int?) {
        let content = parse("奖品数量 月卡 \(text)")
        if let number {
            #expect(content == .command(.setNumber(activity: nil, award: "月卡", number: number)))
        } else {
            #expect(content == .badArgument(.setNumber, .notANumber))
        }
    }

    @Test(
        "hardening row 18: of many commands and quotes at most one is read",
        arguments: [
            String(repeating: "draw\n", count: 819), String(repeating: "抽奖\n", count: 585),
            String(repeating: "/抽奖 ", count: 400), String(repeating: "“", count: 1000),
            String(repeating: "\"'", count: 2000) + "抽奖",
            "“\"抽奖", String(repeating: "<", count: 2000) + "抽奖" + String(repeating: ">", count: 2000),
        ])
    func ofManyCommandsNoneDraws(_ text: String) {
        for context in [group, privately, adminInGroup] {
            if case .command(let command) = parse(text, context) { Issue.record("\(command.name)") }
        }
    }

    @Test func adminWordsOfPlayersStayCommands() {
        #expect(parse("抽奖结束") == .command(.stop(activity: nil)))
        #expect(parse("作废 spring-sample-1 我说的") == .command(.void(receipt, reason: "我说的")))
    }

    @Test("hardening rows 7, 8: what is too long is refused or ignored by its bytes")
    func whatIsTooLongIsRefusedOrIgnored() {
        let marks = String(repeating: "\u{301}", count: 200_000)
        #expect(parse("抽奖" + marks) == .ignored)
        #expect(parse("a" + marks) == .ignored)
        #expect(parse("a" + marks, privately) == .ignored)
        let long = String(repeating: "长", count: 400_000)
        #expect(parse("绑定 " + long) == .badArgument(.bind, .tooLong(maximumSize: 4096)))
        #expect(parse("/绑定" + long) == .badArgument(.bind, .tooLong(maximumSize: 4096)))
        #expect(parse("绑定" + long) == .ignored)
        #expect(parse("抽奖 " + long) == .badArgument(.draw, .tooLong(maximumSize: 4096)))
        #expect(parse("/抽奖 " + long) == .badArgument(.draw, .tooLong(maximumSize: 4096)))
        #expect(parse("抽奖" + long) == .ignored)
        #expect(parse(long) == .ignored)
        #expect(parse(long, privately) == .ignored)
        #expect(parse(String(repeating: " ", count: 5000) + "抽奖") == .ignored)
    }

    @Test func theLimitIsInBytesAndExact() {
        let fits = "绑定 " + String(repeating: "a", count: 4096 - 7)
        #expect(fits.utf8.count == 4096)
        #expect(parse(fits) == .badArgument(.bind, .tooLong(maximumSize: 64)))
        #expect(parse(fits + "a") == .badArgument(.bind, .tooLong(maximumSize: 4096)))
    }

    @Test func invalidUTF8IsIgnored() {
        let word = Array("绑定 ".utf8)
        for tail in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE5, 0x89], [0x80]]
            as [[UInt8]]
        {
            #expect(parse(bytes: word + tail) == .ignored)
            #expect(parse(bytes: tail + word, privately) == .ignored)
            #expect(parse(bytes: Array("抽奖".utf8) + tail) == .ignored)
            #expect(parse(bytes: Array("/".utf8) + tail) == .ignored)
            #expect(parse(bytes: tail, privately) == .ignored)
        }
    }

    @Test func aBorrowedSequenceIsReadToo() {
        #expect(parser.parse(bytes: "抽奖".utf8.lazy.map { $0 }, context: group) == .command(.draw))
        #expect(parser.parse(bytes: repeatElement(0x61, count: 1_000_000), context: group) == .ignored)
    }

    /// Seeded, so that a failure comes back: splitmix64.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var word = state
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func anyBytesAreSurvived(_ seed: UInt64) {
        var generator = Generator(state: seed)
        let parts: [[UInt8]] =
            CommandCatalogue.declarations.flatMap { [Array($0.words[0].simplified.utf8), Array($0.aliases[0].utf8)] }
            + [
                "@", "＠", "红包助手", "剑三", "/", "／", " ", "\u{3000}", "\r\n", "\u{301}", "\u{200B}", "-", ":", "：", "，",
                "<", ">", "“", "”", "！", "1",
                "９", "开", "了",
            ]
            .map { Array($0.utf8) }
            + [[0xFF], [0xE5], [0xE5, 0xA5], [0xF0, 0x9F], [0x80], [0]]
        let contexts = [group, privately, mentioned, adminInGroup, adminPrivately]
        for _ in 0..<3000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 0...8, using: &generator) {
                if Int.random(in: 0..<3, using: &generator) == 0 {
                    bytes += (0..<Int.random(in: 0...6, using: &generator)).map { _ in
                        .random(in: 0...255, using: &generator)
                    }
                } else {
                    bytes += parts.randomElement(using: &generator) ?? []
                }
            }
            let context = contexts.randomElement(using: &generator) ?? group
            let content = parse(bytes: bytes, context)
            #expect(parse(bytes: bytes, context) == content)
            if String(validating: bytes, as: UTF8.self) == nil { #expect(content == .ignored) }
        }
    }

    @Test(
        "hardening rows 18, 19: a full message is read in no time",
        arguments: [" ", "\u{3000}", "@", "抽", "绑定 ", "/", "\u{200B}", "@红包助手 ", "a", "1 ", ":", "\u{301}", "剑三 "])
    func aFullMessageIsReadInNoTime(_ unit: String) {
        let text = String(repeating: unit, count: 4096 / unit.utf8.count)
        let start = ContinuousClock.now
        for context in [group, privately] {
            for prefix in ["", "绑定 ", "奖品数量 "] { _ = parse(prefix + text, context) }
        }
        #expect(ContinuousClock.now - start < .seconds(1))
    }
}
