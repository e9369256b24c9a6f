import Activities
import Basics
import TestSupport
import Testing
import TrafficGate

/// The gate's table follows its journal, and is never ahead of it.
@Suite struct SessionTableTests {
    private let start = Instant(milliseconds: 1_802_232_000_000)

    private func machine(sessions: [Participant]) -> ActivityStateMachine {
        ActivityStateMachine(
            StoredState(
                activities: [], participants: sessions,
                configuration: [ConfigurationRow(key: "max_concurrent_users", value: "1", isActive: true)],
                erasureKey: [UInt8](repeating: 0, count: 32)),
            now: start)
    }

    private func look(_ machine: inout ActivityStateMachine, after seconds: Int64) -> Changes {
        var entropy = SeededGenerator(seed: 1)
        let now = start.advanced(bySeconds: seconds)
        _ = machine.prepare([], now: now, entropy: &entropy)
        return machine.decide([], facts: Facts(), now: now, entropy: &entropy).0
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
    @Test func aTickOverTakesTheOneBefore() throws {
        let count = 2000
        var machine = machine(
            sessions: (0..<count).map {
                // Every other one is heard of a little later, and expires later.
                Participant(
                    session: SessionID("qq:\($0)"), user: UserID("qq:\($0)"), joinTime: start,
                    lastHeartbeat: start.advanced(bySeconds: Int64($0 % 2) * 60), status: .active)
            })
        var table: [SessionID: ParticipantStatus] = [:]
        var writtenCount = 0
        func write(_ changes: Changes) {
            writtenCount += changes.participants.count
            for participant in changes.participants { table[participant.session] = participant.status }
            #expect(changes.participants.map(\.session) == changes.participants.map(\.session).sorted())
        }
        // When a second tick comes in the middle of what the first one has to write
        write(look(&machine, after: 90))
        write(look(&machine, after: 90))
        #expect(writtenCount == 512)
        repeat { write(look(&machine, after: 150)) } while machine.hasUnsavedSessions
        // Then everybody is there as they are at last
        #expect(table.count == count)
        #expect(table.values.allSatisfy { $0 == .expired })
    }
}
