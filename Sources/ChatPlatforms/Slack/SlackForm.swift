internal import Basics

/// The fields of an `application/x-www-form-urlencoded` body, each name once.
///
/// - Source: WHATWG URL, section 5.1; stricter where two readers could differ.
struct SlackForm {
    private static let maximumCount = 100

    private var fields: [Identifier<SlackForm>: String] = [:]

    /// - Returns: Nil for a name that is there twice, an item without `=`, more than 100 items, a `%` without two
    ///   hexadecimal digits, and what is not UTF-8 or has U+0000 in it.
    init?(_ body: [UInt8]) {
        let items = body.split(
            separator: UInt8(ascii: "&"), maxSplits: Self.maximumCount, omittingEmptySubsequences: false)
        guard items.count <= Self.maximumCount else { return nil }
        for item in items {
            guard let equals = item.firstIndex(of: UInt8(ascii: "=")), let name = Self.decode(item[..<equals]),
                let value = Self.decode(item[(equals + 1)...]),
                fields.updateValue(value, forKey: Identifier(name)) == nil
            else { return nil }
        }
    }

    subscript(name: String) -> String? { fields[Identifier(name)] }

    private static func decode(_ text: ArraySlice<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(0x20)
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                    return nil
                }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return bytes.contains(0) ? nil : String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - 0x57
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - 0x37
        default: nil
        }
    }
}
