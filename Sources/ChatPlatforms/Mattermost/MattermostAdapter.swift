public import Basics
internal import Crypto

/// Mattermost: outgoing webhooks and custom slash commands, answered in the response.
///
/// Neither is signed: whoever knows the token can send anything, so only TLS protects the body. A post is answered in its
/// thread (`comment`): that says who is meant, and hundreds of answers leave the channel readable. A command is answered
/// for the whole channel (`in_channel`).
///
/// - Source: platforms.md section 13.
public struct MattermostAdapter: PlatformAdapter {
    public static let platform = Platform.mattermost

    public static let settings = [
        PlatformSetting(
            "token", isSecret: true,
            "传出 Webhook 或斜杠命令的令牌，在“集成”里。The token of the outgoing webhook or slash command, in Integrations."),
        PlatformSetting(
            "bot_user_id",
            "机器人账号的用户 ID，它发的消息会被忽略，可不填。The user id of your bot, whose posts are left out; optional."),
        PlatformSetting(
            "site_url",
            "Mattermost 服务器的网址，填写后斜杠命令可以延后回复。"
                + "The address of your Mattermost server; with it slash commands can also be answered later."),
    ]

    /// A message with every character escaped stays below the 16,383 characters of a post, and below the 4,000 of old
    /// servers.
    static let textLimit = TextLimit(3900, .characters)
    /// `response_url` takes posts for 30 minutes.
    static let responseSeconds: Int64 = 29 * 60

    private let token: Secret
    private let ownUserID: String?
    private let replySender: MattermostSender?

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        token = try settings.requiredSecret("token")
        ownUserID = settings["bot_user_id"]
        replySender = try MattermostSender(settings)
    }

    public var sender: (any ReplySender)? { replySender }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
        // The token stands in the body, so that is read first.
        let fields = try Fields(request)
        try verify(fields, request)
        let user = try fields.id("user_id")
        if let ownUserID, areEqualBytes(user, ownUserID) { return .messages([]) }
        let message =
            try fields.text("command") == nil
            ? post(fields, from: user) : command(fields, from: user, now: now)
        return .messages([message])
    }

    /// The header comes with slash commands only; where it is, both must be right.
    private func verify(_ fields: Fields, _ request: WebhookRequest) throws(WebhookFault) {
        guard let stated = fields.token, !stated.isEmpty else { throw .missingToken }
        guard SecretBytes.areEqual(stated, token) else { throw .badToken }
        if request.headers.contains(where: { $0.name == "authorization" }) {
            try BearerToken(secret: token, schemes: ["token"]).verify(request)
        }
    }

    private func post(_ fields: Fields, from user: String) throws(WebhookFault) -> IncomingMessage {
        let postID = try fields.id("post_id")
        let (text, isMentioned) = try MessageField.text(
            fields.required("text"), trigger: fields.text("trigger_word"))
        var message = IncomingMessage(
            userID: user, chatID: try fields.id("channel_id"), messageID: postID, text: text, dedupe: postID)
        message.isMentioned = isMentioned
        message.sentAt = try fields.sentAt()
        return message
    }

    private func command(_ fields: Fields, from user: String, now: Instant) throws(WebhookFault) -> IncomingMessage {
        let name = try fields.required("command")
        let arguments = try fields.required("text")
        let id = try Self.shortID(fields.required("trigger_id"))
        let channel = try fields.id("channel_id")
        var message = IncomingMessage(
            userID: user, chatID: channel, messageID: id, text: MessageField.text(name + " " + arguments),
            dedupe: id)
        message.isMentioned = true
        message.isPrivate = try Self.isDirect(fields.text("channel_name") ?? "", of: user)
        if let replySender, let url = try fields.text("response_url"), replySender.allows(url) {
            message.address = ReplyAddress(
                chat: channel, isPrivate: message.isPrivate, user: user, url: url,
                expiresAt: now.advanced(bySeconds: Self.responseSeconds))
        }
        return message
    }

    /// Trigger ids hold a signature and have some 220 bytes; one that is longer than an id may be goes by its digest.
    private static func shortID(_ id: String) throws(WebhookFault) -> String {
        if MessageField.isID(id) { return id }
        guard 1...1024 ~= id.utf8.count, MessageField.hasNoControls(id) else { throw .malformedBody }
        return Hex.encode(SHA256.hash(data: Array(id.utf8)))
    }

    /// A direct channel is named after its two users, `<id>__<id>`, and Mattermost lets no other channel be named so.
    private static func isDirect(_ channelName: String, of user: String) -> Bool {
        let ids = channelName.split(separator: "__", omittingEmptySubsequences: false)
        return ids.count == 2 && ids.contains { $0 == user }
            && ids.allSatisfy { id in
                id.utf8.count == 26 && id.utf8.allSatisfy { UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || $0.isDigit }
            }
    }

    /// An empty 200 when there is nothing to say.
    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        let said = answered.filter { $0.text != nil }
        guard let first = said.first else { return .ok }
        let text = said.compactMap(\.text).joined(separator: "\n")
        // Posts have a time, commands have none.
        let type: JSONValue = first.message.sentAt == nil ? "in_channel" : "comment"
        return .json(.object(["text": .string(Self.escaped(text)), "response_type": type]))
    }

    static func escaped(_ text: String) -> String { MarkdownText.plain(textLimit.cut(text)) }

    public func answersInResponse(to message: IncomingMessage) -> Bool { true }
}

extension MattermostAdapter {
    /// The fields of a request in either encoding.
    private enum Fields {
        case form(FormBody)
        case json(JSONObject)

        init(_ request: WebhookRequest) throws(WebhookFault) {
            if request.isOfType("application/x-www-form-urlencoded") {
                guard let form = FormBody(request.body) else { throw .malformedBody }
                self = .form(form)
            } else {
                self = .json(try request.jsonBody())
            }
        }

        /// Nil when it is missing; a token of another type is none.
        var token: String? {
            switch self {
            case .form(let form): form["token"]
            case .json(let object): object["token"]?.stringValue
            }
        }

        /// Nil when it is missing.
        func text(_ name: String) throws(WebhookFault) -> String? {
            switch self {
            case .form(let form): return form[name]
            case .json(let object):
                guard let value = object[name] else { return nil }
                guard let text = value.stringValue else { throw .malformedBody }
                return text
            }
        }

        func required(_ name: String) throws(WebhookFault) -> String {
            guard let text = try text(name) else { throw .malformedBody }
            return text
        }

        func id(_ name: String) throws(WebhookFault) -> String { try MessageField.id(text(name)) }

        /// Seconds in a form, milliseconds in JSON.
        func sentAt() throws(WebhookFault) -> Instant {
            switch self {
            case .form(let form): try MessageField.instant(digits: form["timestamp"], millisecondsPerUnit: 1000)
            case .json(let object): try MessageField.instant(object["timestamp"], millisecondsPerUnit: 1)
            }
        }
    }
}
