internal import Basics

/// What is read out of a message's segments.
///
/// - Source: platforms.md section 1; botuniverse/onebot-11: message/string.md, message/array.md.
struct OneBot11Text {
    private(set) var text = ""
    /// The bot itself was mentioned.
    private(set) var isMentioned = false

    /// - Parameters:
    ///   - message: In either format: an array of segments, or a string with CQ codes.
    ///   - selfID: The bot's id, whose mention is taken out.
    /// - Throws: `malformedBody`.
    init(_ message: JSONValue?, selfID: String) throws(WebhookFault) {
        switch message {
        case .array(let segments): try read(segments, selfID: selfID)
        case .string(let text): read(CQCode.segments(of: text), selfID: selfID)
        case .object, .number, .bool, .null, nil: throw .malformedBody
        }
        text = MessageField.text(text)
    }

    private mutating func read(_ segments: [JSONValue], selfID: String) throws(WebhookFault) {
        for value in segments {
            guard let segment = value.objectValue, let type = segment["type"]?.stringValue else { throw .malformedBody }
            switch type {
            case "text":
                guard let part = segment["data"]?.objectValue?["text"]?.stringValue else { throw .malformedBody }
                text += part
            case "at":
                if let id = segment["data"]?.objectValue?["qq"]?.idText, areEqualBytes(id, selfID) {
                    isMentioned = true
                }
            default: break
            }
        }
    }

    private mutating func read(_ segments: [CQCode.Segment], selfID: String) {
        for segment in segments {
            switch segment {
            case .text(let part): text += part
            case .code("at", let parameters):
                if parameters.contains(where: { $0.name == "qq" && areEqualBytes($0.value, selfID) }) {
                    isMentioned = true
                }
            case .code: break
            }
        }
    }
}

/// The string format of OneBot 11: text with codes such as `[CQ:at,qq=20001]` in it.
enum CQCode {
    struct Parameter: Hashable {
        var name: String
        var value: String
    }

    enum Segment: Hashable {
        case text(String)
        case code(type: String, [Parameter])
    }

    /// Takes any text; what is no whole code stays text.
    ///
    /// - Complexity: O(*n*).
    static func segments(of text: String) -> [Segment] {
        let bytes = Array(text.utf8)
        let opening = Array("[CQ:".utf8)
        var segments: [Segment] = []
        var textStart = 0
        var index = 0
        while index < bytes.count {
            guard bytes[index] == opening[0], bytes[index...].starts(with: opening) else {
                index += 1
                continue
            }
            // Nothing within a code is a bare closing bracket, so without one there is no further code at all.
            guard let end = bytes[index...].firstIndex(of: UInt8(ascii: "]")) else { break }
            if textStart < index { segments.append(.text(unescaped(bytes[textStart..<index], inCode: false))) }
            segments.append(code(bytes[(index + opening.count)..<end]))
            index = end + 1
            textStart = index
        }
        if textStart < bytes.count { segments.append(.text(unescaped(bytes[textStart...], inCode: false))) }
        return segments
    }

    /// - Parameter inside: What stands between `[CQ:` and `]`.
    private static func code(_ inside: ArraySlice<UInt8>) -> Segment {
        let parts = inside.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        let parameters = parts.dropFirst().map { part in
            let nameEnd = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            return Parameter(
                name: String(decoding: part[..<nameEnd], as: UTF8.self),
                value: unescaped(part[nameEnd...].dropFirst(), inCode: true))
        }
        return .code(type: String(decoding: parts.first ?? [], as: UTF8.self), parameters)
    }

    private static let entities: [(name: [UInt8], byte: UInt8)] = [
        (Array("&amp;".utf8), UInt8(ascii: "&")), (Array("&#91;".utf8), UInt8(ascii: "[")),
        (Array("&#93;".utf8), UInt8(ascii: "]")), (Array("&#44;".utf8), UInt8(ascii: ",")),
    ]

    /// Decodes each entity once: `&amp;#91;` is `&#91;`. The comma's is one only within a code.
    private static func unescaped(_ bytes: ArraySlice<UInt8>, inCode: Bool) -> String {
        guard bytes.contains(UInt8(ascii: "&")) else { return String(decoding: bytes, as: UTF8.self) }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            if bytes[index] == UInt8(ascii: "&"),
                let entity = entities.first(where: { bytes[index...].starts(with: $0.name) }),
                inCode || entity.byte != UInt8(ascii: ",")
            {
                result.append(entity.byte)
                index += entity.name.count
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
