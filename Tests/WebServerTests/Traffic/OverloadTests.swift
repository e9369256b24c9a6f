import Activities
import Basics
import ChatPlatforms
import Foundation
import NIOConcurrencyHelpers
import TestSupport
import Testing
import WebServer

/// Far more at once than the server can hold, while the disk hangs: whoever cannot be held is told so meanwhile, and the
/// others once it works again.
struct OverloadTests {
    private static let secret = Canary.planted(
        "a-secret-of-the-tests-with-40-characters", as: "player token secret")
    private static let capacity = 8
    /// What the queue holds, the batch that is on its way to the disk, and the one that is decided behind it.
    private static let mostHeld = 3 * capacity
    private static let connectionCount = 64
    private static let crowdSize = 240

    private struct Told: Sendable {
        let status: Int
        let text: String
        /// Whether the answer came while nothing could be written.
        let isMeanwhile: Bool

        var isBusy: Bool { text.contains("这条没有处理") || text.contains("系统繁忙") }
    }

    private func run(_ endpoints: [Endpoint] = [], _ body: (TestServer) async throws -> Void) async throws {
        var limits = ActivityService.Limits()
        limits.queueCapacity = Self.capacity
        limits.maximumBatchCount = Self.capacity
        // Nothing of an opening is on its way to the disk when it hangs: what is held there is the crowd's.
        try await TestServer.run(endpoints, isOpen: false, limits: limits) { configuration in
            configuration.playerTokenSecret = Self.secret
            configuration.limits = .changed { $0.connectionCount = Self.connectionCount }
        } _: { (server: TestServer) async throws in
            try await body(server)
        }
    }

    /// Each of them over a connection of its own, all at once; the disk hangs until nobody but those held is unanswered.
    private func crowd(
        of server: TestServer, _ request: @escaping @Sendable (_ number: Int) -> (path: String, PeerRequest)
    ) async throws -> [Told] {
        let answeredCount = NIOLockedValueBox(0)
        let commitsBefore = server.disk.commitCount
        server.disk.hang()
        async let most = most(in: server) { answeredCount.withLockedValue { $0 } == Self.crowdSize }
        let told = try await withThrowingTaskGroup(of: Told.self) { group in
            for number in 0..<Self.crowdSize {
                group.addTask {
                    defer { answeredCount.withLockedValue { $0 += 1 } }
                    let (path, request) = request(number)
                    let connection = try await RawConnection.open(server.port)
                    try await connection.send(request.bytes(to: path))
                    let text = await connection.untilClosed()
                    let status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
                    return Told(status: status, text: text, isMeanwhile: server.disk.commitCount == commitsBefore)
                }
            }
            #expect(
                await eventually { answeredCount.withLockedValue { $0 } >= Self.crowdSize - Self.mostHeld },
                "they wait for a disk that hangs")
            server.disk.recover()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(told.count == Self.crowdSize)
        #expect((1...Self.capacity).contains(await most.waiting))
        // A few are counted before they are turned away. How exactly the limit is kept, ConnectionCountTests tell.
        #expect((1...Self.connectionCount + 16).contains(await most.connections))
        let takenCount = told.count { !$0.isBusy }
        #expect((Self.capacity...Self.mostHeld).contains(takenCount))
        for answer in told where !answer.isBusy { #expect(!answer.isMeanwhile, "\(answer.text)") }
        #expect(told.count { $0.isMeanwhile } >= Self.crowdSize - Self.mostHeld)
        return told
    }

    /// The most that waited, and the most connections, at one instant until `isOver`.
    private func most(
        in server: TestServer, until isOver: @Sendable () -> Bool
    ) async -> (waiting: Int, connections: Int) {
        var most = (waiting: 0, connections: 0)
        while !isOver() {
            most.waiting = max(most.waiting, server.service.waitingCount)
            most.connections = max(most.connections, server.counter("hongbao_open_connections"))
            try? await Task.sleep(for: .milliseconds(2))
        }
        return most
    }

    @Test func aChatThatIsFloodedIsToldToSendAgain() async throws {
        let peer = StandardWebhooksPeer()
        let endpoint = Endpoint(
            name: "webhook", adapter: try peer.platform.adapter(planting: peer.settings(api: "")), identity: "qq")
        try await run([endpoint]) { server in
            let now = server.clock.now
            @Sendable func message(_ number: Int) -> PeerRequest {
                peer.request(
                    PeerMessage(user: "u\(number)", chat: "g1", id: number, text: "绑定 甲\(number)", sentAt: now))
            }
            let told = try await crowd(of: server) { ("/webhook/webhook", message($0)) }
            for answer in told {
                #expect(answer.status == 200, "\(answer.text)")
                if answer.isBusy {
                    #expect(answer.text.contains("请过几秒再发一次"))
                } else {
                    #expect(answer.text.contains("绑定成功"), "\(answer.text)")
                }
            }
            #expect(server.sum("hongbao_messages_total") == Self.crowdSize)
            // Nothing was kept of what was refused: the same message is handled when it comes again.
            for number in Self.crowdSize - 5..<Self.crowdSize {
                let response = try await server.send(message(number), to: "/webhook/webhook")
                #expect(peer.reply(in: response)?.contains("绑定成功") == true, "\(response.text)")
            }
        }
    }

    @Test func aPageThatIsFloodedIsToldWhenToTryAgain() async throws {
        try await run { server in
            let end = server.clock.now.advanced(bySeconds: 3600)
            let told = try await crowd(of: server) { number in
                let token = Token.signed(for: "u\(number)", until: end, secret: Self.secret)
                return number.isMultiple(of: 2)
                    ? (
                        "/api/traffic/join",
                        PeerRequest(
                            headers: ["content-type": "application/json"],
                            body: Array(#"{"action":"join","sessionId":"s\#(number)"}"#.utf8))
                    )
                    : (
                        "/api/activity/bind",
                        PeerRequest(
                            headers: ["content-type": "application/json", "authorization": "Bearer \(token)"],
                            body: Array(#"{"gameId":"甲\#(number)"}"#.utf8))
                    )
            }
            for answer in told {
                #expect(answer.status == (answer.isBusy ? 503 : 200), "\(answer.text)")
                // No earlier than the batch may be through that it stood behind.
                #expect(answer.text.lowercased().contains("\r\nretry-after: 1\r\n") == answer.isBusy, "\(answer.text)")
            }
            #expect(told.contains { $0.isBusy && $0.text.contains("请过几秒再发一次") })
            #expect(told.contains { $0.isBusy && $0.text.contains("请稍后再试") })
            let response = try await server.post(
                "/api/traffic/join", json: #"{"action":"join","sessionId":"late"}"#)
            #expect(response.status == 200)
        }
    }
}

extension PeerRequest {
    /// As HTTP/1.1 over a connection that ends with the answer.
    fileprivate func bytes(to path: String) -> [UInt8] {
        let fields = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
        let head = "\(method) \(path)\(self.path) HTTP/1.1\r\nhost: a\r\nconnection: close\r\n"
        return Array("\(head)\(fields)content-length: \(body.count)\r\n\r\n".utf8) + body
    }
}
