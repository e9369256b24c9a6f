internal import Crypto

/// Answers messages in Feishu.
///
/// - Source: platforms.md section 7.
struct FeishuSender: ReplySender {
    private let api: OutboundURL
    private let appID: String
    private let appSecret: Secret

    /// - Returns: Nil without `app_id` and `app_secret`.
    init?(_ settings: PlatformSettings) throws(SettingFault) {
        api = try settings.url("api_url", default: "https://open.feishu.cn")
        switch (settings["app_id"], settings.secret("app_secret")) {
        case (let appID?, let appSecret?):
            self.appID = appID
            self.appSecret = appSecret
        case (nil, nil):
            return nil
        case (let appID, _):
            let missing = appID == nil ? "app_id" : "app_secret"
            throw SettingFault(
                missing, "app_id 与 app_secret 要一起填，缺少 \(missing)",
                "app_id and app_secret belong together: \(missing) is missing")
        }
    }

    /// Five a second per group, which all its bots share; a thousand a minute in all.
    let limits = ReplyLimits(
        text: textLimit, millisecondsPerChat: 200, millisecondsPerMessage: 70, windowSeconds: 600)

    /// A request may have 150 KB, but nobody reads that much in a chat.
    private static let textLimit = TextLimit(4000, .characters)

    var allowedHosts: Set<String> { [api.host] }

    func tokenCall() -> OutboundCall? {
        .json(
            .object(["app_id": .string(appID), "app_secret": .string(appSecret.exposedText)]),
            to: api.appending("open-apis", "auth", "v3", "tenant_access_token", "internal"))
    }

    func token(from answer: OutboundAnswer) -> AccessToken? {
        guard answer.status == 200, let json = answer.json, json["code"]?.integerValue == 0,
            let token = json["tenant_access_token"]?.nonEmptyString, token.isVisibleASCII,
            let lifetime = json["expire"]?.integerValue, lifetime > 0
        else { return nil }
        return AccessToken(token, lifetimeSeconds: lifetime)
    }

    /// Several replies answer the last of their messages, each behind a mention of its user.
    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        guard let token, let last = replies.last, let message = last.address.message else { return nil }
        let text =
            replies.count == 1 ? Self.disarmed(last.text) : replies.map(Self.textWithMention).joined(separator: "\n")
        var content: [UInt8] = []
        JSONWriter.append(.object(["text": .string(text)]), to: &content)
        return .json(
            .object([
                "msg_type": "text", "content": .string(String(decoding: content, as: UTF8.self)),
                "uuid": .string(Self.key(of: replies)),
            ]),
            to: api.appending("open-apis", "im", "v1", "messages", message, "reply"),
            headers: ["Authorization": "Bearer \(token)"])
    }

    /// Replies that are said together are another message than each alone, and than the same with one more.
    private static func key(of replies: [OutgoingReply]) -> String {
        guard replies.count > 1 else { return replies.first?.key ?? "" }
        let digest = SHA256.hash(data: Array(replies.map(\.key).joined(separator: "\n").utf8))
        return Hex.encode(digest.prefix(16))
    }

    private static func textWithMention(_ reply: OutgoingReply) -> String {
        let user = reply.address.user
        // `all` is everybody.
        let mention =
            reply.address.isPrivate || !user.isPlainName || user == "all" ? "" : "<at user_id=\"\(user)\"></at> "
        return mention + disarmed(reply.text)
    }

    /// Cut to what is taken. A text message knows `<at …>`, tags of style, and `[text](address)`.
    private static func disarmed(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        var previous: Unicode.Scalar?
        for scalar in textLimit.cut(text).withTagsDisarmed.unicodeScalars {
            // Full-width, like the tags: what was a link is read as it was written.
            result.append(previous == "]" && scalar == "(" ? "（" : scalar)
            previous = scalar
        }
        return String(result)
    }

    func result(of answer: OutboundAnswer) -> DeliveryResult {
        // The code is there whatever the status; an answer without one is from somebody in between.
        guard let code = answer.json?["code"]?.integerValue else {
            let result = result(ofStatus: answer)
            return result == .delivered ? .later(afterSeconds: nil) : result
        }
        return switch code {
        case 0: .delivered
        case 99_991_661, 99_991_663, 99_991_668: .staleToken
        case 99_991_400, 230_020, 11_232, 11_233: .later(afterSeconds: answer.retryAfterSeconds ?? Self.reset(answer))
        case _ where answer.status >= 500: .later(afterSeconds: answer.retryAfterSeconds)
        default: .refused(reason: "code \(code)")
        }
    }

    /// How many seconds until calls are taken again.
    private static func reset(_ answer: OutboundAnswer) -> Int64? {
        answer.headers["x-ogw-ratelimit-reset"].flatMap { Int64($0) }.flatMap { (0...3600).contains($0) ? $0 : nil }
    }
}
