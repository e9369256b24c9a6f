public import Basics
public import Lottery

/// The end of an activity's ledger: its last row and that row's hash.
public struct IssuedHead: Hashable, Sendable {
    public let activity: ActivityID
    public let seq: Int64
    public let hash: Hash

    public init(activity: ActivityID, seq: Int64, hash: Hash) {
        self.activity = activity
        self.seq = seq
        self.hash = hash
    }

    public var receipt: Receipt { Receipt(activity: activity, seq: seq) }
}

/// A ledger that does not hold the last row that was issued from it: its file is older than its receipts, or went
/// another way.
public struct LedgerGap: Hashable, Sendable {
    /// The last row that was issued.
    public let issued: IssuedHead
    /// Where the ledger in the file ends; nil: it has no row.
    public let found: IssuedHead?

    /// - Parameters:
    ///   - row: The hash that the file has at the issued row's place.
    ///   - found: Where the ledger in the file ends.
    /// - Returns: Nil when the issued row is there.
    init?(issued: IssuedHead, row: Hash?, found: IssuedHead?) {
        guard row != issued.hash else { return nil }
        self.issued = issued
        self.found = found
    }

    /// The first row that the file ends before; nil when it has as many rows, but others.
    public var firstMissing: Receipt? {
        let seq = (found?.seq ?? -1) + 1
        return seq <= issued.seq ? Receipt(activity: issued.activity, seq: seq) : nil
    }

    /// Rows that the file ends before.
    public var missingCount: Int64 { firstMissing.map { issued.seq - $0.seq + 1 } ?? 0 }
}

/// What the file beside a database says about it.
public struct IssuedState: Hashable, Sendable {
    /// Whether there is such a file.
    public internal(set) var isThere: Bool
    /// Records that cannot be read.
    public internal(set) var damagedCount: Int
    /// Whether anything was ever issued from the database.
    public internal(set) var isNeeded = false
    /// What was issued and is not in the database.
    public internal(set) var gaps: [LedgerGap] = []
}

/// A database that lacks receipts that were issued from it: it was restored, exchanged, or lost its log. It must not
/// draw, or numbers and prizes would be given out a second time.
public struct OutdatedDatabase: Error, Hashable, Sendable, CustomStringConvertible {
    public let database: String
    /// At least one.
    public let gaps: [LedgerGap]

    public var description: String {
        let receipts = gaps.map { gap in
            gap.firstMissing.map { "\($0) … \(gap.issued.receipt)" } ?? "\(gap.issued.receipt) is another row"
        }
        return "\(database) is older than the receipts that were issued from it: \(receipts.joined(separator: ", ")). "
            + "Nothing was changed."
    }
}
