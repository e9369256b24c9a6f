/// Followup messages to a slash command. They take the command's own token and no other secret.
///
/// - Source: platforms.md section 5.
struct DiscordSender: ReplySender {
    /// A quarter of an hour, less what a slow call and a clock that is off may take.
    static let tokenLifetimeSeconds: Int64 = 880

    /// Webhooks take about five messages in two seconds.
    let limits = ReplyLimits(
        text: DiscordText.limit, millisecondsPerChat: 1000, millisecondsPerMessage: 50,
        windowSeconds: DiscordSender.tokenLifetimeSeconds)

    private let api: OutboundURL

    var allowedHosts: Set<String> { [api.host] }

    init(_ settings: PlatformSettings) throws(SettingFault) {
        api = try settings.url("api_url", default: "https://discord.com/api/v10")
    }

    /// 1–1024 of printable ASCII.
    static func isToken(_ text: String) -> Bool {
        text.utf8.count <= 1024 && text.isVisibleASCII
    }

    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        // The newest token lives longest.
        guard let address = replies.last?.address, let application = address.account,
            DiscordAdapter.isSnowflake(application), let token = address.message, Self.isToken(token)
        else { return nil }
        var users: [String] = []
        var blocks: [String] = []
        for reply in replies {
            let text = DiscordText.escape(reply.text)
            let user = reply.address.user
            if !reply.address.isPrivate, DiscordAdapter.isSnowflake(user) {
                if !users.contains(user) { users.append(user) }
                blocks.append("<@\(user)> \(text)")
            } else {
                blocks.append(text)
            }
        }
        // Nobody but those who are answered, whatever the texts say. At most a hundred may be listed.
        let mentions = JSONValue.object([
            "parse": .array([]), "users": users.isEmpty ? nil : .array(users.prefix(100).map { .string($0) }),
        ])
        let content = DiscordText.limit.cut(blocks.joined(separator: "\n"))
        return .json(
            .object(["content": .string(content), "allowed_mentions": mentions]),
            to: api.appending("webhooks", application, token))
    }

    func result(of answer: OutboundAnswer) -> DeliveryResult {
        switch answer.status {
        case 429: .later(afterSeconds: answer.retryAfterSeconds ?? Self.retryAfterSeconds(in: answer))
        default: result(ofStatus: answer)
        }
    }

    /// `{"retry_after":0.65}`, rounded up.
    private static func retryAfterSeconds(in answer: OutboundAnswer) -> Int64? {
        guard case .number(let number) = answer.json?["retry_after"],
            let whole = Int64(number.text.prefix { $0 != "." }), 0..<3600 ~= whole
        else { return nil }
        return number.integer ?? whole + 1
    }
}
