import Activities
import Basics
import Crypto
import Foundation
import Lottery
import SQLiteStore
import TestSupport
import Testing
import TrafficGate
import WebServer

/// The chat commands for players of the web page, who carry a token.
///
/// - Source: spec.md section 8.
struct ActivityRoutesTests {
    private static let secret = Canary.planted(
        "a-secret-of-the-tests-with-40-characters", as: "player token secret")
    private static let routes = [
        ("GET", "/api/activity/current"), ("POST", "/api/activity/bind"), ("POST", "/api/activity/draw"),
        ("POST", "/api/activity/wins"),
    ]

    private func playing<Value: Sendable>(
        path: String? = nil, clock: ManualClock = ManualClock(),
        _ body: (TestServer) async throws -> Value
    ) async throws -> Value {
        try await TestServer.run(path: path, clock: clock) { configuration in
            configuration.playerTokenSecret = Self.secret
        } _: { (server: TestServer) async throws in
            try await body(server)
        }
    }

    // MARK: Who plays

    @Test(arguments: routes)
    func withoutASecretThereAreNoSuchRoutes(_ method: String, _ path: String) async throws {
        try await TestServer.run { (server: TestServer) async throws in
            let token = Token.signed(for: "u1", until: server.clock.now, secret: "")
            let response = try await server.api(
                method, path, method == "GET" ? nil : "{}", headers: ["authorization": "Bearer \(token)"])
            #expect(response.status == 404)
        }
    }

    @Test(arguments: routes)
    func whoseTokenIsNotGoodIsNobody(_ method: String, _ path: String) async throws {
        try await playing { (server: TestServer) async throws in
            let now = server.clock.now.milliseconds / 1000
            let claims = #"{"sub":"u1","exp":\#(now + 600)}"#
            let good = Token.of(claims, secret: Self.secret)
            let parts = good.split(separator: ".").map(String.init)
            var values: [String?] = [
                nil, "", "Bearer", "Bearer ", "Basic dTE6eA==", "Bearer x", "Bearer a.b.c", "Bearer ..",
                "Bearer \(good)x", "Bearer \(good).x", "Bearer \(parts[0]).\(parts[1])",
                "Bearer \(parts[0]).\(parts[1]).",
                "Bearer \(good) \(good)", good, "Bearer \(String(repeating: "a", count: 8000))",
            ]
            values += [
                Token.of(claims, secret: Self.secret + "1"), Token.of(claims, secret: ""),
                // Whatever the header names, only HS256 counts: none, the confusion with a public key, other sizes.
                Token.of(claims, secret: Self.secret, header: #"{"alg":"none","typ":"JWT"}"#),
                Token.base64(#"{"alg":"none"}"#) + "." + Token.base64(claims) + ".",
                Token.base64(#"{"alg":"none"}"#) + "." + Token.base64(claims) + "." + parts[2],
                Token.of(claims, secret: Self.secret, header: #"{"alg":"RS256","typ":"JWT"}"#),
                Token.of(claims, secret: Self.secret, header: #"{"alg":"HS384"}"#),
                Token.of(claims, secret: Self.secret, header: #"{"alg":"hs256"}"#),
                Token.of(claims, secret: Self.secret, header: #"{"typ":"JWT"}"#),
                Token.of(claims, secret: Self.secret, header: #"{"alg":"HS256","crit":["x"],"x":1}"#),
                // The claims of another token under this one's signature.
                parts[0] + "." + Token.base64(#"{"sub":"u2","exp":\#(now + 600)}"#) + "." + parts[2],
                // Over, over this very second, without an end, not begun.
                Token.of(#"{"sub":"u1","exp":\#(now - 1)}"#, secret: Self.secret),
                Token.of(#"{"sub":"u1","exp":\#(now)}"#, secret: Self.secret),
                Token.of(#"{"sub":"u1"}"#, secret: Self.secret),
                Token.of(#"{"sub":"u1","exp":"soon"}"#, secret: Self.secret),
                Token.of(#"{"sub":"u1","exp":\#(now + 600),"nbf":\#(now + 10)}"#, secret: Self.secret),
                // Without a name, or with one that is none.
                Token.of(#"{"exp":\#(now + 600)}"#, secret: Self.secret),
                Token.of(#"{"sub":"","exp":\#(now + 600)}"#, secret: Self.secret),
                Token.of(#"{"sub":1,"exp":\#(now + 600)}"#, secret: Self.secret),
                Token.of(#"{"sub":"a\nb","exp":\#(now + 600)}"#, secret: Self.secret),
                Token.of(
                    #"{"sub":"\#(String(repeating: "a", count: 101))","exp":\#(now + 600)}"#, secret: Self.secret),
                Token.of("[]", secret: Self.secret), Token.of("nonsense", secret: Self.secret),
            ].map { "Bearer \($0)" }
            for value in values {
                var headers: [String: String] = [:]
                headers["authorization"] = value
                let response = try await server.api(
                    method, path, method == "GET" ? nil : #"{"gameId":"a"}"#, headers: headers)
                #expect(response.status == 401, "\(value ?? "no header")")
                #expect(!response.text.contains("JWT") && !response.text.contains("expired"), "\(response.text)")
            }
            let response = try await server.api(
                method, path, method == "GET" ? nil : #"{"gameId":"a"}"#,
                headers: ["authorization": "bearer \(good)"])
            #expect(response.status == 200)
        }
    }

    // MARK: What they do

    @Test func aPlayerBindsDrawsAndSeesTheWin() async throws {
        try await playing { (server: TestServer) async throws in
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            let current = try await player.current()
            #expect(current.code == "ok")
            let activity = current.data["activity"] as? [String: Any]
            #expect(activity?["name"] as? String == "春节抽奖")
            #expect((activity?["commitment"] as? String)?.count == 64)
            #expect(try await player.draw().code == "not_bound")
            #expect(try await player.wins().code == "ok")
            #expect(try await player.bind("独行者").code == "ok")
            let drawn = try await player.draw()
            #expect(drawn.code == "won")
            #expect(drawn.reply.contains("恭喜中奖"))
            let award = drawn.data["award"] as? [String: String]
            #expect(award == ["id": "bao", "prefix": "低保", "name": "金币"])
            let receipt = try #require(drawn.data["receipt"] as? String)
            #expect(receipt.hasPrefix("spring-"))
            let again = try await player.draw()
            #expect(again.code == "already_won")
            let wins = try await player.wins().data["wins"] as? [[String: Any]]
            #expect(wins?.count == 1)
            #expect(wins?.first?["receipt"] as? String == receipt)
            #expect(wins?.first?["gameId"] as? String == "独行者")
            #expect(try await server.drawCount() == 1)
        }
    }

    @Test func withoutAnActivityThereIsNothingToDraw() async throws {
        try await playing { (server: TestServer) async throws in
            try await server.command(.stop(activity: nil))
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            #expect(try await player.bind("甲").code == "ok")
            #expect(try await player.draw().code == "no_activity")
        }
    }

    @Test(arguments: [
        (#"{}"#, "gameId"), (#"{"gameId":null}"#, "gameId"), (#"{"gameId":1}"#, "gameId"),
        (#"{"gameId":""}"#, "gameId"),
        (#"{"gameId":"  "}"#, "gameId"), (#"{"gameId":"a\u0007"}"#, "gameId"),
        (#"{"gameId":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#, "gameId"),
        (#"{"gameId":"a","sessionId":1}"#, "sessionId"), (#"{"gameId":"a","sessionId":"a\u0001"}"#, "sessionId"),
        (#"{"gameId":"a","requestId":[]}"#, "requestId"),
        (#"{"gameId":"a","requestId":"\#(String(repeating: "r", count: 101))"}"#, "requestId"),
        (#"{"gameId":"a","sessionId":"\#(String(repeating: "会", count: 101))"}"#, "sessionId"),
    ])
    func aBadFieldIsRefusedByItsName(_ json: String, _ field: String) async throws {
        try await playing { (server: TestServer) async throws in
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            let response = try await player.ask("bind", json)
            #expect(response.status == 400)
            #expect((response.json("msg") as? String)?.contains(field) == true, "\(response.text)")
            #expect(try await server.store.data(of: "web:u1").gameID == nil)
        }
    }

    @Test(arguments: ["bind", "draw", "wins"])
    func aBodyThatIsNoneIsRefused(_ route: String) async throws {
        try await playing { (server: TestServer) async throws in
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            for (json, status) in [("", 400), ("[]", 400), ("{", 400), ("null", 400), (#"{"a":1,"a":1}"#, 400)] {
                #expect(try await player.ask(route, json).status == status, "\(json)")
            }
            #expect(try await player.ask(route, "{}", type: "text/plain").status == 415)
            let long = #"{"requestId":"\#(String(repeating: "a", count: 66_000))"}"#
            #expect(try await player.ask(route, long).status == 413)
        }
    }

    // MARK: The same again

    @Test func theSameRequestIsOneDrawAlsoAtOnceAndAfterARestart() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "hongbao-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "hongbao.db").path
        let request = #"{"requestId":"r-1"}"#
        let first = try await playing(path: path) { (server: TestServer) async throws in
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            #expect(try await player.bind("甲").code == "ok")
            let answers = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 1...16 { group.addTask { try await player.ask("draw", request).text } }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(answers.count == 1)
            #expect(try await server.drawCount() == 1)
            // Another player's request of the same name is their own.
            let other = WebPlayer("u2", at: server, secret: Self.secret)
            #expect(try await other.bind("乙").code == "ok")
            #expect(try await other.answer("draw", request).code == "won")
            return answers.first
        }
        try await playing(path: path) { (server: TestServer) async throws in
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            #expect(try await player.ask("draw", request).text == first)
            #expect(try await server.drawCount() == 2)
            #expect(server.registry.text().contains(#"hongbao_draws_total{code="won"} 0"#))
        }
        #expect(first?.contains(#""code":"won""#) == true)
    }

    @Test func anotherCommandUnderTheSameRequestIdIsAConflict() async throws {
        try await playing { (server: TestServer) async throws in
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            let bound = try await player.ask("bind", #"{"gameId":"甲","requestId":"r"}"#)
            #expect(bound.status == 200)
            for (route, json) in [
                ("draw", #"{"requestId":"r"}"#), ("wins", #"{"requestId":"r"}"#),
                ("bind", #"{"gameId":"乙","requestId":"r"}"#),
            ] {
                let response = try await player.ask(route, json)
                #expect(response.status == 409, "\(route): \(response.text)")
                #expect(response.json("data", "code") as? String == "bad_argument")
            }
            // The first answer was kept, and nothing else happened.
            #expect(try await player.ask("bind", #"{"gameId":"甲","requestId":"r"}"#).text == bound.text)
            #expect(try await server.store.data(of: "web:u1").gameID == "甲")
            #expect(try await server.drawCount() == 0)
        }
    }

    // MARK: Places

    @Test func aSessionServesOnePlayer() async throws {
        try await playing { (server: TestServer) async throws in
            try await server.join("tab")
            let first = WebPlayer("u1", at: server, secret: Self.secret)
            let second = WebPlayer("u2", at: server, secret: Self.secret)
            #expect(try await first.answer("bind", #"{"gameId":"甲","sessionId":"tab"}"#).code == "ok")
            #expect(try await second.answer("bind", #"{"gameId":"乙","sessionId":"tab"}"#).code == "blocked")
            #expect(try await second.answer("draw", #"{"sessionId":"tab"}"#).code == "blocked")
            #expect(try await second.bind("乙").code == "ok")
            #expect(try await first.answer("draw", #"{"sessionId":"tab"}"#).code == "won")
            // A page's session leaves only by itself.
            #expect(try await server.heartbeat("tab").data["userStatus"] == "active")
        }
    }

    @Test func whoWaitsCannotDrawYet() async throws {
        try await playing { (server: TestServer) async throws in
            try await server.set("max_concurrent_users", 1)
            try await server.join("first")
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            let waiting = try await player.answer("draw", #"{"sessionId":"second"}"#)
            #expect(waiting.code == "queued")
            #expect(waiting.data["queuePosition"] as? Int == 1)
            try await server.leave("first")
            #expect(try await player.answer("bind", #"{"gameId":"甲","sessionId":"second"}"#).code == "ok")
            #expect(try await player.answer("draw", #"{"sessionId":"second"}"#).code == "won")
        }
    }

    /// Nobody can leave the place of a player without a session: it ends with the draw, or others would wait for it.
    @Test func withoutASessionThePlaceEndsWithTheDraw() async throws {
        try await playing { (server: TestServer) async throws in
            try await server.set("max_concurrent_users", 1)
            for name in ["u1", "u2"] {
                let player = WebPlayer(name, at: server, secret: Self.secret)
                #expect(try await player.draw().code == "not_bound")
                #expect(try await player.bind(name).code == "ok")
                #expect(try await server.join("newcomer").data["userStatus"] == "queued")
                try await server.leave("newcomer")
                for code in ["won", "already_won"] {
                    #expect(try await player.draw().code == code)
                    let rows = try await server.store.load().participants
                    #expect(rows.allSatisfy { $0.status != .active }, "\(code)")
                }
            }
            // With one it stays for the page to leave.
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            #expect(try await player.answer("draw", #"{"sessionId":"tab"}"#).code == "already_won")
            #expect(try await server.heartbeat("tab").data["userStatus"] == "active")
        }
    }

    /// What is only told again moves nobody.
    @Test func anAnswerToldAgainTakesNoPlaceAway() async throws {
        try await playing { (server: TestServer) async throws in
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            #expect(try await player.bind("甲").code == "ok")
            #expect(try await player.answer("draw", #"{"requestId":"r"}"#).code == "won")
            #expect(try await player.wins().code == "ok")
            #expect(try await player.answer("draw", #"{"requestId":"r"}"#).code == "won")
            #expect(try await server.check().data["currentUsers"] == "1")
        }
    }

    @Test func whoAsksTooOftenIs429() async throws {
        try await playing { (server: TestServer) async throws in
            try await server.set("user_messages_per_minute", 3)
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            for _ in 1...3 { #expect(try await player.ask("wins", "{}").status == 200) }
            let late = try await player.ask("wins", "{}")
            #expect(late.status == 429)
            #expect(late.headers["retry-after"] == "60")
            #expect(late.json("data", "code") as? String == "rate_limited")
            #expect(try await player.current().status == 429)
            #expect(try await WebPlayer("u2", at: server, secret: Self.secret).ask("wins", "{}").status == 200)
            server.clock.advance(seconds: 61)
            #expect(try await player.ask("wins", "{}").status == 200)
        }
    }

    @Test func inMaintenanceNothingIsDrawn() async throws {
        try await playing { (server: TestServer) async throws in
            let player = WebPlayer("u1", at: server, secret: Self.secret)
            #expect(try await player.bind("甲").code == "ok")
            try await server.command(.maintenance(isOn: true, reason: "升级"))
            let answer = try await player.draw()
            #expect(answer.code == "maintenance")
            #expect(answer.reply.contains("升级"))
        }
    }

    @Test func aTokenSpeaksForTheWebOnly() async throws {
        try await playing { (server: TestServer) async throws in
            let player = WebPlayer("qq:1", at: server, secret: Self.secret)
            #expect(try await player.bind("甲").code == "ok")
            #expect(try await server.store.data(of: "web:qq:1").gameID != nil)
            #expect(try await server.store.data(of: "qq:1").gameID == nil)
        }
    }
}

/// A token as the operator's other system signs it, by hand.
enum Token {
    static func signed(for user: String, until end: Instant, secret: String) -> String {
        of(#"{"sub":"\#(user)","exp":\#(end.milliseconds / 1000)}"#, secret: secret)
    }

    static func of(_ claims: String, secret: String, header: String = #"{"alg":"HS256","typ":"JWT"}"#) -> String {
        let head = base64(header) + "." + base64(claims)
        let code = HMAC<SHA256>.authenticationCode(
            for: Data(head.utf8), using: SymmetricKey(data: Data(secret.utf8)))
        return head + "." + base64(Data(code))
    }

    static func base64(_ text: String) -> String { base64(Data(text.utf8)) }

    private static func base64(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

/// A player of the page.
struct WebPlayer: Sendable {
    struct Answer {
        let status: Int
        let data: [String: Any]
        var code: String { data["code"] as? String ?? "none" }
        var reply: String { data["reply"] as? String ?? "" }

        init(_ response: PeerResponse) {
            status = response.status
            data = response.json("data") as? [String: Any] ?? [:]
        }
    }

    private let server: TestServer
    private let token: String

    init(_ name: String, at server: TestServer, secret: String) {
        self.server = server
        token = Token.signed(for: name, until: server.clock.now.advanced(bySeconds: 3600), secret: secret)
    }

    func ask(_ route: String, _ json: String, type: String = "application/json") async throws -> PeerResponse {
        try await server.api(
            "POST", "/api/activity/\(route)", json,
            headers: ["authorization": "Bearer \(token)", "content-type": type])
    }

    func answer(_ route: String, _ json: String) async throws -> Answer { Answer(try await ask(route, json)) }
    func bind(_ gameID: String) async throws -> Answer { try await answer("bind", #"{"gameId":"\#(gameID)"}"#) }
    func draw() async throws -> Answer { try await answer("draw", "{}") }
    func wins() async throws -> Answer { try await answer("wins", "{}") }

    func current() async throws -> Answer {
        Answer(try await server.api("GET", "/api/activity/current", headers: ["authorization": "Bearer \(token)"]))
    }
}
