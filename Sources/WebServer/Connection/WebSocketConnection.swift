internal import NIOConcurrencyHelpers
internal import NIOCore
public import NIOWebSocket

/// One WebSocket connection, for the code that talks over it.
///
/// Pings, pongs, fragments, limits and the closing handshake are dealt with behind it.
///
/// - Source: RFC 6455.
public final class WebSocketConnection: Sendable {
    /// The connection is closed, or closing.
    public struct Closed: Error {
        public init() {}
    }

    /// What waits on either side is bounded in bytes; messages of few bytes also by number.
    private static let inboxSize = 256 << 10
    private static let inboxCount = 1_024
    private static let outboxSize = 256 << 10

    private struct State {
        var handler: NIOLoopBound<WebSocketHandler>?
        var isOver = false

        var inbox = CircularBuffer<[UInt8]>()
        var inboxSize = 0
        var isReadingPaused = false
        var reader: CheckedContinuation<[UInt8]?, Never>?

        var outbox: [[UInt8]] = []
        var outboxSize = 0
        /// The socket takes no more for now.
        var isBlocked = false
        var isWriterCalled = false
        var senders: [CheckedContinuation<Void, any Error>] = []

        var hasRoom: Bool { !isBlocked && (outbox.isEmpty || outboxSize < WebSocketConnection.outboxSize) }
    }

    private let eventLoop: any EventLoop
    private let state = NIOLockedValueBox(State())

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// The peer's messages, text or binary, fragments joined; text is valid UTF-8. It ends when the connection does,
    /// for whatever reason. What is not taken from it is soon no longer read from the peer.
    ///
    /// Only one task may iterate, and one iteration takes up where the last one left.
    public var messages: WebSocketMessages { WebSocketMessages(connection: self) }

    /// Sends one text message. Waits while the peer does not read; once it returns, the message is on its way but not
    /// necessarily received.
    ///
    /// Messages of one task keep their order. A waiting call does not heed cancellation; it ends with the write
    /// deadline.
    ///
    /// - Parameter text: Valid UTF-8; not checked.
    /// - Throws: `Closed`, also when the peer did not read until the write deadline.
    public func send(_ text: [UInt8]) async throws {
        while true {
            let isTaken: Bool = try state.withLockedValue { state in
                if state.isOver { throw Closed() }
                guard state.hasRoom else { return false }
                state.outbox.append(text)
                state.outboxSize += text.count
                if !state.isWriterCalled, let handler = state.handler {
                    state.isWriterCalled = true
                    // Whatever is sent until the event loop comes to it leaves in one write.
                    eventLoop.execute { handler.value.writeOutbox() }
                }
                return true
            }
            if isTaken { return }
            try await withCheckedThrowingContinuation { continuation in
                let result: Result<Void, any Error>? = state.withLockedValue { state in
                    if state.isOver { return .failure(Closed()) }
                    if state.hasRoom { return .success(()) }
                    state.senders.append(continuation)
                    return nil
                }
                if let result { continuation.resume(with: result) }
            }
        }
    }

    /// Says goodbye after what was sent before. `messages` ends with what had come; the peer has the shutdown
    /// deadline to answer.
    public func close(_ code: WebSocketErrorCode) {
        let handler = state.withLockedValue { $0.handler }
        guard let handler else { return }
        eventLoop.execute { handler.value.close(code) }
    }

    // MARK: For the handler

    func attach(_ handler: NIOLoopBound<WebSocketHandler>) {
        state.withLockedValue { $0.handler = handler }
    }

    /// - Parameter messages: At least one.
    /// - Returns: Whether reading is to pause until the handler is told to go on.
    func deliver(_ messages: [[UInt8]]) -> Bool {
        let (reader, first, mustPause) = state.withLockedValue { state in
            guard !state.isOver else { return (nil as CheckedContinuation<[UInt8]?, Never>?, nil as [UInt8]?, false) }
            for message in messages {
                state.inbox.append(message)
                state.inboxSize += message.count
            }
            let reader = state.reader
            state.reader = nil
            let first = reader == nil ? nil : state.inbox.popFirst()
            state.inboxSize -= first?.count ?? 0
            // Only what is still here counts: it is by taking it that reading goes on.
            state.isReadingPaused = state.inboxSize > Self.inboxSize || state.inbox.count > Self.inboxCount
            return (reader, first, state.isReadingPaused)
        }
        reader?.resume(returning: first)
        return mustPause
    }

    func takeOutbox() -> [[UInt8]] {
        state.withLockedValue { state in
            state.isWriterCalled = false
            state.outboxSize = 0
            defer { state.outbox = [] }
            return state.outbox
        }
    }

    func setWritable(_ isWritable: Bool) {
        let senders = state.withLockedValue { state in
            state.isBlocked = !isWritable
            guard isWritable else { return [CheckedContinuation<Void, any Error>]() }
            defer { state.senders = [] }
            return state.senders
        }
        for sender in senders { sender.resume() }
    }

    /// No message comes or goes any more. What came before is still handed out.
    func end() {
        let (reader, senders) = state.withLockedValue { state in
            state.isOver = true
            state.handler = nil
            defer {
                state.reader = nil
                state.senders = []
            }
            return (state.reader, state.senders)
        }
        reader?.resume(returning: nil)
        for sender in senders { sender.resume(throwing: Closed()) }
    }

    /// As `end`, but what was sent can still be written.
    func endMessages() {
        let reader = state.withLockedValue { state in
            state.isOver = true
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume(returning: nil)
    }

    // MARK: For the sequence

    fileprivate func next() async -> [UInt8]? {
        let (message, isWaiting) = state.withLockedValue { take(from: &$0) }
        guard isWaiting else { return message }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (message, isWaiting) = state.withLockedValue { state in
                    let (message, isWaiting) = take(from: &state)
                    guard isWaiting, !Task.isCancelled else { return (message, false) }
                    precondition(state.reader == nil, "only one task may iterate over a connection's messages")
                    state.reader = continuation
                    return (message, true)
                }
                if !isWaiting { continuation.resume(returning: message) }
            }
        } onCancel: {
            let reader = state.withLockedValue { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(returning: nil)
        }
    }

    private func take(from state: inout State) -> (message: [UInt8]?, isWaiting: Bool) {
        guard let message = state.inbox.popFirst() else { return (nil, !state.isOver) }
        state.inboxSize -= message.count
        if state.isReadingPaused, state.inboxSize < Self.inboxSize / 4, state.inbox.count < Self.inboxCount / 4 {
            state.isReadingPaused = false
            if let handler = state.handler {
                eventLoop.execute { handler.value.resumeReading() }
            }
        }
        return (message, false)
    }
}

/// The messages of one connection; see `WebSocketConnection.messages`.
public struct WebSocketMessages: AsyncSequence, Sendable {
    let connection: WebSocketConnection

    public struct AsyncIterator: AsyncIteratorProtocol {
        let connection: WebSocketConnection

        public mutating func next() async -> [UInt8]? {
            await connection.next()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(connection: connection)
    }
}
