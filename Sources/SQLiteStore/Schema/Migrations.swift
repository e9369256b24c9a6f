internal import GRDB

/// The steps from an empty file to today's schema. A step is frozen once released; change by adding one.
///
/// Names of tables and columns are those of the source documents where they give one.
///
/// - Source: spec.md section 3.
enum Schema {
    /// Marks a file as ours, in SQLite's `application_id`: "HBao".
    static let applicationID: Int32 = 0x4842_616F

    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1 activities, draws, gate") { db in
            try db.execute(sql: activityTables)
            try db.execute(sql: ledgerTables)
            try db.execute(sql: gateTables)
            try db.execute(sql: serviceTables)
            try db.execute(sql: gateDefaults)
        }
        return migrator
    }

    /// SQL for a column of milliseconds as the text of a DATETIME column.
    static func dateTime(_ column: String) -> String {
        "strftime('%Y-%m-%d %H:%M:%f', \(column) / 1000.0, 'unixepoch')"
    }

    /// The end of an INSERT into the sessions' table: the row of a session that is there already is used again.
    static let replacesSession = """
        ON CONFLICT (session_id) DO UPDATE SET user_id = excluded.user_id, ip_address = excluded.ip_address,
            join_time = excluded.join_time, leave_time = excluded.leave_time, last_heartbeat = excluded.last_heartbeat,
            status = excluded.status, queue_position = excluded.queue_position, queue_ticket = excluded.queue_ticket,
            updated_at = excluded.updated_at
        """

    private static let now = "(strftime('%Y-%m-%d %H:%M:%f', 'now'))"

    private static let activityTables = """
        CREATE TABLE bot_activity (
            id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
            name TEXT NOT NULL UNIQUE,
            status TEXT NOT NULL DEFAULT 'idle' CHECK (status IN ('idle', 'active', 'inactive')),
            scope TEXT NOT NULL DEFAULT '["*"]',            -- a JSON list of chats; * is everywhere
            max_attempts INTEGER CHECK (max_attempts > 0),  -- NULL: unlimited until the first win
            one_win_per_game_id INTEGER NOT NULL DEFAULT 0 CHECK (one_win_per_game_id IN (0, 1)),
            starts_at TEXT,
            ends_at TEXT,
            starts_at_used INTEGER NOT NULL DEFAULT 0 CHECK (starts_at_used IN (0, 1)),
            ends_at_used INTEGER NOT NULL DEFAULT 0 CHECK (ends_at_used IN (0, 1)),
            opened_at TEXT,
            user_count INTEGER NOT NULL DEFAULT 0 CHECK (user_count >= 0),
            draw_count INTEGER NOT NULL DEFAULT 0 CHECK (draw_count >= 0),
            created_at TEXT NOT NULL DEFAULT \(now),
            updated_at TEXT NOT NULL DEFAULT \(now)
        ) STRICT;

        CREATE TABLE bot_award (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            remark TEXT NOT NULL DEFAULT '',
            UNIQUE (name, remark)
        ) STRICT;

        CREATE TABLE bot_activity_award (
            activity_id TEXT NOT NULL REFERENCES bot_activity (id),
            id TEXT NOT NULL,
            award_id INTEGER NOT NULL REFERENCES bot_award (id),
            position INTEGER NOT NULL CHECK (position >= 0),  -- the order of the draw
            kind TEXT NOT NULL CHECK (kind IN ('NORNAL', 'ONLY', 'DI_BAO')),
            percent_ppm INTEGER NOT NULL CHECK (percent_ppm BETWEEN 0 AND 1000000),
            percent REAL GENERATED ALWAYS AS (percent_ppm / 10000.0) VIRTUAL,
            prefix TEXT NOT NULL DEFAULT '',
            number INTEGER NOT NULL CHECK (number BETWEEN 0 AND 1000000000),
            issued INTEGER NOT NULL DEFAULT 0 CHECK (issued >= 0),  -- wins not voided
            remaining INTEGER GENERATED ALWAYS AS (CASE WHEN kind = 'DI_BAO' THEN NULL ELSE number - issued END) VIRTUAL,
            PRIMARY KEY (activity_id, id),
            CHECK (kind = 'DI_BAO' OR issued <= number)  -- never more than there are
        ) STRICT;

        CREATE TABLE bot_activity_user (
            id TEXT NOT NULL PRIMARY KEY,  -- the chat user
            bind_id TEXT NOT NULL,         -- their game id
            created_at TEXT NOT NULL DEFAULT \(now),
            updated_at TEXT NOT NULL DEFAULT \(now)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE bot_user_award (
            activity_id TEXT NOT NULL,
            seq INTEGER NOT NULL,  -- the ledger row that decided it
            id TEXT GENERATED ALWAYS AS (activity_id || '-' || seq) VIRTUAL,  -- the receipt
            user_id TEXT,          -- NULL once the user had their data erased
            activity_award_id TEXT NOT NULL,
            award_name TEXT NOT NULL,
            game_id TEXT NOT NULL, -- as bound at that moment
            game_id_key TEXT,      -- folded, where the activity allows one win per game id
            created_at TEXT NOT NULL,
            voided_at TEXT,
            void_reason TEXT,
            PRIMARY KEY (activity_id, seq)
        ) STRICT, WITHOUT ROWID;

        CREATE UNIQUE INDEX idx_user_award_once  -- one win per user and activity, whatever the program does
            ON bot_user_award (user_id, activity_id) WHERE voided_at IS NULL;
        CREATE INDEX idx_user_award_game_id ON bot_user_award (activity_id, game_id_key)
            WHERE game_id_key IS NOT NULL AND voided_at IS NULL;

        CREATE TABLE bot_user_attempt (
            -- Attempts that are no live win; that is in bot_user_award.
            user_id TEXT NOT NULL,
            activity_id TEXT NOT NULL,
            misses INTEGER NOT NULL DEFAULT 0 CHECK (misses >= 0),
            voids INTEGER NOT NULL DEFAULT 0 CHECK (voids >= 0),
            last_seq INTEGER,  -- the user's latest row in the ledger that is no live win
            PRIMARY KEY (user_id, activity_id)
        ) STRICT, WITHOUT ROWID;

        CREATE TABLE bot_erased_user (
            -- Knows users again who had their data erased, without naming them.
            activity_id TEXT NOT NULL,
            digest BLOB NOT NULL CHECK (length(digest) = 32),
            PRIMARY KEY (activity_id, digest)
        ) STRICT, WITHOUT ROWID;
        """

    private static let ledgerTables = """
        CREATE TABLE bot_draw_round (
            activity_id TEXT NOT NULL REFERENCES bot_activity (id),
            round INTEGER NOT NULL CHECK (round > 0),
            rules TEXT NOT NULL,  -- JSON, as the rules hash covers them
            commitment BLOB NOT NULL CHECK (length(commitment) = 32),
            seed BLOB NOT NULL CHECK (length(seed) = 32),  -- secret until closed_at
            opened_at TEXT NOT NULL,
            closed_at TEXT,
            PRIMARY KEY (activity_id, round)
        ) STRICT;

        CREATE TABLE bot_draw_ledger (
            activity_id TEXT NOT NULL,
            seq INTEGER NOT NULL CHECK (seq >= 0),
            -- OR, not IN: a list of more than two makes SQLite build a table of it for every row.
            type TEXT NOT NULL CHECK (type = 'draw' OR type = 'open' OR type = 'close' OR type = 'void'),
            at_ms INTEGER NOT NULL,
            round INTEGER,
            user_id TEXT,      -- NULL once erased
            salt BLOB,         -- NULL once erased
            user_hash BLOB,
            attempt INTEGER,
            award_id TEXT,     -- NULL: a miss
            remaining INTEGER, -- NULL for DI_BAO
            previous_seq INTEGER,  -- the user's row before this one
            receipt TEXT,      -- what a void takes back
            reason TEXT,
            hash BLOB NOT NULL CHECK (length(hash) = 32),
            PRIMARY KEY (activity_id, seq)
        ) STRICT, WITHOUT ROWID;

        CREATE VIEW bot_draw_ledger_readable AS
            SELECT activity_id, seq, type, strftime('%Y-%m-%d %H:%M:%f', at_ms / 1000.0, 'unixepoch') AS at, round, user_id,
                attempt, award_id, remaining, receipt, reason, lower(hex(hash)) AS hash
            FROM bot_draw_ledger;
        """

    private static let gateTables = """
        CREATE TABLE redpacket_activity_participants (
            id INTEGER PRIMARY KEY,
            user_id TEXT,
            session_id TEXT NOT NULL,
            ip_address TEXT,
            join_time TEXT NOT NULL,
            leave_time TEXT,
            last_heartbeat TEXT NOT NULL,
            status TEXT NOT NULL DEFAULT 'active'
                CHECK (status = 'left' OR status = 'active' OR status = 'queued' OR status = 'expired'),
            queue_position INTEGER,  -- the rank when it was queued; redpacket_queue has the rank now
            queue_ticket INTEGER,    -- the order of arrival
            created_at TEXT NOT NULL DEFAULT \(now),
            updated_at TEXT NOT NULL DEFAULT \(now)
        ) STRICT;
        CREATE UNIQUE INDEX idx_session_id ON redpacket_activity_participants (session_id);
        CREATE INDEX idx_user_id ON redpacket_activity_participants (user_id);
        CREATE INDEX idx_status_join_time ON redpacket_activity_participants (status, join_time);
        CREATE INDEX idx_last_heartbeat ON redpacket_activity_participants (last_heartbeat);

        CREATE VIEW redpacket_queue AS
            SELECT row_number() OVER (ORDER BY queue_ticket) AS queue_position, session_id, user_id, join_time,
                last_heartbeat
            FROM redpacket_activity_participants WHERE status = 'queued';

        CREATE TABLE redpacket_session_journal (
            -- What redpacket_activity_participants does not have yet; shortened after each tick.
            id INTEGER PRIMARY KEY,
            session_id TEXT NOT NULL,
            user_id TEXT,
            ip_address TEXT,
            join_time_ms INTEGER NOT NULL,
            leave_time_ms INTEGER,
            last_heartbeat_ms INTEGER NOT NULL,
            status TEXT NOT NULL
                CHECK (status = 'left' OR status = 'active' OR status = 'queued' OR status = 'expired'),
            queue_position INTEGER,
            queue_ticket INTEGER
        ) STRICT;

        CREATE TABLE redpacket_traffic_config (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            config_key TEXT NOT NULL UNIQUE,
            config_value TEXT NOT NULL,
            description TEXT,
            is_active INTEGER NOT NULL DEFAULT 1,
            created_at TEXT NOT NULL DEFAULT \(now),
            updated_at TEXT NOT NULL DEFAULT \(now)
        ) STRICT;

        CREATE TABLE redpacket_traffic_stats (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            stat_time TEXT NOT NULL,
            active_users INTEGER NOT NULL DEFAULT 0,
            queued_users INTEGER NOT NULL DEFAULT 0,
            total_requests INTEGER NOT NULL DEFAULT 0,
            rejected_requests INTEGER NOT NULL DEFAULT 0,
            average_session_time INTEGER,
            created_at TEXT NOT NULL DEFAULT \(now)
        ) STRICT;
        CREATE INDEX idx_stat_time ON redpacket_traffic_stats (stat_time);
        """

    private static let serviceTables = """
        CREATE TABLE bot_processed_message (
            -- What was answered: a message that is delivered again gets the same answer. Kept for 30 days. It is the
            -- outbox too: pending replies are sent, in order, as soon as their platform takes them.
            sent_at_ms INTEGER NOT NULL,  -- the message's own time; 0 where it has none
            message_key TEXT NOT NULL CHECK (length(message_key) BETWEEN 1 AND 256),
            user_id TEXT NOT NULL,        -- empty for an erasure
            chat_id TEXT,
            command TEXT NOT NULL,
            code TEXT NOT NULL,
            receipt TEXT,
            parameters TEXT,              -- JSON
            processed_at_ms INTEGER NOT NULL,
            endpoint TEXT,                -- through which a reply can be sent
            destination TEXT,             -- JSON: and where to
            delivery TEXT CHECK (delivery = 'pending' OR delivery = 'sent' OR delivery = 'dropped'),
                                          -- NULL: the reply was said in the response
            PRIMARY KEY (sent_at_ms, message_key)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX idx_message_pending ON bot_processed_message (endpoint, processed_at_ms)
            WHERE delivery = 'pending';
        CREATE INDEX idx_message_queued ON bot_processed_message (processed_at_ms)
            WHERE code = 'queued' AND destination IS NOT NULL;
        CREATE INDEX idx_message_timeless ON bot_processed_message (processed_at_ms) WHERE sent_at_ms = 0;

        CREATE TABLE bot_audit_log (
            -- What admins did and tried, and what the schedule did.
            id INTEGER PRIMARY KEY,
            at TEXT NOT NULL,
            actor TEXT NOT NULL,
            chat_id TEXT,
            action TEXT NOT NULL,
            target TEXT NOT NULL,
            before TEXT,
            after TEXT,
            result TEXT NOT NULL
        ) STRICT;

        CREATE TABLE bot_secret (
            -- Keys of this file, for nobody to see.
            name TEXT NOT NULL PRIMARY KEY,
            value BLOB NOT NULL
        ) STRICT;
        INSERT INTO bot_secret (name, value) VALUES ('erasure_key', randomblob(32));
        """

    private static let gateDefaults = """
        INSERT INTO redpacket_traffic_config (config_key, config_value, description) VALUES
            ('max_concurrent_users', '1000', '最大并发用户数'),
            ('queue_timeout_seconds', '300', '队列超时时间（秒）'),
            ('heartbeat_timeout_seconds', '60', '心跳超时时间（秒）'),
            ('maintenance_mode', 'false', '维护模式开关'),
            ('rush_hour_start', '11', '高峰期开始时间（小时）'),
            ('rush_hour_end', '20', '高峰期结束时间（小时）'),
            ('rush_hour_max_users', '800', '高峰期最大用户数'),
            ('ip_max_sessions', '0', '每个IP地址的最大会话数（0 表示不限，IPv6 按 /64 计算）'),
            ('max_queue_length', '0', '最大排队人数（0 表示会话总数不超过 1000000）'),
            ('time_zone', 'Asia/Shanghai', '高峰期所用时区'),
            ('release_after_draw', 'true', '抽奖后自动离开（仅限聊天会话）'),
            ('user_messages_per_minute', '30', '每位用户每分钟的最大消息数（0 表示不限）'),
            ('maintenance_reason', '', '维护原因，可为空');
        """
}
