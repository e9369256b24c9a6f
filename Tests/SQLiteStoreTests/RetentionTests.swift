import Activities
import Basics
import Foundation
import GRDB
import SQLiteStore
import TestSupport
import Testing
import TrafficGate

/// What goes with time, and what stays.
struct RetentionTests {
    private static let start = Instant(milliseconds: 1_802_232_000_000)

    private func statistics(_ folder: TemporaryFolder) throws -> [String] {
        try folder.withDatabase { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT stat_time, active_users, queued_users, total_requests, rejected_requests,
                        average_session_time FROM redpacket_traffic_stats ORDER BY stat_time
                    """
            ).map { row in
                row.databaseValues.map { $0.isNull ? "-" : "\($0.storage.value ?? "")" }.joined(separator: "|")
            }
        }
    }

    private func write(_ rows: [GateStatistics], to store: SQLiteStore) async throws {
        try await store.transact(FactQuery()) { _ in
            var changes = Changes()
            changes.statistics = rows
            return (changes, ())
        }
    }

    private func thin(_ store: SQLiteStore, before moment: Instant, times: Int = 1) async throws {
        for _ in 1...times {
            try await store.transact(FactQuery()) { _ in
                var changes = Changes()
                changes.thinStatisticsBefore = moment
                return (changes, ())
            }
        }
    }

    @Test func oneRowAnHourIsLeftAndAddsUp() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        func row(_ minutes: Int64, _ users: Int, _ requests: Int, _ seconds: Int?) -> GateStatistics {
            GateStatistics(
                at: Self.start.advanced(bySeconds: minutes * 60), activeUsers: users, queuedUsers: 10 - users,
                totalRequests: requests, rejectedRequests: requests / 2, averageSessionSeconds: seconds)
        }
        try await write(
            [
                row(0, 3, 10, 20), row(20, 9, 20, nil), row(59, 1, 30, 41),
                row(60, 2, 4, nil), row(119, 4, 6, nil),
                row(121, 5, 8, 9),
                row(240, 6, 10, 1), row(250, 7, 10, 1),
            ], to: store)
        // Until half past three hours later: whole hours only.
        try await thin(store, before: Self.start.advanced(bySeconds: 4 * 3600 + 1800))
        let thinned = [
            "2027-02-10 04:59:00.000|9|9|60|30|31", "2027-02-10 05:59:00.000|4|8|10|5|-",
            "2027-02-10 06:01:00.000|5|5|8|4|9", "2027-02-10 08:00:00.000|6|4|10|5|1",
            "2027-02-10 08:10:00.000|7|3|10|5|1",
        ]
        #expect(try statistics(folder) == thinned)
        try await thin(store, before: Self.start.advanced(bySeconds: 4 * 3600 + 1800))
        #expect(try statistics(folder) == thinned)
        // What becomes old later is thinned then, also by a process that starts in between.
        try await store.close()
        let next = try SQLiteStore(path: folder.path())
        try await thin(next, before: Self.start.advanced(bySeconds: 5 * 3600))
        #expect(try statistics(folder).last == "2027-02-10 08:10:00.000|7|4|20|10|1")
        try await next.close()
    }

    @Test func aLongBacklogIsThinnedInSlices() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        let hours = 60
        let rows = (0..<hours * 4).map {
            GateStatistics(
                at: Self.start.advanced(bySeconds: Int64($0) * 900), activeUsers: 1, queuedUsers: 0, totalRequests: 1,
                rejectedRequests: 0, averageSessionSeconds: nil)
        }
        try await write(rows, to: store)
        let end = Self.start.advanced(bySeconds: Int64(hours) * 3600)
        try await thin(store, before: end)
        #expect(try statistics(folder).count == 24 + 36 * 4)
        try await thin(store, before: end, times: 2)
        #expect(try statistics(folder).count == hours)
        let total = try folder.withDatabase {
            try Int.fetchOne($0, sql: "SELECT sum(total_requests) FROM redpacket_traffic_stats")
        }
        #expect(total == hours * 4)
        try await store.close()
    }

    @Test func oldMessagesGoInSlices() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        try await store.transact(FactQuery()) { _ in
            var changes = Changes()
            changes.messages = (0..<5_000).map { number in
                ProcessedMessage(
                    key: .test("m\(number)", at: number.isMultiple(of: 2) ? Self.start : nil), user: "qq:1", chat: nil,
                    fingerprint: "draw", answer: StoredAnswer(code: .notBound, receipt: nil, parameters: nil),
                    at: Self.start)
            }
            return (changes, ())
        }
        var counts: [Int] = []
        for _ in 1...3 {
            try await store.transact(FactQuery()) { _ in
                var changes = Changes()
                changes.forgetMessagesBefore = Self.start.advanced(bySeconds: 1)
                return (changes, ())
            }
            counts.append(try await store.data(of: "qq:1").messageCount)
        }
        #expect(counts == [1_000, 0, 0])
        try await store.close()
    }

    /// Whatever the clock says, what must be kept for years is kept.
    @Test(arguments: [86_400 * 3650, -86_400 * 3650] as [Int64])
    func winnersLedgerAndAuditStayWhateverTheClockSays(_ jump: Int64) async throws {
        let database = try await DrawnDatabase(draws: 12)
        func kept() throws -> [Int?] {
            try database.folder.withDatabase { db in
                try ["bot_user_award", "bot_draw_ledger", "bot_draw_round", "bot_audit_log", "bot_user_attempt"].map {
                    try Int.fetchOne(db, sql: "SELECT count(*) FROM \($0)")
                }
            }
        }
        let before = try kept()
        #expect(before[1] == 13 && before[0] != 0)
        let clock = ManualClock(ManualClock().now.advanced(bySeconds: jump))
        var limits = ActivityService.Limits()
        limits.housekeepingInterval = .milliseconds(1)
        let bench = try await TestBench(path: database.folder.path(), clock: clock, limits: limits)
        try await bench.running { bench in
            for _ in 1...100 {
                clock.advance(seconds: 30)
                try await bench.send(.pool, as: "qq:5")
            }
        }
        #expect(try kept() == before)
        let report = try SQLiteStore.report(path: database.folder.path(), isThorough: true)
        #expect(report.faults.isEmpty)
    }
}
