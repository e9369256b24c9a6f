internal import Basics
internal import Lottery
internal import TrafficGate

extension ActivityStateMachine {
    /// An admin's command. Each one is audited, what changes something with before and after.
    mutating func decideForAdmin(
        _ command: Command, _ request: Request, _ importing: Result<Activity, ImportRefusal>?, _ batch: inout Batch,
        _ entropy: inout some RandomNumberGenerator
    ) -> Decision {
        switch command {
        case .activities:
            audit(request, .activities, target: "", result: .ok, &batch)
            return .answered(.ok(listActivities(in: request.chat)))
        case .traffic:
            audit(request, .traffic, target: "", result: .ok, &batch)
            return .answered(.ok(.traffic(gate.summary(now: batch.now))))
        case .export(let name):
            guard let id = activityID(named: name), let record = activities[id] else {
                return .answered(refuse(.unknownActivity(name: name), .export, target: name, request, &batch))
            }
            audit(request, .export, target: id.text, result: .ok, &batch)
            return .reading(.export(id, name: record.activity.name))
        case .start(let name): return .answered(start(name, request, &batch, &entropy))
        case .stop(let name): return .answered(stop(name, request, &batch))
        case .importActivity(let file): return .answered(importActivity(request, importing, file: file, &batch))
        case .setNumber(let name, let award, let number):
            return .answered(setNumber(of: award, in: name, to: number, request, &batch, &entropy))
        case .setTraffic(let key, let value): return .answered(setTraffic(key, to: value, request, &batch))
        case .maintenance(let isOn, let reason): return .answered(setMaintenance(isOn, reason, request, &batch))
        case .void(let receipt, let reason): return .answered(void(receipt, reason: reason, request, &batch))
        case .bind, .unbind, .myBinding, .draw, .myWins, .winners, .pool, .activity, .queue, .leave, .verify, .help,
            .myData, .eraseMyData:
            preconditionFailure("\(command.name) is not decided here")
        }
    }

    /// Whether the person may run this command on what it names. What it names wrongly is told by the command itself.
    func mayRun(_ command: Command, _ request: Request) -> Bool {
        guard request.role.mayRun(command.name) else { return false }
        guard request.role == .chatAdmin else { return true }
        let id: ActivityID? =
            switch command {
            case .start(let name): activityID(named: name)
            case .stop(let name), .setNumber(let name, _, _):
                name.map { activityID(named: $0) } ?? openActivity(in: request.chat)
            case .void(let receipt, _): receipt.activity
            default: nil
            }
        guard let chat = request.chat else { return false }
        return id.flatMap { activities[$0] }.map { $0.activity.scope == .chats([chat]) } ?? true
    }

    private func refuse(
        _ refusal: Refusal, _ name: CommandName, target: String, _ request: Request, _ batch: inout Batch
    ) -> Outcome {
        audit(request, name, target: target, result: .badArgument, &batch)
        return .badArgument(refusal)
    }

    private func listActivities(in chat: ChatID?) -> Answer {
        let visible = activities.values.filter { $0.activity.scope.includes(chat) }
        let items = visible.sorted { $0.activity.id < $1.activity.id }.map { ActivityListItem($0) }
        return .activities(items, hasOthers: visible.count < activities.count)
    }

    // MARK: 抽奖开始 and 抽奖结束

    private mutating func start(
        _ name: String, _ request: Request, _ batch: inout Batch, _ entropy: inout some RandomNumberGenerator
    ) -> Outcome {
        guard let id = activityID(named: name), let record = activities[id] else {
            return refuse(.unknownActivity(name: name), .start, target: name, request, &batch)
        }
        let faults = startFaults(of: record)
        guard faults.isEmpty else {
            let refusal = Refusal.cannotStart(activityName: record.activity.name, faults)
            return refuse(refusal, .start, target: id.text, request, &batch)
        }
        let view = open(id, &batch, &entropy)
        audit(
            request, .start, target: id.text, before: record.status.rawValue,
            after: "active round \(view.round) commitment \(view.commitment)", result: .ok, &batch)
        return .ok(.started(view))
    }

    /// Why the activity cannot open now; empty when it can.
    func startFaults(of record: ActivityRecord) -> [StartFault] {
        let activity = record.activity
        if record.status == .active { return [.alreadyOpen] }
        var faults: [StartFault] = []
        if activity.awards.isEmpty { faults.append(.noAwards) }
        for other in openActivities.keys.sorted() {
            if let other = activities[other]?.activity, other.scope.overlaps(activity.scope) {
                faults.append(.overlaps(activityName: other.name))
            }
        }
        for award in activity.awards where award.kind == .ONLY && award.number != 1 {
            faults.append(.onlyNumber(AwardLabel(award), number: award.number))
        }
        if activity.awards.count(where: { $0.kind == .DI_BAO }) > 1 { faults.append(.twoDiBao) }
        return faults
    }

    /// Opens an activity: a new round with its own seed, committed to in the ledger.
    mutating func open(
        _ id: ActivityID, _ batch: inout Batch, _ entropy: inout some RandomNumberGenerator
    ) -> StartView {
        activities[id]?.status = .active
        activities[id]?.openedAt = batch.now
        activities[id]?.isStartUsed = true
        // Whoever opens it after its end means to: an end that has passed must not close it again.
        if let endsAt = activities[id]?.activity.endsAt, endsAt <= batch.now { activities[id]?.isEndUsed = true }
        openActivities[id] = activities[id]?.activity.scope
        beginRound(id, &batch, &entropy)
        guard let record = activities[id], let round = record.openRound else {
            preconditionFailure("an opened activity has a round")
        }
        batch.changes.activities.append(record)
        var warnings: [StartWarning] = []
        let missChance = missOdds(awards: record.activity.awards, remaining: record.remaining)
        if missChance > 0 { warnings.append(.oddsGap(missChance: missChance)) }
        if record.activity.maxAttempts == nil { warnings.append(.unlimitedAttempts) }
        return StartView(
            activityName: record.activity.name, round: Int(round.round), commitment: round.commitment.hex,
            head: record.head.hash.hex, warnings: warnings, endsAt: record.plannedEnd)
    }

    private mutating func stop(_ name: String?, _ request: Request, _ batch: inout Batch) -> Outcome {
        let id: ActivityID
        switch resolveOpenActivity(name, request) {
        case .success(let found): id = found
        case .failure(let fault): return refuse(fault.refusal, .stop, target: name ?? "", request, &batch)
        }
        let view = close(id, &batch)
        audit(
            request, .stop, target: id.text, before: "active",
            after: "inactive round \(view.round) head \(view.head)", result: .ok, &batch)
        return .ok(.stopped(view))
    }

    /// The open activity that an admin means: the one named, else the one open in this chat.
    private func resolveOpenActivity(_ name: String?, _ request: Request) -> Result<ActivityID, ImportRefusal> {
        guard let name else {
            return openActivity(in: request.chat).map { .success($0) } ?? .failure(ImportRefusal(.nothingOpen))
        }
        guard let id = activityID(named: name), let record = activities[id] else {
            return .failure(ImportRefusal(.unknownActivity(name: name)))
        }
        return record.status == .active
            ? .success(id) : .failure(ImportRefusal(.notOpen(activityName: record.activity.name)))
    }

    /// Closes an open activity and reveals its round's seed.
    mutating func close(_ id: ActivityID, _ batch: inout Batch) -> StopView {
        guard let seed = activities[id]?.openRound?.seed else { preconditionFailure("an open activity has a round") }
        endRound(id, &batch)
        activities[id]?.status = .inactive
        activities[id]?.isEndUsed = true
        openActivities[id] = nil
        guard let record = activities[id] else { preconditionFailure("the activity exists") }
        batch.changes.activities.append(record)
        return StopView(
            activityName: record.activity.name, round: Int(record.lastRound), userCount: record.userCount,
            drawCount: record.drawCount, winCount: record.issued.reduce(0, +),
            awards: record.activity.awards.indices.map { index in
                let award = record.activity.awards[index]
                return StopView.Award(
                    label: AwardLabel(award), issued: record.issued[index],
                    remaining: award.kind == .DI_BAO ? nil : record.remaining(at: index))
            },
            seed: hexText(seed.bytes), head: record.head.hash.hex)
    }

    // MARK: Rounds

    /// Begins the next round with the stock as it is now.
    private mutating func beginRound(
        _ id: ActivityID, _ batch: inout Batch, _ entropy: inout some RandomNumberGenerator
    ) {
        guard let record = activities[id] else { preconditionFailure("a round of an activity that does not exist") }
        let seed = RoundSeed.random(using: &entropy)
        let rules = RoundRules(activity: record.activity, remaining: record.remaining)
        let number = record.lastRound + 1
        let round = OpenRound(round: number, seed: seed, commitment: rules.commitment(round: number, seed: seed))
        activities[id]?.lastRound = number
        activities[id]?.openRound = round
        let row = appendToLedger(id, .open(round: number, rules: rules, commitment: round.commitment), &batch)
        batch.changes.newRounds.append(Changes.NewRound(rules: rules, round: round, openedAt: row.at))
    }

    /// Ends the open round and reveals its seed.
    private mutating func endRound(_ id: ActivityID, _ batch: inout Batch) {
        guard let round = activities[id]?.openRound else { preconditionFailure("no round is open") }
        let row = appendToLedger(id, .close(round: round.round, seed: round.seed), &batch)
        activities[id]?.openRound = nil
        batch.changes.closedRounds.append(
            Changes.ClosedRound(activity: id, round: round.round, closedAt: row.at))
    }

    // MARK: 奖品数量

    private mutating func setNumber(
        of text: String, in name: String?, to number: Int, _ request: Request, _ batch: inout Batch,
        _ entropy: inout some RandomNumberGenerator
    ) -> Outcome {
        func refusing(_ refusal: Refusal, _ batch: inout Batch) -> Outcome {
            refuse(refusal, .setNumber, target: "\(name ?? ""):\(text)", request, &batch)
        }
        let found = name.map { activityID(named: $0) } ?? openActivity(in: request.chat)
        guard let id = found, let record = activities[id] else {
            return refusing(name.map { .unknownActivity(name: $0) } ?? .nothingOpen, &batch)
        }
        let activity = record.activity
        let matches = activity.awards.indices.filter { activity.awards[$0].id == AwardID(text) }
        let named =
            matches.isEmpty
            ? activity.awards.indices.filter { index in
                [activity.awards[index].prefix, activity.awards[index].name].contains {
                    foldCompatibly($0) == foldCompatibly(text)
                }
            } : matches
        guard let index = named.first else {
            return refusing(.unknownAward(name: text, activityName: activity.name), &batch)
        }
        guard named.count == 1 else {
            return refusing(.ambiguousAward(name: text, ids: named.map { activity.awards[$0].id }), &batch)
        }
        let award = activity.awards[index]
        switch award.kind {
        case .ONLY: return refusing(.numberOfOnly(AwardLabel(award)), &batch)
        case .DI_BAO: return refusing(.numberOfDiBao(AwardLabel(award)), &batch)
        case .NORNAL: break
        }
        guard (0...Activity.maximumNumber).contains(number) else {
            let fault = ArgumentFault.outOfRange(minimum: 0, maximum: Activity.maximumNumber)
            return refusing(.argument(.setNumber, fault), &batch)
        }
        guard number >= record.issued[index] else {
            return refusing(.numberBelowIssued(AwardLabel(award), issued: record.issued[index]), &batch)
        }
        let isOpen = record.status == .active
        if number != award.number {
            // What was committed to must hold for every draw of a round, so new stock is a new round.
            if isOpen { endRound(id, &batch) }
            activities[id]?.activity.awards[index].number = number
            if isOpen { beginRound(id, &batch, &entropy) }
            if let changed = activities[id] { batch.changes.activities.append(changed) }
        }
        audit(
            request, .setNumber, target: "\(id.text):\(award.id.text)", before: String(award.number),
            after: String(number), result: .ok, &batch)
        return .ok(
            .numberSet(
                NumberView(
                    activityName: activity.name, award: AwardLabel(award), oldNumber: award.number, number: number,
                    remaining: number - record.issued[index],
                    commitment: number == award.number ? nil : activities[id]?.openRound?.commitment.hex)))
    }

    // MARK: 作废

    private mutating func void(
        _ receipt: Receipt, reason: String, _ request: Request, _ batch: inout Batch
    ) -> Outcome {
        let target = receipt.description
        guard let record = activities[receipt.activity], let draw = batch.facts.voidable, draw.receipt == receipt else {
            return refuse(.unknownReceipt(target), .void, target: target, request, &batch)
        }
        guard let awardID = draw.award, let index = record.activity.awards.firstIndex(where: { $0.id == awardID })
        else {
            return refuse(.notAWin(receipt), .void, target: target, request, &batch)
        }
        guard !draw.isVoided else {
            return refuse(.alreadyVoided(receipt), .void, target: target, request, &batch)
        }
        let id = receipt.activity
        let row = appendToLedger(id, .void(receipt: receipt, reason: reason), &batch)
        activities[id]?.issued[index] -= 1
        batch.changes.progress[id, default: Changes.Progress()].issued[awardID, default: 0] -= 1
        batch.changes.voidedWins.append(Changes.VoidedWin(receipt: receipt, reason: reason, at: row.at))
        if let user = draw.user {
            var participation = draw.participation
            participation.win = nil
            participation.voidCount += 1
            participation.lastSeq = receipt.seq
            batch.changes.participations[ParticipationKey(user: user, activity: id)] = participation
        }
        audit(request, .void, target: target, before: awardID.text, after: reason, result: .ok, &batch)
        let award = record.activity.awards[index]
        return .ok(
            .voided(
                VoidView(
                    activityName: record.activity.name, receipt: receipt, award: AwardLabel(award), reason: reason,
                    remaining: award.kind == .DI_BAO ? nil : activities[id]?.remaining(at: index),
                    mayDrawAgain: draw.user != nil && record.status == .active)))
    }

    // MARK: 活动导入

    private mutating func importActivity(
        _ request: Request, _ importing: Result<Activity, ImportRefusal>?, file: String, _ batch: inout Batch
    ) -> Outcome {
        func refusing(_ refusal: Refusal, _ batch: inout Batch) -> Outcome {
            refuse(refusal, .importActivity, target: file, request, &batch)
        }
        let activity: Activity
        switch importing {
        case .success(let imported)?: activity = imported
        case .failure(let fault)?: return refusing(fault.refusal, &batch)
        case nil: return refusing(.fileUnreadable(file: file), &batch)
        }
        if let other = activities.values.first(where: {
            $0.activity.id != activity.id && areEqualBytes($0.activity.name, activity.name)
        }) {
            return refusing(.importNameTaken(name: activity.name, by: other.activity.id), &batch)
        }
        let old = activities[activity.id]
        let record: ActivityRecord
        let effect: ImportView.Effect
        if let old {
            if isIdentical(old.activity, activity) {
                (record, effect) = (old, .unchanged)
            } else {
                if old.status == .active { return refusing(.importWhileOpen(activityName: old.activity.name), &batch) }
                switch replaceRules(of: old, with: activity, won: batch.facts.wonAwards) {
                case .success(let replaced): (record, effect) = (replaced, .replaced)
                case .failure(let fault): return refusing(fault.refusal, &batch)
                }
            }
        } else {
            (record, effect) = (ActivityRecord(activity: activity), .created)
        }
        if effect != .unchanged {
            activities[activity.id] = record
            batch.changes.activities.append(record)
        }
        audit(
            request, .importActivity, target: activity.id.text, before: old?.activity.name,
            after: "\(effect.rawValue) \(activity.awards.count) awards", result: .ok, &batch)
        return .ok(
            .imported(
                ImportView(id: activity.id, name: activity.name, awardCount: activity.awards.count, effect: effect)))
    }

    /// Whether two forms of an activity are the same, texts by bytes: `==` takes equivalent texts for one.
    private func isIdentical(_ old: Activity, _ new: Activity) -> Bool {
        return old == new && areEqualBytes(old.name, new.name)
            && zip(old.awards, new.awards).allSatisfy { old, new in
                areEqualBytes(old.prefix, new.prefix) && areEqualBytes(old.name, new.name)
                    && areEqualBytes(old.remark, new.remark)
            }
    }

    /// New rules for an activity that was there: what was issued stays with its award.
    private func replaceRules(
        of old: ActivityRecord, with activity: Activity, won: Set<AwardID>
    ) -> Result<ActivityRecord, ImportRefusal> {
        var record = old
        record.activity = activity
        record.issued = Array(repeating: 0, count: activity.awards.count)
        for (index, award) in old.activity.awards.enumerated() {
            guard let new = activity.awards.firstIndex(where: { $0.id == award.id }) else {
                if won.contains(award.id) || old.issued[index] > 0 {
                    return .failure(ImportRefusal(.importDropsWonAward(AwardLabel(award))))
                }
                continue
            }
            let replacement = activity.awards[new]
            if won.contains(award.id), !areEqualBytes(replacement.name, award.name) {
                return .failure(ImportRefusal(.importDropsWonAward(AwardLabel(award))))
            }
            if replacement.kind != .DI_BAO, replacement.number < old.issued[index] {
                return .failure(ImportRefusal(.importBelowIssued(AwardLabel(award), issued: old.issued[index])))
            }
            record.issued[new] = old.issued[index]
        }
        if activity.startsAt != old.activity.startsAt { record.isStartUsed = false }
        if activity.endsAt != old.activity.endsAt { record.isEndUsed = false }
        return .success(record)
    }

    // MARK: 流量设置 and 维护

    private mutating func setTraffic(
        _ key: String, to value: String, _ request: Request, _ batch: inout Batch
    ) -> Outcome {
        var configuration = gate.configuration
        let old = configuration.value(of: key) ?? ""
        do {
            try configuration.set(key, to: value)
        } catch {
            return refuse(.trafficSetting(error), .setTraffic, target: key, request, &batch)
        }
        let new = configuration.value(of: key) ?? value
        var rows = [(key: key, value: new)]
        if configuration.maintenanceMode != gate.configuration.maintenanceMode {
            // A reason that was given for another maintenance must not be shown for this one.
            maintenanceReason = nil
            rows.append((Self.maintenanceReasonKey, ""))
        }
        configure(configuration, rows, &batch)
        audit(request, .setTraffic, target: key, before: old, after: new, result: .ok, &batch)
        return .ok(.trafficSet(key: key, old: old, new: new))
    }

    private mutating func setMaintenance(
        _ isOn: Bool, _ reason: String?, _ request: Request, _ batch: inout Batch
    ) -> Outcome {
        let before = gate.configuration.maintenanceMode
        var configuration = gate.configuration
        configuration.maintenanceMode = isOn
        maintenanceReason = isOn ? reason : nil
        configure(
            configuration,
            [("maintenance_mode", String(isOn)), (Self.maintenanceReasonKey, maintenanceReason ?? "")], &batch)
        audit(
            request, .maintenance, target: "maintenance_mode", before: String(before),
            after: reason.map { "\(isOn) \($0)" } ?? String(isOn), result: .ok, &batch)
        return .ok(.maintenance(isOn: isOn, reason: maintenanceReason))
    }

    private mutating func configure(
        _ configuration: GateConfiguration, _ rows: [(key: String, value: String)], _ batch: inout Batch
    ) {
        gate.configure(configuration, now: batch.now)
        batch.changes.configuration.append(contentsOf: rows)
    }
}
