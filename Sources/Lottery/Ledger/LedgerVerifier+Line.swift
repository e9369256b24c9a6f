internal import Basics

extension LedgerVerifier {
    /// A line that was read, with all that can be told of it without the lines before: most of the work of checking it.
    ///
    /// A caller with several cores has the lines of several slices of a file read at once and hands them to one verifier
    /// in their order.
    public struct Line: Sendable {
        let row: Result<LedgerRow, LedgerLineError>
        /// A draw's user; nil where there is none.
        fileprivate(set) var user: UserKey?
        /// Whether a draw's user and salt give its `U`; true where there is no user.
        fileprivate(set) var isUserHash = true
        /// Of a draw by a user in a round whose seed is revealed.
        fileprivate(set) var firstWords: FirstWords?
        /// What the row's hash must be behind `previous`.
        fileprivate var link: (previous: Hash, hash: Hash)?

        fileprivate init(row: Result<LedgerRow, LedgerLineError>) {
            self.row = row
        }

        /// What the hash of this line's row must be behind a row with the hash `previous`.
        func hash(of row: LedgerRow, behind previous: Hash) -> Hash {
            if let link, link.previous == previous { link.hash } else { row.hash(behind: previous) }
        }
    }

    /// Reads lines for a verifier.
    public struct LineReader: Sendable {
        let seeds: LedgerSeeds

        /// The lines of a slice up to the first that cannot be read, with it: behind it nothing counts.
        ///
        /// - Parameter slice: As ``LedgerSlicer`` cuts them.
        public func lines(of slice: [UInt8]) -> [Line] {
            var lines: [Line] = []
            forEach(of: slice) {
                lines.append($0)
                return if case .success = $0.row { true } else { false }
            }
            return lines
        }

        /// Every line of a slice, read behind the one before.
        ///
        /// - Parameter body: Returns false to hear of no further line.
        func forEach(of slice: [UInt8], _ body: (Line) -> Bool) {
            var previous: Hash?
            forEachLine(of: slice) { bytes in
                let line = line(bytes, behind: previous)
                previous = try? line.row.get().hash
                return body(line)
            }
        }

        /// - Parameters:
        ///   - bytes: Without their `\n`.
        ///   - previous: The hash that the line before states, where it is at hand. A wrong one only costs time.
        public func line(_ bytes: [UInt8], behind previous: Hash? = nil) -> Line {
            var line = Line(row: Result { () throws(LedgerLineError) in try LedgerRow(canonicalLine: bytes) })
            guard case .success(let row) = line.row else { return line }
            line.link = previous.map { ($0, row.hash(behind: $0)) }
            if case .draw(let entry) = row.event, let user = entry.user, let salt = entry.salt {
                line.user = UserKey(user)
                line.isUserHash = userHash(user, salt: salt) == entry.userHash
                line.firstWords = seeds.words(of: entry.round)?.firstWords(of: user, attempt: entry.attempt)
            }
            return line
        }
    }
}

/// What a verifier tells users apart by. A hash of the id is smaller than most ids, and a table of millions holds it in
/// place.
struct UserKey: Hashable, Sendable {
    private let hash: Hash

    init(_ user: UserID) {
        hash = .sha256(of: user.text)
    }
}

extension LedgerRow {
    fileprivate func hash(behind previous: Hash) -> Hash {
        Self.hash(previous: previous, seq: seq, at: at, event: event)
    }
}
