internal import Basics
internal import ChatPlatforms
internal import Foundation
internal import HTTPTypes
internal import Logging
internal import NIOConcurrencyHelpers
internal import NIOWebSocket

/// The reverse WebSocket of OneBot 11 at `/webhook/<endpoint>`, with or without `/ws` behind it.
///
/// - Source: platforms.md section 1.
struct SocketRoutes: Sendable {
    /// Messages of one connection that are being decided.
    private static let lineCapacity = 2048
    /// Heartbeats that may be missing before a connection counts as dead.
    private static let missedHeartbeats: Int64 = 3

    let endpoints: [String: Endpoint]
    let gateway: MessageGateway
    let registry: SocketRegistry
    let clock: WallClock
    let metrics: ServerMetrics
    let refusalLog: RefusalLog
    let logger: Logger

    var route: WebSocketRoute? {
        guard endpoints.values.contains(where: { ($0.adapter as? OneBot11Adapter)?.socket != nil }) else { return nil }
        return WebSocketRoute { head, _ in decide(head) }
    }

    private func decide(_ head: HTTPRequest) -> WebSocketDecision {
        let target = (head.path ?? "").split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var parts = target[0].split(separator: "/")
        if parts.count == 3, parts[2] == "ws" { parts.removeLast() }
        guard parts.count == 2, parts[0] == "webhook", let endpoint = endpoints[String(parts[1])] else {
            return .notMine
        }
        guard let socket = (endpoint.adapter as? OneBot11Adapter)?.socket else { return .refuse(.notFound) }
        let request = WebhookRequest(
            method: "GET", query: target.count == 2 ? QueryText.items(of: String(target[1])) : [],
            headers: head.headerFields.map { ($0.name.canonicalName, $0.value) })
        do throws(WebhookFault) {
            let (login, reader) = try authorize(request, socket, endpoint)
            return .accept(subprotocol: nil) { connection in
                await talk(connection, login, reader, endpoint)
            }
        } catch {
            metrics.count(error, endpoint.platform)
            refusalLog.note(error, endpoint.name, now: clock())
            return .refuse(HTTPResponse.Status(code: endpoint.adapter.refusal(error).status))
        }
    }

    private func authorize(
        _ request: WebhookRequest, _ socket: OneBot11Socket, _ endpoint: Endpoint
    ) throws(WebhookFault) -> (OneBot11Socket.Login, OneBot11Socket) {
        do throws(WebhookFault) {
            return (try socket.authorize(request), socket)
        } catch {
            guard error.isOfIdentity, let previous = endpoint.previous, clock() < previous.until,
                let old = (previous.adapter as? OneBot11Adapter)?.socket, let login = try? old.authorize(request)
            else { throw error }
            return (login, old)
        }
    }

    // MARK: One connection

    private func talk(
        _ connection: WebSocketConnection, _ login: OneBot11Socket.Login, _ socket: OneBot11Socket,
        _ endpoint: Endpoint
    ) async {
        let account = SocketRegistry.Account(endpoint: endpoint.name, selfID: login.selfID)
        let id = registry.add(connection, account, login.role)
        if login.role != .event { gateway.dispatcher.retryNow(endpoint.name) }
        logger.notice(
            "bot connected", metadata: ["endpoint.name": "\(endpoint.name)", "role": "\(login.role.rawValue)"])
        let line = BoundedLine<MessageGateway.Asked>(capacity: Self.lineCapacity)
        // Milliseconds between heartbeats, and when something was last heard.
        let pulse = NIOLockedValueBox((interval: Int64?.none, heardAt: ContinuousClock.now))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await watch(connection, pulse) }
            async let answering: Void = answer(line, endpoint)
            for await frame in connection.messages {
                pulse.withLockedValue { $0.heardAt = .now }
                switch socket.read(frame, login: login) {
                // A connection for actions brings no events.
                case .messages where login.role == .api: break
                case .messages(let messages):
                    for message in messages {
                        if let asked = gateway.ask(message, through: endpoint, hasResponse: false) {
                            await line.put(asked)
                        }
                    }
                case .heartbeat(let milliseconds): pulse.withLockedValue { $0.interval = milliseconds }
                case .answer(let echo, let result): registry.answer(echo, result, from: account)
                case .connected, .ignored: break
                case .malformed:
                    logger.info("malformed frame", metadata: ["endpoint.name": "\(endpoint.name)"])
                }
            }
            line.finish()
            registry.remove(id, account, login.role)
            // What was asked is answered, though not over this connection.
            await answering
            group.cancelAll()
        }
        logger.notice("bot disconnected", metadata: ["endpoint.name": "\(endpoint.name)"])
    }

    /// Hands answers on in the order of their messages.
    private func answer(_ line: BoundedLine<MessageGateway.Asked>, _ endpoint: Endpoint) async {
        while let asked = await line.take() {
            do {
                _ = try await gateway.answer(asked, through: endpoint)
            } catch {
                logger.error("message not answered", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Closes a connection that has gone silent.
    private func watch(
        _ connection: WebSocketConnection,
        _ pulse: NIOLockedValueBox<(interval: Int64?, heardAt: ContinuousClock.Instant)>
    ) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(1))
            registry.settleUnanswered()
            let (interval, heardAt) = pulse.withLockedValue { $0 }
            guard let interval else { continue }
            if ContinuousClock.now - heardAt > .milliseconds(interval * Self.missedHeartbeats) {
                connection.close(.goingAway)
                return
            }
        }
    }
}
