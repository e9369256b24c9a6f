internal import Basics
internal import TrafficGate

/// Brings the gate's table up to date bit by bit, so that no batch waits for a crowd of sessions to be written.
///
/// Every change of a session stands in the journal at once. The table follows from each tick on, some sessions a batch;
/// once it holds all that a tick handed over, the journal up to that tick can go.
struct SessionTable: Sendable {
    /// Sessions written in one batch.
    static let sliceCount = 2048
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

    var isBehind: Bool { savedCount < unsaved.count }

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
        if isBehind {
            var latest: [SessionID: Participant] = [:]
            for participant in unsaved[savedCount...] { latest[participant.session] = participant }
            for participant in touched { latest[participant.session] = participant }
            unsaved = latest.values.sorted { $0.session < $1.session }
        } else {
            unsaved = touched
        }
        savedCount = 0
        unsavedNumber = journalNumber
    }

    /// Has the next few sessions written, and with the last of them the journal shortened.
    mutating func writeSlice(to changes: inout Changes) {
        write(Self.sliceCount, to: &changes)
    }

    /// Has everything written, for the close.
    mutating func writeAll(_ touched: [Participant], to changes: inout Changes) {
        save(touched)
        write(.max, to: &changes)
    }

    /// Forgets what would name an erased user, and the sessions that went with them.
    mutating func forget(_ user: UserID, _ sessions: [SessionID]) {
        unsaved = unsaved[savedCount...].filter { $0.user != user && !sessions.contains($0.session) }
        savedCount = 0
    }

    private mutating func write(_ count: Int, to changes: inout Changes) {
        let end = min(unsaved.count, savedCount + min(count, unsaved.count))
        changes.participants = Array(unsaved[savedCount..<end])
        savedCount = end
        guard !isBehind, unsavedNumber > 0 else { return }
        changes.savedJournalNumber = unsavedNumber
        unsaved = []
        savedCount = 0
        unsavedNumber = 0
    }
}
