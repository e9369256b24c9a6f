internal import Basics
internal import Lottery

extension ActivityRecord {
    /// One attempt of one user, in the order of spec.md section 4: no_activity → not_bound → already_won →
    /// game_id_used → attempts_used → the draw.
    mutating func draw(
        _ request: Request, _ batch: inout ActivityStateMachine.Batch, _ entropy: inout some RandomNumberGenerator
    ) -> Outcome {
        guard let round = openRound, let roundWords else { return .noActivity }
        let id = activity.id
        guard let gameID = batch.facts.bindings[request.user] else { return .notBound }
        let key = ParticipationKey(user: request.user, activity: id)
        var participation = batch.facts.participations[key] ?? Participation()
        if let win = participation.win {
            return .alreadyWon(
                Win(
                    activityName: activity.name, award: activity.label(of: win.award), receipt: win.receipt,
                    gameID: win.gameID.text, wonAt: win.wonAt))
        }
        let gameIDKey = activity.oneWinPerGameID ? GameIDKey(activity: id, folded: gameID.folded) : nil
        if let gameIDKey, let winner = batch.facts.winnersByGameID[gameIDKey], winner != request.user {
            return .gameIDUsed(gameID: gameID.text)
        }
        if participation.isErased { return .erasedBefore }
        if let maximum = activity.maxAttempts, participation.missCount >= maximum {
            return .attemptsUsed(maximum: maximum)
        }
        guard let attempt = UInt32(exactly: participation.missCount + participation.voidCount + 1) else {
            return .attemptsUsed(maximum: participation.missCount)
        }

        var words = roundWords.words(of: request.user, attempt: attempt)
        let result = decideDraw(awards: activity.awards, remaining: remaining) {
            words.word(at: $0)
        }
        let wonIndex: Int? = if case .won(let index) = result { index } else { nil }
        let award = wonIndex.map { activity.awards[$0] }
        let copiesLeft: Int? =
            switch award?.kind {
            case .DI_BAO: nil
            case .NORNAL, .ONLY: remaining(at: wonIndex ?? 0) - 1
            case nil: 0
            }
        let salt = Salt.random(using: &entropy)
        let row = appendToLedger(
            .draw(
                DrawEntry(
                    round: round.round, user: request.user, salt: salt,
                    userHash: userHash(request.user, salt: salt), attempt: attempt, award: award?.id,
                    remaining: copiesLeft)),
            previousSeq: participation.lastSeq, &batch)

        let receipt = Receipt(activity: id, seq: row.seq)
        countDraw(isFirst: attempt == 1, wonIndex: wonIndex)
        batch.changes.progress[id, default: Changes.Progress()].countDraw(isFirst: attempt == 1, award: award?.id)

        guard let award else {
            participation.missCount += 1
            participation.lastSeq = row.seq
            batch.facts.participations[key] = participation
            batch.changes.participations[key] = participation
            let left = activity.maxAttempts.map { $0 - participation.missCount }
            return .missed(
                DrawnAttempt(
                    activityName: activity.name, award: nil, receipt: receipt, rowHash: row.hash.shortHex,
                    attemptsLeft: left))
        }
        participation.win = WinFact(receipt: receipt, award: award.id, gameID: gameID, wonAt: row.at)
        batch.facts.participations[key] = participation
        if let gameIDKey { batch.facts.winnersByGameID[gameIDKey] = request.user }
        batch.changes.wins.append(
            Changes.NewWin(
                receipt: receipt, user: request.user, award: award.id, awardName: award.name, gameID: gameID,
                gameIDKey: gameIDKey?.folded, wonAt: row.at))
        return .won(
            DrawnAttempt(
                activityName: activity.name, award: AwardLabel(award), receipt: receipt,
                rowHash: row.hash.shortHex, attemptsLeft: 0))
    }

    /// Links an event to the ledger and has it written.
    mutating func appendToLedger(
        _ event: LedgerEvent, previousSeq: Int64? = nil, _ batch: inout ActivityStateMachine.Batch
    ) -> LedgerRow {
        let row = head.append(event, now: batch.now)
        batch.changes.ledger.append(
            Changes.LedgerEntry(activity: activity.id, row: row, previousSeq: previousSeq))
        return row
    }
}

extension Activity {
    func label(of id: AwardID) -> AwardLabel {
        awards.first { $0.id == id }.map(AwardLabel.init) ?? AwardLabel(id: id, prefix: "", name: id.text)
    }
}
