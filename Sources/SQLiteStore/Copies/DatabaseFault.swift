public import Basics
public import Lottery

/// Something in a database that cannot be right.
public enum DatabaseFault: Hashable, Sendable {
    /// The file's own structure: what SQLite said.
    case structure(String)
    /// A row points to one that is not there.
    case foreignKey(table: String)
    /// A row of a ledger cannot be true, or cannot be read.
    case ledger(ActivityID, seq: Int64?, LedgerFault?)
    /// An award's count of copies given out is not what the ledger and the list of wins say.
    case stock(ActivityID, AwardID, issued: Int, listed: Int, inLedger: Int)
    /// The list of wins is not what the ledger says, at this receipt or in number.
    case wins(ActivityID, Receipt?)
    /// The count of draws is not what the ledger says.
    case drawCount(ActivityID, counted: Int, inLedger: Int)
}

/// An activity in a database, in numbers.
public struct ActivitySummary: Hashable, Sendable {
    public struct Stock: Hashable, Sendable {
        public let award: AwardID
        /// Copies given out, as counted.
        public let issued: Int
        /// Wins in the list that are not voided.
        public let winCount: Int
    }

    public let id: ActivityID
    public let name: String
    public let isOpen: Bool
    public let drawCount: Int
    /// In the activity's order.
    public let stock: [Stock]
    /// Nil before the first opening.
    public let head: IssuedHead?

    /// Wins that are not voided.
    public var winCount: Int { stock.reduce(0) { $0 + $1.winCount } }
}

/// What a database holds, and what is wrong with it.
public struct DatabaseReport: Hashable, Sendable {
    public var activities: [ActivitySummary] = []
    public var faults: [DatabaseFault] = []
    /// Rows of all ledgers that were checked.
    public var rowCount = 0
    /// Whether the file's structure was looked through wholly, indexes included.
    public var isThorough = true
    /// The latest moment that stands in it.
    public var latestMoment: Instant?
}

/// What a long work on a database is doing.
public enum DatabaseWork: Hashable, Sendable {
    /// 0…1
    case copying(Double)
    case checkingStructure
    /// 0…1
    case checkingLedgers(Double)
}

/// Told of a work now and then; throws to break it off.
public typealias DatabaseWorkObserver = (DatabaseWork) throws -> Void
