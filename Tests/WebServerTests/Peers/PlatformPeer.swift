import Basics
import ChatPlatforms
import Testing

/// Plays a chat platform towards the running server: signs its requests, and answers the calls that come back.
///
/// It signs with the cryptographic library directly and not with the adapters' code, which it is there to test.
protocol PlatformPeer: Sendable, CustomTestStringConvertible {
    var platform: Platform { get }
    /// What an operator writes under the endpoint in `hongbao.yaml`.
    ///
    /// - Parameter api: The address of a server that stands for the platform's API, such as `http://127.0.0.1:4000`.
    func settings(api: String) -> [String: String]

    /// The platform's first request to a new address, and what it must be answered; nil where there is none.
    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)?
    func request(_ message: PeerMessage) -> PeerRequest
    /// The request of `message` with its body changed on the way, or with a wrong token where no signature covers it.
    func tampered(_ message: PeerMessage) -> PeerRequest
    /// The request of `message`, rightly signed for a time that is too long ago; nil where the platform signs no time,
    /// or its page says that there is no bound.
    func stale(_ message: PeerMessage) -> PeerRequest?
    /// What the endpoint answers to a request without a message for us: the status.
    var silentStatus: Int { get }

    /// What is said in a response to a message; nil when nothing is.
    func reply(in response: PeerResponse) -> String?
    /// The same for a call to the platform's API; nil when the call says nothing (fetching a token).
    func reply(in call: PeerRequest) -> String?
    /// What the platform's API answers to a call.
    func answer(to call: PeerRequest) -> PeerResponse
    /// Whether a reply comes by a call and not in the response.
    var repliesByCall: Bool { get }
    /// Whether there are group chats; else every message is private.
    var hasGroups: Bool { get }
    /// Whether an edited message can come at all.
    var hasEdits: Bool { get }
    /// Whether messages of other bots can come at all.
    var hasBots: Bool { get }
    /// What else the platform sends that nobody is to be answered, with all that can look like `message`: by its name.
    func others(like message: PeerMessage) -> [String: PeerRequest]
}

extension PlatformPeer {
    // And not what it holds: the tests' own output has no secrets either.
    var testDescription: String { platform.rawValue }
    var silentStatus: Int { 200 }
    var hasGroups: Bool { true }
    var hasEdits: Bool { true }
    var hasBots: Bool { true }
    func others(like message: PeerMessage) -> [String: PeerRequest] { [:] }
    func reply(in call: PeerRequest) -> String? { nil }
    func answer(to call: PeerRequest) -> PeerResponse { PeerResponse(status: 404) }
}

/// A message in a chat, before the platform puts it in its own form.
struct PeerMessage: Sendable {
    enum Kind: Sendable {
        case ordinary
        /// Another bot wrote it.
        case bot
        /// The person changed an earlier message into this.
        case edited
    }

    /// Letters and digits; a platform whose ids are numbers or have prefixes makes its own of it, always the same.
    var user: String
    /// Nil in private.
    var chat: String?
    /// Different for every message.
    var id: Int
    var text: String
    var sentAt: Instant
    var kind = Kind.ordinary
}

/// An HTTP request in either direction.
struct PeerRequest: Sendable {
    var method = "POST"
    /// Behind the endpoint's own path, with its query; for calls to the API the whole path and query.
    var path = ""
    var headers: [String: String] = [:]
    var body: [UInt8] = []
}

struct PeerResponse: Sendable {
    var status: Int
    /// Names in lower case.
    var headers: [String: String] = [:]
    var body: [UInt8] = []

    var text: String { String(decoding: body, as: UTF8.self) }
}
