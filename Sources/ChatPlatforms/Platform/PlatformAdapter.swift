public import Basics

/// What a verified request turned out to be.
public enum WebhookEvent: Hashable, Sendable {
    /// A handshake, or an event that asks nothing of us: to be answered like this.
    case answer(WebhookResponse)
    /// Messages in their order, most often one. Bots, edits, our own messages and what is no text are left out already,
    /// so there may be none.
    case messages([IncomingMessage])
}

/// Speaks a platform's protocol: verify → decode → encode, all of it pure.
///
/// One value serves one endpoint. The order for a request is ``receive(_:now:)``, the decisions, then
/// ``response(to:now:)``, or ``lateResponse(for:)`` where they take too long; or ``refusal(_:)``.
public protocol PlatformAdapter: Sendable {
    static var platform: Platform { get }
    /// Everything an operator may write under an endpoint of this platform.
    static var settings: [PlatformSetting] { get }

    /// - Throws: ``SettingFault`` naming the setting that is missing or wrong.
    init(_ settings: PlatformSettings) throws(SettingFault)

    /// Verifies the raw bytes, then decodes them.
    ///
    /// - Parameter now: For platforms that sign a timestamp.
    func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent

    /// The platform's own form of a refusal. ``WebhookFault/bareResponse`` unless the platform asks for another.
    func refusal(_ fault: WebhookFault) -> WebhookResponse

    /// As ``refusal(_:)``, where whoever writes the sender can be told more about the request.
    ///
    /// - Parameter request: One that ``receive(_:now:)`` threw `fault` for.
    func refusal(_ fault: WebhookFault, of request: WebhookRequest) -> WebhookResponse

    /// The response to a request whose messages have been decided: replies in it where the platform allows, else a bare
    /// acknowledgement. Texts are cut at the platform's limit and escaped here.
    ///
    /// - Parameters:
    ///   - answered: In the order of the messages.
    ///   - now: For platforms whose answers are signed.
    func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse

    /// Whether ``response(to:now:)`` can say a reply to this message.
    func answersInResponse(to message: IncomingMessage) -> Bool

    /// Within which a response must be there, less the way there, where the platform shows an error otherwise and never
    /// delivers the message again. Nil where it does: nothing is acknowledged before it is on disk, and whoever delivers
    /// again gets the same answer.
    func responseDeadlineMilliseconds(for message: IncomingMessage) -> Int64?

    /// The response when the answers are not there within ``responseDeadlineMilliseconds(for:)``. What is decided afterwards
    /// goes out by ``sender``, if there is one.
    func lateResponse(for messages: [IncomingMessage]) -> WebhookResponse

    /// The largest body of a request that the platform may send, in bytes.
    static var maximumBodySize: Int { get }

    /// Whether the payload is signed, body and all, so that the role in it may be trusted where the operator wants that.
    static var signsRoles: Bool { get }

    /// How replies go out by calls; nil where the platform has no such way, or the settings for it are missing.
    var sender: (any ReplySender)? { get }

    /// What the operator should know when the endpoint starts: that something will not be answered, or is not protected,
    /// with these settings. In Chinese with English beside it; nil when there is nothing to say.
    var startWarning: String? { get }
}

extension PlatformAdapter {
    public func refusal(_ fault: WebhookFault) -> WebhookResponse { fault.bareResponse }

    public func refusal(_ fault: WebhookFault, of request: WebhookRequest) -> WebhookResponse { refusal(fault) }

    public func responseDeadlineMilliseconds(for message: IncomingMessage) -> Int64? { nil }

    /// What the platform hears when there is nothing to say. It says nothing that would be signed, so the time is no
    /// matter.
    public func lateResponse(for messages: [IncomingMessage]) -> WebhookResponse {
        response(to: [], now: Instant(milliseconds: 0))
    }

    public static var maximumBodySize: Int { WebhookRequest.maximumBodySize }

    public static var signsRoles: Bool { false }

    public var sender: (any ReplySender)? { nil }

    public var startWarning: String? { nil }
}
