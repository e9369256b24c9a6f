import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

/// A client that sends exactly the bytes it is told to.
final class RawConnection: Sendable {
    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let received = NIOLockedValueBox(ByteBuffer())
        let isClosed = NIOLockedValueBox(false)

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var buffer = unwrapInboundIn(data)
            _ = received.withLockedValue { $0.writeBuffer(&buffer) }
        }

        func channelInactive(context: ChannelHandlerContext) {
            isClosed.withLockedValue { $0 = true }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }

    let channel: any Channel
    private let collector: Collector

    private init(channel: any Channel, collector: Collector) {
        self.channel = channel
        self.collector = collector
    }

    /// - Parameters:
    ///   - isReading: Whether what the server sends is taken from the socket.
    ///   - tls: Makes the handler that goes before the others.
    static func open(
        _ port: Int, isReading: Bool = true, tls: (@Sendable () throws -> any ChannelHandler)? = nil
    ) async throws -> RawConnection {
        let collector = Collector()
        let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelOption(.autoRead, value: isReading)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(tls()) }
                    try channel.pipeline.syncOperations.addHandler(collector)
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return RawConnection(channel: channel, collector: collector)
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text))
    }

    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    /// Sends until the server closes.
    func sendEndlessly(_ text: String) async {
        while channel.isActive {
            do { try await send(text) } catch { return }
        }
    }

    /// Shuts down our side; what the server sends still arrives.
    func endInput() async throws {
        try await channel.setOption(.allowRemoteHalfClosure, value: true).get()
        try await channel.close(mode: .output)
    }

    func close() async {
        try? await channel.close()
    }

    var isClosed: Bool { collector.isClosed.withLockedValue { $0 } }
    // Within the lock: the thread sanitizer does not see that a copy's storage is counted.
    var text: String { collector.received.withLockedValue { String(buffer: $0) } }
    var bytes: [UInt8] { collector.received.withLockedValue { Array($0.readableBytesView) } }
    var count: Int { collector.received.withLockedValue { $0.readableBytes } }

    /// Everything the server sent, once it has closed.
    func untilClosed(_ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation) async -> String {
        let hasClosed = await eventually { self.isClosed }
        #expect(hasClosed, comment ?? "still open after: \(text.prefix(300))", sourceLocation: sourceLocation)
        return text
    }

    /// What the server has sent once it contains `part`, `times` times.
    func until(
        _ part: String, times: Int = 1, sourceLocation: SourceLocation = #_sourceLocation
    ) async -> String {
        let found = await eventually {
            self.text.split(separator: part, omittingEmptySubsequences: false).count > times
        }
        #expect(found, "\(part) is not in: \(text.suffix(300))", sourceLocation: sourceLocation)
        return text
    }
}

/// Waits for something that is sure to happen, however slow the machine.
func eventually(_ condition: @Sendable () -> Bool) async -> Bool {
    // Counted in looks: where other tests keep the threads busy, a minute may pass between two.
    for _ in 0..<12_000 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(5))
    }
    return condition()
}
