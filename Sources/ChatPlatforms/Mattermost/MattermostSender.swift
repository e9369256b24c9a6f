/// Later answers to slash commands, through the address that came with them.
///
/// - Source: platforms.md section 13.
struct MattermostSender: ReplySender {
    let site: OutboundURL

    /// Every address belongs to one command and takes five posts, so replies are not merged.
    let limits = ReplyLimits(
        text: MattermostAdapter.textLimit, millisecondsPerChat: 200, windowSeconds: MattermostAdapter.responseSeconds,
        mergesReplies: false)
    static let maximumPostCount = 5

    var allowedHosts: Set<String> { [site.host] }

    /// Whether `text` is an address of the site: its scheme, host and port, and nothing that could be read as another.
    func allows(_ text: String) -> Bool { allowed(text) != nil }

    private func allowed(_ text: String) -> OutboundURL? {
        guard let url = OutboundURL(text), url.scheme == site.scheme, url.host == site.host, url.port == site.port
        else {
            return nil
        }
        return url
    }

    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        guard let reply = replies.last, reply.number <= Self.maximumPostCount,
            let url = reply.address.url.flatMap(allowed)
        else { return nil }
        let text = MattermostAdapter.escaped(replies.map(\.text).joined(separator: "\n"))
        return .json(.object(["text": .string(text), "response_type": "in_channel"]), to: url)
    }

    func result(of answer: OutboundAnswer) -> DeliveryResult {
        switch answer.status {
        // The address itself is the only credential, and it is what it is.
        case 401: .refused(reason: "status 401")
        default: DeliveryResult(status: answer)
        }
    }
}
