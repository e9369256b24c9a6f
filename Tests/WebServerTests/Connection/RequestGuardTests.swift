import NIOConcurrencyHelpers
import NIOCore
import Testing
import WebServer

/// Hostile bytes on real sockets.
///
/// Deadlines under test are short; everything that must happen is waited for, and nothing is timed but by generous
/// bounds.
@Suite(.serialized)
struct RequestGuardTests {
    private static let next = "GET /number/7 HTTP/1.1\r\nHost: a\r\n\r\n"

    private func expectStatus(
        _ status: Int, to request: String, _ limits: ConnectionLimits = .changed { _ in },
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await GuardedServer.run(limits) { server in
            let text = try await server.answer(to: request, sourceLocation: sourceLocation)
            #expect(text.hasPrefix("HTTP/1.1 \(status) "), "\(text)", sourceLocation: sourceLocation)
            #expect(text.lowercased().contains("connection: close\r\n"), sourceLocation: sourceLocation)
            #expect(!text.contains("<7>"), sourceLocation: sourceLocation)
        }
    }

    // Rows 43 and 44

    @Test("hardening rows 43, 44: ambiguous framing is refused and closed") func ambiguousFramingIsRefusedAndClosed()
        async throws
    {
        try await GuardedServer.run(.changed { _ in }) { server in
            for request in BadFraming.requests {
                let text = try await server.answer(to: request + Self.next)
                #expect(text.hasPrefix("HTTP/1.1 400 "), "\(request.debugDescription) got \(text)")
                #expect(!text.contains("<7>"), "smuggled: \(request.debugDescription)")
                #expect(!text.contains("5 bytes"), "taken: \(request.debugDescription)")
            }
            #expect(server.bodies.withLockedValue { $0.isEmpty })
        }
    }

    /// What the parser itself refuses is answered and closed too.
    @Test(
        "hardening rows 43, 54: what is not HTTP is refused and closed",
        arguments: [
            "GET /hello HTTP/1.1\r\nHost : a\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
            "GET /hello HTTP/1.1\r\n Host: a\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: a\u{0}\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n", "FOO /hello HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /抽奖 HTTP/1.1\r\nHost: a\r\n\r\n", "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello",
            "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "POST /count HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "GET /hello HTTP/1.1\r\n\r\n", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\r\n\r\n", "\r\n\r\n\r\n",
        ])
    func whatIsNotHTTPIsRefusedAndClosed(_ request: String) async throws {
        try await expectStatus(400, to: request + Self.next)
    }

    @Test func plainFramingIsServed() async throws {
        try await GuardedServer.run(.changed { _ in }) { server in
            let connection = try await server.open()
            try await connection.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
            _ = await connection.until("5 bytes")
            try await connection.send("POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for byte in "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n" { try await connection.send(String(byte)) }
            _ = await connection.until("6 bytes")
            try await connection.send(Self.next)
            _ = await connection.until("<7>")
            #expect(!connection.isClosed)
            await connection.close()
        }
    }

    // Row 45

    @Test("hardening row 45: a slow header is cut off") func slowHeaderIsCutOff() async throws {
        try await GuardedServer.run(.changed { $0.requestDeadline = .milliseconds(400) }) { server in
            let slow = try await server.open()
            let start = ContinuousClock.now
            let sending = Task {
                try await slow.send("GET /hello HTTP/1.1\r\nHost: a\r\nX: ")
                while !slow.isClosed {
                    try await slow.send("y")
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            try await server.expectServing()
            let text = await slow.untilClosed()
            _ = try? await sending.value
            #expect(text.hasPrefix("HTTP/1.1 408 "))
            #expect(ContinuousClock.now - start < .seconds(30))
        }
    }

    @Test func silentConnectionIsClosedWhenIdle() async throws {
        try await GuardedServer.run(.changed { $0.idle = .seconds(3) }) { server in
            let silent = try await server.open()
            #expect(await silent.untilClosed() == "")
            let used = try await server.open()
            try await used.send(Self.next)
            #expect(await used.untilClosed().contains("<7>"))
        }
    }

    /// A request that takes its time to be answered is not idle.
    @Test func slowAnswerIsNotIdle() async throws {
        try await GuardedServer.run(.changed { $0.idle = .seconds(3) }) { server in
            let text = try await server.answer(to: "GET /slower HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(text.hasSuffix("slower"))
        }
    }

    // Row 46

    @Test("hardening row 46: a trickled body is cut off") func trickledBodyIsCutOff() async throws {
        try await GuardedServer.run(.changed { $0.requestDeadline = .milliseconds(400) }) { server in
            let slow = try await server.open()
            let sending = Task {
                try await slow.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
                while !slow.isClosed {
                    try await slow.send("y")
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            try await server.expectServing()
            #expect(await slow.untilClosed().hasPrefix("HTTP/1.1 408 "))
            _ = try? await sending.value
            #expect(server.bodies.withLockedValue { $0.isEmpty })
        }
    }

    /// Hummingbird's body sequence ends alike for a whole body and one cut short.
    @Test func bodyCutShortIsNotTakenForWhole() async throws {
        try await GuardedServer.run(.changed { $0.requestDeadline = .milliseconds(500) }) { server in
            for head in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
                let start = "POST /count HTTP/1.1\r\nHost: a\r\n\(head)\r\n\r\n5\r\nhello"
                let gone = try await server.open()
                try await gone.send(start)
                try await Task.sleep(for: .milliseconds(20))
                await gone.close()
                let half = try await server.open()
                try await half.send(start)
                try await half.endInput()
                #expect(await half.untilClosed().hasPrefix("HTTP/1.1 400 "))
                let late = try await server.open()
                try await late.send(start)
                #expect(await late.untilClosed().hasPrefix("HTTP/1.1 408 "))
            }
            #expect(await eventually { server.openConnections.count == 0 })
            #expect(server.bodies.withLockedValue { $0 } == [])
        }
    }

    // Row 47

    @Test("hardening row 47: a declared large body is refused") func declaredLargeBodyIsRefused() async throws {
        for size in ["1048577", "2147483648", "999999999999999"] {
            try await expectStatus(413, to: "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\nhello")
        }
    }

    @Test func bodyOfTheLimitIsServed() async throws {
        try await GuardedServer.run(.changed { _ in }) { server in
            let connection = try await server.open()
            try await connection.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n")
            try await connection.send(String(repeating: "x", count: 1_048_576))
            _ = await connection.until("1048576 bytes")
            await connection.close()
        }
    }

    @Test("hardening row 47: an endless body ends", arguments: ["/count", "/early"])
    func endlessChunkedBodyEnds(_ path: String) async throws {
        try await GuardedServer.run(.changed { _ in }) { server in
            let connection = try await server.open()
            try await connection.send("POST \(path) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "4000\r\n" + String(repeating: "x", count: 0x4000) + "\r\n"
            let sending = Task { await connection.sendEndlessly(chunk) }
            let text = await connection.untilClosed()
            await sending.value
            #expect(text.hasPrefix("HTTP/1.1 413 "))
            #expect(text.split(separator: "HTTP/1.1 ").count == 1, "one request, one answer")
            #expect(server.bodies.withLockedValue { $0.isEmpty })
            try await server.expectServing()
        }
    }

    // Row 48

    @Test("hardening row 48: a slow reader is cut off") func slowReaderIsCutOff() async throws {
        try await GuardedServer.run(.changed { $0.writeDeadline = .milliseconds(500) }) { server in
            let slow = try await server.open(isReading: false)
            try await slow.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            try await server.expectServing()
            #expect(await eventually { server.openConnections.count == 0 })
            await slow.close()
        }
    }

    /// One that asks for more and more and reads nothing is no better.
    @Test("hardening row 48: one that asks and reads nothing is cut off") func pipeliningSlowReaderIsCutOff()
        async throws
    {
        try await GuardedServer.run(.changed { $0.writeDeadline = .milliseconds(500) }) { server in
            let slow = try await server.open(isReading: false)
            let requests = String(repeating: Self.next, count: 1_000)
            let sending = Task { await slow.sendEndlessly(requests) }
            #expect(await eventually { server.openConnections.count == 0 })
            await slow.close()
            await sending.value
        }
    }

    @Test func largeAnswerIsReadWhole() async throws {
        try await GuardedServer.run(.changed { $0.writeDeadline = .seconds(60) }) { server in
            let connection = try await server.open()
            try await connection.send("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            let hasClosed = await eventually { connection.isClosed }
            #expect(hasClosed)
            #expect(connection.count > 1 << 26)
        }
    }

    // Row 49

    @Test("hardening row 49: too many headers are refused") func tooManyHeadersAreRefused() async throws {
        let fields = String(repeating: "X: y\r\n", count: 1_001)
        try await expectStatus(431, to: "GET /hello HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        let field = "X: " + String(repeating: "y", count: 81 << 10) + "\r\n"
        try await expectStatus(431, to: "GET /hello HTTP/1.1\r\nHost: a\r\n\(field)\r\n")
        let large = String(repeating: "X: " + String(repeating: "y", count: 1_000) + "\r\n", count: 20)
        try await expectStatus(431, to: "GET /hello HTTP/1.1\r\nHost: a\r\n\(large)\r\n")
    }

    @Test("hardening row 49: too long a target is refused") func tooLongTargetIsRefused() async throws {
        let long = String(repeating: "a", count: 1 << 20)
        try await expectStatus(414, to: "GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n")
        let items = (0..<10_000).map { "a\($0)=b" }.joined(separator: "&")
        try await expectStatus(414, to: "GET /hello?\(items) HTTP/1.1\r\nHost: a\r\n\r\n")
    }

    @Test func headOfTheLimitIsServed() async throws {
        try await GuardedServer.run(.changed { _ in }) { server in
            let fields = String(repeating: "X: " + String(repeating: "y", count: 240) + "\r\n", count: 62)
            let query = String(repeating: "q", count: (8 << 10) - 7)
            let connection = try await server.open()
            try await connection.send("GET /hello?\(query) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
            _ = await connection.until("\r\n\r\nhello")
            await connection.close()
        }
    }

    // Row 50, and 42

    @Test(
        "hardening rows 42, 50: a request for another kind of server is refused",
        arguments: [
            (417, "POST /count HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
            (417, "GET /hello HTTP/1.1\r\nHost: a\r\nexpect: something\r\n\r\n"),
            (405, "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"), (405, "TRACE /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
            (400, "GET http://a/hello HTTP/1.1\r\nHost: a\r\n\r\n"),
            (400, "GET http://b/admin HTTP/1.1\r\nHost: a\r\n\r\n"),
            (400, "GET HTTP://a/admin HTTP/1.1\r\nHost: a\r\n\r\n"), (400, "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
            (400, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), (400, "GET /admin#x HTTP/1.1\r\nHost: a\r\n\r\n"),
            (415, "POST /count HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
            (415, "POST /count HTTP/1.1\r\nHost: a\r\ncontent-encoding: br\r\nContent-Length: 5\r\n\r\nhello"),
            (
                415,
                "POST /count HTTP/1.1\r\nHost: a\r\nContent-Encoding: identity, gzip\r\nContent-Length: 5\r\n\r\nhello"
            ),
        ])
    func requestForAnotherKindOfServerIsRefused(_ status: Int, _ request: String) async throws {
        try await expectStatus(status, to: request + Self.next)
    }

    @Test func identityEncodingIsServed() async throws {
        try await GuardedServer.run(.changed { _ in }) { server in
            let connection = try await server.open()
            try await connection.send(
                "POST /count HTTP/1.1\r\nHost: a\r\nContent-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello")
            _ = await connection.until("5 bytes")
            await connection.close()
        }
    }

    @Test(
        "hardening rows 50, 55: an upgrade to HTTP/2 is ignored",
        arguments: ["Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", ""])
    func upgradeToHTTP2IsIgnored(_ fields: String) async throws {
        try await GuardedServer.run(.changed { $0.idle = .milliseconds(500) }) { server in
            let text = try await server.answer(
                to: "GET /hello HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\(fields)\r\n")
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(text.hasSuffix("\r\n\r\nhello"))
        }
    }

    // Row 51

    @Test("hardening row 51: pipelined requests are served in order", arguments: [1, 64])
    func pipelinedRequestsAreServedInOrder(_ limit: Int) async throws {
        try await GuardedServer.run(.changed { $0.pipelinedCount = limit }) { server in
            let connection = try await server.open()
            let requests = (1...1_000).map { "GET /number/\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }
            try await connection.send(requests.joined())
            let text = await connection.until("HTTP/1.1 200 OK", times: 1_000)
            _ = await connection.until("<1000>")
            let numbers = connection.text.matches(of: /<(\d+)>/).compactMap { Int($0.1) }
            #expect(numbers == Array(1...1_000), "\(text.prefix(200))")
            #expect(!connection.isClosed)
            await connection.close()
        }
    }

    @Test func pipelinedBodiesAreServedInOrder() async throws {
        try await GuardedServer.run(.changed { $0.pipelinedCount = 2 }) { server in
            let connection = try await server.open()
            let requests = (1...300).map { count in
                let body = String(repeating: "x", count: count)
                return count % 2 == 0
                    ? "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: \(count)\r\n\r\n\(body)"
                    : "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                        + "\(String(count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
            }
            try await connection.send(requests.joined())
            _ = await connection.until("300 bytes")
            #expect(server.bodies.withLockedValue { $0 } == Array(1...300))
            await connection.close()
        }
    }

    @Test func refusalWaitsForTheAnswersBefore() async throws {
        try await GuardedServer.run(.changed { _ in }) { server in
            let bad = ["GET /../admin HTTP/1.1\r\nHost: a\r\n\r\n", "GET /hello HTTP/1.1\nHost: a\r\n\r\n"]
            for (request, status) in zip(bad, ["404", "400"]) {
                let text = try await server.answer(
                    to: "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" + Self.next + request + Self.next)
                let starts = text.matches(of: /HTTP\/1\.1 (\d+)/).map { String($0.1) }
                #expect(starts == ["200", "200", status])
                #expect(text.matches(of: /<7>/).count == 1)
            }
        }
    }

    @Test("hardening row 51: a half-close is answered") func halfCloseAfterTheRequestIsAnswered() async throws {
        try await GuardedServer.run(.changed { $0.pipelinedCount = 2 }) { server in
            let connection = try await server.open()
            try await connection.send(
                "GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" + String(repeating: Self.next, count: 999))
            try await connection.endInput()
            let text = await connection.untilClosed()
            #expect(text.contains("slow"))
            #expect(text.matches(of: /<7>/).count == 999)
        }
    }

    @Test func nothingIsServedAfterConnectionClose() async throws {
        try await GuardedServer.run(.changed { _ in }) { server in
            for request in [
                "GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /slow HTTP/1.0\r\nHost: a\r\n\r\n",
                "GET /slow HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n",
            ] {
                let text = try await server.answer(to: request + Self.next)
                #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
                #expect(text.hasSuffix("\r\n\r\nslow"))
            }
        }
    }

    // Row 52

    @Test(
        "hardening row 52: a path trick is not found",
        arguments: [
            "//admin", "/x//admin", "/./admin", "/x/../admin", "/../admin", "/%2e%2e/admin", "/x/%2E%2e/admin",
            "/admin%00",
            "/%c0%ae%c0%ae/admin", "/admin;x", "/admin;x=y", "/x;/../admin", "/admin%2f", "/%2fadmin", "/admin%5c",
            "/admin%zz", "/admin%", "/%ff/admin", "/admin%0d%0aX:y", "/admin//", "/x/..", "/x/.",
        ])
    func pathTrickIsNotFound(_ path: String) async throws {
        try await expectStatus(404, to: "GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n" + Self.next)
        try await expectStatus(404, to: "GET \(path)?a=//..;%zz HTTP/1.1\r\nHost: a\r\n\r\n" + Self.next)
    }

    /// The rule is for the path alone, and the router tells upper from lower case.
    @Test("hardening row 52: case matters") func queryIsFreeAndCaseMatters() async throws {
        try await GuardedServer.run(.changed { _ in }) { server in
            let connection = try await server.open()
            try await connection.send("GET /hello?a=//../%2e;%00 HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = await connection.until("\r\n\r\nhello")
            try await connection.send("GET /ADMIN HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(!(await connection.until("any /ADMIN")).contains("secret"))
            await connection.close()
        }
    }

    // Rows 45 to 48 together

    @Test func othersAreServedWhileConnectionsHang() async throws {
        try await GuardedServer.run(.changed { _ in }) { server in
            var hanging: [RawConnection] = []
            for start in [
                "", "G", "GET /hello HTTP/1.1\r\nX: y", "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
                "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
                "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
            ] {
                for _ in 0..<20 {
                    let connection = try await server.open(isReading: false)
                    try await connection.send(start)
                    hanging.append(connection)
                }
            }
            for _ in 0..<20 { try await server.expectServing() }
            #expect(hanging.allSatisfy { !$0.isClosed })
            for connection in hanging { await connection.close() }
        }
    }
}
