public import Activities
public import Basics
internal import GRDB
internal import Lottery

extension SQLiteStore {
    public func pendingReplies(through endpoint: String, limit: Int) async throws -> [ProcessedMessage] {
        try await read { db in
            try ProcessedMessage.fetchAll(
                db,
                where: """
                    delivery = 'pending' AND endpoint = ? ORDER BY processed_at_ms, sent_at_ms, message_key LIMIT ?
                    """, arguments: [endpoint, limit])
        }
    }

    public func endpointsOfPendingReplies() async throws -> Set<String> {
        try await read { db in
            try Set(
                String.fetchAll(
                    db, sql: "SELECT DISTINCT endpoint FROM bot_processed_message WHERE delivery = 'pending'"))
        }
    }

    public func destinationsOfQueuedUsers(
        since moment: Instant, limit: Int
    ) async throws -> [(user: UserID, destination: Destination)] {
        try await read { db in
            // The other columns are those of the row with the greatest moment: SQLite, "Bare columns in an aggregate
            // query".
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT user_id, endpoint, destination, max(processed_at_ms) AS latest FROM bot_processed_message
                    WHERE code = 'queued' AND destination IS NOT NULL AND processed_at_ms >= ?
                    GROUP BY user_id ORDER BY latest DESC, user_id LIMIT ?
                    """, arguments: [moment.milliseconds, limit])
            var found: [(user: UserID, destination: Destination)] = []
            while let row = try rows.next() {
                found.append(
                    (UserID(row["user_id"]), Destination(endpoint: row["endpoint"], address: row["destination"])))
            }
            return found
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
                    endpoint, destination, delivery
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
                at: Instant(milliseconds: row["processed_at_ms"]),
                destination: (row["destination"] as String?).map {
                    Destination(endpoint: row["endpoint"] ?? "", address: $0)
                },
                delivery: (row["delivery"] as String?).flatMap { Delivery(rawValue: $0) })
        }
    }
}
