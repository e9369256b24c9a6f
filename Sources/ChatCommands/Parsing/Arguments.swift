internal import Activities
internal import Lottery

/// What stands behind a command word: words parted by white space.
struct Arguments {
    /// A name of an activity, an award or a file, in bytes.
    static let maximumNameSize = 256

    private var words: ArraySlice<String>

    init(_ text: String) {
        words =
            text.unicodeScalars
            .split(whereSeparator: isWhiteSpace)
            .map { String(Substring($0)) }[...]
    }

    var isEmpty: Bool { words.isEmpty }

    mutating func next() -> String? { words.popFirst() }

    mutating func popLast() -> String? { words.popLast() }

    /// What is left, with single blanks.
    func rest() -> String { words.joined(separator: " ") }

    func end() throws(ArgumentFault) {
        guard isEmpty else { throw .unexpected }
    }

    func name() throws(ArgumentFault) -> String {
        guard !isEmpty else { throw .missing }
        return try Self.printable(rest(), maximumSize: Self.maximumNameSize)
    }

    func reason() throws(ArgumentFault) -> String {
        guard !isEmpty else { throw .missing }
        return try Self.printable(rest(), maximumSize: ParserLimits.reasonSize)
    }

    mutating func receipt() throws(ArgumentFault) -> Receipt {
        guard let word = next() else { throw .missing }
        guard let receipt = Receipt(Self.narrow(word)) else { throw .notAReceipt }
        return receipt
    }

    /// `[activity:]award`, split at the first colon. A colon in front (`:皮肤:红`) keeps an award's own.
    func awardOfActivity() throws(ArgumentFault) -> (activity: String?, award: String) {
        let text = try name()
        let scalars = text.unicodeScalars
        guard let colon = scalars.firstIndex(where: { $0 == ":" || $0 == "：" }) else { return (nil, text) }
        let activity = String(scalars[..<colon]).trimmingBlanks()
        let award = String(scalars[scalars.index(after: colon)...]).trimmingBlanks()
        guard !award.isEmpty else { throw .missing }
        return (activity.isEmpty ? nil : activity, award)
    }

    // MARK: What people write around a game id

    enum Mark {
        case colon
        case comma
    }

    /// Drops one colon or comma in front, and the white space behind it.
    static func removeMark(_ text: inout String) -> Mark? {
        let mark: Mark
        switch text.unicodeScalars.first {
        case ":", "：": mark = .colon
        case ",", "，": mark = .comma
        default: return nil
        }
        text = String(Substring(text.unicodeScalars.dropFirst().drop(while: isWhiteSpace)))
        return mark
    }

    /// Drops one pair of brackets or quotes around the whole text, as 帮助 shows arguments.
    static func removeBrackets(_ text: inout String) {
        let closing: Unicode.Scalar
        switch text.unicodeScalars.first {
        case "<": closing = ">"
        case "＜": closing = "＞"
        case "《": closing = "》"
        case "“": closing = "”"
        default: return
        }
        guard text.unicodeScalars.count >= 2, text.unicodeScalars.last == closing else { return }
        let inside = text.unicodeScalars.dropFirst().dropLast()
        // `<a> <b>` is not one text in brackets, and `≮` no bracket, though it may be written as two scalars.
        guard !inside.contains(closing), inside.first.map({ !isCombiningMark($0.value) }) ?? true else { return }
        text = String(Substring(inside))
    }

    // MARK: Single words

    /// Nothing but ASCII or full-width decimal digits, at most 18.
    static func number(_ word: String, in range: ClosedRange<Int>) throws(ArgumentFault) -> Int {
        var value = 0
        var count = 0
        for scalar in word.unicodeScalars {
            let digit: UInt32
            switch scalar.value {
            case 0x30...0x39: digit = scalar.value - 0x30
            case 0xFF10...0xFF19: digit = scalar.value - 0xFF10
            default: throw .notANumber
            }
            count += 1
            guard count <= 18 else { throw .notANumber }
            value = value * 10 + Int(digit)
        }
        guard count > 0 else { throw .notANumber }
        guard range.contains(value) else {
            throw .outOfRange(minimum: range.lowerBound, maximum: range.upperBound)
        }
        return value
    }

    static func printable(_ text: String, maximumSize: Int) throws(ArgumentFault) -> String {
        guard text.utf8.count <= maximumSize else { throw .tooLong(maximumSize: maximumSize) }
        guard text.unicodeScalars.allSatisfy(isPrintable) else { throw .notPrintable }
        return text
    }

    /// Full-width forms of ASCII as ASCII; everything else as it is.
    static func narrow(_ text: String) -> String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text }
        var narrow = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if (0xFF01...0xFF5E).contains(scalar.value), let plain = Unicode.Scalar(scalar.value - 0xFF01 + 0x21) {
                narrow.append(plain)
            } else {
                narrow.append(scalar)
            }
        }
        return String(narrow)
    }

    /// Whether a word switches something on; nil when it is no switch.
    static func isOn(_ word: String) -> Bool? {
        let plain = Array(narrow(word).lowercased().utf8)
        func isOne(of words: [String]) -> Bool { words.contains { $0.utf8.elementsEqual(plain) } }
        if isOne(of: ["开", "開", "开启", "開啟", "on"]) { return true }
        if isOne(of: ["关", "關", "关闭", "關閉", "off"]) { return false }
        return nil
    }
}

extension String {
    fileprivate func trimmingBlanks() -> String {
        var text = Substring(self)
        while text.utf8.first == 0x20 { text = text[text.utf8.index(after: text.startIndex)...] }
        while text.utf8.last == 0x20 { text = text[..<text.utf8.index(before: text.endIndex)] }
        return String(text)
    }
}
