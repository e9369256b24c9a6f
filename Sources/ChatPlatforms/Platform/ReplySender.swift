/// A reply that is to go out by a call.
public struct OutgoingReply: Hashable, Sendable {
    public var address: ReplyAddress
    /// Plain text as a person should see it: not escaped, not cut.
    public var text: String
    /// The same at every attempt to send this reply, different for every other: for platforms that know a repeated call
    /// by a key. 1–36 of `a-z 0-9 -`.
    public var key: String
    /// Which reply to the same message this is, from 1.
    public var number: Int

    public init(address: ReplyAddress, text: String, key: String, number: Int = 1) {
        self.address = address
        self.text = text
        self.key = key
        self.number = number
    }
}

/// How a platform's replies go out by calls to its API. Pure: it says what to call and reads what came back.
public protocol ReplySender: Sendable {
    var limits: ReplyLimits { get }
    /// Hosts, in lower case, that may be called for this endpoint.
    var allowedHosts: Set<String> { get }

    /// The call that fetches an access token; nil where the calls carry a fixed one.
    func tokenCall() -> OutboundCall?

    /// The token that ``tokenCall()`` brought.
    ///
    /// - Returns: Nil when the answer holds none.
    func token(from answer: OutboundAnswer) -> AccessToken?

    /// The call that says replies in one message: escaped for the platform, and cut where one is longer than
    /// ``ReplyLimits/text``, which the caller sees to.
    ///
    /// - Parameters:
    ///   - replies: At least one, all to the same place (see ``ReplyAddress``), in order; more than one only where
    ///     ``ReplyLimits/mergesReplies``. Each of several is said with whom it is for.
    ///   - token: What ``token(from:)`` gave; nil where there is no ``tokenCall()``.
    /// - Returns: Nil when these replies cannot be sent this way (no address for it, or a host that is not allowed);
    ///   they are dropped.
    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall?

    /// What the platform made of a ``call(saying:token:)``.
    func result(of answer: OutboundAnswer) -> DeliveryResult

    /// A call that changes nothing and says nothing to anybody, answered only to whom the credentials belong; nil where
    /// there is none, or where ``tokenCall()`` tells as much.
    func credentialCheck() -> OutboundCall?

    /// What the answer to ``credentialCheck()`` says about the credentials.
    func credentials(from answer: OutboundAnswer) -> CredentialState
}

extension ReplySender {
    public func tokenCall() -> OutboundCall? { nil }
    public func token(from answer: OutboundAnswer) -> AccessToken? { nil }

    /// What most platforms mean by a status: 2xx delivered, 429 and 5xx later, anything else never; 401 a stale token,
    /// where there is a ``tokenCall()``.
    public func result(of answer: OutboundAnswer) -> DeliveryResult { result(ofStatus: answer) }

    public func credentialCheck() -> OutboundCall? { nil }

    /// By the status alone.
    public func credentials(from answer: OutboundAnswer) -> CredentialState { CredentialState(status: answer) }

    /// By the status alone.
    func result(ofStatus answer: OutboundAnswer) -> DeliveryResult {
        DeliveryResult(status: answer, renewsToken: tokenCall() != nil)
    }
}

/// What a platform takes.
public struct ReplyLimits: Hashable, Sendable {
    /// The longest text of one message.
    public var text: TextLimit
    /// Messages to one chat are at least this far apart.
    public var millisecondsPerChat: Int64
    /// Messages of the endpoint as a whole are at least this far apart; 0: no limit.
    public var millisecondsPerMessage: Int64
    /// How long after the message a reply is still taken. Later it is dropped.
    public var windowSeconds: Int64
    /// Whether replies that wait for the same chat may go out as one message.
    public var mergesReplies: Bool
    /// Whether something may be said that answers nothing (轮到你了), to an address kept from an earlier message.
    public var allowsPush: Bool
    /// Whether a merged message that was refused may be tried reply by reply: not where a refusal may have been heard.
    public var splitsRefused: Bool

    public init(
        text: TextLimit, millisecondsPerChat: Int64, millisecondsPerMessage: Int64 = 0, windowSeconds: Int64,
        mergesReplies: Bool = true, allowsPush: Bool = true, splitsRefused: Bool = true
    ) {
        self.text = text
        self.millisecondsPerChat = millisecondsPerChat
        self.millisecondsPerMessage = millisecondsPerMessage
        self.windowSeconds = windowSeconds
        self.mergesReplies = mergesReplies
        self.allowsPush = allowsPush
        self.splitsRefused = splitsRefused
    }
}

/// A call to a platform's API. Printed, it shows neither its headers nor its body nor more of the address than the host.
public struct OutboundCall: Hashable, Sendable, Redacted {
    public var method: String
    public var url: OutboundURL
    public var headers: [String: String]
    public var body: [UInt8]

    public init(method: String = "POST", url: OutboundURL, headers: [String: String] = [:], body: [UInt8] = []) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }

    /// A POST of a JSON body.
    public static func json(
        _ value: JSONValue, to url: OutboundURL, method: String = "POST", headers: [String: String] = [:]
    ) -> OutboundCall {
        var body: [UInt8] = []
        JSONWriter.append(value, to: &body)
        var headers = headers
        headers["Content-Type"] = "application/json"
        return OutboundCall(method: method, url: url, headers: headers, body: body)
    }

    public var description: String { "\(method) \(url)" }
    public var customMirror: Mirror { Mirror(self, children: ["method": method, "host": url.host]) }
}

/// What a platform's API answered. Printed, it shows the status alone: the body may hold an access token.
public struct OutboundAnswer: Hashable, Sendable, Redacted {
    public var status: Int
    /// Names in lower case; of several values the first.
    public var headers: [String: String]
    /// At most 64 KiB.
    public var body: [UInt8]

    public init(status: Int, headers: [String: String] = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The body as JSON; nil when it is none.
    public var json: JSONObject? {
        (try? StrictJSON.parse(body, maximumSize: 64 * 1024))?.objectValue
    }

    public var description: String { "status \(status)" }

    /// `Retry-After` in seconds; a date is not read.
    public var retryAfterSeconds: Int64? {
        headers["retry-after"].flatMap { Int64($0) }.flatMap { (0...3600).contains($0) ? $0 : nil }
    }
}

/// A short-lived access token.
public struct AccessToken: Hashable, Sendable, Redacted {
    public var value: String
    public var lifetimeSeconds: Int64

    public init(_ value: String, lifetimeSeconds: Int64) {
        self.value = value
        self.lifetimeSeconds = lifetimeSeconds
    }
}

/// Whether a platform takes the credentials of an endpoint.
public enum CredentialState: Hashable, Sendable {
    case accepted
    case refused
    /// The answer does not say: the platform has trouble of its own, or it is another server that answers.
    case unclear

    /// By the status alone.
    init(status answer: OutboundAnswer) {
        switch answer.status {
        case 200..<300: self = .accepted
        case 401, 403: self = .refused
        default: self = .unclear
        }
    }
}

/// What became of a call that says something.
public enum DeliveryResult: Hashable, Sendable {
    case delivered
    /// Worth another attempt; the platform may have said when.
    case later(afterSeconds: Int64?)
    /// The access token is no longer good: another attempt with a new one.
    case staleToken
    /// It will never be taken. The reason is for the log: a code, never a text of the platform's.
    case refused(reason: String)

    /// By the status alone.
    ///
    /// - Parameter renewsToken: Whether 401 means that a newer token may be had; otherwise it is refused for good.
    public init(status answer: OutboundAnswer, renewsToken: Bool) {
        switch answer.status {
        case 200..<300: self = .delivered
        case 401 where renewsToken: self = .staleToken
        case 408, 425, 429, 500...: self = .later(afterSeconds: answer.retryAfterSeconds)
        default: self = .refused(reason: "status \(answer.status)")
        }
    }
}
