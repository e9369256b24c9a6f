public import Basics
internal import Crypto

/// Discord slash commands, sent to an interactions endpoint.
///
/// A command's text is a slash, its name, and the names of sub-commands and the values of options in their order:
/// `/lottery create 周末福利 3`. A command whose only option is a string named `text` is the text of that option alone,
/// so that one registered command can say everything: `/hb text:抽奖` is `抽奖`.
///
/// Every command is answered in the response: without an answer Discord shows the caller an error. Buttons, forms and
/// suggestions are answered so that nothing happens.
///
/// - Source: platforms.md section 5.
public struct DiscordAdapter: PlatformAdapter {
    public static let platform = Platform.discord
    public static let signsRoles = true

    public static let settings = [
        PlatformSetting(
            "public_key",
            "应用的公钥，在开发者门户 General Information 页，64 位十六进制。The application's public key, 64 hexadecimal digits."
        ),
        PlatformSetting(
            "application_id",
            "应用的编号；填了就只接受发给它的请求。The application's id; when set, requests for another one are refused."),
        PlatformSetting(
            "api_url",
            "Discord API 的网址，默认 https://discord.com/api/v10。Base of Discord's API."),
    ]

    private let key: Curve25519.Signing.PublicKey
    private let applicationID: String?
    private let replySender: DiscordSender

    public init(_ settings: PlatformSettings) throws(SettingFault) {
        guard let bytes = Hex.decode(try settings.required("public_key")), bytes.count == 32,
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: bytes)
        else {
            throw SettingFault(
                "public_key", "public_key 应为 64 位小写十六进制", "public_key must be 64 lower-case hexadecimal digits")
        }
        self.key = key
        applicationID = settings["application_id"]
        if let applicationID, !Self.isSnowflake(applicationID) {
            throw SettingFault("application_id", "application_id 应为数字", "application_id must be digits")
        }
        replySender = try DiscordSender(settings)
    }

    public var sender: (any ReplySender)? { replySender }

    public func receive(_ request: WebhookRequest, now: Instant) throws(WebhookFault) -> WebhookEvent {
        try request.requireOwnPOST()
        let signed = try Ed25519Headers(request)
        try signed.verify(request.body, with: key)
        // Discord publishes no bound; this is ours.
        try signed.time.requireRecent(at: now)
        let interaction = try request.jsonBody()
        if let applicationID {
            guard let receiver = interaction["application_id"]?.stringValue, areEqualBytes(receiver, applicationID)
            else { throw .receiverMismatch }
        }
        guard let type = interaction["type"]?.integerValue else { throw .malformedBody }
        switch type {
        case 1: return .answer(.json(.object(["type": 1])))
        case 2: return try command(interaction, now: now)
        // A button or a form: 6 leaves everything as it is.
        case 3, 5: return .answer(.json(.object(["type": 6])))
        // Suggestions while typing: none.
        case 4: return .answer(.json(.object(["type": 8, "data": .object(["choices": .array([])])])))
        default: return .messages([])
        }
    }

    private func command(_ interaction: JSONObject, now: Instant) throws(WebhookFault) -> WebhookEvent {
        let member = interaction["member"]?.objectValue
        guard let data = interaction["data"]?.objectValue, let commandType = data["type"]?.integerValue,
            let id = Self.snowflake(interaction["id"]),
            let application = Self.snowflake(interaction["application_id"]),
            let token = interaction["token"]?.nonEmptyString, DiscordSender.isToken(token),
            let channel = Self.snowflake(interaction["channel_id"]),
            let user = Self.snowflake((member ?? interaction)["user"]?.objectValue?["id"])
        else { throw .malformedBody }
        // 2 and 3 stand in the menus of users and messages; what they are used on is not ours to read.
        guard commandType == 1 else { return .messages([]) }
        var message = IncomingMessage(
            userID: user, chatID: channel, messageID: id, text: try DiscordText.command(data), dedupe: id)
        // 2: a conversation of others that the user has taken the command along to.
        let isAmongOthers = interaction["guild_id"]?.stringValue != nil || interaction["context"]?.integerValue == 2
        message.isPrivate = !isAmongOthers
        message.adminHint = member?["permissions"]?.stringValue.map(Self.adminHint) ?? .unknown
        message.account = application
        message.sentAt = Self.creation(of: id)
        message.isMentioned = true
        message.address = ReplyAddress(
            chat: channel, isPrivate: message.isPrivate, user: user, message: token, account: application,
            expiresAt: (message.sentAt ?? now).advanced(bySeconds: DiscordSender.tokenLifetimeSeconds))
        return .messages([message])
    }

    /// Also what is said while the answer takes too long: that then follows as a message of its own.
    public func response(to answered: [AnsweredMessage], now: Instant) -> WebhookResponse {
        let texts = answered.compactMap(\.text)
        if texts.isEmpty {
            // 64: only the caller sees it.
            let data = JSONValue.object([
                "content": "已收到 Received", "flags": 64, "allowed_mentions": .object(["parse": .array([])]),
            ])
            return .json(.object(["type": 4, "data": data]))
        }
        let content = DiscordText.limit.cut(DiscordText.escape(texts.joined(separator: "\n")))
        let data = JSONValue.object([
            "content": .string(content), "allowed_mentions": .object(["parse": .array([])]),
        ])
        return .json(.object(["type": 4, "data": data]))
    }

    public func answersInResponse(to message: IncomingMessage) -> Bool { true }

    /// After three seconds Discord shows an error, and the command's token is void.
    public func responseDeadlineMilliseconds(for message: IncomingMessage) -> Int64? { 2500 }

    /// ADMINISTRATOR `0x8`, MANAGE_GUILD `0x20`. The set is a decimal number that may outgrow 64 bits, but its value
    /// modulo 64 already has both.
    private static func adminHint(_ permissions: String) -> IncomingMessage.AdminHint {
        guard permissions.isDigits else { return .unknown }
        let lowBits = permissions.utf8.reduce(0 as UInt32) { ($0 * 10 + UInt32($1 - 0x30)) & 0x3F }
        return lowBits & 0x28 != 0 ? .yes : .no
    }

    /// An id holds the milliseconds since 2015 above its low 22 bits.
    private static func creation(of id: String) -> Instant? {
        UInt64(id).map { Instant(milliseconds: Int64($0 >> 22) + 1_420_070_400_000) }
    }

    private static func snowflake(_ value: JSONValue?) -> String? {
        value?.stringValue.flatMap { isSnowflake($0) ? $0 : nil }
    }

    /// 1–20 digits.
    static func isSnowflake(_ text: String) -> Bool {
        text.utf8.count <= 20 && text.isDigits
    }
}
