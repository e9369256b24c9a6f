public import Activities
public import Basics
internal import Foundation
internal import GRDB
public import Lottery

extension SQLiteStore {
    /// Runs `body` on a reading connection.
    func read<Value: Sendable>(_ body: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await requireReader().read(body)
        } catch {
            throw StoreError(error)
        }
    }

    public func wins(of user: UserID) async throws -> [Win] {
        try await read { db in try fetchWins(of: user, db) }
    }

    public func winners(of activities: [ActivityID], page: Int, pageSize: Int) async throws -> WinnersPage {
        do {
            let listed = Set(activities)
            return try await winnersReader.read(
                of: activities, page: page, pageSize: pageSize, from: requireReader
            ) { found, db in
                let winners = try found.winners.map { receipt in
                    let wins = try fetchWins(ofWinnerAt: receipt, in: listed, db)
                    return WinnersPage.Winner(gameID: wins.first?.gameID ?? "", wins: wins)
                }
                return WinnersPage(
                    page: found.page, pageCount: found.pageCount, winnerCount: found.winnerCount, winners: winners)
            }
        } catch {
            throw StoreError(error)
        }
    }

    public func draw(_ receipt: Receipt) async throws -> StoredDraw? {
        try await read { db in
            guard
                let row = try Row.fetchOne(
                    db, sql: ledgerQuery("l.activity_id = ? AND l.seq = ? AND l.type = 'draw'"),
                    arguments: [receipt.activity.text, receipt.seq])
            else { return nil }
            let ledgerRow = try ledgerRow(row)
            guard case .draw(let entry) = ledgerRow.event else { return nil }
            let voidedAt = try String.fetchOne(
                db, sql: "SELECT voided_at FROM bot_user_award WHERE activity_id = ? AND seq = ?",
                arguments: [receipt.activity.text, receipt.seq])
            return StoredDraw(
                row: ledgerRow, entry: entry, rules: try StoredRules(json: try row.text("rules")).rules,
                commitment: try row.hash("commitment"),
                seed: row["closed_at"] == nil ? nil : try seed(row),
                voidedAt: voidedAt.flatMap { Instant(dateTimeText: $0) })
        }
    }

    public func data(of user: UserID) async throws -> UserData {
        try await read { db in
            UserData(
                user: user,
                gameID: try String.fetchOne(
                    db, sql: "SELECT bind_id FROM bot_activity_user WHERE id = ?",
                    arguments: [user.text]),
                // Voided ones are kept as well.
                wins: try fetchWins(where: "w.user_id = ?", arguments: [user.text], db),
                missCount: try Int.fetchOne(
                    db, sql: "SELECT sum(misses) FROM bot_user_attempt WHERE user_id = ?",
                    arguments: [user.text]) ?? 0,
                messageCount: try Int.fetchOne(
                    db, sql: "SELECT count(*) FROM bot_processed_message WHERE user_id = ?",
                    arguments: [user.text]) ?? 0,
                hasSession: false)
        }
    }

    public func ledger(of activity: ActivityID, from seq: Int64, limit: Int) async throws -> [LedgerRow] {
        try await read { db in
            try Row.fetchAll(
                db, sql: ledgerQuery("l.activity_id = ? AND l.seq >= ? ORDER BY l.seq LIMIT ?"),
                arguments: [activity.text, seq, limit]
            ).map(ledgerRow)
        }
    }

    public func winners(of activity: ActivityID, after seq: Int64, limit: Int) async throws -> [StoredWin] {
        try await read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT w.*, coalesce(a.prefix, '') AS prefix
                    FROM bot_user_award w
                    LEFT JOIN bot_activity_award a ON a.activity_id = w.activity_id AND a.id = w.activity_award_id
                    WHERE w.activity_id = ? AND w.seq > ? ORDER BY w.seq LIMIT ?
                    """, arguments: [activity.text, seq, limit]
            ).map { row in
                StoredWin(
                    receipt: Receipt(activity: activity, seq: row["seq"]),
                    user: (row["user_id"] as String?).map { UserID($0) }, gameID: row["game_id"],
                    award: AwardLabel(
                        id: AwardID(row["activity_award_id"]), prefix: row["prefix"], name: row["award_name"]),
                    wonAt: try instant(row, "created_at"), voidedAt: row.instant("voided_at"))
            }
        }
    }
}

private func fetchWins(of user: UserID, _ db: Database) throws -> [Win] {
    try fetchWins(where: "w.user_id = ? AND w.voided_at IS NULL", arguments: [user.text], db)
}

/// Everything that who won `receipt` has won in these activities; of an erased user, that win alone.
private func fetchWins(
    ofWinnerAt receipt: Receipt, in activities: Set<ActivityID>, _ db: Database
) throws -> [Win] {
    let place: StatementArguments = [receipt.activity.text, receipt.seq]
    if activities.count > 1 {
        let user = try String.fetchOne(
            db.cachedStatement(sql: "SELECT user_id FROM bot_user_award WHERE activity_id = ? AND seq = ?"),
            arguments: place)
        if let user {
            return try fetchWins(of: UserID(user), db).filter { activities.contains($0.receipt.activity) }
        }
    }
    return try fetchWins(where: "w.activity_id = ? AND w.seq = ?", arguments: place, db)
}

private func fetchWins(where condition: String, arguments: StatementArguments, _ db: Database) throws -> [Win] {
    // Prepared once: that takes longer than to run it.
    let statement = try db.cachedStatement(
        sql: """
            SELECT w.activity_id, w.seq, coalesce(a.name, w.activity_id), w.activity_award_id, coalesce(p.prefix, ''),
                w.award_name, w.game_id, w.created_at, w.voided_at
            FROM bot_user_award w
            LEFT JOIN bot_activity_award p ON p.activity_id = w.activity_id AND p.id = w.activity_award_id
            LEFT JOIN bot_activity a ON a.id = w.activity_id
            WHERE \(condition) ORDER BY w.created_at DESC, w.activity_id, w.seq DESC
            """)
    // By the numbers of the columns, and from the statement itself: names and copies of rows take most of the time.
    let rows = try Row.fetchCursor(statement, arguments: arguments)
    var wins: [Win] = []
    while let row = try rows.next() {
        guard let wonAt = Instant(dateTimeText: row[7] as String) else { throw unreadableTime("created_at") }
        wins.append(
            Win(
                activityName: row[2],
                award: AwardLabel(id: AwardID(row[3] as String), prefix: row[4], name: row[5]),
                receipt: Receipt(activity: ActivityID(row[0] as String), seq: row[1]), gameID: row[6], wonAt: wonAt,
                voidedAt: (row[8] as String?).flatMap { Instant(dateTimeText: $0) }))
    }
    return wins
}

private func instant(_ row: Row, _ column: String) throws -> Instant {
    guard let instant = row.instant(column) else { throw unreadableTime(column) }
    return instant
}

private func unreadableTime(_ column: String) -> StoreError {
    StoreError(code: .corrupt, message: "Column \(column) has a time that cannot be read.")
}

// MARK: The ledger

/// Rows of the ledger with their rounds.
func ledgerQuery(_ condition: String) -> String {
    """
    SELECT l.*, r.rules, r.commitment, r.seed, r.closed_at
    FROM bot_draw_ledger l
    LEFT JOIN bot_draw_round r ON r.activity_id = l.activity_id AND r.round = l.round
    WHERE \(condition)
    """
}

private func seed(_ row: Row) throws -> RoundSeed {
    guard let data = row["seed"] as Data?, let seed = RoundSeed(Array(data)) else {
        throw StoreError(code: .corrupt, message: "bot_draw_round has a seed that is not 32 bytes.")
    }
    return seed
}

func ledgerRow(_ row: Row) throws -> LedgerRow {
    let unreadable = StoreError(code: .corrupt, message: "bot_draw_ledger has a row that cannot be read.")
    let event: LedgerEvent
    // Decoded, not subscripted: a round that somebody took out of the file must not end the process.
    switch try row.decode(String.self, forColumn: "type") {
    case "open":
        event = .open(
            round: try row.count("round"), rules: try StoredRules(json: try row.text("rules")).rules,
            commitment: try row.hash("commitment"))
    case "draw":
        event = .draw(
            DrawEntry(
                round: try row.count("round"), user: (row["user_id"] as String?).map { UserID($0) },
                salt: (row["salt"] as Data?).flatMap { Salt(Array($0)) }, userHash: try row.hash("user_hash"),
                attempt: try row.count("attempt"), award: (row["award_id"] as String?).map { AwardID($0) },
                remaining: row["remaining"]))
    case "close": event = .close(round: try row.count("round"), seed: try seed(row))
    case "void":
        guard let receipt = (row["receipt"] as String?).flatMap({ Receipt($0) }),
            let reason = row["reason"] as String?
        else { throw unreadable }
        event = .void(receipt: receipt, reason: reason)
    default: throw unreadable
    }
    return LedgerRow(
        seq: row["seq"], at: Instant(milliseconds: row["at_ms"]), event: event, hash: try row.hash("hash"))
}
