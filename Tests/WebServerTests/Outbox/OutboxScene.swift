import Activities
import Basics
import ChatPlatforms
import Foundation
import Logging
import NIOConcurrencyHelpers
import SQLiteStore
import TestSupport
import Testing

@testable import WebServer

/// A platform's bot in a running server, with an API that answers as the test says.
struct OutboxScene: Sendable {
    let peer: any PlatformPeer
    let server: TestServer
    let stub: StubAPI
    private let heard: NIOLockedValueBox<[Heard]>

    /// A call that the API took.
    struct Heard: Sendable {
        let text: String
        let at: Instant
        let call: PeerRequest
    }

    /// What people in the chats have seen, in order: only what the API answered 200 to.
    var said: [String] { heard.withLockedValue { $0.map(\.text) } }
    var calls: [Heard] { heard.withLockedValue { $0 } }

    /// - Parameter answer: Nil: as the platform answers when all is well.
    static func run(
        _ peer: any PlatformPeer, path: String? = nil, clock: ManualClock = ManualClock(), logger: Logger? = nil,
        answer: @escaping @Sendable (PeerRequest, Int) async -> PeerResponse?,
        _ body: (OutboxScene) async throws -> Void
    ) async throws {
        let heard = NIOLockedValueBox<[Heard]>([])
        try await StubAPI.run { call, number in
            let response = await answer(call, number) ?? peer.answer(to: call)
            if response.status == 200, let text = peer.reply(in: call) {
                heard.withLockedValue { $0.append(Heard(text: text, at: clock.now, call: call)) }
            }
            return response
        } _: { stub in
            try await TestServer.run(
                [try endpoint(peer, api: stub.url)], path: path, clock: clock, logger: logger
            ) { server async throws in
                try await body(OutboxScene(peer: peer, server: server, stub: stub, heard: heard))
            }
        }
    }

    /// With an API where all is well.
    static func run(
        _ peer: any PlatformPeer, path: String? = nil, clock: ManualClock = ManualClock(), logger: Logger? = nil,
        _ body: (OutboxScene) async throws -> Void
    ) async throws {
        try await run(peer, path: path, clock: clock, logger: logger, answer: { _, _ in nil }, body)
    }

    static func endpoint(_ peer: any PlatformPeer, api: String) throws -> Endpoint {
        let adapter = try peer.platform.adapter(planting: peer.settings(api: api))
        return Endpoint(name: peer.platform.rawValue, adapter: adapter, identity: "qq")
    }

    @discardableResult
    func say(_ text: String, _ id: Int, user: String = "u1", chat: String? = "g1") async throws -> PeerResponse {
        let message = PeerMessage(
            user: user, chat: peer.hasGroups ? chat : nil, id: id, text: text, sentAt: server.clock.now)
        let response = try await server.send(peer.request(message), to: "/webhook/\(peer.platform.rawValue)")
        #expect((200..<300).contains(response.status), "\(response.status) \(response.text)")
        return response
    }

    /// Waits until nothing is left to be sent, or given up.
    func untilSettled() async throws -> Bool {
        try await server.soon { try await server.isSettled }
    }
}

extension TestServer {
    /// Whether no reply is kept that has neither gone out nor been given up.
    var isSettled: Bool {
        get async throws { try await store.endpointsOfPendingReplies().isEmpty }
    }

    /// Waits until `condition` holds, moving the clock along and having the outbox look at it.
    func soon(step milliseconds: Int64 = 100, _ condition: () async throws -> Bool) async throws -> Bool {
        // Counted in looks, since a busy machine takes fewer.
        for _ in 0..<12_000 {
            if try await condition() { return true }
            clock.advance(milliseconds: milliseconds)
            webServer.gateway.dispatcher.ring()
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    /// Whether `condition` does not come to hold, though the clock goes on.
    func never(for seconds: Int64 = 300, _ condition: () async throws -> Bool) async throws -> Bool {
        for _ in 0..<100 {
            if try await condition() { return false }
            clock.advance(milliseconds: seconds * 10)
            webServer.gateway.dispatcher.ring()
            try await Task.sleep(for: .milliseconds(5))
        }
        return true
    }
}

/// A folder that is there while `body` runs.
func withTemporaryDatabase<Value>(_ body: (_ path: String) async throws -> Value) async throws -> Value {
    let folder = FileManager.default.temporaryDirectory.appending(path: "hongbao-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder.appending(path: "hongbao.db").path)
}

/// Keeps what is logged.
struct LogCollector: LogHandler {
    private let lines: NIOLockedValueBox<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    private init(_ lines: NIOLockedValueBox<[String]>) {
        self.lines = lines
    }

    /// - Returns: A logger, and what was logged so far: level, message and metadata.
    static func make() -> (logger: Logger, lines: @Sendable () -> [String]) {
        let lines = NIOLockedValueBox<[String]>([])
        return (Logger(label: "test") { _ in LogCollector(lines) }, { lines.withLockedValue { $0 } })
    }

    func log(event: LogEvent) {
        let merged = metadata.merging(event.metadata ?? [:]) { $1 }
        let text = merged.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        let line = "\(event.level) \(event.message) \(text)"
        lines.withLockedValue { $0.append(line) }
        Canary.keep(Data((line + "\n").utf8), of: "loggers")
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
}
