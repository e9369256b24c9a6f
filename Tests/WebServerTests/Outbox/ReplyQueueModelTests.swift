import Activities
import Basics
import ChatPlatforms
import TestSupport
import Testing

@testable import WebServer

/// The outbox's decisions against a plain model, over random arrivals, answers and moments.
struct ReplyQueueModelTests {
    private struct Entry {
        let id: Int
        let page: Int
        let isLast: Bool
        let size: Int
        let decidedAt: Instant
        let expiresAt: Instant?
    }

    private struct ModelLane {
        var waiting: [Entry] = []
        var flying: [Entry] = []
        var readyAt = Instant(milliseconds: 0)
        var failureCount = 0
        /// So many must go one by one.
        var singleCount = 0
        /// So many must go together.
        var togetherCount = 0
        var isPerhapsHeard = false
    }

    private struct Model {
        let limits: ReplyLimits
        let concurrency: Int
        var lanes: [String: ModelLane] = [:]
        var endpointReadyAt = Instant(milliseconds: 0)
        var settled: [Int: Delivery] = [:]
        var added = 0

        var count: Int { lanes.values.reduce(0) { $0 + $1.waiting.count + $1.flying.count } }
        var flyingCount: Int { lanes.values.count { !$0.flying.isEmpty } }

        func isLate(_ entry: Entry, _ now: Instant) -> Bool {
            if !limits.allowsPush, let expiry = entry.expiresAt, expiry <= now { return true }
            return now.milliseconds(since: entry.decidedAt) > limits.windowSeconds * 1000
        }

        /// Whether something could go now.
        func couldSend(_ now: Instant) -> Bool {
            guard flyingCount < concurrency, endpointReadyAt <= now else { return false }
            return lanes.values.contains { !$0.waiting.isEmpty && $0.flying.isEmpty && $0.readyAt <= now }
        }

        /// Where nothing waits any more and nothing would be too soon, earlier failures are forgotten.
        mutating func forgetQuietLanes(_ now: Instant) {
            for (chat, lane) in lanes where lane.waiting.isEmpty && lane.flying.isEmpty && lane.readyAt <= now {
                lanes[chat]?.failureCount = 0
            }
        }

        mutating func settle(_ entry: Entry, _ delivery: Delivery) {
            guard entry.isLast else { return }
            #expect(settled[entry.id] == nil, "settled twice: \(entry.id)")
            settled[entry.id] = delivery
        }
    }

    private static func key(_ queued: QueuedReply) -> (id: Int, page: Int) {
        let parts = queued.reply.key.split(separator: "-")
        return (Int(parts[0]) ?? -1, parts.count > 1 ? Int(parts[1]) ?? -1 : 0)
    }

    @Test(arguments: 0..<40)
    func everythingGoesOnceInOrderAndInTime(_ run: Int) throws {
        let seed = SeededGenerator.baseSeed &+ UInt64(run)
        var generator = SeededGenerator(seed: seed)
        let limits = ReplyLimits(
            text: TextLimit([120, 300, 2000][generator.below(3)], .characters),
            millisecondsPerChat: [0, 500, 3000][generator.below(3)],
            millisecondsPerMessage: [0, 0, 35, 500][generator.below(4)],
            windowSeconds: [20, 600][generator.below(2)], mergesReplies: generator.below(3) > 0,
            allowsPush: generator.below(2) == 0, splitsRefused: generator.below(3) > 0)
        let concurrency = 1 + generator.below(4)
        var queue = ReplyQueue(limits: limits, concurrency: concurrency)
        var model = Model(limits: limits, concurrency: concurrency)
        var now = ReplyQueueTests.start
        let chats = (0..<(1 + generator.below(6))).map { "c\($0)" }
        var flying: [(chat: String, lane: ReplyQueue.Lane)] = []

        func finish(_ index: Int, _ result: DeliveryResult, _ jitter: Double) {
            let (chat, lane) = flying.remove(at: index)
            let settled = queue.finish(lane, result, now: now, jitter: jitter)
            var state = model.lanes[chat] ?? ModelLane()
            let entries = state.flying
            state.flying = []
            let chatPause = now.advanced(byMilliseconds: limits.millisecondsPerChat)
            switch result {
            case .delivered,
                .refused where entries.count == 1 || !limits.splitsRefused || state.isPerhapsHeard:
                let delivery: Delivery = result == .delivered ? .sent : .dropped
                #expect(settled?.delivery == delivery && settled?.replies.count == entries.count)
                for entry in entries { model.settle(entry, delivery) }
                state.failureCount = 0
                state.singleCount = max(state.singleCount - 1, 0)
                state.isPerhapsHeard = false
                state.readyAt = chatPause
            case .refused:
                #expect(settled == nil)
                state.waiting = entries + state.waiting
                state.singleCount = entries.count
                state.readyAt = chatPause
            case .later(let seconds):
                #expect(settled == nil)
                state.waiting = entries + state.waiting
                state.togetherCount = entries.count
                state.failureCount = min(state.failureCount + 1, 16)
                if seconds == nil { state.isPerhapsHeard = true }
                let pause = min(60_000, Int64(500) << Int64(state.failureCount))
                state.readyAt = now.advanced(
                    byMilliseconds: max(Int64((0.5 + jitter) * Double(pause)), (seconds ?? 0) * 1000))
            case .staleToken:
                #expect(settled == nil)
                state.waiting = entries + state.waiting
                state.togetherCount = entries.count
                state.failureCount = min(state.failureCount + 1, 16)
                let pause = min(60_000, Int64(500) << Int64(state.failureCount))
                state.readyAt = now.advanced(byMilliseconds: state.failureCount == 1 ? 0 : pause)
            }
            model.lanes[chat] = state
        }

        func step() throws {
            let (step, expired) = queue.next(now: now)
            for late in expired {
                #expect(late.delivery == .dropped)
                for queued in late.replies {
                    let chat = queued.reply.address.chat
                    let (id, page) = Self.key(queued)
                    let entry = try #require(model.lanes[chat]?.waiting.first)
                    #expect(entry.id == id && entry.page == page && model.isLate(entry, now), "seed \(seed)")
                    var state = try #require(model.lanes[chat])
                    state.waiting.removeFirst()
                    state.singleCount = max(state.singleCount - 1, 0)
                    if state.togetherCount == 1 { state.isPerhapsHeard = false }
                    state.togetherCount = max(state.togetherCount - 1, 0)
                    model.lanes[chat] = state
                    model.settle(entry, .dropped)
                }
            }
            if !expired.isEmpty { model.forgetQuietLanes(now) }
            switch step {
            case .send(let lane, let replies):
                let chat = try #require(replies.first).reply.address.chat
                var state = try #require(model.lanes[chat])
                #expect(state.flying.isEmpty, "two calls for one place, seed \(seed)")
                #expect(model.flyingCount < concurrency, "seed \(seed)")
                #expect(state.readyAt <= now && model.endpointReadyAt <= now, "too soon, seed \(seed)")
                let entries = Array(state.waiting.prefix(replies.count))
                let sent = replies.map(Self.key)
                #expect(entries.map(\.id) == sent.map(\.id) && entries.map(\.page) == sent.map(\.page), "seed \(seed)")
                #expect(!model.isLate(try #require(entries.first), now), "late, seed \(seed)")
                if state.togetherCount > 0 {
                    #expect(replies.count == state.togetherCount, "tried again otherwise, seed \(seed)")
                } else if replies.count > 1 {
                    #expect(limits.mergesReplies && state.singleCount == 0, "merged, seed \(seed)")
                    #expect(replies.count <= ReplyQueue.maximumMergeCount)
                    #expect(entries.reduce(0) { $0 + $1.size + 64 } <= limits.text.count, "too long, seed \(seed)")
                }
                for queued in replies {
                    let isOver = queued.reply.address.expiresAt.map { $0 <= now } ?? false
                    #expect((queued.reply.address.message == nil) == isOver, "seed \(seed)")
                    #expect(
                        queued.isContinued
                            == !(try #require(
                                entries.first {
                                    $0.id == Self.key(queued).id
                                        && $0.page == Self.key(queued).page
                                })).isLast)
                }
                state.waiting.removeFirst(replies.count)
                state.flying = entries
                state.togetherCount = 0
                model.lanes[chat] = state
                if limits.millisecondsPerMessage > 0 {
                    model.endpointReadyAt = now.advanced(byMilliseconds: limits.millisecondsPerMessage)
                }
                flying.append((chat, lane))
            case .wait(let until):
                #expect(until > now && !model.couldSend(now), "seed \(seed)")
                // Never past the moment when something can go.
                let due = model.lanes.values.filter { !$0.waiting.isEmpty && $0.flying.isEmpty }.map(\.readyAt).min()
                let earliest = try #require(due)
                #expect(until == max(earliest, model.endpointReadyAt) || until == earliest, "seed \(seed)")
            case .idle:
                #expect(!model.couldSend(now), "seed \(seed)")
            }
        }

        for _ in 0..<600 {
            switch generator.below(10) {
            case 0...3:
                let chat = chats[generator.below(chats.count)]
                let id = model.added
                model.added += 1
                let size =
                    generator.below(8) == 0 ? generator.below(3 * limits.text.count) + 1 : generator.below(80) + 1
                let text = String(repeating: "字", count: size)
                let decidedAt = now.advanced(bySeconds: generator.below(5) == 0 ? -10 : 0)
                let expiry = generator.below(4) == 0 ? now.advanced(bySeconds: Int64(generator.below(30))) : nil
                var reply = ReplyQueueTests.reply(
                    String(id), chat: chat, text: text, at: decidedAt, expiresAt: expiry)
                reply.reply.address.message = "m"
                queue.add(reply, now: now)
                let pages = limits.text.pages(of: text, maximumCount: ReplyQueue.maximumPageCount)
                for (page, text) in pages.enumerated() {
                    model.lanes[chat, default: ModelLane()].waiting.append(
                        Entry(
                            id: id, page: page, isLast: page + 1 == pages.count, size: limits.text.size(of: text),
                            decidedAt: decidedAt, expiresAt: expiry))
                }
            case 4, 5: now = now.advanced(byMilliseconds: Int64(generator.below(2000)))
            case 6:
                guard !flying.isEmpty else { continue }
                let results: [DeliveryResult] = [
                    .delivered, .delivered, .refused(reason: "x"), .later(afterSeconds: nil), .later(afterSeconds: 7),
                    .staleToken,
                ]
                finish(
                    generator.below(flying.count), results[generator.below(results.count)],
                    Double(generator.below(101)) / 100)
            default: try step()
            }
            #expect(queue.count == model.count, "seed \(seed)")
            if generator.below(50) == 0 {
                queue.tidy(now: now)
                model.forgetQuietLanes(now)
            }
        }
        // Whatever is left goes out or is dropped: nothing is lost, and nothing is left behind.
        var rounds = 0
        while queue.count > 0, rounds < 20_000 {
            rounds += 1
            while !flying.isEmpty { finish(0, .delivered, 0) }
            try step()
            if rounds % 3 == 0 { now = now.advanced(byMilliseconds: 500) }
        }
        #expect(model.count == 0 && model.settled.count == model.added, "seed \(seed)")
        queue.tidy(now: now.advanced(bySeconds: 100))
        #expect((Mirror(reflecting: queue).descendant("lanes") as? any Collection)?.count == 0)
    }
}
