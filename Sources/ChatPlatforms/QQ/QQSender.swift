/// Where QQ takes a message: kept in ``ReplyAddress/chat`` as `<kind>/<id>`.
enum QQPlace: Equatable {
    case group(String)
    case user(String)
    case channel(String)
    case guildPrivate(String)

    var id: String {
        switch self {
        case .group(let id), .user(let id), .channel(let id), .guildPrivate(let id): id
        }
    }

    private var kind: String {
        switch self {
        case .group: "groups"
        case .user: "users"
        case .channel: "channels"
        case .guildPrivate: "dms"
        }
    }

    var text: String { kind + "/" + id }

    init?(_ text: String) {
        guard let slash = text.firstIndex(of: "/") else { return nil }
        let id = String(text[text.index(after: slash)...])
        guard !id.isEmpty else { return nil }
        switch text[..<slash] {
        case "groups": self = .group(id)
        case "users": self = .user(id)
        case "channels": self = .channel(id)
        case "dms": self = .guildPrivate(id)
        default: return nil
        }
    }

    /// Groups and private chats have the newer API, in which replies are numbered.
    var isNumbered: Bool {
        switch self {
        case .group, .user: true
        case .channel, .guildPrivate: false
        }
    }

    func messages(at api: OutboundURL) -> OutboundURL {
        isNumbered ? api.appending("v2", kind, id, "messages") : api.appending(kind, id, "messages")
    }
}

/// Replies of the official QQ bot: each refers to a message that came before, at most five to one message, within five
/// minutes (an hour in private). Nothing can be said that answers nothing.
///
/// - Source: platforms.md section 11.
struct QQSender: ReplySender {
    /// Five minutes and an hour, less what a slow call and a clock that is off may take.
    static let windowSeconds: Int64 = 290
    static let privateWindowSeconds: Int64 = 3500
    private static let maximumReplies = 5

    /// QQ documents neither a length nor a pace for groups; these are ours. ``ReplyLimits/windowSeconds`` is good for
    /// every chat, ``ReplyAddress/expiresAt`` says how long each one takes.
    let limits = ReplyLimits(
        text: TextLimit(1000, .characters), millisecondsPerChat: 1000, millisecondsPerMessage: 50,
        windowSeconds: QQSender.windowSeconds)

    private let api: OutboundURL
    private let tokenURL: OutboundURL
    private let appID: String
    private let secret: Secret

    var allowedHosts: Set<String> { [api.host, tokenURL.host] }

    init(_ settings: PlatformSettings) throws(SettingFault) {
        api = try settings.url("api_url", default: "https://api.sgroup.qq.com")
        tokenURL = try settings.url("token_url", default: "https://bots.qq.com/app/getAppAccessToken")
        appID = try settings.required("app_id")
        secret = try settings.requiredSecret("bot_secret")
    }

    func tokenCall() -> OutboundCall? {
        .json(.object(["appId": .string(appID), "clientSecret": .string(secret.exposedText)]), to: tokenURL)
    }

    /// `expires_in` is a number in a string.
    func token(from answer: OutboundAnswer) -> AccessToken? {
        guard answer.status == 200, let body = answer.json, let value = body["access_token"]?.nonEmptyString,
            value.isVisibleASCII, let lifetime = body["expires_in"]?.idText.flatMap({ Int64($0) }), lifetime > 0
        else { return nil }
        return AccessToken(value, lifetimeSeconds: min(lifetime, 86_400))
    }

    /// Several replies go out as the answer to the last message that still takes one.
    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        guard let token, let carrier = replies.last(where: { $0.number <= Self.maximumReplies }),
            let place = QQPlace(carrier.address.chat), let message = carrier.address.message
        else { return nil }
        let blocks = replies.map { reply in
            let text = QQText.escape(limits.text.cut(reply.text))
            let user = reply.address.user
            return reply.address.isPrivate || !user.isPlainName
                ? text : "<qqbot-at-user id=\"\(user)\" /> \(text)"
        }
        let content = JSONValue.string(blocks.joined(separator: "\n"))
        let body: JSONValue =
            place.isNumbered
            ? .object([
                "content": content, "msg_type": 0, "msg_id": .string(message),
                "msg_seq": .integer(Int64(carrier.number)),
            ])
            : .object(["content": content, "msg_id": .string(message)])
        return .json(body, to: place.messages(at: api), headers: ["Authorization": "QQBot " + token])
    }

    func result(of answer: OutboundAnswer) -> DeliveryResult {
        if 200..<300 ~= answer.status { return .delivered }
        switch answer.json?["code"]?.integerValue {
        case 22009: return .later(afterSeconds: answer.retryAfterSeconds)
        // The token could not be checked, is not good, or is no more.
        case 11242, 11243, 11244: return .staleToken
        case let code?:
            let byStatus = result(ofStatus: answer)
            if case .refused = byStatus { return .refused(reason: "code \(code)") }
            return byStatus
        case nil: return result(ofStatus: answer)
        }
    }
}
