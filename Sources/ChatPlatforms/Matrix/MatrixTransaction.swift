/// Takes a transaction apart without letting one event spoil the others.
///
/// People choose what their events hold, and homeservers allow what we do not read: deep nesting, thousands of keys,
/// U+0000 in a string. A transaction that was refused for such an event would come again for ever, and nothing else.
enum MatrixTransaction {
    /// A hundred events of 65,536 bytes and what is around them.
    static let maximumSize = 8 << 20
    static let maximumEventCount = 1000

    /// The events that can be read, in order; none when `body` is no transaction at all.
    static func events(in body: [UInt8]) -> [JSONValue] {
        if let transaction = try? StrictJSON.parse(body, maximumSize: maximumSize) {
            return Array((transaction.objectValue?["events"]?.arrayValue ?? []).prefix(maximumEventCount))
        }
        guard body.count <= maximumSize else { return [] }
        return eventRanges(in: body).compactMap { try? StrictJSON.parse(body[$0], maximumSize: maximumSize) }
    }

    /// Where the elements of the top object's `events` stand, found by counting brackets outside strings.
    private static func eventRanges(in body: [UInt8]) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var depth = 0
        var isInString = false
        var isEscaped = false
        var isInEvents = false
        var lastString = 0..<0
        var elementStart: Int?
        for (index, byte) in body.enumerated() {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                    lastString = lastString.lowerBound..<index
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                isInString = true
                lastString = (index + 1)..<(index + 1)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
                if depth == 2 {
                    isInEvents = byte == UInt8(ascii: "[") && body[lastString].elementsEqual("events".utf8)
                } else if depth == 3, isInEvents {
                    elementStart = index
                }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth -= 1
                if depth == 2, let start = elementStart {
                    ranges.append(start..<(index + 1))
                    elementStart = nil
                    if ranges.count == maximumEventCount { return ranges }
                } else if depth == 1, isInEvents {
                    return ranges
                }
            default: break
            }
        }
        return ranges
    }
}
