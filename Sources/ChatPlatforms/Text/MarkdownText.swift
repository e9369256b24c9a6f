/// Plain text for chats that read Markdown and cannot be told not to: Mattermost and Rocket.Chat.
enum MarkdownText {
    /// `text` with full-width forms in place of what could mention somebody or become markup.
    ///
    /// One scalar stays one scalar, so a text that was cut before still fits where characters are counted. Backslashes
    /// would do for Mattermost, but not for every version of Rocket.Chat, and zero-width characters are copied along
    /// unseen. `_` and `#` within a word are no markup, and stay so that addresses stay whole.
    static func plain(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var place = Place.start
        var previous: Unicode.Scalar = "\n"
        let scalars = Array(text.unicodeScalars)
        for (index, scalar) in scalars.enumerated() {
            let next = index + 1 < scalars.count ? scalars[index + 1] : "\n"
            let isWithinWord = previous.isASCIILetterOrDigit && next.isASCIILetterOrDigit
            switch (scalar, place) {
            case ("@", _), ("*", _), ("~", _), ("`", _), ("[", _), ("]", _), ("|", _), ("\\", _), ("$", _):
                result.append(fullWidth(scalar))
            case ("_", _), ("#", _):
                result.append(isWithinWord ? scalar : fullWidth(scalar))
            case (" ", .start), ("\t", .start):
                // Four of them would make the line a block of code.
                result.append("\u{3000}")
            case (">", .start), ("-", .start), ("+", .start), ("=", .start), (".", .number), (")", .number):
                result.append(fullWidth(scalar))
            default:
                result.append(scalar)
            }
            place = place.after(scalar)
            previous = scalar
        }
        return String(result)
    }

    /// Where in its line a scalar stands, as far as a list, a quotation or a heading could begin there.
    private enum Place {
        /// Nothing but white space before it.
        case start
        /// Nothing but a number before it.
        case number
        case within

        func after(_ scalar: Unicode.Scalar) -> Place {
            switch (scalar, self) {
            case ("\n", _), ("\r", _), (" ", .start), ("\t", .start): .start
            case ("0"..."9", .start), ("0"..."9", .number): .number
            default: .within
            }
        }
    }

    /// U+FF01 to U+FF5E are U+0021 to U+007E in another width.
    private static func fullWidth(_ ascii: Unicode.Scalar) -> Unicode.Scalar {
        Unicode.Scalar(ascii.value + 0xFEE0) ?? ascii
    }
}
