internal import Basics

/// Reads one JSON document of a stranger, and takes nothing that two readers could understand differently.
///
/// Foundation's decoder is not used for this: of duplicate keys it takes the first, it accepts a trailing comma, a byte
/// order mark, and UTF-16 or UTF-32 found by guessing, it keeps `\u0000`, lets `1.0` and `-0` pass for integers, and
/// nests to 512. A signature or a filter in front of it may have understood something else.
///
/// Beyond RFC 8259 this reader refuses: a key that is there twice (compared after unescaping, as UTF-8 bytes), a byte
/// order mark, U+0000 in strings, unpaired surrogates, and whatever passes the limits below. Any value may stand at the
/// top, as the RFC allows. Numbers keep their text.
///
/// - Source: RFC 8259; hardening.md section 1.2, rows 23 to 34.
public enum StrictJSON {
    /// Levels of objects and arrays. Bounds the stack, too: the reader recurses once per level.
    public static let maximumDepth = 32
    /// Members of one object.
    public static let maximumKeyCount = 1000
    /// Bytes of one key after unescaping.
    public static let maximumKeySize = 256
    /// Bytes of one number.
    public static let maximumNumberSize = 128

    /// Reads the whole of `bytes` as one document, with white space around it.
    ///
    /// - Parameters:
    ///   - bytes: UTF-8. Copied first when it has no contiguous storage.
    ///   - maximumSize: In bytes, white space included; checked before anything is read.
    /// - Complexity: O(*n*), one pass.
    public static func parse(
        _ bytes: some Collection<UInt8>, maximumSize: Int
    ) throws(StrictJSONError) -> JSONValue {
        let result = bytes.withContiguousStorageIfAvailable { parse($0, maximumSize) }
        if let result { return try result.get() }
        guard bytes.count <= maximumSize else { throw StrictJSONError(.tooLarge, at: max(maximumSize, 0)) }
        return try Array(bytes).withUnsafeBufferPointer { parse($0, maximumSize) }.get()
    }

    private static func parse(
        _ bytes: UnsafeBufferPointer<UInt8>, _ maximumSize: Int
    ) -> Result<JSONValue, StrictJSONError> {
        guard bytes.count <= maximumSize else {
            return .failure(StrictJSONError(.tooLarge, at: max(maximumSize, 0)))
        }
        var reader = StrictJSONReader(bytes: bytes)
        do throws(StrictJSONError) {
            return .success(try reader.document())
        } catch {
            return .failure(error)
        }
    }
}

/// Why a document was refused, and where.
public struct StrictJSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The raw value is the reason in English.
    public enum Reason: String, Hashable, Sendable, CaseIterable {
        case tooLarge = "the document is too large"
        case byteOrderMark = "a byte order mark is not allowed"
        case unexpectedEnd = "the document ends too early"
        case expectedValue = "a value was expected"
        case expectedKey = "a key in double quotes was expected"
        case expectedColon = "a colon was expected"
        case expectedCommaOrEnd = "a comma or the closing bracket was expected"
        case trailingComma = "a comma must be followed by another member"
        case trailingBytes = "the document must end after its first value"
        case tooDeep = "nested deeper than 32 levels"
        case tooManyKeys = "an object has more than 1000 keys"
        case keyTooLong = "a key has more than 256 bytes"
        case duplicateKey = "the key is there twice"
        case invalidNumber = "not a JSON number"
        case numberTooLong = "a number has more than 128 bytes"
        case invalidUTF8 = "not valid UTF-8"
        case controlCharacter = "a control character in a string must be escaped"
        case nulCharacter = "U+0000 is not allowed in strings"
        case invalidEscape = "not a JSON escape"
        case unpairedSurrogate = "half of a surrogate pair"
    }

    public let reason: Reason
    /// Of the byte or the token that was refused, from 0; the size of the document when it ends too early.
    public let offset: Int

    internal init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "\(reason.rawValue) (at byte \(offset))" }
}

private struct StrictJSONReader {
    let bytes: UnsafeBufferPointer<UInt8>
    var index = 0

    /// Objects up to this size are searched for a repeated key member by member, larger ones by a hash table.
    static let searchedMemberCount = 16

    init(bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    mutating func document() throws(StrictJSONError) -> JSONValue {
        let start = (byte(at: 0), byte(at: 1), byte(at: 2))
        if start == (0xEF, 0xBB, 0xBF) || (start.0, start.1) == (0xFE, 0xFF) || (start.0, start.1) == (0xFF, 0xFE) {
            throw StrictJSONError(.byteOrderMark, at: 0)
        }
        skipWhiteSpace()
        let value = try value(depth: 0)
        skipWhiteSpace()
        guard index == bytes.count else { throw StrictJSONError(.trailingBytes, at: index) }
        return value
    }

    /// 0 behind the end, which no caller mistakes for anything else: U+0000 is not allowed anywhere.
    @inline(__always)
    func byte(at index: Int) -> UInt8 {
        index < bytes.count ? bytes[index] : 0
    }

    @inline(__always)
    mutating func skipWhiteSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index += 1
            default: return
            }
        }
    }

    func unexpected(_ reason: StrictJSONError.Reason) -> StrictJSONError {
        StrictJSONError(index < bytes.count ? reason : .unexpectedEnd, at: index)
    }

    mutating func value(depth: Int) throws(StrictJSONError) -> JSONValue {
        switch byte(at: index) {
        case UInt8(ascii: "\""):
            return .string(try string())
        case UInt8(ascii: "{"):
            guard depth < StrictJSON.maximumDepth else { throw StrictJSONError(.tooDeep, at: index) }
            return .object(try object(depth: depth + 1))
        case UInt8(ascii: "["):
            guard depth < StrictJSON.maximumDepth else { throw StrictJSONError(.tooDeep, at: index) }
            return .array(try array(depth: depth + 1))
        case UInt8(ascii: "-"), 0x30...0x39:
            return .number(try number())
        case UInt8(ascii: "t"):
            try literal("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        default:
            throw unexpected(.expectedValue)
        }
    }

    mutating func literal(_ word: StaticString) throws(StrictJSONError) {
        let start = index
        for offset in 0..<word.utf8CodeUnitCount {
            guard start + offset < bytes.count else { throw StrictJSONError(.unexpectedEnd, at: bytes.count) }
            guard bytes[start + offset] == word.utf8Start[offset] else {
                throw StrictJSONError(.expectedValue, at: start)
            }
        }
        index = start + word.utf8CodeUnitCount
    }

    mutating func array(depth: Int) throws(StrictJSONError) -> [JSONValue] {
        index += 1
        var values: [JSONValue] = []
        skipWhiteSpace()
        if byte(at: index) == UInt8(ascii: "]") {
            index += 1
            return values
        }
        while true {
            values.append(try value(depth: depth))
            if try !hasMore(before: UInt8(ascii: "]")) { return values }
        }
    }

    /// Takes the comma behind an element, or the bracket that closes them.
    private mutating func hasMore(before bracket: UInt8) throws(StrictJSONError) -> Bool {
        skipWhiteSpace()
        let comma = index
        switch byte(at: index) {
        case UInt8(ascii: ","):
            index += 1
            skipWhiteSpace()
            if byte(at: index) == bracket { throw StrictJSONError(.trailingComma, at: comma) }
            return true
        case bracket:
            index += 1
            return false
        default:
            throw unexpected(.expectedCommaOrEnd)
        }
    }

    mutating func object(depth: Int) throws(StrictJSONError) -> JSONObject {
        index += 1
        var members: [JSONObject.Member] = []
        var keys: Set<JSONKey> = []
        skipWhiteSpace()
        if byte(at: index) == UInt8(ascii: "}") {
            index += 1
            return JSONObject(uniqueMembers: members)
        }
        members.reserveCapacity(6)
        while true {
            let start = index
            guard byte(at: index) == UInt8(ascii: "\"") else { throw unexpected(.expectedKey) }
            let key = try string()
            guard key.utf8.count <= StrictJSON.maximumKeySize else { throw StrictJSONError(.keyTooLong, at: start) }
            guard members.count < StrictJSON.maximumKeyCount else { throw StrictJSONError(.tooManyKeys, at: start) }
            if members.count < Self.searchedMemberCount {
                for member in members where areEqualBytes(member.key, key) {
                    throw StrictJSONError(.duplicateKey, at: start)
                }
            } else {
                if keys.isEmpty {
                    for member in members { keys.insert(JSONKey(member.key)) }
                }
                guard keys.insert(JSONKey(key)).inserted else { throw StrictJSONError(.duplicateKey, at: start) }
            }
            skipWhiteSpace()
            guard byte(at: index) == UInt8(ascii: ":") else { throw unexpected(.expectedColon) }
            index += 1
            skipWhiteSpace()
            members.append(JSONObject.Member(key: key, value: try value(depth: depth)))
            if try !hasMore(before: UInt8(ascii: "}")) { return JSONObject(uniqueMembers: members) }
        }
    }

    /// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`
    mutating func number() throws(StrictJSONError) -> JSONNumber {
        let start = index
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        if byte(at: index) == UInt8(ascii: "0") {
            index += 1
            if byte(at: index).isDigit { throw StrictJSONError(.invalidNumber, at: start) }
        } else {
            try digits(from: start)
        }
        if byte(at: index) == UInt8(ascii: ".") {
            index += 1
            try digits(from: start)
        }
        if byte(at: index) | 0x20 == UInt8(ascii: "e") {
            index += 1
            if byte(at: index) == UInt8(ascii: "+") || byte(at: index) == UInt8(ascii: "-") { index += 1 }
            try digits(from: start)
        }
        guard index - start <= StrictJSON.maximumNumberSize else { throw StrictJSONError(.numberTooLong, at: start) }
        return JSONNumber(checkedText: text(start..<index))
    }

    mutating func digits(from start: Int) throws(StrictJSONError) {
        guard index < bytes.count else { throw StrictJSONError(.unexpectedEnd, at: index) }
        guard bytes[index].isDigit else { throw StrictJSONError(.invalidNumber, at: start) }
        while byte(at: index).isDigit { index += 1 }
    }

    func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeBufferPointer(rebasing: bytes[range]), as: UTF8.self)
    }

    /// Starts at the opening quote and ends behind the closing one.
    mutating func string() throws(StrictJSONError) -> String {
        let start = index + 1
        index = start
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return text(start..<index - 1)
            case UInt8(ascii: "\\"):
                return try escapedString(from: start)
            case 0..<0x20:
                throw StrictJSONError(.controlCharacter, at: index)
            case 0x80...:
                index += try scalarSize()
            default:
                index += 1
            }
        }
        throw StrictJSONError(.unexpectedEnd, at: index)
    }

    /// The slow way for a string with escapes; `index` is at the first of them, what lies before it is checked.
    mutating func escapedString(from start: Int) throws(StrictJSONError) -> String {
        var unescaped = Array(bytes[start..<index])
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return String(decoding: unescaped, as: UTF8.self)
            case UInt8(ascii: "\\"):
                try escape(into: &unescaped)
            case 0..<0x20:
                throw StrictJSONError(.controlCharacter, at: index)
            case 0x80...:
                let size = try scalarSize()
                unescaped.append(contentsOf: bytes[index..<index + size])
                index += size
            default:
                unescaped.append(byte)
                index += 1
            }
        }
        throw StrictJSONError(.unexpectedEnd, at: index)
    }

    mutating func escape(into unescaped: inout [UInt8]) throws(StrictJSONError) {
        let start = index
        guard start + 1 < bytes.count else { throw StrictJSONError(.unexpectedEnd, at: bytes.count) }
        index += 2
        switch bytes[start + 1] {
        case UInt8(ascii: "\""): unescaped.append(UInt8(ascii: "\""))
        case UInt8(ascii: "\\"): unescaped.append(UInt8(ascii: "\\"))
        case UInt8(ascii: "/"): unescaped.append(UInt8(ascii: "/"))
        case UInt8(ascii: "b"): unescaped.append(0x08)
        case UInt8(ascii: "f"): unescaped.append(0x0C)
        case UInt8(ascii: "n"): unescaped.append(0x0A)
        case UInt8(ascii: "r"): unescaped.append(0x0D)
        case UInt8(ascii: "t"): unescaped.append(0x09)
        case UInt8(ascii: "u"):
            var value = try hexadecimal(from: start)
            if value == 0 { throw StrictJSONError(.nulCharacter, at: start) }
            if 0xD800...0xDBFF ~= value {
                guard byte(at: index) == UInt8(ascii: "\\"), byte(at: index + 1) == UInt8(ascii: "u") else {
                    throw StrictJSONError(.unpairedSurrogate, at: start)
                }
                let second = index
                index += 2
                let low = try hexadecimal(from: second)
                guard 0xDC00...0xDFFF ~= low else { throw StrictJSONError(.unpairedSurrogate, at: start) }
                value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(value) else { throw StrictJSONError(.unpairedSurrogate, at: start) }
            unescaped.append(contentsOf: scalar.utf8)
        default:
            throw StrictJSONError(.invalidEscape, at: start)
        }
    }

    /// The four digits of the escape that begins at `start`.
    mutating func hexadecimal(from start: Int) throws(StrictJSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard index < bytes.count else { throw StrictJSONError(.unexpectedEnd, at: index) }
            switch bytes[index] {
            case let digit where digit.isDigit: value = value << 4 | UInt32(digit - 0x30)
            case let letter where (0x61...0x66).contains(letter | 0x20):
                value = value << 4 | UInt32((letter | 0x20) - 87)
            default: throw StrictJSONError(.invalidEscape, at: start)
            }
            index += 1
        }
        return value
    }

    /// The size of the multi-byte scalar at `index`, by the table of well-formed sequences.
    ///
    /// - Source: The Unicode Standard, table 3-7.
    @inline(__always)
    func scalarSize() throws(StrictJSONError) -> Int {
        let first = bytes[index]
        let second = byte(at: index + 1)
        let size: Int
        let allowed: ClosedRange<UInt8>
        switch first {
        case 0xC2...0xDF: (size, allowed) = (2, 0x80...0xBF)
        case 0xE0: (size, allowed) = (3, 0xA0...0xBF)
        case 0xED: (size, allowed) = (3, 0x80...0x9F)
        case 0xE1...0xEF: (size, allowed) = (3, 0x80...0xBF)
        case 0xF0: (size, allowed) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (size, allowed) = (4, 0x80...0xBF)
        case 0xF4: (size, allowed) = (4, 0x80...0x8F)
        default: throw StrictJSONError(.invalidUTF8, at: index)
        }
        guard allowed.contains(second), size < 3 || byte(at: index + 2) & 0xC0 == 0x80,
            size < 4 || byte(at: index + 3) & 0xC0 == 0x80
        else { throw StrictJSONError(.invalidUTF8, at: index) }
        return size
    }
}
