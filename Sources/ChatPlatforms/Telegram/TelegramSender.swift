/// `sendMessage` calls of a Telegram bot.
///
/// The bot's token stands in the address of every call: the address is never logged.
///
/// - Source: platforms.md section 4.
struct TelegramSender: ReplySender {
    /// About one message in a second to one chat, 20 in a minute to one group, 30 in a second to all. Telegram takes
    /// replies at any time; after an hour nobody expects one.
    let limits = ReplyLimits(
        text: TelegramText.limit, millisecondsPerChat: 3000, millisecondsPerMessage: 35, windowSeconds: 3600)

    /// The bot's address, to which a method's name is added. Holds the token; shows it nowhere.
    private let bot: OutboundURL

    var allowedHosts: Set<String> { [bot.host] }

    /// - Returns: Nil without `bot_token`.
    init?(_ settings: PlatformSettings) throws(SettingFault) {
        var bot = try settings.url("api_url", default: "https://api.telegram.org")
        guard let token = settings.secret("bot_token")?.exposedText else { return nil }
        let parts = token.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].utf8.count <= 20, parts[0].isDigits, parts[1].utf8.count <= 128,
            parts[1].isPlainName
        else {
            throw SettingFault(
                "bot_token", "bot_token 应为“数字:字母数字”的形式，由 BotFather 给出",
                "bot_token must be of the form 123456:ABC-DEF, as BotFather gave it")
        }
        // The colon of the token stays as it is in the path, as the documentation has it.
        bot.append(encodedSegment: "bot" + token)
        self.bot = bot
    }

    /// Whom a message goes to, and in a group which message it answers. Nil when that is no Telegram address.
    static func members(_ address: ReplyAddress) -> [JSONObject.Member]? {
        guard let chat = Int64(address.chat) else { return nil }
        var members = [JSONObject.Member(key: "chat_id", value: .integer(chat))]
        if let thread = address.thread.flatMap({ Int64($0) }) {
            members.append(JSONObject.Member(key: "message_thread_id", value: .integer(thread)))
        }
        if !address.isPrivate, let message = address.message.flatMap({ Int64($0) }) {
            // The message may have been deleted meanwhile.
            let parameters = JSONValue.object([
                "message_id": .integer(message), "allow_sending_without_reply": true,
            ])
            members.append(JSONObject.Member(key: "reply_parameters", value: parameters))
        }
        return members
    }

    /// One reply quotes its message. Of several each begins with its user's id, which Telegram shows as a mention.
    func call(saying replies: [OutgoingReply], token: String?) -> OutboundCall? {
        guard let last = replies.last, var members = Self.members(last.address) else { return nil }
        var text = ""
        var entities: [(end: Int, value: JSONValue)] = []
        for (index, reply) in replies.enumerated() {
            if index > 0 { text += "\n" }
            if replies.count > 1, !reply.address.isPrivate, let user = Int64(reply.address.user), user > 0 {
                let entity = JSONValue.object([
                    "type": "text_mention", "offset": .integer(Int64(text.utf16.count)),
                    "length": .integer(Int64(reply.address.user.utf16.count)), "user": .object(["id": .integer(user)]),
                ])
                text += reply.address.user
                entities.append((text.utf16.count, entity))
                text += " "
            }
            text += TelegramText.escape(reply.text)
        }
        let shown = TelegramText.limit.cut(text)
        // What was cut off cannot be marked.
        let kept = zip(text.utf16, shown.utf16).prefix { $0 == $1 }.count
        let values = entities.filter { $0.end <= kept }.map(\.value)
        members.append(JSONObject.Member(key: "text", value: .string(shown)))
        if !values.isEmpty { members.append(JSONObject.Member(key: "entities", value: .array(values))) }
        return .json(.object(JSONObject(uniqueMembers: members)), to: bot.appending("sendMessage"))
    }

    func credentialCheck() -> OutboundCall? { OutboundCall(method: "GET", url: bot.appending("getMe")) }

    func credentials(from answer: OutboundAnswer) -> CredentialState {
        switch answer.status {
        // Tokens of an unknown form are not found.
        case 404: .refused
        case 200 where answer.json?["ok"]?.boolValue != true: .unclear
        default: CredentialState(status: answer)
        }
    }

    func result(of answer: OutboundAnswer) -> DeliveryResult {
        switch answer.status {
        case 200 where answer.json?["ok"]?.boolValue == false: .refused(reason: "not ok")
        case 429:
            .later(
                afterSeconds: answer.json?["parameters"]?.objectValue?["retry_after"]?.integerValue.flatMap {
                    0...3600 ~= $0 ? $0 : nil
                } ?? answer.retryAfterSeconds)
        default: result(ofStatus: answer)
        }
    }
}
