internal import Basics

/// Reads what a message cannot do without, within the limits that hold on every platform.
enum MessageField {
    /// Bytes of a user's, chat's or message's id.
    static let maximumIDSize = 128
    /// Bytes of a text that is kept whole.
    static let maximumTextSize = 64 * 1024
    /// Bytes that are kept of a longer text: more than any command may have, so it stays too long for one.
    static let keptTextSize = 8 * 1024
    /// The end of the year 9999.
    static let latestMilliseconds: Int64 = 253_402_300_799_999

    /// An id that the platform writes as a string.
    static func id(_ value: JSONValue?) throws(WebhookFault) -> String {
        try id(value?.stringValue)
    }

    /// An id that stands where everything is text: in a form, in XML.
    static func id(_ text: String?) throws(WebhookFault) -> String {
        guard let text, isID(text) else { throw .malformedBody }
        return text
    }

    /// An id that the platform may leave out: nil when it is missing, null or empty.
    static func optionalID(_ value: JSONValue?) throws(WebhookFault) -> String? {
        guard let value = optional(value), value != "" else { return nil }
        return try id(value)
    }

    /// An id that may be left out where everything is text: nil when it is missing or empty.
    static func optionalID(_ text: String?) throws(WebhookFault) -> String? {
        try optionalID(text.map { JSONValue.string($0) })
    }

    /// An id that implementations write as a number or as a string; `1` and `"1"` are one id.
    static func numberOrStringID(_ value: JSONValue?) throws(WebhookFault) -> String {
        try id(value?.idText)
    }

    /// Whether `text` has 1 to ``maximumIDSize`` bytes and no control character (C0, U+007F, C1).
    static func isID(_ text: String) -> Bool {
        1...maximumIDSize ~= text.utf8.count && hasNoControls(text)
    }

    static func hasNoControls(_ text: String) -> Bool {
        var previous: UInt8 = 0
        for byte in text.utf8 {
            if byte < 0x20 || byte == 0x7F || (previous == 0xC2 && byte < 0xA0) { return false }
            previous = byte
        }
        return true
    }

    /// A member that may be missing or null, both of which are nil.
    static func optional(_ value: JSONValue?) -> JSONValue? {
        if case .null = value { nil } else { value }
    }

    /// A moment that the platform writes as a whole number since 1970.
    ///
    /// - Throws: `malformedBody` for anything else, and for what lies before 1970 or behind the year 9999.
    static func instant(_ value: JSONValue?, millisecondsPerUnit: Int64) throws(WebhookFault) -> Instant {
        try instant(value?.integerValue, millisecondsPerUnit: millisecondsPerUnit)
    }

    /// A moment that the platform may leave out: nil when it is missing or null.
    static func optionalInstant(
        _ value: JSONValue?, millisecondsPerUnit: Int64
    ) throws(WebhookFault) -> Instant? {
        guard let value = optional(value) else { return nil }
        return try instant(value, millisecondsPerUnit: millisecondsPerUnit)
    }

    /// A moment that stands in digits in a text; else as ``instant(_:millisecondsPerUnit:)``.
    static func instant(digits text: String?, millisecondsPerUnit: Int64) throws(WebhookFault) -> Instant {
        guard let text, text.isDigits else { throw .malformedBody }
        return try instant(Int64(text), millisecondsPerUnit: millisecondsPerUnit)
    }

    private static func instant(_ count: Int64?, millisecondsPerUnit: Int64) throws(WebhookFault) -> Instant {
        guard let count, 0...latestMilliseconds / millisecondsPerUnit ~= count else { throw .malformedBody }
        return Instant(milliseconds: count * millisecondsPerUnit)
    }

    /// A message's text, trimmed; of an overlong one only the beginning.
    static func text(_ text: String) -> String {
        let text = text.trimmed
        guard text.utf8.count > maximumTextSize else { return text }
        // The view of scalars rounds an index down, so that no scalar is cut through.
        return String(text.unicodeScalars[..<text.utf8.index(text.startIndex, offsetBy: keptTextSize)])
    }

    /// A message's text without the word that made the platform hand it on, where that is the bot's name.
    ///
    /// Most trigger words are no mention and belong to the command; one that begins with `@` is a name.
    static func text(_ text: String, trigger: String?) -> (text: String, isMentioned: Bool) {
        let text = Self.text(text)
        guard let trigger, trigger.utf8.first == UInt8(ascii: "@"), text.utf8.starts(with: trigger.utf8) else {
            return (text, false)
        }
        return (String(decoding: text.utf8.dropFirst(trigger.utf8.count), as: UTF8.self).trimmed, true)
    }
}
