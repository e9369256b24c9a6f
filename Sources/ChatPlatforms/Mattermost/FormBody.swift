internal import Basics

/// A body of `application/x-www-form-urlencoded`, read strictly: each name once, valid UTF-8, no more than 100 items.
///
/// What an encoder would not have written is refused: empty items, an item without `=`, half an escape, bytes that must be
/// escaped, U+0000.
///
/// - Source: WHATWG URL section 5.1; hardening.md section 1.2.
enum MattermostForm {
    static let maximumItemCount = 100

    /// - Returns: The items in order; nil for what is no such form. An empty body has no items.
    static func items(of body: [UInt8]) -> [(name: String, value: String)]? {
        if body.isEmpty { return [] }
        let parts = body.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
        guard body.count <= WebhookRequest.maximumBodySize, parts.count <= maximumItemCount else { return nil }
        var items: [(name: String, value: String)] = []
        for part in parts {
            guard let sign = part.firstIndex(of: UInt8(ascii: "=")), let name = decoded(part[..<sign]), !name.isEmpty,
                let value = decoded(part[part.index(after: sign)...]),
                !items.contains(where: { areEqualBytes($0.name, name) })
            else { return nil }
            items.append((name, value))
        }
        return items
    }

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

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - 0x57
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - 0x37
        default: nil
        }
    }
}
