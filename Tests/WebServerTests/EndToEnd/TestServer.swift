import Activities
import AsyncHTTPClient
import Basics
import ChatCommands
import ChatPlatforms
import Foundation
import Logging
import Lottery
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import SQLiteStore
import ServiceLifecycle
import TestSupport
import TrafficGate
import WebServer

/// The whole program without its command line: store, service and server, on a port of its own.
struct TestServer: Sendable {
    let port: Int
    let service: ActivityService
    let store: SQLiteStore
    /// What is between the service and `store`.
    let disk: SlowStore
    let clock: ManualClock
    let registry: PrometheusRegistry
    let client: HTTPClient
    let webServer: WebServer
    private let group: ServiceGroup

    static let admin = UserID("test:admin")

    /// An activity that everybody wins in, once.
    static let activity = Activity(
        id: "spring", name: "春节抽奖", maxAttempts: 1,
        awards: [ActivityAward(id: "bao", kind: .DI_BAO, percent: .zero, prefix: "低保", name: "金币", number: 0)])

    /// Runs `body` against a server on the database at `path`, then stops the server, which must end by itself.
    ///
    /// - Parameters:
    ///   - path: Nil: in memory.
    ///   - limits: What the service lets wait and takes together.
    ///   - isOpen: Whether `activity` is imported and opened first, unless it is there already.
    static func run<Value: Sendable>(
        _ endpoints: [Endpoint] = [], path: String? = nil, clock: ManualClock = ManualClock(), isOpen: Bool = true,
        admins: Set<UserID> = [], activity: Activity = TestServer.activity,
        limits: ActivityService.Limits = ActivityService.Limits(), logger: Logger? = nil,
        configure: (inout WebServerConfiguration) -> Void = { _ in },
        _ body: (TestServer) async throws -> Value
    ) async throws -> Value {
        let logger = logger ?? Canary.logger()
        let store = try path.map { try SQLiteStore(path: $0) } ?? SQLiteStore()
        let disk = SlowStore(store)
        let registry = PrometheusRegistry(help: ServerMetrics.help)
        let metrics = ServerMetrics(platforms: Set(endpoints.map(\.platform)), factory: registry)
        let teller = NIOLockedValueBox<WebServer?>(nil)
        let service = ActivityService(
            store: disk, stored: try await store.load(),
            library: MemoryLibrary(["spring.yaml": activity]),
            limits: limits, clock: clock.read, entropy: SeededGenerator(seed: 1), logger: logger,
            onNotice: { notice in teller.withLockedValue { $0 }?.tell(notice) }, onBatch: { metrics.note($0) })
        var configuration = WebServerConfiguration()
        configuration.port = 0
        // What a busy machine does not reach; tests of the limits set their own.
        configuration.limits = .changed { _ in }
        configuration.endpoints = endpoints
        configure(&configuration)
        let server = await WebServer(
            configuration, service: service, parser: CommandParser(configuration: ParserConfiguration()),
            words: try ReplyWriter(language: .simplifiedChinese), admins: admins, clock: clock.read, metrics: metrics,
            metricsText: { registry.text() }, faults: { [] }, logger: logger)
        teller.withLockedValue { $0 = server }
        var groupConfiguration = ServiceGroupConfiguration(
            services: ([service] + server.services).map { .init(service: $0) }, logger: logger)
        groupConfiguration.maximumGracefulShutdownDuration = .seconds(20)
        let group = ServiceGroup(configuration: groupConfiguration)
        let result = try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            let test = TestServer(
                port: await server.port, service: service, store: store, disk: disk, clock: clock,
                registry: registry, client: .shared, webServer: server, group: group)
            do {
                if isOpen { try await test.open() }
                let result = try await body(test)
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                return result
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
        }
        for case let round? in try await store.load().activities.map(\.openRound) {
            Canary.plant(round.seed.bytes, as: "seed of an open round")
        }
        try await store.close()
        return result
    }

    func stop() async {
        await group.triggerGracefulShutdown()
    }

    @discardableResult
    func command(_ command: Command) async throws -> Outcome {
        try await service.submit(
            Request(user: Self.admin, chat: nil, role: .admin, content: .command(command))
        ).outcome
    }

    private func open() async throws {
        try await command(.importActivity(file: "spring.yaml"))
        try await command(.start(activity: "spring"))
    }

    // MARK: Asking

    func send(_ request: PeerRequest, to path: String) async throws -> PeerResponse {
        var call = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)\(request.path)")
        call.method = .RAW(value: request.method)
        for (name, value) in request.headers { call.headers.add(name: name, value: value) }
        if !request.body.isEmpty { call.body = .bytes(request.body) }
        let response = try await client.execute(call, timeout: .seconds(30))
        let body = try await response.body.collect(upTo: 1 << 22)
        var headers: [String: String] = [:]
        for (name, value) in response.headers { headers[name.lowercased()] = value }
        return PeerResponse(status: Int(response.status.code), headers: headers, body: Array(body.readableBytesView))
    }

    func get(_ path: String, headers: [String: String] = [:]) async throws -> PeerResponse {
        try await send(PeerRequest(method: "GET", headers: headers), to: path)
    }

    func post(_ path: String, json: String, headers: [String: String] = [:]) async throws -> PeerResponse {
        var headers = headers
        headers["content-type"] = "application/json"
        return try await send(PeerRequest(headers: headers, body: Array(json.utf8)), to: path)
    }

    // MARK: What became of it

    /// A counter's value, by its name and labels as they are exported; 0 when there is none.
    func counter(_ series: String) -> Int {
        let line = registry.text().split(separator: "\n").first { $0.hasPrefix(series + " ") }
        return line.flatMap { Int($0.dropFirst(series.count + 1)) } ?? 0
    }

    /// The sum of a counter's series.
    func sum(_ name: String) -> Int {
        registry.text().split(separator: "\n").filter { $0.hasPrefix(name + "{") }
            .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
    }

    func drawCount() async throws -> Int {
        try await store.ledger(of: "spring", from: 0, limit: 100_000).count { row in
            if case .draw = row.event { true } else { false }
        }
    }

    /// Waits until `condition` holds, moving the clock along for what waits for it; at most about 20 seconds.
    func until(_ condition: () async throws -> Bool) async throws -> Bool {
        for _ in 0..<2000 {
            if try await condition() { return true }
            clock.advance(milliseconds: 100)
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }
}

extension PeerResponse {
    /// The member at `path` of a JSON body.
    func json(_ path: String...) -> Any? {
        var value = try? JSONSerialization.jsonObject(with: Data(body))
        for name in path { value = (value as? [String: Any])?[name] }
        return value
    }
}
