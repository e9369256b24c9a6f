internal import Basics

/// A time of ISO 8601 with its zone: `2026-01-02T12:00:00.123456+08:00`.
enum ZonedTime {
    /// Milliseconds are kept, what is finer is cut off. Seconds may be left out.
    ///
    /// - Returns: Nil without a zone (`Z`, `±HH:MM`, `±HHMM`, `±HH`), for a time before 1970 or behind the year 9999, and for
    ///   anything else that is no such time.
    static func instant(_ text: String) -> Instant? {
        guard text.utf8.count <= 40 else { return nil }
        var bytes = Array(text.utf8)
        guard let offsetSeconds = removeZone(from: &bytes) else { return nil }
        if bytes.count > 19 {
            guard bytes[19] == UInt8(ascii: "."), bytes.count > 20, bytes[20...].allSatisfy({ 0x30...0x39 ~= $0 })
            else { return nil }
            // The reader of times wants exactly three digits.
            while bytes.count < 23 { bytes.append(UInt8(ascii: "0")) }
            bytes.removeSubrange(23...)
        }
        guard let local = Instant(dateTimeText: String(decoding: bytes, as: UTF8.self)) else { return nil }
        let instant = local.advanced(bySeconds: -offsetSeconds)
        return 0...MessageField.latestMilliseconds ~= instant.milliseconds ? instant : nil
    }

    /// Takes the zone off the end of `bytes` and gives its seconds east of UTC.
    private static func removeZone(from bytes: inout [UInt8]) -> Int64? {
        if bytes.last == UInt8(ascii: "Z") || bytes.last == UInt8(ascii: "z") {
            bytes.removeLast()
            return 0
        }
        // Behind the date, whose hyphens are no signs.
        guard bytes.count > 16,
            let sign = bytes[16...].firstIndex(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") })
        else { return nil }
        var digits = Array(bytes[(sign + 1)...])
        if digits.count == 5, digits[2] == UInt8(ascii: ":") { digits.remove(at: 2) }
        guard digits.count == 2 || digits.count == 4, digits.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
        let numbers = digits.map { Int64($0 - 0x30) }
        let hours = numbers[0] * 10 + numbers[1]
        let minutes = numbers.count == 4 ? numbers[2] * 10 + numbers[3] : 0
        guard hours < 24, minutes < 60 else { return nil }
        let isWest = bytes[sign] == UInt8(ascii: "-")
        bytes.removeSubrange(sign...)
        return (hours * 3600 + minutes * 60) * (isWest ? -1 : 1)
    }
}
