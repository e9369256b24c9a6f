internal import Activities
internal import Basics
internal import Dispatch
internal import GRDB
internal import Lottery
internal import NIOConcurrencyHelpers

/// Keeps where the winners of the lists of activities that are asked for stand, so that a page costs no more among
/// millions than among ten (docs/decisions/0021).
///
/// One look at a time, so that several of them never keep all connections from those who want to read something else.
/// Unchecked: what changes is touched on its queue alone.
final class WinnersReader: @unchecked Sendable {
    /// Winners on a page, and how many there are in all.
    struct Found {
        let page: Int
        let pageCount: Int
        let winnerCount: Int
        let winners: [Receipt]
    }

    private static let maximumIndexCount = 8
    /// In all lists together; the one asked for last is kept whatever its size.
    private static let maximumWinnerCount = 4_000_000

    private let queue = DispatchQueue(label: "hongbao.winners")
    private let touched: NIOLockedValueBox<TouchedWins>?
    /// The one used last is the first.
    private var indexes: [WinnersIndex] = []

    /// - Parameter touched: Where every change that is no new win is noted; nil when nobody does, as when another process
    ///   writes: then nothing is kept from one look to the next.
    init(touched: NIOLockedValueBox<TouchedWins>?) {
        self.touched = touched
    }

    /// Finds a page, and lets `body` read what else is to be known of its winners in the same transaction.
    ///
    /// - Parameter reader: Asked for when it is this look's turn: the store may have been closed meanwhile.
    func read<Value: Sendable>(
        of activities: [ActivityID], page: Int, pageSize: Int,
        from reader: @escaping @Sendable () throws -> any DatabaseReader,
        _ body: @escaping @Sendable (Found, Database) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { [self] in
                continuation.resume(
                    with: Result {
                        // Before the transaction begins: it sees these.
                        let settledNumber = touched?.withLockedValue { $0.settledNumber } ?? 0
                        return try reader().read { db in
                            let index = try index(of: activities, settledNumber: settledNumber, db)
                            return try body(index.found(page: page, pageSize: pageSize), db)
                        }
                    })
            }
        }
    }

    private func index(of activities: [ActivityID], settledNumber: Int, _ db: Database) throws -> WinnersIndex {
        // Until its first look at the database a transaction sees what is new; from then on it does not.
        _ = try Row.fetchOne(db.cachedStatement(sql: "SELECT 1 FROM bot_activity LIMIT 1"))
        // Behind that look: whatever it sees is noted, perhaps with what it does not see yet.
        let touches = touched?.withLockedValue { $0.touches } ?? [.all]
        // What goes wrong half-way leaves nothing behind.
        var indexes = indexes
        self.indexes = []
        if touches.contains(.all) { indexes = [] }
        for touch in touches {
            guard case .win(let win) = touch else { continue }
            for place in indexes.indices { try indexes[place].reconsider(win, db) }
        }
        var seen: Set<ActivityID> = []
        let activities = activities.filter { seen.insert($0).inserted }
        if let place = indexes.firstIndex(where: { $0.activities == activities }) {
            indexes.insert(indexes.remove(at: place), at: 0)
            try indexes[0].addNewWins(db)
        } else {
            indexes.insert(try WinnersIndex(of: activities, db), at: 0)
        }
        let index = indexes[0]
        if let touched {
            touched.withLockedValue { $0.remove(before: settledNumber) }
            self.indexes = Self.bounded(indexes)
        }
        return index
    }

    private static func bounded(_ indexes: [WinnersIndex]) -> [WinnersIndex] {
        var winnerCount = 0
        return Array(
            indexes.prefix(maximumIndexCount).enumerated().prefix { position, index in
                winnerCount += index.winnerCount
                return position == 0 || winnerCount <= maximumWinnerCount
            }.map(\.element))
    }
}

extension WinnersIndex {
    /// A page beyond the end is the last one.
    fileprivate func found(page: Int, pageSize: Int) -> WinnersReader.Found {
        let pageCount = (winnerCount + pageSize - 1) / pageSize
        let page = max(1, min(page, pageCount))
        let first = (page - 1) * pageSize
        return WinnersReader.Found(
            page: page, pageCount: pageCount, winnerCount: winnerCount,
            winners: winners(first..<min(first + pageSize, winnerCount)))
    }
}
