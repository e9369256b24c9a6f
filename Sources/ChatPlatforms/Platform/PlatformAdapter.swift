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
/// ``response(to:)``; or ``refusal(_:)``.
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

    /// The response to a request whose messages have been decided: replies in it where the platform allows, else a bare
    /// acknowledgement. Texts are cut at the platform's limit and escaped here.
    ///
    /// - Parameters:
    ///   - answered: In the order of the messages.
    ///   - now: For platforms whose answers are signed.
    func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse

    /// Whether ``response(to:now:)`` can say a reply to this message.
    func answersInResponse(to message: IncomingMessage) -> Bool

    /// Whether the payload is signed, body and all, so that the role in it may be trusted where the operator wants that.
    static var signsRoles: Bool { get }

    /// How replies go out by calls; nil where the platform has no such way, or the settings for it are missing.
    var sender: (any ReplySender)? { get }
}

extension PlatformAdapter {
    public func refusal(_ fault: WebhookFault) -> WebhookResponse { fault.bareResponse }

    public static var signsRoles: Bool { false }

    public var sender: (any ReplySender)? { nil }
}
