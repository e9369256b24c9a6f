import Activities
import Basics
import ChatPlatforms
import Foundation
import TestSupport
import Testing
import WebServer

/// Every platform over a real socket: what its bot must live through in a group.
struct PlatformEndToEndTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let peer: any PlatformPeer
        var testDescription: String { peer.platform.rawValue }
    }

    static let cases: [Case] = [
        StandardWebhooksPeer(), OneBot11Peer(), SatoriPeer(), QQPeer(), TelegramPeer(), DiscordPeer(), FeishuPeer(),
        DingTalkPeer(), WeComPeer(), WeChatOAPeer(), SlackPeer(), LINEPeer(), MattermostPeer(), RocketChatPeer(),
        MatrixPeer(), OneBot12Peer(),
    ].map(Case.init)

    @Test func everyPlatformIsPlayed() {
        #expect(Set(Self.cases.map(\.peer.platform)) == Set(Platform.allCases))
    }

    /// A platform's bot in a running server, and the platform's API beside it.
    struct Scene: Sendable {
        let peer: any PlatformPeer
        let server: TestServer
        let stub: StubAPI

        var path: String { "/webhook/\(peer.platform.rawValue)" }

        func send(_ request: PeerRequest) async throws -> PeerResponse { try await server.send(request, to: path) }

        func message(
            _ text: String, id: Int, user: String = "u1", kind: PeerMessage.Kind = .ordinary, at: Instant? = nil
        ) -> PeerMessage {
            PeerMessage(
                user: user, chat: peer.hasGroups ? "g1" : nil, id: id, text: text, sentAt: at ?? server.clock.now,
                kind: kind)
        }

        /// What was said by calls so far.
        var said: [String] { stub.calls.compactMap { peer.reply(in: $0) } }

        /// Sends a message and waits for what is said to it.
        func reply(to message: PeerMessage) async throws -> String? {
            // Late enough after the last reply that this one need not wait.
            server.clock.advance(seconds: 10)
            let before = said.count
            let response = try await send(peer.request(message))
            #expect((200..<300).contains(response.status), "\(peer.platform): \(response.status) \(response.text)")
            if let reply = peer.reply(in: response) { return reply }
            guard peer.repliesByCall else { return nil }
            _ = try await server.until { said.count > before }
            return said.dropFirst(before).first
        }
    }

    private func playing(
        _ peer: any PlatformPeer, path: String? = nil, _ body: @Sendable (Scene) async throws -> Void
    ) async throws {
        try await StubAPI.run { call, _ in
            peer.answer(to: call)
        } _: { stub in
            let adapter = try peer.platform.adapter(planting: peer.settings(api: stub.url))
            let endpoint = Endpoint(name: peer.platform.rawValue, adapter: adapter, identity: "qq")
            try await TestServer.run([endpoint], path: path) { server in
                try await body(Scene(peer: peer, server: server, stub: stub))
            }
        }
    }

    @Test(arguments: cases)
    func handshakeBindingAndDrawAreAnswered(_ example: Case) async throws {
        try await playing(example.peer) { scene in
            if let (request, isRight) = scene.peer.handshake(at: scene.server.clock.now) {
                let response = try await scene.send(request)
                #expect(isRight(response), "\(response.status) \(response.text)")
            }
            let bound = try await scene.reply(to: scene.message("绑定 独行者", id: 1))
            #expect(bound?.contains("绑定成功") == true, "\(bound ?? "nothing")")
            let drawn = try await scene.reply(to: scene.message("抽奖", id: 2))
            #expect(drawn?.contains("恭喜中奖") == true, "\(drawn ?? "nothing")")
            // What people say besides is nobody's business.
            let chat = Canary.planted("晚饭吃什么，只对你说", as: "words of a message")
            _ = try await scene.send(scene.peer.request(scene.message(chat, id: 3)))
            #expect(try await scene.server.drawCount() == 1)
        }
    }

    @Test("hardening row 61: a message delivered again is one draw", arguments: cases)
    func aMessageDeliveredAgainIsOneDrawWithOneAnswer(_ example: Case) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "hongbao-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "hongbao.db").path
        let peer = example.peer
        let clock = ManualClock()
        let draw = PeerMessage(user: "u1", chat: peer.hasGroups ? "g1" : nil, id: 2, text: "抽奖", sentAt: clock.now)
        try await playing(peer, path: path) { scene in
            _ = try await scene.reply(to: scene.message("绑定 独行者", id: 1))
            // Given the same message many times at once
            scene.server.clock.advance(seconds: 10)
            let request = peer.request(draw)
            let replies = try await withThrowingTaskGroup(of: PeerResponse.self) { group in
                for _ in 1...8 { group.addTask { try await scene.send(request) } }
                return try await group.reduce(into: [String?]()) { $0.append(peer.reply(in: $1)) }
            }
            // Then it is one draw, and everybody who asks gets its answer.
            #expect(try await scene.server.drawCount() == 1)
            if peer.repliesByCall {
                #expect(replies.allSatisfy { $0 == nil })
                _ = try await scene.server.until { scene.said.count >= 2 }
                #expect(scene.said.count { $0.contains("恭喜中奖") } == 1)
            } else {
                let inResponses = replies.compactMap { $0 }.count { $0.contains("恭喜中奖") }
                let byCalls = scene.said.count { $0.contains("恭喜中奖") }
                #expect(inResponses + byCalls >= 1)
                #expect(Set(replies.compactMap { $0 }.filter { $0.contains("恭喜中奖") }).count <= 1)
            }
        }
        // When it comes once more after a restart
        try await playing(peer, path: path) { scene in
            let response = try await scene.send(peer.request(draw))
            #expect((200..<300).contains(response.status))
            if !peer.repliesByCall { #expect(peer.reply(in: response)?.contains("恭喜中奖") == true) }
            #expect(try await scene.server.drawCount() == 1)
            #expect(scene.said.allSatisfy { !$0.contains("恭喜中奖") })
        }
    }

    @Test("hardening rows 58, 60: what is not theirs is refused", arguments: cases)
    func whatIsNotTheirsIsRefused(_ example: Case) async throws {
        try await playing(example.peer) { scene in
            let tampered = try await scene.send(scene.peer.tampered(scene.message("绑定 独行者", id: 1)))
            #expect([401, 403].contains(tampered.status), "tampered: \(tampered.status) \(tampered.text)")
            if let stale = scene.peer.stale(scene.message("绑定 独行者", id: 2)) {
                let response = try await scene.send(stale)
                #expect([401, 403].contains(response.status), "stale: \(response.status) \(response.text)")
            }
            let bound = try await scene.reply(to: scene.message("我的绑定", id: 3))
            #expect(bound?.contains("独行者") == false)
            #expect(scene.server.registry.text().contains("hongbao_refusals_total{fault="))
        }
    }

    /// What a platform sends beside messages of people, by its name.
    private static func requestsOfNobody(_ peer: any PlatformPeer, like message: PeerMessage) -> [String: PeerRequest] {
        var requests = peer.others(like: message)
        for (kind, canCome) in [(PeerMessage.Kind.bot, peer.hasBots), (.edited, peer.hasEdits)] where canCome {
            var message = message
            message.kind = kind
            requests["\(kind)"] = peer.request(message)
        }
        return requests
    }

    /// Programs that sign by Standard Webhooks, Discord's interactions and DingTalk's robots bring nothing of the kind.
    @Test func onlyThreePlatformsBringNothingButMessagesOfPeople() {
        let message = PeerMessage(user: "u1", chat: "g1", id: 1, text: "抽奖", sentAt: ManualClock().now)
        let silent = Self.cases.filter { Self.requestsOfNobody($0.peer, like: message).isEmpty }
        #expect(Set(silent.map(\.peer.platform)) == [.webhook, .discord, .dingtalk])
    }

    @Test(
        "hardening rows 13, 14: bots, edits and events are left alone",
        arguments: cases.filter { ![.webhook, .discord, .dingtalk].contains($0.peer.platform) })
    func botsEditsAndEventsAreLeftAlone(_ example: Case) async throws {
        try await playing(example.peer) { scene in
            _ = try await scene.reply(to: scene.message("绑定 独行者", id: 1))
            scene.server.clock.advance(seconds: 10)
            let asked = scene.server.sum("hongbao_messages_total")
            let draw = scene.message("抽奖", id: 7)
            for (name, request) in Self.requestsOfNobody(scene.peer, like: draw) {
                let response = try await scene.send(request)
                #expect(response.status == scene.peer.silentStatus, "\(name): \(response.status) \(response.text)")
                #expect(scene.peer.reply(in: response) == nil, "\(name): \(response.text)")
                #expect(scene.server.sum("hongbao_messages_total") == asked, "\(name)")
            }
            #expect(try await scene.server.drawCount() == 0)
            // Of a person the same is a draw.
            let drawn = try await scene.reply(to: draw)
            #expect(drawn?.contains("恭喜中奖") == true, "\(drawn ?? "nothing")")
        }
    }

    @Test(arguments: cases)
    func aMessageOlderThan25HoursIsIgnored(_ example: Case) async throws {
        try await playing(example.peer) { scene in
            _ = try await scene.reply(to: scene.message("绑定 独行者", id: 1))
            let old = scene.message("抽奖", id: 2, at: scene.server.clock.now.advanced(bySeconds: -26 * 3600))
            let response = try await scene.send(scene.peer.request(old))
            // Where only the signature has a time, it is refused; where neither has one, it cannot be known to be old.
            let adapter = try scene.peer.platform.adapter(planting: scene.peer.settings(api: scene.stub.url))
            let request = scene.peer.request(old)
            let items = URLComponents(string: "http://x" + request.path)?.queryItems ?? []
            let event = try? adapter.receive(
                WebhookRequest(
                    method: request.method, path: String(request.path.prefix { $0 != "?" }),
                    query: items.map { ($0.name, $0.value ?? "") }, headers: request.headers.map { ($0.key, $0.value) },
                    body: request.body),
                now: scene.server.clock.now)
            guard case .messages(let messages)? = event else {
                #expect([401, 403].contains(response.status))
                return
            }
            if messages.contains(where: { $0.sentAt != nil }) { #expect(try await scene.server.drawCount() == 0) }
        }
    }
}
