public import Activities
internal import Basics
internal import Foundation
internal import GRDB
internal import Lottery
internal import TrafficGate

extension SQLiteStore {
    public func load() async throws -> StoredState {
        do {
            return try await requireReader().read { db in
                let key = try Data.fetchOne(db, sql: "SELECT value FROM bot_secret WHERE name = 'erasure_key'")
                guard let key else {
                    throw StoreError(code: .corrupt, message: "The table bot_secret has lost its key.")
                }
                return StoredState(
                    activities: try Row.fetchAll(db, sql: "SELECT * FROM bot_activity ORDER BY id")
                        .map { try activityRecord($0, db) },
                    participants: try participants(db), configuration: try ConfigurationRow.fetchAll(db),
                    erasureKey: Array(key), newestMessageAt: try newestMessageAt(db))
            }
        } catch {
            throw StoreError(error)
        }
    }
}

/// Both at the end of an index.
private func newestMessageAt(_ db: Database) throws -> Instant? {
    try [
        "SELECT max(sent_at_ms) FROM bot_processed_message WHERE sent_at_ms > 0",
        "SELECT max(processed_at_ms) FROM bot_processed_message WHERE sent_at_ms = 0",
    ].compactMap { try Int64.fetchOne(db, sql: $0) }.max().map { Instant(milliseconds: $0) }
}

private func activityRecord(_ row: Row, _ db: Database) throws -> ActivityRecord {
    let id = ActivityID(row["id"])
    guard isValidID(id.text) else {
        throw StoreError(code: .corrupt, message: "bot_activity has an id that no activity can have.")
    }
    let awardRows = try Row.fetchAll(
        db,
        sql: """
            SELECT a.*, b.name AS award_name, b.remark FROM bot_activity_award a JOIN bot_award b ON b.id = a.award_id
            WHERE a.activity_id = ? ORDER BY a.position
            """, arguments: [id.text])
    let awards = try awardRows.map { row in
        guard let kind = AwardKind(name: row["kind"] as String),
            let percent = Percent(partsPerMillion: row["percent_ppm"])
        else { throw StoreError(code: .corrupt, message: "bot_activity_award has an award that cannot be read.") }
        return ActivityAward(
            id: AwardID(row["id"]), kind: kind, percent: percent, prefix: row["prefix"], name: row["award_name"],
            remark: row["remark"], number: try row.count("number"))
    }
    let activity = Activity(
        id: id, name: row["name"], scope: try Scope(storedText: row["scope"]),
        maxAttempts: row["max_attempts"] == nil ? nil : Int(try row.count("max_attempts") as Int32),
        oneWinPerGameID: row["one_win_per_game_id"], startsAt: row.instant("starts_at"),
        endsAt: row.instant("ends_at"), awards: awards)
    guard let status = ActivityStatus(rawValue: row["status"]) else {
        throw StoreError(code: .corrupt, message: "bot_activity has a status that cannot be read.")
    }
    let lastRound = try Row.fetchOne(
        db, sql: "SELECT * FROM bot_draw_round WHERE activity_id = ? ORDER BY round DESC LIMIT 1",
        arguments: [id.text])
    let round = try lastRound.flatMap { try openRound($0) }
    guard status != .active || round != nil else {
        throw StoreError(code: .corrupt, message: "bot_activity has an open activity without an open round.")
    }
    let erasedCount = try Int.fetchOne(
        db, sql: "SELECT EXISTS (SELECT 1 FROM bot_erased_user WHERE activity_id = ?)", arguments: [id.text])
    return ActivityRecord(
        activity: activity, status: status, issued: try awardRows.map { try $0.count("issued") },
        head: try head(of: id, db),
        lastRound: try lastRound?.count("round") ?? 0, openRound: round,
        openedAt: row.instant("opened_at"), isStartUsed: row["starts_at_used"], isEndUsed: row["ends_at_used"],
        userCount: row["user_count"], drawCount: row["draw_count"], hasErasedUsers: erasedCount == 1)
}

private func openRound(_ row: Row) throws -> OpenRound? {
    guard row["closed_at"] == nil else { return nil }
    guard let seed = RoundSeed(Array(row["seed"] as Data)) else {
        throw StoreError(code: .corrupt, message: "bot_draw_round has a seed that is not 32 bytes.")
    }
    return OpenRound(round: try row.count("round"), seed: seed, commitment: try row.hash("commitment"))
}

private func head(of id: ActivityID, _ db: Database) throws -> LedgerHead {
    let row = try Row.fetchOne(
        db, sql: "SELECT seq, at_ms, hash FROM bot_draw_ledger WHERE activity_id = ? ORDER BY seq DESC LIMIT 1",
        arguments: [id.text])
    guard let row else { return .empty }
    return LedgerHead(
        nextSeq: try row.count("seq") + 1, hash: try row.hash("hash"), at: Instant(milliseconds: row["at_ms"]))
}

/// The live sessions: the latest entry of the journal counts, else the table.
private func participants(_ db: Database) throws -> [Participant] {
    try Row.fetchAll(
        db,
        sql: """
            WITH latest AS (
                SELECT * FROM redpacket_session_journal
                WHERE id IN (SELECT max(id) FROM redpacket_session_journal GROUP BY session_id)
            )
            SELECT session_id, user_id, ip_address, join_time,
                last_heartbeat, status, queue_position, queue_ticket
            FROM redpacket_activity_participants
            WHERE status IN ('active', 'queued') AND session_id NOT IN (SELECT session_id FROM latest)
            UNION ALL
            SELECT session_id, user_id, ip_address, \(Schema.dateTime("join_time_ms")),
                \(Schema.dateTime("last_heartbeat_ms")), status, queue_position, queue_ticket
            FROM latest WHERE status IN ('active', 'queued')
            ORDER BY queue_ticket
            """
    ).map { row in
        let unreadable = StoreError(code: .corrupt, message: "A session of the gate cannot be read.")
        guard let joinTime = row.instant("join_time"), let lastHeartbeat = row.instant("last_heartbeat"),
            let status = ParticipantStatus(rawValue: row["status"]), let session = (row["session_id"] as String?)
        else { throw unreadable }
        return Participant(
            session: SessionID(session), user: (row["user_id"] as String?).map { UserID($0) },
            ipAddress: row["ip_address"], joinTime: joinTime, lastHeartbeat: lastHeartbeat, status: status,
            ticket: (row["queue_ticket"] as Int64?).map { UInt64(clamping: $0) },
            queuePosition: row["queue_position"])
    }
}
