internal import NIOCore
internal import NIOHTTP1
internal import NIOTLS

/// The first handler above the socket (or TLS): sees every byte of a connection, both ways.
///
/// It hands requests on one by one, so that it can stop between two of them, keeps the clock of the request being
/// received, notices a peer that does not read, and is the connection's only timer.
///
/// - Source: hardening.md section 1.3 rows 43 to 48, 51, 57.
final class ByteGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = IOData
    typealias OutboundOut = IOData

    private enum Mode {
        case requests
        /// The connection is no longer HTTP.
        case passing
        /// Nothing that comes is looked at; the connection ends when more than `left` bytes come.
        case discarding(left: Int)
    }

    /// A refused sender may not have stopped yet. Closing on unread bytes resets the connection and may take our answer
    /// away from the peer, so some are read; an endless body is not.
    private static let discardedSize = 1 << 20
    private let limits: ConnectionLimits
    private let interval: TimeAmount
    private var framing: RequestFraming
    private var mode = Mode.requests
    private var context: ChannelHandlerContext?
    private var timer: Scheduled<Void>?
    /// Called with each look at the clock; whoever is in charge of the connection sets it.
    var onCheck: ((NIODeadline) -> Void)?
    var onRefusal: ((HTTPResponseStatus) -> Void)?

    /// The first byte of a request that has not ended.
    private(set) var requestBegan: NIODeadline?
    /// While true, nothing more is handed on or read.
    var isHolding = false
    private var held = ByteBuffer()
    private var heldInputClosed = false
    private var readWanted = false
    /// The last answer is out, and the peer is given a moment to take it.
    private var isLingering = false

    private var writtenCount = 0
    private var flush = FlushProgress()
    private var handshakeBegan: NIODeadline?
    private(set) var mustCloseBy: NIODeadline?

    init(limits: ConnectionLimits, isTLS: Bool) {
        self.limits = limits
        interval = limits.checkInterval
        framing = RequestFraming(limits: limits)
        handshakeBegan = isTLS ? .now() : nil
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        scheduleCheck()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        self.context = nil
        onCheck = nil
        onRefusal = nil
    }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        if held.readableBytes > 0 {
            held.writeBuffer(&buffer)
        } else {
            hand(on: buffer, context: context)
        }
    }

    private func hand(on buffer: ByteBuffer, context: ChannelHandlerContext) {
        var buffer = buffer
        while buffer.readableBytes > 0 {
            switch mode {
            case .discarding(let left):
                let left = left - buffer.readableBytes
                mode = .discarding(left: left)
                if left < 0 { context.close(promise: nil) }
                return
            case .passing, .requests:
                if isHolding {
                    held = buffer
                    return
                }
            }
            if case .passing = mode {
                context.fireChannelRead(wrapInboundOut(buffer))
                return
            }
            switch buffer.withUnsafeReadableBytes({ framing.accept($0) }) {
            case .partial:
                if requestBegan == nil { requestBegan = .now() }
                context.fireChannelRead(wrapInboundOut(buffer))
                return
            case .complete(let count):
                requestBegan = nil
                guard let request = buffer.readSlice(length: count) else { return }
                context.fireChannelRead(wrapInboundOut(request))
            case .refused(let status, let headEnd):
                // Whoever answers is to know what was asked.
                if let head = headEnd.flatMap({ buffer.readSlice(length: $0) }) {
                    context.fireChannelRead(wrapInboundOut(head))
                }
                onRefusal?(status)
                return
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        // The handlers behind may have stopped reading for good.
        if case .discarding = mode { context.read() }
    }

    func read(context: ChannelHandlerContext) {
        if isHolding || held.readableBytes > 0 {
            readWanted = true
        } else {
            context.read()
        }
    }

    /// Goes on after `isHolding`. Not to be called from within `channelRead`.
    func release() {
        isHolding = false
        guard let context else { return }
        if held.readableBytes > 0 {
            let buffer = held
            held = ByteBuffer()
            hand(on: buffer, context: context)
            context.fireChannelReadComplete()
        }
        guard held.readableBytes == 0 else { return }
        if heldInputClosed {
            heldInputClosed = false
            endInput()
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        }
        if readWanted, !isHolding {
            readWanted = false
            context.read()
        }
    }

    /// What follows is not HTTP.
    func pass() {
        mode = .passing
        requestBegan = nil
        release()
    }

    /// What follows is not wanted.
    func discard() {
        if case .discarding = mode { return }
        mode = .discarding(left: Self.discardedSize)
        requestBegan = nil
        isHolding = false
        held = ByteBuffer()
        context?.read()
    }

    /// Closes as soon as the peer does.
    func linger() {
        discard()
        isLingering = true
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed where isLingering:
            context.close(promise: nil)
        case ChannelEvent.inputClosed where isHolding || held.readableBytes > 0:
            heldInputClosed = true
        case ChannelEvent.inputClosed:
            endInput()
            context.fireUserInboundEventTriggered(event)
        case is ChannelShouldQuiesceEvent:
            mustCloseBy = .now() + TimeAmount(limits.shutdownDeadline)
            context.fireUserInboundEventTriggered(event)
        case TLSUserEvent.handshakeCompleted:
            handshakeBegan = nil
            context.fireUserInboundEventTriggered(event)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        endInput()
        context.fireChannelInactive()
    }

    /// When the input ends within a body, the parser says that the request ended.
    private func endInput() {
        if requestBegan != nil { onRefusal?(.badRequest) }
    }

    // MARK: Writing

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        writtenCount += unwrapOutboundIn(data).readableBytes
        context.write(data, promise: promise)
    }

    // MARK: Clock

    private func scheduleCheck() {
        guard let context else { return }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: interval) { self.check() }
    }

    private func check() {
        guard let context else { return }
        let now = NIODeadline.now()
        let isLate = handshakeBegan.map { now - $0 > TimeAmount(limits.handshakeDeadline) } ?? false
        let buffered = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        let isStuck = flush.isStuck(
            written: writtenCount, buffered: buffered, now: now, deadline: TimeAmount(limits.writeDeadline))
        if isLate || isStuck || mustCloseBy.map({ now >= $0 }) ?? false {
            context.close(promise: nil)
        } else {
            onCheck?(now)
        }
        scheduleCheck()
    }
}
