import Activities
import Basics
import Lottery

/// The rules of the draw once more, the plain way: every attempt in a list, everything else counted from it.
///
/// - Source: spec.md sections 4 and 5.
struct ReferenceDraws {
    struct Award {
        let id: AwardID
        let kind: AwardKind
        let partsPerMillion: Int
        var number: Int
    }

    struct Attempt {
        /// The player's index; nil once erased.
        var user: Int?
        let number: UInt32
        /// Nil: a miss.
        let award: Int?
        var gameID: String
        var isVoided = false
        let seq: Int64
    }

    struct Event {
        let id: ActivityID
        var awards: [Award]
        let maxAttempts: Int?
        let oneWinPerGameID: Bool
        var isOpen = false
        var round: UInt32 = 0
        var seed: RoundSeed?
        var rowCount: Int64 = 0
        var attempts: [Attempt] = []
        var erasedUsers: Set<Int> = []

        func issued(_ award: Int) -> Int {
            attempts.count(where: { $0.award == award && !$0.isVoided })
        }

        /// Nil for DI_BAO.
        func remaining(_ award: Int) -> Int? {
            awards[award].kind == .DI_BAO ? nil : awards[award].number - issued(award)
        }

        /// Whether somebody holds two wins.
        var hasDoubleWinner: Bool {
            var winners: Set<Int> = []
            for attempt in attempts where attempt.award != nil && !attempt.isVoided {
                if let user = attempt.user, !winners.insert(user).inserted { return true }
            }
            return false
        }
    }

    /// What must come of a command.
    struct Expectation: Equatable {
        var code: OutcomeCode
        var award: AwardID?
        var seq: Int64?
        var attempt: UInt32?
        var remaining: Int?
    }

    var events: [Event]
    /// By the player's index.
    let users: [UserID]
    var gameIDs: [Int: String] = [:]

    // MARK: Players

    mutating func draw(_ user: Int, in index: Int) -> Expectation {
        let event = events[index]
        guard event.isOpen, let seed = event.seed else { return Expectation(code: .noActivity) }
        guard let gameID = gameIDs[user] else { return Expectation(code: .notBound) }
        let own = event.attempts.filter { $0.user == user }
        if let win = own.first(where: { $0.award != nil && !$0.isVoided }), let award = win.award {
            return Expectation(code: .alreadyWon, award: event.awards[award].id, seq: win.seq)
        }
        if event.oneWinPerGameID,
            event.attempts.contains(where: {
                $0.award != nil && !$0.isVoided && $0.user != nil && $0.gameID == gameID.lowercased()
            })
        {
            return Expectation(code: .gameIDUsed)
        }
        if event.erasedUsers.contains(user) { return Expectation(code: .attemptsUsed) }
        if let maximum = event.maxAttempts, own.count(where: { !$0.isVoided }) >= maximum {
            return Expectation(code: .attemptsUsed)
        }

        let number = UInt32(own.count + 1)
        let award = award(
            of: event,
            DrawWords(seed: seed, activity: event.id, round: event.round, user: users[user], attempt: number))
        let seq = event.rowCount
        events[index].attempts.append(
            Attempt(user: user, number: number, award: award, gameID: gameID.lowercased(), seq: seq))
        events[index].rowCount += 1
        guard let award else { return Expectation(code: .missed, seq: seq, attempt: number, remaining: 0) }
        return Expectation(
            code: .won, award: event.awards[award].id, seq: seq, attempt: number,
            remaining: events[index].remaining(award))
    }

    private func award(of event: Event, _ words: DrawWords) -> Int? {
        var words = words
        for (index, award) in event.awards.enumerated() where award.kind != .DI_BAO {
            let word = words.word(at: index)
            // word < ppm · 2^64 / 10^6, without rounding.
            let isHit = UInt128(word) < UInt128(award.partsPerMillion) << 64 / 1_000_000
            if isHit, let remaining = event.remaining(index), remaining > 0 { return index }
        }
        return event.awards.firstIndex { $0.kind == .DI_BAO }
    }

    mutating func erase(_ user: Int) {
        gameIDs[user] = nil
        for index in events.indices where events[index].attempts.contains(where: { $0.user == user }) {
            events[index].erasedUsers.insert(user)
            for row in events[index].attempts.indices where events[index].attempts[row].user == user {
                events[index].attempts[row].user = nil
                events[index].attempts[row].gameID = ""
            }
        }
    }

    // MARK: Admins

    mutating func start(_ index: Int) -> Expectation {
        guard !events[index].isOpen else { return Expectation(code: .badArgument) }
        events[index].isOpen = true
        events[index].round += 1
        events[index].rowCount += 1
        return Expectation(code: .ok)
    }

    mutating func stop(_ index: Int) -> Expectation {
        guard events[index].isOpen else { return Expectation(code: .badArgument) }
        events[index].isOpen = false
        events[index].rowCount += 1
        return Expectation(code: .ok)
    }

    mutating func void(seq: Int64, in index: Int) -> Expectation {
        guard let row = events[index].attempts.firstIndex(where: { $0.seq == seq }),
            let award = events[index].attempts[row].award, !events[index].attempts[row].isVoided
        else { return Expectation(code: .badArgument) }
        events[index].attempts[row].isVoided = true
        events[index].rowCount += 1
        return Expectation(code: .ok, seq: seq, remaining: events[index].remaining(award))
    }

    mutating func setNumber(of award: Int, in index: Int, to number: Int) -> Expectation {
        guard events[index].awards[award].kind == .NORNAL, number >= events[index].issued(award) else {
            return Expectation(code: .badArgument)
        }
        if number != events[index].awards[award].number, events[index].isOpen {
            events[index].round += 1
            events[index].rowCount += 2
        }
        events[index].awards[award].number = number
        return Expectation(code: .ok, remaining: events[index].remaining(award))
    }
}
