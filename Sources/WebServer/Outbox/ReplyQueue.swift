internal import Activities
internal import Basics
internal import ChatPlatforms
internal import DequeModule
internal import HeapModule

/// A reply, or a page of one, that waits to be sent.
struct QueuedReply: Sendable {
    /// The message it answers; nil for what is not kept: something said unasked, or a passing refusal.
    var message: MessageKey?
    var reply: OutgoingReply
    /// When it was decided: the platform's window counts from here.
    var decidedAt: Instant
    /// Whether more of the same reply follows behind it; only the last settles the message.
    var isContinued = false
}

/// The replies of one endpoint that wait to be sent: in order per chat, no faster than the platform takes them, merged
/// where several wait for one chat, tried again with growing pauses, given up after the platform's window.
///
/// Decides only; whoever holds it makes the calls. One call at a time per chat.
///
/// - Source: spec.md section 7; hardening.md section 3.4.
struct ReplyQueue: Sendable {
    /// A place that replies go to in order.
    struct Lane: Hashable, Sendable {
        let chat: String
        let isPrivate: Bool
        let thread: String?
        let account: String?

        init(_ address: ReplyAddress) {
            (chat, isPrivate, thread, account) = (address.chat, address.isPrivate, address.thread, address.account)
        }
    }

    /// What is to be done now.
    enum Step: Sendable {
        /// Make the call for these, then ``finish(_:_:now:jitter:)``.
        case send(Lane, [QueuedReply])
        /// Nothing before this moment.
        case wait(until: Instant)
        /// Nothing until something is added or finished.
        case idle
    }

    /// How replies came to an end.
    struct Settled: Sendable {
        var replies: [QueuedReply]
        var delivery: Delivery
        /// Why they were dropped.
        var reason: String?
    }

    private struct LaneState: Sendable {
        var replies: Deque<QueuedReply> = []
        var inFlight: [QueuedReply] = []
        /// Not before.
        var readyAt: Instant
        var failureCount = 0
        /// So many of the next go alone: together they were refused.
        var singleCount = 0
        /// So many of the next were tried together, and go together again: perhaps the platform took them, and knows a
        /// second attempt only by all of its replies.
        var repeatedCount = 0
        /// An attempt ended without a word of the platform's: perhaps it was heard.
        var isPerhapsHeard = false
        /// The entry in the ready list that counts, if it has one.
        var listed: UInt64?

        /// For another attempt, together again.
        mutating func putBack(_ attempted: [QueuedReply]) {
            replies.prepend(contentsOf: attempted)
            repeatedCount = attempted.count
            failureCount = min(failureCount + 1, 16)
        }

        /// Milliseconds that an attempt waits after the failures so far.
        var failurePause: Int64 { min(ReplyQueue.maximumPause, 500 << Int64(failureCount)) }
    }

    private struct Ready: Comparable, Sendable {
        let at: Instant
        /// Equal moments in the order of their entry.
        let number: UInt64
        let lane: Lane

        static func == (left: Self, right: Self) -> Bool { left.number == right.number }
        static func < (left: Self, right: Self) -> Bool { (left.at, left.number) < (right.at, right.number) }
    }

    /// Replies in one merged message.
    static let maximumMergeCount = 20
    /// Messages that one reply may take.
    static let maximumPageCount = 5
    /// Longest pause between attempts.
    private static let maximumPause: Int64 = 60_000

    let limits: ReplyLimits
    /// Calls at the same time.
    let concurrency: Int
    private(set) var count = 0
    private var lanes: [Lane: LaneState] = [:]
    private var ready = Heap<Ready>()
    private var nextNumber: UInt64 = 0
    private var inFlightCount = 0
    /// The endpoint as a whole: not before.
    private var readyAt: Instant?
    /// When it was last asked what to do.
    private var lastNow: Instant?

    init(limits: ReplyLimits, concurrency: Int = 8) {
        self.limits = limits
        self.concurrency = concurrency
    }

    /// Whether something said to this place now, by another way, would be neither too soon nor out of order.
    func isQuiet(_ lane: Lane, now: Instant) -> Bool {
        guard let state = lanes[lane] else { return true }
        return state.replies.isEmpty && state.inFlight.isEmpty && state.readyAt <= now
    }

    /// Takes note that something was said to this place by another way.
    mutating func noteSaid(_ lane: Lane, now: Instant) {
        guard limits.millisecondsPerChat > 0 else { return }
        lanes[lane, default: LaneState(readyAt: now)].readyAt = now.advanced(byMilliseconds: limits.millisecondsPerChat)
    }

    /// Puts a reply at the end of its place's line, in as many pages as it needs.
    mutating func add(_ queued: QueuedReply, now: Instant) {
        let lane = Lane(queued.reply.address)
        var pages = limits.text.pages(of: queued.reply.text, maximumCount: Self.maximumPageCount)[...]
        var number = 0
        while let page = pages.popFirst() {
            var queued = queued
            queued.reply.text = page
            queued.reply.key += number == 0 ? "" : "-\(number)"
            queued.reply.number += number
            queued.isContinued = !pages.isEmpty
            lanes[lane, default: LaneState(readyAt: now)].replies.append(queued)
            count += 1
            number += 1
        }
        list(lane)
    }

    /// What to do now, and what has been waiting for too long meanwhile.
    mutating func next(now: Instant) -> (step: Step, expired: [Settled]) {
        followClock(now)
        var expired: [Settled] = []
        while let first = ready.min {
            guard lanes[first.lane]?.listed == first.number else {
                ready.removeMin()
                continue
            }
            if let readyAt, readyAt > now { return (.wait(until: max(readyAt, first.at)), expired) }
            guard first.at <= now else { return (.wait(until: first.at), expired) }
            guard inFlightCount < concurrency else { return (.idle, expired) }
            ready.removeMin()
            // Taken out while it changes, so that its replies are not copied.
            guard var state = lanes.removeValue(forKey: first.lane) else { continue }
            state.listed = nil
            let late = takeLate(&state, now: now)
            if !late.isEmpty {
                count -= late.count
                expired.append(Settled(replies: late, delivery: .dropped, reason: "too late for the platform"))
            }
            let replies = takeTogether(&state).map { withoutExpired($0, now: now) }
            guard !replies.isEmpty else {
                lanes[first.lane] = state
                forgetIfQuiet(first.lane, now: now)
                continue
            }
            state.inFlight = replies
            lanes[first.lane] = state
            inFlightCount += 1
            if limits.millisecondsPerMessage > 0 {
                readyAt = now.advanced(byMilliseconds: limits.millisecondsPerMessage)
            }
            return (.send(first.lane, replies), expired)
        }
        return (.idle, expired)
    }

    /// Tells what became of a call.
    ///
    /// - Parameter jitter: 0…1, random: spreads attempts after a failure.
    /// - Returns: What has come to an end by it.
    mutating func finish(_ lane: Lane, _ result: DeliveryResult, now: Instant, jitter: Double) -> Settled? {
        guard lanes[lane]?.inFlight.isEmpty == false, var state = lanes.removeValue(forKey: lane) else { return nil }
        inFlightCount -= 1
        let replies = state.inFlight
        state.inFlight = []
        var settled: Settled?
        var pause = limits.millisecondsPerChat
        switch result {
        case .delivered:
            settled = Settled(replies: replies, delivery: .sent, reason: nil)
        case .refused where replies.count > 1 && limits.splitsRefused && !state.isPerhapsHeard:
            // Perhaps only one of them is at fault.
            state.replies.prepend(contentsOf: replies)
            state.singleCount = replies.count
        case .refused(let reason):
            settled = Settled(replies: replies, delivery: .dropped, reason: reason)
        case .later(let seconds):
            state.putBack(replies)
            if seconds == nil { state.isPerhapsHeard = true }
            pause = max(Int64((0.5 + jitter) * Double(state.failurePause)), (seconds ?? 0) * 1000)
        case .staleToken:
            state.putBack(replies)
            // The first time the new token is tried at once.
            pause = state.failureCount == 1 ? 0 : state.failurePause
        }
        state.readyAt = now.advanced(byMilliseconds: pause)
        if let settled {
            count -= settled.replies.count
            state.failureCount = 0
            state.isPerhapsHeard = false
            state.singleCount = max(state.singleCount - 1, 0)
        }
        lanes[lane] = state
        list(lane)
        forgetIfQuiet(lane, now: now)
        return settled
    }

    private mutating func list(_ lane: Lane) {
        guard let state = lanes[lane], state.listed == nil, state.inFlight.isEmpty, !state.replies.isEmpty else {
            return
        }
        lanes[lane]?.listed = nextNumber
        ready.insert(Ready(at: state.readyAt, number: nextNumber, lane: lane))
        nextNumber += 1
    }

    /// What waits after a failure may go at once: the way that was missing is there again.
    mutating func retryNow(now: Instant) {
        for (lane, state) in lanes where state.failureCount > 0 && state.readyAt > now && state.inFlight.isEmpty {
            lanes[lane]?.failureCount = 0
            lanes[lane]?.readyAt = now
            // The entry of before counts no more.
            lanes[lane]?.listed = nil
            list(lane)
        }
    }

    /// A clock that is set back must not make everybody wait until it is there again.
    private mutating func followClock(_ now: Instant) {
        defer { lastNow = now }
        guard let lastNow, now < lastNow else { return }
        let difference = lastNow.milliseconds(since: now)
        readyAt = readyAt?.advanced(byMilliseconds: -difference)
        ready = Heap()
        for (lane, state) in lanes {
            lanes[lane]?.readyAt = state.readyAt.advanced(byMilliseconds: -difference)
            lanes[lane]?.listed = nil
            list(lane)
        }
    }

    /// Replies from the head of the line that the platform takes no more.
    private func takeLate(_ state: inout LaneState, now: Instant) -> [QueuedReply] {
        var late: [QueuedReply] = []
        while let first = state.replies.first, isLate(first, now: now) {
            late.append(first)
            state.replies.removeFirst()
        }
        state.singleCount = max(state.singleCount - late.count, 0)
        if state.repeatedCount > 0 {
            state.repeatedCount = max(state.repeatedCount - late.count, 0)
            if state.repeatedCount == 0 { state.isPerhapsHeard = false }
        }
        return late
    }

    private func isLate(_ queued: QueuedReply, now: Instant) -> Bool {
        if !limits.allowsPush, isExpired(queued, now: now) { return true }
        return now.milliseconds(since: queued.decidedAt) > limits.windowSeconds * 1000
    }

    private func isExpired(_ queued: QueuedReply, now: Instant) -> Bool {
        queued.reply.address.expiresAt.map { $0 <= now } ?? false
    }

    /// What answering took is no longer good; where the platform takes what answers nothing, it goes out as that.
    private func withoutExpired(_ queued: QueuedReply, now: Instant) -> QueuedReply {
        guard isExpired(queued, now: now) else { return queued }
        var queued = queued
        (queued.reply.address.url, queued.reply.address.message) = (nil, nil)
        return queued
    }

    /// As many from the head of the line as fit into one message.
    private func takeTogether(_ state: inout LaneState) -> [QueuedReply] {
        if state.repeatedCount > 0 {
            let together = Array(state.replies.prefix(state.repeatedCount))
            state.replies.removeFirst(together.count)
            state.repeatedCount = 0
            return together
        }
        guard let first = state.replies.popFirst() else { return [] }
        var together = [first]
        guard limits.mergesReplies, state.singleCount == 0 else { return together }
        // Who each is for is said as well, in words of the platform's own.
        let mentionSize = 64
        var size = limits.text.size(of: first.reply.text) + mentionSize
        while together.count < Self.maximumMergeCount, let next = state.replies.first {
            size += limits.text.size(of: next.reply.text) + mentionSize
            guard size <= limits.text.count else { break }
            together.append(next)
            state.replies.removeFirst()
        }
        return together
    }

    /// A place where nothing waits is remembered only while something said there now would be too soon.
    private mutating func forgetIfQuiet(_ lane: Lane, now: Instant) {
        if isQuiet(lane, now: now) { lanes[lane] = nil }
    }

    /// Forgets places where nothing waits any more; now and then.
    mutating func tidy(now: Instant) {
        lanes = lanes.filter { !$0.value.replies.isEmpty || !$0.value.inFlight.isEmpty || $0.value.readyAt > now }
    }
}
