internal import NIOCore
internal import NIOWebSocket

/// The event loop's side of a `WebSocketConnection`: frames in, bytes out, pings, limits and the closing handshake.
///
/// - Source: RFC 6455 sections 5 to 7; hardening.md section 1.3.
final class WebSocketHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = Never
    typealias OutboundOut = ByteBuffer

    private enum State {
        case open
        /// Our close frame is sent; the peer has until then to answer it.
        case closing(by: NIODeadline)
    }

    private let limits: ConnectionLimits
    private let bytes: ByteGuard
    private let connection: WebSocketConnection
    private var state = State.open
    private var context: ChannelHandlerContext?
    /// The message whose fragments are coming.
    private var fragments: (opcode: WebSocketOpcode, bytes: ByteBuffer)?
    /// Messages of one read, handed over together.
    private var received: [[UInt8]] = []
    private var isReadingPaused = false
    private var readWanted = false
    private var lastHeard = NIODeadline.now()
    private var lastPing = NIODeadline.now()

    init(limits: ConnectionLimits, bytes: ByteGuard, connection: WebSocketConnection) {
        self.limits = limits
        self.bytes = bytes
        self.connection = connection
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        connection.attach(NIOLoopBound(self, eventLoop: context.eventLoop))
        bytes.onCheck = { [weak self] now in self?.check(now) }
        // The server may have been told to stop while the pipeline changed.
        if bytes.mustCloseBy != nil { close(.goingAway) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        connection.end()
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        guard case .open = state else {
            if frame.opcode == .connectionClose { context.close(promise: nil) }
            return
        }
        guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else { return fail(.protocolError) }
        switch frame.opcode {
        case .text, .binary:
            guard fragments == nil else { return fail(.protocolError) }
            if frame.fin {
                receive(frame.opcode, frame.unmaskedData)
            } else {
                fragments = (frame.opcode, frame.unmaskedData)
            }
        case .continuation:
            guard let opcode = fragments?.opcode else { return fail(.protocolError) }
            var data = frame.unmaskedData
            guard (fragments?.bytes.readableBytes ?? 0) + data.readableBytes <= limits.webSocketMessageSize else {
                return fail(.messageTooLarge)
            }
            fragments?.bytes.writeBuffer(&data)
            if frame.fin, let whole = fragments?.bytes {
                fragments = nil
                receive(opcode, whole)
            }
        case .ping:
            // A peer that floods us with pings and reads no pong gets none.
            if context.channel.isWritable { write(frame.unmaskedData, as: .pong, context: context) }
            context.flush()
        case .pong:
            break
        case .connectionClose:
            var data = frame.unmaskedData
            close(answer(to: data.readWebSocketErrorCode()))
            context.close(mode: .output, promise: nil)
            bytes.linger()
        default:
            fail(.protocolError)
        }
    }

    /// Codes that must not be sent are not echoed.
    private func answer(to code: WebSocketErrorCode?) -> WebSocketErrorCode {
        switch code {
        case .none: .normalClosure
        case .unknown(let number) where !(3_000..<5_000).contains(number): .protocolError
        case .some(let code): code
        }
    }

    private func receive(_ opcode: WebSocketOpcode, _ data: ByteBuffer) {
        let message = Array(data.readableBytesView)
        guard opcode == .binary || String(validating: message, as: UTF8.self) != nil else {
            return fail(.dataInconsistentWithMessage)
        }
        received.append(message)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        lastHeard = .now()
        if !received.isEmpty {
            isReadingPaused = connection.deliver(received)
            received.removeAll(keepingCapacity: true)
        }
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if isReadingPaused {
            readWanted = true
        } else {
            context.read()
        }
    }

    func resumeReading() {
        isReadingPaused = false
        guard readWanted, let context else { return }
        readWanted = false
        context.read()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength: fail(.messageTooLarge)
        case is NIOWebSocketError, is ByteToMessageDecoderError: fail(.protocolError)
        default: context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent: close(.goingAway)
        case ChannelEvent.inputClosed: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    // MARK: Writing

    func writeOutbox() {
        let messages = connection.takeOutbox()
        guard let context, case .open = state, !messages.isEmpty else { return }
        var buffer = context.channel.allocator.buffer(capacity: messages.reduce(0) { $0 + $1.count + 10 })
        for message in messages {
            buffer.writeFrameHeader(.text, size: message.count)
            buffer.writeBytes(message)
        }
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
        connection.setWritable(context.channel.isWritable)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        connection.setWritable(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    private func write(_ data: ByteBuffer, as opcode: WebSocketOpcode, context: ChannelHandlerContext) {
        var data = data
        var buffer = context.channel.allocator.buffer(capacity: data.readableBytes + 10)
        buffer.writeFrameHeader(opcode, size: data.readableBytes)
        buffer.writeBuffer(&data)
        context.write(wrapOutboundOut(buffer), promise: nil)
    }

    // MARK: Closing

    /// Ends the connection because of what the peer did; nothing it sends is read any more.
    private func fail(_ code: WebSocketErrorCode) {
        guard case .open = state else { return }
        close(code)
        state = .closing(by: .now() + .seconds(1))
        bytes.linger()
        context?.close(mode: .output, promise: nil)
    }

    func close(_ code: WebSocketErrorCode) {
        guard let context, case .open = state else { return }
        // What was sent before comes first.
        writeOutbox()
        state = .closing(by: .now() + TimeAmount(limits.shutdownDeadline))
        if !received.isEmpty {
            _ = connection.deliver(received)
            received = []
        }
        connection.endMessages()
        var data = context.channel.allocator.buffer(capacity: 2)
        data.write(webSocketErrorCode: code)
        write(data, as: .connectionClose, context: context)
        context.flush()
        // The peer's close frame must be heard even if nobody takes its messages.
        resumeReading()
    }

    private func check(_ now: NIODeadline) {
        guard let context else { return }
        switch state {
        case .closing(let deadline):
            if now >= deadline { context.close(promise: nil) }
        case .open:
            if isReadingPaused {
                // It is we who do not listen.
                lastHeard = now
            } else if now - lastHeard > TimeAmount(limits.webSocketIdle) {
                fail(.goingAway)
            } else if now - max(lastHeard, lastPing) > TimeAmount(limits.webSocketPing) {
                lastPing = now
                write(ByteBuffer(), as: .ping, context: context)
                context.flush()
            }
        }
    }
}

extension ByteBuffer {
    /// The head of an unmasked, unfragmented frame.
    fileprivate mutating func writeFrameHeader(_ opcode: WebSocketOpcode, size: Int) {
        writeInteger(0x80 | UInt8(webSocketOpcode: opcode))
        switch size {
        case ...125:
            writeInteger(UInt8(size))
        case ...0xFFFF:
            writeInteger(126 as UInt8)
            writeInteger(UInt16(size))
        default:
            writeInteger(127 as UInt8)
            writeInteger(UInt64(size))
        }
    }
}
