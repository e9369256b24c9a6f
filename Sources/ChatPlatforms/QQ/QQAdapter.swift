public import Basics
internal import Crypto
internal import Foundation

/// The official QQ bot by webhook: groups, private chats and guild channels.
///
/// The bot's secret signs and verifies. What is signed for the handshake is therefore held to a form that can never be
/// an event; see ``receive(_:now:)``. Who somebody is holds within one group only: the same person has another id in
/// every group and in private.
///
/// - Source: platforms.md section 11.
public struct QQAdapter: PlatformAdapter {
    public static let platform = Platform.qq
    public static let signsRoles = true

    public static let settings = [
        PlatformSetting("app_id", "机器人的 AppID，在“开发→开发设置”里。The bot's AppID."),
        PlatformSetting(
            "bot_secret", isSecret: true,
            "机器人的 AppSecret，在“开发→开发设置”里；用来验签、签名和换取调用凭证。The bot's AppSecret."),
        PlatformSetting("api_url", "QQ 机器人 API 的网址，默认 https://api.sgroup.qq.com。Base of the bot API."),
        PlatformSetting(
            "token_url",
            "换取调用凭证的网址，默认 https://bots.qq.com/app/getAppAccessToken。Where access tokens are fetched."),
    ]

    /// A handshake has a few hundred bytes. What is larger is not read before it is verified.
    private static let maximumUnsignedSize = 4096

    private let appID: String
    private let key: Curve25519.Signing.PrivateKey
    private let publicKey: Curve25519.Signing.PublicKey
    private let replySender: QQSender

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        appID = try settings.required("app_id")
        guard appID.utf8.count <= 20, appID.isDigits else {
            throw SettingFault("app_id", "app_id 应为数字", "app_id must be digits")
        }
        let secret = try settings.requiredSecret("bot_secret")
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: Self.seed(of: secret)) else {
            throw SettingFault("bot_secret", "bot_secret 不可用", "bot_secret cannot be used")
        }
        self.key = key
        publicKey = key.publicKey
        replySender = try QQSender(settings)
    }

    public var sender: (any ReplySender)? { replySender }

    /// The secret repeated up to 32 bytes.
    ///
    /// - Parameter secret: Not empty.
    static func seed(of secret: Secret) -> [UInt8] {
        let bytes = secret.exposedBytes
        return (0..<32).map { bytes[$0 % bytes.count] }
    }

    /// Verifies the raw bytes, then decodes them.
    ///
    /// A handshake (`op` 13) may come without a signature, and then only for this bot's `app_id`. The answer to it is a
    /// signature by the key that events are verified with: only a time of digits and a token of letters, digits, `_`
    /// and `-` are signed, so that nobody can have an event signed that way.
    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
        let isSigned = request.header("x-signature-ed25519") != nil
        if isSigned {
            try Ed25519Headers(request).verify(request.body, with: publicKey)
        } else if request.body.count > Self.maximumUnsignedSize {
            throw .missingSignature
        }
        let body = try? WebhookRequest.jsonObject(request.body)
        let operation = body?["op"]?.integerValue
        if let body, operation == 13 {
            guard isSigned || request.header("x-bot-appid") == appID else { throw .missingSignature }
            return .answer(try handshake(body))
        }
        guard isSigned else { throw .missingSignature }
        guard request.isOfType("application/json") else { throw .wrongMediaType }
        guard let body, let operation else { throw .malformedBody }
        guard operation == 0 else { return .messages([]) }
        guard let type = body["t"]?.stringValue, let data = body["d"]?.objectValue else { throw .malformedBody }
        guard let scene = Scene(rawValue: type) else { return .messages([]) }
        return .messages(try message(data, in: scene, now: now).map { [$0] } ?? [])
    }

    private func handshake(_ body: JSONObject) throws(WebhookFault) -> WebhookResponse {
        guard let data = body["d"]?.objectValue, let token = data["plain_token"]?.stringValue,
            let time = data["event_ts"]?.stringValue
        else { throw .malformedBody }
        guard time.utf8.count <= 13, time.isDigits, token.utf8.count <= 64, token.isPlainName,
            let signature = try? key.signature(for: Data((time + token).utf8))
        else { throw .refusedToken }
        return .json(.object(["plain_token": .string(token), "signature": .string(Hex.encode(signature))]))
    }

    /// Where a message was written: the event's name.
    private enum Scene: String {
        case privateChat = "C2C_MESSAGE_CREATE"
        /// Mentions the bot; the mention is cut out already.
        case groupMention = "GROUP_AT_MESSAGE_CREATE"
        /// Any message of a group, where that is granted.
        case group = "GROUP_MESSAGE_CREATE"
        case channelMention = "AT_MESSAGE_CREATE"
        case channelPrivate = "DIRECT_MESSAGE_CREATE"

        var isPrivate: Bool { self == .privateChat || self == .channelPrivate }
    }

    /// - Returns: Nil for a message of a bot.
    private func message(
        _ data: JSONObject, in scene: Scene, now: Instant
    ) throws(WebhookFault) -> IncomingMessage? {
        guard let author = data["author"]?.objectValue, let content = data["content"]?.stringValue else {
            throw .malformedBody
        }
        let id = try MessageField.id(data["id"])
        let user: String
        let place: QQPlace
        switch scene {
        case .privateChat:
            user = try MessageField.id(author["user_openid"])
            place = .user(user)
        case .groupMention, .group:
            user = try MessageField.id(author["member_openid"])
            place = .group(try MessageField.id(data["group_openid"]))
        case .channelMention:
            user = try MessageField.id(author["id"])
            place = .channel(try MessageField.id(data["channel_id"]))
        case .channelPrivate:
            user = try MessageField.id(author["id"])
            place = .guildPrivate(try MessageField.id(data["guild_id"]))
        }
        if author["bot"]?.boolValue == true { return nil }
        var message = IncomingMessage(
            userID: user, chatID: scene == .privateChat ? "" : place.id, messageID: id,
            text: QQText.plain(content), dedupe: id)
        message.isPrivate = scene.isPrivate
        message.isMentioned = scene != .group || Self.mentionsBot(data)
        message.adminHint = Self.adminHint(data, author)
        message.account = appID
        message.sentAt = data["timestamp"]?.stringValue.flatMap(ZonedTime.instant)
        let window = scene == .privateChat ? QQSender.privateWindowSeconds : QQSender.windowSeconds
        message.address = ReplyAddress(
            chat: place.text, isPrivate: scene.isPrivate, user: user, message: id, account: appID,
            expiresAt: (message.sentAt ?? now).advanced(bySeconds: window))
        return message
    }

    /// Whether one of `mentions` is the bot itself; everybody's mention is not meant.
    private static func mentionsBot(_ data: JSONObject) -> Bool {
        (data["mentions"]?.arrayValue ?? []).contains { mention in
            mention.objectValue?["is_you"]?.boolValue == true && mention.objectValue?["scope"]?.stringValue != "all"
        }
    }

    /// `member_role` in groups; in guilds the roles, of which 2 manages and 4 owns.
    private static func adminHint(_ data: JSONObject, _ author: JSONObject) -> IncomingMessage.AdminHint {
        if let role = author["member_role"]?.stringValue {
            return switch role {
            case "owner", "admin": .yes
            case "member": .no
            default: .unknown
            }
        }
        guard let roles = data["member"]?.objectValue?["roles"]?.arrayValue else { return .unknown }
        return roles.contains { $0.stringValue == "2" || $0.stringValue == "4" } ? .yes : .no
    }

    /// An acknowledgement: QQ takes replies by calls only. Without it the event would come again.
    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        .json(.object(["op": 12, "d": 0]))
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { false }
}
