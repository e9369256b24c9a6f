internal import Basics

extension Instant {
    /// Reads `YYYY-MM-DDTHH:MM[:SS[.sss]]` (or a space for the `T`) with a zone, `Z` or `±HH:MM`.
    ///
    /// - Returns: Nil without a zone, for a date that is not in the calendar, before 1970 or after 9999 (UTC), and for
    ///   offsets beyond the ±14:00 that exist.
    init?(zonedText text: String) {
        let bytes = Array(text.utf8)
        guard bytes.allSatisfy({ $0 < 0x80 }) else { return nil }
        var clock = bytes[...]
        var offsetMinutes: Int64 = 0
        if bytes.last == UInt8(ascii: "Z") {
            clock = bytes.dropLast()
        } else {
            let zone = Array(bytes.suffix(6))
            guard bytes.count > 6, zone[0] == UInt8(ascii: "+") || zone[0] == UInt8(ascii: "-"),
                zone[3] == UInt8(ascii: ":"), let hours = Self.twoDigits(zone[1], zone[2]),
                let minutes = Self.twoDigits(zone[4], zone[5]), minutes < 60, hours * 60 + minutes <= 14 * 60
            else { return nil }
            offsetMinutes = (hours * 60 + minutes) * (zone[0] == UInt8(ascii: "-") ? -1 : 1)
            clock = bytes.dropLast(6)
        }
        guard let local = Instant(dateTimeText: String(decoding: clock, as: UTF8.self)) else { return nil }
        self = local.advanced(bySeconds: -offsetMinutes * 60)
        guard (0...253_402_300_799_999).contains(milliseconds) else { return nil }
    }

    private static func twoDigits(_ high: UInt8, _ low: UInt8) -> Int64? {
        guard (0x30...0x39).contains(high), (0x30...0x39).contains(low) else { return nil }
        return Int64(high - 0x30) * 10 + Int64(low - 0x30)
    }
}
