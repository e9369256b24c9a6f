import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

/// A platform's API on a bad day: it answers in ways that a server made for answering does not.
final class OddAPI: Sendable {
    enum Answer: Sendable {
        case ordinary(status: Int, body: String)
        /// Takes the request and says nothing.
        case nothing
        /// A 200 whose body comes a byte a second, without end.
        case trickle
        /// A 200 with a body of so many bytes.
        case large(size: Int)
    }

    let channel: any Channel
    private let handled: NIOLockedValueBox<Int>
    private let written: NIOLockedValueBox<Int>

    var port: Int { channel.localAddress?.port ?? 0 }
    var url: String { "http://127.0.0.1:\(port)" }
    /// Requests that came.
    var count: Int { handled.withLockedValue { $0 } }
    /// Bytes of large bodies that somebody took.
    var takenSize: Int { written.withLockedValue { $0 } }

    private init(
        channel: any Channel, handled: NIOLockedValueBox<Int>, written: NIOLockedValueBox<Int>
    ) {
        (self.channel, self.handled, self.written) = (channel, handled, written)
    }

    /// - Parameters:
    ///   - port: 0: any free one.
    ///   - answer: By the number of the request, from 1.
    static func run<Value>(
        port: Int = 0, answer: @escaping @Sendable (Int) -> Answer, _ body: (OddAPI) async throws -> Value
    ) async throws -> Value {
        let handled = NIOLockedValueBox(0)
        let written = NIOLockedValueBox(0)
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(
                        Handler(answer: answer, handled: handled, written: written))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        do {
            let result = try await body(OddAPI(channel: channel, handled: handled, written: written))
            try? await channel.close()
            return result
        } catch {
            try? await channel.close()
            throw error
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart

        private let answer: @Sendable (Int) -> Answer
        private let handled: NIOLockedValueBox<Int>
        private let written: NIOLockedValueBox<Int>

        init(
            answer: @escaping @Sendable (Int) -> Answer, handled: NIOLockedValueBox<Int>,
            written: NIOLockedValueBox<Int>
        ) {
            (self.answer, self.handled, self.written) = (answer, handled, written)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            let number = handled.withLockedValue { handled in
                handled += 1
                return handled
            }
            switch answer(number) {
            case .ordinary(let status, let body):
                head(context, status, length: body.utf8.count)
                context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil)
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            case .nothing: break
            case .trickle:
                head(context, 200, length: nil)
                trickle(context)
            case .large(let size):
                head(context, 200, length: nil)
                large(context, size)
            }
        }

        private func head(_ context: ChannelHandlerContext, _ status: Int, length: Int?) {
            var headers: HTTPHeaders = ["Content-Type": "application/json"]
            if let length { headers.add(name: "Content-Length", value: String(length)) }
            let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
            context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        }

        private func trickle(_ context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: " ")))), promise: nil)
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.eventLoop.scheduleTask(in: .seconds(1)) {
                let (handler, context) = bound.value
                if context.channel.isActive { handler.trickle(context) }
            }
        }

        private func large(_ context: ChannelHandlerContext, _ rest: Int) {
            guard rest > 0 else {
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
                return
            }
            let part = min(rest, 64 * 1024)
            let written = written
            let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(repeating: 0x20, count: part)))))
                .whenSuccess {
                    written.withLockedValue { $0 += part }
                    let (handler, context) = bound.value
                    handler.large(context, rest - part)
                }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}

/// A port where nobody listens, and where nobody else will while this is kept: taken, so that the system gives it to no
/// other, and open for who asks for it by its number.
final class ClosedPort: Sendable {
    private let descriptor: Int32
    let number: Int

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var yes: Int32 = 1
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutableBytes(of: &address) { bytes in
            guard let pointer = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return false }
            return setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size)) == 0
                && bind(descriptor, pointer, size) == 0 && getsockname(descriptor, pointer, &size) == 0
        }
        self.descriptor = descriptor
        number = Int(UInt16(bigEndian: address.sin_port))
        try #require(isBound)
    }

    deinit {
        Glibc.close(descriptor)
    }
}
