/// Text as Telegram writes and shows it.
enum TelegramText {
    static let limit = TextLimit(4096, .utf16)

    /// `[A-Za-z0-9_]{3,32}`
    static func isUserName(_ text: String) -> Bool {
        3...32 ~= text.utf8.count && text.utf8.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "_") }
    }

    /// `text` without the bot's mentions, `/cmd@bot` as `/cmd`.
    ///
    /// - Parameters:
    ///   - entities: As in the message; what is not as documented is passed over.
    ///   - botName: In lower case, without `@`.
    /// - Returns: Nil when the text is a command for another bot.
    static func plain(
        _ text: String, entities: JSONValue?, botName: String
    ) -> (text: String, isMentioned: Bool)? {
        let units = Array(text.utf16)
        let mention = "@" + botName
        let size = mention.utf16.count
        var starts: Set<Int> = []
        for entity in entities?.arrayValue ?? [] {
            // Both end with the name: a mention is nothing else, a command may have it at its end.
            guard let entity = entity.objectValue, let type = entity["type"]?.stringValue,
                type == "mention" || type == "bot_command", let offset = entity["offset"]?.integerValue,
                let length = entity["length"]?.integerValue, 0...Int64(units.count) ~= offset,
                Int64(size)...Int64(max(size, units.count)) ~= length, offset + length <= Int64(units.count)
            else { continue }
            let start = Int(offset + length) - size
            if String(decoding: units[start..<start + size], as: UTF16.self).lowercased() == mention {
                starts.insert(start)
            }
        }
        var kept: [UInt16] = []
        var next = 0
        // A name has no second @ in it, so what is left out never overlaps.
        for start in starts.sorted() {
            kept += units[next..<start]
            next = start + size
        }
        kept += units[next...]
        let rest = String(decoding: kept, as: UTF16.self).trimmed
        guard let (text, isNamed) = command(rest, botName: botName) else { return nil }
        return (MessageField.text(text), isNamed || !starts.isEmpty)
    }

    /// Telegram marks only commands of Latin letters, so the name in `/抽奖@bot` is looked for here.
    private static func command(_ text: String, botName: String) -> (text: String, isNamed: Bool)? {
        guard text.utf8.first == UInt8(ascii: "/") else { return (text, false) }
        let scalars = text.unicodeScalars
        let end = scalars.firstIndex { $0.properties.isWhitespace } ?? scalars.endIndex
        guard let at = scalars[..<end].lastIndex(of: "@") else { return (text, false) }
        let name = String(scalars[scalars.index(after: at)..<end])
        if name.lowercased() == botName {
            return (String(scalars[..<at]) + String(scalars[end...]), true)
        }
        // Anything but a user name is a part of the command's own words.
        return isUserName(name) ? nil : (text, false)
    }

    /// `text` so that Telegram finds nobody's name in it. Without a `parse_mode` there is no other markup.
    static func escape(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0 == "@" ? "＠" : $0 }))
    }
}
