/// Whether a path reads the same for everyone: the router, the checks before it, and a proxy in front.
///
/// Refused are empty segments (`//`), dot segments, also percent-encoded, encoded slashes, backslashes and control
/// characters, `;`, broken percent-encoding and what does not decode to UTF-8. Upper case is left as it is: the router
/// tells it apart.
///
/// - Parameter path: As it stands in the request, without the query.
/// - Source: hardening.md section 1.3 row 52.
public func isPlainPath(_ path: some StringProtocol) -> Bool {
    var bytes = path.utf8.makeIterator()
    guard bytes.next() == UInt8(ascii: "/") else { return false }
    var segment: [UInt8] = []
    // Only an empty last segment may be empty: "/" and "/a/".
    while let byte = bytes.next() {
        switch byte {
        case UInt8(ascii: "/"):
            guard isPlainSegment(segment) else { return false }
            segment.removeAll(keepingCapacity: true)
        case UInt8(ascii: "%"):
            guard let high = bytes.next().flatMap(hexValue), let low = bytes.next().flatMap(hexValue) else {
                return false
            }
            let decoded = high << 4 | low
            guard isPlainByte(decoded), decoded != UInt8(ascii: "/") else { return false }
            segment.append(decoded)
        default:
            guard isPlainByte(byte) else { return false }
            segment.append(byte)
        }
    }
    return segment.isEmpty || isPlainSegment(segment)
}

private func isPlainSegment(_ segment: [UInt8]) -> Bool {
    if segment.isEmpty { return false }
    if segment.count <= 2, segment.allSatisfy({ $0 == UInt8(ascii: ".") }) { return false }
    return segment.allSatisfy { $0 < 0x80 } || String(validating: segment, as: UTF8.self) != nil
}

private func isPlainByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0...0x1F, 0x7F, UInt8(ascii: "\\"), UInt8(ascii: ";"), UInt8(ascii: "#"), UInt8(ascii: "?"): false
    default: true
    }
}

func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
