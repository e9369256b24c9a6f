import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing
import WebServer

/// Many connections, and the end of all of them.
@Suite(.serialized)
struct ConnectionCountTests {
    /// Both ends of each connection are ours, and other tests have some open too.
    @Test(
        "hardening row 56: idle connections do not stop a new one",
        .enabled(if: OpenFileLimit.allows(17_000), "needs a limit of 17,000 open files (ulimit -n)"))
    func idleConnectionsDoNotStopANewOne() async throws {
        let count = 5_000
        try await GuardedServer.run(.changed { $0.connectionCount = count + 10 }) { server in
            var idle: [RawConnection] = []
            for _ in 0..<count { idle.append(try await server.open()) }
            #expect(await eventually { server.openConnections.count == count })
            for _ in 0..<5 { try await server.expectServing() }
            #expect(idle.allSatisfy { !$0.isClosed })
            for connection in idle { await connection.close() }
            #expect(await eventually { server.openConnections.count == 0 })
        }
    }

    /// At the limit a new connection is neither refused nor served: it waits in the backlog until an idle one is
    /// closed.
    @Test("hardening row 56: one connection too many waits outside")
    func connectionBeyondTheLimitIsServedOnceIdleOnesAreClosed() async throws {
        let limits = ConnectionLimits.changed {
            $0.connectionCount = 8
            $0.idle = .seconds(2)
        }
        try await GuardedServer.run(limits) { server in
            var idle: [RawConnection] = []
            for _ in 0..<8 { idle.append(try await server.open()) }
            #expect(await eventually { server.openConnections.count == 8 })
            let waiting = try await server.open()
            try await waiting.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(waiting.text == "")
            #expect(server.openConnections.count == 8)
            #expect(await waiting.untilClosed().hasSuffix("\r\n\r\nhello"))
            for connection in idle { await connection.close() }
        }
    }

    /// However many wait in front of the main listener, a monitor on its own port is answered.
    @Test("hardening row 56: monitors are answered while the server is full")
    func monitorsAreAnsweredWhileTheServerIsFull() async throws {
        let operationPort = try await Self.freePort()
        try await TestServer.run { configuration in
            configuration.limits = .changed { $0.connectionCount = 8 }
            configuration.operationPort = operationPort
        } _: { server in
            var idle: [RawConnection] = []
            for _ in 0..<8 { idle.append(try await RawConnection.open(server.port)) }
            #expect(await eventually { server.counter("hongbao_open_connections") == 8 })
            let request = "GET /api/traffic/check HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            let waiting = try await RawConnection.open(server.port)
            try await waiting.send(request)
            for path in ["/healthz", "/readyz", "/metrics"] {
                let monitor = try await RawConnection.open(operationPort)
                try await monitor.send("GET \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                #expect(await monitor.untilClosed().hasPrefix("HTTP/1.1 200 "), "\(path)")
            }
            // The main listener was full all the while.
            #expect(waiting.text == "")
            #expect(idle.allSatisfy { !$0.isClosed })
            await idle.removeLast().close()
            #expect(await waiting.untilClosed().hasPrefix("HTTP/1.1 200 "))
            for connection in idle { await connection.close() }
        }
    }

    /// A port that was free a moment ago.
    private static func freePort() async throws -> Int {
        let bootstrap = ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        let channel = try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
        let port = channel.localAddress?.port ?? 0
        try await channel.close()
        return port
    }

    // Row 57

    @Test func shutdownEndsIdleConnectionsAtOnce() async throws {
        try await GuardedServer.run(.changed { $0.shutdownDeadline = .seconds(300) }) { server in
            let idle = try await server.open()
            let used = try await server.open()
            try await used.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = await used.until("hello")
            await server.stop()
            _ = await idle.untilClosed()
            _ = await used.untilClosed()
        }
    }

    @Test func requestInProgressIsAnsweredAtShutdown() async throws {
        try await GuardedServer.run(.changed { $0.shutdownDeadline = .seconds(60) }) { server in
            let connection = try await server.open()
            try await connection.send("POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
            #expect(await eventually { server.openConnections.count == 1 })
            try await Task.sleep(for: .milliseconds(50))
            await server.stop()
            try await Task.sleep(for: .milliseconds(50))
            try await connection.send("lo")
            let text = await connection.untilClosed()
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(text.lowercased().contains("connection: close\r\n"))
            #expect(text.hasSuffix("5 bytes"))
        }
    }

    @Test("hardening row 57: stuck connections end at the deadline") func shutdownEndsStuckConnectionsAtTheDeadline()
        async throws
    {
        let start = ContinuousClock.now
        try await GuardedServer.run(.changed { $0.shutdownDeadline = .milliseconds(500) }) { server in
            var stuck: [RawConnection] = []
            for start in [
                "GET /hello HTTP/1.1\r\nX: y", "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
                "GET /large HTTP/1.1\r\nHost: a\r\n\r\n",
            ] {
                let connection = try await server.open(isReading: false)
                try await connection.send(start)
                stuck.append(connection)
            }
            #expect(await eventually { server.openConnections.count == 3 })
            await server.stop()
            #expect(await eventually { server.openConnections.count == 0 })
            #expect(server.bodies.withLockedValue { $0.isEmpty })
            for connection in stuck { await connection.close() }
        }
        #expect(ContinuousClock.now - start < .seconds(60))
    }
}
