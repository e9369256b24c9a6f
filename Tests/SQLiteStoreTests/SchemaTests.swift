import Activities
import Basics
import Foundation
import GRDB
import Lottery
import SQLiteStore
import TestSupport
import Testing
import TrafficGate

/// What an operator sees who opens the file with the `sqlite3` shell.
struct SchemaTests {
    @Test(arguments: [
        (
            "redpacket_activity_participants",
            "id user_id session_id ip_address join_time leave_time last_heartbeat status queue_position created_at updated_at"
        ),
        ("redpacket_traffic_config", "id config_key config_value description is_active created_at updated_at"),
        (
            "redpacket_traffic_stats",
            "id stat_time active_users queued_users total_requests rejected_requests average_session_time created_at"
        ),
        ("bot_activity", "id name status"),
        ("bot_award", "id name remark"),
        ("bot_activity_award", "id activity_id award_id kind percent prefix number remaining"),
        ("bot_activity_user", "id bind_id"),
        ("bot_user_award", "id user_id activity_id activity_award_id award_name game_id voided_at"),
    ])
    func tableHasTheColumnsOfTheSourceDocuments(table: String, columns: String) async throws {
        let folder = try TemporaryFolder()
        try await folder.makeDatabase()
        let found = try folder.withDatabase {
            try String.fetchAll($0, sql: "SELECT name FROM pragma_table_xinfo(?)", arguments: [table])
        }
        for column in columns.split(separator: " ") { #expect(found.contains(String(column))) }
    }

    @Test(arguments: [
        ("idx_session_id", "redpacket_activity_participants", "session_id"),
        ("idx_user_id", "redpacket_activity_participants", "user_id"),
        ("idx_status_join_time", "redpacket_activity_participants", "status join_time"),
        ("idx_last_heartbeat", "redpacket_activity_participants", "last_heartbeat"),
        ("idx_stat_time", "redpacket_traffic_stats", "stat_time"),
    ])
    func indexOfTheSourceDocumentsExists(index: String, table: String, columns: String) async throws {
        let folder = try TemporaryFolder()
        try await folder.makeDatabase()
        let (foundTable, foundColumns) = try folder.withDatabase { db in
            (
                try String.fetchOne(
                    db, sql: "SELECT tbl_name FROM sqlite_master WHERE type = 'index' AND name = ?", arguments: [index]),
                try String.fetchAll(db, sql: "SELECT name FROM pragma_index_info(?) ORDER BY seqno", arguments: [index])
            )
        }
        #expect(foundTable == table)
        #expect(foundColumns.joined(separator: " ") == columns)
    }

    @Test
    func defaultConfigurationIsThatOfTheSource() async throws {
        let folder = try TemporaryFolder()
        try await folder.makeDatabase()
        let rows = try folder.withDatabase {
            try Row.fetchAll($0, sql: "SELECT * FROM redpacket_traffic_config ORDER BY id LIMIT 7").map { row in
                [row["config_key"], row["config_value"], row["description"]] as [String]
            }
        }
        #expect(
            rows == [
                ["max_concurrent_users", "1000", "最大并发用户数"],
                ["queue_timeout_seconds", "300", "队列超时时间（秒）"],
                ["heartbeat_timeout_seconds", "60", "心跳超时时间（秒）"],
                ["maintenance_mode", "false", "维护模式开关"],
                ["rush_hour_start", "11", "高峰期开始时间（小时）"],
                ["rush_hour_end", "20", "高峰期结束时间（小时）"],
                ["rush_hour_max_users", "800", "高峰期最大用户数"],
            ])
    }

    /// The gate's own list is where defaults come from; the file must say the same.
    @Test
    func defaultConfigurationIsThatOfTheGate() async throws {
        let folder = try TemporaryFolder()
        try await folder.makeDatabase()
        let rows = try folder.withDatabase {
            try Row.fetchAll($0, sql: "SELECT * FROM redpacket_traffic_config ORDER BY id").map { row in
                [row["config_key"], row["config_value"], row["description"]] as [String]
            }
        }
        let keys = GateConfiguration.keys.map { [$0.name, $0.defaultValue, $0.description] }
        #expect(Array(rows.prefix(keys.count)) == keys)
    }

    @Test
    func enumerationsAreNamesThatAreChecked() async throws {
        let folder = try TemporaryFolder()
        try await folder.makeDatabase()
        try folder.withDatabase { db in
            for sql in [
                "INSERT INTO bot_activity (id, name, status) VALUES ('a', 'a', '1')",
                "INSERT INTO bot_activity (id, name, status) VALUES ('a', 'a', NULL)",
                """
                INSERT INTO redpacket_activity_participants (session_id, join_time, last_heartbeat, status)
                VALUES ('s', '', '', 'gone')
                """,
                """
                INSERT INTO bot_activity_award (activity_id, id, award_id, position, kind, percent_ppm, number)
                VALUES ('a', 'a', 1, 0, 'NORMAL', 0, 0)
                """,
            ] {
                #expect(throws: DatabaseError.self) { try db.execute(sql: sql) }
            }
        }
    }

    @Test
    func rowsReadAsTheyWereWritten() async throws {
        // Given one of each
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        let at = Instant(milliseconds: 1_802_232_000_123)
        try await store.transact(FactQuery()) { _ in
            var changes = Changes()
            changes.audit = [
                Changes.Audit(
                    at: at, actor: "qq:1", chat: "qq:88001", action: "number", target: "a:gold", before: "1",
                    after: "2",
                    result: .badArgument),
                Changes.Audit(at: at, actor: "schedule", chat: nil, action: "schedule.stop", target: "a", result: .ok),
            ]
            changes.statistics = [
                GateStatistics(
                    at: at, activeUsers: 1, queuedUsers: 2, totalRequests: 3, rejectedRequests: 4,
                    averageSessionSeconds: 5),
                GateStatistics(
                    at: at, activeUsers: 0, queuedUsers: 0, totalRequests: 0, rejectedRequests: 0,
                    averageSessionSeconds: nil),
            ]
            changes.participants = ["c", "a", "b"].enumerated().map { index, name in
                Participant(
                    session: SessionID(name), user: nil, joinTime: at, lastHeartbeat: at, status: .queued,
                    ticket: UInt64(10 + index), queuePosition: 7)
            }
            return (changes, ())
        }
        try await store.close()

        // Then the tables say so in words
        func rows(_ sql: String) throws -> [String] {
            try folder.withDatabase { db in
                try Row.fetchAll(db, sql: sql).map { row in
                    row.databaseValues.map { $0.isNull ? "-" : String.fromDatabaseValue($0) ?? "\($0)" }
                        .joined(separator: "|")
                }
            }
        }
        let audit = try rows(
            "SELECT at, actor, chat_id, action, target, before, after, result FROM bot_audit_log ORDER BY id")
        #expect(
            audit == [
                "2027-02-10 04:00:00.123|qq:1|qq:88001|number|a:gold|1|2|bad_argument",
                "2027-02-10 04:00:00.123|schedule|-|schedule.stop|a|-|-|ok",
            ])
        let statistics = try rows(
            """
            SELECT stat_time, active_users, queued_users, total_requests, rejected_requests, average_session_time
            FROM redpacket_traffic_stats ORDER BY id
            """)
        #expect(statistics == ["2027-02-10 04:00:00.123|1|2|3|4|5", "2027-02-10 04:00:00.123|0|0|0|0|-"])
        // The table has the rank at queuing, the view the rank now.
        #expect(try rows("SELECT DISTINCT queue_position FROM redpacket_activity_participants") == ["7"])
        #expect(try rows("SELECT queue_position, session_id FROM redpacket_queue ORDER BY 1") == ["1|c", "2|a", "3|b"])
    }

    @Test
    func actorOfTheAuditIsErasedWithTheUser() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        for actor in ["qq:1", "qq:10"] {
            try await store.transact(FactQuery()) { _ in
                var changes = Changes()
                changes.audit = [
                    Changes.Audit(
                        at: Instant(milliseconds: 0), actor: actor, chat: nil, action: "message.reused", target: "",
                        result: .badArgument)
                ]
                return (changes, ())
            }
        }
        try await store.transact(FactQuery()) { _ in
            var changes = Changes()
            changes.erasures = [Changes.Erasure(user: "qq:1", digests: [:])]
            return (changes, ())
        }
        try await store.close()
        let actors = try folder.withDatabase {
            try String.fetchAll(
                $0, sql: "SELECT actor FROM bot_audit_log ORDER BY id")
        }
        #expect(actors == ["erased", "qq:10"])
    }

    @Test
    func journalIsFoldedIntoItsTableAtTheOpening() async throws {
        let folder = try TemporaryFolder()
        let at = Instant(milliseconds: 1_802_232_000_123)
        let store = try SQLiteStore(path: folder.path())
        try await store.transact(FactQuery()) { _ in
            var changes = Changes()
            changes.journal = [
                Participant(session: "qq:1", user: "qq:1", joinTime: at, lastHeartbeat: at, status: .queued, ticket: 4),
                Participant(session: "qq:1", user: "qq:1", joinTime: at, lastHeartbeat: at, status: .active),
                Participant(
                    session: "qq:2", joinTime: at, leaveTime: at.advanced(bySeconds: 1), lastHeartbeat: at,
                    status: .left),
            ]
            return (changes, ())
        }
        try await store.close()
        func rows() throws -> (journal: Int?, table: [String]) {
            try folder.withDatabase { db in
                (
                    try Int.fetchOne(db, sql: "SELECT count(*) FROM redpacket_session_journal"),
                    try String.fetchAll(
                        db,
                        sql: """
                            SELECT session_id || ' ' || status || ' ' || join_time || ' ' || coalesce(leave_time, '-')
                            FROM redpacket_activity_participants ORDER BY session_id
                            """)
                )
            }
        }
        #expect(try rows().journal == 3)
        #expect(try rows().table == [])
        try await SQLiteStore(path: folder.path()).close()
        #expect(try rows().journal == 0)
        #expect(
            try rows().table == [
                "qq:1 active 2027-02-10 04:00:00.123 -", "qq:2 left 2027-02-10 04:00:00.123 2027-02-10 04:00:01.123",
            ])
    }

    @Test
    func foreignChangeOfTheConfigurationIsSeenOnce() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        func configuration() async throws -> [ConfigurationRow]? {
            try await store.transact(FactQuery()) { (Changes(), $0) }.configuration
        }
        _ = try await configuration()
        #expect(try await configuration() == nil)
        try await store.bind("qq:1", to: "a")
        #expect(try await configuration() == nil)

        // When another program changes two rows
        try folder.withDatabase { db in
            try db.execute(
                sql: """
                    UPDATE redpacket_traffic_config SET config_value = '5' WHERE config_key = 'max_concurrent_users';
                    UPDATE redpacket_traffic_config SET is_active = 0 WHERE config_key = 'rush_hour_max_users';
                    """)
        }

        // Then the next transaction has them, and the one after it nothing
        let rows = try #require(try await configuration())
        #expect(rows.contains(ConfigurationRow(key: "max_concurrent_users", value: "5", isActive: true)))
        #expect(rows.contains(ConfigurationRow(key: "rush_hour_max_users", value: "800", isActive: false)))
        #expect(rows == (try await store.load().configuration))
        #expect(try await configuration() == nil)

        // Setting a row makes it count again.
        try await store.transact(FactQuery()) { _ in
            var changes = Changes()
            changes.configuration = [("rush_hour_max_users", "700")]
            return (changes, ())
        }
        #expect(
            try await store.load().configuration.contains(
                ConfigurationRow(key: "rush_hour_max_users", value: "700", isActive: true)))
        try await store.close()
    }
}

/// Who may read the file: it holds seeds that nobody may know yet.
struct FilePermissionTests {
    @Test func onlyTheOwnerMayReadTheDatabase() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        try await store.bind("qq:1", to: "a")
        for name in ["hongbao.db", "hongbao.db-wal", "hongbao.db-shm", "hongbao.db.lock"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: folder.path(name))
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600, "\(name)")
        }
        try await store.close()
    }
}

/// The outbox in the file.
struct OutboxSchemaTests {
    @Test func theAddressOfAnErasureGoesOnceItsReplyIsOut() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        let message = ProcessedMessage(
            key: .test("m"), user: UserID(""), chat: nil, fingerprint: "erase",
            answer: StoredAnswer(code: .ok, receipt: nil, parameters: nil), at: Instant(milliseconds: 1),
            destination: Destination(endpoint: "e", address: "names somebody"), delivery: .pending)
        var changes = Changes()
        changes.messages = [message]
        let written = changes
        try await store.transact(FactQuery()) { _ in (written, ()) }
        #expect(try await store.pendingReplies(through: "e", limit: 1).first?.destination?.address == "names somebody")
        var noted = Changes()
        noted.deliveries = [message.key: .sent]
        let deliveries = noted
        try await store.transact(FactQuery()) { _ in (deliveries, ()) }
        try await store.close()
        let row = try folder.withDatabase {
            try Row.fetchOne($0, sql: "SELECT destination, delivery FROM bot_processed_message")
        }
        #expect(row?["destination"] == nil as String?)
        #expect(row?["delivery"] == "sent")
    }
}
