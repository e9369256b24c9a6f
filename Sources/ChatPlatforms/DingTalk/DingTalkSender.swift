/// Says things to the session address that came with a DingTalk message.
///
/// - Source: platforms.md section 8.
struct DingTalkSender: ReplySender {
    /// Who is mentioned in one message at most.
    static let maximumMentionCount = 20

    /// Where a session address may point besides DingTalk's own hosts.
    private let api: OutboundURL?

    init(_ settings: PlatformSettings) throws(SettingFault) {
        api = try settings.url("api_url")
    }

    /// Custom robots may say 20 things a minute and are silenced for ten when they say more; whether session addresses
    /// are held to it is not stated. They are good for about 90 minutes, each tells until when.
    let limits = ReplyLimits(text: textLimit, millisecondsPerChat: 3000, windowSeconds: 3600)

    private static let textLimit = TextLimit(1900, .characters)

    private static let ownHosts: Set = ["oapi.dingtalk.com", "api.dingtalk.com"]

    var allowedHosts: Set<String> { api.map { Self.ownHosts.union([$0.host]) } ?? Self.ownHosts }

    /// Whether an address out of a payload, whose sender is in doubt, may be called.
    func allows(_ text: String) -> Bool {
        guard let url = OutboundURL(text) else { return false }
        return Self.ownHosts.contains(url.host) && url.isUsualHTTPS || api.map(url.hasOrigin) == true
    }

    /// Several replies go to the newest address among theirs.
    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        guard let text = replies.last(where: { $0.address.url.map(allows) ?? false })?.address.url,
            let url = OutboundURL(text), let last = replies.last
        else { return nil }
        if replies.count == 1 {
            return .json(Self.message(last.text, to: last.address.isPrivate ? [] : [last.address.user]), to: url)
        }
        var mentioned: [String] = []
        var lines: [String] = []
        for reply in replies {
            let user = reply.address.user
            if !reply.address.isPrivate, !mentioned.contains(user), mentioned.count < Self.maximumMentionCount {
                mentioned += Self.staff([user])
            }
            // Shown as a mention because the user is in the list below.
            lines.append((mentioned.contains(user) ? "@\(user) " : "") + reply.text)
        }
        return .json(Self.message(lines.joined(separator: "\n"), to: mentioned), to: url)
    }

    /// A text message, cut to what is taken.
    ///
    /// Plain text mentions nobody by itself: only who is listed beside it.
    ///
    /// - Parameter users: To be mentioned. Only members of the organisation can be.
    static func message(_ text: String, to users: [String]) -> JSONValue {
        let staff = staff(users)
        return .object([
            "msgtype": "text", "text": .object(["content": .string(textLimit.cut(text))]),
            "at": staff.isEmpty ? nil : .object(["atUserIds": .array(staff.map { .string($0) })]),
        ])
    }

    /// Those ids that are a member's own; `$:LWCP_v1:…` stands for somebody else.
    private static func staff(_ users: [String]) -> [String] {
        users.filter { !$0.hasPrefix("$:") }
    }

    func result(of answer: OutboundAnswer) -> DeliveryResult {
        guard answer.status == 200 else { return result(ofStatus: answer) }
        guard let code = answer.json?["errcode"]?.integerValue else { return .refused(reason: "no errcode") }
        return switch code {
        case 0: .delivered
        // The platform is busy; the robot said too much and is silenced for a while.
        case -1: .later(afterSeconds: answer.retryAfterSeconds)
        case 130_101: .later(afterSeconds: answer.retryAfterSeconds ?? 60)
        default: .refused(reason: "errcode \(code)")
        }
    }
}
