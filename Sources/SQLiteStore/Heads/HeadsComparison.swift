internal import Activities
public import Basics
internal import Foundation
internal import GRDB
internal import Logging
internal import Lottery

/// Compares a database with what its ``HeadsFile`` says was issued from it.
enum HeadsComparison {
    /// What a database that is not there lacks, or one without tables.
    static func gapsOfNothing(_ contents: HeadsFile.Contents) -> [LedgerGap] {
        contents.issued(from: nil).compactMap { LedgerGap(issued: $0, row: nil, found: nil) }
    }

    /// What the database lacks, in the order of the file.
    static func gaps(in db: Database, _ contents: HeadsFile.Contents) throws -> [LedgerGap] {
        guard try db.tableExists("bot_draw_ledger"), let identity = try identity(of: db) else {
            return gapsOfNothing(contents)
        }
        return try contents.issued(from: identity).compactMap { issued in
            let row = try Data.fetchOne(
                db, sql: "SELECT hash FROM bot_draw_ledger WHERE activity_id = ? AND seq = ?",
                arguments: [issued.activity.text, issued.seq])
            return LedgerGap(
                issued: issued, row: row.flatMap { Hash(Array($0)) }, found: try head(of: issued.activity, in: db))
        }
    }

    /// Nil for a database that never got a key.
    static func identity(of db: Database) throws -> DatabaseIdentity? {
        guard try db.tableExists("bot_secret") else { return nil }
        return try Data.fetchOne(db, sql: "SELECT value FROM bot_secret WHERE name = 'erasure_key'")
            .map { DatabaseIdentity(erasureKey: Array($0)) }
    }

    /// Where the ledgers end.
    static func heads(in db: Database) throws -> [IssuedHead] {
        guard try db.tableExists("bot_activity") else { return [] }
        return try String.fetchAll(db, sql: "SELECT id FROM bot_activity ORDER BY id")
            .compactMap { try head(of: ActivityID($0), in: db) }
    }

    private static func head(of activity: ActivityID, in db: Database) throws -> IssuedHead? {
        try Row.fetchOne(
            db, sql: "SELECT seq, hash FROM bot_draw_ledger WHERE activity_id = ? ORDER BY seq DESC LIMIT 1",
            arguments: [activity.text]
        )
        .map { IssuedHead(activity: activity, seq: $0["seq"], hash: try $0.hash("hash")) }
    }

    /// Brings the file up to date with the database, which may have gone on without it, and keeps it so.
    ///
    /// - Parameter isLossAccepted: Whether an operator gave up what the file had and the database has not: records of others
    ///   in whose place the database lies are dropped then.
    static func begin(
        at path: String, _ contents: HeadsFile.Contents, _ db: Database, database: String, isLossAccepted: Bool
    ) throws -> HeadsFile? {
        guard let identity = try identity(of: db) else { return nil }
        let isStranger = contents.heads(of: identity).isEmpty
        let contents = isStranger && isLossAccepted ? HeadsFile.Contents() : contents
        let file = try HeadsFile(at: path, contents: contents, identity: identity, database: database)
        let known = Set(contents.heads(of: identity))
        for head in try heads(in: db) where !known.contains(head) { try file.note(head) }
        file.synchronize()
        return file
    }

    /// Says what the guard could not do.
    static func report(_ contents: HeadsFile.Contents, _ heads: [IssuedHead], path: String, to logger: Logger) {
        guard !heads.isEmpty else { return }
        if !contents.isThere {
            logger.warning(
                """
                the file of issued receipts is missing and made anew: an older database put back by hand would not be \
                noticed this time
                """, metadata: ["file": "\(path)"])
        }
        if !contents.damaged.isEmpty {
            logger.warning(
                "the file of issued receipts is damaged in part; what can be read counts, the rest is made anew",
                metadata: ["file": "\(path)", "records": "\(contents.damaged.count)"])
        }
    }
}

/// An operator's word that draws may go on although receipts are missing.
package struct LossAcceptance: Sendable {
    package let gaps: [LedgerGap]
    package let at: Instant

    package init(of gaps: [LedgerGap], at: Instant) {
        self.gaps = gaps
        self.at = at
    }

    /// In the audit log: for each ledger, what was issued and where the file ends.
    func audit(_ db: Database) throws {
        for gap in gaps {
            try db.execute(
                sql: """
                    INSERT INTO bot_audit_log (at, actor, action, target, before, after, result)
                    VALUES (?, 'command-line:operator', 'restore.accept', ?, ?, ?, 'ok')
                    """,
                arguments: [
                    at.dateTimeText(), gap.issued.activity.text, Self.text(gap.issued), gap.found.map(Self.text),
                ])
        }
    }

    private static func text(_ head: IssuedHead) -> String { "\(head.receipt) \(head.hash.shortHex)" }
}

extension SQLiteStore {
    /// How the database at `path` stands to what was issued from it. Works beside a writer and changes nothing.
    ///
    /// A database that is gone lacks everything. Blocks the calling thread, for 20 ms when records look torn.
    ///
    /// - Throws: ``StoreError``, also when nothing was ever issued from a database that is not there.
    public static func issuedState(path: String) throws -> IssuedState {
        do {
            let file = HeadsFile.path(besideDatabase: path)
            // The file first: the database may only grow meanwhile.
            var contents = try HeadsFile.contents(at: file)
            if !contents.damaged.isEmpty {
                // A writer may have been in the middle of it.
                usleep(20_000)
                contents = try HeadsFile.contents(at: file)
            }
            var state = IssuedState(isThere: contents.isThere, damagedCount: contents.damaged.count)
            if !contents.records.isEmpty, !FileManager.default.fileExists(atPath: path) {
                state.gaps = HeadsComparison.gapsOfNothing(contents)
                return state
            }
            try checkFile(path, mayBeMissing: false, acceptsOlder: true) { db in
                state.gaps = try HeadsComparison.gaps(in: db, contents)
                state.isNeeded = try !HeadsComparison.heads(in: db).isEmpty
            }
            return state
        } catch {
            throw StoreError(error)
        }
    }

    /// Lets the database at `path` draw again although it lacks receipts: audited, and from then on the ledgers' ends in
    /// it are what was issued.
    ///
    /// - Parameter gaps: As ``issuedState(path:)`` found them.
    /// - Throws: ``StoreError``; ``OutdatedDatabase`` when other receipts are missing than those.
    public static func accept(_ gaps: [LedgerGap], path: String, at moment: Instant) async throws {
        let store = try SQLiteStore(
            path: path, checkpointFrameCount: standardCheckpointFrameCount,
            accepting: LossAcceptance(of: gaps, at: moment))
        try await store.close()
    }
}
