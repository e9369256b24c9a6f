internal import Activities
internal import Basics
internal import GRDB
internal import Lottery

/// Where every winner of an ordered list of activities stands: with the first of their wins in the order of the list, then
/// of winning. Wins of erased users each stand for themselves. Eight bytes a winner.
///
/// What it holds is as of the transaction that it was last brought up to date in, or of a later one: to reconsider a win
/// says again what the database says, however often and in whatever order.
struct WinnersIndex {
    /// As many wins of users who may stand elsewhere are looked up one by one; for more, to build it anew is quicker.
    private static let lookedUpCount = 20_000

    /// One activity's winners.
    private struct Standing {
        /// The winners' rows in the ledger.
        var seqs = SortedNumbers()
        /// The last win that was looked at.
        var lastSeq = Int64.min
    }

    /// Without repetitions.
    let activities: [ActivityID]
    private let places: [ActivityID: Int]
    /// By the place of the activity.
    private var standings: [Standing]

    /// - Throws: When the database cannot be read.
    init(of activities: [ActivityID], _ db: Database) throws {
        self.activities = activities
        places = Dictionary(uniqueKeysWithValues: zip(activities, activities.indices))
        standings = activities.map { _ in Standing() }
        var listed: Set<UserID> = []
        for place in activities.indices {
            let wins = try winsBehindTheLast(at: place, db)
            while let win = try wins.next() {
                let seq: Int64 = win[0]
                standings[place].lastSeq = seq
                if activities.count > 1, let user = (win[1] as String?).map({ UserID($0) }) {
                    // Nobody asks who stands in the last one.
                    let isFirst =
                        place == activities.count - 1 ? !listed.contains(user) : listed.insert(user).inserted
                    if !isFirst { continue }
                }
                standings[place].seqs.insert(seq)
            }
        }
    }

    var winnerCount: Int { standings.reduce(0) { $0 + $1.seqs.count } }

    /// The winners at `range`, counted from 0.
    func winners(_ range: Range<Int>) -> [Receipt] {
        var found: [Receipt] = []
        var first = 0
        for (activity, standing) in zip(activities, standings) {
            let part = range.clamped(to: first..<first + standing.seqs.count)
            let seqs = standing.seqs.numbers(part.lowerBound - first..<part.upperBound - first)
            found += seqs.map { Receipt(activity: activity, seq: $0) }
            first += standing.seqs.count
        }
        return found
    }

    /// Takes in what was won since the last time.
    mutating func addNewWins(_ db: Database) throws {
        var lookedUpCount = 0
        for place in activities.indices {
            let wins = try winsBehindTheLast(at: place, db)
            while let win = try wins.next() {
                let seq: Int64 = win[0]
                if activities.count > 1, let user = win[1] as String? {
                    lookedUpCount += 1
                    if lookedUpCount > Self.lookedUpCount {
                        self = try WinnersIndex(of: activities, db)
                        return
                    }
                    try placeWins(of: user, db)
                } else {
                    standings[place].seqs.insert(seq)
                }
                standings[place].lastSeq = seq
            }
        }
    }

    /// Takes in that a win was voided, or that its user was erased, if it was.
    mutating func reconsider(_ win: Receipt, _ db: Database) throws {
        guard let place = places[win.activity] else { return }
        let row = try Row.fetchOne(
            db.cachedStatement(
                sql: "SELECT user_id, voided_at IS NULL FROM bot_user_award WHERE activity_id = ? AND seq = ?"),
            arguments: [win.activity.text, win.seq])
        guard let row else { return }
        let isLive: Bool = row[1]
        if !isLive { standings[place].seqs.remove(win.seq) }
        if let user = row[0] as String? {
            try placeWins(of: user, db)
        } else if isLive {
            standings[place].seqs.insert(win.seq)
        }
    }

    /// Lists the first of a user's wins, and no other.
    private mutating func placeWins(of user: String, _ db: Database) throws {
        let rows = try Row.fetchAll(
            db.cachedStatement(
                sql: "SELECT activity_id, seq FROM bot_user_award WHERE user_id = ? AND voided_at IS NULL"),
            arguments: [user])
        let wins: [(place: Int, seq: Int64)] = rows.compactMap { row in
            places[ActivityID(row[0] as String)].map { ($0, row[1]) }
        }
        let first = wins.map(\.place).min()
        for win in wins {
            if win.place == first {
                standings[win.place].seqs.insert(win.seq)
            } else {
                standings[win.place].seqs.remove(win.seq)
            }
        }
    }

    private func winsBehindTheLast(at place: Int, _ db: Database) throws -> RowCursor {
        try Row.fetchCursor(
            db.cachedStatement(
                sql: """
                    SELECT seq, user_id FROM bot_user_award
                    WHERE activity_id = ? AND seq > ? AND voided_at IS NULL ORDER BY seq
                    """),
            arguments: [activities[place].text, standings[place].lastSeq])
    }
}
