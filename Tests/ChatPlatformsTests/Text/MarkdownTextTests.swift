import Testing

@testable import ChatPlatforms

struct MarkdownTextTests {
    @Test(
        "hardening row 15: nothing becomes markup or a mention",
        arguments: [
            ("抽奖 3 次，中了 A！", "抽奖 3 次，中了 A！"), ("@all @here @channel", "＠all ＠here ＠channel"),
            ("**a** `b` ~~c~~", "＊＊a＊＊ ｀b｀ ～～c～～"), ("[a](https://x.org)", "［a］(https://x.org)"),
            ("![a](b)", "!［a］(b)"), ("_a_ spring_2026", "＿a＿ spring_2026"), ("||x|| \\@ $x$", "｜｜x｜｜ ＼＠ ＄x＄"),
            ("# a\n> b\n- c\n+ d\n=== ", "＃ a\n＞ b\n－ c\n＋ d\n＝== "), ("5. a\n12) b\n1.5", "5． a\n12） b\n1．5"),
            ("a - b > c + d = 1. 2)", "a - b > c + d = 1. 2)"),
            ("    x\n\t- y", "\u{3000}\u{3000}\u{3000}\u{3000}x\n\u{3000}－ y"),
            ("https://x.org/a_b-c?d=1#e2", "https://x.org/a_b-c?d=1#e2"), ("#频道 a#频", "＃频道 a＃频"),
            ("@\u{301}all", "＠\u{301}all"),
            ("\r\n- a", "\r\n－ a"), ("", ""),
        ])
    func nothingBecomesMarkupOrAMention(_ text: String, _ expected: String) {
        let plain = MarkdownText.plain(text)
        #expect(Array(plain.utf8) == Array(expected.utf8))
        #expect(plain.unicodeScalars.count == text.unicodeScalars.count)
    }
}
