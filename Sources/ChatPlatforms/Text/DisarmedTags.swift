extension String {
    /// With a full-width `＜` wherever a tag could begin (`<a`, `</a`, `<!`), so that nothing in it is a link or a
    /// mention.
    ///
    /// For platforms that read tags in plain text and know no escape for them. As many scalars as before, but more
    /// bytes.
    var withTagsDisarmed: String {
        var result = String.UnicodeScalarView()
        var scalars = unicodeScalars[...]
        while let scalar = scalars.popFirst() {
            result.append(scalar == "<" && (scalars.first.map(beginsTagName) ?? false) ? "＜" : scalar)
        }
        return String(result)
    }
}

/// Tags are named in ASCII: `<活动>` is none.
private func beginsTagName(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "/", "!": true
    default: false
    }
}
