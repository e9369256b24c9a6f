internal import Activities
internal import Basics
internal import GRDB
internal import Lottery

/// Answers a ``FactQuery`` on the writer's connection: one look-up by index per entry, all of a kind in one statement.
final class FactReader {
    private let messageRows: BulkRows
    private let messages: RawStatement
    private let bindingRows: BulkRows
    private let bindings: RawStatement
    private let participationRows: BulkRows
    private let participations: RawStatement
    private let gameIDWinner: RawStatement
    private let erased: RawStatement
    private let dataVersion: RawStatement
    /// SQLite's mark of what other connections have committed.
    private var seenDataVersion: Int64?

    init(_ db: Database) throws {
        messageRows = try BulkRows("asked_messages", width: 2, on: db)
        messages = try RawStatement(
            """
            SELECT r.rowid, m.user_id, m.chat_id, m.command, m.code, m.receipt, m.parameters, m.processed_at_ms
            FROM asked_messages r CROSS JOIN bot_processed_message m ON m.sent_at_ms = r.c0 AND m.message_key = r.c1
            """, on: db)
        bindingRows = try BulkRows("asked_bindings", width: 1, on: db)
        bindings = try RawStatement(
            "SELECT r.rowid, u.bind_id FROM asked_bindings r CROSS JOIN bot_activity_user u ON u.id = r.c0", on: db)
        participationRows = try BulkRows("asked_participations", width: 2, on: db)
        participations = try RawStatement(
            """
            SELECT r.rowid, w.seq, w.activity_award_id, w.game_id, w.created_at, a.misses, a.voids, a.last_seq
            FROM asked_participations r
                LEFT JOIN bot_user_award w
                    ON w.user_id = r.c0 AND w.activity_id = r.c1 AND w.voided_at IS NULL
                LEFT JOIN bot_user_attempt a ON a.user_id = r.c0 AND a.activity_id = r.c1
            """, on: db)
        gameIDWinner = try RawStatement(
            """
            SELECT user_id FROM bot_user_award
            WHERE activity_id = ?1 AND game_id_key = ?2 AND game_id_key IS NOT NULL AND voided_at IS NULL LIMIT 1
            """, on: db)
        erased = try RawStatement("SELECT 1 FROM bot_erased_user WHERE activity_id = ?1 AND digest = ?2", on: db)
        dataVersion = try RawStatement("PRAGMA data_version", on: db)
    }

    func facts(for query: FactQuery, _ db: Database) throws -> Facts {
        var facts = Facts()
        facts.configuration = try changedConfiguration(db)
        // Deciding adds what each request leads to.
        facts.bindings.reserveCapacity(query.bindings.count)
        facts.participations.reserveCapacity(query.participations.count)
        try readMessages(query.messages, &facts)
        try readBindings(query.bindings, &facts)
        try readParticipations(query.participations, &facts)
        for (key, digest) in query.erased where try isErased(key, digest) {
            facts.participations[key, default: Participation()].isErased = true
        }
        if !query.activitiesByGameID.isEmpty {
            for key in query.participations where query.activitiesByGameID.contains(key.activity) {
                guard let gameID = facts.bindings[key.user] else { continue }
                try findWinner(GameIDKey(activity: key.activity, folded: gameID.folded), &facts)
            }
        }
        for key in query.gameIDs { try findWinner(key, &facts) }
        if let receipt = query.receipt { facts.voidable = try voidable(receipt, db) }
        if let activity = query.wonAwardsOf {
            let ids = try String.fetchAll(
                db, sql: "SELECT DISTINCT activity_award_id FROM bot_user_award WHERE activity_id = ?",
                arguments: [activity.text])
            facts.wonAwards = Set(ids.map { AwardID($0) })
        }
        for user in query.erasing {
            let ids = try String.fetchAll(
                db,
                sql: """
                    SELECT activity_id FROM bot_user_award WHERE user_id = ?1 AND voided_at IS NULL
                    UNION SELECT activity_id FROM bot_user_attempt WHERE user_id = ?1
                    """, arguments: [user.text])
            facts.activitiesOfErasing[user] = ids.map { ActivityID($0) }
        }
        return facts
    }

    // Each statement's first column is the place of what was asked.

    private func readMessages(_ keys: [MessageKey], _ facts: inout Facts) throws {
        for key in keys {
            messageRows.append(key.sentAt?.milliseconds ?? 0)
            messageRows.append(key.text)
        }
        defer { messageRows.removeAll() }
        if keys.isEmpty { return }
        try messages.readAll { row in
            let key = keys[Int(row.integer(0) ?? 0)]
            facts.messages[key] = ProcessedMessage(
                key: key, user: UserID(row.text(1) ?? ""), chat: row.text(2).map { ChatID($0) },
                fingerprint: row.text(3) ?? "",
                answer: StoredAnswer(
                    code: row.text(4).flatMap(OutcomeCode.init(rawValue:)) ?? .badArgument,
                    receipt: row.text(5).flatMap { Receipt($0) }, parameters: row.text(6)),
                at: Instant(milliseconds: row.integer(7) ?? 0))
        }
    }

    private func readBindings(_ users: [UserID], _ facts: inout Facts) throws {
        for user in users { bindingRows.append(user.text) }
        defer { bindingRows.removeAll() }
        if users.isEmpty { return }
        try bindings.readAll { row in
            facts.bindings[users[Int(row.integer(0) ?? 0)]] = GameID(stored: row.text(1) ?? "")
        }
    }

    private func readParticipations(_ keys: [ParticipationKey], _ facts: inout Facts) throws {
        for key in keys {
            participationRows.append(key.user.text)
            participationRows.append(key.activity.text)
        }
        defer { participationRows.removeAll() }
        if keys.isEmpty { return }
        try participations.readAll { row in
            let key = keys[Int(row.integer(0) ?? 0)]
            let win = row.integer(1).map { Self.win(key.activity, seq: $0, row, at: 2) }
            let attempts = try Self.attempts(row, at: 5, win: win)
            if let found = attempts ?? win.map({ Participation(win: $0) }) { facts.participations[key] = found }
        }
    }

    private static func win(_ activity: ActivityID, seq: Int64, _ row: RawStatement, at column: Int32) -> WinFact {
        WinFact(
            receipt: Receipt(activity: activity, seq: seq), award: AwardID(row.text(column) ?? ""),
            gameID: GameID(stored: row.text(column + 1) ?? ""),
            wonAt: row.text(column + 2).flatMap { Instant(dateTimeText: $0) } ?? Instant(milliseconds: 0))
    }

    /// Nil where there are none.
    private static func attempts(_ row: RawStatement, at column: Int32, win: WinFact?) throws -> Participation? {
        guard let misses = row.integer(column), let voids = row.integer(column + 1) else { return nil }
        guard 0..<countLimit ~= misses, 0..<countLimit ~= voids else {
            throw StoreError(code: .corrupt, message: "bot_user_attempt has a count that nobody can reach.")
        }
        return Participation(
            win: win, missCount: Int(misses), voidCount: Int(voids), lastSeq: row.integer(column + 2))
    }

    private func isErased(_ key: ParticipationKey, _ digest: Hash) throws -> Bool {
        erased.bind(1, key.activity.text)
        erased.bind(2, digest)
        return try erased.first { _ in true } == true
    }

    private func findWinner(_ key: GameIDKey, _ facts: inout Facts) throws {
        gameIDWinner.bind(1, key.activity.text)
        gameIDWinner.bind(2, key.folded)
        if let user = try gameIDWinner.first({ $0.text(0) ?? "" }) { facts.winnersByGameID[key] = UserID(user) }
    }

    private func voidable(_ receipt: Receipt, _ db: Database) throws -> VoidableDraw? {
        guard
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT l.user_id, l.award_id, w.voided_at IS NOT NULL AS is_voided
                    FROM bot_draw_ledger l LEFT JOIN bot_user_award w USING (activity_id, seq)
                    WHERE l.activity_id = ? AND l.seq = ? AND l.type = 'draw'
                    """, arguments: [receipt.activity.text, receipt.seq])
        else { return nil }
        let user = (row["user_id"] as String?).map { UserID($0) }
        var participation = Participation()
        if let user {
            let key = ParticipationKey(user: user, activity: receipt.activity)
            var found = Facts()
            try readParticipations([key], &found)
            participation = found.participations[key] ?? Participation()
        }
        return VoidableDraw(
            receipt: receipt, user: user, award: (row["award_id"] as String?).map { AwardID($0) },
            isVoided: row["is_voided"], participation: participation)
    }

    /// The configuration, when another program has committed since the last look; else nil.
    private func changedConfiguration(_ db: Database) throws -> [ConfigurationRow]? {
        let version = try dataVersion.first { $0.integer(0) ?? 0 }
        defer { seenDataVersion = version }
        if seenDataVersion == version { return nil }
        return try ConfigurationRow.fetchAll(db)
    }
}

extension ConfigurationRow {
    static func fetchAll(_ db: Database) throws -> [ConfigurationRow] {
        try Row.fetchAll(
            db, sql: "SELECT config_key, config_value, is_active FROM redpacket_traffic_config ORDER BY id"
        )
        .map { ConfigurationRow(key: $0["config_key"], value: $0["config_value"], isActive: $0["is_active"]) }
    }
}
