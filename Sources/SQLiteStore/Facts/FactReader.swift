internal import Activities
internal import Basics
internal import GRDB
internal import Lottery

/// Answers a ``FactQuery`` on the writer's connection: one look-up by index per entry.
final class FactReader {
    private let message: RawStatement
    private let binding: RawStatement
    private let win: RawStatement
    private let attempt: RawStatement
    private let gameIDWinner: RawStatement
    private let erased: RawStatement
    private let dataVersion: RawStatement
    /// SQLite's mark of what other connections have committed.
    private var seenDataVersion: Int64?

    init(_ db: Database) throws {
        message = try RawStatement(
            """
            SELECT user_id, chat_id, command, code, receipt, parameters, processed_at_ms
            FROM bot_processed_message WHERE sent_at_ms = ?1 AND message_key = ?2
            """, on: db)
        binding = try RawStatement("SELECT bind_id FROM bot_activity_user WHERE id = ?1", on: db)
        win = try RawStatement(
            """
            SELECT seq, activity_award_id, game_id, created_at FROM bot_user_award
            WHERE user_id = ?1 AND activity_id = ?2 AND voided_at IS NULL
            """, on: db)
        attempt = try RawStatement(
            "SELECT misses, voids, last_seq FROM bot_user_attempt WHERE user_id = ?1 AND activity_id = ?2", on: db)
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
        for key in query.messages {
            if let found = try processedMessage(key) { facts.messages[key] = found }
        }
        for user in query.bindings {
            binding.bind(1, user.text)
            if let text = try binding.first({ $0.text(0) ?? "" }) { facts.bindings[user] = GameID(stored: text) }
        }
        for key in query.participations {
            let digest = query.erased[key]
            if let found = try participation(key, erasedDigest: digest) { facts.participations[key] = found }
            if query.activitiesByGameID.contains(key.activity), let gameID = facts.bindings[key.user] {
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

    private func processedMessage(_ key: MessageKey) throws -> ProcessedMessage? {
        message.bind(1, key.sentAt?.milliseconds ?? 0)
        message.bind(2, key.text)
        return try message.first { row in
            ProcessedMessage(
                key: key, user: UserID(row.text(0) ?? ""), chat: row.text(1).map { ChatID($0) },
                fingerprint: row.text(2) ?? "",
                answer: StoredAnswer(
                    code: row.text(3).flatMap(OutcomeCode.init(rawValue:)) ?? .badArgument,
                    receipt: row.text(4).flatMap { Receipt($0) }, parameters: row.text(5)),
                at: Instant(milliseconds: row.integer(6) ?? 0))
        }
    }

    private func participation(_ key: ParticipationKey, erasedDigest: Hash?) throws -> Participation? {
        var found: Participation?
        win.bind(1, key.user.text)
        win.bind(2, key.activity.text)
        if let fact = try win.first({ row in
            WinFact(
                receipt: Receipt(activity: key.activity, seq: row.integer(0) ?? 0), award: AwardID(row.text(1) ?? ""),
                gameID: GameID(stored: row.text(2) ?? ""),
                wonAt: row.text(3).flatMap { Instant(dateTimeText: $0) } ?? Instant(milliseconds: 0))
        }) {
            found = Participation(win: fact)
        }
        attempt.bind(1, key.user.text)
        attempt.bind(2, key.activity.text)
        let earlier = try attempt.first { ($0.integer(0) ?? 0, $0.integer(1) ?? 0, $0.integer(2)) }
        if let (misses, voids, lastSeq) = earlier {
            guard 0..<countLimit ~= misses, 0..<countLimit ~= voids else {
                throw StoreError(code: .corrupt, message: "bot_user_attempt has a count that nobody can reach.")
            }
            found = Participation(
                win: found?.win, missCount: Int(misses), voidCount: Int(voids), lastSeq: lastSeq)
        }
        if let erasedDigest {
            erased.bind(1, key.activity.text)
            erased.bind(2, erasedDigest)
            if try erased.first({ _ in true }) == true {
                var participation = found ?? Participation()
                participation.isErased = true
                found = participation
            }
        }
        return found
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
            participation = try self.participation(key, erasedDigest: nil) ?? Participation()
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
