internal import Basics
internal import ChatPlatforms

/// Finds out whether a platform's API can be reached, and whether it takes the credentials where that can be asked
/// without saying anything to anybody.
public struct EndpointProbe: Sendable {
    public enum Result: Hashable, Sendable {
        /// It answered; `isAuthenticated` where it gave an access token for the credentials.
        case reached(host: String, isAuthenticated: Bool)
        /// It answered, but gave no access token.
        case credentialsRefused(host: String, status: Int)
        case unreachable(host: String)
        /// Replies are said in responses, or to addresses that come with messages: there is nothing to call.
        case nothingToCall
    }

    private let client = OutboundClient()

    public init() {}

    /// - Complexity: At most two calls, each of at most ten seconds.
    public func probe(_ endpoint: Endpoint) async -> Result {
        guard let sender = endpoint.adapter.sender else { return .nothingToCall }
        if let call = sender.tokenCall() {
            guard let answer = await client.make(call, allowedHosts: sender.allowedHosts) else {
                return .unreachable(host: call.url.host)
            }
            return sender.token(from: answer) == nil
                ? .credentialsRefused(host: call.url.host, status: answer.status)
                : .reached(host: call.url.host, isAuthenticated: true)
        }
        let address = ReplyAddress(chat: "1", isPrivate: false, user: "1", message: "1", account: "1")
        let reply = OutgoingReply(address: address, text: "", key: "probe")
        guard let url = sender.call(saying: [reply], token: nil)?.url, let root = url.root else {
            return .nothingToCall
        }
        guard await client.make(OutboundCall(method: "GET", url: root), allowedHosts: sender.allowedHosts) != nil else {
            return .unreachable(host: url.host)
        }
        return .reached(host: url.host, isAuthenticated: false)
    }

    /// Closes the connections. The probe is not usable afterwards.
    public func shutDown() async {
        await client.shutDown()
    }
}

extension OutboundURL {
    /// The same scheme, host and port, without path and query.
    fileprivate var root: OutboundURL? {
        let shownHost = host.contains(":") ? "[\(host)]" : host
        return OutboundURL("\(scheme)://\(shownHost)" + (port.map { ":\($0)" } ?? ""))
    }
}
