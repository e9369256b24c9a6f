internal import Activities
internal import Basics
internal import Foundation
internal import GRDB
internal import Lottery
internal import SQLiteStore

/// Looks through a whole database for what it must not be: damaged, at odds with itself, or without something that was
/// acknowledged.
struct Inspection {
    /// Every promise of the workload, in order. Those that were made later may be kept already.
    let promises: [Promise]

    /// - Parameters:
    ///   - path: For SQLite's default VFS. Nothing is changed.
    ///   - count: How many promises were made before the crash.
    ///   - isWhole: Whether more is looked at than the promises.
    /// - Returns: What is wrong, in a sentence each; empty when all is well.
    func faults(ofDatabase path: String, after count: Int, isWhole: Bool = true) async -> [String] {
        do {
            let queue = try DatabaseQueue(path: path, configuration: Self.configuration)
            defer { try? queue.close() }
            guard isWhole else { return try await queue.read { try missing($0, after: count) } }
            // What is damaged is not read any further, as at a start of the program.
            let damages = try await queue.read { try Self.structureFaults($0) }
            guard damages.isEmpty else { return damages }
            var faults = try await queue.read { try Self.countFaults($0) + missing($0, after: count) }
            let store = try SQLiteStore(readingThroughVFS: path)
            faults += try await Self.ledgerFaults(store)
            try await store.close()
            return faults
        } catch {
            return ["it cannot be read: \(error)"]
        }
    }

    private static var configuration: Configuration {
        var configuration = Configuration()
        configuration.readonly = true
        return configuration
    }

    private static func structureFaults(_ db: Database) throws -> [String] {
        let verdicts = try String.fetchAll(db, sql: "PRAGMA integrity_check(3)")
        let orphans = try Row.fetchAll(db, sql: "PRAGMA foreign_key_check")
        return verdicts.filter { $0 != "ok" } + orphans.map { "foreign key: \($0)" }
    }

    /// What the tables say about one another.
    private static func countFaults(_ db: Database) throws -> [String] {
        let questions = [
            (
                "an award's stock is not its number less its wins",
                """
                SELECT a.activity_id || ' ' || a.id FROM bot_activity_award a
                WHERE a.issued <> (SELECT count(*) FROM bot_user_award w WHERE w.activity_id = a.activity_id
                    AND w.activity_award_id = a.id AND w.voided_at IS NULL)
                    OR (a.kind <> 'DI_BAO' AND a.issued > a.number)
                """
            ),
            (
                "a user holds two wins",
                """
                SELECT user_id FROM bot_user_award WHERE voided_at IS NULL AND user_id IS NOT NULL
                GROUP BY user_id, activity_id HAVING count(*) > 1
                """
            ),
            (
                "a win has no row in the ledger, or a row no win",
                """
                SELECT id FROM bot_user_award w WHERE NOT EXISTS (SELECT 1 FROM bot_draw_ledger l
                    WHERE l.activity_id = w.activity_id AND l.seq = w.seq AND l.award_id = w.activity_award_id)
                UNION ALL
                SELECT activity_id || '-' || seq FROM bot_draw_ledger l WHERE award_id IS NOT NULL
                    AND NOT EXISTS (SELECT 1 FROM bot_user_award w WHERE w.activity_id = l.activity_id AND w.seq = l.seq)
                """
            ),
            (
                "a draw was made without its message, or twice for one",
                """
                SELECT activity_id || '-' || seq FROM bot_draw_ledger l WHERE user_id IS NOT NULL AND 1 <>
                    (SELECT count(*) FROM bot_processed_message m WHERE m.receipt = l.activity_id || '-' || l.seq
                        AND m.code IN ('won', 'missed'))
                """
            ),
            (
                "an answer's draw is not in the ledger",
                """
                SELECT receipt FROM bot_processed_message WHERE code IN ('won', 'missed') AND receipt NOT IN
                    (SELECT activity_id || '-' || seq FROM bot_draw_ledger WHERE type = 'draw')
                """
            ),
            (
                "an activity's counts are not those of its ledger",
                """
                SELECT a.id FROM bot_activity a WHERE a.draw_count <>
                    (SELECT count(*) FROM bot_draw_ledger l WHERE l.activity_id = a.id AND l.type = 'draw')
                """
            ),
        ]
        return try questions.flatMap { sentence, sql in
            try String.fetchAll(db, sql: sql).map { "\(sentence): \($0)" }
        }
    }

    // MARK: Promises

    private struct Message: Equatable {
        var user: String
        var command: String
        var code: String
        var receipt: String?
    }

    private struct Win: Equatable {
        var user: String?
        var award: String
        var isVoided: Bool
    }

    /// Promises that were made and are not kept.
    private func missing(_ db: Database, after count: Int) throws -> [String] {
        var messages: [String: (message: Message, parameters: String)] = [:]
        let messageRows = try Row.fetchCursor(
            db, sql: "SELECT message_key, user_id, command, code, receipt, parameters FROM bot_processed_message")
        while let row = try messageRows.next() {
            let message = Message(user: row[1], command: row[2], code: row[3], receipt: row[4])
            messages[row[0]] = (message, (row[5] as String?) ?? "")
        }
        var wins: [String: Win] = [:]
        let winRows = try Row.fetchCursor(
            db, sql: "SELECT id, user_id, activity_award_id, voided_at IS NOT NULL FROM bot_user_award")
        while let row = try winRows.next() { wins[row[0]] = Win(user: row[1], award: row[2], isVoided: row[3]) }
        var hashes: [String: (hash: String, award: String?)] = [:]
        let ledgerRows = try Row.fetchCursor(
            db, sql: "SELECT activity_id || '-' || seq, lower(hex(hash)), award_id FROM bot_draw_ledger")
        while let row = try ledgerRows.next() { hashes[row[0]] = (row[1], row[2]) }

        // What came later may be there already, and may have taken something back.
        var erasures: [UserID: Int] = [:]
        var voided: Set<String> = []
        for (index, promise) in promises.enumerated() {
            guard case .answer(let request, let decision) = promise.content, let key = request.key,
                messages[key.text] != nil
            else { continue }
            if case .ok(.erased)? = decision.outcome { erasures[request.user] = index }
            if case .ok(.voided(let view))? = decision.outcome { voided.insert(view.receipt.description) }
        }

        var faults: [String] = []
        for (index, promise) in promises.prefix(count).enumerated() {
            guard case .answer(let request, let decision) = promise.content, let key = request.key else { continue }
            let isErasure = decision.outcome == .ok(.erased)
            let isErased = !isErasure && erasures[request.user].map { $0 > index } ?? false
            if !isErased {
                let expected = Message(
                    user: isErasure ? "" : request.user.text, command: request.command?.fingerprint ?? "",
                    code: decision.outcome?.code.rawValue ?? "ok", receipt: decision.outcome?.receipt?.description)
                let found = messages[key.text]
                if found?.message != expected {
                    faults.append(
                        "the answer to \(key.text) is missing: \(expected), there is \(String(describing: found))")
                }
            }
            let (attempt, isWin): (DrawnAttempt?, Bool) =
                switch decision.outcome {
                case .won(let attempt)?: (attempt, true)
                case .missed(let attempt)?: (attempt, false)
                default: (nil, false)
                }
            guard let attempt else { continue }
            let receipt = attempt.receipt.description
            if !isErased, messages[key.text]?.parameters.contains(attempt.rowHash) != true {
                faults.append("the answer to \(key.text) has another hash than \(attempt.rowHash)")
            }
            if isWin {
                let expected = Win(
                    user: isErased ? nil : request.user.text, award: attempt.award?.id.text ?? "",
                    isVoided: voided.contains(receipt))
                if wins[receipt] != expected {
                    faults.append(
                        "the win \(receipt) is missing: \(expected), there is \(String(describing: wins[receipt]))")
                }
            }
            let (hash, award) = hashes[receipt] ?? ("", nil)
            if !hash.hasPrefix(attempt.rowHash) || award != attempt.award?.id.text {
                faults.append("the ledger's row \(receipt) is missing: \(attempt.rowHash), there is \(hash)")
            }
        }
        return faults + (try missingSessions(db, after: count))
    }

    /// A page's session is what the page was told last, or what it was told later.
    private func missingSessions(_ db: Database, after count: Int) throws -> [String] {
        var told: [SessionID: Set<String>] = [:]
        for (index, promise) in promises.enumerated() {
            guard case .session(let session, let status) = promise.content else { continue }
            if index < count {
                told[session] = [status]
            } else {
                told[session]?.insert(status)
            }
        }
        var stored: [String: String] = [:]
        for table in ["redpacket_activity_participants", "redpacket_session_journal"] {
            for row in try Row.fetchAll(db, sql: "SELECT session_id, status FROM \(table) ORDER BY id") {
                stored[row[0]] = row[1]
            }
        }
        return told.compactMap { session, statuses in
            // Leaving without ever having come leaves nothing.
            let found = stored[session.text] ?? "left"
            return statuses.contains(found) ? nil : "the session \(session) was told \(statuses), it is \(found)"
        }
    }

    // MARK: Ledgers

    /// Through the store's own reading, as an export does.
    private static func ledgerFaults(_ store: SQLiteStore) async throws -> [String] {
        var faults: [String] = []
        for record in try await store.load().activities {
            let rows = try await store.ledger(of: record.activity.id, from: 0, limit: .max)
            // Imported, and never opened.
            if rows.isEmpty, record.head == .empty { continue }
            let report = LedgerVerifier.verify(rows.flatMap { $0.canonicalLine + [0x0A] })
            if let bad = report.badRow { faults.append("the ledger of \(record.activity.id) does not verify: \(bad)") }
            if report.head != record.head.hash || rows.count != Int(record.head.nextSeq) {
                faults.append("the ledger of \(record.activity.id) ends elsewhere than its activity says")
            }
        }
        return faults
    }
}
