internal import Basics

/// Text and times as Slack writes them.
enum SlackText {
    /// "Keep it under 4000 characters".
    static let limit = TextLimit(3900, .utf16)

    /// What `text` shows: our bot's mentions dropped, other mentions and links as their label, entities decoded once.
    ///
    /// - Parameter bot: The bot's user id; nil when it is not known.
    /// - Returns: The text, trimmed, and whether the bot was mentioned.
    static func plain(_ text: String, bot: String?) -> (text: String, isMentioned: Bool) {
        var rest = Array(text.utf8)[...]
        var result: [UInt8] = []
        var isMentioned = false
        // Slack writes an angle bracket that somebody typed as an entity, so every bare one is markup.
        while let start = rest.firstIndex(of: UInt8(ascii: "<")),
            let end = rest[start...].firstIndex(of: UInt8(ascii: ">"))
        {
            result += rest[..<start]
            let element = String(decoding: rest[(start + 1)..<end], as: UTF8.self)
            rest = rest[(end + 1)...]
            let parts = element.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
            if let bot, areEqualBytes(String(parts[0]), "@" + bot) {
                isMentioned = true
                continue
            }
            switch element.utf8.first {
            case UInt8(ascii: "@"), UInt8(ascii: "#"), UInt8(ascii: "!"):
                // `<@U1|name>`, `<#C1|name>`, `<!here>`: the label does not have the sign in front.
                let sign = element.hasPrefix("#") ? "#" : "@"
                result += (sign + String(parts.count > 1 ? parts[1] : parts[0].dropFirst())).utf8
            default:
                result += String(parts.count > 1 ? parts[1] : parts[0]).utf8
            }
        }
        result += rest
        return (MessageField.text(TextEntities.decoded(result)), isMentioned)
    }

    /// `text` so that Slack finds no mention, link or entity in it.
    static func escape(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The time in a message's `ts`: `1760000051.000100`, seconds and microseconds.
    static func instant(_ ts: String) -> Instant? {
        let parts = ts.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, 1...11 ~= parts[0].utf8.count, parts[1].utf8.count == 6,
            parts.allSatisfy(\.isDigits), let seconds = Int64(parts[0]), let microseconds = Int64(parts[1])
        else { return nil }
        return Instant(milliseconds: seconds * 1000 + microseconds / 1000)
    }
}
