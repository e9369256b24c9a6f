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
    /// Replies held in memory. What does not fit stays in the store and is taken from there later.
    static let capacity = 20_000
    /// How long a shutdown waits for calls that are under way.
    private static let gracePeriod = Duration.seconds(3)

    private struct State {
        var queues: [String: ReplyQueue]
        /// Messages whose replies are here.
        var held: Set<MessageKey> = []
        /// Settled lately: the store may not know yet.
        var settled: [MessageKey: Instant] = [:]
        /// The store has pending replies that are not here; what is decided now waits its turn there.
        var hasMore = true
        /// Decided while the store is being read: to be added behind what is read.
        var decidedMeanwhile: [(endpoint: String, QueuedReply)]?
        var inFlightCount = 0
        var lastTidied: Instant
        var nextID: UInt64 = 0

        var count: Int { queues.values.reduce(0) { $0 + $1.count } }
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
        let queues = transports.mapValues { ReplyQueue(limits: $0.limits, concurrency: $0.concurrency) }
        state = NIOLockedValueBox(State(queues: queues, lastTidied: clock()))
        (doorbell, ringer) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    var now: Instant { clock() }

    /// How an endpoint's replies go out by calls; nil when they cannot.
    func limits(of endpoint: String) -> ReplyLimits? { transports[endpoint]?.limits }

    // MARK: Saying

    /// Whether a reply to this place may be said in a response now: not too soon after the last, and not before others
    /// that wait; or whether there is no other way. If so it counts as said.
    func mayAnswerInResponse(_ address: StoredAddress) -> Bool {
        guard transports[address.endpoint]?.reaches(address.address) == true else { return true }
        let now = clock()
        let lane = ReplyQueue.Lane(address.address)
        return state.withLockedValue { state in
            guard state.queues[address.endpoint]?.isQuiet(lane, now: now) ?? true else { return false }
            state.queues[address.endpoint]?.noteSaid(lane, now: now)
            return true
        }
    }

    /// Sends a reply that is kept with its message.
    func send(_ text: String, to address: StoredAddress, answering message: MessageKey, decidedAt: Instant) {
        add(text, to: address, answering: message, decidedAt: decidedAt)
    }

    /// Sends something that is not kept, unless too much is waiting.
    ///
    /// - Parameter number: Which reply to the address's message it is, from 1.
    func mention(_ text: String, to address: StoredAddress, number: Int = 2) {
        let now = clock()
        let isQuiet = state.withLockedValue { state in
            state.count < Self.capacity / 2
        }
        guard isQuiet, transports[address.endpoint] != nil else { return }
        add(text, to: address, answering: nil, decidedAt: now, number: number)
    }

    private func add(
        _ text: String, to address: StoredAddress, answering message: MessageKey?, decidedAt: Instant, number: Int = 1
    ) {
        let now = clock()
        let isKnown = state.withLockedValue { state -> Bool in
            guard state.queues[address.endpoint] != nil else { return false }
            state.nextID += 1
            let key = message.map(Self.replyKey) ?? "said-\(decidedAt.milliseconds)-\(state.nextID)"
            let reply = QueuedReply(
                message: message,
                reply: OutgoingReply(address: address.address, text: text, key: key, number: number),
                decidedAt: decidedAt)
            if message != nil, state.decidedMeanwhile != nil {
                state.decidedMeanwhile?.append((address.endpoint, reply))
            } else if message != nil, state.hasMore || state.count >= Self.capacity {
                // It stands in the store, behind others of its chat perhaps.
                state.hasMore = true
            } else {
                Self.put(reply, address.endpoint, &state, now: now)
            }
            return true
        }
        if isKnown {
            ring()
        } else if let message {
            drop(message, address.endpoint)
        }
    }

    /// Puts a reply in line unless it is there already, or was lately.
    private static func put(_ reply: QueuedReply, _ endpoint: String, _ state: inout State, now: Instant) {
        if let message = reply.message {
            guard state.settled[message] == nil, state.held.insert(message).inserted else { return }
        }
        state.queues[endpoint]?.add(reply, now: now)
    }

    /// The same for the same message in every process, so that a platform recognises a repeated call.
    private static func replyKey(_ message: MessageKey) -> String {
        StableKey.text(of: "\(message.sentAt?.milliseconds ?? 0) \(message.text)")
    }

    // MARK: Running

    func run() async throws {
        await withDiscardingTaskGroup { group in
            group.addTask { await self.ringEverySecond() }
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
            await refillIfRoom()
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
            for endpoint in state.queues.keys {
                queue: while var queue = state.queues[endpoint] {
                    // Taken out while it changes, so that nothing is copied.
                    state.queues[endpoint] = nil
                    let next = queue.next(now: now)
                    state.queues[endpoint] = queue
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
            if now.milliseconds(since: state.lastTidied) > 30_000 {
                state.lastTidied = now
                state.settled = state.settled.filter { now.milliseconds(since: $0.value) < 60_000 }
                for endpoint in state.queues.keys { state.queues[endpoint]?.tidy(now: now) }
            }
        }
        for (endpoint, settled) in expired { settle(settled, endpoint) }
        return (steps, wakeAt)
    }

    private func send(_ replies: [QueuedReply], _ lane: ReplyQueue.Lane, _ endpoint: String) async {
        let result = await transports[endpoint]?.send(replies.map(\.reply)) ?? .refused(reason: "no such endpoint")
        let now = clock()
        let settled = state.withLockedValue { state in
            state.queues[endpoint]?.finish(lane, result, now: now, jitter: Double.random(in: 0...1))
        }
        if let settled { settle(settled, endpoint) }
        // Only now: a shutdown waits until it is noted.
        state.withLockedValue { $0.inFlightCount -= 1 }
        ring()
    }

    /// A way out of this endpoint is there again: what waits after a failure need not wait longer.
    func retryNow(_ endpoint: String) {
        let now = clock()
        state.withLockedValue { $0.queues[endpoint]?.retryNow(now: now) }
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

    /// Takes what the store has pending, at the start and when there was no room for it.
    private func refillIfRoom() async {
        let isDue = state.withLockedValue { state in
            guard state.hasMore, state.count < Self.capacity / 2 else { return false }
            state.hasMore = false
            state.decidedMeanwhile = []
            return true
        }
        guard isDue else { return }
        var pending: [PendingReply] = []
        var isComplete = false
        do {
            pending = try await service.pendingReplies(limit: Self.capacity)
            isComplete = pending.count < Self.capacity
        } catch {
            // The end of the program is no fault of the database's.
            if Task.isCancelled { return }
            logger.error("pending replies cannot be read", metadata: ["error": "\(error)"])
        }
        let found = pending.compactMap(readable)
        let now = clock()
        let unsendable = state.withLockedValue { state in
            var unsendable: [(endpoint: String, MessageKey)] = []
            for (endpoint, reply) in found {
                if state.queues[endpoint] == nil, let message = reply.message {
                    unsendable.append((endpoint, message))
                } else {
                    Self.put(reply, endpoint, &state, now: now)
                }
            }
            // What is left in the store has its place before what was decided meanwhile.
            if isComplete {
                for (endpoint, reply) in state.decidedMeanwhile ?? [] { Self.put(reply, endpoint, &state, now: now) }
            } else {
                state.hasMore = true
            }
            state.decidedMeanwhile = nil
            return unsendable
        }
        for (endpoint, message) in unsendable { drop(message, endpoint) }
        if isComplete || !pending.isEmpty { ring() }
    }

    /// What is pending, as a reply that can be sent; nil, and settled, when there is nothing to be sent.
    private func readable(_ pending: PendingReply) -> (endpoint: String, QueuedReply)? {
        guard let address = StoredAddress(pending.address), let outcome = pending.outcome else {
            logger.warning("reply dropped: it cannot be read any more")
            service.note(.dropped, of: pending.key)
            return nil
        }
        let text = words(outcome)
        if text.isEmpty {
            service.note(.sent, of: pending.key)
            return nil
        }
        return (
            address.endpoint,
            QueuedReply(
                message: pending.key,
                reply: OutgoingReply(address: address.address, text: text, key: Self.replyKey(pending.key)),
                decidedAt: pending.decidedAt)
        )
    }

    /// The endpoint is no longer configured, or has lost its way out.
    private func drop(_ message: MessageKey, _ endpoint: String) {
        logger.warning("reply dropped: its endpoint cannot send", metadata: ["endpoint.name": "\(endpoint)"])
        service.note(.dropped, of: message)
    }
}
