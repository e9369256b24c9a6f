import HTTPTypes
import NIOConcurrencyHelpers
import NIOCore
import NIOWebSocket
import Testing
import WebServer

/// WebSocket connections, with frames made by hand.
@Suite(.serialized)
struct WebSocketTests {
    private struct Frame: Equatable {
        var opcode: UInt8
        var data: [UInt8]

        var text: String { String(decoding: data, as: UTF8.self) }
        var closeCode: Int? { opcode == 8 && data.count >= 2 ? Int(data[0]) << 8 | Int(data[1]) : nil }
    }

    /// A frame as a client sends it.
    private static func frame(
        _ opcode: UInt8, _ data: [UInt8], isFinal: Bool = true, isMasked: Bool = true, reserved: UInt8 = 0
    ) -> [UInt8] {
        var bytes = [(isFinal ? 0x80 : 0) | reserved | opcode]
        let mask: UInt8 = isMasked ? 0x80 : 0
        switch data.count {
        case ...125: bytes.append(mask | UInt8(data.count))
        case ...0xFFFF: bytes += [mask | 126, UInt8(data.count >> 8), UInt8(data.count & 0xFF)]
        default: bytes += [mask | 127] + (0..<8).reversed().map { UInt8(data.count >> ($0 * 8) & 0xFF) }
        }
        guard isMasked else { return bytes + data }
        let key: [UInt8] = [0x12, 0x34, 0x56, 0x78]
        return bytes + key + data.enumerated().map { $1 ^ key[$0 % 4] }
    }

    private static func text(_ text: String) -> [UInt8] { frame(1, Array(text.utf8)) }

    /// The server's frames behind its answer to the upgrade.
    private static func frames(_ connection: RawConnection) -> [Frame] {
        var rest = connection.bytes[...]
        guard let end = rest.firstRange(of: Array("\r\n\r\n".utf8)) else { return [] }
        rest = rest[end.upperBound...]
        var frames: [Frame] = []
        while rest.count >= 2 {
            var index = rest.startIndex
            let opcode = rest[index] & 0x0F
            var size = Int(rest[index + 1])
            index += 2
            let more = size == 126 ? 2 : size == 127 ? 8 : 0
            guard rest.endIndex - index >= more else { break }
            if more > 0 { size = rest[index..<index + more].reduce(0) { $0 << 8 | Int($1) } }
            index += more
            guard rest.endIndex - index >= size else { break }
            frames.append(Frame(opcode: opcode, data: Array(rest[index..<index + size])))
            rest = rest[(index + size)...]
        }
        return frames
    }

    private static let upgrade =
        "GET /socket?token=t HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

    /// Answers each message with itself.
    private static let echo = WebSocketRoute { _, _ in
        .accept(subprotocol: nil) { connection in
            for await message in connection.messages {
                do { try await connection.send(message) } catch { return }
            }
        }
    }

    private func open(_ server: GuardedServer, isReading: Bool = true) async throws -> RawConnection {
        let connection = try await server.open(isReading: isReading)
        try await connection.send(Self.upgrade)
        if isReading {
            let text = await connection.until("\r\n\r\n")
            #expect(text.hasPrefix("HTTP/1.1 101 "), "\(text)")
        }
        return connection
    }

    private func expectFrames(
        _ connection: RawConnection, _ expected: [Frame], sourceLocation: SourceLocation = #_sourceLocation
    ) async {
        let came = await eventually { Self.frames(connection).count >= expected.count }
        #expect(came && Self.frames(connection) == expected, sourceLocation: sourceLocation)
    }

    private func expectClose(
        _ code: Int, after bytes: [UInt8], _ limits: ConnectionLimits = .changed { _ in },
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let taken = NIOLockedValueBox<[[UInt8]]>([])
        let route = WebSocketRoute { _, _ in
            .accept(subprotocol: nil) { connection in
                for await message in connection.messages { taken.withLockedValue { $0.append(message) } }
            }
        }
        try await GuardedServer.run(limits, webSocket: route) { server in
            let connection = try await open(server)
            try await connection.send(bytes)
            _ = await connection.untilClosed(sourceLocation: sourceLocation)
            #expect(Self.frames(connection).last?.closeCode == code, sourceLocation: sourceLocation)
            #expect(await eventually { server.openConnections.count == 0 }, sourceLocation: sourceLocation)
        }
        #expect(taken.withLockedValue { $0.isEmpty }, sourceLocation: sourceLocation)
    }

    // MARK: Upgrade

    @Test func upgradeIsAnswered() async throws {
        let route = WebSocketRoute { request, address in
            guard request.path == "/socket?token=t", request.authority == "a", address == "127.0.0.1" else {
                return .refuse(.badRequest)
            }
            return .accept(subprotocol: "chat") { connection in
                for await _ in connection.messages {}
            }
        }
        try await GuardedServer.run(webSocket: route) { server in
            let connection = try await open(server)
            let lines = connection.text.lowercased().components()
            // The example of RFC 6455 section 1.3.
            #expect(connection.text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
            #expect(lines.contains("sec-websocket-protocol: chat"))
            #expect(lines.contains("upgrade: websocket"))
            #expect(lines.contains("connection: upgrade"))
            await connection.close()
        }
    }

    @Test func framesSentWithTheUpgradeAreRead() async throws {
        try await GuardedServer.run(webSocket: Self.echo) { server in
            let connection = try await server.open()
            try await connection.send(Array(Self.upgrade.utf8) + Self.text("early"))
            await expectFrames(connection, [Frame(opcode: 1, data: Array("early".utf8))])
            await connection.close()
        }
    }

    /// A proxy may send the upgrade over a connection it has used for other requests.
    @Test func connectionMayBeUpgradedLater() async throws {
        try await GuardedServer.run(webSocket: Self.echo) { server in
            let connection = try await server.open()
            try await connection.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = await connection.until("hello")
            try await connection.send(Self.upgrade)
            _ = await connection.until("HTTP/1.1 101 ")
            try await connection.send(Self.text("later"))
            #expect(await eventually { connection.bytes.suffix(5).elementsEqual("later".utf8) })
            await connection.close()
        }
    }

    @Test(arguments: [401, 403, 404])
    func refusalIsAnsweredAndClosed(_ status: Int) async throws {
        let route = WebSocketRoute { _, _ in .refuse(HTTPResponse.Status(code: status)) }
        try await GuardedServer.run(.changed { _ in }, webSocket: route) { server in
            let text = try await server.answer(to: Self.upgrade + "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(text.hasPrefix("HTTP/1.1 \(status) "))
            #expect(text.hasSuffix("\r\n\r\n"))
        }
    }

    @Test func requestOfNobodyIsAnsweredByTheRoutes() async throws {
        let route = WebSocketRoute { request, _ in request.path == "/other" ? .refuse(.unauthorized) : .notMine }
        try await GuardedServer.run(.changed { _ in }, webSocket: route) { server in
            let text = try await server.answer(to: Self.upgrade)
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(text.hasSuffix("not a socket"))
        }
        // And without anybody to ask.
        try await GuardedServer.run(.changed { _ in }) { server in
            let text = try await server.answer(to: Self.upgrade)
            #expect(text.hasSuffix("not a socket"))
        }
    }

    @Test(arguments: [
        ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"), ("Sec-WebSocket-Version: 13", "X: y"),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "X: y"),
    ])
    func upgradeWithoutTheRightFieldsIsRefused(_ field: String, _ other: String) async throws {
        try await GuardedServer.run(.changed { _ in }, webSocket: Self.echo) { server in
            let parts = Self.upgrade.split(separator: field)
            try #require(parts.count == 2)
            let text = try await server.answer(to: parts.joined(separator: other))
            #expect(text.hasPrefix("HTTP/1.1 426 "))
            #expect(text.lowercased().contains("sec-websocket-version: 13\r\n"))
        }
    }

    @Test func guardHoldsForUpgradesToo() async throws {
        let isAsked = NIOLockedValueBox(false)
        let route = WebSocketRoute { _, _ in
            isAsked.withLockedValue { $0 = true }
            return .refuse(.unauthorized)
        }
        try await GuardedServer.run(.changed { _ in }, webSocket: route) { server in
            let text = try await server.answer(to: "GET /x/.." + Self.upgrade.dropFirst(4))
            #expect(text.hasPrefix("HTTP/1.1 404 "))
        }
        #expect(!isAsked.withLockedValue { $0 })
    }

    @Test func endlessDecisionIsCutOff() async throws {
        let route = WebSocketRoute { _, _ in
            try? await Task.sleep(for: .seconds(3))
            return .notMine
        }
        try await GuardedServer.run(.changed { $0.requestDeadline = .milliseconds(300) }, webSocket: route) { server in
            let text = try await server.answer(to: Self.upgrade)
            #expect(text.hasPrefix("HTTP/1.1 503 "))
        }
    }

    // MARK: Messages

    @Test func manyMessagesAreEchoedInOrder() async throws {
        try await GuardedServer.run(webSocket: Self.echo) { server in
            let connection = try await open(server)
            let messages = (0..<10_000).map { "message \($0)" }
            for start in stride(from: 0, to: messages.count, by: 500) {
                try await connection.send(messages[start..<start + 500].flatMap(Self.text))
            }
            #expect(await eventually { connection.bytes.suffix(12).elementsEqual("message 9999".utf8) })
            #expect(Self.frames(connection).map(\.text) == messages)
            await connection.close()
        }
    }

    /// A peer that sends without reading is slowed down, not stored.
    @Test func echoToASlowReaderKeepsTheOrder() async throws {
        try await GuardedServer.run(webSocket: Self.echo) { server in
            let connection = try await open(server, isReading: false)
            let message = [UInt8](repeating: 0x61, count: 10_000)
            let sending = Task {
                for index in 0..<2_000 {
                    try await connection.send(Self.frame(1, Array("\(index) ".utf8) + message))
                }
            }
            try await Task.sleep(for: .milliseconds(500))
            try await connection.channel.setOption(.autoRead, value: true).get()
            connection.channel.read()
            try await sending.value
            #expect(await eventually { connection.count > 2_000 * 10_006 })
            let numbers = Self.frames(connection).map { Int($0.text.prefix { $0 != " " }) }
            #expect(numbers == Array(0..<2_000))
            await connection.close()
        }
    }

    @Test func messagesOfAllSizesAndKindsArrive() async throws {
        try await GuardedServer.run(webSocket: Self.echo) { server in
            let connection = try await open(server)
            var expected: [Frame] = []
            for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
                let data = [UInt8](repeating: 0x61, count: size)
                try await connection.send(Self.frame(size % 2 == 0 ? 1 : 2, data))
                expected.append(Frame(opcode: 1, data: data))
            }
            try await connection.send(Self.frame(2, [0xFF, 0xFE]))
            expected.append(Frame(opcode: 1, data: [0xFF, 0xFE]))
            await expectFrames(connection, expected)
            await connection.close()
        }
    }

    @Test func fragmentsAreJoined() async throws {
        try await GuardedServer.run(webSocket: Self.echo) { server in
            let connection = try await open(server)
            let text = Array("抽奖".utf8)
            for byte in text.dropLast() {
                try await connection.send(Self.frame(byte == text.first ? 1 : 0, [byte], isFinal: false))
            }
            // Control frames may come between.
            try await connection.send(Self.frame(9, [1, 2]))
            try await connection.send(Self.frame(0, [], isFinal: false))
            try await connection.send(Self.frame(0, Array(text.suffix(1))))
            await expectFrames(connection, [Frame(opcode: 10, data: [1, 2]), Frame(opcode: 1, data: text)])
            await connection.close()
        }
    }

    @Test func pingIsAnswered() async throws {
        try await GuardedServer.run(webSocket: Self.echo) { server in
            let connection = try await open(server)
            try await connection.send(Self.frame(9, []) + Self.frame(9, Array("still there".utf8)))
            await expectFrames(
                connection, [Frame(opcode: 10, data: []), Frame(opcode: 10, data: Array("still there".utf8))])
            await connection.close()
        }
    }

    // MARK: What is refused

    @Test func tooLargeMessageCloses() async throws {
        let limits = ConnectionLimits.changed { $0.webSocketMessageSize = 1_000 }
        let half = [UInt8](repeating: 0x61, count: 501)
        try await expectClose(1009, after: Self.frame(1, half + half), limits)
        try await expectClose(1009, after: Self.frame(1, half, isFinal: false) + Self.frame(0, half), limits)
        // The size alone is enough: nothing else of it comes.
        try await expectClose(1009, after: [0x81, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4], limits)
        try await expectClose(1009, after: [0x81, 0xFF, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4], limits)
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0xAE], [0xED, 0xA0, 0x80], [0xE6, 0x8A], [0x61, 0x80],
        ] as [[UInt8]])
    func textThatIsNotUTF8Closes(_ data: [UInt8]) async throws {
        try await expectClose(1007, after: Self.frame(1, data))
        try await expectClose(1007, after: Self.frame(1, [], isFinal: false) + Self.frame(0, data))
    }

    @Test func brokenFramesClose() async throws {
        let ping = [UInt8](repeating: 1, count: 126)
        for bytes in [
            Self.frame(1, [0x61], isMasked: false), Self.frame(9, [], isMasked: false),
            Self.frame(1, [0x61], reserved: 0x40), Self.frame(1, [0x61], reserved: 0x20),
            Self.frame(1, [0x61], reserved: 0x10), Self.frame(3, [0x61]), Self.frame(11, []), Self.frame(0, [0x61]),
            Self.frame(1, [0x61], isFinal: false) + Self.frame(1, [0x61]), Self.frame(9, [], isFinal: false),
            Self.frame(9, ping), Self.frame(8, ping),
        ] {
            try await expectClose(1002, after: bytes + Self.text("after"))
        }
    }

    // MARK: The end

    @Test func closeIsAnswered() async throws {
        try await GuardedServer.run(.changed { _ in }, webSocket: Self.echo) { server in
            for (sent, answered) in [([0x03, 0xE8], 1000), ([0x0F, 0xA0], 4000), ([], 1000), ([0x03, 0xED], 1002)] {
                let connection = try await open(server)
                try await connection.send(Self.text("a") + Self.frame(8, sent.map { UInt8($0) }))
                _ = await connection.untilClosed()
                #expect(Self.frames(connection).last?.closeCode == answered)
            }
        }
    }

    @Test func handlerThatReturnsClosesTheConnection() async throws {
        let route = WebSocketRoute { _, _ in
            .accept(subprotocol: nil) { connection in
                try? await connection.send(Array("bye".utf8))
            }
        }
        try await GuardedServer.run(.changed { _ in }, webSocket: route) { server in
            let connection = try await open(server)
            await expectFrames(
                connection, [Frame(opcode: 1, data: Array("bye".utf8)), Frame(opcode: 8, data: [0x03, 0xE8])])
            try await connection.send(Self.frame(8, [0x03, 0xE8]))
            _ = await connection.untilClosed()
        }
    }

    @Test func messagesEndWhenThePeerGoes() async throws {
        let hasFailed = NIOLockedValueBox(0)
        let route = WebSocketRoute { _, _ in
            .accept(subprotocol: nil) { connection in
                for await _ in connection.messages {}
                do {
                    try await connection.send([0x61])
                } catch is WebSocketConnection.Closed {
                    hasFailed.withLockedValue { $0 += 1 }
                } catch {}
            }
        }
        try await GuardedServer.run(.changed { _ in }, webSocket: route) { server in
            let gone = try await open(server)
            await gone.close()
            #expect(await eventually { hasFailed.withLockedValue { $0 } == 1 })
            let half = try await open(server)
            try await half.endInput()
            #expect(await eventually { hasFailed.withLockedValue { $0 } == 2 })
        }
    }

    @Test func silentPeerIsPingedAndThenClosed() async throws {
        let limits = ConnectionLimits.changed {
            $0.webSocketPing = .milliseconds(200)
            $0.webSocketIdle = .milliseconds(1_500)
        }
        try await GuardedServer.run(limits, webSocket: Self.echo) { server in
            let connection = try await open(server)
            _ = await connection.untilClosed()
            let frames = Self.frames(connection)
            #expect(frames.first == Frame(opcode: 9, data: []))
            #expect(frames.last?.closeCode == 1001)
        }
    }

    /// A peer that answers pings is not idle, however little it has to say.
    @Test func peerThatAnswersPingsStays() async throws {
        let limits = ConnectionLimits.changed {
            $0.webSocketPing = .milliseconds(200)
            $0.webSocketIdle = .seconds(5)
        }
        try await GuardedServer.run(limits, webSocket: Self.echo) { server in
            let connection = try await open(server)
            let start = ContinuousClock.now
            while ContinuousClock.now - start < .seconds(7) {
                try await Task.sleep(for: .milliseconds(100))
                try await connection.send(Self.frame(10, []))
            }
            #expect(!connection.isClosed)
            try await connection.send(Self.text("still here"))
            // On a busy machine there may be pings between.
            #expect(await eventually { Self.frames(connection).contains { $0.text == "still here" } })
            await connection.close()
        }
    }

    @Test func sendToAPeerThatDoesNotReadFails() async throws {
        let hasFailed = NIOLockedValueBox(false)
        let sentCount = NIOLockedValueBox(0)
        let route = WebSocketRoute { _, _ in
            .accept(subprotocol: nil) { connection in
                let message = [UInt8](repeating: 0x61, count: 10_000)
                for _ in 0..<100_000 {
                    do {
                        try await connection.send(message)
                        sentCount.withLockedValue { $0 += 1 }
                    } catch {
                        hasFailed.withLockedValue { $0 = true }
                        return
                    }
                }
            }
        }
        try await GuardedServer.run(.changed { $0.writeDeadline = .milliseconds(500) }, webSocket: route) { server in
            let connection = try await open(server, isReading: false)
            #expect(await eventually { hasFailed.withLockedValue { $0 } })
            #expect(await eventually { server.openConnections.count == 0 })
            // Little more than the sockets' buffers hold is taken.
            #expect(sentCount.withLockedValue { $0 } < 5_000)
            await connection.close()
        }
    }

    @Test func shutdownSaysGoodbyeAndDoesNotWaitForever() async throws {
        let limits = ConnectionLimits.changed { $0.shutdownDeadline = .seconds(5) }
        let start = ContinuousClock.now
        try await GuardedServer.run(limits, webSocket: Self.echo) { server in
            let polite = try await open(server)
            let deaf = try await open(server)
            await server.stop()
            await expectFrames(polite, [Frame(opcode: 8, data: [0x03, 0xE9])])
            try await polite.send(Self.frame(8, [0x03, 0xE9]))
            _ = await polite.untilClosed()
            // This one never answers.
            _ = await deaf.untilClosed()
            #expect(Self.frames(deaf) == [Frame(opcode: 8, data: [0x03, 0xE9])])
        }
        #expect(ContinuousClock.now - start < .seconds(60))
    }
}

extension String {
    fileprivate func components() -> [String] { split(separator: "\r\n").map(String.init) }
}
