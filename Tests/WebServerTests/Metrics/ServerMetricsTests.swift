import Activities
import ChatPlatforms
import TestSupport
import Testing
import WebServer

/// What operators see of the server in `/metrics`.
struct ServerMetricsTests {
    private static let secret = Canary.planted(
        "a-secret-of-the-tests-with-40-characters", as: "player token secret")

    private func codes(_ server: TestServer) -> [String: Int] {
        let pairs = server.registry.text().matches(of: /hongbao_draws_total\{code="([a-z_]+)"\} (\d+)/).compactMap {
            match in Int(match.2).map { (String(match.1), $0) }
        }
        return Dictionary(uniqueKeysWithValues: pairs.filter { $0.1 > 0 })
    }

    @Test func everyAnswerToADrawCountsByItsCode() async throws {
        let sender = HostileSender.webhook
        let endpoint = try #require(sender.endpoint)
        try await TestServer.run([try endpoint()]) { configuration in
            configuration.playerTokenSecret = Self.secret
        } _: { (server: TestServer) async throws in
            func say(_ text: String, id: Int, user: String = "1") async throws {
                let body = Array(sender.message(user, id, text, server.clock.now).utf8)
                let signed = sender.sign(body, id, server.clock.now)
                let response = try await server.send(
                    PeerRequest(headers: signed.headers, body: body), to: sender.path)
                #expect([200, 409].contains(response.status))
            }
            // In chat, with what is no draw between.
            try await say("抽奖", id: 1)
            try await say("绑定 甲", id: 2)
            try await say("我的绑定", id: 3)
            try await say("抽奖", id: 4)
            #expect(codes(server) == ["not_bound": 1, "won": 1])
            try await say("抽奖", id: 5)
            // Told again, and another message under an old id.
            for id in [4, 4, 2] { try await say("抽奖", id: id) }
            #expect(codes(server) == ["not_bound": 1, "won": 1, "already_won": 1])
            // On the page, in the same figures.
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            #expect(try await player.draw().code == "not_bound")
            #expect(try await player.bind("乙").code == "ok")
            #expect(try await player.answer("draw", #"{"requestId":"r"}"#).code == "won")
            #expect(try await player.answer("draw", #"{"requestId":"r"}"#).code == "won")
            #expect(codes(server) == ["not_bound": 2, "won": 2, "already_won": 1])
            try await server.set("max_concurrent_users", 1)
            try await server.join("first")
            try await say("抽奖", id: 7, user: "3")
            try await server.command(.maintenance(isOn: true, reason: nil))
            try await say("抽奖", id: 8, user: "4")
            try await server.command(.stop(activity: nil))
            try await server.command(.maintenance(isOn: false, reason: nil))
            try await server.set("max_concurrent_users", 10)
            try await say("抽奖", id: 9, user: "5")
            try await server.set("user_messages_per_minute", 1)
            for id in [10, 11] { try await say("抽奖", id: id, user: "6") }
            #expect(
                codes(server) == [
                    "not_bound": 2, "won": 2, "already_won": 1, "queued": 1, "maintenance": 1, "no_activity": 2,
                    "rate_limited": 1,
                ])
        }
    }

    /// A series that can never count would only be asked about.
    @Test func whatCannotHappenIsNotExported() async throws {
        let endpoint = try #require(HostileSender.onebot11.endpoint)
        try await TestServer.run([try endpoint()]) { (server: TestServer) async throws in
            let text = server.registry.text()
            for code in OutcomeCode.allCases {
                let canBeADraws = ![.ok, .notPermitted, .unknownCommand].contains(code)
                #expect(text.contains("hongbao_draws_total{code=\"\(code.rawValue)\"} 0\n") == canBeADraws, "\(code)")
            }
            let deliveries = text.matches(of: /hongbao_replies_total\{delivery="([a-z]+)"/).map { String($0.1) }
            #expect(deliveries.sorted() == ["dropped", "sent"])
        }
    }

    @Test func openConnectionsAreCounted() async throws {
        try await TestServer.run { (server: TestServer) async throws in
            @Sendable func count() -> Int { server.counter("hongbao_open_connections") }
            let before = count()
            var connections: [RawConnection] = []
            for _ in 1...3 { connections.append(try await RawConnection.open(server.port)) }
            #expect(await eventually { count() == before + 3 })
            for connection in connections { await connection.close() }
            #expect(await eventually { count() == before })
            #expect(server.registry.text().contains("# TYPE hongbao_open_connections gauge"))
        }
    }
}
