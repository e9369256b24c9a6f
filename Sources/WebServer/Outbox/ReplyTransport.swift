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
    private let token = NIOLockedValueBox<HeldToken?>(nil)

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
        if result == .staleToken { token.withLockedValue { $0 = nil } }
        return result
    }

    private struct TokenFault: Error {
        let result: DeliveryResult
    }

    private func currentToken(_ call: OutboundCall) async -> Result<String, TokenFault> {
        let now = clock()
        if let held = token.withLockedValue({ $0 }), held.expiresAt > now { return .success(held.value) }
        guard let answer = await client.make(call, allowedHosts: sender.allowedHosts),
            let fetched = sender.token(from: answer)
        else { return .failure(TokenFault(result: .later(afterSeconds: nil))) }
        let lifetime = max(fetched.lifetimeSeconds - Self.tokenMarginSeconds, 30)
        token.withLockedValue { $0 = HeldToken(value: fetched.value, expiresAt: now.advanced(bySeconds: lifetime)) }
        return .success(fetched.value)
    }
}
