import Basics
import ChatPlatforms
import Testing

@testable import WebServer

/// An operator's own pause between messages to one chat.
struct PacedReplyTransportTests {
    private struct Platform: ReplyTransport {
        let limits: ReplyLimits

        func send(_ replies: [OutgoingReply]) async -> DeliveryResult { .delivered }
    }

    private static let platform = Platform(limits: ReplyQueueTests.limits(perChat: 500, perMessage: 200))

    /// Milliseconds from the first to the last of three messages, each answered at once.
    private func span(_ transport: any ReplyTransport, chats: [String]) -> Int64? {
        var queue = ReplyQueue(limits: transport.limits)
        for (number, chat) in chats.enumerated() {
            queue.add(ReplyQueueTests.reply("\(number)", chat: chat), now: ReplyQueueTests.start)
        }
        var sent: [Int64] = []
        for milliseconds in 0..<10_000 {
            let now = ReplyQueueTests.start.advanced(byMilliseconds: Int64(milliseconds))
            while case .send(let lane, let replies) = queue.next(now: now).step {
                sent += replies.map { _ in Int64(milliseconds) }
                _ = queue.finish(lane, .delivered, now: now, jitter: 0)
            }
        }
        guard sent.count == chats.count, let first = sent.first, let last = sent.last else { return nil }
        return last - first
    }

    @Test func aShorterPauseForOneChatShortensThatOfTheEndpoint() {
        let paced = PacedReplyTransport(Self.platform, millisecondsPerChat: 50)
        #expect(paced.limits.millisecondsPerChat == 50 && paced.limits.millisecondsPerMessage == 50)
        #expect(span(Self.platform, chats: ["a", "b", "c"]) == 400)
        #expect(span(paced, chats: ["a", "b", "c"]) == 100)
        let unpaced = PacedReplyTransport(Self.platform, millisecondsPerChat: 0)
        #expect(span(unpaced, chats: ["a", "b", "c"]) == 0)
    }

    @Test(arguments: [200, 500, 3000] as [Int64])
    func aLongerPauseForOneChatLeavesThatOfTheEndpoint(_ milliseconds: Int64) {
        let paced = PacedReplyTransport(Self.platform, millisecondsPerChat: milliseconds)
        #expect(paced.limits.millisecondsPerChat == milliseconds && paced.limits.millisecondsPerMessage == 200)
        #expect(span(paced, chats: ["a", "b", "c"]) == 400)
    }

    /// Where the platform sets no pause for the endpoint, a pause for one chat holds up no other.
    @Test func withoutAPauseOfTheEndpointThereIsNone() {
        let unlimited = Platform(limits: ReplyQueueTests.limits(perChat: 500))
        let paced = PacedReplyTransport(unlimited, millisecondsPerChat: 50)
        #expect(paced.limits.millisecondsPerMessage == 0)
        #expect(span(paced, chats: ["a", "b", "c"]) == 0)
        // All that differs is the pauses.
        var limits = paced.limits
        limits.millisecondsPerChat = 500
        #expect(limits == unlimited.limits)
    }
}
