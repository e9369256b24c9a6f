internal import Crypto

/// Says replies as notices in the room, quoting the message where there is one.
///
/// - Source: platforms.md section 15.
struct MatrixSender: ReplySender {
    private let homeserver: OutboundURL
    private let accessToken: Secret

    /// - Returns: Nil without `homeserver_url` and `as_token`.
    init?(_ settings: PlatformSettings) throws(SettingFault) {
        switch (try settings.url("homeserver_url"), settings.secret("as_token")) {
        case (let homeserver?, let accessToken?):
            self.homeserver = homeserver
            self.accessToken = accessToken
        case (nil, nil):
            return nil
        case (nil, _?):
            throw SettingFault(
                "homeserver_url", "填写了 as_token，还需要 homeserver_url", "as_token needs homeserver_url beside it")
        case (_?, nil):
            throw SettingFault(
                "as_token", "填写了 homeserver_url，还需要 as_token", "homeserver_url needs as_token beside it")
        }
    }

    /// An event has 65,536 bytes, and escaping may make six of one. Homeservers limit how fast notices go out unless the
    /// registration says `rate_limited: false`.
    let limits = ReplyLimits(text: TextLimit(8000, .bytes), millisecondsPerChat: 1000, windowSeconds: 3600)

    var allowedHosts: Set<String> { [homeserver.host] }

    /// Nobody is notified: `m.mentions` is empty, whatever the text looks like.
    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        guard let first = replies.first else { return nil }
        var text = first.text
        var key = first.key
        var relation: JSONValue?
        if replies.count > 1 {
            text = replies.map { $0.address.user + ": " + $0.text }.joined(separator: "\n")
            // The same replies, the same key: a repeated call is known by it.
            key = Hex.encode(SHA256.hash(data: Array(replies.map(\.key).joined(separator: "\n").utf8)))
        } else if let event = first.address.message {
            relation = .object(["m.in_reply_to": .object(["event_id": .string(event)])])
        }
        return .json(
            .object([
                "msgtype": "m.notice", "body": .string(limits.text.cut(text)), "m.mentions": .object([:]),
                "m.relates_to": relation,
            ]),
            to: homeserver.appending(
                "_matrix", "client", "v3", "rooms", first.address.chat, "send", "m.room.message", key),
            method: "PUT", headers: ["Authorization": "Bearer " + accessToken.exposedText])
    }

    func credentialCheck() -> OutboundCall? {
        OutboundCall(
            method: "GET", url: homeserver.appending("_matrix", "client", "v3", "account", "whoami"),
            headers: ["Authorization": "Bearer " + accessToken.exposedText])
    }

    func result(of answer: OutboundAnswer) -> DeliveryResult {
        switch answer.status {
        case 429:
            .later(
                afterSeconds: answer.json?["retry_after_ms"]?.integerValue
                    .flatMap { (0...3_600_000).contains($0) ? ($0 + 999) / 1000 : nil } ?? answer.retryAfterSeconds)
        default: result(ofStatus: answer)
        }
    }
}
