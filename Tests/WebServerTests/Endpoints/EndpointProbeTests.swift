import Basics
import ChatPlatforms
import Foundation
import NIOConcurrencyHelpers
import Testing
import WebServer

/// How the credentials of an endpoint are checked.
struct EndpointProbeTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let platform: Platform
        let settings: [String: String]
        /// The call that is made, and the header that carries the credentials.
        let call: String
        var authorization: String?
        /// Answers by status and body.
        let accepted: (Int, String)
        let refused: [(Int, String)]
        var unclear: [(Int, String)] = [(404, ""), (500, "{}"), (429, "{}")]

        var testDescription: String { platform.rawValue }

        func endpoint(api: String) throws -> Endpoint {
            let settings = settings.mapValues { $0.replacingOccurrences(of: "API", with: api) }
            return Endpoint(name: "bot", adapter: try platform.adapter(planting: settings))
        }
    }

    private static let secret = "b7f3a1c95d2e48f06a1b9c3d7e5f2048"

    static let cases = [
        Case(
            platform: .telegram,
            settings: [
                "secret_token": secret, "bot_username": "DrawBot", "bot_token": "123:abc-DEF", "api_url": "API",
            ],
            call: "GET /bot123:abc-DEF/getMe", accepted: (200, #"{"ok":true,"result":{"id":123}}"#),
            refused: [(401, #"{"ok":false,"error_code":401}"#), (404, #"{"ok":false,"error_code":404}"#)],
            unclear: [(200, "hello"), (200, #"{"ok":false}"#), (500, ""), (429, "")]),
        Case(
            platform: .slack,
            settings: ["signing_secret": secret, "bot_token": "xoxb-1-a", "api_url": "API"],
            call: "POST /auth.test", authorization: "Bearer xoxb-1-a", accepted: (200, #"{"ok":true,"team":"T"}"#),
            refused: [(200, #"{"ok":false,"error":"invalid_auth"}"#), (200, #"{"ok":false,"error":"token_revoked"}"#)],
            unclear: [(200, #"{"ok":false,"error":"ratelimited"}"#), (200, "hello"), (404, ""), (429, "")]),
        Case(
            platform: .line,
            settings: ["channel_secret": secret, "channel_access_token": "line-token", "api_url": "API"],
            call: "GET /v2/bot/info", authorization: "Bearer line-token", accepted: (200, #"{"userId":"U1"}"#),
            refused: [(401, #"{"message":"Authentication failed"}"#)]),
        Case(
            platform: .matrix,
            settings: ["hs_token": secret, "as_token": "as-token", "homeserver_url": "API"],
            call: "GET /_matrix/client/v3/account/whoami", authorization: "Bearer as-token",
            accepted: (200, #"{"user_id":"@hongbao:example.org"}"#),
            refused: [(401, #"{"errcode":"M_UNKNOWN_TOKEN"}"#), (403, #"{"errcode":"M_FORBIDDEN"}"#)]),
        Case(
            platform: .satori, settings: ["token": secret, "api_token": "satori-token", "api_url": "API/satori"],
            call: "POST /satori/v1/meta", authorization: "Bearer satori-token", accepted: (200, #"{"logins":[]}"#),
            refused: [(401, ""), (403, "")]),
        Case(
            platform: .onebot11, settings: ["secret": secret, "access_token": "ob-token", "api_url": "API"],
            call: "POST /get_login_info", authorization: "Bearer ob-token",
            accepted: (200, #"{"status":"ok","retcode":0,"data":{"user_id":1,"nickname":"a"}}"#),
            refused: [(401, ""), (403, "")],
            unclear: [(200, "hello"), (200, #"{"status":"failed","retcode":1404}"#), (404, ""), (500, "")]),
        Case(
            platform: .qq,
            settings: [
                "app_id": "102000001", "bot_secret": secret, "api_url": "API", "token_url": "API/app/getAppAccessToken",
            ],
            call: "POST /app/getAppAccessToken", accepted: (200, #"{"access_token":"t","expires_in":"7200"}"#),
            refused: [(200, #"{"code":100016,"message":"invalid appid or secret"}"#), (401, "")]),
        Case(
            platform: .feishu,
            settings: [
                "verification_token": secret, "encrypt_key": secret, "app_id": "cli_a1", "app_secret": secret,
                "api_url": "API",
            ],
            call: "POST /open-apis/auth/v3/tenant_access_token/internal",
            accepted: (200, #"{"code":0,"tenant_access_token":"t","expire":7200}"#),
            refused: [(200, #"{"code":10014,"msg":"app secret invalid"}"#)]),
        Case(
            platform: .wecom,
            settings: [
                "token": "Token91fb", "encoding_aes_key": "serveTestsWeChatKey0123456789ABCDEFGHIJKLMN",
                "receive_id": "ww1", "corp_secret": "corp-secret", "api_url": "API",
            ],
            call: "GET /cgi-bin/gettoken?corpid=ww1&corpsecret=corp-secret",
            accepted: (200, #"{"errcode":0,"access_token":"t","expires_in":7200}"#),
            refused: [(200, #"{"errcode":40001}"#)]),
    ]

    @Test(arguments: cases)
    func credentialsAreAskedForAndReadFromTheAnswer(_ test: Case) async throws {
        let probe = EndpointProbe()
        for (answers, kind) in [([test.accepted], 0), (test.refused, 1), (test.unclear, 2)] {
            for (status, body) in answers {
                try await StubAPI.run { _, _ in
                    PeerResponse(status: status, body: Array(body.utf8))
                } _: { api in
                    let result = await probe.probe(try test.endpoint(api: api.url))
                    let expected: [EndpointProbe.Result] = [
                        .reached(origin: api.url, isAuthenticated: true),
                        .credentialsRefused(origin: api.url, status: status),
                        .unexpectedAnswer(origin: api.url, status: status),
                    ]
                    #expect(result == expected[kind], "\(status) \(body)")
                    #expect(api.calls.map { "\($0.method) \($0.path)" } == [test.call])
                    #expect(api.calls.first?.headers["authorization"] == test.authorization)
                }
            }
        }
        await probe.shutDown()
    }

    @Test func anAddressWhereNobodyListensIsUnreachable() async throws {
        let probe = EndpointProbe()
        let url = try await StubAPI.run { _, _ in
            PeerResponse(status: 200)
        } _: {
            $0.url
        }
        for test in Self.cases {
            #expect(await probe.probe(try test.endpoint(api: url)) == .unreachable(origin: url))
        }
        await probe.shutDown()
    }

    /// Whoever runs it in the middle of an event must not be read in the chat.
    @Test(arguments: PlatformEndToEndTests.cases)
    func nothingIsSaidToAnybody(_ test: PlatformEndToEndTests.Case) async throws {
        let probe = EndpointProbe()
        let peer = test.peer
        try await StubAPI.run { call, _ in
            peer.answer(to: call)
        } _: { api in
            let result = await probe.probe(try OutboxScene.endpoint(peer, api: api.url))
            #expect(api.calls.allSatisfy { peer.reply(in: $0) == nil }, "\(api.calls.map(\.path))")
            #expect(api.calls.count <= 1)
            if case .unreachable = result { Issue.record("\(result)") }
        }
        await probe.shutDown()
    }

    @Test func anImplementationThatOnlyConnectsIsNotCalled() async throws {
        let probe = EndpointProbe()
        let settings = [
            (["access_token": Self.secret], EndpointProbe.Result.saidOverSocket),
            (["secret": Self.secret, "access_token": Self.secret], .saidOverSocket),
            (["secret": Self.secret], .nothingToCall),
        ]
        for (values, expected) in settings {
            let adapter = try Platform.onebot11.adapterType.init(PlatformSettings(values))
            #expect(await probe.probe(Endpoint(name: "onebot11", adapter: adapter)) == expected)
        }
        await probe.shutDown()
    }

    @Test(
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777_000), ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199_000),
            ("Sunday, 06-Nov-94 08:49:37 GMT", nil), ("Sun Nov  6 08:49:37 1994", nil), ("", nil),
            ("Sun, 06 Nov 1994 08:49:37 CET", nil), ("Sun, 31 Feb 2027 08:49:37 GMT", nil),
            ("Sun, 06 Nov 99999 08:49:37 GMT", nil), ("Sun, 0６ Nov 1994 08:49:37 GMT", nil),
            ("Sun, 06 nov 1994 08:49:37 GMT", nil), ("Sun,  6 Nov 1994 08:49:37 GMT", nil),
        ] as [(String, Int64?)])
    func aPlatformsDateIsReadOrLeft(_ text: String, _ milliseconds: Int64?) {
        #expect(Instant(httpDate: text)?.milliseconds == milliseconds)
    }
}
