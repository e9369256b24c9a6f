/// Says replies by `message.create`.
///
/// - Source: platforms.md section 3; satorijs/docs: zh-CN/protocol/api.md.
struct SatoriSender: ReplySender {
    private let base: OutboundURL
    private let token: Secret?

    /// - Throws: Without an `api_url`: a webhook's response cannot say anything.
    init(_ settings: PlatformSettings) throws(SettingFault) {
        guard let base = try settings.url("api_url") else {
            throw SettingFault(
                "api_url", "缺少 api_url：Satori 只能通过它的 API 回复",
                "api_url is missing: Satori can only be answered through its API")
        }
        self.base = base
        token = settings.secret("api_token")
    }

    /// Satori itself names none; these suit QQ, the strictest of what is usually behind it.
    var limits: ReplyLimits {
        ReplyLimits(
            text: TextLimit(1500, .characters), millisecondsPerChat: 500, millisecondsPerMessage: 500,
            windowSeconds: 600)
    }

    var allowedHosts: Set<String> { [base.host] }

    private var authorization: [String: String] {
        token.map { ["Authorization": "Bearer " + $0.exposedText] } ?? [:]
    }

    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        // The account's id becomes a header, which holds nothing but printable ASCII safely.
        guard let address = replies.first?.address, let account = address.account.flatMap({ SatoriAccount($0) }),
            account.userID.isVisibleASCII
        else { return nil }
        let parts = replies.map { reply in
            let text = SatoriElements.escape(limits.text.cut(reply.text))
            return reply.address.isPrivate ? text : "<at id=\"\(SatoriElements.escape(reply.address.user))\"/> \(text)"
        }
        var headers = ["Satori-Platform": account.platform, "Satori-User-ID": account.userID]
        headers.merge(authorization) { $1 }
        return .json(
            .object(["channel_id": .string(address.chat), "content": .string(parts.joined(separator: "<br/>"))]),
            to: base.appending("v1", "message.create"), headers: headers)
    }

    /// What the server is, which is no matter of one login. Servers of an early version do not have it.
    func credentialCheck() -> OutboundCall? {
        .json(.object([:]), to: base.appending("v1", "meta"), headers: authorization)
    }
}
