import Basics
import Crypto
import Foundation
import Testing

@testable import ChatPlatforms

@Suite struct SlackAdapterTests {
    private static let secret = "8f742231b10e8888abcd99yyyzzz85a5"
    private static let now = Instant(milliseconds: 1_760_000_052_000)

    private static func adapter(_ more: [String: String] = [:]) throws -> SlackAdapter {
        try SlackAdapter(PlatformSettings(["signing_secret": secret].merging(more) { $1 }))
    }

    private static func request(
        _ body: String, timestamp: String = "1760000051", contentType: String = "application/json"
    ) -> WebhookRequest {
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("v0:\(timestamp):\(body)".utf8), using: SymmetricKey(data: Data(secret.utf8)))
        return WebhookRequest(
            method: "POST",
            headers: [
                ("Content-Type", contentType), ("X-Slack-Request-Timestamp", timestamp),
                ("X-Slack-Signature", "v0=" + code.map { String(format: "%02x", $0) }.joined()),
            ], body: Array(body.utf8))
    }

    private static func event(_ body: String) throws -> WebhookEvent {
        try adapter().receive(request(body), now: now)
    }

    private static func slash(_ form: String, _ settings: [String: String] = [:]) throws -> WebhookEvent {
        try adapter(settings).receive(request(form, contentType: "application/x-www-form-urlencoded"), now: now)
    }

    private static func first(_ event: WebhookEvent) throws -> IncomingMessage {
        guard case .messages(let messages) = event else { throw WebhookFault.malformedBody }
        return try #require(messages.first)
    }

    private static let post = """
        {"type":"event_callback","team_id":"T1","api_app_id":"A1","event_id":"Ev1","event":{"type":"message",\
        "user":"U1","text":"抽奖","ts":"1760000051.123456","channel":"C1","channel_type":"channel"},\
        "authorizations":[{"user_id":"UBOT","is_bot":true}]}
        """
    private static let command =
        "command=%2F%E6%8A%BD%E5%A5%96&text=a+%26amp%3B+%2B1&user_id=U1&channel_id=C1&trigger_id=1.2.a&api_app_id=A1"
    private static let responseURL = "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1%2F2%2Fx"

    private static func with(_ member: String) throws -> WebhookEvent {
        try event(post.replacing(#""text":"#, with: member + #","text":"#))
    }

    // MARK: Vectors

    @Test(arguments: PlatformVector.of(.slack))
    func vectorHolds(_ vector: PlatformVector) throws {
        // Those that are only about the signature name no fields, though they hold a command.
        let adapter = try SlackAdapter(PlatformSettings(try #require(vector.secret)))
        if vector.kind == "signature", vector.valid {
            #expect(throws: Never.self) { try adapter.receive(vector.request(), now: vector.nowInstant) }
        } else {
            vector.check(adapter)
        }
    }

    @Test func everyVectorIsARequest() {
        #expect(PlatformVector.requests(of: .slack).count == PlatformVector.of(.slack).count)
        #expect(PlatformVector.of(.slack).count >= 10)
    }

    // MARK: Who sends

    @Test(arguments: ["", "-1760000051", "+1760000051", "1760000051.0", "17600000510000", "١٧٦٠٠٠٠٠٥١"])
    func timestampMustBeDigits(_ timestamp: String) {
        let request = Self.request(Self.post, timestamp: timestamp)
        #expect(throws: WebhookFault.malformedTimestamp) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test(arguments: ["1760000353", "1759999751", "1760000051000", "0"])
    func timestampIsBoundBothWays(_ timestamp: String) {
        let request = Self.request(Self.post, timestamp: timestamp)
        #expect(throws: WebhookFault.staleTimestamp) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func otherSignaturesAreMalformed() throws {
        var request = Self.request(Self.post)
        let digits = String(request.headers[2].value.dropFirst(3))
        for value in [
            "", "v0=", digits, "v1=" + digits, "V0=" + digits, "v0=" + digits.dropLast(), "v0=" + digits + "0",
            "v0=" + digits.dropLast() + "g", "v0=" + String(repeating: "A", count: 64),
        ] {
            request.headers[2].value = value
            #expect(throws: WebhookFault.malformedSignature, "\(value)") {
                try Self.adapter().receive(request, now: Self.now)
            }
        }
    }

    @Test func headersAreNeededOnce() {
        var request = Self.request(Self.post)
        request.headers.append(request.headers[2])
        #expect(throws: WebhookFault.missingSignature) { try Self.adapter().receive(request, now: Self.now) }
        request = Self.request(Self.post)
        request.headers.append(request.headers[1])
        #expect(throws: WebhookFault.missingSignature) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func otherMethodsPathsAndTypesAreRefused() {
        var request = Self.request(Self.post)
        request.method = "GET"
        #expect(throws: WebhookFault.wrongMethod) { try Self.adapter().receive(request, now: Self.now) }
        request = Self.request(Self.post)
        request.path = "/x"
        #expect(throws: WebhookFault.unknownPath) { try Self.adapter().receive(request, now: Self.now) }
        request = Self.request(Self.post, contentType: "multipart/form-data")
        #expect(throws: WebhookFault.wrongMediaType) { try Self.adapter().receive(request, now: Self.now) }
    }

    // MARK: Events

    @Test func challengeIsAnsweredAsText() throws {
        let event = try Self.event(#"{"type":"url_verification","challenge":"<b>c</b>"}"#)
        #expect(event == .answer(.plainText("<b>c</b>")))
        #expect(throws: WebhookFault.malformedBody) { try Self.event(#"{"type":"url_verification","challenge":5}"#) }
    }

    @Test func anOverlongTextIsCut() throws {
        #expect(
            try Self.first(Self.event(Self.post.replacing("抽奖", with: overlongText))).text.isBeginningOfOverlongText)
    }

    @Test func theSignatureIsCheckedBeforeTheTime() {
        var request = Self.request(Self.post, timestamp: "0")
        request.body.append(0x20)
        #expect(throws: WebhookFault.badSignature) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func postIsDecoded() throws {
        let message = try Self.first(Self.event(Self.post))
        #expect(message.userID == "U1")
        #expect(message.chatID == "C1")
        #expect(message.messageID == "1760000051.123456")
        #expect(message.dedupe == "Ev1")
        #expect(message.postID == "C1:1760000051.123456")
        #expect(message.account == "A1")
        #expect(message.sentAt == Instant(milliseconds: 1_760_000_051_123))
        #expect(!message.isMentioned)
        #expect(!message.isPrivate)
        #expect(
            message.address
                == ReplyAddress(
                    chat: "C1", isPrivate: false, user: "U1", message: "1760000051.123456", account: "A1"))
    }

    @Test func mentionAndPostAreTheSamePost() throws {
        let mention = Self.post.replacing(#""type":"message""#, with: #""type":"app_mention""#)
            .replacing("Ev1", with: "Ev2")
        let (one, other) = (try Self.first(Self.event(Self.post)), try Self.first(Self.event(mention)))
        #expect(one.postID == other.postID)
        #expect(one.dedupe != other.dedupe)
        #expect(other.isMentioned)
    }

    @Test func threadIsKept() throws {
        let message = try Self.first(Self.with(#""thread_ts":"1760000000.000001""#))
        #expect(message.address?.thread == "1760000000.000001")
    }

    @Test func directMessageIsPrivate() throws {
        for body in [
            Self.post.replacing(#""channel_type":"channel""#, with: #""channel_type":"im""#),
            Self.post.replacing(#""C1","channel_type":"channel""#, with: #""D1""#),
        ] {
            let message = try Self.first(Self.event(body))
            #expect(message.isPrivate)
            #expect(message.isMentioned)
        }
    }

    @Test(
        "hardening rows 13, 14: bots and edits are left out",
        arguments: [
            #""bot_id":"B1""#, #""subtype":"message_changed""#, #""subtype":"bot_message""#,
            #""subtype":"channel_join""#,
            #""subtype":5"#, #""edited":{"user":"U1"}"#,
        ])
    func botsEditsAndNoticesAreLeftOut(_ member: String) throws {
        #expect(try Self.with(member) == .messages([]))
    }

    @Test(arguments: [#""subtype":"thread_broadcast""#, #""subtype":"file_share""#, #""bot_id":null"#])
    func otherPostsAreTaken(_ member: String) throws {
        #expect(try Self.first(Self.with(member)).text == "抽奖")
    }

    @Test("hardening row 14: own posts are left out") func ownPostsAreLeftOut() throws {
        #expect(try Self.event(Self.post.replacing(#""user":"U1""#, with: #""user":"UBOT""#)) == .messages([]))
    }

    @Test func otherEventsAreLeftOut() throws {
        #expect(try Self.event(Self.post.replacing(#""message""#, with: #""reaction_added""#)) == .messages([]))
        #expect(try Self.event(#"{"type":"app_rate_limited"}"#) == .messages([]))
    }

    @Test(
        arguments: FieldChange.ofTexts("event_id", "event.user", "event.ts", "event.channel")
            + FieldChange.ofTexts("type", "event.text", "event.type").filter { $0.value != "" }
            + FieldChange.ofObjects("event"))
    func fieldsOfAPostAreNeeded(_ change: FieldChange) {
        #expect(throws: WebhookFault.malformedBody) { try Self.event(change.made(in: Self.post)) }
    }

    @Test(arguments: [
        "1760000051", "1760000051.1", "a.123456", "1760000051.12345a", "-1.123456", "999999999999.123456",
    ])
    func timeOfAPostMustBeOne(_ ts: String) {
        #expect(throws: WebhookFault.malformedBody) {
            try Self.event(Self.post.replacing("1760000051.123456", with: ts))
        }
    }

    @Test(arguments: ["", "[]", post + "x", #"{"type":"a","type":"a"}"#, #"{"type":"a","typ\u0065":"a"}"#])
    func brokenDocumentsAreRefused(_ body: String) {
        #expect(throws: WebhookFault.malformedBody) { try Self.event(body) }
    }

    // MARK: Text

    @Test(arguments: [
        ("<@UBOT> 抽奖", "抽奖", true), ("抽奖 <@UBOT|bot>", "抽奖", true), ("<@UOTHER> 抽奖", "@UOTHER 抽奖", false),
        ("<@U2|hana> 好", "@hana 好", false), ("<#C1|general> <!here>", "#general @here", false),
        ("<https://a.example|a.example> <https://b.example>", "a.example https://b.example", false),
        ("&lt;@UBOT&gt; &amp;lt;", "<@UBOT> &lt;", false), ("a < b", "a < b", false), ("<>", "", false),
        ("<", "<", false), ("a & b &amp", "a & b &amp", false),
    ])
    func textIsPlain(_ written: String, _ text: String, _ isMentioned: Bool) {
        let plain = SlackText.plain(written, bot: "UBOT")
        #expect(plain.text == text)
        #expect(plain.isMentioned == isMentioned)
    }

    // MARK: Slash commands

    @Test func commandIsDecoded() throws {
        let message = try Self.first(Self.slash(Self.command + Self.responseURL))
        #expect(message.text == "/抽奖 a & +1")
        #expect(message.dedupe == "1.2.a")
        #expect(message.postID == nil)
        #expect(message.isMentioned)
        #expect(message.sentAt == nil)
        #expect(
            message.address
                == ReplyAddress(
                    chat: "C1", isPrivate: false, user: "U1", account: "A1",
                    url: "https://hooks.slack.com/commands/T1/2/x", expiresAt: Self.now.advanced(bySeconds: 1780)))
        let direct = try Self.first(Self.slash(Self.command.replacing("channel_id=C1", with: "channel_id=D1")))
        #expect(direct.isPrivate)
    }

    @Test(
        "hardening row 77: other addresses are not kept",
        arguments: [
            "https%3A%2F%2Fevil.example%2F", "http%3A%2F%2Fhooks.slack.com%2F",
            "https%3A%2F%2Fhooks.slack.com.evil.example",
            "https%3A%2F%2F127.0.0.1", "https%3A%2F%2F169.254.169.254%2F",
            "https%3A%2F%2F%5B%3A%3Affff%3A127.0.0.1%5D%2F",
            "https%3A%2F%2F2130706433%2F", "https%3A%2F%2F0177.0.0.1%2F", "https%3A%2F%2F10.0.0.1%2F",
            "file%3A%2F%2F%2Fetc%2Fpasswd",
            "https%3A%2F%2Fhooks.slack.com%40127.0.0.1%2F", "https%3A%2F%2Fhooks.slack.com.%2F",
            "https%3A%2F%2Fx%40hooks.slack.com", "https%3A%2F%2Fhooks.slack.com%3A8080", "x", "",
        ])
    func otherAddressesAreNotKept(_ url: String) throws {
        let message = try Self.first(Self.slash(Self.command + "&response_url=" + url))
        #expect(try #require(message.address).url == nil)
    }

    @Test func addressesOfTheConfiguredAPIAreKept() throws {
        let form = Self.command + "&response_url=http%3A%2F%2F127.0.0.1%3A4000%2Fr"
        let message = try Self.first(Self.slash(form, ["api_url": "http://127.0.0.1:4000/api"]))
        #expect(message.address?.url == "http://127.0.0.1:4000/r")
        let other = try Self.first(Self.slash(form, ["api_url": "http://127.0.0.1:4001/api"]))
        #expect(try #require(other.address).url == nil)
    }

    @Test func certificateCheckIsAnswered() throws {
        #expect(try Self.slash("ssl_check=1&token=x") == .answer(.ok))
    }

    @Test(arguments: ["command", "user_id", "channel_id", "trigger_id"])
    func fieldsOfACommandAreNeeded(_ name: String) {
        let items = Self.command.split(separator: "&").map(String.init)
        let others = items.filter { !$0.hasPrefix(name + "=") }
        #expect(others.count == items.count - 1)
        for form in [others, others + [name + "="], items + [name + "=%2Fx"], others + [name + "=a%0Ab"]] {
            #expect(throws: WebhookFault.malformedBody, "\(form)") { try Self.slash(form.joined(separator: "&")) }
        }
    }

    @Test(arguments: [
        "&text", "&", "&a=%", "&a=%4", "&a=%GG", "&a=%FF", "&a=%C0%80", "&a=%ED%A0%80", "&a=%00", "&%75ser_id=U2",
    ])
    func brokenFormsAreRefused(_ more: String) {
        #expect(throws: WebhookFault.malformedBody) { try Self.slash(Self.command + more) }
    }

    @Test func formsHaveAtMostAHundredFields() throws {
        func form(_ count: Int) -> String {
            Self.command + (6..<count).map { "&f\($0)=" }.joined()
        }
        #expect(throws: Never.self) { try Self.slash(form(100)) }
        #expect(throws: WebhookFault.malformedBody) { try Self.slash(form(101)) }
    }

    // MARK: Replies

    @Test func commandIsAnsweredInTheResponse() throws {
        let adapter = try Self.adapter()
        let message = try Self.first(Self.slash(Self.command))
        #expect(adapter.answersInResponse(to: message))
        let response = adapter.response(
            to: [AnsweredMessage(message: message, text: "恭喜 <!channel> & *好*")], now: Self.now)
        #expect(response.contentType == "application/json")
        #expect(
            String(decoding: response.body, as: UTF8.self)
                == #"{"response_type":"in_channel","text":"恭喜 &lt;!channel&gt; &amp; *好*","mrkdwn":false}"#)
        #expect(adapter.response(to: [AnsweredMessage(message: message, text: nil)], now: Self.now) == .ok)
        let long = adapter.response(
            to: [AnsweredMessage(message: message, text: String(repeating: "奖", count: 5000))], now: Self.now)
        let text = try #require(OutboundAnswer(status: 200, body: long.body).json?["text"]?.stringValue)
        #expect(text.utf16.count <= 3900 && text.hasSuffix("……"))
    }

    @Test func eventIsAcknowledged() throws {
        let adapter = try Self.adapter()
        let message = try Self.first(Self.event(Self.post))
        #expect(!adapter.answersInResponse(to: message))
        #expect(adapter.response(to: [AnsweredMessage(message: message, text: "中奖")], now: Self.now) == .ok)
    }

    private static let token = "xoxb-0000-test-token-for-calls"

    private static func sender(_ more: [String: String] = ["bot_token": token]) throws -> any ReplySender {
        try #require(try adapter(more).sender)
    }

    private static func reply(
        _ text: String, user: String = "U1", url: String? = nil, number: Int = 1, thread: String? = nil,
        isPrivate: Bool = false
    ) -> OutgoingReply {
        OutgoingReply(
            address: ReplyAddress(chat: "C1", isPrivate: isPrivate, user: user, thread: thread, url: url), text: text,
            key: "k", number: number)
    }

    @Test func eventIsAnsweredByACall() throws {
        let call = try #require(
            try Self.sender().call(saying: [Self.reply("中 <!here>", thread: "1.000001")], token: nil))
        #expect(try Self.sender().tokenCall() == nil)
        #expect(call.method == "POST")
        #expect(call.url == OutboundURL("https://slack.com/api/chat.postMessage"))
        #expect(call.headers == ["Authorization": "Bearer " + Self.token, "Content-Type": "application/json"])
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"channel":"C1","text":"<@U1> 中 &lt;!here&gt;","thread_ts":"1.000001","mrkdwn":false,"#
                + #""link_names":false,"unfurl_links":false,"unfurl_media":false}"#)
    }

    /// What is cut after it is escaped may end within an entity.
    @Test("hardening row 15: an overlong reply ends with whole entities") func anOverlongReplyEndsWithWholeEntities()
        throws
    {
        let call = try #require(
            try Self.sender().call(saying: [Self.reply(String(repeating: "&", count: 5000))], token: nil))
        let text = try #require(OutboundAnswer(status: 200, body: call.body).json?["text"]?.stringValue)
        let shown = text.replacing("<@U1> ", with: "").replacing("&amp;", with: "&")
        #expect(shown == String(repeating: "&", count: 3897) + "\n……")
        let response = try Self.adapter().response(
            to: [
                AnsweredMessage(
                    message: Self.first(Self.slash(Self.command)), text: String(repeating: "<", count: 5000))
            ], now: Self.now)
        let said = try #require(OutboundAnswer(status: 200, body: response.body).json?["text"]?.stringValue)
        #expect(said.replacing("&lt;", with: "<") == String(repeating: "<", count: 3897) + "\n……")
    }

    @Test func severalRepliesMentionTheirUsers() throws {
        let replies = [Self.reply("一", user: "U1"), Self.reply("二", user: "W2"), Self.reply("三", user: "U3>")]
        let call = try #require(try Self.sender().call(saying: replies, token: nil))
        let text = OutboundAnswer(status: 200, body: call.body).json?["text"]?.stringValue
        #expect(text == "<@U1> 一\n<@W2> 二\n三")
        let direct = try #require(try Self.sender().call(saying: [Self.reply("好", isPrivate: true)], token: nil))
        #expect(OutboundAnswer(status: 200, body: direct.body).json?["text"]?.stringValue == "好")
    }

    @Test func commandIsPushedToItsAddress() throws {
        let url = "https://hooks.slack.com/commands/T1/2/x"
        for settings in [[:], ["bot_token": Self.token]] {
            let call = try #require(try Self.sender(settings).call(saying: [Self.reply("轮到你了", url: url)], token: nil))
            #expect(call.url == OutboundURL(url))
            #expect(call.headers == ["Content-Type": "application/json"])
            #expect(
                String(decoding: call.body, as: UTF8.self)
                    == #"{"response_type":"in_channel","replace_original":false,"text":"<@U1> 轮到你了","mrkdwn":false}"#)
        }
    }

    @Test func whatCannotBeSentIsNoCall() throws {
        let url = "https://hooks.slack.com/commands/T1/2/x"
        #expect(try Self.sender([:]).call(saying: [Self.reply("x")], token: nil) == nil)
        #expect(try Self.sender([:]).call(saying: [Self.reply("x", url: "https://evil.example/")], token: nil) == nil)
        #expect(try Self.sender([:]).call(saying: [Self.reply("x", url: url, number: 6)], token: nil) == nil)
        #expect(try Self.sender([:]).call(saying: [Self.reply("x", url: url, number: 5)], token: nil) != nil)
        #expect(try Self.sender().call(saying: [], token: nil) == nil)
        // The bot's token never goes to an address that came with a message.
        let call = try Self.sender().call(saying: [Self.reply("x", url: "https://evil.example/")], token: nil)
        #expect(call?.url == OutboundURL("https://slack.com/api/chat.postMessage"))
    }

    @Test(
        arguments: [
            (200, [:], #"{"ok":true,"ts":"1"}"#, DeliveryResult.delivered), (200, [:], "ok", .delivered),
            (200, [:], #"{"ok":false,"error":"channel_not_found"}"#, .refused(reason: "channel_not_found")),
            (200, [:], #"{"ok":false,"error":"invalid_auth"}"#, .refused(reason: "invalid_auth")),
            (200, [:], #"{"ok":false,"error":"Nobody <@U1>"}"#, .refused(reason: "not ok")),
            (200, [:], #"{"ok":false}"#, .refused(reason: "not ok")),
            (200, [:], #"{"ok":false,"error":"ratelimited"}"#, .later(afterSeconds: nil)),
            (200, [:], #"{"ok":false,"error":"internal_error"}"#, .later(afterSeconds: nil)),
            (429, ["retry-after": "30"], "", .later(afterSeconds: 30)), (401, [:], "", .refused(reason: "status 401")),
            (404, [:], "expired_url", .refused(reason: "status 404")), (500, [:], "", .later(afterSeconds: nil)),
        ] as [(Int, [String: String], String, DeliveryResult)])
    func answersAreUnderstood(_ status: Int, _ headers: [String: String], _ body: String, _ result: DeliveryResult)
        throws
    {
        let answer = OutboundAnswer(status: status, headers: headers, body: Array(body.utf8))
        #expect(try Self.sender().result(of: answer) == result)
    }

    // MARK: Settings

    @Test func allowedHostsFollowTheSettings() throws {
        #expect(try Self.sender().allowedHosts == ["slack.com", "hooks.slack.com"])
        #expect(try Self.sender(["api_url": "http://127.0.0.1:4000"]).allowedHosts == ["127.0.0.1", "hooks.slack.com"])
    }

    @Test(arguments: [
        ("signing_secret", ""), ("bot_token", "xoxp-123"), ("bot_token", "xoxb-1\n2"),
        ("api_url", "http://slack.com/api"),
    ])
    func wrongSettingsAreNamed(_ name: String, _ value: String) {
        #expect { try Self.adapter([name: value]) } throws: { ($0 as? SettingFault)?.setting == name }
    }
}
