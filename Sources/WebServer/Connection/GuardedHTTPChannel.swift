public import HummingbirdCore
internal import HummingbirdTLS
public import Logging
public import NIOCore
internal import NIOHTTP1
internal import NIOHTTPTypes
internal import NIOHTTPTypesHTTP1
public import NIOSSL
internal import NIOWebSocket

/// HTTP/1.1 with `ConnectionLimits`, and WebSocket for the requests a `WebSocketRoute` takes.
///
/// Any request of a connection may become a WebSocket, unless one before it is still to be answered; so a proxy may
/// reuse its connections.
///
/// - Source: hardening.md sections 1.3 and 3.1.
public struct GuardedHTTPChannel: HTTPChannelHandler {
    public struct Value: ServerChildChannelValue {
        let http: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>
        /// nil once it is sure that there will be no WebSocket.
        let upgraded: EventLoopFuture<WebSocketSession?>?

        public var channel: any Channel { http.channel }
    }

    public let responder: HTTPChannelHandler.Responder
    let limits: ConnectionLimits
    let isTLS: Bool
    let webSocket: WebSocketRoute?
    let refusals: RefusalForm?

    public func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let upgraded = webSocket.map { _ in channel.eventLoop.makePromise(of: WebSocketSession?.self) }
            do {
                return Value(http: try configure(channel, upgraded), upgraded: upgraded?.futureResult)
            } catch {
                upgraded?.succeed(nil)
                throw error
            }
        }
    }

    private func configure(
        _ channel: any Channel, _ upgraded: EventLoopPromise<WebSocketSession?>?
    ) throws -> NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart> {
        // A second fence: ByteGuard counts the same and a little more.
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderFieldSize = max(limits.headerFieldSize, limits.targetSize)
        decoderLimits.maxHeaderListSize = limits.headerListSize + limits.targetSize
        decoderLimits.maxHeaderFieldCount = limits.headerCount
        let bytes = ByteGuard(limits: limits, isTLS: isTLS)
        let encoder = HTTPResponseEncoder()
        let decoder = ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: decoderLimits))
        let codec = HTTP1ToHTTPServerCodec(secure: isTLS)
        let requests = RequestGuard(
            limits: limits, bytes: bytes, isTLS: isTLS, route: webSocket, form: refusals, upgraded: upgraded,
            httpHandlers: [codec, decoder, encoder])
        try channel.pipeline.syncOperations.addHandlers([bytes, encoder, decoder, requests, codec])
        return try NIOAsyncChannel(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
    }

    public func handle(value: Value, logger: Logger) async {
        guard let upgraded = value.upgraded else {
            return await handleHTTP(asyncChannel: value.http, logger: logger)
        }
        await withDiscardingTaskGroup { group in
            // Ends with the connection, also when that has become a WebSocket.
            group.addTask { await handleHTTP(asyncChannel: value.http, logger: logger) }
            guard let session = try? await upgraded.get() else { return }
            await session.handler(session.connection)
            session.connection.close(.normalClosure)
        }
    }
}

extension HTTPServerBuilder {
    /// The server's only way to listen: HTTP/1.1, guarded.
    ///
    /// The number of connections and the backlog are not set here but with the address; see
    /// `ConnectionLimits.configuration`.
    ///
    /// - Parameters:
    ///   - tls: nil for plain HTTP. A configuration that cannot be used throws when the application is built.
    ///   - webSocket: nil when no request becomes a WebSocket; requests to upgrade are then answered by the routes.
    ///   - refusals: nil when whatever is refused before a route sees it is answered by the status alone.
    /// - Source: hardening.md sections 1.3 and 3.1.
    public static func guarded(
        limits: ConnectionLimits = ConnectionLimits(), tls: TLSConfiguration? = nil, webSocket: WebSocketRoute? = nil,
        refusals: RefusalForm? = nil
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            let channel = GuardedHTTPChannel(
                responder: responder, limits: limits, isTLS: tls != nil, webSocket: webSocket,
                refusals: refusals)
            guard let tls else { return channel }
            return try TLSChannel(channel, tlsConfiguration: tls)
        }
    }
}
