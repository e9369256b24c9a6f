import Basics
import TestSupport
import Testing
import TrafficGate

@testable import Activities

/// The gate's table follows its journal, and is never ahead of it.
@Suite struct SessionTableTests {
    private let start = Instant(milliseconds: 1_802_232_000_000)

    private func machine(sessions: [Participant], maximumCount: Int = 1) -> ActivityStateMachine {
        ActivityStateMachine(
            StoredState(
                activities: [], participants: sessions,
                configuration: [
                    ConfigurationRow(key: "max_concurrent_users", value: "\(maximumCount)", isActive: true),
                    ConfigurationRow(key: "rush_hour_max_users", value: "\(maximumCount)", isActive: true),
                ],
                erasureKey: [UInt8](repeating: 0, count: 32)),
            now: start)
    }

    private func look(
        _ machine: inout ActivityStateMachine, after seconds: Int64, deciding items: [BatchItem] = []
    ) -> Changes {
        var entropy = SeededGenerator(seed: 1)
        let now = start.advanced(bySeconds: seconds)
        _ = machine.prepare(items, now: now, entropy: &entropy)
        return machine.decide(items, facts: Facts(), now: now, entropy: &entropy).0
    }

    /// A kill between two slices must not bring back a session that a tick had ended or moved.
    @Test func whatATickChangesIsInTheJournalBeforeItIsInTheTable() throws {
        // Given one who is in and silent, and one who waits and has just been heard of
        var waiting = Participant(
            session: "qq:2", user: "qq:2", joinTime: start, lastHeartbeat: start.advanced(bySeconds: 80),
            status: .queued)
        waiting.ticket = 1
        waiting.queuePosition = 1
        var machine = machine(sessions: [
            Participant(session: "qq:1", user: "qq:1", joinTime: start, lastHeartbeat: start, status: .active), waiting,
        ])

        // When the gate ticks
        let changes = look(&machine, after: 90)

        // Then both changes are in the journal of the same batch, and the journal goes only up to there.
        let journal = changes.journal.map { "\($0.session) \($0.status)" }.sorted()
        #expect(journal == ["qq:1 expired", "qq:2 active"])
        #expect(changes.participants.map { "\($0.session) \($0.status)" } == journal)
        #expect(changes.savedJournalNumber == changes.firstJournalNumber + 1)
        #expect(!machine.hasUnsavedSessions)
    }

    @Test func aCrowdReachesTheTableInSlicesAndTheJournalGoesBehindTheLast() throws {
        let count = 5000
        var machine = machine(
            sessions: (0..<count).map {
                Participant(
                    session: SessionID("qq:\($0)"), user: UserID("qq:\($0)"), joinTime: start, lastHeartbeat: start,
                    status: .active)
            })
        var saved: [SessionID] = []
        var journalCount = 0
        var shortenings: [Int64] = []
        repeat {
            let changes = look(&machine, after: 90)
            journalCount += changes.journal.count
            saved += changes.participants.map(\.session)
            #expect(changes.participants.count <= 256)
            if let number = changes.savedJournalNumber { shortenings.append(number) }
            // Nothing of the journal goes before the table has it.
            #expect(shortenings.isEmpty || saved.count == count)
        } while machine.hasUnsavedSessions
        #expect(saved.count == count)
        #expect(saved == saved.sorted())
        #expect(journalCount == count)
        #expect(shortenings == [2048, 4096, 5000])
        #expect(look(&machine, after: 91).isEmpty)
    }

    /// What the earlier tick has not had written yet counts as the later one left it.
    @Test func aTickOvertakesTheOneBefore() throws {
        // Given a crowd that a tick ends, and half of which comes again before its end is written
        let count = 2000
        let ids = (0..<count).map { SessionID("web:\($0)") }
        var machine = machine(
            sessions: ids.map { Participant(session: $0, joinTime: start, lastHeartbeat: start, status: .active) },
            maximumCount: count)
        let first = look(&machine, after: 90).participants
        let again = Set(ids.sorted().suffix(count / 2))
        let joins = again.map {
            BatchItem.session(SessionRequest(session: $0, action: .join(user: nil, ipAddress: nil)))
        }
        let between = look(&machine, after: 91, deciding: joins).participants

        // When the next tick comes
        var second: [Participant] = []
        repeat { second += look(&machine, after: 121).participants } while machine.hasUnsavedSessions

        // Then each is written once more, in order, and as they are at last
        #expect((first + between).map(\.session) == Array(ids.sorted().prefix(512)))
        #expect((first + between).allSatisfy { $0.status == .expired })
        #expect(second.map(\.session) == Array(ids.sorted().dropFirst(512)))
        #expect(second.allSatisfy { $0.status == (again.contains($0.session) ? .active : .expired) })
    }

    /// However many come with each batch, what the table lacks does not grow without an end.
    @Test func theFurtherBehindTheMoreGoesWithABatch() throws {
        var table = SessionTable()
        let count = 100_000
        table.save(
            (0..<count).map {
                Participant(
                    session: SessionID(String(count + $0)), joinTime: start, lastHeartbeat: start, status: .active)
            })
        var left = count
        while left > 0 {
            var changes = Changes()
            table.writeSlice(to: &changes)
            #expect(changes.participants.count == min(left, max(256, left / 64)))
            left -= changes.participants.count
        }
        #expect(!table.isBehind)
    }
}
