/// Messages of a Slack app: to a slash command's `response_url`, else by `chat.postMessage`.
///
/// - Source: platforms.md section 6.
struct SlackSender: ReplySender {
    /// Half an hour, less what a slow call and a clock that is off may take.
    static let urlLifetimeSeconds: Int64 = 1780
    /// How many posts a `response_url` takes.
    private static let maximumURLReplies = 5
    private static let hooksHost = "hooks.slack.com"

    /// About one message in a second to one channel. Slack takes answers to events at any time; after half an hour
    /// nobody expects one.
    let limits = ReplyLimits(
        text: SlackText.limit, millisecondsPerChat: 1100, millisecondsPerMessage: 50,
        windowSeconds: SlackSender.urlLifetimeSeconds)

    let allowedHosts: Set<String>

    private let api: OutboundURL
    private let isOwnAPI: Bool
    private let botToken: Secret?

    init(_ settings: PlatformSettings) throws(SettingFault) {
        api = try settings.url("api_url", default: "https://slack.com/api")
        isOwnAPI = settings["api_url"] != nil
        allowedHosts = [api.host, Self.hooksHost]
        botToken = settings.secret("bot_token")
        if let token = botToken?.exposedText {
            guard token.hasPrefix("xoxb-"), token.utf8.count <= 512, token.isVisibleASCII else {
                throw SettingFault("bot_token", "bot_token 应以 xoxb- 开头", "bot_token must begin with xoxb-")
            }
        }
    }

    /// Whether more than slash commands can be answered.
    var answersEvents: Bool { botToken != nil }

    /// Whether an address that came with a command may be called: https at Slack's, or where the operator's API is.
    func allows(_ text: String) -> Bool {
        guard let url = OutboundURL(text) else { return false }
        return url.host == Self.hooksHost && url.isUsualHTTPS || isOwnAPI && url.hasOrigin(of: api)
    }

    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        let blocks = replies.map { reply in
            let text = SlackText.escape(SlackText.limit.cut(reply.text))
            let user = reply.address.user
            return reply.address.isPrivate || !Self.isUser(user) ? text : "<@\(user)> \(text)"
        }
        let text = JSONValue.string(blocks.joined(separator: "\n"))
        let carrier = replies.last { $0.address.url.map(allows) == true && $0.number <= Self.maximumURLReplies }
        if let url = carrier?.address.url.flatMap({ OutboundURL($0) }) {
            return .json(
                .object([
                    "response_type": "in_channel", "replace_original": false, "text": text, "mrkdwn": false,
                ]), to: url)
        }
        guard let botToken, let address = replies.last?.address else { return nil }
        return .json(
            .object([
                "channel": .string(address.chat), "text": text, "thread_ts": address.thread.map { .string($0) },
                "mrkdwn": false, "link_names": false, "unfurl_links": false, "unfurl_media": false,
            ]), to: api.appending("chat.postMessage"), headers: ["Authorization": "Bearer " + botToken.exposedText])
    }

    private static func isUser(_ id: String) -> Bool {
        !id.isEmpty && id.utf8.allSatisfy { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 || $0.isDigit }
    }

    func credentialCheck() -> OutboundCall? {
        botToken.map { token in
            OutboundCall(
                url: api.appending("auth.test"), headers: ["Authorization": "Bearer " + token.exposedText])
        }
    }

    /// A token that is not good is said in a 200.
    func credentials(from answer: OutboundAnswer) -> CredentialState {
        guard answer.status == 200 else { return CredentialState(status: answer) }
        guard let body = answer.json, let isOK = body["ok"]?.boolValue else { return .unclear }
        if isOK { return .accepted }
        let refusals = ["invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"]
        return refusals.contains(body["error"]?.stringValue ?? "") ? .refused : .unclear
    }

    /// `chat.postMessage` says in a 200 what is wrong; a `response_url` says it by the status.
    func result(of answer: OutboundAnswer) -> DeliveryResult {
        guard answer.status == 200, let body = answer.json, body["ok"]?.boolValue != true else {
            return result(ofStatus: answer)
        }
        let code = body["error"]?.stringValue ?? ""
        switch code {
        case "ratelimited", "rate_limited": return .later(afterSeconds: answer.retryAfterSeconds)
        case "internal_error", "fatal_error", "service_unavailable", "request_timeout":
            return .later(afterSeconds: nil)
        default:
            let isCode =
                1...64 ~= code.utf8.count
                && code.utf8.allSatisfy { UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || $0 == UInt8(ascii: "_") }
            return .refused(reason: isCode ? code : "not ok")
        }
    }
}
