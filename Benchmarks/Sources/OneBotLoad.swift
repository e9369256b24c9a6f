internal import Foundation
internal import NIOCore
internal import NIOPosix

/// A OneBot 11 implementation that connects to a bot (reverse WebSocket), hands it draws of many users in one group, and
/// says by `send_msg` what it is told to.
struct OneBotLoad {
    static let selfID = 20001
    static let groupID = 88001

    let port: Int
    let path: String
    let token: String
    /// Messages that are handed over and not answered.
    let inFlightCount: Int

    /// - Parameter users: Each draws once.
    /// - Returns: Seconds from the first message to the last answer.
    /// - Throws: ``Wrong`` for an action that says no win.
    func run(_ users: [String]) async throws -> Double {
        let now = Int(Date().timeIntervalSince1970)
        let messages = users.enumerated().map { index, user in
            Self.frame(
                #"{"time":\#(now),"self_id":\#(Self.selfID),"post_type":"message","message_type":"group","#
                    + #""sub_type":"normal","message_id":\#(index),"group_id":\#(Self.groupID),"user_id":\#(user),"#
                    + #""anonymous":null,"message":[{"type":"text","data":{"text":"抽奖"}}],"raw_message":"抽奖","#
                    + #""font":0,"sender":{"user_id":\#(user),"nickname":"阿花","card":"","role":"member"}}"#)
        }
        let greeting = Self.frame(
            #"{"time":\#(now),"self_id":\#(Self.selfID),"post_type":"meta_event","meta_event_type":"lifecycle","#
                + #""sub_type":"connect"}"#)
        let upgrade = ByteBuffer(
            string: "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: aG9uZ2Jhby1iZW5jaC0xMg==\r\n"
                + "X-Self-ID: \(Self.selfID)\r\nX-Client-Role: Universal\r\nAuthorization: Bearer \(token)\r\n\r\n")
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let done = group.any().makePromise(of: Double.self)
        let channel = try await connect(group) { [inFlightCount] in
            Implementation(
                upgrade: upgrade, greeting: greeting, messages: messages, inFlightCount: inFlightCount, done: done)
        }
        let seconds = try await done.futureResult.get()
        try? await channel.close()
        try await group.shutdownGracefully()
        return seconds
    }

    /// A bot may say its address before it listens.
    private func connect(
        _ group: MultiThreadedEventLoopGroup, handler: @escaping @Sendable () -> Implementation
    ) async throws -> any Channel {
        let bootstrap = ClientBootstrap(group: group)
            .channelOption(ChannelOptions.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(handler())
                }
            }
        for _ in 0..<200 {
            if let channel = try? await bootstrap.connect(host: "127.0.0.1", port: port).get() { return channel }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw Wrong(description: "nobody listens on port \(port)")
    }

    /// A masked text frame, as a client must send it.
    private static func frame(_ text: String) -> ByteBuffer {
        let bytes = Array(text.utf8)
        let mask: [UInt8] = [0x5A, 0x17, 0xC3, 0x88]
        var buffer = ByteBuffer()
        buffer.writeInteger(0x81 as UInt8)
        if bytes.count <= 125 {
            buffer.writeInteger(0x80 | UInt8(bytes.count))
        } else {
            buffer.writeInteger(0x80 | 126 as UInt8)
            buffer.writeInteger(UInt16(bytes.count))
        }
        buffer.writeBytes(mask)
        buffer.writeBytes(bytes.enumerated().map { $1 ^ mask[$0 & 3] })
        return buffer
    }

    private final class Implementation: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        /// As it is, and as an encoder writes it that keeps to ASCII.
        private static let win = [Array("恭喜中奖".utf8), Array(#"\u606d\u559c\u4e2d\u5956"#.utf8)]
        private static let echo = Array(#""echo":"#.utf8)

        private let upgrade: ByteBuffer
        private let greeting: ByteBuffer
        private var messages: ArraySlice<ByteBuffer>
        private let inFlightCount: Int
        private let done: EventLoopPromise<Double>
        private var isUpgraded = false
        private var received = ByteBuffer()
        private var unansweredCount: Int
        private var start = NIODeadline.now()

        init(
            upgrade: ByteBuffer, greeting: ByteBuffer, messages: [ByteBuffer], inFlightCount: Int,
            done: EventLoopPromise<Double>
        ) {
            self.upgrade = upgrade
            self.greeting = greeting
            self.messages = messages[...]
            self.inFlightCount = inFlightCount
            self.done = done
            unansweredCount = messages.count
        }

        func channelActive(context: ChannelHandlerContext) {
            context.writeAndFlush(wrapOutboundOut(upgrade), promise: nil)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            received.writeImmutableBuffer(unwrapInboundIn(data))
            do {
                if !isUpgraded { try readUpgrade(context) }
                while isUpgraded, let payload = try readFrame() { try act(payload, context) }
            } catch {
                done.fail(error)
                return context.close(promise: nil)
            }
            received.discardReadBytes()
            context.flush()
        }

        private func readUpgrade(_ context: ChannelHandlerContext) throws {
            let bytes = Array(received.readableBytesView)
            guard let end = position(of: Array("\r\n\r\n".utf8), in: bytes[...]) else { return }
            guard bytes.starts(with: "HTTP/1.1 101".utf8) else {
                throw Wrong(description: "no WebSocket: \(String(decoding: bytes, as: UTF8.self))")
            }
            received.moveReaderIndex(forwardBy: end + 4)
            isUpgraded = true
            context.write(wrapOutboundOut(greeting), promise: nil)
            start = .now()
            say(inFlightCount, context)
        }

        /// The next text frame's content; nil while it is not whole.
        private func readFrame() throws -> [UInt8]? {
            let view = received.readableBytesView
            guard view.count >= 2 else { return nil }
            let first = view.startIndex
            var (size, headSize) = (Int(view[first + 1]), 2)
            if size >= 126 {
                headSize = size == 126 ? 4 : 10
                guard view.count >= headSize else { return nil }
                size = view[(first + 2)..<(first + headSize)].reduce(0) { $0 << 8 | Int($1) }
            }
            guard view.count >= headSize + size else { return nil }
            let isText = view[first] == 0x81
            received.moveReaderIndex(forwardBy: headSize)
            let payload = received.readBytes(length: size) ?? []
            guard view[first] & 0x0F != 8 else { throw Wrong(description: "the bot closed the connection") }
            return isText ? payload : try readFrame()
        }

        /// Answers an action, and hands over as many messages as it answered: replies to one group may come as one.
        private func act(_ action: [UInt8], _ context: ChannelHandlerContext) throws {
            let answeredCount = Self.win.reduce(0) { $0 + Self.count(of: $1, in: action) }
            guard answeredCount > 0, let key = position(of: Self.echo, in: action[...]) else {
                throw Wrong(description: "an action without a win: \(String(decoding: action, as: UTF8.self))")
            }
            let value = action[(key + Self.echo.count)...].drop { $0 == UInt8(ascii: " ") }
            let echo = String(
                decoding: value.prefix { $0 != UInt8(ascii: ",") && $0 != UInt8(ascii: "}") }, as: UTF8.self)
            context.write(
                wrapOutboundOut(
                    OneBotLoad.frame(#"{"status":"ok","retcode":0,"data":{"message_id":1},"echo":\#(echo)}"#)),
                promise: nil)
            unansweredCount -= answeredCount
            guard unansweredCount > 0 else {
                return done.succeed(Double((NIODeadline.now() - start).nanoseconds) / 1e9)
            }
            say(answeredCount, context)
        }

        private func say(_ count: Int, _ context: ChannelHandlerContext) {
            for message in messages.prefix(count) { context.write(wrapOutboundOut(message), promise: nil) }
            messages = messages.dropFirst(count)
        }

        func channelInactive(context: ChannelHandlerContext) {
            done.fail(Wrong(description: "the bot closed the connection"))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            done.fail(error)
        }

        private static func count(of bytes: [UInt8], in text: [UInt8]) -> Int {
            var count = 0
            var rest = text[...]
            while let found = position(of: bytes, in: rest) {
                count += 1
                rest = rest[(found + bytes.count)...]
            }
            return count
        }
    }
}
