/// A talk as commands.md writes it down: in fenced blocks with the info string `chat`, a line `speaker> text` for what
/// somebody sends, and below it the lines of the reply. Nothing below it: no reply.
///
/// `…` in a reply stands for any text, also over several lines.
public struct ChatTranscript: Sendable {
    public struct Line: Sendable {
        public var speaker: String
        public var text: String
        /// The reply's lines joined by `\n`, with `…` as a wildcard; empty when nothing must come.
        public var expectedReply: String
        /// Where the line stands in the document, from 1.
        public var lineNumber: Int

        public init(speaker: String, text: String, expectedReply: String, lineNumber: Int) {
            self.speaker = speaker
            self.text = text
            self.expectedReply = expectedReply
            self.lineNumber = lineNumber
        }

        public func accepts(_ reply: String) -> Bool {
            ChatTranscript.matches(reply, expectedReply)
        }
    }

    /// A document that cannot be read.
    public struct SyntaxError: Error, CustomStringConvertible {
        public var lineNumber: Int
        public var message: String
        public var description: String { "line \(lineNumber): \(message)" }
    }

    /// In the document's order.
    public var lines: [Line]

    /// Reads every `chat` block of a Markdown document.
    ///
    /// - Throws: ``SyntaxError`` for a reply without a speaker's line before it, or a block that is not closed.
    public init(markdown: String) throws {
        var lines: [Line] = []
        var blockStart: Int?
        var isSpoken = false
        var number = 0
        for line in markdown.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            number += 1
            if blockStart == nil {
                if line == "```chat" {
                    blockStart = number
                    isSpoken = false
                }
                continue
            }
            if line == "```" {
                blockStart = nil
            } else if let (speaker, text) = Self.spoken(line) {
                lines.append(Line(speaker: speaker, text: text, expectedReply: "", lineNumber: number))
                isSpoken = true
            } else if !line.isEmpty {
                guard isSpoken else { throw SyntaxError(lineNumber: number, message: "nobody has spoken before") }
                let before = lines[lines.count - 1].expectedReply
                lines[lines.count - 1].expectedReply = before.isEmpty ? String(line) : before + "\n" + line
            }
        }
        if let blockStart { throw SyntaxError(lineNumber: blockStart, message: "the block is not closed") }
        self.lines = lines
    }

    /// `speaker> text`; a speaker is 1–8 letters, so that other lines with `>` stay replies.
    private static func spoken(_ line: Substring) -> (speaker: String, text: String)? {
        guard let sign = line.firstIndex(of: ">") else { return nil }
        let speaker = line[..<sign]
        guard (1...8).contains(speaker.count), speaker.allSatisfy(\.isLetter) else { return nil }
        let text = line[line.index(after: sign)...]
        return (String(speaker), String(text.first == " " ? text.dropFirst() : text))
    }

    /// Whether `text` is `pattern`, where `…` in the pattern stands for any text, also none.
    ///
    /// Compares bytes. Every fixed part is looked for at its first place behind the one before; the last one must end
    /// the text.
    public static func matches(_ text: String, _ pattern: String) -> Bool {
        let parts = split(Array(pattern.utf8), Array("…".utf8))
        var rest = Array(text.utf8)[...]
        guard let first = parts.first, let last = parts.last, rest.starts(with: first) else { return false }
        if parts.count == 1 { return rest.count == first.count }
        rest = rest.dropFirst(first.count)
        for part in parts.dropFirst().dropLast() {
            guard let range = rest.firstRange(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
    }

    private static func split(_ bytes: [UInt8], _ separator: [UInt8]) -> [ArraySlice<UInt8>] {
        var parts: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while let range = rest.firstRange(of: separator) {
            parts.append(rest[..<range.lowerBound])
            rest = rest[range.upperBound...]
        }
        return parts + [rest]
    }
}
