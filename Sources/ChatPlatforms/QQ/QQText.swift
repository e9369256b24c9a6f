/// Text as QQ writes and shows it.
enum QQText {
    /// What a message's content shows as text: embedded mentions, channels and faces dropped, entities decoded once.
    ///
    /// - Source: QQ bot documentation, message_format.md, text-chain.md.
    static func plain(_ content: String) -> String {
        var rest = Array(content.utf8)[...]
        var result: [UInt8] = []
        while let start = rest.firstIndex(of: UInt8(ascii: "<")) {
            result += rest[..<start]
            rest = rest[start...]
            if let size = embeddedSize(rest) {
                rest = rest.dropFirst(size)
            } else {
                result.append(UInt8(ascii: "<"))
                rest = rest.dropFirst()
            }
        }
        return MessageField.text(TextEntities.decoded(result + rest))
    }

    private static let embedded = ["<@", "<#", "<emoji:", "<qqbot-", "<faceType="].map { Array($0.utf8) }

    /// The size of the embedded element that `text` begins with; nil when it begins with none.
    private static func embeddedSize(_ text: ArraySlice<UInt8>) -> Int? {
        guard text.first == UInt8(ascii: "<"), embedded.contains(where: { text.starts(with: $0) }) else { return nil }
        // Ids and faces are short; the bound keeps many open brackets from costing a search of the whole text each.
        return text.prefix(512).firstIndex(of: UInt8(ascii: ">")).map { $0 - text.startIndex + 1 }
    }

    /// `text` so that QQ finds nothing embedded in it. In groups `&lt;` would be shown as it is.
    static func escape(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    switch scalar {
                    case "<": "＜"
                    case "@": "＠"
                    default: scalar
                    }
                }))
    }
}
