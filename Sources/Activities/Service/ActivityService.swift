public import Basics
public import Logging
internal import Lottery
internal import NIOConcurrencyHelpers
public import ServiceLifecycle
public import TrafficGate

/// Takes requests, decides them in batches, and answers each once its batch is durable.
///
/// One writer: requests gather while the previous batch is committed, and then go together (group commit). Without
/// load a request commits at once; under load the batch grows by itself.
public final class ActivityService: Service {
    /// Limits of what waits and of what goes together.
    public struct Limits: Sendable {
        /// Requests that may wait; more are answered `busy`.
        public var queueCapacity = 16_384
        public var maximumBatchCount = 2048
        /// Requests that are decided while the batch before them is being made durable, at least 1. Fewer are decided
        /// sooner where they are written: handing them over takes longer than that.
        public var minimumAheadCount = 64
        /// How often the clock is looked at when nobody sends anything.
        public var housekeepingInterval: Duration = .seconds(1)
        /// Winners on a page of 中奖汇总.
        public var winnersPageSize = 10

        public init() {}
    }

    private struct Core: Sendable {
        var machine: ActivityStateMachine
        var entropy: any RandomNumberGenerator & Sendable
    }

    private struct Deliveries {
        var noted: [MessageKey: Delivery] = [:]
        /// When the first of them was.
        var notedSince: Instant?
        /// The same of each batch with some that are not durable yet, in order.
        var onTheWaySince: [Instant] = []
    }

    /// A batch and what its facts are asked with.
    private struct PreparedBatch {
        let entries: [RequestQueue.Entry]
        let deliveries: [MessageKey: Delivery]
        let now: Instant
        let start: ContinuousClock.Instant
        let query: FactQuery
    }

    /// A batch whose turn it is to be written.
    private enum Batch {
        case prepared(PreparedBatch)
        case decided(DecidedBatch)

        var entries: [RequestQueue.Entry] {
            switch self {
            case .prepared(let batch): batch.entries
            case .decided(let batch): batch.entries
            }
        }
    }

    /// Those who are decided while the batch before them is being made durable.
    private struct Ahead {
        let entries: [RequestQueue.Entry]
        /// Nil until their facts are there.
        var decision: Task<DecidedBatch, Never>?
    }

    /// A batch of which nobody may be told before its changes are durable.
    private struct DecidedBatch {
        let entries: [RequestQueue.Entry]
        let start: ContinuousClock.Instant
        let changes: Changes
        let decided: [DecidedRequest]
        let notices: [ActivityStateMachine.Notice]
        let check: GateCheck
        let queuedCount: Int
        let isBehind: Bool
        let hasDeliveries: Bool
    }

    private let store: any Store
    private let library: any ActivityLibrary
    private let clock: WallClock
    private let limits: Limits
    private let logger: Logger
    private let onNotice: (@Sendable (ActivityStateMachine.Notice) -> Void)?
    private let onBatch: (@Sendable (BatchReport) -> Void)?
    private let queue: RequestQueue
    /// What became of replies since the last batch.
    private let deliveries = NIOLockedValueBox(Deliveries())
    /// As of the last batch, so that looking at the gate waits for nobody.
    private let lastCheck: NIOLockedValueBox<GateCheck>
    private let clockWatch: NIOLockedValueBox<ClockWatch>
    /// Touched by the batch that is being decided and, for a moment, by what reads a name.
    private let core: NIOLockedValueBox<Core>
    /// The batch that was decided while the one before it was being made durable.
    private let ahead = NIOLockedValueBox<DecidedBatch?>(nil)

    /// - Parameters:
    ///   - stored: What `store` loaded.
    ///   - clock: Asked once per batch.
    ///   - entropy: Cryptographic outside tests.
    ///   - onNotice: Called for what happened without anybody asking, once it is durable. Must not block.
    ///   - onBatch: Called after each batch that decided something, for metrics. Must not block.
    public init(
        store: any Store, stored: StoredState, library: any ActivityLibrary, limits: Limits = Limits(),
        clock: @escaping WallClock, entropy: any RandomNumberGenerator & Sendable = SystemEntropy(),
        logger: Logger, onNotice: (@Sendable (ActivityStateMachine.Notice) -> Void)? = nil,
        onBatch: (@Sendable (BatchReport) -> Void)? = nil
    ) {
        self.store = store
        self.library = library
        self.clock = clock
        self.limits = limits
        self.logger = logger
        self.onNotice = onNotice
        self.onBatch = onBatch
        queue = RequestQueue(capacity: limits.queueCapacity, maximumBatchCount: limits.maximumBatchCount)
        let now = clock()
        let machine = ActivityStateMachine(stored, now: now)
        clockWatch = NIOLockedValueBox(ClockWatch(startingAt: now))
        lastCheck = NIOLockedValueBox(machine.gate.check(now: now))
        core = NIOLockedValueBox(Core(machine: machine, entropy: entropy))
    }

    // MARK: Asking

    /// Puts a request in line. Requests are decided in the order of these calls.
    ///
    /// - Returns: At once; the answer comes when it is durable. `busy` when too much is waiting.
    public func enqueue(_ request: Request) -> PendingResponse {
        if case .ignored = request.content { return PendingResponse(DecidedRequest(.answered(.ignored))) }
        var importing: Result<Activity, ImportRefusal>?
        if request.role == .admin, case .command(.importActivity(let file)) = request.content {
            importing = library.activity(inFile: file)
        }
        return append(.message(request, importing: importing))
    }

    private func append(_ item: BatchItem) -> PendingResponse {
        let response = PendingResponse()
        let isTaken = queue.append(RequestQueue.Entry(item: item, response: response))
        return isTaken ? response : PendingResponse(DecidedRequest(.answered(.busy)))
    }

    /// Puts a request in line and waits for its answer.
    ///
    /// - Throws: ``StoreError`` when the batch could not be made durable. Whether it happened is then unknown; sending
    ///   the same message again after a restart gives the answer.
    public func submit(_ request: Request) async throws -> Response {
        try await response(to: enqueue(request))
    }

    /// Waits for the answer to a request in line, and reads what it needs.
    ///
    /// - Throws: As ``submit(_:)``.
    public func response(to pending: PendingResponse) async throws -> Response {
        let decided = try await pending.decided()
        switch decided.decision {
        case .answered(let outcome):
            return Response(outcome, position: decided.position, isRepeated: decided.isRepeated)
        case .reading(let reading):
            return Response(try await read(reading), position: decided.position, isRepeated: decided.isRepeated)
        case .session: preconditionFailure("what a page's session asks is answered by submit(_:)")
        }
    }

    /// Asks the gate for a web page's session, in line with everything else.
    ///
    /// - Returns: Nil when too much is waiting; nothing was done.
    /// - Throws: As ``submit(_:)-(Request)``.
    public func submit(_ request: SessionRequest) async throws -> SessionAnswer? {
        try await sessionAnswer(to: enqueue(request))
    }

    /// Puts a page's request in line, as ``enqueue(_:)-(Request)`` does.
    package func enqueue(_ request: SessionRequest) -> PendingResponse {
        append(.session(request))
    }

    /// Waits for the answer to a page's request in line; nil when too much was waiting.
    package func sessionAnswer(to pending: PendingResponse) async throws -> SessionAnswer? {
        guard case .session(let answer) = try await pending.decided().decision else { return nil }
        return answer
    }

    /// What a newcomer would meet, as of the last batch: at most a second ago while the service runs.
    public var gateCheck: GateCheck { lastCheck.withLockedValue { $0 } }

    /// Requests that wait in front of the writer.
    public var waitingCount: Int { queue.count }

    // MARK: The outbox

    /// Keeps what became of a pending reply: with the next batch, which follows at once.
    public func note(_ delivery: Delivery, of key: MessageKey) {
        deliveries.withLockedValue { deliveries in
            if deliveries.noted.isEmpty { deliveries.notedSince = clock() }
            deliveries.noted[key] = delivery
        }
        queue.wake()
    }

    /// Whether the store knows of all that was noted.
    public var hasWrittenNotes: Bool { oldestUnwrittenNote == nil }

    /// Since when something has been noted that the store may not know yet; nil: it knows everything.
    public var oldestUnwrittenNote: Instant? {
        deliveries.withLockedValue { $0.onTheWaySince.first ?? $0.notedSince }
    }

    /// Replies through `endpoint` that were decided but have not gone out, as a restart finds them, in the order of their
    /// decision.
    ///
    /// - Parameter limit: At most so many; the rest comes once these have been noted.
    public func pendingReplies(through endpoint: String, limit: Int) async throws -> [PendingReply] {
        var replies: [PendingReply] = []
        for message in try await store.pendingReplies(through: endpoint, limit: limit) {
            guard let destination = message.destination else { continue }
            let decision = core.withLockedValue { core in
                message.answer.decision { core.machine.activity($0) }
            }
            let outcome: Outcome?
            switch decision {
            case .answered(let answered): outcome = answered
            case .reading(let reading):
                do {
                    outcome = try await read(reading)
                } catch {
                    // The others need not wait for it; the next start tries again.
                    logger.error("pending reply cannot be worded", metadata: ["error": "\(error)"])
                    continue
                }
            case .session, nil: outcome = nil
            }
            replies.append(
                PendingReply(key: message.key, destination: destination, outcome: outcome, decidedAt: message.at))
        }
        return replies
    }

    /// Every endpoint that replies wait for, whether it is still configured or not.
    public func endpointsOfPendingReplies() async throws -> Set<String> {
        try await store.endpointsOfPendingReplies()
    }

    /// Where those can be told who are waiting in chat, as far as they wrote since `moment`; at most `limit`.
    public func destinationsOfQueuedUsers(
        since moment: Instant, limit: Int
    ) async throws -> [(user: UserID, destination: Destination)] {
        let found = try await store.destinationsOfQueuedUsers(since: moment, limit: limit)
        return core.withLockedValue { core in
            found.filter { user, _ in
                if case .queued = core.machine.gate.answer(for: SessionID(user.text)) { true } else { false }
            }
        }
    }

    // MARK: Running

    /// Decides batches until the service is shut down gracefully; then what was accepted is finished and the gate's
    /// table is brought up to date.
    ///
    /// - Throws: ``StoreError`` when a batch could not be made durable. Nobody of that batch, and nobody behind it, is
    ///   told a result; the process should end and start again.
    public func run() async throws {
        let queue = queue
        let interval = limits.housekeepingInterval
        try await withTaskCancellationOrGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        queue.wake()
                        try? await Task.sleep(for: interval)
                    }
                }
                // Ahead of whoever has just been answered: as long as a batch waits for its turn, so does everybody.
                group.addTask(priority: .high) { try await self.processAll() }
                try await group.next()
                group.cancelAll()
            }
        } onCancelOrGracefulShutdown: {
            queue.close()
        }
    }

    /// A batch behind which another was decided is announced when that is on its way to the store: as long as the store is
    /// idle, everybody waits. Any other is announced at once.
    private func processAll() async throws {
        try await failingAll {
            while let entries = await queue.take() {
                var current: Batch? = .prepared(prepare(entries))
                var durable: DecidedBatch?
                while let batch = current {
                    let next: DecidedBatch?
                    (durable, next) = try await finish(batch, announcing: durable.take())
                    current = next.map { .decided($0) }
                }
                if let durable { announce(durable) }
            }
            try await flush()
        }
    }

    /// Makes one batch durable and announces it: the one that was decided meanwhile, else the next that somebody asks for.
    /// After ``shutDown()``, once nothing is left, brings the gate's table up to date instead. What ``run()`` does, for
    /// whoever drives the service step by step, one step at a time.
    ///
    /// - Returns: False when that was the last.
    /// - Throws: As ``run()``; nothing more may be asked of the service then.
    package func processNext() async throws -> Bool {
        try await failingAll {
            var current = ahead.withLockedValue { $0.take() }.map { Batch.decided($0) }
            if current == nil, let entries = await queue.take() { current = .prepared(prepare(entries)) }
            guard let batch = current else {
                try await flush()
                return false
            }
            let (durable, next) = try await finish(batch, announcing: nil)
            ahead.withLockedValue { $0 = next }
            announce(durable)
            return true
        }
    }

    /// Tells everybody who waits that nothing will come, when `body` fails.
    private func failingAll<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch {
            if !Task.isCancelled {
                logger.error("batch failed; nobody in it is told a result", metadata: ["error": "\(error)"])
            }
            Self.fail(queue.drain(), error)
            throw error
        }
    }

    /// Whether a batch has been decided that ``processNext()`` will make durable.
    package var isAhead: Bool { ahead.withLockedValue { $0 != nil } }

    /// Lets ``processNext()`` go on without a request, as the clock does in ``run()``.
    package func wake() {
        queue.wake()
    }

    private func flush() async throws {
        var changes = core.withLockedValue { $0.machine.flush() }
        changes.deliveries = deliveries.withLockedValue { $0.noted }
        try await store.write(changes) { nil }
    }

    /// Takes nothing more; ``run()`` finishes what was accepted and returns. A service group does this by itself.
    public func shutDown() {
        queue.close()
    }

    private func prepare(_ entries: [RequestQueue.Entry]) -> PreparedBatch {
        let now = clock()
        let start = ContinuousClock.now
        if let seconds = clockWatch.withLockedValue({ $0.deviation(at: now, elapsed: start) }) {
            logger.warning(
                "the system's clock was changed or stands still; times follow it", metadata: ["seconds": "\(seconds)"])
        }
        let noted = deliveries.withLockedValue { deliveries in
            if let since = deliveries.notedSince.take() { deliveries.onTheWaySince.append(since) }
            defer { deliveries.noted = [:] }
            return deliveries.noted
        }
        let query = core.withLockedValue {
            $0.machine.prepare(entries.map(\.item), now: now, entropy: &$0.entropy)
        }
        return PreparedBatch(entries: entries, deliveries: noted, now: now, start: start, query: query)
    }

    private func decide(_ batch: PreparedBatch, _ facts: Facts) -> DecidedBatch {
        core.withLockedValue { core in
            let (changes, decided) = core.machine.decide(
                batch.entries.map(\.item), facts: facts, deliveries: batch.deliveries, now: batch.now,
                entropy: &core.entropy)
            #if DEBUG
                if Mutation.current == .answerBeforeCommit { Self.answer(batch.entries, decided) }
            #endif
            return DecidedBatch(
                entries: batch.entries, start: batch.start, changes: changes, decided: decided,
                notices: core.machine.takeNotices(), check: core.machine.gate.check(now: batch.now),
                queuedCount: core.machine.gate.queuedCount, isBehind: core.machine.hasUnsavedSessions,
                hasDeliveries: !batch.deliveries.isEmpty)
        }
    }

    /// Makes a batch durable, after it was decided if it is not yet, and decides meanwhile whoever waits by then.
    ///
    /// - Parameter durable: The batch before, which may be announced.
    /// - Returns: The batch as it was decided, and the one behind; nil: nobody waits, or too few to decide ahead.
    private func finish(
        _ batch: Batch, announcing durable: consuming DecidedBatch?
    ) async throws -> (DecidedBatch, next: DecidedBatch?) {
        let announcing = durable.take().map { durable in Task(priority: .high) { announce(durable) } }
        let ahead = NIOLockedValueBox<Ahead?>(nil)
        let count = batch.entries.count
        let next: @Sendable () -> FactRequest? = { [self] in
            guard let entries = queue.takeWaiting(behind: count, atLeast: limits.minimumAheadCount) else { return nil }
            ahead.withLockedValue { $0 = Ahead(entries: entries) }
            let prepared = prepare(entries)
            return FactRequest(prepared.query) { [self] facts in
                let decision = Task(priority: .high) { decide(prepared, facts) }
                ahead.withLockedValue { $0?.decision = decision }
            }
        }
        func following() async -> DecidedBatch? {
            await announcing?.value
            return await ahead.withLockedValue { $0?.decision }?.value
        }
        do {
            return (try await write(batch, next: next), await following())
        } catch {
            _ = await following()
            Self.fail(batch.entries + (ahead.withLockedValue { $0?.entries } ?? []), error)
            throw error
        }
    }

    /// Decides a batch unless it is decided, and makes it durable.
    private func write(
        _ batch: Batch, next: @escaping @Sendable () -> FactRequest?
    ) async throws -> DecidedBatch {
        switch batch {
        case .decided(let decided):
            try await store.write(decided.changes, next: next)
            return decided
        case .prepared(let prepared):
            let decided = OneTimeValue<DecidedBatch>()
            try await store.transact(prepared.query, next: next) { [self] facts in
                let batch = decide(prepared, facts)
                decided.resolve(batch)
                return batch.changes
            }
            return await decided.value
        }
    }

    private func announce(_ batch: DecidedBatch) {
        if batch.hasDeliveries { deliveries.withLockedValue { _ = $0.onTheWaySince.removeFirst() } }
        lastCheck.withLockedValue { $0 = batch.check }
        Self.answer(batch.entries, batch.decided)
        onBatch?(
            BatchReport(
                requestCount: batch.entries.count, duration: batch.start.duration(to: .now),
                waitingCount: queue.count, activeUsers: batch.check.currentUsers, queuedUsers: batch.queuedCount))
        if batch.isBehind { queue.wake() }
        for notice in batch.notices {
            log(notice)
            onNotice?(notice)
        }
    }

    private static func fail(_ entries: [RequestQueue.Entry], _ error: any Error) {
        for entry in entries { entry.response.resolve(.failure(error)) }
    }

    private static func answer(_ entries: [RequestQueue.Entry], _ decided: [DecidedRequest]) {
        for (entry, decision) in zip(entries, decided) { entry.response.resolve(.success(decision)) }
    }

    private func log(_ notice: ActivityStateMachine.Notice) {
        switch notice {
        case .openedBySchedule(let name):
            logger.notice("activity opened by its schedule", metadata: ["activity.name": "\(name)"])
        case .closedBySchedule(let name):
            logger.notice("activity closed by its schedule", metadata: ["activity.name": "\(name)"])
        case .scheduleConflict(let name, let faults):
            logger.warning(
                "activity could not open on schedule and stays closed; open it by hand",
                metadata: ["activity.name": "\(name)", "faults": "\(faults.map(\.description))"])
        case .scheduleMissed(let name):
            logger.warning(
                "activity's start and end both passed while nothing ran; it stays closed",
                metadata: ["activity.name": "\(name)"])
        case .promoted: break
        case .configurationIgnored(let key, let value):
            logger.warning(
                "configuration row ignored, the old value stays",
                metadata: ["key": "\(key.debugDescription)", "value": "\(value.debugDescription)"])
        }
    }

    // MARK: Reading

    private func read(_ reading: Reading) async throws -> Outcome {
        switch reading {
        case .wins(let user): return .ok(.wins(try await store.wins(of: user)))
        case .winners(let activities, let page):
            return .ok(
                .winners(try await store.winners(of: activities, page: page, pageSize: limits.winnersPageSize)))
        case .verification(let receipt, let viewer, let isAdmin):
            guard let draw = try await store.draw(receipt) else {
                return .badArgument(.unknownReceipt(receipt.description))
            }
            let name = core.withLockedValue { $0.machine.name(of: receipt.activity) }
            return .ok(
                .verification(
                    VerificationView(
                        draw, receipt: receipt, activityName: name ?? receipt.activity.text, viewer: viewer,
                        isAdmin: isAdmin)))
        case .userData(let user, let hasSession):
            var data = try await store.data(of: user)
            data.hasSession = hasSession
            return .ok(.myData(data))
        case .export(let id, let name):
            do {
                return .ok(.exported(activityName: name, files: try await library.export(id, from: store)))
            } catch {
                logger.error("export failed", metadata: ["activity.id": "\(id)", "error": "\(error)"])
                return .badArgument(.exportFailed(activityName: name))
            }
        }
    }
}

/// A reply that was decided and has not gone out.
public struct PendingReply: Sendable {
    public var key: MessageKey
    public var destination: Destination
    /// Nil when what was kept cannot be read any more.
    public var outcome: Outcome?
    public var decidedAt: Instant
}

/// What one batch was like.
public struct BatchReport: Sendable {
    public var requestCount: Int
    /// From taking the requests to the commit.
    public var duration: Duration
    /// Requests that wait for the next batch.
    public var waitingCount: Int
    public var activeUsers: Int
    public var queuedUsers: Int
}
