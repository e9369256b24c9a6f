internal import Basics
internal import TrafficGate

/// Brings the gate's table up to date bit by bit, so that no batch waits for a crowd of sessions to be written.
///
/// Every change of a session stands in the journal at once. The table follows from each tick on, some sessions a batch;
/// once it holds all that a tick handed over, the journal up to that tick can go, some entries a batch as well.
struct SessionTable: Sendable {
    /// Sessions written in one batch, at least. Each is a page or two of the disk's, since they are not sorted by time.
    static let sliceCount = 256
    /// Entries of the journal that go with one batch, at least: side by side on their pages, they take less.
    static let journalSliceCount: Int64 = 2048
    /// One part in so many of what is left, where that is more: however many come with each batch, the table keeps up.
    static let sliceShare = 64
    /// Sessions that may have been touched before the table is brought up to date without a tick.
    static let maximumTouchedCount = 262_144

    /// What the table does not have yet, sorted by session.
    private var unsaved: [Participant] = []
    /// How many of ``unsaved`` have been written.
    private var savedCount = 0
    /// The journal's last number.
    private var journalNumber: Int64 = 0
    /// The journal's last number when ``unsaved`` was handed over.
    private var unsavedNumber: Int64 = 0
    /// The journal's last number of which the table has everything.
    private var savedNumber: Int64 = 0
    /// The journal's last number that is gone.
    private var forgottenNumber: Int64 = 0

    var isBehind: Bool { hasUnsaved || forgottenNumber < savedNumber }

    private var hasUnsaved: Bool { savedCount < unsaved.count }

    /// Numbers the journal's next entries.
    mutating func writeJournal(_ entries: [Participant], to changes: inout Changes) {
        changes.journal = entries
        changes.firstJournalNumber = journalNumber + 1
        journalNumber += Int64(entries.count)
    }

    /// Takes over what was touched; the journal holds all of its changes of status already.
    ///
    /// - Parameter touched: Sorted by session. Where some of an earlier call is not written yet, the later state
    ///   counts.
    mutating func save(_ touched: [Participant]) {
        unsaved = Self.merge(unsaved[savedCount...], touched)
        savedCount = 0
        unsavedNumber = journalNumber
    }

    /// Both of them, sorted by session as they are; of a session that is in both, the later state.
    private static func merge(_ earlier: ArraySlice<Participant>, _ later: [Participant]) -> [Participant] {
        if earlier.isEmpty { return later }
        var merged: [Participant] = []
        merged.reserveCapacity(earlier.count + later.count)
        var earlier = earlier
        for participant in later {
            while let first = earlier.first, first.session < participant.session {
                merged.append(first)
                earlier.removeFirst()
            }
            if earlier.first?.session == participant.session { earlier.removeFirst() }
            merged.append(participant)
        }
        return merged + earlier
    }

    /// Has the next few sessions written and, from the last of them on, the journal shortened.
    mutating func writeSlice(to changes: inout Changes) {
        write(
            max(Self.sliceCount, (unsaved.count - savedCount) / Self.sliceShare),
            journal: max(Self.journalSliceCount, (savedNumber - forgottenNumber) / Int64(Self.sliceShare)), to: &changes
        )
    }

    /// Has everything written, for the close.
    mutating func writeAll(_ touched: [Participant], to changes: inout Changes) {
        save(touched)
        write(.max, journal: .max, to: &changes)
    }

    /// Forgets what would name an erased user, and the sessions that went with them.
    mutating func forget(_ user: UserID, _ sessions: [SessionID]) {
        unsaved = unsaved[savedCount...].filter { $0.user != user && !sessions.contains($0.session) }
        savedCount = 0
    }

    private mutating func write(_ count: Int, journal entryCount: Int64, to changes: inout Changes) {
        let end = savedCount + min(count, unsaved.count - savedCount)
        changes.participants = Array(unsaved[savedCount..<end])
        savedCount = end
        guard !hasUnsaved else { return }
        savedNumber = unsavedNumber
        unsaved = []
        savedCount = 0
        guard forgottenNumber < savedNumber else { return }
        forgottenNumber += min(entryCount, savedNumber - forgottenNumber)
        changes.savedJournalNumber = forgottenNumber
    }
}
