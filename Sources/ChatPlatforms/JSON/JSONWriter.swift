/// Appends JSON to a buffer of UTF-8 bytes, without white space.
public enum JSONWriter {
    /// Appends `text` in double quotes.
    ///
    /// Escaped are the quote, the backslash, control characters (C0, U+007F and C1, so that nothing a stranger sent can
    /// steer a terminal), and U+2028 and U+2029, which some readers take for line ends. `/`, `<`, `>` and `&` stay.
    public static func append(_ text: String, to buffer: inout [UInt8]) {
        buffer.append(UInt8(ascii: "\""))
        let written: Void? = text.utf8.withContiguousStorageIfAvailable { append($0, to: &buffer) }
        if written == nil {
            Array(text.utf8).withUnsafeBufferPointer { append($0, to: &buffer) }
        }
        buffer.append(UInt8(ascii: "\""))
    }

    public static func append(_ integer: Int64, to buffer: inout [UInt8]) {
        buffer.append(contentsOf: String(integer).utf8)
    }

    /// Appends any value; a number keeps its text, an object its order.
    public static func append(_ value: JSONValue, to buffer: inout [UInt8]) {
        switch value {
        case .object(let object):
            buffer.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { buffer.append(UInt8(ascii: ",")) }
                append(member.key, to: &buffer)
                buffer.append(UInt8(ascii: ":"))
                append(member.value, to: &buffer)
            }
            buffer.append(UInt8(ascii: "}"))
        case .array(let values):
            buffer.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { buffer.append(UInt8(ascii: ",")) }
                append(value, to: &buffer)
            }
            buffer.append(UInt8(ascii: "]"))
        case .string(let text): append(text, to: &buffer)
        case .number(let number): buffer.append(contentsOf: number.text.utf8)
        case .bool(let value): buffer.append(contentsOf: (value ? "true" : "false").utf8)
        case .null: buffer.append(contentsOf: "null".utf8)
        }
    }

    /// Valid UTF-8 in. Runs without anything to escape are copied whole.
    private static func append(_ text: UnsafeBufferPointer<UInt8>, to buffer: inout [UInt8]) {
        var runStart = 0
        var index = 0
        while index < text.count {
            let byte = text[index]
            var size = 1
            let scalar: UInt32
            switch byte {
            case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"), 0x7F:
                scalar = UInt32(byte)
            case 0xC2 where text[index + 1] < 0xA0:
                scalar = UInt32(text[index + 1])
                size = 2
            case 0xE2 where text[index + 1] == 0x80 && text[index + 2] & 0xFE == 0xA8:
                scalar = 0x2000 + UInt32(text[index + 2] & 0x3F)
                size = 3
            default:
                index += 1
                continue
            }
            buffer.append(contentsOf: UnsafeBufferPointer(rebasing: text[runStart..<index]))
            appendEscape(scalar, to: &buffer)
            index += size
            runStart = index
        }
        buffer.append(contentsOf: UnsafeBufferPointer(rebasing: text[runStart...]))
    }

    private static func appendEscape(_ scalar: UInt32, to buffer: inout [UInt8]) {
        buffer.append(UInt8(ascii: "\\"))
        switch scalar {
        case 0x22: buffer.append(UInt8(ascii: "\""))
        case 0x5C: buffer.append(UInt8(ascii: "\\"))
        case 0x08: buffer.append(UInt8(ascii: "b"))
        case 0x09: buffer.append(UInt8(ascii: "t"))
        case 0x0A: buffer.append(UInt8(ascii: "n"))
        case 0x0C: buffer.append(UInt8(ascii: "f"))
        case 0x0D: buffer.append(UInt8(ascii: "r"))
        default:
            buffer.append(UInt8(ascii: "u"))
            for shift in [12, 8, 4, 0] as [UInt32] {
                let digit = UInt8(scalar >> shift & 0xF)
                buffer.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
            }
        }
    }
}
