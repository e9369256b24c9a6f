import Activities
import Basics
import ChatPlatforms
import Foundation
import NIOSSL
import TestSupport
import Testing
import WebServer

/// Paths, hosts and protocols in front of the real routes.
///
/// - Source: hardening.md section 1.3.
struct HostileRouteTests {
    private static let paths = [
        "//api/traffic/check", "/api//traffic/check", "/api/traffic/../traffic/check",
        "/api/traffic/%2e%2e/traffic/check",
        "/api/traffic/check%00", "/api/traffic/%c0%ae%c0%ae/check", "/api/traffic/check;a=b", "/API/traffic/check",
        "/api/Traffic/Check", "/api/traffic/check/", "/webhook/../metrics", "/webhook/%2e%2e/metrics",
        "/webhook//webhook",
        "/Webhook/webhook", "/webhook/WEBHOOK", "/webhook/webhook/../../readyz", "/webhook/webhook%2f..%2f..%2fmetrics",
        "/metrics/",
        "/METRICS", "/readyz;x", "/%6detrics%00", "/api%2ftraffic%2fcheck", "/healthz%2f", "/.%2e/healthz",
    ]

    @Test("hardening row 52: no spelling of a path reaches a route but its own")
    func noOtherSpellingOfAPathReachesARoute() async throws {
        try await HostileSender.webhook.attacking { (server: TestServer) async throws in
            for path in Self.paths {
                for method in ["GET", "POST"] {
                    var connection = try await HostileConnection(server.port)
                    let response = try await connection.exchange(method, path, ["Content-Type": "application/json"], [])
                    #expect(response?.status == 404, "\(method) \(path): \(response?.status ?? 0)")
                    #expect(response?.text.contains("hongbao_") == false && response?.text.contains("ready") == false)
                    await connection.close()
                }
            }
            #expect(server.sum("hongbao_messages_total") == 0)
        }
    }

    /// There are no pages for a browser yet that are bound to a name, so any one host is as good as another; but it must be
    /// one, and nothing of it comes back.
    @Test("hardening row 54: a host is neither missing nor doubled, and never echoed")
    func aHostIsNeverEchoed() async throws {
        try await TestServer.run { server in
            func answer(_ head: String) async throws -> String {
                let connection = try await RawConnection.open(server.port)
                try await connection.send("GET /healthz HTTP/1.1\r\n\(head)Connection: close\r\n\r\n")
                return await connection.untilClosed()
            }
            for head in ["", "Host: a\r\nHost: a\r\n", "Host: a\r\nhost: b\r\n"] {
                #expect(try await answer(head).hasPrefix("HTTP/1.1 400 "), "\(head.debugDescription)")
            }
            for host in ["evil.example", "127.0.0.1", "[::1]", "2130706433", "a, b", "<script>", "evil.example:99999"] {
                let text = try await answer("Host: \(host)\r\n")
                #expect(text.hasPrefix("HTTP/1.1 200 ") && text.hasSuffix("ok\n"), "\(host): \(text)")
                #expect(!text.contains("evil") && !text.contains("script") && !text.lowercased().contains("location"))
            }
        }
    }

    @Test(
        "hardening row 55: HTTP/2 is neither offered nor understood",
        arguments: ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0"])
    func http2IsNotUnderstood(_ preface: String) async throws {
        try await TestServer.run { server in
            let connection = try await RawConnection.open(server.port)
            try await connection.send(preface)
            let text = await connection.untilClosed()
            #expect(text.hasPrefix("HTTP/1.1 400 ") && text.split(separator: "HTTP/1.1").count == 1)
        }
    }

    @Test("hardening row 81: the log tells of a clock that jumps, once")
    func theLogTellsOfAClockThatJumps() async throws {
        let (logger, lines) = LogCollector.make()
        @Sendable func count() -> Int { lines().count { $0.contains("clock was changed") } }
        try await TestServer.run(logger: logger) { server in
            try await server.command(.traffic)
            #expect(count() == 0)
            for (number, seconds) in [(1, -3600), (2, 315_576_000)] as [(Int, Int64)] {
                server.clock.advance(seconds: seconds)
                for _ in 1...3 { try await server.command(.traffic) }
                #expect(count() == number)
            }
        }
    }
}
