internal import Basics
internal import Lottery

extension ActivityStateMachine {
    /// Closes and opens what is due, once.
    ///
    /// All that ends is closed before anything opens: where one activity ends another may begin at that very moment.
    ///
    /// - Source: spec.md section 5, `starts_at`/`ends_at`.
    mutating func applySchedule(now: Instant, entropy: inout some RandomNumberGenerator) {
        var batch = Batch(now: now, facts: Facts(), changes: scheduled)
        for id in openActivities.keys.sorted() {
            guard let record = activities[id], isDue(record.activity.endsAt, used: record.isEndUsed, now) else {
                continue
            }
            let view = close(id, &batch)
            audit("schedule.stop", id, after: "inactive head \(view.head)", .ok, &batch)
            notices.append(.closedBySchedule(activityName: view.activityName))
        }
        scheduled = batch.changes
        skipMissedSchedule(now: now)
        batch.changes = scheduled
        for id in activities.keys.sorted() {
            guard let record = activities[id], record.status != .active,
                isDue(record.activity.startsAt, used: record.isStartUsed, now)
            else { continue }
            openOnSchedule(id, record, &batch, &entropy)
        }
        scheduled = batch.changes
    }

    private mutating func openOnSchedule(
        _ id: ActivityID, _ record: ActivityRecord, _ batch: inout Batch, _ entropy: inout some RandomNumberGenerator
    ) {
        let faults = startFaults(of: record)
        guard faults.isEmpty else {
            activities[id]?.isStartUsed = true
            if let used = activities[id] { batch.changes.activities.append(used) }
            audit(
                "schedule.start", id, after: "refused: " + faults.map(\.description).joined(separator: "; "),
                .badArgument, &batch)
            notices.append(.scheduleConflict(activityName: record.activity.name, faults: faults))
            return
        }
        let view = open(id, &batch, &entropy)
        audit("schedule.start", id, after: "active round \(view.round) commitment \(view.commitment)", .ok, &batch)
        notices.append(.openedBySchedule(activityName: view.activityName))
    }

    /// An activity whose start and end both passed while nothing ran stays as it is.
    mutating func skipMissedSchedule(now: Instant) {
        for (id, record) in activities {
            guard record.status != .active, isDue(record.activity.startsAt, used: record.isStartUsed, now),
                isDue(record.activity.endsAt, used: record.isEndUsed, now)
            else { continue }
            activities[id]?.isStartUsed = true
            activities[id]?.isEndUsed = true
            if let used = activities[id] { scheduled.activities.append(used) }
            notices.append(.scheduleMissed(activityName: record.activity.name))
        }
    }

    private func isDue(_ time: Instant?, used: Bool, _ now: Instant) -> Bool {
        guard let time, !used else { return false }
        return time <= now
    }

    private func audit(
        _ action: String, _ id: ActivityID, after: String, _ result: OutcomeCode, _ batch: inout Batch
    ) {
        batch.changes.audit.append(
            Changes.Audit(
                at: batch.now, actor: "schedule", chat: nil, action: action, target: id.text, after: after,
                result: result))
    }
}
