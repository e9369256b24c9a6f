/// The line of the first anchor in a YAML text, from 1; nil when there is none.
///
/// Anchors must go before the parser sees them: a few nested aliases describe a text of any size, and merely
/// comparing two keys walks through all of it. An anchor is a `&` with something behind it where a value may begin.
/// Within quotes and long texts such a place can look the same, so a rare harmless text is refused too (`"x: &y"`);
/// the other way round nothing passes. Aliases without an anchor are an error of the parser's own.
package func lineOfYAMLAnchor(in text: String) -> Int? {
    var line = 1
    // Nil at the beginning of a line.
    var lastSolid: Unicode.Scalar?
    var wordBeginsWithMark = false
    var isBetweenWords = true
    var isComment = false
    var scalars = text.unicodeScalars.makeIterator()
    var next = scalars.next()
    while let scalar = next {
        next = scalars.next()
        switch scalar {
        case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}":
            if scalar == "\n" { line += 1 }
            lastSolid = nil
            wordBeginsWithMark = false
            isBetweenWords = true
            isComment = false
        case " ", "\t":
            isBetweenWords = true
        default:
            if lastSolid == nil, scalar == "#" { isComment = true }
            if scalar == "&", !isComment, let follower = next, follower != " ", follower != "\t", follower != "\n",
                follower != "\r"
            {
                let beginsValue =
                    switch lastSolid {
                    case nil, "[", "{", ",", ":", "-", "?": true
                    default: isBetweenWords && wordBeginsWithMark
                    }
                if beginsValue { return line }
            }
            if isBetweenWords { wordBeginsWithMark = scalar == "!" }
            isBetweenWords = false
            lastSolid = scalar
        }
    }
    return nil
}
