internal import Basics

/// What counts as one address for `ip_max_sessions`.
///
/// - Source: spec.md section 6. Text forms: RFC 4291 section 2.2; zones (`%eth0`): RFC 4007 section 11, ignored.
enum AddressGroup: Hashable, Sendable {
    /// One IPv4 address, also when written as an IPv4-mapped IPv6 address.
    case ipv4(UInt32)
    /// The upper 64 bits of an IPv6 address: what one connection usually gets.
    case ipv6(UInt64)
    /// Text that is no address, by its bytes.
    case other(Identifier<AddressText>)

    enum AddressText {}

    /// - Parameter text: Nil and empty text belong to no group.
    init?(_ text: String?) {
        guard let text, !text.isEmpty else { return nil }
        let bytes = Array(text.utf8)
        if let address = Self.ipv4(bytes[...]) {
            self = .ipv4(address)
        } else if let words = Self.ipv6(bytes) {
            if words[..<5].allSatisfy({ $0 == 0 }), words[5] == 0xFFFF {
                self = .ipv4(UInt32(words[6]) << 16 | UInt32(words[7]))
            } else {
                self = .ipv6(words[..<4].reduce(0) { $0 << 16 | UInt64($1) })
            }
        } else {
            self = .other(Identifier(text))
        }
    }

    /// Four decimal numbers without superfluous zeros, which some readers take for octal.
    private static func ipv4(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        guard (7...15).contains(bytes.count) else { return nil }
        var address: UInt32 = 0
        var number: UInt32 = 0
        var digits = 0
        var dots = 0
        for byte in bytes {
            switch byte {
            case 0x30...0x39:
                if digits > 0, number == 0 { return nil }
                number = number * 10 + UInt32(byte - 0x30)
                digits += 1
                guard number <= 255 else { return nil }
            case UInt8(ascii: "."):
                guard digits > 0, dots < 3 else { return nil }
                address = address << 8 | number
                dots += 1
                number = 0
                digits = 0
            default: return nil
            }
        }
        guard dots == 3, digits > 0 else { return nil }
        return address << 8 | number
    }

    /// Eight words, or nil.
    private static func ipv6(_ bytes: [UInt8]) -> [UInt16]? {
        let colon = UInt8(ascii: ":")
        let address = bytes.prefix { $0 != UInt8(ascii: "%") }
        guard (2...45).contains(address.count) else { return nil }
        let double = address.indices.dropLast().first { address[$0] == colon && address[$0 + 1] == colon }
        guard let double else {
            guard let all = words(address, mayEndInIPv4: true), all.count == 8 else { return nil }
            return all
        }
        guard let front = words(address[..<double], mayEndInIPv4: false),
            let back = words(address[(double + 2)...], mayEndInIPv4: true),
            front.count + back.count < 8
        else { return nil }
        return front + [UInt16](repeating: 0, count: 8 - front.count - back.count) + back
    }

    /// The words of a part without `::`; none for an empty part.
    private static func words(_ part: ArraySlice<UInt8>, mayEndInIPv4: Bool) -> [UInt16]? {
        if part.isEmpty { return [] }
        let pieces = part.split(separator: UInt8(ascii: ":"), maxSplits: 8, omittingEmptySubsequences: false)
        var words: [UInt16] = []
        for (index, piece) in pieces.enumerated() {
            if mayEndInIPv4, index == pieces.count - 1, let address = ipv4(piece) {
                words.append(UInt16(address >> 16))
                words.append(UInt16(address & 0xFFFF))
                continue
            }
            guard (1...4).contains(piece.count) else { return nil }
            var word: UInt16 = 0
            for byte in piece {
                let digit: UInt8
                switch byte {
                case 0x30...0x39: digit = byte - 0x30
                case 0x41...0x46: digit = byte - 0x41 + 10
                case 0x61...0x66: digit = byte - 0x61 + 10
                default: return nil
                }
                word = word << 4 | UInt16(digit)
            }
            words.append(word)
        }
        return words.count <= 8 ? words : nil
    }
}
