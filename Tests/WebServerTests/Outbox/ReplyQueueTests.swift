import Activities
import Basics
import ChatPlatforms
import Testing

@testable import WebServer

/// The outbox's decisions, one rule at a time; ``ReplyQueueModelTests`` mixes them.
struct ReplyQueueTests {
    static let start = Instant(milliseconds: 1_802_232_000_000)

    static func limits(
        text: Int = 1000, perChat: Int64 = 0, perMessage: Int64 = 0, window: Int64 = 600, merges: Bool = true,
        pushes: Bool = false
    ) -> ReplyLimits {
        ReplyLimits(
            text: TextLimit(text, .characters), millisecondsPerChat: perChat, millisecondsPerMessage: perMessage,
            windowSeconds: window, mergesReplies: merges, allowsPush: pushes)
    }

    static func reply(
        _ id: String, chat: String = "c1", text: String? = nil, at: Instant = start, expiresAt: Instant? = nil
    ) -> QueuedReply {
        let address = ReplyAddress(
            chat: chat, isPrivate: false, user: "u" + id, message: "m" + id, url: "https://a.example/" + id,
            expiresAt: expiresAt)
        return QueuedReply(
            message: MessageKey(sentAt: nil, text: id),
            reply: OutgoingReply(address: address, text: text ?? id, key: id), decidedAt: at)
    }

    /// What is to be sent now, as `text+text`; else `nil`.
    private func sent(_ queue: inout ReplyQueue, _ now: Instant) -> (lane: ReplyQueue.Lane, texts: [String])? {
        guard case .send(let lane, let replies) = queue.next(now: now).step else { return nil }
        return (lane, replies.map(\.reply.text))
    }

    private func laneCount(_ queue: ReplyQueue) -> Int? {
        (Mirror(reflecting: queue).descendant("lanes") as? any Collection)?.count
    }

    private func readyCount(_ queue: ReplyQueue) -> Int? {
        var queue = queue
        if case .send = queue.next(now: Self.start.advanced(bySeconds: 1_000_000)).step { return nil }
        return queue.count
    }

    @Test func onePlaceHasOneCallAtATime() throws {
        var queue = ReplyQueue(limits: Self.limits(merges: false))
        for id in ["1", "2"] { queue.add(Self.reply(id), now: Self.start) }
        queue.add(Self.reply("3", chat: "c2"), now: Self.start)
        let first = try #require(sent(&queue, Self.start))
        #expect(first.texts == ["1"])
        // Another chat does not wait for it, the same one does.
        #expect(sent(&queue, Self.start)?.texts == ["3"])
        #expect(sent(&queue, Self.start) == nil)
        _ = queue.finish(first.lane, .delivered, now: Self.start, jitter: 0)
        #expect(sent(&queue, Self.start)?.texts == ["2"])
    }

    @Test func threadsAccountsAndPrivateTalksArePlacesOfTheirOwn() {
        var queue = ReplyQueue(limits: Self.limits())
        var addresses = Array(repeating: Self.reply("1").reply.address, count: 4)
        addresses[1].thread = "t"
        addresses[2].account = "a"
        addresses[3].isPrivate = true
        for (index, address) in addresses.enumerated() {
            var reply = Self.reply(String(index))
            reply.reply.address = address
            queue.add(reply, now: Self.start)
        }
        for index in 0..<4 { #expect(sent(&queue, Self.start)?.texts == [String(index)]) }
    }

    @Test func pausesBetweenMessagesAreKept() throws {
        var queue = ReplyQueue(limits: Self.limits(perChat: 3000, perMessage: 100, merges: false))
        for id in ["1", "2"] { queue.add(Self.reply(id), now: Self.start) }
        queue.add(Self.reply("3", chat: "c2"), now: Self.start)
        let first = try #require(sent(&queue, Self.start))
        // The endpoint as a whole
        guard case .wait(let until) = queue.next(now: Self.start).step else {
            Issue.record("sent too soon after the last")
            return
        }
        #expect(until == Self.start.advanced(byMilliseconds: 100))
        #expect(sent(&queue, until)?.texts == ["3"])
        // One chat, from the end of the last call on
        let answeredAt = Self.start.advanced(byMilliseconds: 500)
        _ = queue.finish(first.lane, .delivered, now: answeredAt, jitter: 0)
        guard case .wait(let again) = queue.next(now: answeredAt).step else {
            Issue.record("sent too soon after the last of the chat")
            return
        }
        #expect(again == answeredAt.advanced(byMilliseconds: 3000))
        #expect(sent(&queue, again)?.texts == ["2"])
    }

    @Test func noMoreCallsAtOnceThanAllowed() throws {
        var queue = ReplyQueue(limits: Self.limits(), concurrency: 2)
        for id in ["1", "2", "3"] { queue.add(Self.reply(id, chat: id), now: Self.start) }
        let first = try #require(sent(&queue, Self.start))
        #expect(sent(&queue, Self.start)?.texts == ["2"])
        guard case .idle = queue.next(now: Self.start).step else {
            Issue.record("a third call")
            return
        }
        _ = queue.finish(first.lane, .delivered, now: Self.start, jitter: 0)
        #expect(sent(&queue, Self.start)?.texts == ["3"])
    }

    @Test func onlyWhatFitsIsMerged() {
        // With what naming its user takes (64), five of 100 characters are within 900 and six are not.
        var queue = ReplyQueue(limits: Self.limits(text: 900))
        for id in 1...7 {
            queue.add(Self.reply(String(id), text: String(repeating: "x", count: 100)), now: Self.start)
        }
        #expect(sent(&queue, Self.start)?.texts.count == 5)
        var alone = ReplyQueue(limits: Self.limits(merges: false))
        for id in ["1", "2"] { alone.add(Self.reply(id), now: Self.start) }
        #expect(sent(&alone, Self.start)?.texts == ["1"])
        var many = ReplyQueue(limits: Self.limits(text: 100_000))
        for id in 1...50 { many.add(Self.reply(String(id)), now: Self.start) }
        #expect(sent(&many, Self.start)?.texts.count == ReplyQueue.maximumMergeCount)
    }

    @Test(arguments: [true, false])
    func whatMayHaveBeenHeardIsNotSaidOneByOneAsWell(_ splitsRefused: Bool) throws {
        var limits = Self.limits()
        limits.splitsRefused = splitsRefused
        var queue = ReplyQueue(limits: limits)
        for id in ["1", "2"] { queue.add(Self.reply(id), now: Self.start) }
        var call = try #require(sent(&queue, Self.start))
        var now = Self.start
        if splitsRefused {
            // The platform did not say that it had not heard.
            #expect(queue.finish(call.lane, .later(afterSeconds: nil), now: now, jitter: 0) == nil)
            now = now.advanced(bySeconds: 60)
            call = try #require(sent(&queue, now))
        }
        let settled = queue.finish(call.lane, .refused(reason: "x"), now: now, jitter: 0)
        #expect(settled?.delivery == .dropped && settled?.replies.count == 2)
        #expect(queue.count == 0)
    }

    @Test func aClockThatIsSetBackStopsNothing() throws {
        var queue = ReplyQueue(limits: Self.limits(perChat: 3000, perMessage: 100, merges: false))
        for id in ["1", "2"] { queue.add(Self.reply(id), now: Self.start) }
        let first = try #require(sent(&queue, Self.start))
        _ = queue.finish(first.lane, .delivered, now: Self.start, jitter: 0)
        let hourAgo = Self.start.advanced(bySeconds: -3600)
        #expect(sent(&queue, hourAgo) == nil)
        #expect(sent(&queue, hourAgo.advanced(byMilliseconds: 2999)) == nil)
        #expect(sent(&queue, hourAgo.advanced(byMilliseconds: 3000))?.texts == ["2"])
    }

    @Test func whatWasRefusedTogetherIsSentOneByOne() throws {
        var queue = ReplyQueue(limits: Self.limits())
        for id in ["1", "bad", "3"] { queue.add(Self.reply(id), now: Self.start) }
        let together = try #require(sent(&queue, Self.start))
        #expect(together.texts == ["1", "bad", "3"])
        // More comes while the call is under way
        queue.add(Self.reply("4"), now: Self.start)
        queue.add(Self.reply("5"), now: Self.start)
        #expect(queue.finish(together.lane, .refused(reason: "x"), now: Self.start, jitter: 0) == nil)
        #expect(queue.count == 5)
        for id in ["1", "bad", "3"] {
            let alone = try #require(sent(&queue, Self.start))
            #expect(alone.texts == [id])
            let result: DeliveryResult = id == "bad" ? .refused(reason: "bad") : .delivered
            let settled = queue.finish(alone.lane, result, now: Self.start, jitter: 0)
            #expect(settled?.delivery == (id == "bad" ? .dropped : .sent))
        }
        #expect(sent(&queue, Self.start)?.texts == ["4", "5"])
    }

    /// A failure between does not make it forget who goes alone.
    @Test func oneByOneEndsWhenAllHaveBeenTried() throws {
        var queue = ReplyQueue(limits: Self.limits())
        for id in ["1", "bad", "3"] { queue.add(Self.reply(id), now: Self.start) }
        let together = try #require(sent(&queue, Self.start))
        _ = queue.finish(together.lane, .refused(reason: "x"), now: Self.start, jitter: 0)
        var now = Self.start
        for _ in 0..<3 {
            #expect(sent(&queue, now)?.texts == ["1"])
            _ = queue.finish(together.lane, .later(afterSeconds: nil), now: now, jitter: 0)
            now = now.advanced(bySeconds: 10)
        }
        #expect(sent(&queue, now)?.texts == ["1"])
        _ = queue.finish(together.lane, .delivered, now: now, jitter: 0)
        #expect(sent(&queue, now)?.texts == ["bad"])
    }

    /// Platforms know a repeated call by a key made of its replies: one more among them would be another call.
    @Test(arguments: [DeliveryResult.later(afterSeconds: nil), .staleToken])
    func whatFailedTogetherIsTriedAgainTogether(_ result: DeliveryResult) throws {
        var queue = ReplyQueue(limits: Self.limits())
        for id in ["1", "2"] { queue.add(Self.reply(id), now: Self.start) }
        let first = try #require(sent(&queue, Self.start))
        queue.add(Self.reply("3"), now: Self.start)
        _ = queue.finish(first.lane, result, now: Self.start, jitter: 0)
        let later = Self.start.advanced(bySeconds: 30)
        #expect(sent(&queue, later)?.texts == ["1", "2"])
        _ = queue.finish(first.lane, .delivered, now: later, jitter: 0)
        #expect(sent(&queue, later)?.texts == ["3"])
    }

    @Test func pausesAfterFailuresGrowAndAreSpread() throws {
        var pauses: [Double: [Int64]] = [:]
        for jitter in [0.0, 0.5, 1.0] {
            var queue = ReplyQueue(limits: Self.limits(window: 1_000_000))
            queue.add(Self.reply("1"), now: Self.start)
            var now = Self.start
            for _ in 0..<12 {
                let lane = try #require(sent(&queue, now)).lane
                _ = queue.finish(lane, .later(afterSeconds: nil), now: now, jitter: jitter)
                guard case .wait(let until) = queue.next(now: now).step else {
                    Issue.record("no pause")
                    return
                }
                pauses[jitter, default: []].append(until.milliseconds(since: now))
                now = until
            }
        }
        let middle = try #require(pauses[0.5])
        #expect(middle.prefix(4) == [1000, 2000, 4000, 8000])
        #expect(middle.max() == 60_000 && zip(middle, middle.dropFirst()).allSatisfy { $0 <= $1 })
        for (index, pause) in middle.enumerated() {
            #expect(pauses[0]?[index] == pause / 2)
            #expect(pauses[1]?[index] == pause * 3 / 2)
        }
    }

    @Test func whatThePlatformSaysAboutWaitingIsHeeded() throws {
        var queue = ReplyQueue(limits: Self.limits())
        queue.add(Self.reply("1"), now: Self.start)
        let lane = try #require(sent(&queue, Self.start)).lane
        _ = queue.finish(lane, .later(afterSeconds: 42), now: Self.start, jitter: 0)
        guard case .wait(let until) = queue.next(now: Self.start).step else {
            Issue.record("no pause")
            return
        }
        #expect(until == Self.start.advanced(bySeconds: 42))
    }

    @Test func aStaleTokenIsTriedAgainAtOnceAndThenWithPauses() throws {
        var queue = ReplyQueue(limits: Self.limits())
        queue.add(Self.reply("1"), now: Self.start)
        let lane = try #require(sent(&queue, Self.start)).lane
        _ = queue.finish(lane, .staleToken, now: Self.start, jitter: 0)
        #expect(sent(&queue, Self.start)?.texts == ["1"])
        _ = queue.finish(lane, .staleToken, now: Self.start, jitter: 0)
        guard case .wait(let until) = queue.next(now: Self.start).step else {
            Issue.record("a wrong secret would be tried without end")
            return
        }
        #expect(until.milliseconds(since: Self.start) >= 1000)
    }

    @Test func theWindowEndsEveryReply() throws {
        var queue = ReplyQueue(limits: Self.limits(window: 300))
        queue.add(Self.reply("1"), now: Self.start)
        queue.add(Self.reply("2", at: Self.start.advanced(bySeconds: 10)), now: Self.start)
        let (step, expired) = queue.next(now: Self.start.advanced(byMilliseconds: 300_001))
        #expect(expired.map { $0.replies.map(\.reply.text) } == [["1"]] && expired.first?.delivery == .dropped)
        guard case .send(_, let replies) = step else {
            Issue.record("what is in time is not sent")
            return
        }
        #expect(replies.map(\.reply.text) == ["2"])
    }

    @Test func anAddressThatEndedIsNotAnsweredTo() throws {
        let end = Self.start.advanced(bySeconds: 60)
        var queue = ReplyQueue(limits: Self.limits())
        queue.add(Self.reply("1", expiresAt: end), now: Self.start)
        #expect(queue.next(now: end).expired.count == 1)
        #expect(queue.count == 0)
        // Where something may be said that answers nothing, it is said without what has ended.
        var pushing = ReplyQueue(limits: Self.limits(pushes: true))
        pushing.add(Self.reply("1", expiresAt: end), now: Self.start)
        pushing.add(Self.reply("2", chat: "c2", expiresAt: end.advanced(bySeconds: 1)), now: Self.start)
        guard case .send(_, let replies) = pushing.next(now: end).step,
            case .send(_, let others) = pushing.next(now: end).step
        else {
            Issue.record("not sent")
            return
        }
        #expect(replies.first?.reply.address.message == nil && replies.first?.reply.address.url == nil)
        #expect(others.first?.reply.address.message == "m2")
    }

    @Test func longRepliesGoInPagesAndTheLastSettles() throws {
        var queue = ReplyQueue(limits: Self.limits(text: 40, merges: false))
        let text = (1...6).map { "line \($0) " + String(repeating: "x", count: 10) }.joined(separator: "\n")
        queue.add(Self.reply("1", text: text), now: Self.start)
        queue.add(Self.reply("2"), now: Self.start)
        let pageCount = queue.count - 1
        #expect(pageCount == 3)
        var keys: [String] = []
        var lines: [String] = []
        for page in 1...pageCount {
            guard case .send(let lane, let replies) = queue.next(now: Self.start).step, let reply = replies.first else {
                Issue.record("page \(page) is missing")
                return
            }
            keys.append(reply.reply.key)
            lines += reply.reply.text.split(separator: "\n").map(String.init)
            #expect(reply.reply.number == page && reply.isContinued == (page < pageCount))
            #expect(reply.reply.text.count <= 40)
            _ = queue.finish(lane, .delivered, now: Self.start, jitter: 0)
        }
        #expect(lines.joined(separator: "\n") == text)
        #expect(keys == ["1", "1-1", "1-2"])
        #expect(sent(&queue, Self.start)?.texts == ["2"])
    }

    @Test func endlessRepliesEndAfterFivePages() {
        var queue = ReplyQueue(limits: Self.limits(text: 40))
        queue.add(Self.reply("1", text: String(repeating: "很", count: 100_000)), now: Self.start)
        #expect(queue.count == ReplyQueue.maximumPageCount)
    }

    @Test func quietPlacesAreForgotten() throws {
        var queue = ReplyQueue(limits: Self.limits(perChat: 3000))
        var now = Self.start
        for number in 0..<10_000 {
            queue.add(Self.reply(String(number), chat: "c\(number)", at: now), now: now)
            let lane = try #require(sent(&queue, now)).lane
            let isRefused = number % 3 == 0
            _ = queue.finish(lane, isRefused ? .refused(reason: "x") : .delivered, now: now, jitter: 0)
            queue.noteSaid(ReplyQueue.Lane(Self.reply("x", chat: "d\(number)").reply.address), now: now)
            now = now.advanced(byMilliseconds: 10)
            if number % 1000 == 999 { queue.tidy(now: now) }
        }
        // What was said within the last three seconds is remembered.
        #expect(try #require(laneCount(queue)) <= 600)
        queue.tidy(now: now.advanced(bySeconds: 4))
        #expect(laneCount(queue) == 0 && queue.count == 0)
    }

    @Test func whatIsSaidInResponsesKeepsThePause() throws {
        var queue = ReplyQueue(limits: Self.limits(perChat: 3000))
        let lane = ReplyQueue.Lane(Self.reply("1").reply.address)
        #expect(queue.isQuiet(lane, now: Self.start))
        queue.noteSaid(lane, now: Self.start)
        #expect(!queue.isQuiet(lane, now: Self.start))
        queue.add(Self.reply("1"), now: Self.start)
        guard case .wait(let until) = queue.next(now: Self.start).step else {
            Issue.record("too soon")
            return
        }
        #expect(until == Self.start.advanced(bySeconds: 3))
        // Others wait there: out of order.
        #expect(!queue.isQuiet(lane, now: until))
    }

    @Test func aWayThatIsThereAgainEndsThePauses() throws {
        var queue = ReplyQueue(limits: Self.limits(window: 100_000))
        for id in ["1", "2"] { queue.add(Self.reply(id, chat: id), now: Self.start) }
        var now = Self.start
        for _ in 0..<8 {
            while let lane = sent(&queue, now)?.lane {
                _ = queue.finish(lane, .later(afterSeconds: 3), now: now, jitter: 0.5)
            }
            now = now.advanced(bySeconds: 60)
        }
        while let lane = sent(&queue, now)?.lane {
            _ = queue.finish(lane, .later(afterSeconds: 3), now: now, jitter: 0.5)
        }
        #expect(sent(&queue, now.advanced(bySeconds: 3)) == nil)
        queue.retryNow(now: now.advanced(bySeconds: 3))
        let again = now.advanced(bySeconds: 3)
        let lanes = [sent(&queue, again), sent(&queue, again)].compactMap { $0 }
        #expect(Set(lanes.flatMap(\.texts)) == ["1", "2"])
        for lane in lanes { _ = queue.finish(lane.lane, .delivered, now: again, jitter: 0) }
        // Nothing is left of the pauses of before.
        #expect(readyCount(queue) == 0)
    }
}
