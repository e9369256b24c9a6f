/// A moment, in whole milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
///
/// Whoever decides takes instants as values; only the executable reads a clock.
public struct Instant: Hashable, Comparable, Sendable {
    /// May be negative (before 1970).
    public var milliseconds: Int64

    /// - Parameter milliseconds: Since 1970-01-01T00:00:00Z.
    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// The moment `milliseconds` later (earlier when negative); stays at the end of the range instead of overflowing.
    public func advanced(byMilliseconds added: Int64) -> Instant {
        let (sum, overflow) = milliseconds.addingReportingOverflow(added)
        return Instant(milliseconds: overflow ? (added < 0 ? .min : .max) : sum)
    }

    /// The moment `seconds` later (earlier when negative); stays at the end of the range instead of overflowing.
    public func advanced(bySeconds seconds: Int64) -> Instant {
        let (scaled, scaleOverflow) = seconds.multipliedReportingOverflow(by: 1000)
        let (sum, sumOverflow) = milliseconds.addingReportingOverflow(scaled)
        if scaleOverflow || sumOverflow {
            return Instant(milliseconds: seconds < 0 ? .min : .max)
        }
        return Instant(milliseconds: sum)
    }

    /// Milliseconds from `earlier` to this moment; negative when `earlier` is later. Clamped instead of overflowing.
    public func milliseconds(since earlier: Instant) -> Int64 {
        let (difference, overflow) = milliseconds.subtractingReportingOverflow(earlier.milliseconds)
        if overflow { return earlier.milliseconds < 0 ? .max : .min }
        return difference
    }
}

extension Instant: Codable {
    public init(from decoder: any Decoder) throws {
        self.init(milliseconds: try decoder.singleValueContainer().decode(Int64.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(milliseconds)
    }
}

extension Instant {
    /// `YYYY-MM-DD HH:MM:SS.sss` in UTC, the form of every DATETIME column. Sorts as text between the years 0 and 9999.
    ///
    /// - Parameter offsetSeconds: Shifts the wall clock, for text that people in another zone read.
    /// - Source: spec.md section 3.
    public func dateTimeText(offsetSeconds: Int = 0) -> String {
        let shifted = milliseconds &+ Int64(offsetSeconds) &* 1000
        let (day, inDay) = floorDivide(shifted, 86_400_000)
        let date = civilDate(daysSince1970: day)
        let seconds = inDay / 1000
        // Short enough to need no storage of its own; the whole has one, since every session that is saved has three.
        let year = padded(date.year, 4)
        return String(unsafeUninitializedCapacity: year.utf8.count + 19) { bytes in
            var end = 0
            func append(_ byte: UInt8) {
                bytes[end] = byte
                end += 1
            }
            func append(_ separator: Unicode.Scalar, _ value: Int64, digits count: Int) {
                append(UInt8(ascii: separator))
                var rest = value
                for place in (end..<end + count).reversed() {
                    bytes[place] = UInt8(ascii: "0") + UInt8(rest % 10)
                    rest /= 10
                }
                end += count
            }
            for byte in year.utf8 { append(byte) }
            append("-", date.month, digits: 2)
            append("-", date.day, digits: 2)
            append(" ", seconds / 3600, digits: 2)
            append(":", seconds / 60 % 60, digits: 2)
            append(":", seconds % 60, digits: 2)
            append(".", inDay % 1000, digits: 3)
            return end
        }
    }

    /// Reads what ``dateTimeText(offsetSeconds:)`` writes, and the forms `YYYY-MM-DD HH:MM[:SS[.sss]]` with `T` or a
    /// space, always as UTC; nil for anything else.
    public init?(dateTimeText text: some StringProtocol) {
        let bytes = Array(text.utf8)
        func number(_ range: Range<Int>) -> Int64? {
            guard range.upperBound <= bytes.count else { return nil }
            var value: Int64 = 0
            for byte in bytes[range] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            return value
        }
        func has(_ character: Character, _ index: Int) -> Bool {
            index < bytes.count && bytes[index] == character.asciiValue
        }
        guard let year = number(0..<4), has("-", 4), let month = number(5..<7), has("-", 7),
            let day = number(8..<10), has(" ", 10) || has("T", 10), let hour = number(11..<13), has(":", 13),
            let minute = number(14..<16)
        else { return nil }
        var second: Int64 = 0
        var millisecond: Int64 = 0
        if bytes.count > 16 {
            guard has(":", 16), let value = number(17..<19) else { return nil }
            second = value
            if bytes.count > 19 {
                guard has(".", 19), bytes.count == 23, let value = number(20..<23) else { return nil }
                millisecond = value
            }
        }
        guard (1...12).contains(month), hour < 24, minute < 60, second < 60,
            (1...daysInMonth(year: year, month: month)).contains(day)
        else { return nil }
        let days = daysSince1970(year: year, month: month, day: day)
        self.init(milliseconds: ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + millisecond)
    }
}

private func floorDivide(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
}

private func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return digits.utf8.count >= width ? digits : String(repeating: "0", count: width - digits.utf8.count) + digits
}

private func daysInMonth(year: Int64, month: Int64) -> Int64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][Int(month - 1)]
}

/// Days of the proleptic Gregorian calendar, counted in years that begin in March so that the leap day comes last.
private func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
    let marchYear = month <= 2 ? year - 1 : year
    let (era, yearOfEra) = floorDivide(marchYear, 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
}

private func civilDate(daysSince1970 days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
}
