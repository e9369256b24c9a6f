import ChatPlatforms
import Foundation
import NIOCore
import TestSupport
import Testing
import WebServer

/// What the connection layer refuses: under `/api` in the API's form, elsewhere with nothing but the status.
///
/// - Source: spec.md section 8; hardening.md sections 1.2 and 1.3.
struct RefusalFormTests {
    private static let page = "https://play.example"

    private static let refused: [(status: Int, method: String, rest: String)] = [
        (413, "POST", "Content-Length: 1048577\r\n\r\nx"), (413, "POST", "Content-Length: 2147483648\r\n\r\n"),
        (413, "POST", "Transfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n"),
        (415, "POST", "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
        (417, "POST", "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"), (405, "TRACE", "\r\n"),
        (400, "POST", "Host: b\r\n\r\n"), (400, "POST", "Transfer-Encoding: chunked\r\n\r\nno size"),
        (408, "POST", "Content-Length: 20\r\n\r\n{"), (413, "HEAD", "Content-Length: 2147483648\r\n\r\n"),
    ]

    /// - Parameter isPatient: Whether what is slow because the machine is busy is served all the same.
    private func running(
        isPatient: Bool = true, _ body: @Sendable (TestServer) async throws -> Void
    ) async throws {
        try await TestServer.run { configuration in
            configuration.corsOrigins = [Self.page]
            configuration.limits.requestDeadline = isPatient ? .seconds(300) : .seconds(1)
        } _: { (server: TestServer) async throws in
            try await body(server)
        }
    }

    private func answer(_ server: TestServer, _ parts: [String]) async throws -> (head: String, body: String) {
        let connection = try await RawConnection.open(server.port)
        for part in parts {
            // It may have been refused before.
            try? await connection.send(part)
            if part != parts.last { try await Task.sleep(for: .milliseconds(50)) }
        }
        let text = await connection.untilClosed("\(parts)")
        let halves = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
        return (halves[0].lowercased(), halves.count == 2 ? String(halves[1]) : "")
    }

    /// However the bytes come.
    @Test(arguments: [false, true], [false, true])
    func underTheAPIItHasTheEnvelope(_ isInPieces: Bool, _ isPatient: Bool) async throws {
        try await running(isPatient: isPatient) { server in
            for (status, method, rest) in Self.refused where (status != 408) == isPatient {
                let head = "\(method) /api/traffic/join?a=b HTTP/1.1\r\nHost: a\r\nOrigin: \(Self.page)\r\n"
                let request = head + "Content-Type: application/json\r\n" + rest
                let end = try #require(request.firstRange(of: "\r\n\r\n")).upperBound
                let parts = isInPieces ? [String(request[..<end]), String(request[end...])] : [request]
                let (fields, body) = try await answer(server, parts.filter { !$0.isEmpty })
                #expect(fields.hasPrefix("http/1.1 \(status) "), "\(request): \(fields)")
                for field in [
                    "connection: close", "content-type: application/json; charset=utf-8", "vary: origin",
                    "access-control-allow-origin: \(Self.page)", "cache-control: no-store",
                ] {
                    #expect(fields.contains(field), "\(request): \(fields)")
                }
                if method == "HEAD" {
                    #expect(body == "")
                    continue
                }
                #expect(fields.contains("content-length: \(body.utf8.count)"))
                let value = try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any]
                #expect(value?["code"] as? Int == status && value?["data"] is NSNull, "\(request): \(body)")
                let message = value?["msg"] as? String ?? ""
                #expect(message.unicodeScalars.contains { $0.properties.isIdeographic }, "\(body)")
                if status == 405 { #expect(fields.contains("allow: ")) }
            }
        }
    }

    @Test func aForeignOriginGetsNoHeaderThereEither() async throws {
        try await running { server in
            for origins in ["", "Origin: https://evil.example\r\n", "Origin: \(Self.page)\r\nOrigin: null\r\n"] {
                let (fields, body) = try await answer(
                    server,
                    ["POST /api/traffic/join HTTP/1.1\r\nHost: a\r\n\(origins)Content-Length: 9999999\r\n\r\n"])
                #expect(fields.hasPrefix("http/1.1 413 ") && body.contains(#""code":413"#))
                #expect(!fields.contains("access-control") && fields.contains("vary: origin"))
            }
        }
    }

    @Test func elsewhereItIsTheStatusAlone() async throws {
        try await running { server in
            for path in ["/webhook/x", "/healthz", "/apis", "/api%2f"] {
                let (fields, body) = try await answer(
                    server,
                    ["POST \(path) HTTP/1.1\r\nHost: a\r\nOrigin: \(Self.page)\r\nContent-Length: 9999999\r\n\r\n"])
                #expect(fields.contains(" 413 ") || fields.contains(" 404 "), "\(path): \(fields)")
                #expect(fields.contains("content-length: 0") && !fields.contains("access-control"), "\(path)")
                #expect(body == "")
            }
        }
    }

    private static let withoutEnd = [
        400: "POST /api/traffic/join HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
        414: "GET /api/traffic/check?\(String(repeating: "a", count: 20_000)) HTTP/1.1\r\n",
        431: "GET /api/traffic/check HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 20_000))\r\n",
        408: "GET /api/traffic/check HTTP/1.1\r\nHost: a\r\n",
    ]

    /// Nobody knows who was asked.
    @Test(arguments: withoutEnd.keys.sorted())
    func withoutAHeadItIsTheStatusAlone(_ status: Int) async throws {
        try await running(isPatient: status != 408) { server in
            let (fields, body) = try await answer(server, [try #require(Self.withoutEnd[status])])
            #expect(fields.hasPrefix("http/1.1 \(status) ") && fields.contains("content-length: 0"), "\(fields)")
            #expect(body == "")
        }
    }

    /// Answers before it come first, and it is the last.
    @Test func itWaitsForTheAnswersBefore() async throws {
        try await running { server in
            let check = "GET /api/traffic/check HTTP/1.1\r\nHost: a\r\n\r\n"
            let connection = try await RawConnection.open(server.port)
            try await connection.send(
                check + check + "POST /api/traffic/join HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n"
                    + check)
            let text = await connection.untilClosed()
            #expect(text.matches(of: /HTTP\/1\.1 (\d+)/).map { String($0.1) } == ["200", "200", "413"])
            #expect(text.hasSuffix(#""data":null}"#))
        }
    }

    // MARK: Row 49

    @Test("hardening row 49: too many query items are refused") func aQueryWithTooManyItemsIsRefused() async throws {
        try await running { server in
            func query(_ count: Int) -> String { (1...count).map { "a\($0)=b" }.joined(separator: "&") }
            #expect(try await server.get("/api/traffic/check?" + query(64)).status == 200)
            let response = try await server.get("/api/traffic/check?" + query(65))
            #expect(response.status == 400 && response.json("code") as? Int == 400)
            #expect(try await server.get("/healthz?" + query(65)).status == 400)
        }
    }

    /// A second signature behind as many items as are read must not go unseen.
    @Test func aSecondSignatureCannotHideBehindOtherItems() async throws {
        let sender = HostileSender.wecom
        try await sender.attacking { (server: TestServer) async throws in
            let now = server.clock.now
            let body = Array(HostileSender.sealed(HostileSender.xml("1", 1, "绑定 独行者", now)).utf8)
            let signed = sender.sign(body, 1, now)
            let signature = try #require(signed.query.firstMatch(of: /msg_signature=[0-9a-f]+/)).output
            let count = signed.query.split(separator: "&").count
            for (filled, status) in [(64 - count, 200), (63 - count, 401), (64 - count, 400)] {
                let fillers = (0..<filled).map { "&x\($0)=y" }.joined()
                let query = signed.query + fillers + (status == 200 ? "" : "&" + signature)
                let response = try await server.send(
                    PeerRequest(path: query, headers: signed.headers, body: body), to: sender.path)
                #expect(response.status == status, "\(filled): \(response.status)")
            }
        }
    }

    // MARK: One endpoint that takes more

    @Test func aLargerLimitOfOneEndpointIsItsOwn() async throws {
        let matrix = Endpoint(
            name: "matrix",
            adapter: try HostileSender.adapter(.matrix, MatrixPeer().settings(api: "https://matrix.example")))
        let webhook = try #require(HostileSender.webhook.endpoint)
        try await TestServer.run([matrix, try webhook()]) { (server: TestServer) async throws in
            let body = [UInt8](repeating: UInt8(ascii: " "), count: 2 << 20)
            let json = ["Content-Type": "application/json"]
            var connection = try await HostileConnection(server.port)
            let join = try #require(try await connection.exchange("POST", "/api/traffic/join", json, body))
            #expect(join.status == 413 && join.json("code") as? Int == 413)
            connection = try await HostileConnection(server.port)
            #expect(try await connection.exchange("POST", "/webhook/webhook", json, body)?.status == 413)
            // Read, and refused for its token only.
            connection = try await HostileConnection(server.port)
            #expect([401, 403].contains(try await connection.exchange("PUT", "/webhook/matrix/x", json, body)?.status))
            connection = try await HostileConnection(server.port)
            let huge = [UInt8](repeating: UInt8(ascii: " "), count: 9 << 20)
            let refused = try #require(try await connection.exchange("POST", "/api/traffic/join", json, huge))
            #expect(refused.status == 413 && refused.json("code") as? Int == 413)
        }
    }
}
