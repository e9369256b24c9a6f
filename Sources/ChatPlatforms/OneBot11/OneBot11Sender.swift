/// Says replies through the implementation's HTTP API, and knows what the action frames of a WebSocket say.
///
/// - Source: platforms.md section 1; botuniverse/onebot-11: communication/http.md, api/public.md.
struct OneBot11Sender: ReplySender {
    static let textLimit = TextLimit(1500, .characters)

    /// The spacing is that of the implementations' own `_rate_limited` queue; who sends faster gets accounts frozen.
    static let limits = ReplyLimits(
        text: textLimit, millisecondsPerChat: 500, millisecondsPerMessage: 500, windowSeconds: 600,
        splitsRefused: false)

    private let base: OutboundURL
    private let accessToken: Secret?
    private let mentionsUser: Bool

    /// - Returns: Nil without an `api_url`.
    init?(_ settings: PlatformSettings) throws(SettingFault) {
        guard let base = try settings.url("api_url") else { return nil }
        self.base = base
        accessToken = settings.secret("access_token")
        mentionsUser = try settings.flag("at_sender", default: true)
    }

    var limits: ReplyLimits { Self.limits }
    var allowedHosts: Set<String> { [base.host] }

    private var headers: [String: String] {
        accessToken.map { ["Authorization": "Bearer " + $0.exposedText] } ?? [:]
    }

    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        guard let action = Self.action(saying: replies, mentionsUser: mentionsUser) else { return nil }
        return .json(action.parameters, to: base.appending(action.name), headers: headers)
    }

    func credentialCheck() -> OutboundCall? {
        .json(.object([:]), to: base.appending("get_login_info"), headers: headers)
    }

    /// Whoever answers without a status is no OneBot.
    func credentials(from answer: OutboundAnswer) -> CredentialState {
        switch CredentialState(status: answer) {
        case .accepted: answer.json?["status"]?.stringValue == "ok" ? .accepted : .unclear
        case let state: state
        }
    }

    func result(of answer: OutboundAnswer) -> DeliveryResult {
        switch result(ofStatus: answer) {
        case .delivered: answer.json.map(Self.result) ?? .refused(reason: "answer without JSON")
        case let result: result
        }
    }

    /// What an action's answer says.
    ///
    /// Nothing that failed is tried again: a message has no key by which a second one would be recognised, failures
    /// that happened after sending (a timeout towards QQ) look like any other, and repeating what QQ's risk control
    /// stopped gets the account frozen.
    static func result(_ answer: JSONObject) -> DeliveryResult {
        switch answer["status"]?.stringValue {
        case "ok", "async": .delivered
        default: .refused(reason: "retcode \(answer["retcode"]?.integerValue.map { String($0) } ?? "unknown")")
        }
    }

    /// The action that says replies, as segments: whatever a text holds, nothing in it is read as a CQ code.
    ///
    /// - Parameter mentionsUser: Whether a single reply in a group mentions its user. Several always do: nobody could
    ///   tell them apart otherwise.
    /// - Returns: Nil without replies.
    static func action(
        saying replies: [OutgoingReply], mentionsUser: Bool
    ) -> (name: String, parameters: JSONValue)? {
        guard let first = replies.first else { return nil }
        let isPrivate = first.address.isPrivate
        let mentions = !isPrivate && (mentionsUser || replies.count > 1)
        var segments: [JSONValue] = []
        for (index, reply) in replies.enumerated() {
            let lineEnd = index + 1 < replies.count ? "\n" : ""
            let text = textLimit.cut(reply.text) + lineEnd
            if mentions { segments.append(segment("at", "qq", reply.address.user)) }
            segments.append(segment("text", "text", mentions ? " " + text : text))
        }
        let message = JSONValue.array(segments)
        return isPrivate
            ? ("send_private_msg", .object(["user_id": id(first.address.chat), "message": message]))
            : ("send_group_msg", .object(["group_id": id(first.address.chat), "message": message]))
    }

    private static func segment(_ type: String, _ name: String, _ value: String) -> JSONValue {
        .object([
            "type": .string(type),
            "data": .object(JSONObject(uniqueMembers: [.init(key: name, value: .string(value))])),
        ])
    }

    /// The specification's ids are numbers; those of other implementations stay the strings they are.
    private static func id(_ text: String) -> JSONValue {
        if let number = Int64(text), String(number) == text { .integer(number) } else { .string(text) }
    }
}
