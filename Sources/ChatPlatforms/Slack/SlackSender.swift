internal import Basics

/// Messages of a Slack app: to a slash command's `response_url`, else by `chat.postMessage`.
///
/// - Source: platforms.md section 6.
public struct SlackSender: ReplySender {
    /// Half an hour, less what a slow call and a clock that is off may take.
    static let urlLifetimeSeconds: Int64 = 1780
    /// How many posts a `response_url` takes.
    private static let maximumURLReplies = 5

    /// About one message in a second to one channel. Slack takes answers to events at any time; after half an hour
    /// nobody expects one.
    public let limits = ReplyLimits(
        text: SlackText.limit, millisecondsPerChat: 1100, millisecondsPerMessage: 50,
        windowSeconds: SlackSender.urlLifetimeSeconds)

    public let allowedHosts: Set<String>

    private let api: OutboundURL
    private let isOwnAPI: Bool
    private let botToken: String?

    init(_ settings: PlatformSettings) throws(SettingFault) {
        guard let api = try settings.url("api_url", default: "https://slack.com/api") else {
            throw SettingFault("api_url", "缺少 api_url", "api_url is missing")
        }
        self.api = api
        isOwnAPI = settings["api_url"] != nil
        allowedHosts = [api.host, "hooks.slack.com"]
        botToken = settings["bot_token"]
        if let botToken {
            guard botToken.hasPrefix("xoxb-"), botToken.utf8.count <= 512,
                botToken.utf8.allSatisfy({ 0x21...0x7E ~= $0 })
            else { throw SettingFault("bot_token", "bot_token 应以 xoxb- 开头", "bot_token must begin with xoxb-") }
        }
    }

    /// Whether an address that came with a command may be called: https at Slack's, or where the operator's API is.
    func allows(_ text: String) -> Bool {
        guard let url = OutboundURL(text) else { return false }
        if url.scheme == "https", url.host == "hooks.slack.com" { return url.port == nil || url.port == 443 }
        return isOwnAPI && url.scheme == api.scheme && url.host == api.host && url.port == api.port
    }

    public func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        let blocks = replies.map { reply in
            let text = SlackText.escape(reply.text)
            let user = reply.address.user
            return reply.address.isPrivate || !Self.isUser(user) ? text : "<@\(user)> \(text)"
        }
        let text = JSONValue.string(SlackText.limit.cut(blocks.joined(separator: "\n")))
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
            ]), to: api.appending("chat.postMessage"), headers: ["Authorization": "Bearer " + botToken])
    }

    private static func isUser(_ id: String) -> Bool {
        !id.isEmpty
            && id.utf8.allSatisfy { byte in
                UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
            }
    }

    /// `chat.postMessage` says in a 200 what is wrong; a `response_url` says it by the status.
    public func result(of answer: OutboundAnswer) -> DeliveryResult {
        if answer.status == 401 { return .refused(reason: "status 401") }
        guard answer.status == 200, let body = answer.json, body["ok"]?.boolValue != true else {
            return DeliveryResult(status: answer)
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
