internal import Crypto

/// Says replies as notices in the room, quoting the message where there is one.
///
/// - Source: platforms.md section 15.
struct MatrixSender: ReplySender {
    let homeserver: OutboundURL
    let token: String

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
            method: "PUT", headers: ["Authorization": "Bearer " + self.token])
    }

    func result(of answer: OutboundAnswer) -> DeliveryResult {
        switch answer.status {
        case 429:
            .later(
                afterSeconds: answer.json?["retry_after_ms"]?.integerValue
                    .flatMap { (0...3_600_000).contains($0) ? ($0 + 999) / 1000 : nil } ?? answer.retryAfterSeconds)
        // The token is fixed; there is no newer one to be had.
        case 401: .refused(reason: "status 401")
        default: DeliveryResult(status: answer)
        }
    }
}
