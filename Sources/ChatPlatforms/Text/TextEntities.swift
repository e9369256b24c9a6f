/// The three entities in which Slack and QQ write what could be markup.
enum TextEntities {
    private static let entities = [
        (Array("&lt;".utf8), UInt8(ascii: "<")), (Array("&gt;".utf8), UInt8(ascii: ">")),
        (Array("&amp;".utf8), UInt8(ascii: "&")),
    ]

    /// Decodes each entity once: `&amp;lt;` is `&lt;`. What is no entity stays.
    static func decoded(_ text: [UInt8]) -> String {
        var rest = text[...]
        var result: [UInt8] = []
        while let start = rest.firstIndex(of: UInt8(ascii: "&")) {
            result += rest[..<start]
            rest = rest[start...]
            let found = entities.first { rest.starts(with: $0.0) }
            result.append(found?.1 ?? UInt8(ascii: "&"))
            rest = rest.dropFirst(found?.0.count ?? 1)
        }
        return String(decoding: result + rest, as: UTF8.self)
    }
}
