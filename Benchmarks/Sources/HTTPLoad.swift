internal import NIOCore
internal import NIOPosix

/// Sends requests that were made beforehand, over connections that are kept open, one request at a time on each.
enum HTTPLoad {
    /// - Parameters:
    ///   - requests: Whole HTTP/1.1 requests; shared out over the connections.
    ///   - expecting: What every answer must hold, besides status 200.
    /// - Returns: Seconds from the first request to the last answer.
    static func run(_ requests: [[UInt8]], port: Int, connections: Int, expecting: String) async throws -> Double {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let expected = Array(expecting.utf8)
        let shares = (0..<connections).map { first in
            stride(from: first, to: requests.count, by: connections).map { ByteBuffer(bytes: requests[$0]) }
        }
        var channels: [(any Channel, EventLoopFuture<Void>)] = []
        for share in shares where !share.isEmpty {
            let done = group.any().makePromise(of: Void.self)
            let channel = try await ClientBootstrap(group: group)
                .channelOption(ChannelOptions.socketOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(
                            Asker(requests: share, expected: expected, done: done))
                    }
                }
                .connect(host: "127.0.0.1", port: port).get()
            channels.append((channel, done.futureResult))
        }
        let start = ContinuousClock.now
        for (channel, _) in channels { channel.pipeline.fireUserInboundEventTriggered(Asker.Begin()) }
        for (_, done) in channels { try await done.get() }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        for (channel, _) in channels { try? await channel.close() }
        try await group.shutdownGracefully()
        return seconds
    }

    private final class Asker: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        struct Begin: Sendable {}

        private var requests: ArraySlice<ByteBuffer>
        private let expected: [UInt8]
        private let done: EventLoopPromise<Void>
        private var received: [UInt8] = []

        init(requests: [ByteBuffer], expected: [UInt8], done: EventLoopPromise<Void>) {
            self.requests = requests[...]
            self.expected = expected
            self.done = done
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event is Begin { ask(context) } else { context.fireUserInboundEventTriggered(event) }
        }

        private func ask(_ context: ChannelHandlerContext) {
            guard let request = requests.popFirst() else { return done.succeed(()) }
            context.writeAndFlush(wrapOutboundOut(request), promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            received.append(contentsOf: buffer.readableBytesView)
            guard let headEnd = Self.find(Array("\r\n\r\n".utf8), in: received[...]) else { return }
            let head = String(decoding: received[..<headEnd], as: UTF8.self).lowercased()
            guard let field = head.split(separator: "\r\n").first(where: { $0.hasPrefix("content-length:") }),
                let length = Int(field.dropFirst("content-length:".count).filter { $0 != " " })
            else { return fail(context, "an answer without a length: \(head)") }
            guard received.count >= headEnd + 4 + length else { return }
            guard head.hasPrefix("http/1.1 200"), Self.find(expected, in: received[(headEnd + 4)...]) != nil else {
                return fail(context, "an answer that was not expected: \(String(decoding: received, as: UTF8.self))")
            }
            received.removeAll(keepingCapacity: true)
            ask(context)
        }

        func channelInactive(context: ChannelHandlerContext) {
            done.fail(Wrong(description: "the server closed a connection"))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            done.fail(error)
        }

        private func fail(_ context: ChannelHandlerContext, _ text: String) {
            done.fail(Wrong(description: text))
            context.close(promise: nil)
        }

        private static func find(_ bytes: [UInt8], in haystack: ArraySlice<UInt8>) -> Int? {
            guard let first = bytes.first, haystack.count >= bytes.count else { return nil }
            var index = haystack.startIndex
            let last = haystack.endIndex - bytes.count
            while index <= last {
                if haystack[index] == first, haystack[index..<(index + bytes.count)].elementsEqual(bytes) {
                    return index
                }
                index += 1
            }
            return nil
        }
    }
}
