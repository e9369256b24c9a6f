internal import Activities
internal import Basics
internal import ChatPlatforms
internal import Logging
internal import NIOConcurrencyHelpers
internal import ServiceLifecycle

/// Sends what the outbox holds: replies as they are decided, and at the start those that a process before left.
///
/// What is kept with its message is settled there once it has gone out or was given up; until then a restart finds it.
/// What is not kept is sent if that is possible soon, and else forgotten.
final class ReplyDispatcher: Service {
    /// Replies of one endpoint held in memory. What does not fit stays in the store and is taken from there later.
    static let capacity = 5_000
    /// How long a shutdown waits for calls that are under way.
    private static let gracePeriod = Duration.seconds(3)

    /// Whether the store holds replies of an endpoint that are not in its queue.
    private enum Supply {
        case complete
        /// It does; what is decided now waits its turn there.
        case behind
        /// It is being read. What is decided meanwhile comes behind.
        case reading(decidedMeanwhile: [QueuedReply], mustReadAgain: Bool)
    }

    /// One endpoint's: when it is down, the others do not notice.
    private struct Line {
        var queue: ReplyQueue
        var supply = Supply.behind
    }

    private struct State {
        var lines: [String: Line]
        /// Messages whose replies are here.
        var held: Set<MessageKey> = []
        /// Settled lately: the store may not know yet.
        var settled: [MessageKey: Instant] = [:]
        var inFlightCount = 0
        var lastTidied: Instant
        var nextID: UInt64 = 0
    }

    private let service: ActivityService
    private let transports: [String: any ReplyTransport]
    private let words: @Sendable (Outcome) -> String
    private let clock: WallClock
    private let metrics: ServerMetrics
    private let platforms: [String: Platform]
    private let logger: Logger
    private let state: NIOLockedValueBox<State>
    private let doorbell: AsyncStream<Void>
    private let ringer: AsyncStream<Void>.Continuation

    /// - Parameters:
    ///   - transports: By the endpoint's name.
    ///   - words: The text of an outcome that is told again after a restart.
    init(
        service: ActivityService, transports: [String: any ReplyTransport], platforms: [String: Platform],
        words: @escaping @Sendable (Outcome) -> String, clock: @escaping WallClock, metrics: ServerMetrics,
        logger: Logger
    ) {
        self.service = service
        self.transports = transports
        self.platforms = platforms
        self.words = words
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
        let lines = transports.mapValues {
            Line(queue: ReplyQueue(limits: $0.limits, concurrency: $0.concurrency))
        }
        state = NIOLockedValueBox(State(lines: lines, lastTidied: clock()))
        (doorbell, ringer) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var now: Instant { clock() }

    func canSend(through endpoint: String) -> Bool { transports[endpoint] != nil }

    /// Whether something may be said through this endpoint that answers nothing.
    func canPush(through endpoint: String) -> Bool { transports[endpoint]?.limits.allowsPush == true }

    // MARK: Saying

    /// Whether a reply to this place may be said in a response now: not too soon after the last, and not before others
    /// that wait; or whether there is no other way. If so it counts as said.
    func mayAnswerInResponse(_ address: StoredAddress) -> Bool {
        guard transports[address.endpoint]?.reaches(address.address) == true else { return true }
        let now = clock()
        let lane = ReplyQueue.Lane(address.address)
        return state.withLockedValue { state in
            guard state.lines[address.endpoint]?.queue.isQuiet(lane, now: now) ?? true else { return false }
            state.lines[address.endpoint]?.queue.noteSaid(lane, now: now)
            return true
        }
    }

    /// Whether the reply to a message goes out by a call, or has just done so.
    func isSending(_ message: MessageKey) -> Bool {
        state.withLockedValue { $0.held.contains(message) || $0.settled[message] != nil }
    }

    /// Sends a reply that is kept with its message. Once too much is waiting it stays there until its turn comes.
    func send(_ text: String, to address: StoredAddress, answering message: MessageKey, decidedAt: Instant) {
        let now = clock()
        let reply = QueuedReply(
            message: message,
            reply: OutgoingReply(address: address.address, text: text, key: Self.replyKey(message)),
            decidedAt: decidedAt)
        let isKnown = state.withLockedValue { state in
            guard let line = state.lines[address.endpoint] else { return false }
            switch line.supply {
            case .complete where line.queue.count < Self.capacity: Self.put(reply, address.endpoint, &state, now: now)
            case .complete, .behind: state.lines[address.endpoint]?.supply = .behind
            case .reading(let meanwhile, let mustReadAgain):
                // What does not fit is read afterwards.
                let isFull = meanwhile.count >= Self.capacity
                state.lines[address.endpoint]?.supply = .reading(
                    decidedMeanwhile: isFull ? meanwhile : meanwhile + [reply], mustReadAgain: mustReadAgain || isFull)
            }
            return true
        }
        if isKnown {
            ring()
        } else {
            drop(message, address.endpoint)
        }
    }

    /// Sends something that is not kept, unless too much is waiting.
    ///
    /// - Parameter number: Which reply to the address's message it is, from 1. Unless given it is behind every page that
    ///   an answer may have.
    func mention(_ text: String, to address: StoredAddress, number: Int = ReplyQueue.maximumPageCount) {
        let now = clock()
        let isTaken = state.withLockedValue { state -> Bool? in
            guard let count = state.lines[address.endpoint]?.queue.count else { return nil }
            guard count < Self.capacity / 2 else { return false }
            state.nextID += 1
            let reply = OutgoingReply(
                address: address.address, text: text, key: "said-\(now.milliseconds)-\(state.nextID)", number: number)
            Self.put(QueuedReply(message: nil, reply: reply, decidedAt: now), address.endpoint, &state, now: now)
            return true
        }
        if isTaken == true { ring() }
        if isTaken == false, let platform = platforms[address.endpoint] { metrics.countReplies(1, platform, .dropped) }
    }

    /// The store may hold a reply of this endpoint that was never handed over.
    func lookAgain(_ endpoint: String) {
        state.withLockedValue { state in
            switch state.lines[endpoint]?.supply {
            case .reading(let meanwhile, _):
                state.lines[endpoint]?.supply = .reading(decidedMeanwhile: meanwhile, mustReadAgain: true)
            default: state.lines[endpoint]?.supply = .behind
            }
        }
        ring()
    }

    /// Puts a reply in line unless it is there already, or was lately.
    private static func put(_ reply: QueuedReply, _ endpoint: String, _ state: inout State, now: Instant) {
        if let message = reply.message {
            guard state.settled[message] == nil, state.held.insert(message).inserted else { return }
        }
        state.lines[endpoint]?.queue.add(reply, now: now)
    }

    /// The same for the same message in every process, so that a platform recognises a repeated call.
    private static func replyKey(_ message: MessageKey) -> String {
        StableKey.text(of: "\(message.sentAt?.milliseconds ?? 0) \(message.text)")
    }

    // MARK: Running

    func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.ringEverySecond() }
            group.addTask { await self.dropWhatNobodySends() }
            await withGracefulShutdownHandler {
                await self.sendWhatIsDue(in: &group)
            } onGracefulShutdown: {
                self.ringer.finish()
            }
            // Calls that are under way were perhaps heard already: cut off, they would be made again after the restart.
            let end = ContinuousClock.now + Self.gracePeriod
            while !Task.isCancelled, ContinuousClock.now < end, state.withLockedValue({ $0.inFlightCount > 0 }) {
                try? await Task.sleep(for: .milliseconds(20))
            }
            group.cancelAll()
        }
    }

    private func sendWhatIsDue(in group: inout DiscardingTaskGroup) async {
        var alarm: Instant?
        for await _ in doorbell {
            let (steps, wakeAt) = takeSteps()
            for (endpoint, lane, replies) in steps {
                group.addTask { await self.send(replies, lane, endpoint) }
            }
            for endpoint in takeEndpointsToRead() {
                group.addTask { await self.read(endpoint) }
            }
            let now = clock()
            if let rung = alarm, rung <= now { alarm = nil }
            // What is further off is seen to by the bell of every second.
            guard let wakeAt, wakeAt.milliseconds(since: now) < 1000, alarm.map({ wakeAt < $0 }) ?? true else {
                continue
            }
            alarm = wakeAt
            group.addTask {
                try? await Task.sleep(for: .milliseconds(max(wakeAt.milliseconds(since: now), 1)))
                self.ring()
            }
        }
    }

    /// Has a look taken at what is due: something was added, a call has ended, or the clock has moved.
    func ring() {
        ringer.yield()
    }

    private func ringEverySecond() async {
        while !Task.isCancelled {
            ring()
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func takeSteps() -> ([(String, ReplyQueue.Lane, [QueuedReply])], wakeAt: Instant?) {
        let now = clock()
        var steps: [(String, ReplyQueue.Lane, [QueuedReply])] = []
        var wakeAt: Instant?
        var expired: [(String, ReplyQueue.Settled)] = []
        state.withLockedValue { state in
            for endpoint in state.lines.keys {
                queue: while let next = state.lines[endpoint]?.queue.next(now: now) {
                    expired += next.expired.map { (endpoint, $0) }
                    switch next.step {
                    case .send(let lane, let replies):
                        steps.append((endpoint, lane, replies))
                        state.inFlightCount += 1
                    case .wait(let until):
                        wakeAt = min(wakeAt ?? until, until)
                        break queue
                    case .idle: break queue
                    }
                }
            }
            if !(0..<30_000).contains(now.milliseconds(since: state.lastTidied)) {
                state.lastTidied = now
                for endpoint in state.lines.keys { state.lines[endpoint]?.queue.tidy(now: now) }
                // Under load there is always a note on its way; what is older than that was written.
                let known = service.oldestUnwrittenNote ?? now
                state.settled = state.settled.filter { known.milliseconds(since: $0.value) < 60_000 }
            }
        }
        for (endpoint, settled) in expired { settle(settled, endpoint) }
        return (steps, wakeAt)
    }

    private func send(_ replies: [QueuedReply], _ lane: ReplyQueue.Lane, _ endpoint: String) async {
        let result = await transports[endpoint]?.send(replies.map(\.reply)) ?? .refused(reason: "no such endpoint")
        let now = clock()
        let settled = state.withLockedValue { state in
            state.lines[endpoint]?.queue.finish(lane, result, now: now, jitter: Double.random(in: 0...1))
        }
        if let settled { settle(settled, endpoint) }
        // Only now: a shutdown waits until it is noted.
        state.withLockedValue { $0.inFlightCount -= 1 }
        ring()
    }

    /// A way out of this endpoint is there again: what waits after a failure need not wait longer.
    func retryNow(_ endpoint: String) {
        let now = clock()
        state.withLockedValue { $0.lines[endpoint]?.queue.retryNow(now: now) }
        ring()
    }

    private func settle(_ settled: ReplyQueue.Settled, _ endpoint: String) {
        let now = clock()
        if let platform = platforms[endpoint] {
            metrics.countReplies(settled.replies.count, platform, settled.delivery)
        }
        if settled.delivery == .dropped {
            logger.warning(
                "replies dropped",
                metadata: [
                    "endpoint.name": "\(endpoint)", "count": "\(settled.replies.count)",
                    "reason": "\(settled.reason ?? "")",
                ])
        }
        for queued in settled.replies {
            guard let message = queued.message, !queued.isContinued else { continue }
            state.withLockedValue { state in
                state.held.remove(message)
                state.settled[message] = now
            }
            service.note(settled.delivery, of: message)
        }
    }

    /// Endpoints whose replies are to be taken from the store: at the start, and when there is room again.
    private func takeEndpointsToRead() -> [String] {
        state.withLockedValue { state in
            state.lines.keys.filter { endpoint in
                guard let line = state.lines[endpoint], case .behind = line.supply,
                    line.queue.count < Self.capacity / 2
                else { return false }
                state.lines[endpoint]?.supply = .reading(decidedMeanwhile: [], mustReadAgain: false)
                return true
            }
        }
    }

    private func read(_ endpoint: String) async {
        var pending: [PendingReply]?
        do {
            pending = try await service.pendingReplies(through: endpoint, limit: Self.capacity)
        } catch {
            // The end of the program is no fault of the database's.
            if Task.isCancelled { return }
            logger.error("pending replies cannot be read", metadata: ["error": "\(error)"])
        }
        let found = (pending ?? []).compactMap(readable)
        let now = clock()
        let hasNews = state.withLockedValue { state in
            guard let line = state.lines[endpoint], case .reading(let meanwhile, let mustReadAgain) = line.supply else {
                return false
            }
            for reply in found { Self.put(reply, endpoint, &state, now: now) }
            // What is left in the store has its place before what was decided meanwhile.
            let isComplete = pending.map { $0.count < Self.capacity } ?? false
            if isComplete { for reply in meanwhile { Self.put(reply, endpoint, &state, now: now) } }
            state.lines[endpoint]?.supply = isComplete && !mustReadAgain ? .complete : .behind
            return (state.lines[endpoint]?.queue.count ?? 0) > line.queue.count
        }
        if hasNews { ring() }
    }

    /// Replies of endpoints that are no longer configured, or have lost their way out.
    private func dropWhatNobodySends() async {
        do {
            for endpoint in try await service.endpointsOfPendingReplies() where transports[endpoint] == nil {
                var count = 0
                while !Task.isCancelled {
                    let pending = try await service.pendingReplies(through: endpoint, limit: Self.capacity)
                    if pending.isEmpty { break }
                    count += pending.count
                    for reply in pending { service.note(.dropped, of: reply.key) }
                    while !service.hasWrittenNotes { try await Task.sleep(for: .milliseconds(20)) }
                }
                logger.warning(
                    "replies dropped: their endpoint cannot send",
                    metadata: ["endpoint.name": "\(endpoint)", "count": "\(count)"])
            }
        } catch {
            if !Task.isCancelled {
                logger.error("pending replies cannot be read", metadata: ["error": "\(error)"])
            }
        }
    }

    /// What is pending, as a reply that can be sent; nil, and settled, when there is nothing to be sent.
    private func readable(_ pending: PendingReply) -> QueuedReply? {
        guard let address = StoredAddress(pending.destination), let outcome = pending.outcome else {
            logger.warning("reply dropped: it cannot be read any more")
            service.note(.dropped, of: pending.key)
            return nil
        }
        let text = words(outcome)
        if text.isEmpty {
            service.note(.sent, of: pending.key)
            return nil
        }
        return QueuedReply(
            message: pending.key,
            reply: OutgoingReply(address: address.address, text: text, key: Self.replyKey(pending.key)),
            decidedAt: pending.decidedAt)
    }

    private func drop(_ message: MessageKey, _ endpoint: String) {
        logger.warning("reply dropped: its endpoint cannot send", metadata: ["endpoint.name": "\(endpoint)"])
        service.note(.dropped, of: message)
    }
}
