// The program to beat: prize draws on SQLite the way anyone would write them, in plain C.
//
// A draw is two look-ups (the user's binding, an existing win), an upsert of the session, an insert of the win and an
// update of the stock, each a prepared statement, `--per-commit` draws in one transaction. Every user is new and has a
// random id, as in life: ids in key order would make SQLite several times faster and the comparison worthless.
//
// Build: cc -O2 -Wall -Wextra -o plain plain.c -lsqlite3
// Run:   ./plain --draws 500000 --per-commit 256 --database /var/tmp/plain.db --seed 1 [--seconds 10]
//
// The bindings are written before the clock starts. The clock runs from the first transaction to the last commit and
// so holds every checkpoint but the last. Afterwards the file is opened again and the draws in it are counted. More draws
// are slower draws, since the indexes grow: compare only runs of the same --draws, on the same disk, in turns. With
// --others, as many users are bound, in and winners before the clock starts; their ids are spread evenly over a
// part of the new ones' range.

#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const schema =
    "CREATE TABLE bot_activity_user (user_id TEXT PRIMARY KEY, bind_id TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE bot_activity_award ("
    "  id INTEGER PRIMARY KEY, activity_id TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL,"
    "  remaining INTEGER NOT NULL CHECK (remaining >= 0));"
    "CREATE TABLE bot_user_award ("
    "  id INTEGER PRIMARY KEY, user_id TEXT NOT NULL, activity_id TEXT NOT NULL, activity_award_id INTEGER NOT NULL,"
    "  award_name TEXT NOT NULL, bind_id TEXT NOT NULL, created_at TEXT NOT NULL);"
    "CREATE UNIQUE INDEX one_win_per_user ON bot_user_award (activity_id, user_id);"
    "CREATE TABLE redpacket_activity_participants ("
    "  id INTEGER PRIMARY KEY, user_id TEXT, session_id TEXT NOT NULL UNIQUE, ip_address TEXT, join_time TEXT NOT NULL,"
    "  leave_time TEXT, last_heartbeat TEXT NOT NULL, status TEXT NOT NULL DEFAULT 'active', queue_position INTEGER);";

static const char *const activity = "spring-2027";
static const char *const award_names[] = {"游戏主机", "限定皮肤", "金币 x100"};
enum { award_count = 3 };

static void fail(sqlite3 *db, const char *what) {
    fprintf(stderr, "plain: %s: %s\n", what, db ? sqlite3_errmsg(db) : strerror(errno));
    exit(1);
}

static void check(sqlite3 *db, int code, const char *what) {
    if (code != SQLITE_OK) fail(db, what);
}

static sqlite3 *open_file(const char *path, int flags) {
    sqlite3 *db = NULL;
    int code = sqlite3_open_v2(path, &db, flags, NULL);
    check(db, code, path);
    return db;
}

static void execute(sqlite3 *db, const char *sql) { check(db, sqlite3_exec(db, sql, NULL, NULL, NULL), sql); }

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement;
    check(db, sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL), sql);
    return statement;
}

static void bind_text(sqlite3 *db, sqlite3_stmt *statement, int position, const char *text) {
    check(db, sqlite3_bind_text(statement, position, text, -1, SQLITE_STATIC), "bind");
}

static void bind_integer(sqlite3 *db, sqlite3_stmt *statement, int position, int64_t value) {
    check(db, sqlite3_bind_int64(statement, position, value), "bind");
}

/// Runs a statement that returns no row.
static void run(sqlite3 *db, sqlite3_stmt *statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) fail(db, sqlite3_sql(statement));
    check(db, sqlite3_reset(statement), "reset");
}

/// The first column of the only row.
static int64_t integer(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = prepare(db, sql);
    if (sqlite3_step(statement) != SQLITE_ROW) fail(db, sql);
    int64_t value = sqlite3_column_int64(statement, 0);
    check(db, sqlite3_finalize(statement), sql);
    return value;
}

/// Reads a setting back: SQLite ignores what it cannot set.
static void require(sqlite3 *db, const char *pragma, int64_t expected) {
    int64_t value = integer(db, pragma);
    if (value == expected) return;
    fprintf(stderr, "plain: %s is %" PRId64 ", not %" PRId64 "\n", pragma, value, expected);
    exit(1);
}

/// splitmix64. The same seed gives the same users twice: once to seed their bindings, once to draw.
static uint64_t next(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void next_user(uint64_t *state, char user[32]) { snprintf(user, 32, "qq:%" PRIu64, next(state)); }

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/// `YYYY-MM-DD HH:MM:SS.sss`, UTC.
static void format_now(char text[32]) {
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size_t length = strftime(text, 32, "%Y-%m-%d %H:%M:%S", &parts);
    snprintf(text + length, 32 - length, ".%03d", (int)(now.tv_nsec / 1000000));
}

static void seed_file(sqlite3 *db, int64_t users, int64_t copies, uint64_t seed) {
    char user[32], game_id[32];
    uint64_t state = seed;
    execute(db, schema);
    execute(db, "BEGIN");
    sqlite3_stmt *award = prepare(db, "INSERT INTO bot_activity_award VALUES (?1, ?2, ?3, ?4, ?4)");
    for (int index = 0; index < award_count; index++) {
        bind_integer(db, award, 1, index + 1);
        bind_text(db, award, 2, activity);
        bind_text(db, award, 3, award_names[index]);
        bind_integer(db, award, 4, copies);
        run(db, award);
    }
    sqlite3_stmt *binding = prepare(db, "INSERT INTO bot_activity_user VALUES (?1, ?2)");
    for (int64_t index = 0; index < users; index++) {
        next_user(&state, user);
        snprintf(game_id, sizeof game_id, "player-%" PRId64, index);
        bind_text(db, binding, 1, user);
        bind_text(db, binding, 2, game_id);
        run(db, binding);
    }
    check(db, sqlite3_finalize(award), "finalize");
    check(db, sqlite3_finalize(binding), "finalize");
    execute(db, "COMMIT");
    execute(db, "PRAGMA wal_checkpoint(TRUNCATE)");
}

/// Users who have drawn already, in key order: that fills the indexes quickly, and it is the new ones who are timed.
static void add_others(sqlite3 *db, int64_t others) {
    char sql[1024];
    snprintf(sql, sizeof sql,
             "BEGIN; CREATE TEMP TABLE other AS WITH RECURSIVE numbers (n) AS"
             " (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < %" PRId64 ")"
             " SELECT 'qq:' || (1000000000000000000 + n * %" PRId64 ") AS id, '2027-02-05 20:00:00.000' AS at FROM numbers;"
             "INSERT INTO bot_activity_user SELECT id, 'player' FROM other;"
             "INSERT INTO bot_user_award (user_id, activity_id, activity_award_id, award_name, bind_id, created_at)"
             " SELECT id, '%s', 1, '%s', 'player', at FROM other;"
             "INSERT INTO redpacket_activity_participants (user_id, session_id, join_time, last_heartbeat)"
             " SELECT id, id, at, at FROM other;"
             "UPDATE bot_activity_award SET remaining = remaining - %" PRId64 " WHERE id = 1;"
             "DROP TABLE other; COMMIT",
             others, INT64_C(8000000000000000000) / others, activity, award_names[0], others);
    execute(db, sql);
    execute(db, "PRAGMA wal_checkpoint(TRUNCATE)");
}

/// Draws until `draws` are done or `limit` seconds are over, whichever comes first; returns the draws committed.
static int64_t draw_all(sqlite3 *db, int64_t draws, int64_t per_commit, double limit, uint64_t seed, double *elapsed) {
    sqlite3_stmt *begin = prepare(db, "BEGIN IMMEDIATE");
    sqlite3_stmt *commit = prepare(db, "COMMIT");
    sqlite3_stmt *find_binding = prepare(db, "SELECT bind_id FROM bot_activity_user WHERE user_id = ?1");
    sqlite3_stmt *find_win =
        prepare(db, "SELECT award_name FROM bot_user_award WHERE activity_id = ?1 AND user_id = ?2");
    sqlite3_stmt *upsert_session = prepare(
        db, "INSERT INTO redpacket_activity_participants (user_id, session_id, join_time, last_heartbeat)"
            " VALUES (?1, ?1, ?2, ?2)"
            " ON CONFLICT (session_id) DO UPDATE SET last_heartbeat = excluded.last_heartbeat");
    sqlite3_stmt *insert_win = prepare(
        db, "INSERT INTO bot_user_award (user_id, activity_id, activity_award_id, award_name, bind_id, created_at)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
    sqlite3_stmt *take =
        prepare(db, "UPDATE bot_activity_award SET remaining = remaining - 1 WHERE id = ?1 AND remaining > 0");

    char user[32], game_id[32], now[32];
    uint64_t users = seed, words = ~seed;
    int64_t done = 0;
    double start = seconds_now();
    while (done < draws && (done == 0 || limit <= 0 || seconds_now() - start < limit)) {
        int64_t end = draws - done < per_commit ? draws : done + per_commit;
        run(db, begin);
        for (; done < end; done++) {
            next_user(&users, user);
            format_now(now);

            bind_text(db, find_binding, 1, user);
            if (sqlite3_step(find_binding) != SQLITE_ROW) fail(db, "a user without a binding");
            snprintf(game_id, sizeof game_id, "%s", (const char *)sqlite3_column_text(find_binding, 0));
            check(db, sqlite3_reset(find_binding), "reset");

            bind_text(db, find_win, 1, activity);
            bind_text(db, find_win, 2, user);
            if (sqlite3_step(find_win) != SQLITE_DONE) fail(db, "a user who has already won");
            check(db, sqlite3_reset(find_win), "reset");

            bind_text(db, upsert_session, 1, user);
            bind_text(db, upsert_session, 2, now);
            run(db, upsert_session);

            int index = (int)(next(&words) % award_count);
            bind_text(db, insert_win, 1, user);
            bind_text(db, insert_win, 2, activity);
            bind_integer(db, insert_win, 3, index + 1);
            bind_text(db, insert_win, 4, award_names[index]);
            bind_text(db, insert_win, 5, game_id);
            bind_text(db, insert_win, 6, now);
            run(db, insert_win);

            bind_integer(db, take, 1, index + 1);
            run(db, take);
            if (sqlite3_changes(db) != 1) fail(db, "an award that has run out");
        }
        run(db, commit);
    }
    *elapsed = seconds_now() - start;

    sqlite3_stmt *all[] = {begin, commit, find_binding, find_win, upsert_session, insert_win, take};
    for (size_t index = 0; index < sizeof all / sizeof *all; index++)
        check(db, sqlite3_finalize(all[index]), "finalize");
    return done;
}

/// Counts, through a new connection, that every draw is in the file.
static void verify(const char *path, int64_t draws) {
    sqlite3 *db = open_file(path, SQLITE_OPEN_READWRITE);
    require(db, "SELECT count(*) FROM bot_user_award", draws);
    require(db, "SELECT count(DISTINCT user_id) FROM bot_user_award", draws);
    require(db, "SELECT count(*) FROM redpacket_activity_participants", draws);
    require(db, "SELECT sum(number - remaining) FROM bot_activity_award", draws);
    check(db, sqlite3_close(db), "close");
}

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: plain --draws N --per-commit K --database PATH --seed S [--seconds T] [--others M]\n"
                    "PATH must not exist yet; at most N draws, at most T seconds, M users before them.\n");
    exit(64);
}

static uint64_t number(const char *text) {
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno) usage();
    return value;
}

int main(int argc, char **argv) {
    int64_t draws = 0, per_commit = 0, others = 0;
    uint64_t seed = 0;
    double limit = 0, elapsed = 0;
    const char *path = NULL;
    for (int index = 1; index < argc; index += 2) {
        if (index + 1 == argc) usage();
        const char *name = argv[index], *value = argv[index + 1];
        if (!strcmp(name, "--draws")) draws = (int64_t)number(value);
        else if (!strcmp(name, "--per-commit")) per_commit = (int64_t)number(value);
        else if (!strcmp(name, "--others")) others = (int64_t)number(value);
        else if (!strcmp(name, "--seed")) seed = number(value);
        else if (!strcmp(name, "--seconds")) limit = (double)number(value);
        else if (!strcmp(name, "--database")) path = value;
        else usage();
    }
    if (draws <= 0 || per_commit <= 0 || !path) usage();
    if (access(path, F_OK) == 0) {
        fprintf(stderr, "plain: %s exists already\n", path);
        return 1;
    }

    sqlite3 *db = open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    execute(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                "PRAGMA cache_size = -131072; PRAGMA wal_autocheckpoint = 16000;");
    require(db, "SELECT journal_mode = 'wal' FROM pragma_journal_mode", 1);
    require(db, "PRAGMA synchronous", 2);
    require(db, "PRAGMA cache_size", -131072);
    require(db, "PRAGMA wal_autocheckpoint", 16000);

    seed_file(db, draws, draws + others, seed);
    if (others > 0) add_others(db, others);
    int64_t done = draw_all(db, draws, per_commit, limit, seed, &elapsed);
    check(db, sqlite3_close(db), "close");
    verify(path, others + done);

    printf("{\"draws\":%" PRId64 ",\"seconds\":%.6f,\"draws_per_second\":%.0f,\"draws_per_commit\":%" PRId64 "}\n",
           done, elapsed, (double)done / elapsed, per_commit);
    return 0;
}
