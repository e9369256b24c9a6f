import NIOConcurrencyHelpers
import NIOCore
import Testing
import WebServer

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Many connections, and the end of all of them.
@Suite(.serialized)
struct ConnectionCountTests {
    /// The number of connections that can be opened, both ends of each being ours, at most `wanted`.
    private func possibleCount(_ wanted: Int) -> Int {
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        guard getrlimit(resource, &limit) == 0 else { return 100 }
        limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, rlim_t(2 * wanted + 1_000)))
        _ = setrlimit(resource, &limit)
        guard getrlimit(resource, &limit) == 0 else { return 100 }
        return min(wanted, (Int(clamping: limit.rlim_cur) - 500) / 2)
    }

    @Test func idleConnectionsDoNotStopANewOne() async throws {
        let count = possibleCount(5_000)
        try #require(count > 100)
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
    @Test func connectionBeyondTheLimitIsServedOnceIdleOnesAreClosed() async throws {
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

    @Test func shutdownEndsStuckConnectionsAtTheDeadline() async throws {
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
