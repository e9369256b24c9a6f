import Basics
import Testing

@testable import ChatPlatforms

@Suite struct TelegramAdapterTests {
    private static let secret = "A1_tg-webhook-secret-for-tests"
    private static let now = Instant(milliseconds: 1_760_000_031_000)

    private static func adapter(_ more: [String: String] = [:]) throws -> TelegramAdapter {
        let settings = ["secret_token": secret, "bot_username": "GuildDrawBot"].merging(more) { $1 }
        return try TelegramAdapter(PlatformSettings(settings))
    }

    private static func sender(_ more: [String: String] = [:]) throws -> any ReplySender {
        try #require(try adapter(["bot_token": "123456:ABC-def_1234567890abcdef"].merging(more) { $1 }).sender)
    }

    private static func request(_ body: String, contentType: String = "application/json") -> WebhookRequest {
        WebhookRequest(
            method: "POST",
            headers: [("Content-Type", contentType), ("X-Telegram-Bot-Api-Secret-Token", secret)],
            body: Array(body.utf8))
    }

    private static func messages(_ body: String) throws -> [IncomingMessage] {
        guard case .messages(let messages) = try adapter().receive(request(body), now: now) else { return [] }
        return messages
    }

    private static let group = """
        {"update_id":910000001,"message":{"message_id":77,"date":1760000030,\
        "from":{"id":555000111,"is_bot":false},"chat":{"id":-1002200001111,"type":"supergroup"},"text":"抽奖"}}
        """

    private static func text(_ text: String, _ entities: String = "[]") throws -> IncomingMessage? {
        let body = group.replacing(#""text":"抽奖""#, with: #""text":"\#(text)","entities":\#(entities)"#)
        return try messages(body).first
    }

    private static func with(_ member: String) throws -> [IncomingMessage] {
        try messages(group.replacing(#""text":"#, with: member + #","text":"#))
    }

    // MARK: Vectors

    @Test(arguments: PlatformVector.of(.telegram))
    func vectorHolds(_ vector: PlatformVector) throws {
        var settings = try #require(vector.secret)
        settings["bot_username"] = vector.botUsername ?? "GuildDrawBot"
        vector.check(try TelegramAdapter(PlatformSettings(settings)))
    }

    @Test func everyVectorIsARequest() {
        #expect(PlatformVector.requests(of: .telegram).count == PlatformVector.of(.telegram).count)
        #expect(PlatformVector.of(.telegram).count >= 6)
    }

    // MARK: Who sends

    @Test func tokenIsNeededOnce() throws {
        var request = Self.request(Self.group)
        request.headers.append(request.headers[1])
        #expect(throws: WebhookFault.missingToken) { try Self.adapter().receive(request, now: Self.now) }
        request.headers = [
            ("content-type", "application/json"), ("x-telegram-bot-api-secret-token", Self.secret + "x"),
        ]
        #expect(throws: WebhookFault.badToken) { try Self.adapter().receive(request, now: Self.now) }
        request.headers[1].value = ""
        #expect(throws: WebhookFault.badToken) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func otherMethodsPathsAndTypesAreRefused() {
        var request = Self.request(Self.group)
        request.method = "PUT"
        #expect(throws: WebhookFault.wrongMethod) { try Self.adapter().receive(request, now: Self.now) }
        request = Self.request(Self.group)
        request.path = "/bot"
        #expect(throws: WebhookFault.unknownPath) { try Self.adapter().receive(request, now: Self.now) }
        request = Self.request(Self.group, contentType: "text/json")
        #expect(throws: WebhookFault.wrongMediaType) { try Self.adapter().receive(request, now: Self.now) }
    }

    // MARK: What is sent

    @Test func groupMessageIsDecoded() throws {
        let message = try #require(try Self.messages(Self.group).first)
        #expect(message.userID == "555000111")
        #expect(message.sentAt == Instant(milliseconds: 1_760_000_030_000))
        #expect(message.account == "guilddrawbot")
        #expect(!message.isMentioned)
        #expect(!message.isAnonymous)
        #expect(
            message.address
                == ReplyAddress(
                    chat: "-1002200001111", isPrivate: false, user: "555000111", message: "77",
                    account: "guilddrawbot"))
    }

    @Test func anOverlongTextIsCut() throws {
        #expect(try #require(try Self.text(overlongText)).text.isBeginningOfOverlongText)
    }

    /// Telegram repeats for a day what it is answered an error to, and holds back the chat's later messages meanwhile.
    @Test func whatCannotBeReadIsNotAskedForAgain() throws {
        #expect(throws: WebhookFault.malformedBody) { try Self.messages("{") }
        #expect(try Self.adapter().refusal(.malformedBody) == .ok)
        for fault in WebhookFault.allCases where fault != .malformedBody {
            #expect(try Self.adapter().refusal(fault) == fault.bareResponse)
        }
    }

    @Test func topicIsKept() throws {
        let topic = try Self.with(#""is_topic_message":true,"message_thread_id":5"#)
        #expect(topic.first?.address?.thread == "5")
        // In an ordinary group the same number only names the message that was quoted.
        let quote = try Self.with(#""message_thread_id":5"#)
        #expect(try #require(quote.first).address?.thread == nil)
    }

    @Test func anonymousAdministratorTakesNoPart() throws {
        let message = try #require(try Self.with(#""sender_chat":{"id":-1002200001111}"#).first)
        #expect(message.isAnonymous)
        #expect(message.adminHint == .yes)
        #expect(message.userID == "-1002200001111")
    }

    @Test(
        "hardening row 12: words of others are left out",
        arguments: [
            #""sender_chat":{"id":-1009}"#, #""sender_chat":{}"#, #""sender_chat":null"#, #""via_bot":{"id":1}"#,
            #""forward_origin":{"type":"user"}"#, #""forward_date":1760000000"#,
        ])
    func wordsOfOthersAreLeftOut(_ member: String) throws {
        #expect(try Self.with(member) == [])
    }

    @Test("hardening row 12: a quoted message is not read") func quotedMessageIsNotRead() throws {
        let message = try #require(try Self.with(#""reply_to_message":{"message_id":5,"text":"/作废"}"#).first)
        #expect(message.text == "抽奖")
    }

    @Test("hardening row 13: edits are left out", arguments: ["edited_message", "channel_post", "my_chat_member"])
    func otherUpdatesAreLeftOut(_ name: String) throws {
        #expect(try Self.messages(Self.group.replacing(#""message":"#, with: #""\#(name)":"#)) == [])
    }

    @Test("hardening row 14: other bots are left out") func otherBotsAreLeftOut() throws {
        #expect(try Self.messages(Self.group.replacing(#""is_bot":false"#, with: #""is_bot":true"#)) == [])
    }

    /// An error would make Telegram repeat the update for a day and hold back the chat meanwhile.
    @Test(
        arguments: FieldChange.ofIntegers("message.message_id", "message.date", "message.chat.id", "message.from.id")
            + FieldChange.ofTexts("message.chat.type", "message.from.is_bot").filter { $0.value != true }
            + FieldChange.ofTexts("message.text").filter { $0.value != "" }
            + FieldChange.ofObjects("message", "message.chat", "message.from"))
    func messagesWithoutANeededFieldAreLeftOut(_ change: FieldChange) throws {
        #expect(try Self.messages(change.made(in: Self.group)) == [])
    }

    @Test(arguments: FieldChange.ofIntegers("update_id"))
    func updateIDIsNeeded(_ change: FieldChange) {
        #expect(throws: WebhookFault.malformedBody) { try Self.messages(change.made(in: Self.group)) }
    }

    @Test(arguments: ["9223372036854775807", "-1", "253402300800"])
    func datesOutOfRangeAreLeftOut(_ date: String) throws {
        #expect(try Self.messages(Self.group.replacing("1760000030", with: date)) == [])
    }

    @Test(arguments: [
        "", "[]", group + "{}", #"{"update_id":1,"update_id":1}"#, #"{"update_id":1,"update_i\u0064":1}"#,
    ])
    func brokenDocumentsAreRefused(_ body: String) {
        #expect(throws: WebhookFault.malformedBody) { try Self.messages(body) }
    }

    // MARK: Text

    @Test(arguments: [
        // text, entities, what remains, whether the bot was meant
        ("@GuildDrawBot 抽奖", #"[{"type":"mention","offset":0,"length":13}]"#, "抽奖", true),
        ("抽奖 @guilddrawbot", #"[{"type":"mention","offset":3,"length":13}]"#, "抽奖", true),
        // The emoji takes two units.
        ("🧧@GUILDDRAWBOT抽奖", #"[{"type":"mention","offset":2,"length":13}]"#, "🧧抽奖", true),
        (
            "@GuildDrawBot /draw@GuildDrawBot 3",
            #"[{"type":"mention","offset":0,"length":13},{"type":"bot_command","offset":14,"length":18}]"#, "/draw 3",
            true
        ),
        (
            "@GuildDrawBot @GuildDrawBot 抽奖",
            #"[{"type":"mention","offset":0,"length":13},{"type":"mention","offset":0,"length":13},"#
                + #"{"type":"mention","offset":14,"length":13}]"#,
            "抽奖", true
        ),
        ("@GuildDrawBot 抽奖", "[]", "@GuildDrawBot 抽奖", false),
        ("@OtherBotName 抽奖", #"[{"type":"mention","offset":0,"length":13}]"#, "@OtherBotName 抽奖", false),
        ("@GuildDrawBot 抽奖", #"[{"type":"code","offset":0,"length":13}]"#, "@GuildDrawBot 抽奖", false),
        ("/抽奖@GuildDrawBot 3", "[]", "/抽奖 3", true), ("/抽奖@guilddrawbot", "[]", "/抽奖", true),
        ("/抽奖\u{3000}a@b", "[]", "/抽奖\u{3000}a@b", false), ("/hb@小明 3", "[]", "/hb@小明 3", false),
        ("/draw 3", #"[{"type":"bot_command","offset":0,"length":5}]"#, "/draw 3", false),
    ])
    func botIsTakenOutOfTheText(_ written: String, _ entities: String, _ text: String, _ isMentioned: Bool) throws {
        let message = try #require(try Self.text(written, entities))
        #expect(message.text == text)
        #expect(message.isMentioned == isMentioned)
    }

    @Test(arguments: [
        #"{}"#, "7", "[7]", #"[{"type":"mention"}]"#, #"[{"type":"mention","offset":-1,"length":13}]"#,
        #"[{"type":"mention","offset":9223372036854775807,"length":9223372036854775807}]"#,
        #"[{"type":"mention","offset":0,"length":-13}]"#, #"[{"type":"mention","offset":4,"length":13}]"#,
        #"[{"type":"mention","offset":0,"length":12}]"#, #"[{"type":"mention","offset":"0","length":13}]"#,
    ])
    func brokenEntitiesAreNoEntities(_ entities: String) throws {
        let message = try #require(try Self.text("@GuildDrawBot 抽奖", entities))
        #expect(message.text == "@GuildDrawBot 抽奖")
        let short = try #require(try Self.text("抽", entities))
        #expect(short.text == "抽")
    }

    @Test(arguments: ["/draw@SomeOtherBot", "/抽奖@SomeOtherBot 3", "/draw@GuildDrawBot2"])
    func commandsForOtherBotsAreLeftOut(_ written: String) throws {
        #expect(try Self.text(written) == nil)
    }

    @Test func privateChatIsMeantForTheBot() throws {
        let body = Self.group.replacing("-1002200001111", with: "555000111").replacing("supergroup", with: "private")
        let message = try #require(try Self.messages(body).first)
        #expect(message.isPrivate)
        #expect(message.isMentioned)
    }

    // MARK: Replies

    private static func response(_ body: String, _ texts: [String?]) throws -> WebhookResponse {
        let message = try #require(try messages(body).first)
        #expect(try adapter().answersInResponse(to: message))
        return try adapter().response(to: texts.map { AnsweredMessage(message: message, text: $0) }, now: now)
    }

    @Test func replyStandsInTheResponse() throws {
        let response = try Self.response(Self.group, ["恭喜 @hana *中奖*"])
        #expect(response.status == 200)
        #expect(response.contentType == "application/json")
        #expect(
            String(decoding: response.body, as: UTF8.self)
                == #"{"method":"sendMessage","chat_id":-1002200001111,"#
                + #""reply_parameters":{"message_id":77,"allow_sending_without_reply":true},"text":"恭喜 ＠hana *中奖*"}"#)
    }

    @Test func replyGoesIntoTheTopic() throws {
        let body = Self.group.replacing(
            #""text":"#, with: #""is_topic_message":true,"message_thread_id":5,"text":"#)
        let response = try Self.response(body, ["好"])
        #expect(
            String(decoding: response.body, as: UTF8.self)
                == #"{"method":"sendMessage","chat_id":-1002200001111,"message_thread_id":5,"#
                + #""reply_parameters":{"message_id":77,"allow_sending_without_reply":true},"text":"好"}"#)
    }

    @Test func privateReplyQuotesNothing() throws {
        let body = Self.group.replacing("-1002200001111", with: "555000111").replacing("supergroup", with: "private")
        let response = try Self.response(body, ["一", nil, "二"])
        #expect(
            String(decoding: response.body, as: UTF8.self)
                == #"{"method":"sendMessage","chat_id":555000111,"text":"一\n二"}"#)
    }

    @Test func silenceIsAnEmptyAnswer() throws {
        #expect(try Self.response(Self.group, [nil]) == .ok)
        #expect(try Self.adapter().response(to: [], now: Self.now) == .ok)
    }

    @Test func longReplyIsCut() throws {
        let response = try Self.response(Self.group, [String(repeating: "🧧", count: 3000)])
        let text = try #require(OutboundAnswer(status: 200, body: response.body).json?["text"]?.stringValue)
        #expect((4000...4096).contains(text.utf16.count))
        #expect(text.hasSuffix("……"))
    }

    private static func reply(
        _ text: String, user: String = "555000111", message: String = "77", chat: String = "-1002200001111",
        isPrivate: Bool = false, thread: String? = nil
    ) -> OutgoingReply {
        OutgoingReply(
            address: ReplyAddress(chat: chat, isPrivate: isPrivate, user: user, message: message, thread: thread),
            text: text, key: "k")
    }

    @Test func callSendsAMessage() throws {
        let sender = try Self.sender()
        let call = try #require(sender.call(saying: [Self.reply("轮到你了 @x", thread: "5")], token: nil))
        #expect(sender.tokenCall() == nil)
        #expect(call.method == "POST")
        #expect(call.url.text == "https://api.telegram.org/bot123456:ABC-def_1234567890abcdef/sendMessage")
        #expect(call.headers == ["Content-Type": "application/json"])
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"chat_id":-1002200001111,"message_thread_id":5,"#
                + #""reply_parameters":{"message_id":77,"allow_sending_without_reply":true},"text":"轮到你了 ＠x"}"#)
    }

    @Test func severalRepliesMentionTheirUsers() throws {
        let replies = [
            Self.reply("🧧一", user: "11"), Self.reply("二", user: "-1002200001111"),
            Self.reply("三", user: "33", message: "79"),
        ]
        let call = try #require(try Self.sender().call(saying: replies, token: nil))
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"chat_id":-1002200001111,"#
                + #""reply_parameters":{"message_id":79,"allow_sending_without_reply":true},"#
                + #""text":"11 🧧一\n二\n33 三","entities":["#
                + #"{"type":"text_mention","offset":0,"length":2,"user":{"id":11}},"#
                + #"{"type":"text_mention","offset":9,"length":2,"user":{"id":33}}]}"#)
    }

    @Test func mentionsThatAreCutOffAreNotMarked() throws {
        let replies = (1...10).map { Self.reply(String(repeating: "奖", count: 1000), user: "\($0)00") }
        let call = try #require(try Self.sender().call(saying: replies, token: nil))
        let body = try #require(OutboundAnswer(status: 200, body: call.body).json)
        let text = try #require(body["text"]?.stringValue)
        #expect(text.utf16.count <= 4096)
        #expect(body["entities"]?.arrayValue?.count == 4)
        #expect(text.hasSuffix("奖\n……"))
    }

    @Test func whatCannotBeSentIsNoCall() throws {
        #expect(try Self.sender().call(saying: [], token: nil) == nil)
        #expect(try Self.sender().call(saying: [Self.reply("x", chat: "@everyone")], token: nil) == nil)
    }

    @Test func withoutTheBotTokenNothingIsSent() throws {
        #expect(try Self.adapter().sender == nil)
    }

    @Test(arguments: [
        (200, #"{"ok":true,"result":{}}"#, DeliveryResult.delivered),
        (200, #"{"ok":false}"#, .refused(reason: "not ok")),
        (429, #"{"ok":false,"error_code":429,"parameters":{"retry_after":17}}"#, .later(afterSeconds: 17)),
        (429, #"{"ok":false,"parameters":{"retry_after":-5}}"#, .later(afterSeconds: nil)),
        (429, "", .later(afterSeconds: nil)), (400, #"{"ok":false}"#, .refused(reason: "status 400")),
        (401, #"{"ok":false}"#, .refused(reason: "status 401")), (403, "", .refused(reason: "status 403")),
        (502, "<html>", .later(afterSeconds: nil)),
    ])
    func answersAreUnderstood(_ status: Int, _ body: String, _ result: DeliveryResult) throws {
        #expect(try Self.sender().result(of: OutboundAnswer(status: status, body: Array(body.utf8))) == result)
    }

    // MARK: Settings

    @Test func allowedHostFollowsTheSettings() throws {
        #expect(try Self.sender().allowedHosts == ["api.telegram.org"])
        let own = try Self.sender(["api_url": "http://127.0.0.1:4000/"])
        #expect(own.allowedHosts == ["127.0.0.1"])
        let call = own.call(saying: [Self.reply("x")], token: nil)
        #expect(call?.url.text == "http://127.0.0.1:4000/bot123456:ABC-def_1234567890abcdef/sendMessage")
    }

    @Test(arguments: [
        ("secret_token", ""), ("secret_token", "a b"), ("secret_token", String(repeating: "a", count: 257)),
        ("secret_token", "密"), ("bot_username", ""), ("bot_username", "@GuildDrawBot"), ("bot_username", "抽奖bot"),
        ("bot_username", String(repeating: "a", count: 33)), ("bot_token", "123456"), ("bot_token", "123456:"),
        ("bot_token", "x:ABC"), ("bot_token", "1:A/../x"), ("bot_token", "1:A:B"), ("bot_token", ":A"),
        ("api_url", "http://api.example"),
    ])
    func wrongSettingsAreNamed(_ name: String, _ value: String) {
        #expect { try Self.adapter([name: value]) } throws: { ($0 as? SettingFault)?.setting == name }
    }
}
