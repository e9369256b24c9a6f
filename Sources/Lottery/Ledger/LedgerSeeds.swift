internal import Basics

/// The seeds that a ledger reveals, gathered in a first pass so that the second can compute outcomes again as it goes.
public struct LedgerSeeds: Sendable {
    /// Of rounds. A file may claim millions of them, and each takes more than its line.
    package static let maximumWordsCount = 1024

    private var seeds: [UInt32: RoundSeed] = [:]
    /// Of the first opening that may be one.
    private var activity: ActivityID?
    private var words: [UInt32: RoundWords] = [:]
    /// Of all lines that were taken.
    private(set) var lineCount = 0

    public init() {}

    /// Takes the lines of a slice, as ``LedgerSlicer`` cuts them, or a whole ledger.
    public mutating func read(slice: [UInt8]) {
        forEachLine(of: slice) {
            read(line: $0)
            return true
        }
    }

    /// Takes one line. Lines that reveal nothing, and lines that cannot be read, are passed over: judging them is the
    /// second pass's. Of several seeds for a round the first counts.
    public mutating func read(line: [UInt8]) {
        lineCount += 1
        // `{"seq":123,"type":3`: only openings and closings are worth reading whole.
        guard let comma = line.prefix(32).firstIndex(of: UInt8(ascii: ",")),
            [",\"type\":1,", ",\"type\":3,"].contains(where: { line[comma...].starts(with: $0.utf8) }),
            let row = try? LedgerRow(canonicalLine: line)
        else { return }
        switch row.event {
        // An id that is none may have megabytes, and the verifier stops there.
        case .open(_, let rules, _) where activity == nil && isValidID(rules.activity.text): activity = rules.activity
        case .close(let round, let seed) where seeds[round] == nil:
            seeds[round] = seed
            guard words.count < Self.maximumWordsCount else { return }
            words[round] = activity.map { RoundWords(seed: seed, activity: $0, round: round) }
        default: break
        }
    }

    /// The seed that was revealed for a round; not yet compared with its commitment.
    public subscript(round: UInt32) -> RoundSeed? { seeds[round] }

    /// What the words of a round's draws begin with, if seed and activity are what the lines said; nil for many rounds.
    package func words(of round: UInt32) -> RoundWords? { words[round] }
}
