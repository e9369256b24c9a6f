/// Text from people as a reply may repeat it: no control, format or bidirectional scalars; what no font has
/// (unassigned, private, noncharacters) as U+FFFD; line breaks as blanks; at most four marks on one character; not too
/// long.
///
/// - Parameter maximumCount: In scalars; what is longer ends in `…`.
/// - Source: hardening.md rows 6, 7, 9 and 21.
package func echo(_ text: String, maximumCount: Int = 80) -> String {
    var text = text
    // Names of plain ASCII and ideographs are repeated as they are.
    let isClean = text.withUTF8 { isPlain($0, maximumCount: maximumCount) }
    return isClean ? text : cleaned(text, maximumCount: maximumCount)
}

/// Whether there is nothing but printable ASCII and U+4E00…U+9FFF (without its unassigned end), and not too much.
private func isPlain(_ bytes: UnsafeBufferPointer<UInt8>, maximumCount: Int) -> Bool {
    guard bytes.count <= maximumCount else { return false }
    var offset = 0
    while offset < bytes.count {
        let byte = bytes[offset]
        if byte < 0x80 {
            guard (0x20..<0x7F).contains(byte) else { return false }
            offset += 1
        } else {
            guard let (scalar, size) = decodeScalar(bytes, offset, bytes.count), (0x4E00...0x9FA5).contains(scalar)
            else { return false }
            offset += size
        }
    }
    return true
}

private func cleaned(_ text: String, maximumCount: Int) -> String {
    var result = String.UnicodeScalarView()
    var count = 0
    var marks = 0
    for scalar in text.unicodeScalars {
        let shown: Unicode.Scalar
        switch scalar.properties.generalCategory {
        case .format: continue
        case .control, .lineSeparator, .paragraphSeparator:
            guard scalar.properties.isWhitespace else { continue }
            shown = " "
        case .unassigned, .privateUse, .surrogate: shown = "\u{FFFD}"
        case .nonspacingMark, .enclosingMark, .spacingMark:
            marks += 1
            guard marks <= 4 else { continue }
            shown = scalar
        default:
            marks = 0
            shown = scalar
        }
        guard count < maximumCount else {
            result.append("…")
            break
        }
        result.append(shown)
        count += 1
    }
    return String(result)
}
