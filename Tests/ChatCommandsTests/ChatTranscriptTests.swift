import TestSupport
import Testing

@Suite struct ChatTranscriptTests {
    @Test func linesAndRepliesAreRead() throws {
        let transcript = try ChatTranscript(
            markdown: """
                text
                ```chat
                小明> 绑定 剑侠客
                绑定成功…
                第二行 a > b
                小红> 哈哈
                管理员>抽奖结束
                …
                ```
                ```swift
                小明> 不算
                ```
                """)
        #expect(transcript.lines.map(\.speaker) == ["小明", "小红", "管理员"])
        #expect(transcript.lines.map(\.text) == ["绑定 剑侠客", "哈哈", "抽奖结束"])
        #expect(transcript.lines.map(\.expectedReply) == ["绑定成功…\n第二行 a > b", "", "…"])
        #expect(transcript.lines.map(\.lineNumber) == [3, 6, 7])
    }

    @Test(arguments: ["```chat\nreply", "```chat\n小明> a\n", "```chat\n\n```\n```chat\nreply\n```"])
    func brokenBlocksAreRefused(_ markdown: String) {
        #expect(throws: ChatTranscript.SyntaxError.self) { try ChatTranscript(markdown: markdown) }
    }

    @Test(arguments: [
        ("", "", true), ("", "…", true), ("a", "", false), ("绑定成功！", "绑定成功…", true), ("绑定", "绑定成功…", false),
        ("a1b2c", "a…b…c", true), ("a1b2c3", "a…b…c", false), ("abab", "…ab", true), ("aba", "ab…ba", false),
        ("一\n二", "一…", true), ("xaby", "…ab…", true), ("abc", "abc", true), ("ab", "a…b", true),
    ])
    func ellipsesStandForAnyText(_ text: String, _ pattern: String, _ isMatch: Bool) {
        #expect(ChatTranscript.matches(text, pattern) == isMatch)
    }
}
