internal import Basics

/// A body of `application/x-www-form-urlencoded`, read strictly: each name once, valid UTF-8, no more than 100 fields.
///
/// What an encoder would not have written is refused: empty items, an item without `=`, half an escape, bytes that must
/// be escaped, U+0000.
///
/// - Source: WHATWG URL section 5.1; hardening.md section 1.2.
package struct FormBody {
    package static let maximumCount = 100

    private var fields: [Identifier<FormBody>: String] = [:]

    /// - Returns: Nil for what is no such form. An empty body has no fields.
    package init?(_ body: [UInt8]) {
        if body.isEmpty { return }
        let items = body.split(
            separator: UInt8(ascii: "&"), maxSplits: Self.maximumCount, omittingEmptySubsequences: false)
        guard items.count <= Self.maximumCount else { return nil }
        for item in items {
            guard let equals = item.firstIndex(of: UInt8(ascii: "=")), let name = Self.decoded(item[..<equals]),
                !name.isEmpty, let value = Self.decoded(item[(equals + 1)...]),
                fields.updateValue(value, forKey: Identifier(name)) == nil
            else { return nil }
        }
    }

    package var count: Int { fields.count }

    /// Nil when there is no such field.
    subscript(name: String) -> String? { fields[Identifier(name)] }

    private static func decoded(_ text: ArraySlice<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit),
                    high << 4 | low != 0
                else { return nil }
                bytes.append(high << 4 | low)
            case 0x21...0x7E: bytes.append(byte)
            default: return nil
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// In either case.
    private static func digit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
