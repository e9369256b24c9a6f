internal import Basics

/// Text and times as QQ writes them.
enum QQText {
    /// `[A-Za-z0-9_-]+`.
    static func isPlainID(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// What a message's content shows as text: embedded mentions, channels and faces dropped, entities decoded once.
    ///
    /// - Source: QQ bot documentation, message_format.md, text-chain.md.
    static func plain(_ content: String) -> String {
        var rest = Array(content.utf8)[...]
        var result: [UInt8] = []
        while let first = rest.first {
            if let size = embeddedSize(rest) {
                rest = rest.dropFirst(size)
            } else if first == UInt8(ascii: "&"),
                let (entity, byte) = entities.first(where: { rest.starts(with: $0.0) })
            {
                result.append(byte)
                rest = rest.dropFirst(entity.count)
            } else {
                result.append(first)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: result, as: UTF8.self).trimmed
    }

    private static let entities = [
        (Array("&lt;".utf8), UInt8(ascii: "<")), (Array("&gt;".utf8), UInt8(ascii: ">")),
        (Array("&amp;".utf8), UInt8(ascii: "&")),
    ]
    private static let embedded = ["<@", "<#", "<emoji:", "<qqbot-", "<faceType="].map { Array($0.utf8) }

    /// The size of the embedded element that `text` begins with; nil when it begins with none.
    private static func embeddedSize(_ text: ArraySlice<UInt8>) -> Int? {
        guard text.first == UInt8(ascii: "<"), embedded.contains(where: { text.starts(with: $0) }) else { return nil }
        // Ids and faces are short; the bound keeps many open brackets from costing a search of the whole text each.
        return text.prefix(512).firstIndex(of: UInt8(ascii: ">")).map { $0 - text.startIndex + 1 }
    }

    /// `text` so that QQ finds nothing embedded in it. In groups `&lt;` would be shown as it is.
    static func escape(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar {
                    case "<": "＜"
                    case "@": "＠"
                    default: scalar
                    }
                }))
    }

    /// `YYYY-MM-DDTHH:MM:SS[.fraction]` and `Z` or `±HH:MM`; nil for anything else.
    ///
    /// - Source: RFC 3339 section 5.6, without leap seconds.
    static func instant(_ text: String) -> Instant? {
        let bytes = Array(text.utf8)
        guard 20...35 ~= bytes.count, bytes[10] == UInt8(ascii: "T"),
            let wall = Instant(dateTimeText: String(decoding: bytes[..<19], as: UTF8.self))
        else { return nil }
        var zone = bytes[19...]
        var milliseconds: Int64 = 0
        if zone.first == UInt8(ascii: ".") {
            let digits = zone.dropFirst().prefix { 0x30...0x39 ~= $0 }
            guard !digits.isEmpty else { return nil }
            for (digit, unit) in zip(digits, [100, 10, 1] as [Int64]) { milliseconds += Int64(digit - 0x30) * unit }
            zone = zone[digits.endIndex...]
        }
        guard let offsetMinutes = offsetMinutes(zone) else { return nil }
        return Instant(milliseconds: wall.milliseconds + milliseconds - offsetMinutes * 60_000)
    }

    private static func offsetMinutes(_ zone: ArraySlice<UInt8>) -> Int64? {
        let bytes = Array(zone)
        if bytes == [UInt8(ascii: "Z")] { return 0 }
        guard bytes.count == 6, bytes[0] == UInt8(ascii: "+") || bytes[0] == UInt8(ascii: "-"),
            bytes[3] == UInt8(ascii: ":")
        else { return nil }
        let digits = [bytes[1], bytes[2], bytes[4], bytes[5]].map { Int64($0) - 0x30 }
        guard digits.allSatisfy({ 0...9 ~= $0 }) else { return nil }
        let hours = digits[0] * 10 + digits[1]
        let minutes = digits[2] * 10 + digits[3]
        guard hours < 24, minutes < 60 else { return nil }
        return (hours * 60 + minutes) * (bytes[0] == UInt8(ascii: "-") ? -1 : 1)
    }
}
