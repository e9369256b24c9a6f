internal import Activities
internal import Basics
internal import GRDB
internal import Lottery

/// Looks a database through: its structure, every ledger, and whether stock and wins are what the ledgers say.
struct DatabaseCheck {
    private static let pageSize = 2_000

    let db: Database
    let observe: DatabaseWorkObserver

    /// - Parameter isThorough: Whether indexes are compared with their tables as well.
    func report(isThorough: Bool) throws -> DatabaseReport {
        var report = DatabaseReport()
        report.isThorough = isThorough
        try observe(.checkingStructure)
        report.faults = try structureFaults(isThorough: isThorough)
        // What stands in a file that is not whole proves nothing.
        guard report.faults.isEmpty else { return report }
        report.activities = try Self.summaries(db)
        report.latestMoment = try latestMoment()
        // As progress only: a number that stands at its end by another program's hand must not trap.
        let total = report.activities.reduce(0) { $0 &+ ($1.head?.seq ?? -1) &+ 1 }
        for activity in report.activities {
            let before = report.rowCount
            let (faults, count) = try ledgerFaults(activity) { read in
                try observe(.checkingLedgers(Double(before + read) / Double(max(1, total))))
            }
            report.faults += faults
            report.rowCount += count
        }
        return report
    }

    // MARK: Structure

    private func structureFaults(isThorough: Bool) throws -> [DatabaseFault] {
        let pragma = isThorough ? "integrity_check" : "quick_check"
        var faults: [DatabaseFault] = try String.fetchAll(db, sql: "PRAGMA \(pragma)(10)")
            .filter { $0 != "ok" }.map { .structure($0) }
        let tables = try String.fetchAll(db, sql: "SELECT DISTINCT \"table\" FROM pragma_foreign_key_check LIMIT 10")
        faults += tables.map { .foreignKey(table: $0) }
        // No foreign key: it would look for the award with every win.
        let isAwardMissing = try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM bot_user_award WHERE (activity_id, activity_award_id) NOT IN
                    (SELECT activity_id, id FROM bot_activity_award))
                """)
        if isAwardMissing == true { faults.append(.foreignKey(table: "bot_user_award")) }
        return faults
    }

    private func latestMoment() throws -> Instant? {
        let milliseconds = try String.fetchAll(db, sql: "SELECT id FROM bot_activity").compactMap {
            try Int64.fetchOne(
                db, sql: "SELECT at_ms FROM bot_draw_ledger WHERE activity_id = ? ORDER BY seq DESC LIMIT 1",
                arguments: [$0])
        }
        let texts = try [
            "SELECT stat_time FROM redpacket_traffic_stats ORDER BY id DESC LIMIT 1",
            "SELECT at FROM bot_audit_log ORDER BY id DESC LIMIT 1",
        ].compactMap { try String.fetchOne(db, sql: $0) }
        return (milliseconds.map { Instant(milliseconds: $0) } + texts.compactMap { Instant(dateTimeText: $0) }).max()
    }

    // MARK: Activities

    static func summaries(_ db: Database) throws -> [ActivitySummary] {
        let heads = Dictionary(uniqueKeysWithValues: try HeadsComparison.heads(in: db).map { ($0.activity, $0) })
        return try Row.fetchAll(db, sql: "SELECT id, name, status, draw_count FROM bot_activity ORDER BY id").map {
            row in
            let id = ActivityID(row["id"])
            let stock = try Row.fetchAll(
                db,
                sql: """
                    SELECT a.id, a.issued, count(w.seq) AS wins FROM bot_activity_award a
                    LEFT JOIN bot_user_award w ON w.activity_id = a.activity_id AND w.activity_award_id = a.id
                        AND w.voided_at IS NULL
                    WHERE a.activity_id = ? GROUP BY a.id ORDER BY a.position
                    """, arguments: [id.text])
            return ActivitySummary(
                id: id, name: row["name"], isOpen: row["status"] == "active", drawCount: row["draw_count"],
                stock: stock.map {
                    ActivitySummary.Stock(award: AwardID($0["id"]), issued: $0["issued"], winCount: $0["wins"])
                }, head: heads[id])
        }
    }

    private func ledgerFaults(
        _ activity: ActivitySummary, _ progress: (Int) throws -> Void
    ) throws -> (faults: [DatabaseFault], rowCount: Int) {
        let ledger: LedgerReport
        do {
            ledger = try verifiedLedger(of: activity.id, progress)
        } catch let error as StoreError where error.code == .corrupt {
            return ([.ledger(activity.id, seq: nil, nil)], 0)
        }
        if let bad = ledger.badRow, activity.head != nil {
            return ([.ledger(activity.id, seq: bad.seq, bad.fault)], ledger.rowCount)
        }
        var faults: [DatabaseFault] = []
        for stock in activity.stock {
            let total = ledger.awards.first { $0.id == stock.award }
            let held = total.map { $0.winCount - $0.voidCount } ?? 0
            if stock.issued != held || stock.winCount != held {
                faults.append(
                    .stock(
                        activity.id, stock.award, issued: stock.issued, listed: stock.winCount, inLedger: held))
            }
        }
        if activity.drawCount != ledger.drawCount {
            faults.append(.drawCount(activity.id, counted: activity.drawCount, inLedger: ledger.drawCount))
        }
        if let fault = try winsFault(activity.id, winCount: ledger.winCount) { faults.append(fault) }
        return (faults, ledger.rowCount)
    }

    /// What `hongbao verify` would say to an export.
    private func verifiedLedger(of id: ActivityID, _ progress: (Int) throws -> Void) throws -> LedgerReport {
        var seeds = LedgerSeeds()
        let closings = try Row.fetchAll(
            db, sql: ledgerQuery("l.activity_id = ? AND l.type = 'close' ORDER BY l.seq"), arguments: [id.text])
        for closing in closings { seeds.read(line: try ledgerRow(closing).canonicalLine) }
        var verifier = LedgerVerifier(seeds: seeds)
        var next: Int64 = 0
        while true {
            try progress(Int(next))
            let rows = try Row.fetchAll(
                db, sql: ledgerQuery("l.activity_id = ? AND l.seq >= ? ORDER BY l.seq LIMIT ?"),
                arguments: [id.text, next, Self.pageSize])
            guard let last = rows.last else { break }
            for row in rows {
                guard verifier.read(verifier.reader.line(try ledgerRow(row).canonicalLine)) else {
                    return verifier.finish()
                }
            }
            let seq: Int64 = last["seq"]
            guard seq < .max else { break }
            next = seq + 1
        }
        return verifier.finish()
    }

    private func winsFault(_ id: ActivityID, winCount: Int) throws -> DatabaseFault? {
        let seq = try Int64.fetchOne(
            db,
            sql: """
                SELECT l.seq FROM bot_draw_ledger l
                LEFT JOIN bot_user_award w ON w.activity_id = l.activity_id AND w.seq = l.seq
                WHERE l.activity_id = ? AND l.award_id IS NOT NULL
                    AND (w.activity_award_id IS NOT l.award_id OR w.user_id IS NOT l.user_id)
                ORDER BY l.seq LIMIT 1
                """, arguments: [id.text])
        if let seq { return .wins(id, Receipt(activity: id, seq: seq)) }
        let count = try Int.fetchOne(
            db, sql: "SELECT count(*) FROM bot_user_award WHERE activity_id = ?", arguments: [id.text])
        return count == winCount ? nil : .wins(id, nil)
    }
}

extension SQLiteStore {
    /// A file up to this size is looked through wholly, a larger one without comparing its indexes.
    public static let thoroughCheckSize = 1 << 30

    /// Looks through the database at `path`, beside a process that writes it. Changes nothing.
    ///
    /// - Throws: ``StoreError`` when it cannot be opened; what `observe` throws.
    public static func report(
        path: String, isThorough: Bool, _ observe: @escaping DatabaseWorkObserver = { _ in }
    ) throws -> DatabaseReport {
        do {
            try checkFile(path, mayBeMissing: false)
            return try withReader(path) { try DatabaseCheck(db: $0, observe: observe).report(isThorough: isThorough) }
        } catch let error as DatabaseError {
            throw StoreError(error)
        }
    }

    /// Reads one state of the database at `path`.
    static func withReader<Value>(_ path: String, _ body: (Database) throws -> Value) throws -> Value {
        var configuration = configuration
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        let value = try queue.read(body)
        try queue.close()
        return value
    }
}
