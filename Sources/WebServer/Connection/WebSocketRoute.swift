public import HTTPTypes

/// Decides which requests become WebSocket connections.
public struct WebSocketRoute: Sendable {
    public typealias Handler = @Sendable (WebSocketConnection) async -> Void

    let decide: @Sendable (HTTPRequest, String) async -> WebSocketDecision

    /// - Parameter decide: Gets the head of a request that asks for a WebSocket (its path is plain, see `isPlainPath`)
    ///   and the peer's IP address, "" when there is none. Nothing is read from the connection meanwhile; after the
    ///   request deadline the answer is 503.
    public init(_ decide: @escaping @Sendable (HTTPRequest, String) async -> WebSocketDecision) {
        self.decide = decide
    }
}

public enum WebSocketDecision: Sendable {
    /// The request goes to the HTTP routes, as one without an upgrade; the connection ends after its answer.
    case notMine
    /// An answer without a body; then the connection ends.
    case refuse(HTTPResponse.Status)
    /// - Parameters:
    ///   - subprotocol: One of those the request lists in `Sec-WebSocket-Protocol`; a browser fails on another.
    ///   - handler: Has the connection until it returns; then it is closed with 1000. It must return when `messages`
    ///     ends.
    case accept(subprotocol: String?, handler: WebSocketRoute.Handler)
}

struct WebSocketSession: Sendable {
    let connection: WebSocketConnection
    let handler: WebSocketRoute.Handler
}
