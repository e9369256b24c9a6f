import Basics
import ChatPlatforms
import TestSupport

/// Random documents as text, with white space and escapes that a reader has to get through.
struct RandomJSON {
    var generator: SeededGenerator

    mutating func document() -> [UInt8] {
        var text = ""
        write(depth: 0, to: &text)
        return Array(text.utf8)
    }

    /// `bytes` with a few bytes changed, removed, repeated or cut off.
    mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let interesting = Array("{}[],:\"\\0-.eEu \u{0}\u{1F}".utf8) + [0x80, 0xC0, 0xE2, 0xED, 0xEF, 0xF4, 0xFF]
        for _ in 0..<Int.random(in: 1...4, using: &generator) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<5, using: &generator) {
            case 0: bytes[index] = interesting.randomElement(using: &generator)!
            case 1: bytes.insert(interesting.randomElement(using: &generator)!, at: index)
            case 2: bytes.remove(at: index)
            case 3: bytes.insert(contentsOf: bytes[index...].prefix(8), at: index)
            default: bytes.removeSubrange(index...)
            }
        }
        return bytes
    }

    mutating func string() -> String {
        let pieces = [
            "a", "抽奖", "é", "🧧", "\u{200B}", "\u{1B}", "\n", "\"", "\\", "/", "\u{2028}", "\u{85}", "\u{FFFF}",
        ]
        return (0..<Int.random(in: 0...6, using: &generator)).map { _ in pieces.randomElement(using: &generator)! }
            .joined()
    }

    private mutating func space(to text: inout String) {
        text += ["", "", "", " ", "\t", "\r\n"].randomElement(using: &generator)!
    }

    private mutating func write(depth: Int, to text: inout String) {
        space(to: &text)
        switch Int.random(in: 0..<(depth < 5 ? 8 : 6), using: &generator) {
        case 0: text += ["true", "false", "null"].randomElement(using: &generator)!
        case 1: text += String(Int64.random(in: .min ... .max, using: &generator))
        case 2: text += String(Int64.random(in: -9...9, using: &generator))
        case 3: text += ["0.5", "-1.25e2", "1E+3", "-0", "0e0", "12.50"].randomElement(using: &generator)!
        case 4, 5: writeString(string(), to: &text)
        case 6:
            text += "["
            for index in 0..<Int.random(in: 0...4, using: &generator) {
                if index > 0 { text += "," }
                write(depth: depth + 1, to: &text)
            }
            space(to: &text)
            text += "]"
        default:
            text += "{"
            for index in 0..<Int.random(in: 0...20, using: &generator) {
                if index > 0 { text += "," }
                space(to: &text)
                writeString("\(index)" + string(), to: &text)
                space(to: &text)
                text += ":"
                write(depth: depth + 1, to: &text)
            }
            space(to: &text)
            text += "}"
        }
        space(to: &text)
    }

    private mutating func writeString(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            let mustEscape = scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
            if mustEscape || Int.random(in: 0..<4, using: &generator) == 0 {
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16, uppercase: Bool.random(using: &generator))
                    text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}

func json(_ text: String) throws -> JSONValue {
    try StrictJSON.parse(Array(text.utf8), maximumSize: 1 << 24)
}
