import Activities
import Basics
import Foundation
import SQLiteStore
import TestSupport
import Testing
import TrafficGate
import WebServer

/// The traffic gate as the red-packet page sees it.
///
/// - Source: spec.md section 8.
struct TrafficRoutesTests {
    private static let routes = ["join", "heartbeat", "leave"]

    // MARK: What is answered

    @Test func anEmptyGateIsOk() async throws {
        try await TestServer.run { (server: TestServer) async throws in
            let check = try await server.check()
            #expect(
                check.text == #"{"code":200,"msg":"success","data":{"status":"ok","currentUsers":0,"maxUsers":800}}"#)
            #expect(check.headers["content-type"] == "application/json; charset=utf-8")
            #expect(check.headers["cache-control"] == "no-store")
        }
    }

    @Test func aVisitorIsActiveThenIdle() async throws {
        try await TestServer.run { (server: TestServer) async throws in
            let joined = try await server.api(
                "POST", "/api/traffic/join", #"{"action":"join","sessionId":"s1","userId":"u1"}"#)
            #expect(
                joined.text
                    == #"{"code":200,"msg":"success","data":{"success":true,"currentUsers":1,"userStatus":"active"}}"#)
            #expect(try await server.heartbeat("s1").text == joined.text)
            let left = try await server.leave("s1")
            #expect(
                left.text
                    == #"{"code":200,"msg":"success","data":{"success":true,"currentUsers":0,"userStatus":"idle"}}"#)
            // Who has nothing to leave holds no place either.
            #expect(try await server.leave("s1").text == left.text)
            let beat = try await server.heartbeat("s1")
            #expect(beat.data == ["success": "0", "currentUsers": "0", "userStatus": "blocked"])
        }
    }

    @Test func whoComesToAFullGateWaitsAndIsToldHowLong() async throws {
        try await TestServer.run { (server: TestServer) async throws in
            try await server.set("max_concurrent_users", 1)
            #expect(try await server.join("a").data["userStatus"] == "active")
            let second = try await server.join("b")
            #expect(second.data == ["success": "1", "currentUsers": "1", "userStatus": "queued", "queuePosition": "1"])
            let third = try await server.join("c")
            #expect(third.data["queuePosition"] == "2")
            #expect(try await server.heartbeat("c").data["queuePosition"] == "2")
            var check = try await server.check()
            // Unknown is left out, never 0.
            #expect(
                check.data == [
                    "status": "crowded", "currentUsers": "1", "maxUsers": "1", "queuePosition": "3", "retryAfter": "30",
                ])

            // When one leaves, and the clock of the measure has gone on
            server.clock.advance(seconds: 20)
            try await server.leave("a")
            server.clock.advance(seconds: 31)
            #expect(try await server.heartbeat("b").data["userStatus"] == "active")
            #expect(try await server.until { try await server.heartbeat("c").data["estimatedWaitTime"] != nil })
            check = try await server.check()
            #expect(Int(check.data["estimatedWaitTime"] ?? "") ?? 0 > 0)
            #expect(check.data["queuePosition"] == "2")
        }
    }

    @Test func inMaintenanceAJoinIsAnsweredAndRefused() async throws {
        try await TestServer.run { (server: TestServer) async throws in
            try await server.join("early")
            try await server.command(.maintenance(isOn: true, reason: nil))
            let joined = try await server.join("late")
            #expect(joined.status == 200)
            #expect(joined.data == ["success": "0", "currentUsers": "1", "userStatus": "blocked"])
            #expect(try await server.join("early").data["success"] == "0")
            // Heartbeat and leave work.
            #expect(try await server.heartbeat("early").data["userStatus"] == "active")
            #expect(
                try await server.check().data == [
                    "status": "maintenance", "currentUsers": "1", "maxUsers": "800", "retryAfter": "60",
                ])
            #expect(try await server.leave("early").data["userStatus"] == "idle")
        }
    }

    /// A page's session is no chat user's, whatever it is called.
    @Test func aPageCannotTakeAChatUsersPlace() async throws {
        try await TestServer.run { (server: TestServer) async throws in
            try await server.join("qq:1")
            let rows = try await server.store.load().participants
            #expect(rows.map(\.session.text) == ["web:qq:1"])
        }
    }

    // MARK: What is refused

    @Test(arguments: routes)
    func aBadFieldIsRefusedByItsName(_ route: String) async throws {
        try await TestServer.run { (server: TestServer) async throws in
            var faults: [(json: String, field: String)] = [
                (#"{"sessionId":"s"}"#, "action"), (#"{"action":null,"sessionId":"s"}"#, "action"),
                (#"{"action":1,"sessionId":"s"}"#, "action"), (#"{"action":"","sessionId":"s"}"#, "action"),
                (#"{"action":"dance","sessionId":"s"}"#, "action"),
                (#"{"action":"\#(String(repeating: "a", count: 101))","sessionId":"s"}"#, "action"),
                (#"{"action":"\#(route)\u0007","sessionId":"s"}"#, "action"),
            ]
            let bad = [
                "null", "1", "true", "[]", "{}", "\"\"", "\"\(String(repeating: "a", count: 101))\"",
                "\"\(String(repeating: "🧧", count: 101))\"", #""a\u0001""#, #""a\u007f""#, #""a\u0085b""#, #""a\nb""#,
            ]
            faults += bad.map { (#"{"action":"\#(route)","sessionId":\#($0)}"#, "sessionId") }
            faults.append((#"{"action":"\#(route)"}"#, "sessionId"))
            if route == "join" {
                let long = String(repeating: "长", count: 51)
                faults += ["1", "true", "[]", "{}", "\"\(long)\"", #""a\u0001""#].map {
                    (#"{"action":"join","sessionId":"s","userId":\#($0)}"#, "userId")
                }
            }
            for fault in faults {
                let response = try await server.api("POST", "/api/traffic/\(route)", fault.json)
                #expect(response.status == 400, "\(fault.json)")
                let message = response.json("msg") as? String ?? ""
                #expect(message.contains(fault.field), "\(fault.json): \(message)")
                // In Chinese, English beside it.
                #expect(message.unicodeScalars.contains { $0.properties.isIdeographic }, "\(message)")
            }
            #expect(try await server.check().data["currentUsers"] == "0")
        }
    }

    @Test(arguments: [
        String(repeating: "a", count: 100), String(repeating: "🧧", count: 100), "长", " ", "👩‍👩‍👧", "a\\\"b\\\\c", "é",
    ])
    func upToAHundredCharactersMakeASession(_ session: String) async throws {
        try await TestServer.run { (server: TestServer) async throws in
            let joined = try await server.join(session)
            #expect(joined.data["userStatus"] == "active")
            #expect(try await server.heartbeat(session).data["userStatus"] == "active")
            #expect(try await server.leave(session).data["userStatus"] == "idle")
            #expect(try await server.check().data["currentUsers"] == "0")
        }
    }

    /// Compared as bytes, never by Unicode equivalence.
    @Test func lookAlikesAreTwoSessions() async throws {
        try await TestServer.run { (server: TestServer) async throws in
            try await server.join("\u{E9}")
            #expect(try await server.join("e\u{301}").data["currentUsers"] == "2")
            #expect(try await server.join("\u{212B}").data["currentUsers"] == "3")
            #expect(try await server.join("\u{C5}").data["currentUsers"] == "4")
        }
    }

    @Test(arguments: [#""userId":null"#, #""userId":"""#, #""other":[1,2.5e3,{"a":null}]"#])
    func aVisitorNeedsNoName(_ member: String) async throws {
        try await TestServer.run { (server: TestServer) async throws in
            let response = try await server.api(
                "POST", "/api/traffic/join", #"{"action":"join","sessionId":"s",\#(member)}"#)
            #expect(response.data["userStatus"] == "active")
            #expect(try await server.store.load().participants.map(\.user) == [nil])
        }
    }

    @Test(arguments: [
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "application/jsonp",
        "text/json", "application/json, text/plain", "", "json",
    ])
    func anotherMediaTypeIs415(_ type: String) async throws {
        try await TestServer.run { (server: TestServer) async throws in
            let response = try await server.api(
                "POST", "/api/traffic/join", #"{"action":"join","sessionId":"s"}"#, headers: ["content-type": type])
            #expect(response.status == 415)
        }
    }

    @Test(arguments: ["application/json", "Application/JSON; charset=utf-8", "application/json;charset=UTF-8"])
    func jsonIsTakenHoweverItIsWritten(_ type: String) async throws {
        try await TestServer.run { (server: TestServer) async throws in
            let response = try await server.api(
                "POST", "/api/traffic/join", #"{"action":"join","sessionId":"s"}"#, headers: ["content-type": type])
            #expect(response.status == 200)
        }
    }

    @Test func overSixtyFourKibibytesAre413() async throws {
        try await TestServer.run { (server: TestServer) async throws in
            let frame = #"{"action":"join","sessionId":"s","x":""}"#
            func body(_ size: Int) -> String {
                frame.replacing(#""x":"""#, with: #""x":"\#(String(repeating: "a", count: size - frame.utf8.count))""#)
            }
            let largest = try await server.api("POST", "/api/traffic/join", body(64 * 1024))
            #expect(largest.status == 200)
            #expect(try await server.api("POST", "/api/traffic/join", body(64 * 1024 + 1)).status == 413)
            #expect(try await server.join("after").status == 200)
        }
    }

    @Test(arguments: [
        "/api", "/api/", "/api/traffic", "/api/traffic/", "/api/traffic/Join", "/api/traffic/join/x",
        "/api/activity/draw", "/api/activity/current", "/api/x",
    ])
    func anUnknownPathIs404InTheEnvelope(_ path: String) async throws {
        try await TestServer.run { (server: TestServer) async throws in
            for method in ["GET", "POST"] {
                let response = try await server.send(PeerRequest(method: method), to: path)
                #expect(response.status == 404)
                #expect(response.json("code") as? Int == 404)
            }
        }
    }

    @Test(arguments: [
        ("POST", "/api/traffic/check", "GET, HEAD"), ("GET", "/api/traffic/join", "POST"),
        ("PUT", "/api/traffic/join", "POST"), ("DELETE", "/api/traffic/leave", "POST"),
        ("PATCH", "/api/traffic/heartbeat", "POST"), ("OPTIONS", "/api/traffic/join", "POST"),
    ])
    func anotherMethodIs405InTheEnvelope(_ method: String, _ path: String, _ allowed: String) async throws {
        try await TestServer.run { (server: TestServer) async throws in
            let response = try await server.send(PeerRequest(method: method), to: path)
            #expect(response.status == 405)
            #expect(response.json("code") as? Int == 405)
            #expect(response.headers["allow"] == allowed)
        }
    }

    // MARK: Whose address

    private static let forwarded: [(Set<String>, [String], String)] = [
        // Only the socket's address counts, whatever the header says.
        (Set<String>(), ["1.1.1.1", "2.2.2.2"], "blocked"), (["10.0.0.9"], ["1.1.1.1", "2.2.2.2"], "blocked"),
        // Behind a proxy it is what the proxy saw: the last entry.
        (["127.0.0.1"], ["1.1.1.1", "2.2.2.2"], "active"), (["127.0.0.1"], ["1.1.1.1", "9.9.9.9, 1.1.1.1"], "blocked"),
        (["127.0.0.1"], ["1.1.1.1", "1.1.1.1, 2.2.2.2"], "active"),
        (["127.0.0.1", "10.0.0.9"], ["1.1.1.1", "1.1.1.1, 10.0.0.9"], "blocked"),
        (["127.0.0.1"], ["2001:db8::1", "2001:db8::ffff:2"], "blocked"),
        (["127.0.0.1"], ["2001:db8::1", "2001:db8:0:1::1"], "active"),
    ]

    @Test("hardening row 53: a forwarded address counts only from a configured proxy", arguments: forwarded)
    func aForwardedAddressCountsOnlyFromAConfiguredProxy(
        _ proxies: Set<String>, _ addresses: [String], _ second: String
    ) async throws {
        try await TestServer.run { configuration in
            configuration.trustedProxies = proxies
        } _: { (server: TestServer) async throws in
            try await server.set("ip_max_sessions", 1)
            #expect(
                try await server.join("a", headers: ["x-forwarded-for": addresses[0]]).data["userStatus"] == "active")
            let answer = try await server.join("b", headers: ["x-forwarded-for": addresses[1]])
            #expect(answer.status == 200)
            #expect(answer.data["userStatus"] == second)
        }
    }

    /// Row 53: neither from a stranger nor from a proxy.
    @Test("hardening row 53: the other header counts from nobody", arguments: [Set<String>(), ["127.0.0.1"]])
    func theOtherForwardingHeaderCountsFromNobody(_ proxies: Set<String>) async throws {
        try await TestServer.run { configuration in
            configuration.trustedProxies = proxies
        } _: { (server: TestServer) async throws in
            try await server.set("ip_max_sessions", 1)
            #expect(try await server.join("a", headers: ["forwarded": "for=1.1.1.1"]).data["userStatus"] == "active")
            #expect(try await server.join("b", headers: ["forwarded": "for=2.2.2.2"]).data["userStatus"] == "blocked")
        }
    }

    /// Over a socket for both families an IPv4 proxy has another spelling.
    @Test(.enabled(if: TestMachine.hasIPv6, "there is no ::1"))
    func aProxyIsKnownOverASocketOfBothFamilies() async throws {
        try await TestServer.run { configuration in
            configuration.host = "::"
            configuration.trustedProxies = ["127.0.0.1"]
        } _: { (server: TestServer) async throws in
            try await server.set("ip_max_sessions", 1)
            for number in 1...2 {
                let joined = try await server.join("s\(number)", headers: ["x-forwarded-for": "1.1.1.\(number):99"])
                #expect(joined.data["userStatus"] == "active")
            }
            #expect(
                try await server.join("s3", headers: ["x-forwarded-for": "1.1.1.1"]).data["userStatus"] == "blocked")
        }
    }

    // MARK: Other origins

    private static let page = "https://play.example"

    private func crossOrigin(_ body: @Sendable (TestServer) async throws -> Void) async throws {
        try await TestServer.run { configuration in
            configuration.corsOrigins = [Self.page]
            configuration.playerTokenSecret = "a-secret-of-the-tests-with-40-characters"
        } _: { (server: TestServer) async throws in
            try await body(server)
        }
    }

    @Test func aConfiguredOriginMayReadEveryAnswer() async throws {
        try await crossOrigin { (server: TestServer) async throws in
            for (method, path, status) in [
                ("GET", "/api/traffic/check", 200), ("POST", "/api/traffic/join", 415), ("GET", "/api/nothing", 404),
                ("POST", "/api/activity/draw", 401), ("DELETE", "/api/traffic/join", 405),
            ] {
                let response = try await server.send(
                    PeerRequest(method: method, headers: ["origin": Self.page]), to: path)
                #expect(response.status == status)
                #expect(response.headers["access-control-allow-origin"] == Self.page, "\(path)")
                #expect(response.headers["vary"] == "Origin")
                #expect(response.headers["access-control-allow-credentials"] == nil)
            }
        }
    }

    @Test func aPreflightIsAnswered() async throws {
        try await crossOrigin { (server: TestServer) async throws in
            for path in ["/api/traffic/join", "/api/activity/draw"] {
                let response = try await server.send(
                    PeerRequest(
                        method: "OPTIONS",
                        headers: [
                            "origin": Self.page, "access-control-request-method": "POST",
                            "access-control-request-headers": "authorization,content-type",
                        ]), to: path)
                #expect(response.status == 204)
                #expect(response.headers["access-control-allow-origin"] == Self.page)
                #expect(response.headers["access-control-allow-methods"] == "GET, POST")
                #expect(response.headers["access-control-allow-headers"] == "authorization, content-type")
                #expect(response.headers["vary"] == "Origin")
            }
        }
    }

    @Test(arguments: ["/api", "/api/nothing", "/api/traffic/join/x"])
    func aPreflightForNothingIs404(_ path: String) async throws {
        try await crossOrigin { (server: TestServer) async throws in
            let response = try await server.send(
                PeerRequest(
                    method: "OPTIONS", headers: ["origin": Self.page, "access-control-request-method": "POST"]),
                to: path)
            #expect(response.status == 404 && response.json("code") as? Int == 404)
            #expect(response.headers["access-control-allow-origin"] == Self.page)
        }
    }

    @Test(arguments: [
        "https://evil.example", "http://play.example", "https://play.example.evil.example", "https://play.example:444",
        "https://PLAY.example", "null", "https://play.example/", "*",
    ])
    func aForeignOriginGetsNoHeader(_ origin: String) async throws {
        try await crossOrigin { (server: TestServer) async throws in
            for method in ["GET", "OPTIONS"] {
                let response = try await server.send(
                    PeerRequest(
                        method: method, headers: ["origin": origin, "access-control-request-method": "GET"]),
                    to: "/api/traffic/check")
                #expect(!response.headers.keys.contains { $0.hasPrefix("access-control") }, "\(response.headers)")
            }
        }
    }

    @Test func nothingButTheAPIIsForOtherOrigins() async throws {
        try await crossOrigin { (server: TestServer) async throws in
            for path in ["/healthz", "/readyz", "/metrics", "/openapi.json", "/webhook/x"] {
                let response = try await server.get(path, headers: ["origin": Self.page])
                #expect(!response.headers.keys.contains { $0.hasPrefix("access-control") }, "\(path)")
            }
        }
    }
}
