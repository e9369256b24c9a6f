/// How long one message's text may be.
public struct TextLimit: Hashable, Sendable {
    /// What a platform counts.
    public enum Unit: Hashable, Sendable {
        case bytes
        /// Unicode scalars.
        case characters
        case utf16
    }

    public var count: Int
    public var unit: Unit

    public init(_ count: Int, _ unit: Unit) {
        self.count = count
        self.unit = unit
    }

    /// How much of the limit `text` takes.
    public func size(of text: some StringProtocol) -> Int {
        switch unit {
        case .bytes: text.utf8.count
        case .characters: text.unicodeScalars.count
        case .utf16: text.utf16.count
        }
    }

    public func allows(_ text: some StringProtocol) -> Bool {
        size(of: text) <= count
    }

    /// `text`, or as many of its lines as fit with `……` behind them; a first line that is too long is cut within.
    public func cut(_ text: String) -> String {
        allows(text) ? text : pages(of: text, maximumCount: 1)[0]
    }

    /// `text` in parts that each fit, parted at line ends where that is possible; one empty part for an empty text.
    ///
    /// - Parameter maximumCount: At least 1. What does not fit into so many is left out, and the last ends with `……`.
    public func pages(of text: String, maximumCount: Int) -> [String] {
        precondition(maximumCount > 0)
        if allows(text) { return [text] }
        // Room for the mark that something is missing; a limit this small is no platform's.
        let mark = "\n……"
        let room = max(count - size(of: mark), 1)
        var pages: [String] = []
        var page: String?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            for (index, piece) in pieces(of: line, size: room).enumerated() {
                if index == 0, let begun = page, size(of: begun) + 1 + size(of: piece) <= room {
                    page = begun + "\n" + piece
                } else {
                    if let page { pages.append(page) }
                    page = piece
                }
            }
        }
        if let page { pages.append(page) }
        if pages.count > maximumCount {
            pages.removeSubrange(maximumCount...)
            pages[maximumCount - 1] += mark
        }
        return pages
    }

    /// `line` in parts of at most `size`, never within a scalar.
    private func pieces(of line: Substring, size maximum: Int) -> [String] {
        if size(of: line) <= maximum { return [String(line)] }
        var pieces: [String] = []
        var piece = String.UnicodeScalarView()
        var pieceSize = 0
        for scalar in line.unicodeScalars {
            let scalarSize =
                switch unit {
                case .bytes: UTF8.width(scalar)
                case .characters: 1
                case .utf16: UTF16.width(scalar)
                }
            if pieceSize + scalarSize > maximum, !piece.isEmpty {
                pieces.append(String(piece))
                piece = String.UnicodeScalarView()
                pieceSize = 0
            }
            piece.append(scalar)
            pieceSize += scalarSize
        }
        pieces.append(String(piece))
        return pieces
    }
}
