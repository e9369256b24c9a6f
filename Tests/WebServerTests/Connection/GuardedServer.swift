import HTTPTypes
import Hummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOSSL
import ServiceLifecycle
import Testing
import WebServer

/// A server with a few routes behind the guarded connection layer, and what its routes have seen.
struct GuardedServer: Sendable {
    let port: Int
    let openConnections: OpenConnections
    /// The sizes of bodies that `/count` took for whole.
    let bodies: NIOLockedValueBox<[Int]>
    private let group: ServiceGroup

    /// Runs `body` against a server, then stops the server, which must end by itself.
    static func run(
        _ limits: ConnectionLimits = ConnectionLimits(), tls: TLSConfiguration? = nil,
        webSocket: WebSocketRoute? = nil, _ body: (GuardedServer) async throws -> Void
    ) async throws {
        let bodies = NIOLockedValueBox<[Int]>([])
        let openConnections = OpenConnections(limits: limits)
        let (ports, portFound) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let application = Application(
            router: routes(bodies),
            server: .guarded(limits: limits, tls: tls, webSocket: webSocket),
            configuration: limits.configuration(
                address: .hostname("127.0.0.1", port: 0), openConnections: openConnections),
            onServerRunning: { channel in portFound.yield(channel.localAddress?.port ?? 0) },
            logger: logger)
        let group = ServiceGroup(configuration: .init(services: [.init(service: application)], logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            let server = GuardedServer(port: port, openConnections: openConnections, bodies: bodies, group: group)
            do {
                try await body(server)
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    func stop() async {
        await group.triggerGracefulShutdown()
    }

    func open(isReading: Bool = true) async throws -> RawConnection {
        try await RawConnection.open(port, isReading: isReading)
    }

    /// Sends a request on a connection of its own and gives what comes until the server closes.
    func answer(to request: String, sourceLocation: SourceLocation = #_sourceLocation) async throws -> String {
        let connection = try await open()
        try await connection.send(request)
        return await connection.untilClosed("\(request.prefix(200).debugDescription)", sourceLocation: sourceLocation)
    }

    /// An ordinary client gets an ordinary answer.
    func expectServing(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let text = try await answer(
            to: "GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", sourceLocation: sourceLocation)
        #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"), sourceLocation: sourceLocation)
        #expect(text.hasSuffix("\r\n\r\nhello"), sourceLocation: sourceLocation)
    }

    private static func routes(_ bodies: NIOLockedValueBox<[Int]>) -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/hello") { _, _ in "hello" }
        router.get("/number/:number") { _, context in
            "<\(context.parameters.get("number") ?? "")>"
        }
        router.post("/count") { request, _ in
            let body = try await request.body.collect(upTo: 1 << 24)
            bodies.withLockedValue { $0.append(body.readableBytes) }
            return "\(body.readableBytes) bytes"
        }
        // Answers without reading the body.
        router.post("/early") { _, _ in HTTPResponse.Status.contentTooLarge }
        router.get("/large") { _, _ in
            Response(
                status: .ok,
                body: ResponseBody { writer in
                    let part = ByteBuffer(repeating: 0x61, count: 1 << 16)
                    for _ in 0..<1_024 { try await writer.write(part) }
                    try await writer.finish(nil)
                })
        }
        router.get("/slow") { _, _ in
            try await Task.sleep(for: .milliseconds(300))
            return "slow"
        }
        router.get("/slower") { _, _ in
            try await Task.sleep(for: .seconds(8))
            return "slower"
        }
        router.get("/socket") { _, _ in "not a socket" }
        router.get("/admin") { _, _ in "secret" }
        router.get("/**") { request, _ in "any \(request.uri.path)" }
        return router
    }
}

extension ConnectionLimits {
    /// Limits that no test reaches by accident, for all but what `change` sets.
    static func changed(_ change: (inout ConnectionLimits) -> Void) -> ConnectionLimits {
        var limits = ConnectionLimits()
        limits.idle = .seconds(300)
        limits.requestDeadline = .seconds(300)
        limits.writeDeadline = .seconds(300)
        limits.handshakeDeadline = .seconds(300)
        limits.webSocketIdle = .seconds(300)
        limits.webSocketPing = .seconds(300)
        change(&limits)
        return limits
    }
}
