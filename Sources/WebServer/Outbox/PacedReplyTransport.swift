internal import ChatPlatforms

/// A transport with the operator's own pause between messages to one chat.
struct PacedReplyTransport: ReplyTransport {
    private let base: any ReplyTransport
    let limits: ReplyLimits

    init(_ base: any ReplyTransport, millisecondsPerChat: Int64) {
        self.base = base
        var limits = base.limits
        limits.millisecondsPerChat = millisecondsPerChat
        // What may come as fast to one chat may come as fast to several.
        limits.millisecondsPerMessage = min(limits.millisecondsPerMessage, millisecondsPerChat)
        self.limits = limits
    }

    var concurrency: Int { base.concurrency }

    func reaches(_ address: ReplyAddress) -> Bool { base.reaches(address) }

    func send(_ replies: [OutgoingReply]) async -> DeliveryResult { await base.send(replies) }
}
