internal import Crypto

/// Replies with the message's token, and pushes where the operator pays for that.
///
/// - Source: platforms.md section 12.
struct LINESender: ReplySender {
    private let api: OutboundURL
    private let accessToken: Secret
    private let pushes: Bool

    let limits: ReplyLimits

    /// - Returns: Nil without `channel_access_token`.
    init?(_ settings: PlatformSettings) throws(SettingFault) {
        api = try settings.url("api_url", default: "https://api.line.me")
        pushes = try settings.flag("push", default: false)
        guard let accessToken = settings.secret("channel_access_token") else {
            guard pushes else { return nil }
            throw SettingFault(
                "channel_access_token", "push 为 true 时必须填写 channel_access_token", "push needs channel_access_token")
        }
        self.accessToken = accessToken
        // Each reply has a token of its own and costs nothing, so none are merged; LINE takes 2000 calls a second. A
        // push has no window; an hour later nobody waits for it.
        limits = ReplyLimits(
            text: TextLimit(4500, .utf16), millisecondsPerChat: 100, millisecondsPerMessage: 2,
            windowSeconds: pushes ? 3600 : LINEAdapter.replyTokenSeconds, mergesReplies: false, allowsPush: pushes)
    }

    var allowedHosts: Set<String> { [api.host] }

    private var headers: [String: String] { ["Authorization": "Bearer " + accessToken.exposedText] }

    /// A reply where there is a token that was not used yet, else a push where that is allowed.
    ///
    /// There is no clock here: the caller takes ``ReplyAddress/message`` out once ``ReplyAddress/expiresAt`` has passed.
    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        guard let reply = replies.last else { return nil }
        let text = limits.text.cut(replies.map(\.text).joined(separator: "\n"))
        let messages = JSONValue.array([.object(["type": "text", "text": .string(text)])])
        // A token works once, and the first reply took it.
        if reply.number == 1, let replyToken = reply.address.message {
            return .json(
                .object(["replyToken": .string(replyToken), "messages": messages]),
                to: api.appending("v2", "bot", "message", "reply"), headers: headers)
        }
        guard pushes else { return nil }
        return .json(
            .object(["to": .string(reply.address.chat), "messages": messages]),
            to: api.appending("v2", "bot", "message", "push"),
            headers: headers.merging(["X-Line-Retry-Key": Self.retryKey(for: reply.key)]) { $1 })
    }

    func credentialCheck() -> OutboundCall? {
        OutboundCall(method: "GET", url: api.appending("v2", "bot", "info"), headers: headers)
    }

    func result(of answer: OutboundAnswer) -> DeliveryResult {
        switch answer.status {
        // An earlier attempt with this retry key was taken.
        case 409: .delivered
        default: result(ofStatus: answer)
        }
    }

    /// LINE wants a UUID: `key` where it is one, else one made of its digest.
    static func retryKey(for key: String) -> String {
        let groups = key.split(separator: "-", omittingEmptySubsequences: false)
        if groups.map(\.utf8.count) == [8, 4, 4, 4, 12], Hex.decode(groups.joined()) != nil { return key }
        var bytes = Array(SHA256.hash(data: Array(key.utf8)).prefix(16))
        // The form of version 4, as RFC 9562 section 5.4 places version and variant.
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        return [bytes[0..<4], bytes[4..<6], bytes[6..<8], bytes[8..<10], bytes[10...]].map { Hex.encode($0) }
            .joined(separator: "-")
    }
}
