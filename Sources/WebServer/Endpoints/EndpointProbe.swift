public import Basics
public import ChatPlatforms

/// Finds out whether a platform's API can be reached, and whether it takes the credentials where that can be asked
/// without saying anything to anybody.
public struct EndpointProbe: Sendable {
    /// An origin is scheme, host and port of an address, as `https://api.example.com`.
    public enum Result: Hashable, Sendable {
        /// It answered; `isAuthenticated` where it took the credentials, otherwise it was not asked about them.
        case reached(origin: String, isAuthenticated: Bool)
        /// It answered that the credentials are not good.
        case credentialsRefused(origin: String, status: Int)
        /// It answered, but not as the platform does: it has trouble of its own, or is another server.
        case unexpectedAnswer(origin: String, status: Int)
        case unreachable(origin: String)
        /// Replies are said in responses, or to addresses that come with messages: there is nothing to call.
        case nothingToCall
        /// Replies are said in responses, or over the WebSocket that the platform opens: there is nothing to call.
        case saidOverSocket
    }

    /// What came of a probe, and what time the platform said it was; nil when it said none.
    public struct Finding: Hashable, Sendable {
        public var result: Result
        public var serverTime: Instant?
    }

    private let client = OutboundClient()

    public init() {}

    /// - Complexity: One call of at most ten seconds.
    public func probe(_ endpoint: Endpoint) async -> Result {
        await examine(endpoint).result
    }

    /// As ``probe(_:)``, with the platform's time.
    public func examine(_ endpoint: Endpoint) async -> Finding {
        guard let sender = endpoint.adapter.sender else {
            return Finding(
                result: (endpoint.adapter as? OneBot11Adapter)?.socket == nil ? .nothingToCall : .saidOverSocket)
        }
        if let call = sender.tokenCall() {
            return await make(call, sender) { answer in
                switch answer.status {
                case _ where sender.token(from: answer) != nil: .accepted
                case 404, 408, 429, 500...: .unclear
                default: .refused
                }
            }
        }
        if let call = sender.credentialCheck() {
            return await make(call, sender) { sender.credentials(from: $0) }
        }
        let address = ReplyAddress(chat: "1", isPrivate: false, user: "1", message: "1", account: "1")
        let reply = OutgoingReply(address: address, text: "", key: "probe")
        guard let root = sender.call(saying: [reply], token: nil)?.url.root else {
            return Finding(result: .nothingToCall)
        }
        return await make(OutboundCall(method: "GET", url: root), sender) { _ in nil }
    }

    /// - Parameter read: What an answer says about the credentials; nil: it was not asked about them.
    private func make(
        _ call: OutboundCall, _ sender: any ReplySender, _ read: (OutboundAnswer) -> CredentialState?
    ) async -> Finding {
        let origin = call.url.description
        guard let answer = await client.make(call, allowedHosts: sender.allowedHosts) else {
            return Finding(result: .unreachable(origin: origin))
        }
        let result: Result =
            switch read(answer) {
            case .accepted: .reached(origin: origin, isAuthenticated: true)
            case nil: .reached(origin: origin, isAuthenticated: false)
            case .refused: .credentialsRefused(origin: origin, status: answer.status)
            case .unclear: .unexpectedAnswer(origin: origin, status: answer.status)
            }
        return Finding(result: result, serverTime: answer.headers["date"].flatMap { Instant(httpDate: $0) })
    }

    /// Closes the connections. The probe is not usable afterwards.
    public func shutDown() async {
        await client.shutDown()
    }
}

extension OutboundURL {
    /// The same scheme, host and port, without path and query.
    fileprivate var root: OutboundURL? { OutboundURL(description) }
}

extension Instant {
    /// Reads `Sun, 06 Nov 1994 08:49:37 GMT`; nil for anything else, the two outdated forms too.
    ///
    /// - Source: RFC 9110, section 5.6.7.
    package init?(httpDate text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard words.count == 6, words[0].utf8.count == 4, words[1].utf8.count == 2, words[3].utf8.count == 4,
            words[4].utf8.count == 8, words[5] == "GMT", let month = months.firstIndex(of: String(words[2]))
        else { return nil }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        self.init(dateTimeText: "\(words[3])-\(number)-\(words[1]) \(words[4])")
    }
}
