/// Sends messages of a WeCom application to one member each.
///
/// - Source: platforms.md section 9.
struct WeComSender: ReplySender {
    private let api: OutboundURL
    private let corpID: String
    private let secret: Secret

    /// - Returns: Nil without `corp_secret`.
    init?(_ settings: PlatformSettings, corpID: String) throws(SettingFault) {
        api = try settings.url("api_url", default: "https://qyapi.weixin.qq.com")
        guard let secret = settings.secret("corp_secret") else { return nil }
        self.secret = secret
        self.corpID = corpID
    }

    /// 30 a minute and 1000 an hour per member; what is more is dropped without a word.
    let limits = ReplyLimits(text: WeChatMessage.textLimit, millisecondsPerChat: 4000, windowSeconds: 3600)

    var allowedHosts: Set<String> { [api.host] }

    func tokenCall() -> OutboundCall? {
        OutboundCall(
            method: "GET",
            url: api.appending(
                "cgi-bin", "gettoken", query: [("corpid", corpID), ("corpsecret", secret.exposedText)]))
    }

    func token(from answer: OutboundAnswer) -> AccessToken? {
        guard answer.status == 200, let json = answer.json, json["errcode"]?.integerValue ?? 0 == 0,
            let token = json["access_token"]?.nonEmptyString, let lifetime = json["expires_in"]?.integerValue,
            lifetime > 0
        else { return nil }
        return AccessToken(token, lifetimeSeconds: lifetime)
    }

    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        // `|` parts several members, `@all` is all of them.
        guard let token, let address = replies.first?.address, !address.user.isEmpty, address.user != "@all",
            !address.user.utf8.contains(UInt8(ascii: "|")),
            let agent = address.account.flatMap(Self.agentNumber)
        else { return nil }
        let text = replies.map(\.text).joined(separator: "\n").withTagsDisarmed
        return .json(
            .object([
                "touser": .string(address.user), "msgtype": "text", "agentid": .integer(agent),
                "text": .object(["content": .string(limits.text.cut(text))]),
            ]),
            to: api.appending("cgi-bin", "message", "send", query: [("access_token", token)]))
    }

    func result(of answer: OutboundAnswer) -> DeliveryResult {
        guard answer.status == 200 else { return result(ofStatus: answer) }
        guard let code = answer.json?["errcode"]?.integerValue else { return .refused(reason: "no errcode") }
        return switch code {
        case 0: .delivered
        case 40014, 41001, 42001: .staleToken
        // The platform is busy; too many calls.
        case -1, 45009: .later(afterSeconds: answer.retryAfterSeconds)
        default: .refused(reason: "errcode \(code)")
        }
    }

    /// An AgentId as the number it must be.
    static func agentNumber(_ text: String) -> Int64? {
        text.isDigits ? Int64(text) : nil
    }
}
