internal import Crypto
internal import Foundation

/// Compares what a stranger sent with what only we know, in a time that tells nothing about it.
enum SecretBytes {
    /// Digests of both are compared, so that not even the sizes tell.
    static func areEqual(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> Bool {
        let left = SHA256.hash(data: Array(left))
        let right = SHA256.hash(data: Array(right))
        var difference: UInt8 = 0
        for (a, b) in zip(left, right) { difference |= a ^ b }
        return difference == 0
    }

    static func areEqual(_ text: String, _ secret: Secret) -> Bool {
        areEqual(text.utf8, secret.exposedText.utf8)
    }
}

/// Lower-case hexadecimal: the one encoding that we write and take, where a platform's page does not say otherwise.
enum Hex {
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            for digit in [byte >> 4, byte & 0xF] { text.append(digit < 10 ? 0x30 + digit : 0x57 + digit) }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// - Returns: Nil unless `text` is an even number of `0-9a-f`.
    static func decode(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var high: UInt8?
        for character in text.utf8 {
            let digit: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - 0x30
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - 0x57
            default: return nil
            }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }
}

/// Base64 as RFC 4648 section 4 has it, with padding: what Foundation takes, but nothing unknown is skipped.
enum Base64 {
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString()
    }

    /// - Returns: Nil for anything that encoding would not have given.
    static func decode(_ text: String) -> [UInt8]? {
        guard let data = Data(base64Encoded: text), data.base64EncodedString() == text else { return nil }
        return Array(data)
    }
}
