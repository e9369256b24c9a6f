import Activities
import Basics
import ChatPlatforms
import Foundation
import Lottery
import SQLiteStore
import TestSupport
import Testing
import TrafficGate

@testable import WebServer

/// Who speaks: an endpoint only for its namespace, an admin only where that is proven.
///
/// - Source: spec.md section 2 and section 7, promises 3 and 5.
struct RoleTests {
    private static let webhook = SignedWebhook()

    private static func activity(_ scope: Scope) -> Activity {
        Activity(id: "spring", name: "春节抽奖", scope: scope, maxAttempts: 1, awards: TestServer.activity.awards)
    }

    private func endpoint(
        _ name: String = "webhook", _ webhook: SignedWebhook = webhook, identity: String? = nil, trusts: Bool = false
    ) throws -> Endpoint {
        Endpoint(name: name, adapter: try webhook.adapter(), identity: identity, trustsGroupAdmins: trusts)
    }

    private func reply(_ response: PeerResponse) -> String { response.json("reply") as? String ?? "" }

    /// Whether the activity takes draws.
    private func isOpen(_ server: TestServer) async throws -> Bool {
        let state = try await server.store.load().activities.first { $0.activity.id == "spring" }
        return state?.status == .active
    }

    // MARK: Namespaces

    @Test func anAdminOfOneNamespaceIsNobodyInAnother() async throws {
        try await TestServer.run([try endpoint()], admins: [UserID("qq:1"), UserID("webhook:2")]) {
            server async throws in
            for (number, user) in ["1", "qq:1", "webhook:2", "2 ", "２"].enumerated() {
                let request = Self.webhook.request(
                    "抽奖结束", id: "n\(number)", user: user, isAdmin: true, at: server.clock.now)
                let response = try await server.send(request, to: "/webhook/webhook")
                #expect(response.status == 200, "\(user)")
                #expect(try await isOpen(server), "\(user): \(reply(response))")
            }
            let request = Self.webhook.request("抽奖结束", id: "right", user: "2", at: server.clock.now)
            _ = try await server.send(request, to: "/webhook/webhook")
            #expect(try await !isOpen(server))
        }
    }

    /// A Satori server may bring any login: it does not get to speak for another endpoint's users by calling one so.
    @Test func aLoginDoesNotSpeakForAnotherEndpoint() async throws {
        let peer = SatoriPeer()
        func endpoint(_ name: String, _ more: [String: String] = [:], identity: String? = nil) throws -> Endpoint {
            let settings = peer.settings(api: "http://127.0.0.1:1").merging(more) { $1 }
            return Endpoint(name: name, adapter: try SatoriAdapter(PlatformSettings(settings)), identity: identity)
        }
        let endpoints = [
            try endpoint("open"), try endpoint("named", ["platforms": "discord"]), try endpoint("one", identity: "qq"),
        ]
        try await TestServer.run(endpoints) { server async throws in
            let now = server.clock.now
            for (number, (name, login, status)) in [
                ("open", "web", 401), ("open", "discord", 401), ("open", "kook", 200), ("open", "red", 200),
                ("named", "discord", 200), ("named", "kook", 401), ("one", "discord", 200),
            ].enumerated() {
                let message = PeerMessage(user: "u\(number)", chat: "g", id: number, text: "绑定 甲\(number)", sentAt: now)
                var request = peer.request(message)
                request.body = Array(
                    String(decoding: request.body, as: UTF8.self).replacing(#""red""#, with: "\"\(login)\"").utf8)
                let response = try await server.send(request, to: "/webhook/\(name)")
                #expect(response.status == status, "\(name) \(login)")
            }
            for (user, gameID) in [
                ("web:u0", nil), ("discord:u1", nil), ("kook:u2", "甲2"), ("qq:u3", "甲3"), ("discord:u4", "甲4"),
                ("kook:u5", nil), ("qq:u6", "甲6"),
            ] {
                #expect(try await server.store.data(of: UserID(user)).gameID == gameID, "\(user)")
            }
            #expect(server.counter(#"hongbao_refusals_total{fault="receiver_mismatch",platform="satori"}"#) == 3)
        }
    }

    @Test func anEndpointSpeaksForTheNamespaceItIsGiven() async throws {
        let endpoints = [
            try endpoint(),
            try endpoint("bridge", SignedWebhook(secret: "another-secret-for-tests-0000001"), identity: "qq"),
        ]
        try await TestServer.run(endpoints + [OneBotClient.endpoint], admins: [UserID("qq:1")]) { server async throws in
            let bridge = SignedWebhook(secret: "another-secret-for-tests-0000001")
            let now = server.clock.now
            _ = try await server.send(bridge.request("绑定 独行者", id: "1", user: "10001", at: now), to: "/webhook/bridge")
            // The same person over another protocol
            let client = try await OneBotClient.connect(server.port)
            try await client.send(client.message("我的绑定", id: 1, user: 10001, at: now))
            #expect(try await server.soon { try await client.actions().contains { $0.text.contains("独行者") } })
            await client.close()
            // and the same number in another namespace
            let other = try await server.send(
                Self.webhook.request("我的绑定", id: "2", user: "10001", at: now), to: "/webhook/webhook")
            #expect(!reply(other).contains("独行者"))
            _ = try await server.send(bridge.request("抽奖结束", id: "3", user: "1", at: now), to: "/webhook/bridge")
            #expect(try await !isOpen(server))
        }
    }

    @Test func aRequestOfOneEndpointIsNothingToAnother() async throws {
        let a = SignedWebhook(secret: "signed-webhook-secret-of-a-000001")
        let b = SignedWebhook(secret: "signed-webhook-secret-of-b-000001")
        try await TestServer.run([try endpoint("a", a), try endpoint("b", b)]) { server async throws in
            let request = a.request("绑定 独行者", id: "1", user: "u1", at: server.clock.now)
            #expect(try await server.send(request, to: "/webhook/b").status == 401)
            #expect(try await server.send(request, to: "/webhook/a").status == 200)
            #expect(try await server.send(request, to: "/webhook/nobody").status == 404)
        }
    }

    // MARK: Admins of a chat

    @Test func theRoleInASignedMessageCountsOnlyWhereItIsTrustedAndOnlyForThatChat() async throws {
        let here = ChatID("webhook:g1")
        let cases: [(scope: Scope, trusts: Bool, isAdmin: Bool?, chat: String?, ends: Bool)] = [
            (.chats([here]), true, true, "g1", true),
            (.chats([here]), false, true, "g1", false),
            (.chats([here]), true, false, "g1", false),
            (.chats([here]), true, nil, "g1", false),
            (.chats([here]), true, true, nil, false),
            (.chats([here]), true, true, "g2", false),
            (.chats([here, ChatID("webhook:g2")]), true, true, "g1", false),
            (.chats([ChatID("qq:g1")]), true, true, "g1", false),
            (.everywhere, true, true, "g1", false),
        ]
        for (scope, trusts, isAdmin, chat, ends) in cases {
            try await TestServer.run([try endpoint(trusts: trusts)], activity: Self.activity(scope)) {
                server async throws in
                for (number, text) in ["抽奖结束 春节抽奖", "抽奖结束"].enumerated() {
                    let request = Self.webhook.request(
                        text, id: "e\(number)", user: "u1", chat: chat, isAdmin: isAdmin, at: server.clock.now)
                    let response = try await server.send(request, to: "/webhook/webhook")
                    #expect(response.status == 200)
                }
                let isOpen = try await isOpen(server)
                #expect(isOpen != ends, "\(scope) \(trusts) \(isAdmin as Any) \(chat as Any)")
            }
        }
    }

    @Test func anAdminOfAChatMayDoNoMoreThanThat() async throws {
        let scope = Scope.chats([ChatID("webhook:g1")])
        try await TestServer.run([try endpoint(trusts: true)], activity: Self.activity(scope)) { server async throws in
            for (number, text) in ["流量设置 max_concurrent_users 1", "维护 开", "活动导入 spring.yaml", "导出 春节抽奖"].enumerated() {
                let request = Self.webhook.request(
                    text, id: "d\(number)", user: "u1", isAdmin: true, at: server.clock.now)
                _ = try await server.send(request, to: "/webhook/webhook")
            }
            #expect(server.service.gateCheck.maxUsers > 1)
            let answer = try await server.send(
                Self.webhook.request("绑定 甲", id: "b", user: "u2", at: server.clock.now), to: "/webhook/webhook")
            #expect(reply(answer).contains("绑定成功"))
        }
    }

    // MARK: Who takes no part

    /// An administrator of a Telegram group who speaks as the group: several people, one id.
    @Test func anAnonymousAdministratorTakesNoPart() async throws {
        let peer = TelegramPeer()
        let endpoint = try OutboxScene.endpoint(peer, api: "http://127.0.0.1:1")
        try await TestServer.run([endpoint]) { server async throws in
            for (id, text) in ["绑定 匿名", "抽奖", "抽奖结束", "帮助"].enumerated() {
                let ordinary = peer.request(
                    PeerMessage(user: "u1", chat: "g1", id: id + 1, text: text, sentAt: server.clock.now))
                let body = String(decoding: ordinary.body, as: UTF8.self)
                let chat = try #require(body.firstMatch(of: /"chat":\{"id":(-[0-9]+)/)).1
                var request = ordinary
                request.body = Array(
                    body.replacing(#""text":"#, with: #""sender_chat":{"id":\#(chat),"type":"supergroup"},"text":"#)
                        .utf8)
                let response = try await server.send(request, to: "/webhook/telegram")
                #expect(response.status == 200 && peer.reply(in: response) == nil, "\(response.text)")
            }
            #expect(try await server.drawCount() == 0)
        }
    }

    // MARK: The same message again

    @Test func theSameIDWithAnotherMessageIsAConflict() async throws {
        try await TestServer.run([try endpoint()]) { server async throws in
            let now = server.clock.now
            let first = try await server.send(
                Self.webhook.request("绑定 独行者", id: "1", user: "u1", at: now), to: "/webhook/webhook")
            #expect(reply(first).contains("绑定成功"))
            for (text, user) in [("绑定 独行者", "u2"), ("绑定 别人", "u1"), ("抽奖", "u1"), ("绑定", "u1"), ("解绑", "u1")] {
                let response = try await server.send(
                    Self.webhook.request(text, id: "1", user: user, at: now), to: "/webhook/webhook")
                #expect(response.status == 409, "\(text) \(user): \(response.text)")
            }
            // The first answer is kept, also for the same command spelled otherwise.
            for text in ["绑定 独行者", "  綁定　独行者 ", "/bind 独行者"] {
                let response = try await server.send(
                    Self.webhook.request(text, id: "1", user: "u1", at: now), to: "/webhook/webhook")
                #expect(response.status == 200 && reply(response) == reply(first), "\(text): \(response.text)")
            }
            let binding = try await server.send(
                Self.webhook.request("我的绑定", id: "2", user: "u1", at: now), to: "/webhook/webhook")
            #expect(reply(binding).contains("独行者"))
            #expect(try await server.drawCount() == 0)
        }
    }

    @Test func drawsOfOneIDInParallelAreOneDrawOrAConflict() async throws {
        try await TestServer.run([try endpoint()]) { server async throws in
            let now = server.clock.now
            for user in ["u1", "u2"] {
                let bind = Self.webhook.request("绑定 \(user)", id: user, user: user, at: now)
                _ = try await server.send(bind, to: "/webhook/webhook")
            }
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<20 {
                    let request = Self.webhook.request("抽奖", id: "x", user: number % 2 == 0 ? "u1" : "u2", at: now)
                    group.addTask { try await server.send(request, to: "/webhook/webhook").status }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 200 } == 10 && statuses.count { $0 == 409 } == 10)
            #expect(try await server.drawCount() == 1)
        }
    }

    // MARK: Rotation

    @Test("hardening row 65: a previous secret is good until its end") func aPreviousSecretIsGoodUntilItsEnd()
        async throws
    {
        let old = SignedWebhook(secret: "signed-webhook-secret-before-0001")
        let clock = ManualClock()
        let until = clock.now.advanced(bySeconds: 3600)
        let endpoint = Endpoint(
            name: "webhook", adapter: try Self.webhook.adapter(), previous: (try old.adapter(), until))
        try await TestServer.run([endpoint], clock: clock) { server async throws in
            func status(_ webhook: SignedWebhook, _ id: String) async throws -> Int {
                try await server.send(
                    webhook.request("帮助", id: id, user: "u1", at: clock.now), to: "/webhook/webhook"
                ).status
            }
            #expect(try await status(old, "1") == 200)
            #expect(try await status(Self.webhook, "2") == 200)
            #expect(try await status(SignedWebhook(secret: "signed-webhook-secret-never-00001"), "3") == 401)
            clock.set(until.advanced(byMilliseconds: -1))
            #expect(try await status(old, "4") == 200)
            clock.set(until)
            #expect(try await status(old, "5") == 401)
            #expect(try await status(Self.webhook, "6") == 200)
        }
    }
}
