public import Basics

/// What a player holds after a draw: the row of the ledger that decided it, written `<activity id>-<seq>`.
public struct Receipt: Hashable, Sendable, CustomStringConvertible {
    public let activity: ActivityID
    /// The row's sequence number in the activity's chain, from 0.
    public let seq: Int64

    public init(activity: ActivityID, seq: Int64) {
        self.activity = activity
        self.seq = seq
    }

    /// Reads `<activity id>-<seq>`, split at the last `-`.
    ///
    /// - Returns: Nil unless the id is valid and the number is plain decimal digits without leading zeros.
    public init?(_ text: String) {
        guard let dash = text.utf8.lastIndex(of: UInt8(ascii: "-")) else { return nil }
        let id = text[..<dash]
        let digits = text[text.index(after: dash)...]
        guard isValidID(id), (1...18).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.utf8.count == 1 || digits.utf8.first != 0x30, let seq = Int64(digits)
        else { return nil }
        self.init(activity: ActivityID(String(id)), seq: seq)
    }

    public var description: String { "\(activity.text)-\(seq)" }
}
