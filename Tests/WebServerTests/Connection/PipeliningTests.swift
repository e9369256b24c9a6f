import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import WebServer

/// What is handed on of many requests sent at once, with nobody behind who answers.
struct PipeliningTests {
    private final class Counter: ChannelInboundHandler, Sendable {
        typealias InboundIn = HTTPServerRequestPart
        let count = NIOLockedValueBox(0)

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if case .head = unwrapInboundIn(data) { count.withLockedValue { $0 += 1 } }
        }
    }

    @Test("hardening row 51: only so many unanswered requests are read") func onlySoManyUnansweredRequestsAreRead()
        async throws
    {
        let limits = ConnectionLimits.changed { $0.pipelinedCount = 8 }
        let counter = Counter()
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let bytes = ByteGuard(limits: limits, isTLS: false)
                    let requests = RequestGuard(
                        limits: limits, bytes: bytes, isTLS: false, route: nil, upgraded: nil, httpHandlers: [])
                    let decoder = ByteToMessageHandler(HTTPRequestDecoder())
                    try channel.pipeline.syncOperations.addHandlers(
                        [bytes, HTTPResponseEncoder(), decoder, requests, counter])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let client = try await RawConnection.open(try #require(server.localAddress?.port))
        let sending = Task {
            await client.sendEndlessly(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 1_000))
        }
        #expect(await eventually { counter.count.withLockedValue { $0 } >= 8 })
        try await Task.sleep(for: .milliseconds(300))
        #expect(counter.count.withLockedValue { $0 } == 8)
        await client.close()
        await sending.value
        try await server.close()
    }
}
