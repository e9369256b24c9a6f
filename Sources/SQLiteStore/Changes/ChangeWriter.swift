internal import Activities
internal import Basics
internal import GRDB
internal import Lottery
internal import TrafficGate

/// Writes a batch's ``Changes`` on the writer's connection, inside its transaction.
///
/// What every draw writes goes through prepared statements and grows at its end, but for the one index that promises a
/// single win per user. The rest is rare and goes through GRDB.
final class ChangeWriter {
    private let ledger: BulkInsert
    private let wins: BulkInsert
    private let issued: RawStatement
    private let counters: RawStatement
    private let attempts: BulkInsert
    private let bind: RawStatement
    private let unbind: RawStatement
    private let messages: BulkInsert
    private let delivery: RawStatement
    /// Old messages that go with one batch, of each kind.
    private static let forgottenMessageCount = 2_000
    /// Hours of statistics that are looked at with one batch.
    private static let thinnedHourCount = 24
    /// The hours before this one have been thinned.
    private var firstUnthinnedHour = ""
    /// Wins of users who were erased.
    private var erasedWins: [Receipt] = []
    private let journal: BulkInsert
    private let participants: BulkInsert

    init(_ db: Database) throws {
        ledger = try BulkInsert(
            into: "bot_draw_ledger",
            columns: [
                "activity_id", "seq", "type", "at_ms", "round", "user_id", "salt", "user_hash", "attempt", "award_id",
                "remaining", "previous_seq", "receipt", "reason", "hash",
            ], on: db)
        wins = try BulkInsert(
            into: "bot_user_award",
            columns: [
                "activity_id", "seq", "user_id", "activity_award_id", "award_name", "game_id", "game_id_key",
                "created_at",
            ], on: db)
        issued = try RawStatement(
            "UPDATE bot_activity_award SET issued = issued + ?3 WHERE activity_id = ?1 AND id = ?2", on: db)
        counters = try RawStatement(
            "UPDATE bot_activity SET user_count = user_count + ?2, draw_count = draw_count + ?3 WHERE id = ?1", on: db)
        attempts = try BulkInsert(
            into: "bot_user_attempt", columns: ["user_id", "activity_id", "misses", "voids", "last_seq"],
            conflict: """
                ON CONFLICT DO UPDATE SET misses = excluded.misses, voids = excluded.voids,
                    last_seq = excluded.last_seq
                """, on: db)
        bind = try RawStatement(
            """
            INSERT INTO bot_activity_user (id, bind_id, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
            ON CONFLICT DO UPDATE SET bind_id = excluded.bind_id, updated_at = excluded.updated_at
            """, on: db)
        unbind = try RawStatement("DELETE FROM bot_activity_user WHERE id = ?1", on: db)
        messages = try BulkInsert(
            into: "bot_processed_message",
            columns: [
                "sent_at_ms", "message_key", "user_id", "chat_id", "command", "code", "receipt", "parameters",
                "processed_at_ms", "endpoint", "destination", "delivery",
            ], on: db)
        // Of an erasure nothing may stay that names the user, and its address does.
        delivery = try RawStatement(
            """
            UPDATE bot_processed_message SET delivery = ?3, destination = iif(user_id = '', NULL, destination)
            WHERE sent_at_ms = ?1 AND message_key = ?2
            """, on: db)
        journal = try BulkInsert(
            into: "redpacket_session_journal",
            columns: [
                "id", "session_id", "user_id", "ip_address", "join_time_ms", "leave_time_ms", "last_heartbeat_ms",
                "status", "queue_position", "queue_ticket",
            ], on: db)
        participants = try BulkInsert(
            into: "redpacket_activity_participants",
            columns: [
                "session_id", "user_id", "ip_address", "join_time", "leave_time", "last_heartbeat", "status",
                "queue_position", "queue_ticket", "created_at", "updated_at",
            ], conflict: Schema.replacesSession, on: db)
    }

    /// Writes what ``FactQuery`` asks about, so that the batch behind this one can be decided while the rest is written.
    ///
    /// But for two things, which are rare: what a void asks of the ledger, and what an erasure takes away.
    func writeFacts(_ changes: Changes, _ db: Database) throws {
        for record in changes.activities { try write(record, db) }
        for voided in changes.voidedWins { try write(voided, db) }
        try writeWins(changes.wins, voided: changes.voidedWins, db)
        for (key, participation) in changes.participations {
            attempts.rows.append(key.user.text)
            attempts.rows.append(key.activity.text)
            attempts.rows.append(Int64(participation.missCount))
            attempts.rows.append(Int64(participation.voidCount))
            attempts.rows.append(participation.lastSeq)
            try attempts.endRow()
        }
        try attempts.run()
        try writeBindings(changes.bindings, db)
        for processed in changes.messages { try write(processed) }
        try messages.run()
        for (key, value) in changes.configuration {
            try db.execute(
                sql: """
                    INSERT INTO redpacket_traffic_config (config_key, config_value) VALUES (?, ?)
                    ON CONFLICT (config_key) DO UPDATE SET config_value = excluded.config_value, is_active = 1,
                        updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
                    """, arguments: [key, value])
        }
    }

    /// Writes what ``writeFacts(_:_:)`` has left, in the same transaction.
    func writeRest(_ changes: Changes, _ db: Database) throws {
        for round in changes.newRounds { try write(round, db) }
        for round in changes.closedRounds {
            try db.execute(
                sql: "UPDATE bot_draw_round SET closed_at = ? WHERE activity_id = ? AND round = ?",
                arguments: [round.closedAt.dateTimeText(), round.activity.text, Int64(round.round)])
        }
        for entry in changes.ledger { try write(entry) }
        try ledger.run()
        for (activity, progress) in changes.progress { try write(progress, of: activity) }
        for (key, result) in changes.deliveries {
            delivery.bind(1, key.sentAt?.milliseconds ?? 0)
            delivery.bind(2, key.text)
            delivery.bind(3, result.rawValue)
            try delivery.run()
        }
        for (index, participant) in changes.journal.enumerated() {
            try writeJournal(participant, number: changes.firstJournalNumber + Int64(index))
        }
        try journal.run()
        for participant in changes.participants { try write(participant) }
        try participants.run()
        if let number = changes.savedJournalNumber {
            try db.execute(sql: "DELETE FROM redpacket_session_journal WHERE id <= ?", arguments: [number])
        }
        for row in changes.statistics { try write(row, db) }
        for entry in changes.audit { try write(entry, db) }
        for erasure in changes.erasures { try erase(erasure, db) }
        if let moment = changes.forgetMessagesBefore { try forgetMessages(before: moment, db) }
        if let moment = changes.thinStatisticsBefore { try thinStatistics(before: moment, db) }
    }

    /// The wins whose users were erased since this was asked last.
    func takeErasedWins() -> [Receipt] {
        defer { erasedWins = [] }
        return erasedWins
    }

    // MARK: Activities

    private func write(_ record: ActivityRecord, _ db: Database) throws {
        let activity = record.activity
        try db.execute(
            sql: """
                INSERT INTO bot_activity (id, name, status, scope, max_attempts, one_win_per_game_id, starts_at, ends_at,
                    starts_at_used, ends_at_used, opened_at)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status, scope = excluded.scope,
                    max_attempts = excluded.max_attempts, one_win_per_game_id = excluded.one_win_per_game_id,
                    starts_at = excluded.starts_at, ends_at = excluded.ends_at,
                    starts_at_used = excluded.starts_at_used, ends_at_used = excluded.ends_at_used,
                    opened_at = excluded.opened_at, updated_at = strftime('%Y-%m-%d %H:%M:%f', 'now')
                """,
            arguments: [
                activity.id.text, activity.name, record.status.rawValue, activity.scope.storedText,
                activity.maxAttempts, activity.oneWinPerGameID, activity.startsAt?.dateTimeText(),
                activity.endsAt?.dateTimeText(), record.isStartUsed, record.isEndUsed,
                record.openedAt?.dateTimeText(),
            ])
        let ids = activity.awards.map(\.id.text)
        let placeholders = databaseQuestionMarks(count: ids.count)
        // A foreign key would look for the award with every win; so it is looked for when an award goes.
        let removed = "activity_id = ? AND id NOT IN (\(placeholders))"
        let arguments = [activity.id.text] + StatementArguments(ids)
        let isWon = try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM bot_user_award WHERE (activity_id, activity_award_id) IN
                    (SELECT activity_id, id FROM bot_activity_award WHERE \(removed)))
                """, arguments: arguments)
        if isWon == true { throw StoreError(code: .constraint, message: "An award that was won cannot be removed.") }
        try db.execute(sql: "DELETE FROM bot_activity_award WHERE \(removed)", arguments: arguments)
        for (position, award) in activity.awards.enumerated() {
            try db.execute(
                sql: "INSERT INTO bot_award (name, remark) VALUES (?, ?) ON CONFLICT DO NOTHING",
                arguments: [award.name, award.remark])
            try db.execute(
                sql: """
                    INSERT INTO bot_activity_award (activity_id, id, award_id, position, kind, percent_ppm, prefix, number)
                    SELECT ?, ?, id, ?, ?, ?, ?, ? FROM bot_award WHERE name = ? AND remark = ?
                    ON CONFLICT (activity_id, id) DO UPDATE SET award_id = excluded.award_id,
                        position = excluded.position, kind = excluded.kind, percent_ppm = excluded.percent_ppm,
                        prefix = excluded.prefix, number = excluded.number
                    """,
                arguments: [
                    activity.id.text, award.id.text, position, award.kind.name, award.percent.partsPerMillion,
                    award.prefix, award.number, award.name, award.remark,
                ])
        }
        if activity.oneWinPerGameID { try fillGameIDKeys(of: activity.id, db) }
    }

    /// Wins from a time when the activity did not ask for one win per game id count as well.
    private func fillGameIDKeys(of activity: ActivityID, _ db: Database) throws {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT seq, game_id FROM bot_user_award
                WHERE activity_id = ? AND game_id_key IS NULL AND user_id IS NOT NULL
                """, arguments: [activity.text])
        for row in rows {
            try db.execute(
                sql: "UPDATE bot_user_award SET game_id_key = ? WHERE activity_id = ? AND seq = ?",
                arguments: [GameID(stored: row["game_id"]).folded, activity.text, row["seq"] as Int64])
        }
    }

    private func write(_ round: Changes.NewRound, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO bot_draw_round (activity_id, round, rules, commitment, seed, opened_at)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                round.rules.activity.text, Int64(round.round.round), try StoredRules(round.rules).json(),
                bytes(round.round.commitment.bytes), bytes(round.round.seed.bytes), round.openedAt.dateTimeText(),
            ])
    }

    private func write(_ progress: Changes.Progress, of activity: ActivityID) throws {
        counters.bind(1, activity.text)
        counters.bind(2, Int64(progress.userCount))
        counters.bind(3, Int64(progress.drawCount))
        try counters.run()
        for (award, count) in progress.issued {
            issued.bind(1, activity.text)
            issued.bind(2, award.text)
            issued.bind(3, Int64(count))
            try issued.run()
            guard issued.changedCount == 1 else {
                throw StoreError(code: .constraint, message: "A win of an award that is not in the database.")
            }
        }
    }

    // MARK: Draws

    private func write(_ entry: Changes.LedgerEntry) throws {
        let row = entry.row
        let type: String
        var round: UInt32?
        var draw: DrawEntry?
        var receipt: Receipt?
        var reason: String?
        switch row.event {
        case .open(let number, _, _): (type, round) = ("open", number)
        case .draw(let entry): (type, round, draw) = ("draw", entry.round, entry)
        case .close(let number, _): (type, round) = ("close", number)
        case .void(let voided, let why): (type, receipt, reason) = ("void", voided, why)
        }
        ledger.rows.append(entry.activity.text)
        ledger.rows.append(row.seq)
        ledger.rows.append(type)
        ledger.rows.append(row.at.milliseconds)
        ledger.rows.append(round.map { Int64($0) })
        ledger.rows.append(draw?.user?.text)
        ledger.rows.append(draw?.salt)
        ledger.rows.append(draw?.userHash)
        ledger.rows.append(draw.map { Int64($0.attempt) })
        ledger.rows.append(draw?.award?.text)
        ledger.rows.append(draw?.remaining.map { Int64($0) })
        ledger.rows.append(entry.previousSeq)
        ledger.rows.append(receipt?.description)
        ledger.rows.append(reason)
        ledger.rows.append(row.hash)
        try ledger.endRow()
    }

    /// - Parameter voided: Those of the same batch that take one of `new` back are written right behind it, so that the
    ///   user may have won again behind them.
    private func writeWins(_ new: [Changes.NewWin], voided: [Changes.VoidedWin], _ db: Database) throws {
        var formatted: (at: Instant, text: String)?
        for win in new {
            if formatted?.at != win.wonAt { formatted = (win.wonAt, win.wonAt.dateTimeText()) }
            wins.rows.append(win.receipt.activity.text)
            wins.rows.append(win.receipt.seq)
            wins.rows.append(win.user.text)
            wins.rows.append(win.award.text)
            wins.rows.append(win.awardName)
            wins.rows.append(win.gameID.text)
            wins.rows.append(win.gameIDKey)
            wins.rows.append(formatted?.text)
            try wins.endRow()
            for voided in voided where voided.receipt == win.receipt {
                try wins.run()
                try write(voided, db)
            }
        }
        try wins.run()
    }

    /// Does nothing when the win is not there yet, or voided already.
    private func write(_ voided: Changes.VoidedWin, _ db: Database) throws {
        try db.execute(
            sql: """
                UPDATE bot_user_award SET voided_at = ?, void_reason = ?
                WHERE activity_id = ? AND seq = ? AND voided_at IS NULL
                """,
            arguments: [
                voided.at.dateTimeText(), voided.reason, voided.receipt.activity.text, voided.receipt.seq,
            ])
    }

    private func writeBindings(_ bindings: [UserID: GameID?], _ db: Database) throws {
        guard !bindings.isEmpty else { return }
        let now = try String.fetchOne(db, sql: "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')") ?? ""
        for (user, gameID) in bindings {
            if let gameID {
                bind.bind(1, user.text)
                bind.bind(2, gameID.text)
                bind.bind(3, now)
                try bind.run()
            } else {
                unbind.bind(1, user.text)
                try unbind.run()
            }
        }
    }

    private func write(_ processed: ProcessedMessage) throws {
        messages.rows.append(processed.key.sentAt?.milliseconds ?? 0)
        messages.rows.append(processed.key.text)
        messages.rows.append(processed.user.text)
        messages.rows.append(processed.chat?.text)
        messages.rows.append(processed.fingerprint)
        messages.rows.append(processed.answer.code.rawValue)
        messages.rows.append(processed.answer.receipt?.description)
        messages.rows.append(processed.answer.parameters)
        messages.rows.append(processed.at.milliseconds)
        messages.rows.append(processed.destination?.endpoint)
        messages.rows.append(processed.destination?.address)
        messages.rows.append(processed.delivery?.rawValue)
        try messages.endRow()
    }

    // MARK: Gate

    private func writeJournal(_ participant: Participant, number: Int64) throws {
        journal.rows.append(number)
        journal.rows.append(participant.session.text)
        journal.rows.append(participant.user?.text)
        journal.rows.append(participant.ipAddress)
        journal.rows.append(participant.joinTime.milliseconds)
        journal.rows.append(participant.leaveTime?.milliseconds)
        journal.rows.append(participant.lastHeartbeat.milliseconds)
        journal.rows.append(participant.status.rawValue)
        journal.rows.append(participant.queuePosition.map { Int64($0) })
        journal.rows.append(participant.ticket.map { Int64(clamping: $0) })
        try journal.endRow()
    }

    private func write(_ row: Participant) throws {
        let heartbeat = row.lastHeartbeat.dateTimeText()
        participants.rows.append(row.session.text)
        participants.rows.append(row.user?.text)
        participants.rows.append(row.ipAddress)
        participants.rows.append(row.joinTime.dateTimeText())
        participants.rows.append(row.leaveTime?.dateTimeText())
        participants.rows.append(heartbeat)
        participants.rows.append(row.status.rawValue)
        participants.rows.append(row.queuePosition.map { Int64($0) })
        participants.rows.append(row.ticket.map { Int64(clamping: $0) })
        participants.rows.append(heartbeat)
        participants.rows.append(heartbeat)
        try participants.endRow()
    }

    private func write(_ row: GateStatistics, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO redpacket_traffic_stats (stat_time, active_users, queued_users, total_requests,
                    rejected_requests, average_session_time)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                row.at.dateTimeText(), row.activeUsers, row.queuedUsers, row.totalRequests, row.rejectedRequests,
                row.averageSessionSeconds,
            ])
    }

    // MARK: Audit, erasure, retention

    private func write(_ entry: Changes.Audit, _ db: Database) throws {
        try db.execute(
            sql: """
                INSERT INTO bot_audit_log (at, actor, chat_id, action, target, before, after, result)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                entry.at.dateTimeText(), entry.actor, entry.chat?.text, entry.action, entry.target, entry.before,
                entry.after, entry.result.rawValue,
            ])
    }

    /// Unlinks a user from all that is kept: salt, id, game id, binding, sessions, stored answers. The hashes of the
    /// ledger stay, so its chain holds.
    private func erase(_ erasure: Changes.Erasure, _ db: Database) throws {
        let user = erasure.user.text
        for (activity, digest) in erasure.digests {
            for seq in try ledgerRows(of: user, in: activity, db) {
                try db.execute(
                    sql: """
                        UPDATE bot_draw_ledger SET user_id = NULL, salt = NULL, previous_seq = NULL
                        WHERE activity_id = ?1 AND seq = ?2
                        """, arguments: [activity.text, seq])
                try db.execute(
                    sql: """
                        UPDATE bot_user_award SET user_id = NULL, game_id = '', game_id_key = NULL
                        WHERE activity_id = ?1 AND seq = ?2
                        """, arguments: [activity.text, seq])
                if db.changesCount > 0 { erasedWins.append(Receipt(activity: activity, seq: seq)) }
            }
            try db.execute(
                sql: "INSERT INTO bot_erased_user (activity_id, digest) VALUES (?, ?) ON CONFLICT DO NOTHING",
                arguments: [activity.text, bytes(digest.bytes)])
        }
        try db.execute(sql: "DELETE FROM bot_user_attempt WHERE user_id = ?", arguments: [user])
        try db.execute(sql: "DELETE FROM bot_activity_user WHERE id = ?", arguments: [user])
        try db.execute(sql: "DELETE FROM bot_processed_message WHERE user_id = ?", arguments: [user])
        let sessions = try erasure.sessions.map(\.text) + latestSessions(of: user, db)
        for table in ["redpacket_activity_participants", "redpacket_session_journal"] {
            try db.execute(sql: "DELETE FROM \(table) WHERE user_id = ?1", arguments: [user])
            for session in sessions {
                try db.execute(sql: "DELETE FROM \(table) WHERE session_id = ?1", arguments: [session])
            }
        }
        try db.execute(sql: "UPDATE bot_audit_log SET actor = 'erased' WHERE actor = ?", arguments: [user])
    }

    /// The sessions whose latest row names the user. Were an earlier row of one to stay, it would be a session again.
    private func latestSessions(of user: String, _ db: Database) throws -> [String] {
        try String.fetchAll(
            db,
            sql: """
                SELECT session_id FROM redpacket_session_journal AS j
                WHERE user_id = ?1
                    AND id = (SELECT max(id) FROM redpacket_session_journal WHERE session_id = j.session_id)
                UNION
                SELECT session_id FROM redpacket_activity_participants
                WHERE user_id = ?1 AND session_id NOT IN (SELECT session_id FROM redpacket_session_journal)
                """, arguments: [user])
    }

    /// A user's rows, along the list that runs through the ledger from their live win and their latest other attempt.
    private func ledgerRows(of user: String, in activity: ActivityID, _ db: Database) throws -> [Int64] {
        try Int64.fetchAll(
            db,
            sql: """
                WITH RECURSIVE own (seq) AS (
                    SELECT seq FROM bot_user_award WHERE user_id = ?1 AND activity_id = ?2 AND voided_at IS NULL
                    UNION
                    SELECT last_seq FROM bot_user_attempt
                    WHERE user_id = ?1 AND activity_id = ?2 AND last_seq IS NOT NULL
                    UNION
                    SELECT l.previous_seq FROM own JOIN bot_draw_ledger l ON l.activity_id = ?2 AND l.seq = own.seq
                    WHERE l.previous_seq IS NOT NULL
                )
                SELECT seq FROM own
                """, arguments: [user, activity.text])
    }

    private func forgetMessages(before moment: Instant, _ db: Database) throws {
        // A message's own time may lie a day before its arrival; those without one have only the arrival.
        for condition in ["sent_at_ms > 0 AND sent_at_ms < ?", "sent_at_ms = 0 AND processed_at_ms < ?"] {
            try db.execute(
                sql: """
                    DELETE FROM bot_processed_message WHERE (sent_at_ms, message_key) IN
                        (SELECT sent_at_ms, message_key FROM bot_processed_message WHERE \(condition) LIMIT ?)
                    """, arguments: [moment.milliseconds, Self.forgottenMessageCount])
        }
    }

    /// The last row of an hour stands for all of it: the greatest numbers of users, all requests, the mean of the means.
    private func thinStatistics(before moment: Instant, _ db: Database) throws {
        let end = Self.hour(moment.dateTimeText())
        for _ in 0..<Self.thinnedHourCount {
            let first = try String.fetchOne(
                db, sql: "SELECT min(stat_time) FROM redpacket_traffic_stats WHERE stat_time >= ? AND stat_time < ?",
                arguments: [firstUnthinnedHour, end])
            guard let hour = first.map(Self.hour) else { return }
            // A semicolon follows the colon.
            let nextHour = hour + ";"
            try db.execute(
                sql: """
                    WITH hour AS (
                        SELECT * FROM redpacket_traffic_stats WHERE stat_time >= ?1 AND stat_time < ?2
                    )
                    UPDATE redpacket_traffic_stats SET active_users = (SELECT max(active_users) FROM hour),
                        queued_users = (SELECT max(queued_users) FROM hour),
                        total_requests = (SELECT sum(total_requests) FROM hour),
                        rejected_requests = (SELECT sum(rejected_requests) FROM hour),
                        average_session_time = (SELECT CAST(round(avg(average_session_time)) AS INTEGER) FROM hour)
                    WHERE id = (SELECT max(id) FROM hour) AND (SELECT count(*) FROM hour) > 1
                    """, arguments: [hour, nextHour])
            try db.execute(
                sql: """
                    DELETE FROM redpacket_traffic_stats WHERE stat_time >= ?1 AND stat_time < ?2 AND id < (
                        SELECT max(id) FROM redpacket_traffic_stats WHERE stat_time >= ?1 AND stat_time < ?2)
                    """, arguments: [hour, nextHour])
            firstUnthinnedHour = nextHour
        }
    }

    /// `2027-02-10 04` of `2027-02-10 04:00:30.000`.
    private static func hour(_ dateTime: String) -> String { String(dateTime.prefix(13)) }
}
