public import Activities
internal import Basics
internal import Lottery
internal import TrafficGate

extension MemoryTables {
    /// Writes a batch, or nothing of it.
    ///
    /// - Throws: ``StoreError`` with `constraint` when it breaks a rule of the schema.
    public mutating func write(_ changes: Changes) throws(StoreError) {
        if isStrict, let fault = fault(of: changes) { throw StoreError(code: .constraint, message: fault) }
        apply(changes)
    }

    // MARK: The rules

    /// The rule that `changes` would break, found before anything is written.
    private func fault(of changes: Changes) -> String? {
        faultOfActivities(changes) ?? faultOfWins(changes) ?? faultOfLedger(changes) ?? faultOfMessages(changes)
    }

    private func faultOfActivities(_ changes: Changes) -> String? {
        var rules = activities.mapValues(\.activity)
        for record in changes.activities { rules[record.activity.id] = record.activity }
        let names = rules.values.map(\.name).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        if zip(names, names.dropFirst()).contains(where: { areEqualBytes($0, $1) }) { return "two of one name" }
        let touched = Set(changes.activities.map(\.activity.id)).union(changes.progress.keys)
        for id in touched {
            guard let activity = rules[id] else { continue }
            let kept = activities[id]
            let progress = changes.progress[id] ?? Changes.Progress()
            if let maximum = activity.maxAttempts, maximum < 1 { return "max_attempts of \(id)" }
            for (count, added) in [(kept?.userCount, progress.userCount), (kept?.drawCount, progress.drawCount)] {
                let (sum, overflow) = (count ?? 0).addingReportingOverflow(added)
                if overflow || sum < 0 { return "counters of \(id)" }
            }
            for award in activity.awards {
                let issued = (kept?.issued[award.id] ?? 0).addingReportingOverflow(progress.issued[award.id] ?? 0)
                if issued.overflow || issued.partialValue < 0 { return "issued of \(id) \(award.id)" }
                if !(0...Activity.maximumNumber).contains(award.number) { return "number of \(id) \(award.id)" }
                if award.kind != .DI_BAO, issued.partialValue > award.number {
                    return "more of \(id) \(award.id) than there is"
                }
            }
            let ids = Set(activity.awards.map(\.id))
            if kept?.wins.contains(where: { !ids.contains($0.award) }) == true { return "a won award of \(id) is gone" }
        }
        for win in changes.wins
        where rules[win.receipt.activity]?.awards.contains(where: { $0.id == win.award }) != true {
            return "a win of no award, \(win.receipt)"
        }
        return nil
    }

    /// One live win per user and activity. Voids come first, then the wins, each with its own void behind it.
    private func faultOfWins(_ changes: Changes) -> String? {
        var isLive: [ParticipationKey: Bool] = [:]
        var written: Set<Receipt> = []
        let voided = Set(changes.voidedWins.map(\.receipt))
        for receipt in voided {
            guard let win = win(receipt), win.isLive, let user = win.user else { continue }
            isLive[ParticipationKey(user: user, activity: receipt.activity)] = false
        }
        for win in changes.wins {
            let key = ParticipationKey(user: win.user, activity: win.receipt.activity)
            if self.win(win.receipt) != nil || !written.insert(win.receipt).inserted {
                return "the win \(win.receipt) is there"
            }
            if isLive[key] ?? (activities[key.activity]?.liveWins[key.user] != nil) {
                return "a second win of \(key.user) in \(key.activity)"
            }
            isLive[key] = !voided.contains(win.receipt)
        }
        return nil
    }

    private func faultOfLedger(_ changes: Changes) -> String? {
        var next: [ActivityID: Int64] = [:]
        for entry in changes.ledger {
            let due = next[entry.activity] ?? Int64(activities[entry.activity]?.rows.count ?? 0)
            if entry.row.seq != due { return "row \(entry.row.seq) of \(entry.activity) where \(due) is due" }
            next[entry.activity] = due + 1
        }
        for new in changes.newRounds {
            let rounds = activities[new.rules.activity]?.rounds ?? []
            if rounds.contains(where: { $0.round.round == new.round.round }) { return "a round twice" }
        }
        return nil
    }

    private func faultOfMessages(_ changes: Changes) -> String? {
        var keys: Set<MessageKey> = []
        for message in changes.messages where messages[message.key] != nil || !keys.insert(message.key).inserted {
            return "the message \(message.key.text) is there"
        }
        if !changes.journal.isEmpty, let last = journal.last, last.number >= changes.firstJournalNumber {
            return "number \(changes.firstJournalNumber) of the journal is there"
        }
        return nil
    }

    // MARK: Writing

    private mutating func apply(_ changes: Changes) {
        for record in changes.activities {
            activities[record.activity.id, default: KeptActivity(record.activity)].take(record)
        }
        for new in changes.newRounds {
            activities[new.rules.activity]?.rounds.append(KeptRound(rules: new.rules, round: new.round))
        }
        for closed in changes.closedRounds { activities[closed.activity]?.close(closed) }
        for entry in changes.ledger { activities[entry.activity]?.rows.append(entry.row) }
        for void in changes.voidedWins { activities[void.receipt.activity]?.void(void) }
        for win in changes.wins {
            activities[win.receipt.activity]?.add(win)
            for void in changes.voidedWins where void.receipt == win.receipt {
                activities[win.receipt.activity]?.void(void)
            }
        }
        for (id, progress) in changes.progress { activities[id]?.count(progress) }
        for (key, participation) in changes.participations {
            var attempts = participation
            attempts.win = nil
            attempts.isErased = false
            activities[key.activity]?.attempts[key.user] = attempts
        }
        for (user, gameID) in changes.bindings { bindings[user] = gameID }
        for message in changes.messages {
            messages[message.key] = message
            oldestMessage = min(oldestMessage, message.key.sentAt ?? message.at)
        }
        for (key, delivery) in changes.deliveries {
            messages[key]?.delivery = delivery
            // Of an erasure nothing may stay that names the user, and its address does.
            if messages[key]?.user.text.isEmpty == true { messages[key]?.destination = nil }
        }
        for (key, value) in changes.configuration { setConfiguration(key, to: value, isActive: true) }
        for (index, participant) in changes.journal.enumerated() {
            journal.append((changes.firstJournalNumber + Int64(index), participant))
        }
        for participant in changes.participants { participants[participant.session] = participant }
        if let number = changes.savedJournalNumber { journal.removeAll { $0.number <= number } }
        statistics += changes.statistics
        audit += changes.audit
        for erasure in changes.erasures { erase(erasure) }
        if let moment = changes.forgetMessagesBefore { forgetMessages(before: moment) }
    }

    mutating func setConfiguration(_ key: String, to value: String, isActive: Bool) {
        let row = ConfigurationRow(key: key, value: value, isActive: isActive)
        if let index = configuration.firstIndex(where: { areEqualBytes($0.key, key) }) {
            configuration[index] = row
        } else {
            configuration.append(row)
        }
    }

    /// Brings the table up to date, as whoever opens it does.
    mutating func foldJournal() {
        for (_, participant) in journal { participants[participant.session] = participant }
        journal = []
    }

    private mutating func forgetMessages(before moment: Instant) {
        guard oldestMessage < moment else { return }
        messages = messages.filter { ($0.key.sentAt ?? $0.value.at) >= moment }
        oldestMessage = messages.values.map { $0.key.sentAt ?? $0.at }.min() ?? Instant(milliseconds: .max)
    }

    private mutating func erase(_ erasure: Changes.Erasure) {
        let user = erasure.user
        for (id, digest) in erasure.digests { activities[id]?.erase(user, digest) }
        for id in activityIDs { activities[id]?.attempts[user] = nil }
        bindings[user] = nil
        messages = messages.filter { $0.value.user != user }
        // Were an earlier row of a session to stay whose latest one is theirs, it would be a session again.
        var latest = participants
        for (_, participant) in journal { latest[participant.session] = participant }
        let own = Set(erasure.sessions).union(latest.values.filter { $0.user == user }.map(\.session))
        participants = participants.filter { !own.contains($0.key) && $0.value.user != user }
        journal.removeAll { own.contains($0.participant.session) || $0.participant.user == user }
        audit = audit.map { entry in
            guard areEqualBytes(entry.actor, user.text) else { return entry }
            return Changes.Audit(
                at: entry.at, actor: "erased", chat: entry.chat, action: entry.action, target: entry.target,
                before: entry.before, after: entry.after, result: entry.result)
        }
    }
}

extension MemoryTables.KeptActivity {
    /// New rules or a new state; counters and issued copies stay.
    fileprivate mutating func take(_ record: ActivityRecord) {
        activity = record.activity
        status = record.status
        isStartUsed = record.isStartUsed
        isEndUsed = record.isEndUsed
        openedAt = record.openedAt
        let ids = Set(activity.awards.map(\.id))
        issued = issued.filter { ids.contains($0.key) }
        // Wins from a time when the activity did not ask for one win per game id count as well.
        if activity.oneWinPerGameID {
            for index in wins.indices where wins[index].gameIDKey == nil && wins[index].user != nil {
                wins[index].gameIDKey = wins[index].gameID.folded
            }
        }
    }

    fileprivate mutating func close(_ closed: Changes.ClosedRound) {
        guard let index = rounds.lastIndex(where: { $0.round.round == closed.round }) else { return }
        rounds[index].closedAt = closed.closedAt
    }

    fileprivate mutating func add(_ win: Changes.NewWin) {
        liveWins[win.user] = wins.count
        wins.append(
            MemoryTables.KeptWin(
                seq: win.receipt.seq, user: win.user, award: win.award, awardName: win.awardName, gameID: win.gameID,
                gameIDKey: win.gameIDKey, wonAt: win.wonAt))
    }

    fileprivate mutating func void(_ void: Changes.VoidedWin) {
        guard let index = wins.lastIndex(where: { $0.seq == void.receipt.seq }), wins[index].isLive else { return }
        wins[index].voidedAt = void.at
        if let user = wins[index].user, liveWins[user] == index { liveWins[user] = nil }
    }

    fileprivate mutating func count(_ progress: Changes.Progress) {
        userCount += progress.userCount
        drawCount += progress.drawCount
        for (award, count) in progress.issued where activity.awards.contains(where: { $0.id == award }) {
            issued[award, default: 0] += count
        }
    }

    fileprivate mutating func erase(_ user: UserID, _ digest: Hash) {
        erased.insert(digest)
        for index in rows.indices {
            if case .draw(let entry) = rows[index].event, entry.user == user { rows[index] = rows[index].publicForm }
        }
        for index in wins.indices where wins[index].user == user {
            wins[index].user = nil
            wins[index].gameID = GameID(stored: "")
            wins[index].gameIDKey = nil
        }
        liveWins[user] = nil
    }
}
