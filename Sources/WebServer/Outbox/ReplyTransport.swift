internal import Basics
internal import ChatPlatforms
internal import NIOConcurrencyHelpers

/// Says replies through one endpoint.
protocol ReplyTransport: Sendable {
    var limits: ReplyLimits { get }
    /// Calls at the same time.
    var concurrency: Int { get }

    /// Whether there is a way to this address now. Without one, a reply waits.
    func reaches(_ address: ReplyAddress) -> Bool

    /// Says replies in one message and tells what became of it.
    ///
    /// - Parameter replies: At least one, all to the same place.
    func send(_ replies: [OutgoingReply]) async -> DeliveryResult
}

extension ReplyTransport {
    var concurrency: Int { 8 }

    func reaches(_ address: ReplyAddress) -> Bool { true }
}

/// Says replies by calls to the platform's API, with an access token where that is asked for.
final class HTTPReplyTransport: ReplyTransport {
    private struct HeldToken {
        var value: String
        var expiresAt: Instant
    }

    /// A token is renewed so long before its end.
    private static let tokenMarginSeconds: Int64 = 120

    private let sender: any ReplySender
    private let client: OutboundClient
    private let clock: WallClock
    private struct TokenState {
        var held: HeldToken?
        /// Runs at most once at a time, for all who need a token.
        var fetching: Task<Result<String, TokenFault>, Never>?
    }

    private let token = NIOLockedValueBox(TokenState())

    var limits: ReplyLimits { sender.limits }

    init(sender: any ReplySender, client: OutboundClient, clock: @escaping WallClock) {
        self.sender = sender
        self.client = client
        self.clock = clock
    }

    func send(_ replies: [OutgoingReply]) async -> DeliveryResult {
        var accessToken: String?
        if let tokenCall = sender.tokenCall() {
            switch await currentToken(tokenCall) {
            case .success(let value): accessToken = value
            case .failure(let fault): return fault.result
            }
        }
        guard let call = sender.call(saying: replies, token: accessToken) else {
            return .refused(reason: "no way to send it")
        }
        guard let answer = await client.make(call, allowedHosts: sender.allowedHosts) else {
            return .later(afterSeconds: nil)
        }
        let result = sender.result(of: answer)
        if result == .staleToken {
            token.withLockedValue { state in
                // Somebody else may have fetched a new one meanwhile.
                if state.held?.value == accessToken { state.held = nil }
            }
        }
        return result
    }

    private struct TokenFault: Error {
        let result: DeliveryResult
    }

    private func currentToken(_ call: OutboundCall) async -> Result<String, TokenFault> {
        let now = clock()
        let (held, fetching) = token.withLockedValue { state in
            if let held = state.held, held.expiresAt > now { return (held.value as String?, state.fetching) }
            // Of nobody's task group: it is shared, and bounded in time.
            let fetching = state.fetching ?? Task { await fetchToken(call) }
            state.fetching = fetching
            return (nil, fetching)
        }
        if let held { return .success(held) }
        guard let fetching else { return .failure(TokenFault(result: .later(afterSeconds: nil))) }
        return await withTaskCancellationHandler {
            await fetching.value
        } onCancel: {
            fetching.cancel()
        }
    }

    private func fetchToken(_ call: OutboundCall) async -> Result<String, TokenFault> {
        let answer = await client.make(call, allowedHosts: sender.allowedHosts)
        let fetched = answer.flatMap { sender.token(from: $0) }
        let now = clock()
        return token.withLockedValue { state in
            state.fetching = nil
            guard let fetched else {
                return .failure(TokenFault(result: .later(afterSeconds: answer?.retryAfterSeconds)))
            }
            let lifetime = max(fetched.lifetimeSeconds - Self.tokenMarginSeconds, 30)
            state.held = HeldToken(value: fetched.value, expiresAt: now.advanced(bySeconds: lifetime))
            return .success(fetched.value)
        }
    }
}
