internal import ChatPlatforms
internal import NIOConcurrencyHelpers
internal import NIOWebSocket

/// The OneBot implementations that are connected, and the actions that they have not answered yet.
///
/// A bot that connects again takes the place of its earlier connection, which is closed.
final class SocketRegistry: Sendable {
    /// How long an action may stay unanswered. Then it counts as said: implementations that do not answer at all exist,
    /// and saying it again and again would be worse than a message lost with a connection.
    private static let answerTimeout = Duration.seconds(10)

    struct Account: Hashable, Sendable {
        /// The endpoint's name.
        let endpoint: String
        let selfID: String
    }

    private struct Action {
        let continuation: CheckedContinuation<DeliveryResult, Never>
        let sentAt: ContinuousClock.Instant
        let account: Account
        let connection: UInt64
    }

    private struct State {
        var connections: [Account: [OneBot11Socket.Login.Role: (id: UInt64, connection: WebSocketConnection)]] = [:]
        var actions: [String: Action] = [:]
        var nextNumber: UInt64 = 0
    }

    private let state = NIOLockedValueBox(State())

    /// - Returns: A number by which the connection is taken out again.
    func add(_ connection: WebSocketConnection, _ account: Account, _ role: OneBot11Socket.Login.Role) -> UInt64 {
        let (id, replaced) = state.withLockedValue { state in
            state.nextNumber += 1
            let replaced = state.connections[account]?.updateValue((state.nextNumber, connection), forKey: role)
            if replaced == nil { state.connections[account, default: [:]][role] = (state.nextNumber, connection) }
            return (state.nextNumber, replaced?.connection)
        }
        replaced?.close(.goingAway)
        return id
    }

    func remove(_ id: UInt64, _ account: Account, _ role: OneBot11Socket.Login.Role) {
        let lost = state.withLockedValue { state -> [Action] in
            if state.connections[account]?[role]?.id == id { state.connections[account]?[role] = nil }
            if state.connections[account]?.isEmpty == true { state.connections[account] = nil }
            let lost = state.actions.filter { $0.value.connection == id }
            for echo in lost.keys { state.actions[echo] = nil }
            return Array(lost.values)
        }
        for action in lost { action.continuation.resume(returning: .later(afterSeconds: nil)) }
    }

    /// Whether actions can be sent to this account.
    func isConnected(_ account: Account) -> Bool {
        state.withLockedValue { Self.speaking(account, $0) != nil }
    }

    private static func speaking(
        _ account: Account, _ state: State
    ) -> (id: UInt64, connection: WebSocketConnection)? {
        guard let connections = state.connections[account] else { return nil }
        return connections[.universal] ?? connections[.api]
    }

    /// Sends an action and waits for its answer.
    ///
    /// - Parameter frame: Makes the frame for an echo.
    /// - Returns: Nil when the account is not connected.
    func act(_ account: Account, frame: (_ echo: String) -> [UInt8]) async -> DeliveryResult? {
        let found = state.withLockedValue { state -> (UInt64, WebSocketConnection, String)? in
            guard let (id, connection) = Self.speaking(account, state) else { return nil }
            state.nextNumber += 1
            return (id, connection, String(state.nextNumber))
        }
        guard let (id, connection, echo) = found else { return nil }
        let bytes = frame(echo)
        return await withCheckedContinuation { continuation in
            // In the list before it is sent: the answer may be there before sending returns.
            state.withLockedValue {
                $0.actions[echo] = Action(
                    continuation: continuation, sentAt: .now, account: account, connection: id)
            }
            Task {
                do {
                    try await connection.send(bytes)
                } catch {
                    answer(echo, .later(afterSeconds: nil), from: account)
                }
            }
        }
    }

    /// Ends the waiting for an answer.
    ///
    /// - Parameter account: Nobody else's answer counts.
    func answer(_ echo: String, _ result: DeliveryResult, from account: Account) {
        let action = state.withLockedValue { state in
            state.actions[echo]?.account == account ? state.actions.removeValue(forKey: echo) : nil
        }
        action?.continuation.resume(returning: result)
    }

    /// Ends the waiting for answers that do not come; every few seconds.
    func settleUnanswered() {
        let now = ContinuousClock.now
        let overdue = state.withLockedValue { state -> [Action] in
            let overdue = state.actions.filter { now - $0.value.sentAt > Self.answerTimeout }
            for echo in overdue.keys { state.actions[echo] = nil }
            return Array(overdue.values)
        }
        for action in overdue { action.continuation.resume(returning: .delivered) }
    }
}

/// Says replies over a OneBot implementation's own connection; without one, over its HTTP API if that is configured.
struct SocketReplyTransport: ReplyTransport {
    let endpoint: String
    let socket: OneBot11Socket
    let registry: SocketRegistry
    let fallback: (any ReplyTransport)?

    var limits: ReplyLimits { socket.limits }
    var concurrency: Int { 64 }

    func reaches(_ address: ReplyAddress) -> Bool {
        if let fallback { return fallback.reaches(address) }
        return address.account.map {
            registry.isConnected(SocketRegistry.Account(endpoint: endpoint, selfID: $0))
        } ?? false
    }

    func send(_ replies: [OutgoingReply]) async -> DeliveryResult {
        if let selfID = replies.first?.address.account {
            let account = SocketRegistry.Account(endpoint: endpoint, selfID: selfID)
            if let result = await registry.act(account, frame: { socket.frame(saying: replies, echo: $0) }) {
                return result
            }
        }
        // It connects again within seconds.
        return await fallback?.send(replies) ?? .later(afterSeconds: 3)
    }
}
