import Activities
import Basics
import ChatPlatforms
import NIOConcurrencyHelpers
import TestSupport
import Testing
import TrafficGate

@testable import WebServer

/// 轮到你了: told where the platform takes what answers nothing, and nowhere else.
struct PromotionTests {
    private static func isTurn(_ text: String) -> Bool { text.contains("轮到你了") }

    private func letOneIn(_ server: TestServer) async throws {
        for key in ["rush_hour_max_users", "max_concurrent_users"] {
            try await server.command(.setTraffic(key: key, value: "1"))
        }
    }

    @Test(arguments: [TelegramPeer() as any PlatformPeer, SatoriPeer(), MatrixPeer()])
    func whoWaitsIsToldOfTheirTurn(_ peer: any PlatformPeer) async throws {
        try await OutboxScene.run(peer) { scene async throws in
            try await letOneIn(scene.server)
            try await scene.say("绑定 甲", 1, user: "a")
            scene.server.clock.advance(seconds: 10)
            let answer = peer.reply(in: try await scene.say("抽奖", 2, user: "b", chat: "g2"))
            let told = try await scene.server.soon { scene.said.contains { $0.contains("排队") } || answer != nil }
            #expect(told)
            #expect(try await scene.server.drawCount() == 0)
            try await scene.say("离开", 3, user: "a")
            #expect(try await scene.server.soon { scene.said.contains(where: Self.isTurn) })
            #expect(try await scene.server.never(for: 20) { scene.said.count(where: Self.isTurn) > 1 })
        }
    }

    @Test func whoWaitedBeforeARestartIsTold() async throws {
        let clock = ManualClock()
        for peer in [TelegramPeer() as any PlatformPeer, SatoriPeer()] {
            try await withTemporaryDatabase { path in
                try await OutboxScene.run(peer, path: path, clock: clock) { scene async throws in
                    try await letOneIn(scene.server)
                    try await scene.say("绑定 甲", 1, user: "a")
                    try await scene.say("绑定 乙", 2, user: "b", chat: "g2")
                    clock.advance(seconds: 10)
                    try await scene.say("抽奖", 3, user: "b", chat: "g2")
                    #expect(try await scene.untilSettled())
                }
                try await OutboxScene.run(peer, path: path, clock: clock) { scene async throws in
                    try await scene.say("离开", 4, user: "a")
                    #expect(try await scene.server.soon { scene.said.contains(where: Self.isTurn) })
                    clock.advance(seconds: 10)
                    let response = try await scene.say("抽奖", 5, user: "b", chat: "g2")
                    let inResponse = peer.reply(in: response)?.contains("恭喜中奖") == true
                    #expect(
                        try await scene.server.soon { inResponse || scene.said.contains { $0.contains("恭喜中奖") } })
                }
            }
        }
    }

    /// One batch may hold both: being told to wait, and being let in.
    @Test func whoIsLetInAtOnceIsToldAfterHavingBeenToldToWait() async throws {
        try await TestServer.run([OneBotClient.endpoint]) { server async throws in
            try await letOneIn(server)
            let client = try await OneBotClient.connect(server.port)
            var id = 0
            for round in 1...20 {
                let (leaver, newcomer) = (10_000 + round, 30_000 + round)
                id += 4
                try await client.send(client.message("排队", id: id, user: 1, at: server.clock.now))
                try await client.send(
                    together: [
                        client.message("绑定 甲", id: id + 1, user: leaver, at: server.clock.now),
                        client.message("抽奖", id: id + 2, user: newcomer, at: server.clock.now),
                        client.message("离开", id: id + 3, user: leaver, at: server.clock.now),
                    ])
                let said = NIOLockedValueBox<[String]>([])
                let isTold = try await server.soon {
                    let parts = try await client.actions().flatMap(\.parts)
                    said.withLockedValue { $0 = parts.filter { $0.user == String(newcomer) }.map(\.text) }
                    return said.withLockedValue { $0.contains(where: Self.isTurn) }
                }
                let texts = said.withLockedValue { $0 }
                try #require(isTold && texts.first?.contains("第 1 位") == true, "round \(round): \(texts)")
                try await client.send(client.message("离开", id: id + 1_000_000, user: newcomer, at: server.clock.now))
                #expect(try await server.soon { server.service.gateCheck.currentUsers == 0 })
            }
            await client.close()
        }
    }

    @Test func whoCannotBeCalledIsNotTold() async throws {
        let peer = WeChatOAPeer()
        try await OutboxScene.run(peer) { scene async throws in
            try await letOneIn(scene.server)
            try await scene.say("绑定 甲", 1, user: "a")
            let waiting = peer.reply(in: try await scene.say("抽奖", 2, user: "b"))
            #expect(waiting?.contains("排队") == true)
            try await scene.say("离开", 3, user: "a")
            #expect(try await scene.server.never(for: 20) { !scene.stub.calls.isEmpty })
            // The place is theirs all the same.
            let drawn = peer.reply(in: try await scene.say("绑定 乙", 4, user: "b"))
            #expect(drawn?.contains("绑定成功") == true)
            let won = peer.reply(in: try await scene.say("抽奖", 5, user: "b"))
            #expect(won?.contains("恭喜中奖") == true)
        }
    }

    /// LINE's reply token is good for a minute; the turn may come much later.
    @Test func aTurnThatComesAfterTheEndOfTheAddressIsPushed() async throws {
        let peer = LINEPeer()
        try await StubAPI.run { _, _ in
            PeerResponse(status: 200, body: Array("{}".utf8))
        } _: { stub in
            var settings = peer.settings(api: stub.url)
            settings["push"] = "true"
            let adapter = try peer.platform.adapter(planting: settings)
            try await TestServer.run([Endpoint(name: "line", adapter: adapter)]) { server async throws in
                try await letOneIn(server)
                func say(_ text: String, _ id: Int, _ user: String) async throws {
                    let message = PeerMessage(user: user, chat: "g1", id: id, text: text, sentAt: server.clock.now)
                    #expect(try await server.send(peer.request(message), to: "/webhook/line").status == 200)
                }
                try await say("绑定 甲", 1, "a")
                try await say("抽奖", 2, "b")
                #expect(try await server.soon { stub.calls.count { $0.path.hasSuffix("/reply") } >= 2 })
                server.clock.advance(seconds: 200)
                try await say("离开", 3, "a")
                #expect(
                    try await server.soon {
                        stub.calls.contains {
                            $0.path.hasSuffix("/push") && Self.isTurn(String(decoding: $0.body, as: UTF8.self))
                        }
                    })
            }
        }
    }
}
