public import Basics

/// One address that a chat platform sends to: `/webhook/<name>`.
///
/// - Source: spec.md section 2 (identity) and section 8.
public struct Endpoint: Sendable {
    /// `[a-z0-9_-]{1,32}`; the platform's own name unless the operator chose another.
    public let name: String
    public let platform: Platform
    /// The namespace that users and chats of this endpoint are in; nil: what the message's login says.
    public let identity: String?
    /// Whether the role that a signed payload gives makes an admin of the chat.
    public let trustsGroupAdmins: Bool
    /// Milliseconds between messages to one chat; nil: the platform's own.
    public let replyIntervalMilliseconds: Int64?
    package let adapter: any PlatformAdapter
    /// Speaks for the secret of before, until it ends.
    package let previous: (adapter: any PlatformAdapter, until: Instant)?

    /// - Parameter previous: An adapter with the secret that was used before, and how long that is still good.
    public init(
        name: String, adapter: any PlatformAdapter, identity: String? = nil, trustsGroupAdmins: Bool = false,
        replyIntervalMilliseconds: Int64? = nil, previous: (adapter: any PlatformAdapter, until: Instant)? = nil
    ) {
        self.name = name
        platform = type(of: adapter).platform
        self.adapter = adapter
        self.identity = identity ?? platform.defaultIdentity
        self.trustsGroupAdmins = trustsGroupAdmins
        self.replyIntervalMilliseconds = replyIntervalMilliseconds
        self.previous = previous
    }

    /// Verifies with the secret of now, then with that of before, and decodes.
    ///
    /// - Returns: What it is, and the adapter that answers it.
    /// - Throws: `receiverMismatch` also for a message in whose namespace this endpoint does not speak.
    package func receive(
        _ request: WebhookRequest, now: Instant
    ) throws(WebhookFault) -> (event: WebhookEvent, adapter: any PlatformAdapter) {
        let received = try verified(request, now: now)
        if identity == nil, case .messages(let messages) = received.event,
            messages.contains(where: { $0.identity == nil })
        {
            throw .receiverMismatch
        }
        return received
    }

    private func verified(
        _ request: WebhookRequest, now: Instant
    ) throws(WebhookFault) -> (event: WebhookEvent, adapter: any PlatformAdapter) {
        do throws(WebhookFault) {
            return (try adapter.receive(request, now: now), adapter)
        } catch {
            guard error.isOfIdentity, let previous, now < previous.until else { throw error }
            do throws(WebhookFault) {
                return (try previous.adapter.receive(request, now: now), previous.adapter)
            } catch let second {
                // Whoever uses neither secret is told about the one of now.
                throw second.isOfIdentity ? error : second
            }
        }
    }
}
