import Activities
import Basics
import Lottery

/// Keeps what changes say in plain dictionaries, for tests that drive the decisions millions of times.
struct FactKeeper {
    private struct KeptWin {
        var user: UserID?
        var gameIDKey: GameIDKey?
        var isVoided = false
    }

    private var bindings: [UserID: GameID] = [:]
    private var participations: [ParticipationKey: Participation] = [:]
    private var wins: [Receipt: KeptWin] = [:]
    /// Those not voided whose user is known.
    private var liveWins: [ParticipationKey: WinFact] = [:]
    private var winsByGameID: [GameIDKey: Receipt] = [:]
    private var erased: [ActivityID: Set<Hash>] = [:]
    private(set) var ledgers: [ActivityID: [LedgerRow]] = [:]

    func facts(for query: FactQuery) -> Facts {
        var facts = Facts()
        for user in query.bindings { facts.bindings[user] = bindings[user] }
        var gameIDs = query.gameIDs
        for key in query.participations {
            facts.participations[key] = participation(key, digest: query.erased[key])
            if query.activitiesByGameID.contains(key.activity), let gameID = bindings[key.user] {
                gameIDs.append(GameIDKey(activity: key.activity, folded: gameID.folded))
            }
        }
        for key in gameIDs {
            if let win = winsByGameID[key] { facts.winnersByGameID[key] = wins[win]?.user }
        }
        if let receipt = query.receipt, case .draw(let entry)? = row(receipt)?.event {
            facts.voidable = VoidableDraw(
                receipt: receipt, user: entry.user, award: entry.award, isVoided: wins[receipt]?.isVoided ?? false,
                participation: entry.user.flatMap {
                    participation(ParticipationKey(user: $0, activity: receipt.activity), digest: nil)
                } ?? Participation())
        }
        for user in query.erasing {
            let keys = Array(liveWins.keys) + Array(participations.keys)
            facts.activitiesOfErasing[user] = Array(Set(keys.filter { $0.user == user }.map(\.activity)))
        }
        return facts
    }

    private func participation(_ key: ParticipationKey, digest: Hash?) -> Participation? {
        let win = liveWins[key]
        let isErased = digest.map { erased[key.activity]?.contains($0) == true } ?? false
        guard win != nil || participations[key] != nil || isErased else { return nil }
        var participation = participations[key] ?? Participation()
        participation.win = win
        participation.isErased = isErased
        return participation
    }

    private func row(_ receipt: Receipt) -> LedgerRow? {
        guard let rows = ledgers[receipt.activity], rows.indices.contains(Int(receipt.seq)) else { return nil }
        return rows[Int(receipt.seq)]
    }

    mutating func keep(_ changes: Changes) {
        for entry in changes.ledger { ledgers[entry.activity, default: []].append(entry.row) }
        for new in changes.wins {
            let gameIDKey = new.gameIDKey.map { GameIDKey(activity: new.receipt.activity, folded: $0) }
            wins[new.receipt] = KeptWin(user: new.user, gameIDKey: gameIDKey)
            if let gameIDKey { winsByGameID[gameIDKey] = new.receipt }
            liveWins[ParticipationKey(user: new.user, activity: new.receipt.activity)] = WinFact(
                receipt: new.receipt, award: new.award, gameID: new.gameID, wonAt: new.wonAt)
        }
        for voided in changes.voidedWins {
            wins[voided.receipt]?.isVoided = true
            if let key = wins[voided.receipt]?.gameIDKey { winsByGameID[key] = nil }
            if let user = wins[voided.receipt]?.user {
                liveWins[ParticipationKey(user: user, activity: voided.receipt.activity)] = nil
            }
        }
        participations.merge(changes.participations) { $1 }
        for (user, gameID) in changes.bindings { bindings[user] = gameID }
        for erasure in changes.erasures { erase(erasure) }
    }

    private mutating func erase(_ erasure: Changes.Erasure) {
        bindings[erasure.user] = nil
        participations = participations.filter { $0.key.user != erasure.user }
        liveWins = liveWins.filter { $0.key.user != erasure.user }
        for (activity, digest) in erasure.digests {
            erased[activity, default: []].insert(digest)
            ledgers[activity] = ledgers[activity]?.map { $0.draw?.user == erasure.user ? $0.publicForm : $0 }
        }
        for (receipt, win) in wins where win.user == erasure.user {
            if let key = win.gameIDKey, winsByGameID[key] == receipt { winsByGameID[key] = nil }
            wins[receipt]?.user = nil
            wins[receipt]?.gameIDKey = nil
        }
    }
}
