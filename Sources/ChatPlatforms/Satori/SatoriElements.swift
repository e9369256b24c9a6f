internal import Basics

/// What is read out of a message's content: text with elements such as `<at id="1"/>` in it.
///
/// Elements are dropped, their text stays; `<br/>` and the end of a `<p>` are line ends. A quoted message and a
/// forwarded one are dropped with all that is in them. Never fails: what is no element stays text.
///
/// - Source: platforms.md section 3; satorijs/docs: zh-CN/protocol/elements.md.
struct SatoriElements {
    private(set) var text = ""
    /// The bot itself was mentioned.
    private(set) var isMentioned = false

    private let selfID: String
    private var shown: [UInt8] = []
    /// The element that is being dropped, and how many of its name are open.
    private var dropped: (name: String, depth: Int)?

    /// - Parameter selfID: The bot's id.
    /// - Complexity: O(*n*), without recursion.
    init(_ content: String, selfID: String) {
        self.selfID = selfID
        read(Array(content.utf8)[...])
        text = MessageField.text(String(decoding: shown, as: UTF8.self))
    }

    private mutating func read(_ content: ArraySlice<UInt8>) {
        // Behind the last `>` nothing is an element, so the end of one is never looked for in vain.
        let lastTagEnd = content.lastIndex(of: UInt8(ascii: ">")) ?? content.startIndex
        var rest = content
        while let markup = rest.firstIndex(where: { $0 == UInt8(ascii: "<") || $0 == UInt8(ascii: "&") }) {
            show(rest[..<markup])
            rest = rest[markup...]
            if let comment = SatoriMarkup.commentSize(rest) {
                rest = rest.dropFirst(comment)
            } else if let entity = SatoriMarkup.entity(rest) {
                show(Array(String(entity.character).utf8)[...])
                rest = rest.dropFirst(entity.size)
            } else if SatoriMarkup.startsTag(rest), markup < lastTagEnd,
                let end = rest.firstIndex(of: UInt8(ascii: ">"))
            {
                take(SatoriTag(rest[..<end].dropFirst()))
                rest = rest[(end + 1)...]
            } else {
                show(rest.prefix(1))
                rest = rest.dropFirst()
            }
        }
        show(rest)
    }

    private mutating func show(_ bytes: ArraySlice<UInt8>) {
        if dropped == nil { shown += bytes }
    }

    private mutating func take(_ tag: SatoriTag) {
        if let open = dropped {
            if tag.name == open.name, tag.form != .empty {
                let depth = open.depth + (tag.form == .start ? 1 : -1)
                dropped = depth > 0 ? (open.name, depth) : nil
            }
            return
        }
        switch (tag.name, tag.form) {
        case ("br", .start), ("br", .empty), ("p", .end): shown.append(UInt8(ascii: "\n"))
        case ("at", .start), ("at", .empty):
            if let id = tag.attribute("id"), areEqualBytes(id, selfID) { isMentioned = true }
        case ("quote", .start): dropped = (tag.name, 1)
        case ("message", .start) where tag.attribute("forward") != nil: dropped = (tag.name, 1)
        default: break
        }
    }

    /// `text` as content that shows exactly it. Also good between an attribute's quotes.
    static func escape(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            // Readers drop a bare line end that stands next to an element.
            case "\n": result += "<br/>"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// One tag of an element: `<name a="1" b>`, `</name>` or `<name/>`.
private struct SatoriTag {
    enum Form {
        case start, end
        /// Both in one: nothing is within it.
        case empty
    }

    let form: Form
    let name: String
    private let attributes: ArraySlice<UInt8>

    /// - Parameter inside: What stands between `<` and `>`.
    init(_ inside: ArraySlice<UInt8>) {
        var inside = inside
        if inside.first == UInt8(ascii: "/") {
            form = .end
            inside = inside.dropFirst()
        } else if inside.last == UInt8(ascii: "/") {
            form = .empty
            inside = inside.dropLast()
        } else {
            form = .start
        }
        let nameEnd = inside.firstIndex(where: SatoriMarkup.isSpace) ?? inside.endIndex
        name = String(decoding: inside[..<nameEnd], as: UTF8.self)
        attributes = inside[nameEnd...]
    }

    /// The attribute's value, decoded; empty for one without a value, nil for one that is not there.
    func attribute(_ name: String) -> String? {
        var rest = attributes
        while true {
            rest = rest.drop(while: SatoriMarkup.isSpace)
            guard !rest.isEmpty else { return nil }
            let nameEnd = rest.firstIndex { SatoriMarkup.isSpace($0) || $0 == UInt8(ascii: "=") } ?? rest.endIndex
            let isWanted = rest[..<nameEnd].elementsEqual(name.utf8)
            rest = rest[nameEnd...].drop(while: SatoriMarkup.isSpace)
            var value: ArraySlice<UInt8> = []
            if rest.first == UInt8(ascii: "=") {
                rest = rest.dropFirst().drop(while: SatoriMarkup.isSpace)
                if let quote = rest.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
                    rest = rest.dropFirst()
                    value = rest.prefix { $0 != quote }
                    rest = rest.dropFirst(value.count + 1)
                } else {
                    value = rest.prefix { !SatoriMarkup.isSpace($0) }
                    rest = rest.dropFirst(value.count)
                }
            }
            if isWanted { return SatoriMarkup.decoded(value) }
        }
    }
}

private enum SatoriMarkup {
    static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || 0x09...0x0D ~= byte
    }

    /// Whether a `<` is one of an element: behind it stands a name, a slash, or the end of a nameless one.
    static func startsTag(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.first == UInt8(ascii: "<"), let next = bytes.dropFirst().first else { return false }
        switch next {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "/"),
            UInt8(ascii: ">"):
            return true
        default: return false
        }
    }

    /// The size of the comment that begins here; one without an end takes the rest. Nil for anything else.
    static func commentSize(_ bytes: ArraySlice<UInt8>) -> Int? {
        guard bytes.starts(with: "<!--".utf8) else { return nil }
        var index = bytes.startIndex + 4
        while index < bytes.endIndex {
            if bytes[index] == UInt8(ascii: "-"), bytes[index...].starts(with: "-->".utf8) {
                return index + 3 - bytes.startIndex
            }
            index += 1
        }
        return bytes.count
    }

    /// The entity that begins here: `&quot;`, `&amp;`, `&lt;`, `&gt;`, `&#39;`, `&#x27;`. Nil for anything else, and
    /// for U+0000 and what is no scalar.
    static func entity(_ bytes: ArraySlice<UInt8>) -> (character: Unicode.Scalar, size: Int)? {
        guard bytes.first == UInt8(ascii: "&"),
            let end = bytes.prefix(10).firstIndex(of: UInt8(ascii: ";"))
        else { return nil }
        let size = end + 1 - bytes.startIndex
        let name = String(decoding: bytes[..<end].dropFirst(), as: UTF8.self)
        switch name {
        case "quot": return ("\"", size)
        case "amp": return ("&", size)
        case "lt": return ("<", size)
        case "gt": return (">", size)
        default:
            guard name.hasPrefix("#") else { return nil }
            let isHexadecimal = name.hasPrefix("#x") || name.hasPrefix("#X")
            let digits = name.dropFirst(isHexadecimal ? 2 : 1)
            // The standard library's reader would also take a sign.
            guard digits.first?.isHexDigit == true, let value = UInt32(digits, radix: isHexadecimal ? 16 : 10),
                value != 0, let character = Unicode.Scalar(value)
            else { return nil }
            return (character, size)
        }
    }

    static func decoded(_ bytes: ArraySlice<UInt8>) -> String {
        var result: [UInt8] = []
        var rest = bytes
        while let ampersand = rest.firstIndex(of: UInt8(ascii: "&")) {
            result += rest[..<ampersand]
            rest = rest[ampersand...]
            if let entity = entity(rest) {
                result += Array(String(entity.character).utf8)
                rest = rest.dropFirst(entity.size)
            } else {
                result += rest.prefix(1)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: result + rest, as: UTF8.self)
    }
}
