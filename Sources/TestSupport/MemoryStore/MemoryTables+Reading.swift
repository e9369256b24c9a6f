internal import Activities
internal import Basics
internal import Lottery

// What is read for lists, single draws, exports and the outbox.

extension MemoryTables {
    private func isNewer(_ left: Win, _ right: Win) -> Bool {
        if left.wonAt != right.wonAt { return left.wonAt > right.wonAt }
        if left.receipt.activity != right.receipt.activity { return left.receipt.activity < right.receipt.activity }
        return left.receipt.seq > right.receipt.seq
    }

    private func label(_ win: KeptWin, in activity: Activity) -> AwardLabel {
        let prefix = activity.awards.first { $0.id == win.award }?.prefix ?? ""
        return AwardLabel(id: win.award, prefix: prefix, name: win.awardName)
    }

    private func form(_ win: KeptWin, in activity: Activity) -> Win {
        Win(
            activityName: activity.name, award: label(win, in: activity),
            receipt: Receipt(activity: activity.id, seq: win.seq), gameID: win.gameID.text, wonAt: win.wonAt,
            voidedAt: win.voidedAt)
    }

    /// - Parameter ids: Nil: in all activities.
    private func liveWins(of user: UserID, in ids: [ActivityID]?) -> [Win] {
        (ids ?? activityIDs).compactMap { id in
            activities[id].flatMap { kept in kept.liveWins[user].map { form(kept.wins[$0], in: kept.activity) } }
        }.sorted(by: isNewer)
    }

    func wins(of user: UserID) -> [Win] { liveWins(of: user, in: nil) }

    func winners(of ids: [ActivityID], page: Int, pageSize: Int) -> WinnersPage {
        var winners: [WinnersPage.Winner] = []
        var seen: Set<UserID> = []
        for id in ids {
            guard let kept = activities[id] else { continue }
            for win in kept.wins where win.isLive {
                var wins = [form(win, in: kept.activity)]
                if let user = win.user {
                    guard seen.insert(user).inserted else { continue }
                    wins = liveWins(of: user, in: ids)
                }
                winners.append(WinnersPage.Winner(gameID: wins[0].gameID, wins: wins))
            }
        }
        let pageCount = (winners.count + pageSize - 1) / pageSize
        let page = max(1, min(page, pageCount))
        return WinnersPage(
            page: page, pageCount: pageCount, winnerCount: winners.count,
            winners: Array(winners.dropFirst((page - 1) * pageSize).prefix(pageSize)))
    }

    func draw(_ receipt: Receipt) -> StoredDraw? {
        guard let row = row(receipt), case .draw(let entry) = row.event,
            let round = activities[receipt.activity]?.rounds.first(where: { $0.round.round == entry.round })
        else { return nil }
        return StoredDraw(
            row: row, entry: entry, rules: round.rules, commitment: round.round.commitment,
            seed: round.closedAt == nil ? nil : round.round.seed, voidedAt: win(receipt)?.voidedAt)
    }

    func data(of user: UserID) -> UserData {
        UserData(
            user: user, gameID: bindings[user]?.text, wins: wins(of: user),
            missCount: activities.values.reduce(0) { $0 + ($1.attempts[user]?.missCount ?? 0) },
            messageCount: messages.values.count { $0.user == user }, hasSession: false)
    }

    func storedWins(of id: ActivityID) -> [StoredWin] {
        guard let kept = activities[id] else { return [] }
        return kept.wins.map {
            StoredWin(
                receipt: Receipt(activity: id, seq: $0.seq), user: $0.user, gameID: $0.gameID.text,
                award: label($0, in: kept.activity), wonAt: $0.wonAt, voidedAt: $0.voidedAt)
        }
    }

    // MARK: The outbox

    func pendingReplies(through endpoint: String) -> [ProcessedMessage] {
        messages.values.filter { $0.delivery == .pending && $0.destination?.endpoint == endpoint }.sorted {
            left, right in
            if left.at != right.at { return left.at < right.at }
            let times = (left.key.sentAt?.milliseconds ?? 0, right.key.sentAt?.milliseconds ?? 0)
            if times.0 != times.1 { return times.0 < times.1 }
            return left.key.text.utf8.lexicographicallyPrecedes(right.key.text.utf8)
        }
    }

    var endpointsOfPendingReplies: Set<String> {
        Set(messages.values.lazy.filter { $0.delivery == .pending }.compactMap { $0.destination?.endpoint })
    }

    /// Where each user was last who was told to wait, whoever wrote last first.
    func destinationsOfQueuedUsers(since moment: Instant) -> [(user: UserID, destination: Destination)] {
        var latest: [UserID: (at: Instant, destination: Destination)] = [:]
        for message in messages.values where message.answer.code == .queued && message.at >= moment {
            guard let destination = message.destination else { continue }
            if let known = latest[message.user], known.at >= message.at { continue }
            latest[message.user] = (message.at, destination)
        }
        return latest.sorted { left, right in
            left.value.at == right.value.at ? left.key < right.key : left.value.at > right.value.at
        }.map { ($0.key, $0.value.destination) }
    }
}
