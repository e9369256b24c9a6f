internal import NIOCore
internal import NIOPosix

/// Sends requests that were made beforehand, over connections that are kept open, one request at a time on each.
struct RequestLoad {
    enum Server {
        case port(Int)
        case socket(path: String)
    }

    /// - Returns: The size of the answer that the bytes begin with; nil while it is not whole.
    /// - Throws: ``Wrong`` for an answer that was not expected.
    typealias AnswerReader = @Sendable (_ received: [UInt8]) throws -> Int?

    struct Result {
        /// From the first request to the last answer.
        let seconds: Double
        /// Of every request, in no order, from the moment at which it was due; nanoseconds.
        let latencies: [Int64]
    }

    let server: Server
    let connectionCount: Int
    /// A request is due so long after the one before it, whether that is answered or not; nil: as soon as its
    /// connection is free.
    var interval: TimeAmount?
    let answerSize: AnswerReader

    /// - Parameter requests: Shared out over the connections in turns.
    func run(_ requests: [[UInt8]]) async throws -> Result {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let result = try await run(requests, on: group)
            try await group.shutdownGracefully()
            return result
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private func run(_ requests: [[UInt8]], on group: MultiThreadedEventLoopGroup) async throws -> Result {
        let shares = (0..<connectionCount).map { first in
            stride(from: first, to: requests.count, by: connectionCount).map { ByteBuffer(bytes: requests[$0]) }
        }.filter { !$0.isEmpty }
        var channels: [any Channel] = []
        var answered: [EventLoopFuture<[Int64]>] = []
        for (number, share) in shares.enumerated() {
            let done = group.any().makePromise(of: [Int64].self)
            let bootstrap = ClientBootstrap(group: group)
                .channelInitializer { [answerSize, interval, connectionCount] channel in
                    channel.eventLoop.makeCompletedFuture {
                        let asker = Asker(
                            requests: share, firstDue: interval.map { $0 * number },
                            interval: interval.map { $0 * connectionCount }, answerSize: answerSize, done: done)
                        try channel.pipeline.syncOperations.addHandler(asker)
                    }
                }
            do {
                channels.append(try await connect(bootstrap))
            } catch {
                done.fail(error)
                throw error
            }
            answered.append(done.futureResult)
        }
        let begun = NIODeadline.now()
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(Asker.Begin(at: begun)) }
        var latencies: [Int64] = []
        for answered in answered { latencies += try await answered.get() }
        let seconds = Double((NIODeadline.now() - begun).nanoseconds) / 1e9
        for channel in channels { try? await channel.close() }
        return Result(seconds: seconds, latencies: latencies)
    }

    private func connect(_ bootstrap: ClientBootstrap) async throws -> any Channel {
        switch server {
        case .port(let port):
            try await bootstrap.channelOption(ChannelOptions.socketOption(.tcp_nodelay), value: 1)
                .connect(host: "127.0.0.1", port: port).get()
        case .socket(let path): try await bootstrap.connect(unixDomainSocketPath: path).get()
        }
    }

    /// One connection's share.
    private final class Asker: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        struct Begin: Sendable {
            let at: NIODeadline
        }

        private var requests: ArraySlice<ByteBuffer>
        private let firstDue: TimeAmount?
        private let interval: TimeAmount?
        private let answerSize: AnswerReader
        private let done: EventLoopPromise<[Int64]>
        private var received: [UInt8] = []
        /// When the request that is under way was due.
        private var due = NIODeadline.now()
        private var latencies: [Int64] = []

        init(
            requests: [ByteBuffer], firstDue: TimeAmount?, interval: TimeAmount?,
            answerSize: @escaping AnswerReader, done: EventLoopPromise<[Int64]>
        ) {
            self.requests = requests[...]
            self.firstDue = firstDue
            self.interval = interval
            self.answerSize = answerSize
            self.done = done
            latencies.reserveCapacity(requests.count)
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            guard let begin = event as? Begin else { return context.fireUserInboundEventTriggered(event) }
            ask(context, due: begin.at + (firstDue ?? .zero))
        }

        private func ask(_ context: ChannelHandlerContext, due: NIODeadline) {
            guard let request = requests.popFirst() else { return done.succeed(latencies) }
            self.due = due
            guard interval != nil, due > .now() else {
                return context.writeAndFlush(wrapOutboundOut(request), promise: nil)
            }
            context.eventLoop.assumeIsolated().scheduleTask(deadline: due) {
                context.writeAndFlush(self.wrapOutboundOut(request), promise: nil)
            }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received.append(contentsOf: unwrapInboundIn(data).readableBytesView)
            do {
                guard let size = try answerSize(received) else { return }
                guard size == received.count else { throw Wrong(description: "an answer that nobody asked for") }
            } catch {
                done.fail(error)
                return context.close(promise: nil)
            }
            received.removeAll(keepingCapacity: true)
            let now = NIODeadline.now()
            latencies.append((now - due).nanoseconds)
            ask(context, due: interval.map { due + $0 } ?? now)
        }

        func channelInactive(context: ChannelHandlerContext) {
            done.fail(Wrong(description: "the server closed a connection"))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            done.fail(error)
        }
    }
}
