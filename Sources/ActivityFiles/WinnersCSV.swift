public import Basics
public import Lottery

/// The list of winners as a table for spreadsheets.
///
/// UTF-8 with a byte order mark (without it, Excel takes Chinese for another encoding), lines ending in CR LF, every
/// cell in quotes. A cell that a spreadsheet would compute gets a `'` in front, since game ids and names are what
/// strangers typed.
///
/// - Source: spec.md section 5; hardening.md section 1.5, row 85.
public struct WinnersCSV: Sendable {
    /// One win.
    public struct Winner: Hashable, Sendable {
        public var receipt: Receipt
        /// Nil when erased.
        public var user: UserID?
        /// The game id that was bound at the win; nil when erased.
        public var gameID: String?
        /// What was won, as players read it.
        public var award: String
        public var at: Instant

        public init(receipt: Receipt, user: UserID?, gameID: String?, award: String, at: Instant) {
            self.receipt = receipt
            self.user = user
            self.gameID = gameID
            self.award = award
            self.at = at
        }
    }

    /// The byte order mark and the header line: what a file begins with, also one without winners.
    public static let header: [UInt8] =
        [0xEF, 0xBB, 0xBF]
        + Array("\"编号 receipt\",\"用户 user\",\"游戏ID game id\",\"奖品 award\",\"时间 time (UTC)\"\r\n".utf8)

    /// One line with its end. The time is `YYYY-MM-DD HH:MM:SS.sss` in UTC; what was erased is empty.
    public static func line(_ winner: Winner) -> [UInt8] {
        let cells = [
            winner.receipt.description, winner.user?.text ?? "", winner.gameID ?? "", winner.award,
            winner.at.dateTimeText(),
        ]
        var line: [UInt8] = []
        for (index, text) in cells.enumerated() {
            if index > 0 { line.append(UInt8(ascii: ",")) }
            line.append(contentsOf: cell(text))
        }
        line.append(contentsOf: [0x0D, 0x0A])
        return line
    }

    /// A whole file.
    public static func render(_ winners: some Sequence<Winner>) -> [UInt8] {
        var file = header
        for winner in winners { file.append(contentsOf: line(winner)) }
        return file
    }

    /// A text as one cell, in quotes.
    static func cell(_ text: String) -> [UInt8] {
        var cell = [UInt8(ascii: "\"")]
        if isComputed(text) { cell.append(UInt8(ascii: "'")) }
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") { cell.append(byte) }
            cell.append(byte)
        }
        cell.append(UInt8(ascii: "\""))
        return cell
    }

    /// Whether some spreadsheet would take the text for a formula: it begins with `=`, `+`, `-`, `@` (full-width too,
    /// and behind blanks or marks that cannot be seen), or with a tab or a line's end.
    private static func isComputed(_ text: String) -> Bool {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\t", "\r", "\n": return true
            case "=", "+", "-", "@", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}", "\u{2212}": return true
            default:
                let isSkipped =
                    scalar.properties.isWhitespace || scalar.properties.generalCategory == .format
                    || scalar.properties.generalCategory == .control
                if !isSkipped { return false }
            }
        }
        return false
    }
}
