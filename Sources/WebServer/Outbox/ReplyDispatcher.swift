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

    private struct State {
        var queues: [String: ReplyQueue]
        /// Messages whose replies are here.
        var held: Set<MessageKey> = []
        /// Settled lately: the store may not know yet.
        var settled: [MessageKey: Instant] = [:]
        /// The store has pending replies that are not here.
        var hasMore = true
        var isRefilling = false
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
            if let message {
                guard !state.held.contains(message), state.settled[message] == nil else { return true }
                guard state.count < Self.capacity else {
                    state.hasMore = true
                    return true
                }
                state.held.insert(message)
            }
            state.nextID += 1
            let key = message.map(Self.replyKey) ?? "said-\(decidedAt.milliseconds)-\(state.nextID)"
            state.queues[address.endpoint]?.add(
                QueuedReply(
                    message: message,
                    reply: OutgoingReply(address: address.address, text: text, key: key, number: number),
                    decidedAt: decidedAt),
                now: now)
            return true
        }
        if isKnown {
            ringer.yield()
        } else if let message {
            // The endpoint is no longer configured, or has lost its way out.
            logger.warning(
                "reply dropped: its endpoint cannot send", metadata: ["endpoint.name": "\(address.endpoint)"])
            service.note(.dropped, of: message)
        }
    }

    /// The same for the same message in every process, so that a platform recognises a repeated call.
    private static func replyKey(_ message: MessageKey) -> String {
        StableKey.text(of: "\(message.sentAt?.milliseconds ?? 0) \(message.text)")
    }

    // MARK: Running

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.ringEverySecond() }
                var alarm: Instant?
                for await _ in self.doorbell {
                    let (steps, wakeAt) = self.takeSteps()
                    for (endpoint, lane, replies) in steps {
                        group.addTask { await self.send(replies, lane, endpoint) }
                    }
                    await self.refillIfRoom()
                    let now = self.clock()
                    if let rung = alarm, rung <= now { alarm = nil }
                    // What is further off is seen to by the bell of every second.
                    guard let wakeAt, wakeAt.milliseconds(since: now) < 1000, alarm.map({ wakeAt < $0 }) ?? true else {
                        continue
                    }
                    alarm = wakeAt
                    group.addTask {
                        try? await Task.sleep(for: .milliseconds(max(wakeAt.milliseconds(since: now), 1)))
                        self.ringer.yield()
                    }
                }
                group.cancelAll()
            }
        }
    }

    private func ringEverySecond() async {
        while !Task.isCancelled {
            ringer.yield()
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
                    case .send(let lane, let replies): steps.append((endpoint, lane, replies))
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
        ringer.yield()
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
            return true
        }
        guard isDue else { return }
        do {
            let pending = try await service.pendingReplies(limit: Self.capacity)
            if pending.count == Self.capacity { state.withLockedValue { $0.hasMore = true } }
            for reply in pending {
                guard let address = StoredAddress(reply.address), let outcome = reply.outcome else {
                    service.note(.dropped, of: reply.key)
                    continue
                }
                let text = words(outcome)
                if text.isEmpty {
                    service.note(.sent, of: reply.key)
                } else {
                    add(text, to: address, answering: reply.key, decidedAt: reply.decidedAt)
                }
            }
        } catch {
            state.withLockedValue { $0.hasMore = true }
            logger.error("pending replies cannot be read", metadata: ["error": "\(error)"])
        }
    }
}
