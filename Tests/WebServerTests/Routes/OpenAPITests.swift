import Activities
import Basics
import ChatCommands
import ChatPlatforms
import HTTPTypes
import Hummingbird
import Logging
import Resources
import SQLiteStore
import ServiceLifecycle
import TestSupport
import Testing

@testable import WebServer

struct OpenAPITests {
    private func routes(_ configure: (inout WebServerConfiguration) -> Void) async throws -> Set<String> {
        var configuration = WebServerConfiguration()
        configuration.port = 0
        configure(&configuration)
        let clock = ManualClock()
        let store = try SQLiteStore()
        let logger = Canary.logger()
        let server = await WebServer(
            configuration,
            service: ActivityService(
                store: store, stored: try await store.load(), library: MemoryLibrary(), clock: clock.read,
                logger: logger),
            parser: CommandParser(configuration: ParserConfiguration()),
            words: try ReplyWriter(language: .simplifiedChinese), admins: [], clock: clock.read,
            metrics: ServerMetrics(platforms: [], factory: PrometheusRegistry()), metricsText: { "" }, faults: { [] },
            logger: logger)
        // What was made wants to be ended.
        let group = ServiceGroup(
            configuration: .init(services: server.services.map { .init(service: $0) }, logger: logger))
        async let running: Void = group.run()
        _ = await server.port
        await group.triggerGracefulShutdown()
        try await running
        return server.routes.descriptions
    }

    @Test func theDocumentListsTheRoutesThatThereAre() async throws {
        let documented = APIDocument.shared.operations
        let all = try await routes { $0.playerTokenSecret = String(repeating: "a", count: 32) }
        #expect(all.sorted() == documented.sorted())
        // Without a secret the players' routes are not there, with a port of their own the monitors' are not here.
        let withoutPlayers = try await routes { _ in }
        #expect(withoutPlayers == documented.filter { !$0.contains("/api/activity") })
        let withoutMonitors = try await routes { $0.operationPort = 0 }
        #expect(withoutMonitors == documented.filter { $0.contains("/api/traffic") || $0.contains("openapi") })
    }

    @Test func theDocumentIsServed() async throws {
        try await TestServer.run { server in
            let response = try await server.get("/openapi.json")
            #expect(APIDocument.shared.faults(of: response, to: "GET", "/openapi.json").isEmpty)
            #expect(response.body == ResourceFile.openAPI.bytes)
        }
    }

    @Test func whoIsTurnedAwayIsToldWhenToComeBack() {
        for (status, seconds) in [(503, "1"), (429, "60"), (200, nil), (409, nil)] {
            let response = Envelope.response(.init(code: status), "", nil)
            #expect(response.headers[.retryAfter] == seconds)
        }
    }

    /// The check itself: it sees what it is there to see.
    @Test(arguments: [
        (#"{"code":200,"msg":"success","data":{"status":"ok","currentUsers":0}}"#, "maxUsers is missing"),
        (#"{"code":200,"msg":"success","data":{"status":"busy","currentUsers":0,"maxUsers":1}}"#, "is none of"),
        (#"{"code":200,"msg":"success","data":{"status":"ok","currentUsers":"0","maxUsers":1}}"#, "is no"),
        (#"{"code":404,"msg":"success","data":{"status":"ok","currentUsers":0,"maxUsers":1}}"#, "not the status"),
        (
            #"{"code":200,"msg":"","data":{"status":"ok","currentUsers":0,"maxUsers":1,"queuePosition":0}}"#,
            "beyond"
        ),
        (#"{"code":200,"msg":"","data":{"status":"ok","currentUsers":0,"maxUsers":1,"x":0}}"#, "not documented"),
        (#"{"code":200,"code":200,"msg":"","data":{}}"#, "not strict JSON"),
    ])
    func aWrongAnswerIsSeen(_ body: String, _ fault: String) {
        let response = PeerResponse(
            status: 200, headers: ["content-type": "application/json; charset=utf-8"], body: Array(body.utf8))
        let faults = APIDocument.shared.faults(of: response, to: "GET", "/api/traffic/check")
        #expect(faults.contains { $0.contains(fault) }, "\(faults)")
    }
}
