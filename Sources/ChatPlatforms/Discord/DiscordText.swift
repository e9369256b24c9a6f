internal import Basics

/// Text as Discord writes and shows it.
enum DiscordText {
    static let limit = TextLimit(2000, .utf16)

    /// What a slash command says; see ``DiscordAdapter``.
    static func command(_ data: JSONObject) throws(WebhookFault) -> String {
        guard let name = data["name"]?.nonEmptyString else { throw .malformedBody }
        if let options = data["options"]?.arrayValue, options.count == 1, let option = options[0].objectValue,
            option["type"]?.integerValue == 3, let optionName = option["name"]?.stringValue,
            areEqualBytes(optionName, "text")
        {
            guard let text = option["value"]?.stringValue else { throw .malformedBody }
            return MessageField.text(text)
        }
        var words = ["/" + name]
        try append(data["options"], to: &words)
        return MessageField.text(words.joined(separator: " "))
    }

    /// Recurses once per level of sub-commands, of which the JSON reader lets through few.
    private static func append(_ options: JSONValue?, to words: inout [String]) throws(WebhookFault) {
        guard let options else { return }
        guard let options = options.arrayValue else { throw .malformedBody }
        for option in options {
            guard let option = option.objectValue, let type = option["type"]?.integerValue else { throw .malformedBody }
            if type == 1 || type == 2 {
                guard let name = option["name"]?.nonEmptyString else { throw .malformedBody }
                words.append(name)
                try append(option["options"], to: &words)
                continue
            }
            switch option["value"] {
            case .string(let text): words.append(text)
            case .number(let number): words.append(number.text)
            case .bool(let value): words.append(value ? "true" : "false")
            case .object, .array, .null, nil: throw .malformedBody
            }
        }
    }

    /// `text` with every character that could begin markup or a mention behind a backslash. Links stay as they are:
    /// Discord reads no markup in them, and a backslash would become part of the address.
    static func escape(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        var isLineStart = true
        while let scalar = rest.first {
            let link = linkPrefix(of: rest)
            if !link.isEmpty {
                result.append(contentsOf: link)
                rest = rest[link.endIndex...]
                isLineStart = false
                continue
            }
            if "\\*_~`|<>#[]@".unicodeScalars.contains(scalar)
                || isLineStart && "-+".unicodeScalars.contains(scalar)
            {
                result.append("\\")
            }
            result.append(scalar)
            rest.removeFirst()
            isLineStart = scalar == "\n" || isLineStart && scalar == " "
        }
        return String(result)
    }

    /// The address at the beginning of `text`; empty when there is none.
    private static func linkPrefix(
        of text: Substring.UnicodeScalarView
    ) -> Substring.UnicodeScalarView {
        for scheme in ["https://", "http://"] where text.starts(with: scheme.unicodeScalars) {
            let rest = text.dropFirst(scheme.unicodeScalars.count)
            var address = rest.prefix { $0.isASCIILetterOrDigit || "-._~:/?#%&=+,;$".unicodeScalars.contains($0) }
            // Behind an address these end a sentence, to Discord as well.
            while let last = address.last, ".,:;".unicodeScalars.contains(last) { address.removeLast() }
            // Discord takes fewer than two characters for no address.
            if address.count >= 2 { return text[..<address.endIndex] }
        }
        return text[..<text.startIndex]
    }

}
