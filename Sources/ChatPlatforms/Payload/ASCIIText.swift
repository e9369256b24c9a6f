extension UInt8 {
    /// `0-9`
    @inline(__always)
    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }

    /// `A-Za-z0-9`
    var isLetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: isDigit
        }
    }
}

extension Unicode.Scalar {
    /// `A-Za-z0-9`
    var isASCIILetterOrDigit: Bool { isASCII && UInt8(truncatingIfNeeded: value).isLetterOrDigit }
}

extension StringProtocol {
    /// `[0-9]+`: what Swift's own readers of numbers take beyond it (signs) is none.
    var isDigits: Bool { !isEmpty && utf8.allSatisfy(\.isDigit) }

    /// `[A-Za-z0-9_-]+`: nothing in it could be markup, a path or a second header.
    var isPlainName: Bool {
        !isEmpty && utf8.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
    }

    /// One character or more, all of printable ASCII without the space: safe in a header.
    var isVisibleASCII: Bool { !isEmpty && utf8.allSatisfy { 0x21...0x7E ~= $0 } }
}

extension String {
    /// Without white space at both ends, U+3000 included.
    var trimmed: String {
        let scalars = unicodeScalars
        guard let start = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let end = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[start...end])
    }
}
