internal import Basics
internal import ChatPlatforms
internal import Foundation

extension FuzzTarget {
    /// A JSON document, and the same bytes as input of `hongbao chat --json`.
    public static let json = FuzzTarget("json") { input in
        if let value = try? StrictJSON.parse(input, maximumSize: 1 << 20) {
            try JSONPromises.checkReading(value, of: input)
            try JSONPromises.checkWriting(value)
        }
        try JSONPromises.checkLines(input)
        try JSONPromises.checkConsole(input)
    }
}

private enum JSONPromises {
    // MARK: Documents

    /// What the strict reader takes, a lenient one takes too, and understands the same.
    static func checkReading(_ value: JSONValue, of input: [UInt8]) throws {
        try require(String(validating: input, as: UTF8.self) != nil, "a document is UTF-8")
        try require(depth(of: value) <= StrictJSON.maximumDepth, "a document is not too deep")
        // It refuses numbers that no Double can hold; ours are kept as text.
        guard hasOnlyUsualNumbers(value) else { return }
        let other = try? JSONSerialization.jsonObject(with: Data(input), options: .fragmentsAllowed)
        guard let other else { throw BrokenPromise(description: "only the strict reader takes this document") }
        try require(isSame(value, other), "two readers understand the same")
    }

    static func checkWriting(_ value: JSONValue) throws {
        var written: [UInt8] = []
        JSONWriter.append(value, to: &written)
        try require(!written.contains { $0 < 0x20 || $0 == 0x7F }, "no control character is written")
        let again = try? StrictJSON.parse(written, maximumSize: written.count)
        try require(again == value, "what is written reads as the same")
    }

    private static func depth(of value: JSONValue) -> Int {
        switch value {
        case .object(let object): 1 + (object.members.map { depth(of: $0.value) }.max() ?? 0)
        case .array(let values): 1 + (values.map(depth).max() ?? 0)
        case .string, .number, .bool, .null: 0
        }
    }

    private static func hasOnlyUsualNumbers(_ value: JSONValue) -> Bool {
        switch value {
        case .object(let object): object.members.allSatisfy { hasOnlyUsualNumbers($0.value) }
        case .array(let values): values.allSatisfy(hasOnlyUsualNumbers)
        case .number(let number):
            Double(number.text).map { $0.isFinite && ($0 == 0 || $0.magnitude > 1e-300) } ?? false
        case .string, .bool, .null: true
        }
    }

    private static func isSame(_ value: JSONValue, _ other: Any) -> Bool {
        switch value {
        case .object(let object):
            guard let other = other as? [String: Any] else { return false }
            let members = Dictionary(other.map { (withoutMarks($0), $1) }) { first, _ in first }
            // Foundation's keys are compared by canonical equivalence.
            guard Set(object.members.map { withoutMarks($0.key) }).count == object.members.count else { return true }
            return members.count == object.members.count
                && object.members.allSatisfy { member in
                    members[withoutMarks(member.key)].map { isSame(member.value, $0) } ?? false
                }
        case .array(let values):
            guard let other = other as? [Any], other.count == values.count else { return false }
            return zip(values, other).allSatisfy { isSame($0, $1) }
        case .string(let text):
            return (other as? String).map { areEqualBytes(withoutMarks($0), withoutMarks(text)) } ?? false
        case .number(let number):
            guard let other = other as? NSNumber else { return false }
            if let integer = number.integer { return other.int64Value == integer }
            return Double(number.text).map { ($0 - other.doubleValue).magnitude <= $0.magnitude * 1e-9 } ?? false
        case .bool(let flag): return (other as? NSNumber)?.boolValue == flag
        case .null: return other is NSNull
        }
    }

    /// Foundation takes U+FEFF at the beginning of a string, or behind an escape in it, for a byte order mark and leaves it
    /// out (seen with Swift 6.3).
    private static func withoutMarks(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.filter { $0 != "\u{FEFF}" }))
    }

    // MARK: Lines

    /// However a stream is cut into chunks, its lines are the same.
    static func checkLines(_ input: [UInt8]) throws {
        func lines(chunkSize: Int) -> [LineSplitter.Line] {
            var splitter = LineSplitter(maximumLineSize: 40)
            var lines: [LineSplitter.Line] = []
            var rest = input[...]
            while !rest.isEmpty {
                lines += splitter.append(rest.prefix(chunkSize))
                rest = rest.dropFirst(chunkSize)
            }
            return lines + (splitter.finish().map { [$0] } ?? [])
        }
        let whole = lines(chunkSize: max(input.count, 1))
        try require(whole == lines(chunkSize: 1) && whole == lines(chunkSize: 7), "chunks make no difference to lines")
    }

    static func checkConsole(_ line: [UInt8]) throws {
        let read = Result { () throws(ConsoleLineError) in try ConsoleLine.decode(line) }
        switch read {
        case .success(let message): try check(message)
        case .failure(let error): try require(error.description.hasNoControls(), "no control character is in a refusal")
        }
        let id: ConsoleMessageID? =
            switch read {
            case .success(let message): message.id
            case .failure(let error): error.id
            }
        let user = (try? read.get())?.user.text
        try checkReply(ConsoleReply(id: id, user: user, code: "ok", reply: String(decoding: line, as: UTF8.self)))
    }

    private static func check(_ message: ConsoleMessage) throws {
        let namespace = message.user.namespace
        try require((1...ConsoleLine.maximumPlatformSize).contains(namespace.utf8.count), "a user has a namespace")
        try require(
            (1...ConsoleLine.maximumIDSize).contains(message.user.text.utf8.count - namespace.utf8.count - 1),
            "a user's id has 1 to 128 bytes")
        for text in [message.user.text, message.chat?.text ?? ""] {
            try require(text.hasNoControls(), "no control character is in an id")
        }
        try require((message.keyText?.utf8.count ?? 0) <= ConsoleLine.maximumKeySize, "a key has 256 bytes at most")
        try require((message.keyText == nil) == (message.id == nil), "a message with an id has a key")
        try require(message.text.utf8.count <= ConsoleLine.maximumTextSize, "a text has 64 KiB at most")
    }

    private static func checkReply(_ reply: ConsoleReply) throws {
        var bytes: [UInt8] = []
        reply.append(to: &bytes)
        try require(bytes.count { $0 == 0x0A } == 1 && bytes.last == 0x0A, "a reply is one line")
        // A NUL in the text is written escaped, which our own reader does not take.
        guard !reply.reply.utf8.contains(0) else { return }
        let object = (try? StrictJSON.parse(bytes, maximumSize: bytes.count))?.objectValue
        try require(
            object?["reply"]?.stringValue.map { areEqualBytes($0, reply.reply) } ?? false, "a reply reads as it was")
        switch reply.id {
        case .string(let text): try require(object?["id"] == .string(text), "an id is given back as it came")
        case .integer(let integer): try require(object?["id"] == .integer(integer), "an id is given back as it came")
        case nil: try require(object?["id"] == nil, "no id is made up")
        }
    }
}
