import Activities
import Basics
import ChatPlatforms
import Foundation
import Lottery
import NIOConcurrencyHelpers
import TestSupport
import Testing

@testable import WebServer

/// The OneBot 11 reverse WebSocket, from the upgrade to its end.
///
/// - Source: platforms.md section 1.
struct OneBotSocketTests {
    private func run(
        _ endpoints: [Endpoint] = [OneBotClient.endpoint], path: String? = nil, clock: ManualClock = ManualClock(),
        admins: Set<UserID> = [], activity: Activity = TestServer.activity,
        configure: (inout WebServerConfiguration) -> Void = { _ in },
        _ body: (TestServer) async throws -> Void
    ) async throws {
        try await TestServer.run(
            endpoints, path: path, clock: clock, admins: admins, activity: activity, configure: configure, body)
    }

    /// Waits until the client has heard something that `condition` asks for.
    private func heard(
        _ client: OneBotClient, _ server: TestServer, step: Int64 = 100,
        _ condition: ([OneBotClient.Action]) -> Bool
    ) async throws -> Bool {
        try await server.soon(step: step) { condition(try await client.actions()) }
    }

    private func text(_ client: OneBotClient) async throws -> String {
        try await client.actions().map(\.text).joined(separator: "\n")
    }

    // MARK: Upgrade

    @Test func whoShowsNoTokenIsRefusedBeforeTheUpgrade() async throws {
        try await run { server async throws in
            let id = "X-Self-ID: 20001"
            for headers in [
                [id], [id, "Authorization: Bearer "], [id, "Authorization: Bearer \(OneBotClient.token)x"],
                [id, "Authorization: Basic \(OneBotClient.token)"], [id, "Authorization: \(OneBotClient.token)"],
                [id, "Authorization: Bearer \(OneBotClient.token)", "Authorization: Bearer wrong-token-0001"],
                [id, "Authorization: Bearer \(OneBotClient.token.uppercased())"],
            ] {
                let (connection, head) = try await OneBotClient.upgrade(server.port, headers: headers)
                #expect(head.hasPrefix("HTTP/1.1 401 ") || head.hasPrefix("HTTP/1.1 403 "), "\(headers): \(head)")
                await connection.close()
            }
            let text = server.registry.text()
            #expect(text.contains("bad_token") && text.contains("missing_token"))
        }
    }

    @Test func whoDoesNotSayWhichBotItIsIsRefused() async throws {
        try await run { server async throws in
            let token = "Authorization: Bearer \(OneBotClient.token)"
            for headers in [
                [token], [token, "X-Self-ID: "], [token, "X-Self-ID: 1", "X-Self-ID: 2"],
                [token, "X-Self-ID: 20001", "X-Client-Role: Boss"],
            ] {
                let (connection, head) = try await OneBotClient.upgrade(server.port, headers: headers)
                #expect(head.hasPrefix("HTTP/1.1 400 "), "\(headers): \(head)")
                await connection.close()
            }
        }
    }

    @Test func onlyEndpointsWithASocketTakeOne() async throws {
        let webhook = try OutboxScene.endpoint(StandardWebhooksPeer(), api: "")
        let unsigned = OneBotClient.makeEndpoint(["secret": "peer-onebot11-hmac-secret-0001"], name: "posts")
        try await run([OneBotClient.endpoint, webhook, unsigned]) { server async throws in
            for path in ["/webhook/webhook/ws", "/webhook/posts/ws", "/webhook/nobody/ws", "/webhook/onebot11/ws/x"] {
                let (connection, head) = try await OneBotClient.upgrade(
                    server.port, path: path, headers: OneBotClient.headers())
                #expect(!head.hasPrefix("HTTP/1.1 101 ") && head.hasPrefix("HTTP/1.1 4"), "\(path): \(head)")
                await connection.close()
            }
            for path in ["/webhook/onebot11", "/webhook/onebot11/", "/webhook/onebot11/ws"] {
                let (connection, head) = try await OneBotClient.upgrade(
                    server.port, path: path, headers: OneBotClient.headers())
                #expect(head.hasPrefix("HTTP/1.1 101 "), "\(path): \(head)")
                await connection.close()
            }
        }
    }

    @Test func theTokenMayStandInTheQuery() async throws {
        try await run { server async throws in
            let (connection, head) = try await OneBotClient.upgrade(
                server.port, path: "/webhook/onebot11/ws?access_token=\(OneBotClient.token)",
                headers: ["X-Self-ID: 20001"])
            #expect(head.hasPrefix("HTTP/1.1 101 "), "\(head)")
            await connection.close()
        }
    }

    @Test func aPreviousTokenIsGoodUntilItsEnd() async throws {
        let clock = ManualClock()
        let old = "peer-onebot11-socket-token-0000"
        let previous = try OneBot11Adapter(PlatformSettings(["access_token": old]))
        let endpoint = Endpoint(
            name: "onebot11", adapter: try OneBot11Adapter(PlatformSettings(["access_token": OneBotClient.token])),
            previous: (previous, clock.now.advanced(bySeconds: 3600)))
        try await run([endpoint], clock: clock) { server async throws in
            for (seconds, isGood) in [(0 as Int64, true), (3599, true), (1, false)] {
                clock.advance(seconds: seconds)
                let (connection, head) = try await OneBotClient.upgrade(
                    server.port, headers: OneBotClient.headers(token: old))
                #expect(head.hasPrefix(isGood ? "HTTP/1.1 101 " : "HTTP/1.1 40"), "\(head)")
                await connection.close()
            }
        }
    }

    // MARK: Talking

    @Test func bindingAndDrawAreAnsweredByActions() async throws {
        try await run { server async throws in
            let client = try await OneBotClient.connect(server.port)
            let now = server.clock.now
            try await client.send(client.message("绑定 独行者", id: 1, at: now))
            #expect(try await heard(client, server) { $0.contains { $0.text.contains("绑定成功") } })
            try await client.send(client.message("抽奖", id: 2, at: now))
            #expect(try await heard(client, server) { $0.contains { $0.text.contains("恭喜中奖") } })
            let actions = try await client.actions()
            #expect(actions.allSatisfy { $0.name == "send_group_msg" && $0.place == "88001" && !$0.echo.isEmpty })
            #expect(actions.allSatisfy { $0.parts.map(\.user) == ["10001"] })
            #expect(Set(actions.map(\.echo)).count == actions.count)
            // Our answers to the echoes settle them.
            #expect(try await server.soon { try await server.isSettled })
            // In private
            try await client.send(client.message("我的绑定", id: 3, group: nil, at: now))
            #expect(try await heard(client, server) { $0.contains { $0.name == "send_private_msg" } })
            await client.close()
        }
    }

    @Test func aRefusedActionEndsItsReply() async throws {
        try await run { server async throws in
            let client = try await OneBotClient.connect(server.port) { OneBotClient.failed($0.echo) }
            try await client.send(client.message("绑定 独行者", id: 1, at: server.clock.now))
            #expect(try await heard(client, server) { !$0.isEmpty })
            #expect(
                try await server.soon {
                    _ = try await client.actions()
                    return try await server.isSettled
                })
            // Repeating what risk control stopped gets the account frozen.
            #expect(try await server.never(for: 60) { try await client.actions().count > 1 })
            await client.close()
        }
    }

    @Test func aMessageThatComesAgainIsDrawnAndSaidOnce() async throws {
        try await run { server async throws in
            let client = try await OneBotClient.connect(server.port)
            let now = server.clock.now
            try await client.send(client.message("绑定 独行者", id: 1, at: now))
            let draw = client.message("抽奖", id: 2, at: now)
            try await client.send(together: Array(repeating: draw, count: 20))
            #expect(try await heard(client, server) { $0.contains { $0.text.contains("恭喜中奖") } })
            try await client.send(draw)
            #expect(
                try await server.never(for: 60) {
                    try await text(client).ranges(of: "恭喜中奖").count > 1
                })
            #expect(try await server.drawCount() == 1)
            await client.close()
        }
    }

    @Test func malformedFramesDoNotEndIt() async throws {
        try await run { server async throws in
            let client = try await OneBotClient.connect(server.port)
            let now = server.clock.now
            let message = client.message("抽奖", id: 9, at: now)
            let frames = [
                "", "{", "[]", "null", "抽奖", #"{"post_type":1}"#, #"{"post_type":"message"}"#,
                #"{"post_type":"message","self_id":20001}"#, message.replacing(#""user_id":10001,"#, with: ""),
                message.replacing("20001", with: "20002"), message.replacing(#""message":["#, with: #""message":[1,"#),
                message.replacing(#"{"time""#, with: #"{"time":1,"time""#), String(repeating: "[", count: 100_000),
                #"{"echo":"1"}"#, #"{"echo":"999","status":"ok"}"#, #"{"echo":{},"status":"ok"}"#,
            ]
            try await client.send(together: frames)
            // Binary, too, is taken as it comes.
            try await client.connection.send(OneBotClient.frame(2, [0xFF, 0xFE, 0]))
            try await client.send(client.message("绑定 独行者", id: 1, at: now))
            #expect(try await heard(client, server) { $0.contains { $0.text.contains("绑定成功") } })
            #expect(try await server.drawCount() == 0)
            #expect(!client.connection.isClosed)
            await client.close()
        }
    }

    @Test func thousandsOfMessagesAtOnceAreAllAnswered() async throws {
        let count = 5000
        try await run { server async throws in
            // Nobody is to wait, and to be told of a turn.
            for key in ["rush_hour_max_users", "max_concurrent_users"] {
                try await server.command(.setTraffic(key: key, value: "10000"))
            }
            let client = try await OneBotClient.connect(server.port)
            let now = server.clock.now
            for first in stride(from: 1, through: count, by: 500) {
                try await client.send(
                    together: (first..<first + 500).map {
                        client.message("我的绑定", id: $0, user: 1_000_000 + $0, at: now)
                    })
            }
            // The clock goes on when what was said is settled, so that a slow machine does not come to the end of the
            // window.
            var settledCount = 0
            for _ in 0..<2_000 where settledCount < count {
                server.clock.advance(milliseconds: 500)
                server.webServer.gateway.dispatcher.ring()
                let before = settledCount
                for _ in 0..<1000 where settledCount == before {
                    _ = try await client.actions()
                    settledCount = server.counter(#"hongbao_replies_total{delivery="sent",platform="onebot11"}"#)
                    try await Task.sleep(for: .milliseconds(1))
                }
            }
            let users = try await client.actions().flatMap { $0.parts.map(\.user) }
            #expect(users.count == count && Set(users).count == count)
            #expect(users == (1...count).map { String(1_000_000 + $0) })
            await client.close()
        }
    }

    /// Nobody else's answer counts for an action.
    @Test func anotherBotCannotAnswerAnAction() async throws {
        let other = OneBotClient.makeEndpoint(["access_token": OneBotClient.token], name: "other")
        try await run([OneBotClient.endpoint, other]) { server async throws in
            let silent = try await OneBotClient.connect(server.port) { _ in nil }
            let liar = try await OneBotClient.connect(server.port, path: "/webhook/other/ws", selfID: "20009")
            try await silent.send(silent.message("绑定 独行者", id: 1, at: server.clock.now))
            #expect(try await heard(silent, server) { !$0.isEmpty })
            let echo = try #require(try await silent.actions().first).echo
            try await liar.send(OneBotClient.ok(echo))
            try await Task.sleep(for: .milliseconds(300))
            #expect(try await !server.isSettled)
            try await silent.send(OneBotClient.ok(echo))
            #expect(try await server.soon { try await server.isSettled })
            await silent.close()
            await liar.close()
        }
    }

    // MARK: Connections that come and go

    @Test func whatWaitsWhileItIsGoneGoesOutAfterwardsInOrder() async throws {
        try await run { server async throws in
            // It hears the first and is gone before it answers.
            let first = try await OneBotClient.connect(server.port) { _ in nil }
            let now = server.clock.now
            try await first.send(
                together: (1...30).map { first.message("绑定 甲\($0)", id: $0, user: 10000 + $0, at: now) })
            #expect(try await heard(first, server) { !$0.isEmpty })
            await first.close()
            // Long enough for the pauses to grow to minutes
            #expect(try await server.never(for: 400) { try await server.isSettled })
            let second = try await OneBotClient.connect(server.port)
            let connectedAt = server.clock.now
            #expect(
                try await server.soon(step: 5) {
                    _ = try await second.actions()
                    return try await server.isSettled
                })
            // It does not wait for the end of a pause.
            #expect(server.clock.now.milliseconds(since: connectedAt) < 10_000)
            let said = try await text(second).matches(of: /甲([0-9]+)/).compactMap { Int($0.1) }
            #expect(said == Array(1...30))
            await second.close()
        }
    }

    @Test func aRestartSaysWhatIsLeft() async throws {
        let clock = ManualClock()
        try await withTemporaryDatabase { path in
            try await run(path: path, clock: clock) { server async throws in
                let client = try await OneBotClient.connect(server.port) { _ in nil }
                try await client.send(client.message("绑定 独行者", id: 1, at: clock.now))
                #expect(try await heard(client, server) { !$0.isEmpty })
            }
            try await run(path: path, clock: clock) { server async throws in
                let client = try await OneBotClient.connect(server.port)
                #expect(try await heard(client, server) { $0.contains { $0.text.contains("绑定成功") } })
                #expect(try await server.soon { try await server.isSettled })
                await client.close()
            }
        }
    }

    @Test func aSecondConnectionTakesThePlaceOfTheFirst() async throws {
        try await run { server async throws in
            let first = try await OneBotClient.connect(server.port)
            try await first.send(first.message("绑定 甲", id: 1, at: server.clock.now))
            #expect(try await heard(first, server) { !$0.isEmpty })
            var latest = first
            for number in 2...6 {
                let earlier = latest
                let count = try await earlier.actions().count
                latest = try await OneBotClient.connect(server.port)
                let isReplaced = try await server.soon { try await earlier.closeCode == 1001 }
                #expect(isReplaced)
                try await latest.send(latest.message("我的绑定", id: number, at: server.clock.now))
                let client = latest
                #expect(try await heard(client, server) { !$0.isEmpty })
                #expect(try await earlier.actions().count == count)
                await earlier.close()
            }
            // Another bot, and the same under another endpoint's name, would be others.
            let other = try await OneBotClient.connect(server.port, selfID: "20002")
            try await Task.sleep(for: .milliseconds(200))
            #expect(try await latest.closeCode == nil)
            await other.close()
            await latest.close()
        }
    }

    @Test func missedHeartbeatsCloseIt() async throws {
        try await run { server async throws in
            let silent = try await OneBotClient.connect(server.port)
            let lively = try await OneBotClient.connect(server.port, selfID: "20002")
            try await silent.send(silent.heartbeat(milliseconds: 1000))
            let end = ContinuousClock.now + .seconds(30)
            while ContinuousClock.now < end, try await silent.closeCode == nil {
                try await lively.send(lively.heartbeat(milliseconds: 1000))
                try await Task.sleep(for: .milliseconds(200))
            }
            #expect(try await silent.closeCode == 1001)
            #expect(try await lively.closeCode == nil && !lively.connection.isClosed)
            await silent.close()
            await lively.close()
        }
    }

    @Test func eventsAndActionsMayHaveConnectionsOfTheirOwn() async throws {
        try await run { server async throws in
            let events = try await OneBotClient.connect(server.port, role: "Event")
            try await events.send(events.message("绑定 独行者", id: 1, at: server.clock.now))
            // Over the events' connection nothing can be said.
            #expect(try await server.never(for: 20) { try await !events.actions().isEmpty })
            #expect(try await !server.isSettled)
            let actions = try await OneBotClient.connect(server.port, role: "API")
            #expect(try await heard(actions, server) { $0.contains { $0.text.contains("绑定成功") } })
            #expect(
                try await server.soon {
                    _ = try await actions.actions()
                    return try await server.isSettled
                })
            #expect(try await events.actions().isEmpty)
            await events.close()
            await actions.close()
        }
    }

    @Test func aConnectionForActionsBringsNoEvents() async throws {
        try await run { server async throws in
            let actions = try await OneBotClient.connect(server.port, role: "API")
            try await actions.send(actions.message("绑定 独行者", id: 1, at: server.clock.now))
            #expect(try await server.never(for: 20) { try await !actions.actions().isEmpty })
            await actions.close()
        }
    }

    // MARK: Roles

    /// The connection's token proves which bot it is; nothing signs what its frames say of a person.
    @Test func theRoleInAFrameMakesNobodyAnAdmin() async throws {
        let activity = Activity(
            id: "spring", name: "春节抽奖", scope: .chats([ChatID("qq:88001")]), maxAttempts: 1,
            awards: TestServer.activity.awards)
        let trusting = OneBotClient.makeEndpoint(["access_token": OneBotClient.token], trustsGroupAdmins: true)
        try await run([trusting], admins: [UserID("qq:77")], activity: activity) { server async throws in
            let client = try await OneBotClient.connect(server.port)
            let now = server.clock.now
            try await client.send(client.message("抽奖结束", id: 1, at: now, role: "owner"))
            try await client.send(client.message("绑定 甲", id: 2, user: 10002, at: now))
            #expect(try await heard(client, server) { $0.contains { $0.text.contains("绑定成功") } })
            try await client.send(client.message("抽奖", id: 3, user: 10002, at: now))
            #expect(try await heard(client, server) { $0.contains { $0.text.contains("恭喜中奖") } })
            // A configured one is one, whatever the frame says.
            try await client.send(client.message("抽奖结束", id: 4, user: 77, at: now))
            #expect(try await heard(client, server) { $0.last?.text.contains("春节抽奖") == true })
            try await client.send(client.message("抽奖", id: 5, user: 10003, at: now))
            #expect(try await heard(client, server) { $0.contains { $0.text.contains("没有开放") } })
            await client.close()
        }
    }

    @Test func anonymousMembersNeitherDrawNorGetAnAnswer() async throws {
        try await run { server async throws in
            let client = try await OneBotClient.connect(server.port)
            let now = server.clock.now
            for (id, more) in [
                (1, #","anonymous":{"id":1,"name":"匿名","flag":"x"}"#), (2, ""),
            ] {
                let text = client.message("绑定 匿名", id: id, user: 80_000_000, at: now, more: more)
                try await client.send(text)
                try await client.send(
                    text.replacing("绑定 匿名", with: "抽奖").replacing(#""message_id":"#, with: #""message_id":9"#))
            }
            #expect(try await server.never(for: 20) { try await !client.actions().isEmpty })
            #expect(try await server.drawCount() == 0)
            await client.close()
        }
    }
}
