import Activities
import AsyncHTTPClient
import Basics
import ChatCommands
import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import SQLiteStore
import ServiceLifecycle
import TestSupport
import Testing
import TrafficGate
import WebServer

/// Two hundred visitors at once, over the network, for a while; then everything is counted again.
///
/// `HONGBAO_TRAFFIC_SECONDS` sets how long at least (3 unless given), `HONGBAO_SEED` repeats what each visitor does. On a
/// busy machine it goes on until enough has happened.
struct TrafficCrowdTests {
    private static let visitorCount = 200
    private static let capacity = 40
    private static let queueLength = 120
    private static let leastRequestCount = 2_000
    private static var seconds: Double {
        ProcessInfo.processInfo.environment["HONGBAO_TRAFFIC_SECONDS"].flatMap { Double($0) } ?? 3
    }

    /// What the visitors saw.
    private struct Tally: Sendable {
        var requests = 0
        var rejections = 0
        var faults: [String] = []
        /// The last that each session was told; ended ones are left out.
        var states: [String: String] = [:]
    }

    @Test func theGateHoldsUnderACrowd() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "hongbao-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = WatchedStore(try SQLiteStore(path: folder.appending(path: "hongbao.db").path))
        let clock = ManualClock()
        let tally = NIOLockedValueBox(Tally())

        try await Self.serving(store, clock) { port, service in
            for (key, value) in [
                ("max_concurrent_users", Self.capacity), ("rush_hour_max_users", Self.capacity),
                ("max_queue_length", Self.queueLength), ("heartbeat_timeout_seconds", 30),
            ] {
                let outcome = try await service.submit(
                    Request(
                        user: "test:admin", chat: nil, role: .admin,
                        content: .command(.setTraffic(key: key, value: String(value))))
                ).outcome
                #expect(outcome.code == .ok)
            }
            var configuration = HTTPClient.Configuration()
            configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = Self.visitorCount
            let client = HTTPClient(configuration: configuration)
            let end = ContinuousClock.now + .milliseconds(Int64(Self.seconds * 1000))
            let isOver: @Sendable () -> Bool = {
                ContinuousClock.now >= end
                    && (tally.withLockedValue { $0.requests >= Self.leastRequestCount }
                        || ContinuousClock.now >= end + .seconds(60))
            }
            await withTaskGroup(of: Void.self) { group in
                // Twenty times as fast as time goes, so that the gate ticks, and ends who is silent.
                group.addTask {
                    while !isOver() {
                        try? await Task.sleep(for: .milliseconds(10))
                        clock.advance(milliseconds: 200)
                    }
                }
                for number in 0..<Self.visitorCount {
                    group.addTask {
                        var visitor = Visitor(number: number, port: port, client: client, tally: tally)
                        await visitor.visit(until: isOver)
                    }
                }
            }

            // What everybody was told last is what stands in the table; a tick may come between, so more than once.
            let visitor = Visitor(number: -1, port: port, client: client, tally: tally)
            var differing: [String] = []
            for _ in 1...5 {
                for session in tally.withLockedValue({ $0.states.keys.sorted() }) {
                    _ = await visitor.ask("heartbeat", String(session.dropFirst("web:".count)))
                }
                let told = tally.withLockedValue { $0.states }
                let rows = try await store.load().participants.filter(\.status.isLive)
                let stored = Dictionary(uniqueKeysWithValues: rows.map { ($0.session.text, $0.status.rawValue) })
                differing = Set(told.keys).union(stored.keys).filter { told[$0] != stored[$0] }.map {
                    "\($0): \(stored[$0] ?? "gone") in the table, told \(told[$0] ?? "gone")"
                }
                if differing.isEmpty { break }
            }
            #expect(differing.isEmpty)

            // And a last row has what was counted since the row before.
            let rowCount = store.batches.flatMap(\.statistics).count
            clock.advance(seconds: 31)
            #expect(await eventually { store.batches.flatMap(\.statistics).count > rowCount })
            try await client.shutdown()
        }

        let seen = tally.withLockedValue { $0 }
        #expect(seen.faults.isEmpty, "\(seen.faults.prefix(5))")
        let statistics = store.batches.flatMap(\.statistics)
        #expect(statistics.map(\.totalRequests).reduce(0, +) == seen.requests)
        #expect(statistics.map(\.rejectedRequests).reduce(0, +) == seen.rejections)
        #expect(seen.rejections > 0)
        let record = check(store.batches)
        #expect(record.promotions > Self.capacity)
        print(
            "\(Self.visitorCount) visitors, \(Self.seconds) s: \(seen.requests) requests, \(seen.rejections) rejected, "
                + "\(record.joins) places taken, \(record.promotions) promotions, \(record.expiries) expired, "
                + "at most \(record.mostActive) active, \(statistics.count) statistics rows")
    }

    // MARK: What must hold

    private struct Record {
        var joins = 0
        var promotions = 0
        var expiries = 0
        var mostActive = 0
    }

    /// Follows every change of status in the order of its decision.
    private func check(_ batches: [WatchedStore.Batch]) -> Record {
        var record = Record()
        var active: Set<SessionID> = []
        /// The tickets of who waits.
        var waiting: [SessionID: UInt64] = [:]
        var lastTicket: UInt64 = 0
        var lengths: [Int64] = []
        for (number, batch) in batches.enumerated() {
            let waitedBefore = waiting
            let place = Comment("batch \(number)")
            var promoted: [UInt64] = []
            var isSomebodyQueued = false
            var newcomers = 0
            for row in batch.journal {
                let known = waiting[row.session]
                let wasActive = active.contains(row.session)
                switch row.status {
                case .queued:
                    // Tickets are the order of arrival.
                    let ticket = row.ticket ?? 0
                    #expect(ticket > lastTicket, place)
                    lastTicket = max(lastTicket, ticket)
                    waiting[row.session] = ticket
                    isSomebodyQueued = true
                    record.joins += 1
                case .active:
                    if let known {
                        promoted.append(known)
                        waiting[row.session] = nil
                        record.promotions += 1
                    } else if !wasActive {
                        // Whoever is still waiting at the end waited when this one came.
                        #expect(!isSomebodyQueued, "a newcomer overtook, \(place)")
                        newcomers += 1
                        record.joins += 1
                    }
                    active.insert(row.session)
                case .left, .expired:
                    if row.status == .expired { record.expiries += 1 }
                    if let end = row.leaveTime { lengths.append(end.milliseconds(since: row.joinTime)) }
                    waiting[row.session] = nil
                    active.remove(row.session)
                }
            }
            // First come, first served: nobody who came earlier still waits.
            #expect(promoted == promoted.sorted(), place)
            if let last = promoted.last, let first = waiting.values.min() { #expect(last < first, place) }
            if newcomers > 0 {
                let stillWaiting = waitedBefore.keys.filter { waiting[$0] != nil }
                #expect(stillWaiting.isEmpty, "a newcomer overtook, \(place)")
            }
            #expect(active.count <= Self.capacity, place)
            #expect(waiting.count <= Self.queueLength, place)
            // Nobody waits for nothing.
            if !waiting.isEmpty { #expect(active.count == Self.capacity, place) }
            record.mostActive = max(record.mostActive, active.count)
            for row in batch.statistics {
                #expect(row.activeUsers == active.count, place)
                #expect(row.queuedUsers == waiting.count, place)
                if let mean = row.averageSessionSeconds.map({ Int64($0) * 1000 }), let least = lengths.min(),
                    let most = lengths.max()
                {
                    #expect((least - 500...most + 500).contains(mean), place)
                } else {
                    #expect(row.averageSessionSeconds == nil, place)
                }
                lengths = []
            }
        }
        return record
    }

    // MARK: A visitor

    private struct Visitor {
        let number: Int
        let port: Int
        let client: HTTPClient
        let tally: NIOLockedValueBox<Tally>

        /// Comes, waits, stays a little, goes; some go while they wait, some without a word.
        mutating func visit(until isOver: () -> Bool) async {
            var generator = SeededGenerator(seed: SeededGenerator.baseSeed &+ UInt64(number))
            var visits = 0
            while !isOver() {
                visits += 1
                let session = "v\(number)-\(visits)"
                var status = await ask("join", session)
                let patience = Int.random(in: 3...40, using: &generator)
                var beats = 0
                while status == "queued", beats < patience, !isOver() {
                    beats += 1
                    try? await Task.sleep(for: .milliseconds(Int.random(in: 5...60, using: &generator)))
                    status = await ask("heartbeat", session)
                }
                for _ in 0..<Int.random(in: 0...3, using: &generator) where status == "active" {
                    try? await Task.sleep(for: .milliseconds(Int.random(in: 1...20, using: &generator)))
                    status = await ask("heartbeat", session)
                }
                if status == "blocked" {
                    try? await Task.sleep(for: .milliseconds(20))
                } else if !isOver(), Int.random(in: 0..<40, using: &generator) > 0 {
                    _ = await ask("leave", session)
                }
            }
        }

        /// - Returns: What the session was told it is.
        func ask(_ action: String, _ session: String) async -> String {
            var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/api/traffic/\(action)")
            request.method = .POST
            request.headers.add(name: "content-type", value: "application/json")
            request.body = .bytes(Array(#"{"action":"\#(action)","sessionId":"\#(session)"}"#.utf8))
            do {
                let answer = try await client.execute(request, timeout: .seconds(60))
                let body = Array(try await answer.body.collect(upTo: 1 << 16).readableBytesView)
                let response = PeerResponse(
                    status: Int(answer.status.code),
                    headers: ["content-type": answer.headers.first(name: "content-type") ?? ""], body: body)
                var faults = APIDocument.shared.faults(of: response, to: "POST", "/api/traffic/\(action)")
                if response.status != 200 { faults.append("\(action) was answered \(response.status)") }
                let status = response.json("data", "userStatus") as? String ?? "none"
                let users = response.json("data", "currentUsers") as? Int ?? -1
                if !(0...capacity).contains(users) { faults.append("\(users) users") }
                tally.withLockedValue { tally in
                    tally.requests += 1
                    if status == "blocked" { tally.rejections += 1 }
                    tally.faults += faults
                    tally.states["web:\(session)"] = status == "active" || status == "queued" ? status : nil
                }
                return status
            } catch {
                tally.withLockedValue { $0.faults.append("\(error)") }
                return "none"
            }
        }

        private var capacity: Int { TrafficCrowdTests.capacity }
    }

    private static func serving(
        _ store: WatchedStore, _ clock: ManualClock, _ body: (Int, ActivityService) async throws -> Void
    ) async throws {
        let logger = Canary.logger()
        let service = ActivityService(
            store: store, stored: try await store.load(), library: MemoryLibrary(), clock: clock.read,
            entropy: SeededGenerator(seed: 1), logger: logger)
        var configuration = WebServerConfiguration()
        configuration.port = 0
        let server = await WebServer(
            configuration, service: service, parser: CommandParser(configuration: ParserConfiguration()),
            words: try ReplyWriter(language: .simplifiedChinese), admins: [], clock: clock.read,
            metrics: ServerMetrics(platforms: [], factory: PrometheusRegistry()), metricsText: { "" }, faults: { [] },
            logger: logger)
        let group = ServiceGroup(
            configuration: .init(services: ([service] + server.services).map { .init(service: $0) }, logger: logger))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await body(await server.port, service)
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
        try await store.close()
    }
}
