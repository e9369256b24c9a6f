public import Basics
internal import Crypto
public import Lottery
public import TrafficGate

/// Decides batches of requests: facts and requests in, changes and decisions out.
///
/// It holds what is read on every message and changes rarely (activities, stock, the ends of the ledgers, the gate);
/// what grows with the number of users comes in as ``Facts``. It has no clock, no randomness of its own and does no
/// I/O, so the same inputs give the same decisions.
///
/// A batch takes two steps, with the store's transaction around the second: ``prepare(_:now:entropy:)`` says what must
/// be known, ``decide(_:facts:now:entropy:)`` decides. If the transaction fails after that, the machine is ahead of
/// the store and must be made anew from ``StoredState``.
///
/// - Source: spec.md sections 4 to 7.
public struct ActivityStateMachine: Sendable {
    /// The key under which 维护's reason is kept beside the gate's own configuration.
    static let maintenanceReasonKey = "maintenance_reason"
    /// How old a message may be by its own time. Spec.md section 7, promise 3.
    static let maximumMessageAgeSeconds: Int64 = 25 * 3600
    /// How long processed messages are kept. Spec.md section 7, promise 3.
    static let messageRetentionSeconds: Int64 = 30 * 86_400
    /// How long every row of statistics is kept; later one an hour.
    static let statisticsRetentionSeconds: Int64 = 90 * 86_400
    var activities: [ActivityID: ActivityRecord] = [:]
    /// The activities that are open, and where.
    var openActivities: [ActivityID: Scope] = [:]
    public internal(set) var gate: Gate
    var maintenanceReason: String?
    var limiter = MessageLimiter()
    /// When each user last got a suggestion.
    var suggestedAt: [UserID: Instant] = [:]
    /// When each user last had their data erased; for an hour.
    var erasedAt: [UserID: Instant] = [:]
    /// What the schedule did in ``prepare(_:now:entropy:)``.
    var scheduled = Changes()
    /// What operators should read: in the log, and told to admins where that is possible.
    var notices: [Notice] = []
    private let erasureKey: SymmetricKey
    private var lastTick: Instant
    var sessions = SessionTable()
    private var lastForgotten: Instant?
    private var retentionClock: RetentionClock

    /// - Parameters:
    ///   - stored: As the store has it.
    ///   - now: The start of the process: no session times out for the silence before it.
    public init(_ stored: StoredState, now: Instant) {
        gate = Gate(configuration: GateConfiguration(), restoring: [], startedAt: now)
        erasureKey = SymmetricKey(data: stored.erasureKey)
        lastTick = now
        retentionClock = RetentionClock(newest: stored.newestMessageAt)
        for record in stored.activities {
            activities[record.activity.id] = record
            if record.status == .active { openActivities[record.activity.id] = record.activity.scope }
        }
        takeConfiguration(stored.configuration, now: now)
        // Under the limits that were set: under the defaults the queue could walk in.
        gate = Gate(configuration: gate.configuration, restoring: stored.participants, startedAt: now)
        skipMissedSchedule(now: now)
    }

    /// Something that happened without anybody asking.
    public enum Notice: Hashable, Sendable {
        case openedBySchedule(activityName: String)
        case closedBySchedule(activityName: String)
        /// The time to open came, but it cannot open.
        case scheduleConflict(activityName: String, faults: [StartFault])
        /// Both its times passed while nothing ran.
        case scheduleMissed(activityName: String)
        /// Somebody who waited has come in.
        case promoted(UserID)
        /// A row of the configuration that another program wrote is not valid; the old value stays.
        case configurationIgnored(key: String, value: String)
    }

    /// The name of an activity; nil when there is none of that id.
    public func name(of id: ActivityID) -> String? {
        activities[id]?.activity.name
    }

    /// An activity as it stands; nil when there is none of that id.
    public func activity(_ id: ActivityID) -> Activity? {
        activities[id]?.activity
    }

    /// What happened since the last call.
    public mutating func takeNotices() -> [Notice] {
        defer { notices = [] }
        return notices
    }

    /// What lives only as long as its batch.
    struct Batch {
        let now: Instant
        var facts: Facts
        var changes: Changes
        /// Where in ``changes`` each message stands that came with this batch.
        var remembered: [MessageKey: Int] = [:]

        func processed(_ key: MessageKey) -> ProcessedMessage? {
            facts.messages[key] ?? remembered[key].map { changes.messages[$0] }
        }
    }

    // MARK: A batch

    /// Applies what the schedule has due and says what must be known to decide `items`.
    ///
    /// - Complexity: O(*n*) in the items and the open activities.
    public mutating func prepare(
        _ items: [BatchItem], now: Instant, entropy: inout some RandomNumberGenerator
    ) -> FactQuery {
        applySchedule(now: now, entropy: &entropy)
        var query = FactQuery()
        for item in items {
            guard case .message(let request, let importing) = item else { continue }
            if let key = request.key { query.messages.append(key) }
            guard case .command(let command) = request.content else { continue }
            switch command {
            case .draw:
                query.bindings.append(request.user)
                guard let id = openActivity(in: request.chat) else { break }
                let key = ParticipationKey(user: request.user, activity: id)
                query.participations.append(key)
                guard let record = activities[id] else { break }
                if record.activity.oneWinPerGameID { query.activitiesByGameID.insert(id) }
                if record.hasErasedUsers { query.erased[key] = erasedDigest(key) }
            case .bind(let gameID):
                query.bindings.append(request.user)
                // A draw behind this message asks for the new game id's winner.
                for id in openActivities.keys where activities[id]?.activity.oneWinPerGameID == true {
                    query.gameIDs.append(GameIDKey(activity: id, folded: gameID.folded))
                }
            case .unbind, .myBinding:
                query.bindings.append(request.user)
            case .void(let receipt, _): query.receipt = receipt
            case .importActivity:
                if case .success(let activity)? = importing { query.wonAwardsOf = activity.id }
            case .eraseMyData: query.erasing.append(request.user)
            case .myWins, .winners, .pool, .activity, .queue, .leave, .verify, .help, .myData, .start, .stop,
                .activities, .setNumber, .traffic, .setTraffic, .maintenance, .export:
                break
            }
        }
        return query
    }

    /// Decides `items` in their order.
    ///
    /// - Parameters:
    ///   - items: The ones that were prepared. An item that ``BatchItem/isSolitary`` stands alone.
    ///   - facts: The answers to what ``prepare(_:now:entropy:)`` asked.
    ///   - deliveries: What became of replies since the last batch, to be written along.
    ///   - now: As given to ``prepare(_:now:entropy:)``.
    /// - Returns: What must be made durable before anybody is answered, and a decision for each item, in order.
    public mutating func decide(
        _ items: [BatchItem], facts: Facts, deliveries: [MessageKey: Delivery] = [:], now: Instant,
        entropy: inout some RandomNumberGenerator
    ) -> (Changes, [DecidedRequest]) {
        precondition(items.count <= 1 || !items.contains { $0.isSolitary }, "a solitary item in a batch with others")
        var batch = Batch(now: now, facts: facts, changes: scheduled)
        scheduled = Changes()
        if let rows = facts.configuration { takeConfiguration(rows, now: now) }
        var decided: [DecidedRequest] = []
        decided.reserveCapacity(items.count)
        batch.remembered.reserveCapacity(items.count)
        batch.changes.ledger.reserveCapacity(items.count)
        batch.changes.wins.reserveCapacity(items.count)
        batch.changes.messages.reserveCapacity(items.count)
        batch.changes.deliveries = deliveries
        for item in items {
            switch item {
            case .message(let request, let importing):
                decided.append(decide(request, importing, &batch, &entropy))
            case .session(let request):
                decided.append(DecidedRequest(.session(decide(request, now: now))))
            }
        }
        let hasTicked = tickIfDue(&batch)
        // The journal first: the table must never know of a change that a kill would take out of the journal.
        sessions.writeJournal(gate.takeJournal(), to: &batch.changes)
        saveSessions(hasTicked: hasTicked, &batch)
        forgetWhatIsOld(&batch)
        for promoted in gate.takePromoted() {
            if let user = promoted.user { notices.append(.promoted(user)) }
        }
        return (batch.changes, decided)
    }

    /// Brings the gate's table up to date before the store is closed.
    public mutating func flush() -> Changes {
        var changes = Changes()
        sessions.writeJournal(gate.takeJournal(), to: &changes)
        sessions.writeAll(gate.takeTouched(), to: &changes)
        return changes
    }

    /// Whether the gate's table lags so far behind that another batch should follow at once, even an empty one.
    public var hasUnsavedSessions: Bool { sessions.isBehind }

    /// - Returns: Whether the gate has ticked.
    private mutating func tickIfDue(_ batch: inout Batch) -> Bool {
        let now = batch.now
        let sinceTick = now.milliseconds(since: lastTick)
        // A clock that went back must not stop the gate.
        guard sinceTick >= Int64(Gate.tickSeconds) * 1000 || sinceTick < 0 else { return false }
        lastTick = now
        batch.changes.statistics.append(gate.tick(now: now))
        limiter.forget(now: now)
        erasedAt = erasedAt.filter { (0..<3_600_000).contains(now.milliseconds(since: $0.value)) }
        suggestedAt = suggestedAt.filter { (0..<60_000).contains(now.milliseconds(since: $0.value)) }
        return true
    }

    /// Lets the gate's table follow after a tick, and earlier when waiting for it would cost memory.
    private mutating func saveSessions(hasTicked: Bool, _ batch: inout Batch) {
        if hasTicked || gate.touchedCount >= SessionTable.maximumTouchedCount { sessions.save(gate.takeTouched()) }
        sessions.writeSlice(to: &batch.changes)
    }

    /// Wins, ledgers and the audit log stay.
    private mutating func forgetWhatIsOld(_ batch: inout Batch) {
        // Often, since each time only some go: nobody's draw is to wait for thirty days of messages.
        if let lastForgotten, (0..<10_000).contains(batch.now.milliseconds(since: lastForgotten)) { return }
        lastForgotten = batch.now
        let now = retentionClock.look(batch.now)
        batch.changes.forgetMessagesBefore = now.advanced(bySeconds: -Self.messageRetentionSeconds)
        batch.changes.thinStatisticsBefore = now.advanced(bySeconds: -Self.statisticsRetentionSeconds)
    }

    private func position(of request: Request) -> Int? {
        guard gate.queuedCount > 0, case .queued(let place)? = gate.answer(for: request.session) else { return nil }
        return place.position
    }

    // MARK: One session

    /// What a web page asks counts as a request, whatever comes of it.
    private mutating func decide(_ request: SessionRequest, now: Instant) -> SessionAnswer {
        var answer: GateAnswer?
        switch request.action {
        case .join(let user, let ipAddress):
            answer = gate.join(request.session, user: user, ipAddress: ipAddress, now: now)
        case .heartbeat: answer = gate.heartbeat(request.session, now: now)
        case .leave: _ = gate.leave(request.session, now: now)
        }
        switch answer {
        case .blocked, .maintenance: gate.recordRequest(rejected: true)
        case .active, .queued, nil: gate.recordRequest(rejected: false)
        }
        return SessionAnswer(gate: answer, currentUsers: gate.activeCount)
    }

    // MARK: One request

    /// The order of spec.md section 4: already processed, rate limit, maintenance, gate, and then the command's own.
    private mutating func decide(
        _ request: Request, _ importing: Result<Activity, ImportRefusal>?, _ batch: inout Batch,
        _ entropy: inout some RandomNumberGenerator
    ) -> DecidedRequest {
        if isTooOld(request, batch.now) { return DecidedRequest(.answered(.ignored)) }
        if let key = request.key, let processed = batch.processed(key) {
            let decision = answerAgain(processed, to: request, &batch)
            return DecidedRequest(decision, position: position(of: request), isRepeated: true)
        }
        let decision = decideFirst(request, importing, &batch, &entropy)
        return DecidedRequest(decision, position: position(of: request))
    }

    private func isTooOld(_ request: Request, _ now: Instant) -> Bool {
        guard let sentAt = request.key?.sentAt else { return false }
        return now.milliseconds(since: sentAt) > Self.maximumMessageAgeSeconds * 1000
    }

    private mutating func decideFirst(
        _ request: Request, _ importing: Result<Activity, ImportRefusal>?, _ batch: inout Batch,
        _ entropy: inout some RandomNumberGenerator
    ) -> Decision {
        let perMinute = gate.configuration.userMessagesPerMinute
        if request.role != .admin, !limiter.admit(request.user, perMinute: perMinute, now: batch.now) {
            gate.recordRequest(rejected: true)
            return .answered(.rateLimited(perMinute: perMinute))
        }
        let decision: Decision
        switch request.content {
        case .ignored: decision = .answered(.ignored)
        case .unknown(let suggestion, let isAddressed):
            decision = .answered(answerUnknown(suggestion, isAddressed: isAddressed, request, batch.now))
        case .badArgument(let name, let fault): decision = .answered(answerBadArgument(name, fault, request, &batch))
        case .command(let command) where command.name.isForAdmins:
            if mayRun(command, request) {
                decision = decideForAdmin(command, request, importing, &batch, &entropy)
            } else {
                audit(request, command.name, target: "", result: .notPermitted, &batch)
                decision = .answered(.notPermitted(command.name))
            }
        case .command(let command): decision = decideForPlayer(command, request, &batch, &entropy)
        }
        remember(decision, request, &batch)
        return decision
    }

    /// One suggestion a minute; whoever speaks to the bot gets at least a hint.
    private mutating func answerUnknown(
        _ suggestion: CommandName?, isAddressed: Bool, _ request: Request, _ now: Instant
    ) -> Outcome {
        if gate.configuration.maintenanceMode { return .ignored }
        let hint: Outcome = isAddressed ? .unknownCommand(suggestion: nil) : .ignored
        guard suggestion != nil else { return hint }
        if let last = suggestedAt[request.user], (0..<60_000).contains(now.milliseconds(since: last)) {
            return hint
        }
        suggestedAt[request.user] = now
        return .unknownCommand(suggestion: suggestion)
    }

    private mutating func answerBadArgument(
        _ name: CommandName, _ fault: ArgumentFault, _ request: Request, _ batch: inout Batch
    ) -> Outcome {
        guard request.role.mayRun(name) else {
            audit(request, name, target: "", result: .notPermitted, &batch)
            return .notPermitted(name)
        }
        if gate.configuration.maintenanceMode, !name.isForAdmins, ![.help, .queue, .leave].contains(name) {
            return .maintenance(reason: maintenanceReason)
        }
        if name.isForAdmins { audit(request, name, target: "", result: .badArgument, &batch) }
        if case .tooLong(ParserLimits.messageSize) = fault { return .badArgument(.messageTooLong(name)) }
        return .badArgument(.argument(name, fault))
    }

    private mutating func answerAgain(
        _ processed: ProcessedMessage, to request: Request, _ batch: inout Batch
    ) -> Decision {
        // The user of an erasure was not kept.
        let isSameUser = processed.user == request.user || processed.user.text.isEmpty
        guard isSameUser, areEqualBytes(processed.fingerprint, request.fingerprint) else {
            batch.changes.audit.append(
                Changes.Audit(
                    at: batch.now, actor: request.user.text, chat: request.chat, action: "message.reused",
                    target: processed.key.text, result: .badArgument))
            return .answered(.badArgument(.messageKeyReused))
        }
        return processed.answer.decision { activities[$0]?.activity }
            ?? .answered(.badArgument(.messageKeyReused))
    }

    private func remember(_ decision: Decision, _ request: Request, _ batch: inout Batch) {
        guard let key = request.key else { return }
        #if DEBUG
            if Mutation.current == .forgetMessageID { return }
        #endif
        switch decision {
        case .answered(.ignored), .answered(.busy), .answered(.rateLimited): return
        case .answered, .reading, .session: break
        }
        let isErasure = decision == .answered(.ok(.erased))
        let message = ProcessedMessage(
            key: key, user: isErasure ? UserID("") : request.user, chat: request.chat,
            fingerprint: request.fingerprint, answer: StoredAnswer(decision), at: batch.now,
            destination: request.route.destination, delivery: request.route.isCall ? .pending : nil)
        batch.remembered[key] = batch.changes.messages.count
        batch.changes.messages.append(message)
    }

    // MARK: Shared

    /// The activity that is open in `chat`; nil chat is a private talk.
    func openActivity(in chat: ChatID?) -> ActivityID? {
        openActivities.first { $0.value.includes(chat) }?.key
    }

    /// The activity with this name or id: by bytes, else the only one that is equal when case and width are folded.
    func activityID(named text: String) -> ActivityID? {
        if activities[ActivityID(text)] != nil { return ActivityID(text) }
        if let exact = activities.values.first(where: { areEqualBytes($0.activity.name, text) }) {
            return exact.activity.id
        }
        let folded = foldCompatibly(text)
        let matches = activities.values.filter {
            foldCompatibly($0.activity.name) == folded || foldCompatibly($0.activity.id.text) == folded
        }
        return matches.count == 1 ? matches.first?.activity.id : nil
    }

    /// What stays of a user who was forgotten: enough to know them again in this activity, too little to name them.
    func erasedDigest(_ key: ParticipationKey) -> Hash {
        var message = Array("hongbao/1/erased".utf8)
        for text in [key.activity.text, key.user.text] {
            withUnsafeBytes(of: UInt32(text.utf8.count).bigEndian) { message.append(contentsOf: $0) }
            message.append(contentsOf: text.utf8)
        }
        guard let digest = Hash(Array(HMAC<SHA256>.authenticationCode(for: message, using: erasureKey))) else {
            preconditionFailure("HMAC-SHA256 has 32 bytes")
        }
        return digest
    }

    func audit(
        _ request: Request, _ name: CommandName, target: String, before: String? = nil, after: String? = nil,
        result: OutcomeCode, _ batch: inout Batch
    ) {
        batch.changes.audit.append(
            Changes.Audit(
                at: batch.now, actor: request.user.text, chat: request.chat, action: name.rawValue, target: target,
                before: before, after: after, result: result))
    }

    /// Takes rows that were read from the store; a bad one is ignored and noticed, a missing or inactive one means the
    /// default.
    private mutating func takeConfiguration(_ rows: [ConfigurationRow], now: Instant) {
        var configuration = GateConfiguration()
        maintenanceReason = nil
        for row in rows where row.isActive {
            if row.key == Self.maintenanceReasonKey {
                maintenanceReason = row.value.isEmpty ? nil : row.value
                continue
            }
            do {
                try configuration.set(row.key, to: row.value)
            } catch {
                if let old = gate.configuration.value(of: row.key) { try? configuration.set(row.key, to: old) }
                notices.append(.configurationIgnored(key: row.key, value: row.value))
            }
        }
        if configuration != gate.configuration { gate.configure(configuration, now: now) }
    }
}

/// Limits of what a person may type.
///
/// - Source: spec.md section 4.
public enum ParserLimits {
    /// The largest message, in bytes.
    public static let messageSize = 4096
    /// The largest reason of 作废 and 维护, in bytes.
    public static let reasonSize = 200
}
