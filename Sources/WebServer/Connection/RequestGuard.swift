internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypesHTTP1
internal import NIOWebSocket

/// Stands between the HTTP/1 parser and Hummingbird: passes on what a route may see, answers the rest itself, and
/// decides when the connection ends.
///
/// It works on the parser's own types: after the conversion to `HTTPRequest` an absolute-form target looks like a path.
/// Whatever it answers itself is the last answer of the connection.
///
/// - Source: hardening.md section 1.3.
final class RequestGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        case serving
        /// A WebSocket request waits for its decision.
        case deciding(since: NIODeadline)
        /// Requests before the refused one are still being answered; it is its turn when so many are left.
        case refusing(Refusal, turn: Int)
        /// The last answer is written. Once it is flushed, the peer has until then to close.
        case closing(by: NIODeadline?)
        /// The connection is a WebSocket now.
        case left
    }

    private struct Refusal {
        let status: HTTPResponseStatus
        /// Nil when it is not known what was asked.
        let head: HTTPRequestHead?
    }

    /// How long a peer that was told to go may take before it is cut off.
    private static let lingering = TimeAmount.seconds(1)

    private let limits: ConnectionLimits
    private let bytes: ByteGuard
    private let isTLS: Bool
    private let route: WebSocketRoute?
    private let form: RefusalForm?
    private let upgraded: EventLoopPromise<WebSocketSession?>?
    /// What is removed with this handler when the connection becomes a WebSocket.
    private let httpHandlers: [any RemovableChannelHandler]

    private var state = State.serving
    private var context: ChannelHandlerContext?
    /// Requests passed on whose answer has not ended.
    private var pendingCount = 0
    /// Of the last request passed on, while that has not ended.
    private var receivedHead: HTTPRequestHead?
    private var isReceiving: Bool { receivedHead != nil }
    private var hasResponseBegun = false
    /// Nothing more is served after the pending requests.
    private var isLast = false
    private var lastActivity = NIODeadline.now()

    init(
        limits: ConnectionLimits, bytes: ByteGuard, isTLS: Bool, route: WebSocketRoute?, form: RefusalForm? = nil,
        upgraded: EventLoopPromise<WebSocketSession?>?, httpHandlers: [any RemovableChannelHandler]
    ) {
        self.limits = limits
        self.bytes = bytes
        self.isTLS = isTLS
        self.route = route
        self.form = form
        self.upgraded = upgraded
        self.httpHandlers = httpHandlers
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        bytes.onCheck = { [weak self] now in self?.check(now) }
        bytes.onRefusal = { [weak self] status in self?.refuse(status) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        if case .left = state { return }
        upgraded?.succeed(nil)
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .serving = state else { return }
        switch unwrapInboundIn(data) {
        case .head(let head):
            if let status = refusal(of: head, bodySize: limits.bodySize) { return refuse(status, head) }
            if let route, pendingCount == 0, isWebSocketRequest(head) {
                return decide(head, by: route, context: context)
            }
            pendingCount += 1
            receivedHead = head
            // The parser reads nothing after a request that asks for an upgrade, even one we ignore.
            if !head.isKeepAlive || asksForUpgrade(head) { isLast = true }
            context.fireChannelRead(data)
        case .body:
            context.fireChannelRead(data)
        case .end:
            receivedHead = nil
            context.fireChannelRead(data)
            if isLast {
                bytes.discard()
            } else if pendingCount >= limits.pipelinedCount {
                bytes.isHolding = true
            }
        }
    }

    /// Answers the request being received, once those before it are answered, and ends the connection.
    ///
    /// - Parameter head: Of a request that was not passed on.
    private func refuse(_ status: HTTPResponseStatus, _ head: HTTPRequestHead? = nil) {
        guard let context else { return }
        switch state {
        case .serving, .deciding: break
        case .refusing, .closing, .left: return
        }
        bytes.discard()
        let wasReceiving = isReceiving
        let refusal = Refusal(status: status, head: head ?? receivedHead)
        receivedHead = nil
        // A route that reads the body would otherwise take the part that came for the whole. It comes first, since
        // what follows may close the connection at once.
        if wasReceiving { context.fireErrorCaught(HTTPError(.init(code: Int(status.code)))) }
        if wasReceiving, pendingCount == 0 {
            // It was answered before its end, and there is no second answer.
            endConnection(after: nil, context: context)
        } else if wasReceiving, pendingCount == 1, hasResponseBegun {
            isLast = true
            state = .serving
        } else {
            let turn = wasReceiving ? 1 : 0
            state = .refusing(refusal, turn: turn)
            if pendingCount == turn { write(refusal, context: context) }
        }
    }

    private func write(_ refusal: Refusal, context: ChannelHandlerContext) {
        let answer = refusal.head.flatMap { form?.answer($0, refusal.status) }
        var headers: HTTPHeaders = [
            "connection": "close", "content-length": String(answer?.body.readableBytes ?? 0),
        ]
        for field in answer?.fields ?? [:] { headers.add(name: field.name.rawName, value: field.value) }
        switch refusal.status {
        case .methodNotAllowed: headers.add(name: "allow", value: "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
        case .upgradeRequired: headers.add(name: "sec-websocket-version", value: "13")
        default: break
        }
        let head = HTTPResponseHead(version: .http1_1, status: refusal.status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let answer, refusal.head?.method != .HEAD {
            context.write(wrapOutboundOut(.body(.byteBuffer(answer.body))), promise: nil)
        }
        endConnection(after: .end(nil), context: context)
    }

    /// Writes the last part and closes when the peer has closed, or shortly after it could have.
    private func endConnection(
        after part: HTTPServerResponsePart?, context: ChannelHandlerContext, promise: EventLoopPromise<Void>? = nil
    ) {
        state = .closing(by: nil)
        if let part {
            context.writeAndFlush(wrapOutboundOut(part), promise: promise)
        }
        bytes.linger()
        let closed = context.eventLoop.makePromise(of: Void.self)
        closed.futureResult.assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.state = .closing(by: .now() + Self.lingering)
            case .failure: self.context?.close(promise: nil)
            }
        }
        // Done when all that was written is flushed; until then the write deadline holds.
        context.close(mode: .output, promise: closed)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case HTTPParserError.headerOverflow:
            refuse(.requestHeaderFieldsTooLarge)
        case is HTTPParserError, is ByteToMessageDecoderError:
            refuse(.badRequest)
        default:
            context.fireErrorCaught(error)
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent:
            isLast = true
            if case .serving = state, pendingCount == 0, !isReceiving { context.close(promise: nil) }
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    private func check(_ now: NIODeadline) {
        guard let context else { return }
        switch state {
        case .serving:
            if let began = bytes.requestBegan {
                if now - began > TimeAmount(limits.requestDeadline) { refuse(.requestTimeout) }
            } else if pendingCount == 0, now - lastActivity > TimeAmount(limits.idle) {
                context.close(promise: nil)
            }
        case .deciding(let since):
            if now - since > TimeAmount(limits.requestDeadline) { refuse(.serviceUnavailable) }
        case .closing(by: let deadline?) where now >= deadline:
            context.close(promise: nil)
        case .refusing, .closing, .left:
            break
        }
    }

    // MARK: Responses

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch state {
        case .serving, .deciding:
            break
        case .refusing(_, let turn) where pendingCount > turn:
            break
        case .refusing, .closing, .left:
            // The route answers a request that was answered for it.
            promise?.fail(ChannelError.ioOnClosedChannel)
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(var head):
            hasResponseBegun = true
            if head.headers[canonicalForm: "connection"].contains("close") {
                isLast = true
            } else if isLast, pendingCount == 1 {
                head.headers.replaceOrAdd(name: "connection", value: "close")
                return context.write(wrapOutboundOut(.head(head)), promise: promise)
            }
            context.write(data, promise: promise)
        case .body:
            context.write(data, promise: promise)
        case .end(let trailers):
            hasResponseBegun = false
            pendingCount = max(0, pendingCount - 1)
            lastActivity = .now()
            if case .refusing(let refusal, let turn) = state {
                context.write(data, promise: promise)
                if pendingCount == turn { write(refusal, context: context) }
            } else if isLast, pendingCount == 0 {
                endConnection(after: .end(trailers), context: context, promise: promise)
            } else {
                context.write(data, promise: promise)
                if bytes.isHolding, pendingCount <= limits.pipelinedCount / 2 { bytes.release() }
            }
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch (state, mode) {
        case (.refusing, .output), (.closing, .output):
            promise?.succeed()
        case (.refusing, .all), (.closing, .all):
            // Hummingbird gives the connection up at once; our answer is still on its way.
            context.channel.closeFuture.cascade(to: promise)
        case (.closing, .input):
            context.close(promise: promise)
        default:
            context.close(mode: mode, promise: promise)
        }
    }

    // MARK: WebSocket

    private func decide(_ head: HTTPRequestHead, by route: WebSocketRoute, context: ChannelHandlerContext) {
        guard let request = try? HTTPRequest(head, secure: isTLS, splitCookie: false) else {
            return refuse(.badRequest)
        }
        state = .deciding(since: .now())
        bytes.isHolding = true
        let address = context.channel.remoteAddress?.ipAddress ?? ""
        context.eventLoop.makeFutureWithTask { await route.decide(request, address) }
            .assumeIsolated()
            .whenSuccess { self.decided($0, on: head) }
    }

    private func decided(_ decision: WebSocketDecision, on head: HTTPRequestHead) {
        guard let context, case .deciding = state else { return }
        switch decision {
        case .notMine:
            state = .serving
            pendingCount = 1
            isLast = true
            bytes.discard()
            context.fireChannelRead(wrapInboundOut(.head(head)))
            context.fireChannelRead(wrapInboundOut(.end(nil)))
            context.fireChannelReadComplete()
        case .refuse(let status):
            refuse(HTTPResponseStatus(statusCode: status.code))
        case .accept:
            if isLast { return refuse(.serviceUnavailable) }
            accept(decision, head: head, context: context)
        }
    }

    private func accept(_ decision: WebSocketDecision, head: HTTPRequestHead, context: ChannelHandlerContext) {
        guard case .accept(let subprotocol, let handler) = decision else { return }
        // Only for the answer's fields; the pipeline is changed here, where nothing of the connection can get lost.
        let upgrader = NIOTypedWebSocketServerUpgrader<Void>(
            shouldUpgrade: { channel, _ in
                var headers = HTTPHeaders()
                if let subprotocol { headers.add(name: "sec-websocket-protocol", value: subprotocol) }
                return channel.eventLoop.makeSucceededFuture(headers)
            },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
        upgrader.buildUpgradeResponse(channel: context.channel, upgradeRequest: head, initialResponseHeaders: [:])
            .hop(to: context.eventLoop)
            .assumeIsolated()
            .whenComplete { result in
                guard let context = self.context, case .deciding = self.state else { return }
                switch result {
                case .failure: self.refuse(.upgradeRequired)
                case .success(let headers): self.becomeWebSocket(headers, handler, context: context)
                }
            }
    }

    private func becomeWebSocket(
        _ headers: HTTPHeaders, _ handler: @escaping WebSocketRoute.Handler, context: ChannelHandlerContext
    ) {
        state = .left
        let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        let channel = context.channel
        let connection = WebSocketConnection(eventLoop: context.eventLoop)
        let webSocket = WebSocketHandler(limits: limits, bytes: bytes, connection: connection)
        let pipeline = context.pipeline.syncOperations
        let removals = (httpHandlers + [self]).map { pipeline.removeHandler($0) }
        EventLoopFuture.andAllComplete(removals, on: context.eventLoop).assumeIsolated().whenComplete { [bytes] _ in
            do {
                let decoder = WebSocketFrameDecoder(maxFrameSize: self.limits.webSocketMessageSize)
                // Not at the end of the pipeline: Hummingbird's handler cannot be removed, so it stays behind ours and
                // sees nothing but the end.
                let handlers: [any ChannelHandler] = [ByteToMessageHandler(decoder), webSocket]
                try pipeline.addHandlers(handlers, position: .after(bytes))
                self.upgraded?.succeed(WebSocketSession(connection: connection, handler: handler))
                bytes.pass()
            } catch {
                connection.end()
                self.upgraded?.succeed(nil)
                channel.close(promise: nil)
            }
        }
    }
}
