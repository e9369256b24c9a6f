import Activities
import Basics
import ChatPlatforms
import Foundation
import NIOConcurrencyHelpers
import SQLiteStore
import TestSupport
import Testing

@testable import WebServer

/// The outbox over real sockets: what an API may do to it, and what a restart must not.
struct ReplyDispatcherTests {
    private static func isBound(_ text: String) -> Bool { text.contains("绑定成功") }
    private static func isWon(_ text: String) -> Bool { text.contains("恭喜中奖") }

    // MARK: Failures

    @Test func failuresAreTriedAgainAndSaidOnceInOrder() async throws {
        try await OutboxScene.run(SatoriPeer()) { _, number in
            number <= 2 ? PeerResponse(status: 500) : nil
        } _: { scene async throws in
            try await scene.say("绑定 独行者", 1)
            try await scene.say("抽奖", 2)
            try await scene.say("中奖", 3)
            #expect(try await scene.untilSettled())
            let said = scene.said.joined(separator: "\n")
            let bound = try #require(said.firstRange(of: "绑定成功"))
            let won = try #require(said.firstRange(of: "恭喜中奖"))
            #expect(bound.upperBound < won.lowerBound)
            #expect(said.ranges(of: "绑定成功").count == 1 && said.ranges(of: "恭喜中奖").count == 1)
            #expect(scene.stub.calls.count >= 4)
        }
    }

    @Test(arguments: [TelegramPeer() as any PlatformPeer, SatoriPeer(), MatrixPeer()])
    func whatTheAPISaysAboutWaitingIsHeeded(_ peer: any PlatformPeer) async throws {
        let clock = ManualClock()
        let refusedAt = NIOLockedValueBox<Instant?>(nil)
        let answer: @Sendable (PeerRequest, Int) -> PeerResponse? = { _, number in
            guard number == 1 else { return nil }
            refusedAt.withLockedValue { $0 = clock.now }
            return PeerResponse(status: 429, headers: ["retry-after": "30"])
        }
        try await OutboxScene.run(peer, clock: clock, answer: answer) { scene async throws in
            // Where the response says the first, the second needs a call.
            try await scene.say("绑定 独行者", 1)
            try await scene.say("抽奖", 2)
            #expect(try await scene.server.soon { scene.said.contains(where: Self.isWon) })
            let first = try #require(scene.calls.first)
            let refusal = try #require(refusedAt.withLockedValue { $0 })
            #expect(first.at.milliseconds(since: refusal) >= 30_000)
        }
    }

    @Test func anAPIThatIsDownAndComesUpIsReached() async throws {
        let held = try ClosedPort()
        let port = held.number
        let peer = SatoriPeer()
        let endpoint = try OutboxScene.endpoint(peer, api: "http://127.0.0.1:\(port)")
        try await TestServer.run([endpoint]) { server async throws in
            let message = PeerMessage(user: "u1", chat: "g1", id: 1, text: "绑定 独行者", sentAt: server.clock.now)
            _ = try await server.send(peer.request(message), to: "/webhook/satori")
            #expect(try await server.never(for: 20) { try await server.isSettled })
            try await OddAPI.run(port: port, answer: { _ in .ordinary(status: 200, body: #"[{"id":"1"}]"#) }) {
                api async throws in
                #expect(try await server.soon { try await server.isSettled })
                #expect(api.count == 1)
            }
        }
    }

    @Test func aChatWhoseCallHangsDoesNotStopOthers() async throws {
        let peer = SatoriPeer()
        let isReleased = NIOLockedValueBox(false)
        let answer: @Sendable (PeerRequest, Int) async -> PeerResponse? = { call, _ in
            guard String(decoding: call.body, as: UTF8.self).contains("\"slow\"") else { return nil }
            while !isReleased.withLockedValue({ $0 }) { try? await Task.sleep(for: .milliseconds(10)) }
            return nil
        }
        try await OutboxScene.run(peer, answer: answer) { scene async throws in
            try await scene.say("绑定 慢", 1, user: "slow", chat: "slow")
            #expect(try await scene.server.soon { scene.stub.calls.count == 1 })
            for id in 2...12 { try await scene.say("绑定 快\(id)", id, user: "u\(id)", chat: "g\(id)") }
            #expect(try await scene.server.soon { scene.said.count == 11 })
            #expect(scene.said.allSatisfy { !$0.contains("慢") })
            isReleased.withLockedValue { $0 = true }
            #expect(try await scene.server.soon { scene.said.contains { $0.contains("慢") } })
        }
    }

    @Test func anAnswerTooLargeToReadIsNoReasonToSayItAgain() async throws {
        try await OddAPI.run { _ in
            .large(size: 10 << 20)
        } _: { api async throws in
            let peer = TelegramPeer()
            try await TestServer.run([try OutboxScene.endpoint(peer, api: api.url)]) { server async throws in
                for (id, text) in ["绑定 独行者", "抽奖", "中奖"].enumerated() {
                    let message = PeerMessage(user: "u1", chat: "g1", id: id + 1, text: text, sentAt: server.clock.now)
                    _ = try await server.send(peer.request(message), to: "/webhook/telegram")
                }
                #expect(try await server.soon { try await server.isSettled })
                #expect(try await server.never { api.count > 2 })
            }
        }
    }

    // MARK: The end of the window

    @Test func whatIsTooLateIsDroppedWithAWarning() async throws {
        let (logger, lines) = LogCollector.make()
        try await OutboxScene.run(SatoriPeer(), logger: logger) { _, _ in
            PeerResponse(status: 503)
        } _: { scene async throws in
            try await scene.say("绑定 机密名字", 1)
            #expect(try await scene.server.soon(step: 5000) { lines().contains { $0.contains("replies dropped") } })
            let line = try #require(lines().first { $0.contains("replies dropped") })
            #expect(line.hasPrefix("warning ") && line.contains("endpoint.name=satori"))
            #expect(!line.contains("机密名字"))
            #expect(try await scene.untilSettled())
            #expect(
                scene.server.registry.text().contains(#"hongbao_replies_total{platform="satori",delivery="dropped"} 1"#)
                    || scene.server.registry.text().contains(
                        #"hongbao_replies_total{delivery="dropped",platform="satori"} 1"#)
            )
            let count = scene.stub.calls.count
            #expect(try await scene.server.never { scene.stub.calls.count > count })
        }
    }

    @Test func whatARestartFindsTooLateIsDropped() async throws {
        let clock = ManualClock()
        try await withTemporaryDatabase { path in
            try await OutboxScene.run(
                SatoriPeer(), path: path, clock: clock, answer: { _, _ in PeerResponse(status: 503) }
            ) { scene async throws in
                try await scene.say("绑定 独行者", 1)
                #expect(try await scene.server.soon { !scene.stub.calls.isEmpty })
            }
            clock.advance(seconds: 700)
            let (logger, lines) = LogCollector.make()
            try await OutboxScene.run(SatoriPeer(), path: path, clock: clock, logger: logger) { scene async throws in
                #expect(try await scene.untilSettled())
                #expect(scene.stub.calls.isEmpty)
                #expect(lines().contains { $0.hasPrefix("warning replies dropped") })
            }
        }
    }

    @Test func anEndpointThatIsGoneDropsItsReplies() async throws {
        let clock = ManualClock()
        try await withTemporaryDatabase { path in
            try await OutboxScene.run(
                SatoriPeer(), path: path, clock: clock, answer: { _, _ in PeerResponse(status: 503) }
            ) { scene async throws in
                try await scene.say("绑定 独行者", 1)
            }
            let (logger, lines) = LogCollector.make()
            try await TestServer.run([], path: path, clock: clock, logger: logger) { server async throws in
                #expect(
                    try await server.soon {
                        lines().contains { $0.hasPrefix("warning replies dropped") && $0.contains("satori") }
                    })
                #expect(try await server.isSettled)
            }
        }
    }

    // MARK: Delivered again

    /// Whoever delivers again sees the reply in the response only if no call brings it.
    @Test func whatACallBringsIsNotInTheResponseToo() async throws {
        let peer = TelegramPeer()
        try await OutboxScene.run(peer) { scene async throws in
            #expect(peer.reply(in: try await scene.say("绑定 独行者", 1)) != nil)
            #expect(peer.reply(in: try await scene.say("我的绑定", 2)) == nil)
            #expect(peer.reply(in: try await scene.say("我的绑定", 2)) == nil)
            #expect(peer.reply(in: try await scene.say("绑定 独行者", 1)) != nil)
            #expect(try await scene.untilSettled())
            #expect(try await scene.server.never(for: 20) { scene.said.count > 1 })
        }
    }

    // MARK: Too late for the response

    /// Discord shows an error after three seconds, so it is told that the command was heard; the answer is never lost.
    @Test func anAnswerThatWasPromisedOutlivesARestart() async throws {
        let peer = DiscordPeer()
        let clock = ManualClock()
        try await withTemporaryDatabase { path in
            try await OutboxScene.run(
                peer, path: path, clock: clock, answer: { _, _ in PeerResponse(status: 503) }
            ) { scene async throws in
                // Somebody holds the store.
                async let holding: Void = scene.server.store.write(Changes()) {
                    Thread.sleep(forTimeInterval: 4)
                    return nil
                }
                try await Task.sleep(for: .milliseconds(100))
                let response = try await scene.say("绑定 独行者", 1)
                #expect(response.text.contains("已收到"))
                try await holding
                #expect(try await scene.server.soon { !scene.stub.calls.isEmpty })
                #expect(scene.said.isEmpty)
            }
            try await OutboxScene.run(peer, path: path, clock: clock) { scene async throws in
                #expect(try await scene.untilSettled())
                #expect(scene.said.count == 1 && scene.said[0].contains("绑定成功"))
            }
        }
    }

    // MARK: Where it may call

    @Test("hardening row 77: an address of a foreign host is never called") func anAddressOfAForeignHostIsNeverCalled()
        async throws
    {
        try await StubAPI.run { _, _ in
            PeerResponse(status: 200)
        } _: { foreign in
            let port = foreign.url.split(separator: ":").last ?? ""
            for api in [
                foreign.url, "https://evil.example", "https://oapi.dingtalk.com.evil.example",
                "http://localhost:\(port)",
                "http://2130706433:\(port)", "http://0177.0.0.1:\(port)", "http://[::ffff:127.0.0.1]:\(port)",
                "http://oapi.dingtalk.com@127.0.0.1:\(port)", "https://169.254.169.254",
            ] {
                var peer = DingTalkPeer()
                peer.api = api
                try await OutboxScene.run(peer) { scene async throws in
                    for (id, text) in ["绑定 独行者", "抽奖", "中奖"].enumerated() {
                        // Without an address that may be called, the response is the only way.
                        let response = try await scene.say(text, id + 1)
                        #expect(peer.reply(in: response) != nil, "\(text)")
                    }
                    #expect(try await scene.server.never { !scene.stub.calls.isEmpty || !foreign.calls.isEmpty })
                }
            }
        }
    }

    @Test("hardening row 77: a redirection is not followed") func aRedirectionIsNotFollowedAndEndsTheReply()
        async throws
    {
        let (logger, lines) = LogCollector.make()
        try await StubAPI.run { _, _ in
            PeerResponse(status: 200)
        } _: { other in
            let location = other.url + "/v1/message.create"
            try await OutboxScene.run(
                SatoriPeer(), logger: logger,
                answer: { _, _ in PeerResponse(status: 302, headers: ["location": location]) }
            ) { scene async throws in
                try await scene.say("绑定 独行者", 1)
                #expect(try await scene.untilSettled())
                #expect(other.calls.isEmpty && scene.stub.calls.count == 1)
                #expect(lines().contains { $0.contains("replies dropped") && $0.contains("status 302") })
            }
        }
    }

    // MARK: Restarts

    /// What the platform knows a repeated call by: Feishu in the body, Matrix in the path.
    private static func key(_ call: PeerRequest) -> String? {
        if call.method == "PUT" { return call.path.split(separator: "/").last.map(String.init) }
        return (try? StrictJSON.parse(call.body, maximumSize: 1 << 20))?.objectValue?["uuid"]?.stringValue
    }

    @Test(arguments: [FeishuPeer() as any PlatformPeer, MatrixPeer()])
    func aRestartSaysWhatWasNotSaidWithTheSameKey(_ peer: any PlatformPeer) async throws {
        let clock = ManualClock()
        try await withTemporaryDatabase { path in
            let keys = NIOLockedValueBox<[String]>([])
            let answer: @Sendable (PeerRequest, Int) -> PeerResponse? = { call, _ in
                guard peer.reply(in: call) != nil else { return nil }
                keys.withLockedValue { $0.append(Self.key(call) ?? "") }
                // The first is taken, the others are not.
                return keys.withLockedValue { $0.count } == 1 ? nil : PeerResponse(status: 503)
            }
            try await OutboxScene.run(peer, path: path, clock: clock, answer: answer) { scene async throws in
                try await scene.say("绑定 独行者", 1)
                #expect(try await scene.untilSettled())
                try await scene.say("抽奖", 2)
                #expect(try await scene.server.soon { keys.withLockedValue { $0.count } >= 3 })
                #expect(scene.said.count == 1)
            }
            let tried = keys.withLockedValue { $0 }
            #expect(Set(tried.dropFirst()).count == 1 && tried[0] != tried[1] && !tried[1].isEmpty)
            try await OutboxScene.run(peer, path: path, clock: clock) { scene async throws in
                #expect(try await scene.untilSettled())
                #expect(scene.said.count == 1 && scene.said.allSatisfy(Self.isWon))
                #expect(scene.calls.compactMap { Self.key($0.call) } == [tried[1]])
            }
            try await OutboxScene.run(peer, path: path, clock: clock) { scene async throws in
                #expect(try await scene.server.never(for: 30) { !scene.stub.calls.isEmpty })
            }
        }
    }

    @Test func repliesOfBeforeTheRestartGoBeforeNewOnes() async throws {
        let clock = ManualClock()
        try await withTemporaryDatabase { path in
            try await OutboxScene.run(
                SatoriPeer(), path: path, clock: clock, answer: { _, _ in PeerResponse(status: 503) }
            ) { scene async throws in
                for id in 1...30 { try await scene.say("绑定 甲\(id)", id, user: "u\(id)") }
            }
            try await OutboxScene.run(SatoriPeer(), path: path, clock: clock) { scene async throws in
                for id in 31...60 { try await scene.say("绑定 甲\(id)", id, user: "u\(id)") }
                #expect(try await scene.untilSettled())
                let said = scene.said.joined(separator: "\n").matches(of: /甲([0-9]+)/).compactMap { Int($0.1) }
                #expect(said == Array(1...60))
            }
        }
    }

    @Test func aStopWithAnAPIThatHangsIsQuickAndLosesNothing() async throws {
        let clock = ManualClock()
        try await withTemporaryDatabase { path in
            let peer = SatoriPeer()
            let stoppedAt = NIOLockedValueBox(ContinuousClock.now)
            try await OddAPI.run(answer: { _ in .nothing }) { api async throws in
                try await TestServer.run(
                    [try OutboxScene.endpoint(peer, api: api.url)], path: path, clock: clock
                ) { server async throws in
                    for id in 1...30 {
                        let message = PeerMessage(
                            user: "u\(id)", chat: "g\(id)", id: id, text: "绑定 甲\(id)", sentAt: clock.now)
                        _ = try await server.send(peer.request(message), to: "/webhook/satori")
                    }
                    #expect(try await server.soon { api.count >= 4 })
                    stoppedAt.withLockedValue { $0 = .now }
                }
                #expect(ContinuousClock.now - stoppedAt.withLockedValue { $0 } < .seconds(15))
            }
            try await OutboxScene.run(peer, path: path, clock: clock) { scene async throws in
                #expect(try await scene.untilSettled())
                let said = scene.said.joined(separator: "\n").matches(of: /甲([0-9]+)/).compactMap { Int($0.1) }
                #expect(said.sorted() == Array(1...30))
            }
        }
    }

    /// A call that was heard is not made again after the restart.
    @Test func aStopWaitsForCallsThatAreUnderWay() async throws {
        let clock = ManualClock()
        try await withTemporaryDatabase { path in
            let answer: @Sendable (PeerRequest, Int) async -> PeerResponse? = { _, _ in
                // Well within what a stop waits for calls, also where threads are scarce.
                try? await Task.sleep(for: .milliseconds(500))
                return nil
            }
            try await OutboxScene.run(SatoriPeer(), path: path, clock: clock, answer: answer) { scene async throws in
                try await scene.say("绑定 独行者", 1)
                #expect(try await scene.server.soon { scene.stub.calls.count == 1 })
            }
            try await OutboxScene.run(SatoriPeer(), path: path, clock: clock) { scene async throws in
                #expect(try await scene.server.never(for: 30) { !scene.stub.calls.isEmpty })
            }
        }
    }

    // MARK: Bursts

    /// A thousand people draw in one group within ten seconds.
    @Test func aBurstInOneChatBecomesFewMessages() async throws {
        let count = 1000
        try await OutboxScene.run(TelegramPeer()) { scene async throws in
            for key in ["rush_hour_max_users", "max_concurrent_users"] {
                try await scene.server.command(.setTraffic(key: key, value: "5000"))
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for user in 1...count {
                    if user > 16 { try await group.next() }
                    // In private, so that the group hears nothing of it.
                    group.addTask { try await scene.say("绑定 甲\(user)", user, user: "u\(user)", chat: nil) }
                }
                try await group.waitForAll()
            }
            let callsBefore = scene.stub.calls.count
            let inResponses = NIOLockedValueBox<[String]>([])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for user in 1...count {
                    if user > 16 { try await group.next() }
                    if user % 100 == 0 { scene.server.clock.advance(seconds: 1) }
                    group.addTask {
                        let response = try await scene.say("抽奖", count + user, user: "u\(user)")
                        if let text = scene.peer.reply(in: response) { inResponses.withLockedValue { $0.append(text) } }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await scene.untilSettled())
            let calls = scene.calls.dropFirst(callsBefore)
            #expect(calls.count < 120 && inResponses.withLockedValue { $0.count } < 20)
            let texts = calls.map(\.text) + inResponses.withLockedValue { $0 }
            let receipts = texts.flatMap { $0.matches(of: /编号 (spring-[0-9]+)/).map { String($0.1) } }
            #expect(receipts.count == count && Set(receipts).count == count)
            // No faster than Telegram takes them
            for (earlier, later) in zip(calls, calls.dropFirst()) {
                #expect(later.at.milliseconds(since: earlier.at) >= 3000)
            }
        }
    }

    // MARK: Access tokens

    private static func isTokenCall(_ call: PeerRequest) -> Bool { call.path.contains("tenant_access_token") }

    @Test func anAccessTokenIsFetchedOnceAndRenewedAtItsEnd() async throws {
        let answer: @Sendable (PeerRequest, Int) async -> PeerResponse? = { call, _ in
            // Slow enough that many need it at the same time.
            if Self.isTokenCall(call) { try? await Task.sleep(for: .milliseconds(300)) }
            return nil
        }
        try await OutboxScene.run(FeishuPeer(), answer: answer) { scene async throws in
            for id in 1...12 { try await scene.say("绑定 甲\(id)", id, user: "u\(id)", chat: "g\(id)") }
            #expect(try await scene.untilSettled())
            #expect(scene.said.count == 12)
            #expect(scene.stub.calls.count(where: Self.isTokenCall) == 1)
            scene.server.clock.advance(seconds: 7200)
            try await scene.say("我的绑定", 13)
            try await scene.say("我的绑定", 14, user: "u2", chat: "g2")
            #expect(try await scene.untilSettled())
            #expect(scene.stub.calls.count(where: Self.isTokenCall) == 2)
        }
    }

    @Test func aTokenThatIsNoLongerGoodIsRenewedOnce() async throws {
        let isStale = NIOLockedValueBox(false)
        let answer: @Sendable (PeerRequest, Int) -> PeerResponse? = { call, _ in
            if Self.isTokenCall(call) {
                isStale.withLockedValue { $0 = false }
                return nil
            }
            guard isStale.withLockedValue({ $0 }) else { return nil }
            return PeerResponse(status: 400, body: Array(#"{"code":99991663,"msg":"invalid access token"}"#.utf8))
        }
        try await OutboxScene.run(FeishuPeer(), answer: answer) { scene async throws in
            try await scene.say("绑定 甲1", 1)
            #expect(try await scene.untilSettled())
            isStale.withLockedValue { $0 = true }
            try await scene.say("我的绑定", 2)
            #expect(try await scene.untilSettled())
            #expect(scene.said.count == 2)
            #expect(scene.stub.calls.count(where: Self.isTokenCall) == 2)
        }
    }
}
