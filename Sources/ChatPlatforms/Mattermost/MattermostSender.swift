/// Later answers to slash commands, through the address that came with them.
///
/// - Source: platforms.md section 13.
struct MattermostSender: ReplySender {
    private let site: OutboundURL

    /// - Returns: Nil without `site_url`.
    init?(_ settings: PlatformSettings) throws(SettingFault) {
        guard let site = try settings.url("site_url") else { return nil }
        self.site = site
    }

    /// Every address belongs to one command and takes five posts, so replies are not merged.
    let limits = ReplyLimits(
        text: MattermostAdapter.textLimit, millisecondsPerChat: 200, windowSeconds: MattermostAdapter.responseSeconds,
        mergesReplies: false)
    private static let maximumPostCount = 5

    var allowedHosts: Set<String> { [site.host] }

    /// Whether `text` is an address of the site: its scheme, host and port, and nothing that could be read as another.
    func allows(_ text: String) -> Bool { allowed(text) != nil }

    private func allowed(_ text: String) -> OutboundURL? {
        OutboundURL(text).flatMap { $0.hasOrigin(of: site) ? $0 : nil }
    }

    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        guard let reply = replies.last, reply.number <= Self.maximumPostCount,
            let url = reply.address.url.flatMap(allowed)
        else { return nil }
        let text = MattermostAdapter.escaped(replies.map(\.text).joined(separator: "\n"))
        return .json(.object(["text": .string(text), "response_type": "in_channel"]), to: url)
    }
}
