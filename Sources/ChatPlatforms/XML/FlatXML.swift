/// Reads and writes the flat XML of WeCom and WeChat: `<xml><Name>text or CDATA</Name>…</xml>`.
///
/// Read by hand, because the outer document has to be read before anything in it can be verified, and Foundation's
/// `XMLParser` is not fit for that: an ill-formed document may leave about 80 bytes behind for good (measured with
/// Swift 6.3 on Linux), which whoever knows the address could repeat without end. It also takes truncated and empty
/// documents for parsed and invalid UTF-8 in CDATA, and follows the encoding that a document declares.
///
/// - Source: hardening.md section 1.2, rows 37 to 40.
package enum FlatXML {
    static let maximumSize = 64 * 1024
    static let maximumDepth = 16
    static let maximumNameSize = 64

    /// The texts of the elements directly within `<xml>`, by name. An element that holds others has none.
    ///
    /// Only UTF-8, and only elements, text, CDATA and the five predefined or numeric references. Refused are
    /// attributes, namespaces, comments, processing instructions (but an XML declaration in front), document types, a
    /// name that is there twice on the first level, text between the elements, and characters that XML does not allow.
    ///
    /// - Returns: Nil when it is refused. Line ends become LF, as XML wants it.
    /// - Complexity: O(*n*), one pass, no recursion.
    package static func texts(of bytes: [UInt8]) -> [String: String]? {
        guard bytes.count <= maximumSize, let document = String(validating: bytes, as: UTF8.self),
            document.unicodeScalars.allSatisfy(isAllowed)
        else { return nil }
        var reader = FlatXMLReader(bytes: withLineFeeds(bytes))
        return reader.document()
    }

    /// `<name><![CDATA[text]]></name>`, safe for any text. Characters that XML does not allow are left out.
    package static func element(_ name: String, _ text: String) -> String {
        var content = String.UnicodeScalarView()
        var bracketCount = 0
        for scalar in text.unicodeScalars where isAllowed(scalar) {
            // The one thing that a CDATA section cannot hold is its own end: it is parted between two sections. Looked
            // for by scalars, since `>` and a combining mark behind it are one character.
            if scalar == ">", bracketCount >= 2 { content.append(contentsOf: "]]><![CDATA[".unicodeScalars) }
            bracketCount = scalar == "]" ? bracketCount + 1 : 0
            content.append(scalar)
        }
        return "<\(name)><![CDATA[\(String(content))]]></\(name)>"
    }

    /// - Source: XML 1.0, production 2.
    package static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x9, 0xA, 0xD, 0x20...0xD7FF, 0xE000...0xFFFD, 0x1_0000...0x10_FFFF: true
        default: false
        }
    }

    /// - Source: XML 1.0, section 2.11.
    private static func withLineFeeds(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var previous: UInt8 = 0
        for byte in bytes {
            if byte == UInt8(ascii: "\r") {
                result.append(UInt8(ascii: "\n"))
            } else if byte != UInt8(ascii: "\n") || previous != UInt8(ascii: "\r") {
                result.append(byte)
            }
            previous = byte
        }
        return result
    }
}

private struct FlatXMLReader {
    let bytes: [UInt8]
    var index = 0
    /// The names of the elements that are open, the root first.
    var open: [[UInt8]] = []
    /// The text of the first-level element that is open; nil once it turned out to hold elements.
    var text: [UInt8]? = []
    var names: Set<[UInt8]> = []
    var texts: [String: String] = [:]

    mutating func document() -> [String: String]? {
        guard skipDeclaration() else { return nil }
        skipWhiteSpace()
        guard take("<xml>") else { return nil }
        open = [Array("xml".utf8)]
        while !open.isEmpty {
            guard index < bytes.count, step() else { return nil }
        }
        skipWhiteSpace()
        return index == bytes.count ? texts : nil
    }

    /// Reads one tag, section, reference or byte of text.
    private mutating func step() -> Bool {
        if take("<![CDATA[") { return section() }
        if take("</") { return closingTag() }
        if take("<") { return openingTag() }
        if take("&") { return reference() }
        // Allowed only as the end of a section.
        if take("]]>") { return false }
        append(bytes[index])
        let isText = open.count > 1 || isWhiteSpace(bytes[index])
        index += 1
        return isText
    }

    private mutating func append(_ byte: UInt8) {
        if open.count == 2 { text?.append(byte) }
    }

    private mutating func section() -> Bool {
        guard open.count > 1 else { return false }
        while index < bytes.count {
            if take("]]>") { return true }
            append(bytes[index])
            index += 1
        }
        return false
    }

    private mutating func openingTag() -> Bool {
        guard let name = name(), open.count < FlatXML.maximumDepth else { return false }
        skipWhiteSpace()
        let isEmpty = take("/>")
        // Anything else here would be an attribute, or the rest of a name with a prefix.
        guard isEmpty || take(">") else { return false }
        if open.count == 1 {
            guard names.insert(name).inserted else { return false }
            text = []
        } else {
            text = nil
        }
        open.append(name)
        return isEmpty ? close(name) : true
    }

    private mutating func closingTag() -> Bool {
        guard let name = name() else { return false }
        skipWhiteSpace()
        return take(">") && close(name)
    }

    private mutating func close(_ name: [UInt8]) -> Bool {
        guard open.popLast() == name else { return false }
        if open.count == 1, let text {
            texts[String(decoding: name, as: UTF8.self)] = String(decoding: text, as: UTF8.self)
        }
        return true
    }

    /// Behind the `&`.
    private mutating func reference() -> Bool {
        guard open.count > 1 else { return false }
        // The longest is `#x10FFFF` with some zeros before it.
        guard let end = bytes[index...].prefix(13).firstIndex(of: UInt8(ascii: ";")) else { return false }
        let name = String(decoding: bytes[index..<end], as: UTF8.self)
        index = end + 1
        let scalar: Unicode.Scalar?
        switch name {
        case "amp": scalar = "&"
        case "lt": scalar = "<"
        case "gt": scalar = ">"
        case "quot": scalar = "\""
        case "apos": scalar = "'"
        default:
            guard name.hasPrefix("#") else { return false }
            let isHexadecimal = name.hasPrefix("#x")
            let digits = name.dropFirst(isHexadecimal ? 2 : 1)
            // `UInt32` would also take a sign.
            guard digits.utf8.first != UInt8(ascii: "+"), digits.utf8.first != UInt8(ascii: "-") else { return false }
            scalar = UInt32(digits, radix: isHexadecimal ? 16 : 10).flatMap(Unicode.Scalar.init)
        }
        guard let scalar, FlatXML.isAllowed(scalar) else { return false }
        for byte in String(scalar).utf8 { append(byte) }
        return true
    }

    /// ASCII letters, digits, `_`, `-` and `.`, beginning with a letter or `_`. No colon: no namespaces.
    private mutating func name() -> [UInt8]? {
        let start = index
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
                index += 1
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
                guard index > start else { return nil }
                index += 1
            default:
                guard index > start, index - start <= FlatXML.maximumNameSize else { return nil }
                return Array(bytes[start..<index])
            }
        }
        return nil
    }

    /// Takes an XML declaration of version 1.0 that names no encoding, or UTF-8. Without one, does nothing.
    private mutating func skipDeclaration() -> Bool {
        guard take("<?xml ") else { return true }
        guard let end = bytes[index...].prefix(64).firstIndex(of: UInt8(ascii: "?")) else { return false }
        let words = String(decoding: bytes[index..<end], as: UTF8.self).lowercased().replacing("'", with: "\"")
            .split { $0 == " " || $0 == "\n" || $0 == "\t" }
        index = end
        return take("?>") && words.first == "version=\"1.0\""
            && words.dropFirst().allSatisfy { $0 == "encoding=\"utf-8\"" }
            && words.count <= 2
    }

    private mutating func skipWhiteSpace() {
        while index < bytes.count, isWhiteSpace(bytes[index]) { index += 1 }
    }

    private func isWhiteSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\t")
    }

    /// Goes behind `token` if it stands here.
    private mutating func take(_ token: StaticString) -> Bool {
        let size = token.utf8CodeUnitCount
        guard bytes.count - index >= size else { return false }
        for offset in 0..<size where bytes[index + offset] != token.utf8Start[offset] { return false }
        index += size
        return true
    }
}
