internal import Basics
internal import Lottery
internal import TrafficGate

extension ActivityStateMachine {
    /// A player's command: maintenance, then the gate, then the command itself.
    mutating func decideForPlayer(
        _ command: Command, _ request: Request, _ batch: inout Batch, _ entropy: inout some RandomNumberGenerator
    ) -> Decision {
        let session = request.session
        if let outcome = decideWithoutPlace(command, request, session, now: batch.now) {
            gate.recordRequest(rejected: false)
            return .answered(outcome)
        }
        let refusal = enterGate(request, isDraw: command == .draw, now: batch.now)
        gate.recordRequest(rejected: refusal?.code == .blocked || refusal?.code == .maintenance)
        if let refusal { return .answered(refusal) }
        switch command {
        case .draw:
            let id = openActivity(in: request.chat)
            let outcome = id.flatMap { activities[$0]?.draw(request, &batch, &entropy) } ?? .noActivity
            if request.pageSession == nil { releaseAfterDraw(outcome, session, now: batch.now) }
            return .answered(outcome)
        case .bind(let gameID): return .answered(bind(request.user, to: gameID, &batch))
        case .unbind: return .answered(unbind(request.user, &batch))
        case .myBinding:
            return .answered(batch.facts.bindings[request.user].map { .ok(.binding(gameID: $0.text)) } ?? .notBound)
        case .myWins: return .reading(.wins(request.user))
        case .winners(let page): return .reading(.winners(activities: visibleActivities(in: request.chat), page: page))
        case .pool: return .answered(viewPool(in: request.chat))
        case .activity: return .answered(viewActivity(in: request.chat))
        case .verify(let receipt):
            guard let record = activities[receipt.activity], record.activity.scope.includes(request.chat) else {
                return .answered(.badArgument(.unknownReceipt(receipt.description)))
            }
            return .reading(.verification(receipt, viewer: request.user, isAdmin: request.role == .admin))
        case .myData:
            return .reading(.userData(request.user, hasSession: gate.answer(for: session) != nil))
        case .eraseMyData: return .answered(erase(request.user, &batch))
        case .help, .leave, .queue, .start, .stop, .activities, .importActivity, .setNumber, .traffic, .setTraffic,
            .maintenance, .void, .export:
            preconditionFailure("\(command.name) is not decided here")
        }
    }

    /// The commands that take no place in the gate and are answered in maintenance too; nil for any other.
    private mutating func decideWithoutPlace(
        _ command: Command, _ request: Request, _ session: SessionID, now: Instant
    ) -> Outcome? {
        switch command {
        // Whoever may not run it is told the same as about a word that is no command.
        case .help(let topic?) where !request.role.mayRun(topic):
            .badArgument(.argument(.help, .unknownCommand))
        case .help(let topic): .ok(.help(topic))
        case .leave: .ok(.left(hadPlace: gate.leave(session, now: now)))
        case .queue: answerQueue(session, now: now)
        default: nil
        }
    }

    /// Join and heartbeat. A page's session serves the one user who first acted in it.
    ///
    /// - Returns: Why the command must not run; nil when it may.
    private mutating func enterGate(_ request: Request, isDraw: Bool, now: Instant) -> Outcome? {
        switch gate.join(request.session, user: request.user, ipAddress: nil, now: now) {
        case .active where !gate.claim(request.session, for: request.user),
            .queued where !gate.claim(request.session, for: request.user):
            // Else one place could be lent to everybody.
            return .blocked(.noSession)
        case .maintenance: return .maintenance(reason: maintenanceReason)
        case .blocked(let reason): return .blocked(reason)
        case .active: return nil
        case .queued(let place): return isDraw ? .queued(place) : nil
        }
    }

    /// 排队 refreshes a session but creates none.
    private mutating func answerQueue(_ session: SessionID, now: Instant) -> Outcome {
        switch gate.heartbeat(session, now: now) {
        case .active: .ok(.place(isIn: true))
        case .queued(let place): .queued(place)
        case .blocked, .maintenance: .ok(.place(isIn: false))
        }
    }

    /// The session of somebody who has nothing more to draw ends, so that the next one may come in.
    private mutating func releaseAfterDraw(_ outcome: Outcome, _ session: SessionID, now: Instant) {
        guard gate.configuration.releaseAfterDraw else { return }
        switch outcome {
        case .won, .alreadyWon, .gameIDUsed, .attemptsUsed, .erasedBefore: _ = gate.leave(session, now: now)
        default: break
        }
    }

    // MARK: Binding

    private mutating func bind(_ user: UserID, to gameID: GameID, _ batch: inout Batch) -> Outcome {
        let previous = batch.facts.bindings.updateValue(gameID, forKey: user)
        batch.changes.bindings[user] = .some(gameID)
        return .ok(.bound(gameID: gameID.text, previous: previous == gameID ? nil : previous?.text))
    }

    private mutating func unbind(_ user: UserID, _ batch: inout Batch) -> Outcome {
        guard let previous = batch.facts.bindings.removeValue(forKey: user) else { return .notBound }
        batch.changes.bindings[user] = .some(nil)
        return .ok(.unbound(gameID: previous.text))
    }

    /// Links an event to an activity's ledger and has it written.
    mutating func appendToLedger(_ id: ActivityID, _ event: LedgerEvent, _ batch: inout Batch) -> LedgerRow {
        guard let row = activities[id]?.appendToLedger(event, &batch) else {
            preconditionFailure("a row for an activity that does not exist")
        }
        return row
    }

    // MARK: Views

    /// The activities that this chat may see, newest opening first; those never opened are left out.
    private func visibleActivities(in chat: ChatID?) -> [ActivityID] {
        activities.values
            .filter { $0.lastRound > 0 && $0.activity.scope.includes(chat) }
            .sorted {
                ($1.openedAt?.milliseconds ?? 0, $0.activity.id) < ($0.openedAt?.milliseconds ?? 0, $1.activity.id)
            }
            .map(\.activity.id)
    }

    private func viewPool(in chat: ChatID?) -> Outcome {
        guard let id = openActivity(in: chat), let record = activities[id] else { return .noActivity }
        let awards = record.activity.awards
        let odds = effectiveOdds(awards: awards, remaining: record.remaining)
        return .ok(
            .pool(
                PoolView(
                    activityName: record.activity.name,
                    awards: awards.indices.map { index in
                        let isDiBao = awards[index].kind == .DI_BAO
                        return PoolView.Award(
                            label: AwardLabel(awards[index]), kind: awards[index].kind, percent: awards[index].percent,
                            effectiveOdds: odds[index], remaining: isDiBao ? nil : record.remaining(at: index),
                            number: isDiBao ? nil : awards[index].number)
                    },
                    missOdds: missOdds(awards: awards, remaining: record.remaining))))
    }

    private func viewActivity(in chat: ChatID?) -> Outcome {
        guard let id = openActivity(in: chat), let record = activities[id], let round = record.openRound else {
            return .noActivity
        }
        return .ok(
            .activity(
                ActivityView(
                    name: record.activity.name, openedAt: record.openedAt ?? record.head.at,
                    endsAt: record.plannedEnd, userCount: record.userCount,
                    drawCount: record.drawCount, maxAttempts: record.activity.maxAttempts, round: Int(round.round),
                    commitment: round.commitment.hex)))
    }

    // MARK: Being forgotten

    /// At most once an hour and user: what is stored of a user is found by looking through all messages.
    private mutating func erase(_ user: UserID, _ batch: inout Batch) -> Outcome {
        if let last = erasedAt[user], (0..<3_600_000).contains(batch.now.milliseconds(since: last)) {
            return .rateLimited(perMinute: gate.configuration.userMessagesPerMinute)
        }
        erasedAt[user] = batch.now
        var digests: [ActivityID: Hash] = [:]
        for id in batch.facts.activitiesOfErasing[user] ?? [] {
            digests[id] = erasedDigest(ParticipationKey(user: user, activity: id))
            activities[id]?.hasErasedUsers = true
        }
        let forgotten = gate.erase(user: user, now: batch.now)
        sessions.forget(user, forgotten)
        limiter.forget(user)
        suggestedAt[user] = nil
        batch.changes.erasures.append(Changes.Erasure(user: user, digests: digests, sessions: forgotten))
        return .ok(.erased)
    }
}
