public import Activities
public import Basics
internal import GRDB
internal import Lottery

extension SQLiteStore {
    public func pendingReplies(limit: Int) async throws -> [ProcessedMessage] {
        try await read { db in
            try ProcessedMessage.fetchAll(
                db, where: "delivery = 'pending' ORDER BY processed_at_ms, sent_at_ms, message_key LIMIT ?",
                arguments: [limit])
        }
    }

    public func queuedMessages(since moment: Instant) async throws -> [ProcessedMessage] {
        try await read { db in
            let messages = try ProcessedMessage.fetchAll(
                db,
                where: """
                    code = 'queued' AND destination IS NOT NULL AND processed_at_ms >= ?
                    ORDER BY processed_at_ms, sent_at_ms, message_key
                    """, arguments: [moment.milliseconds])
            var latest: [UserID: ProcessedMessage] = [:]
            for message in messages { latest[message.user] = message }
            return latest.values.sorted { $0.user < $1.user }
        }
    }
}

extension ProcessedMessage {
    fileprivate static func fetchAll(
        _ db: Database, where condition: String, arguments: StatementArguments
    ) throws -> [ProcessedMessage] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT sent_at_ms, message_key, user_id, chat_id, command, code, receipt, parameters, processed_at_ms,
                    destination, delivery
                FROM bot_processed_message WHERE \(condition)
                """, arguments: arguments
        )
        .compactMap { row in
            let sentAt: Int64 = row["sent_at_ms"]
            guard
                let key = MessageKey(
                    sentAt: sentAt == 0 ? nil : Instant(milliseconds: sentAt), text: row["message_key"])
            else { return nil }
            return ProcessedMessage(
                key: key, user: UserID(row["user_id"]), chat: (row["chat_id"] as String?).map { ChatID($0) },
                fingerprint: row["command"],
                answer: StoredAnswer(
                    code: OutcomeCode(rawValue: row["code"]) ?? .badArgument,
                    receipt: (row["receipt"] as String?).flatMap { Receipt($0) }, parameters: row["parameters"]),
                at: Instant(milliseconds: row["processed_at_ms"]), address: row["destination"],
                delivery: (row["delivery"] as String?).flatMap { Delivery(rawValue: $0) })
        }
    }
}
