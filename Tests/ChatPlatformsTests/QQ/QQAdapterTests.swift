import Basics
import Crypto
import Foundation
import Testing

@testable import ChatPlatforms

@Suite struct QQAdapterTests {
    private static let secret = "qq-bot-secret-for-tests-0001"
    private static let now = Instant(milliseconds: 1_767_355_201_000)

    private static func adapter(_ more: [String: String] = [:]) throws -> QQAdapter {
        let settings = ["app_id": "11111111", "bot_secret": secret].merging(more) { $1 }
        return try QQAdapter(PlatformSettings(settings))
    }

    private static func request(
        _ body: String, secret: String = secret, timestamp: String = "1767355200",
        contentType: String = "application/json"
    ) throws -> WebhookRequest {
        let seed = Data((secret + secret + secret).utf8.prefix(32))
        let key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
        let signature = try key.signature(for: Data((timestamp + body).utf8))
        return WebhookRequest(
            method: "POST",
            headers: [
                ("Content-Type", contentType), ("X-Bot-Appid", "11111111"),
                ("X-Signature-Ed25519", signature.map { String(format: "%02x", $0) }.joined()),
                ("X-Signature-Timestamp", timestamp),
            ], body: Array(body.utf8))
    }

    private static func message(_ body: String) throws -> IncomingMessage {
        guard case .messages(let messages) = try adapter().receive(request(body), now: now) else {
            throw WebhookFault.malformedBody
        }
        return try #require(messages.first)
    }

    private static let group = """
        {"op":0,"id":"e","s":1,"t":"GROUP_AT_MESSAGE_CREATE","d":{"id":"ROBOT1.0_m1","content":" 抽奖 ",\
        "timestamp":"2026-01-02T20:00:00+08:00","group_openid":"G1",\
        "author":{"id":"M1","member_openid":"M1","member_role":"member","bot":false}}}
        """
    private static let privateChat = """
        {"op":0,"t":"C2C_MESSAGE_CREATE","d":{"id":"m2","content":"抽奖","timestamp":"2026-01-02T20:00:00+08:00",\
        "author":{"user_openid":"U1"}}}
        """
    private static let channel = """
        {"op":0,"t":"AT_MESSAGE_CREATE","d":{"id":"m3","content":"<@!99> 抽奖","timestamp":"2026-01-02T20:00:00+08:00",\
        "channel_id":"C1","guild_id":"GU1","author":{"id":"55","bot":false},"member":{"roles":["1","4"]}}}
        """
    private static let channelPrivate = """
        {"op":0,"t":"DIRECT_MESSAGE_CREATE","d":{"id":"m4","content":"抽奖","timestamp":"2026-01-02T20:00:00+08:00",\
        "channel_id":"C2","guild_id":"GU2","author":{"id":"55"},"member":{"joined_at":"x"}}}
        """

    // MARK: Vectors

    @Test(arguments: PlatformVector.requests(of: .qq))
    func vectorHolds(_ vector: PlatformVector) throws {
        var settings = try #require(vector.secret)
        settings["app_id"] = "11111111"
        let adapter = try QQAdapter(PlatformSettings(settings))
        vector.check(adapter)
        if let acknowledgement = vector.expected["ack"] {
            #expect(
                adapter.response(to: [], now: vector.nowInstant)
                    == .init(
                        status: 200, contentType: "application/json", body: Array(acknowledgement.utf8)))
        }
    }

    @Test(arguments: PlatformVector.of(.qq).filter { $0.scheme == "qq-seed" })
    func seedIsTheSecretRepeated(_ vector: PlatformVector) throws {
        let seed = QQAdapter.seed(of: Secret(try #require(vector.secret?["bot_secret"])))
        #expect(String(decoding: seed, as: UTF8.self) == vector.expected["seed"])
        let key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
        #expect(Hex.encode(key.publicKey.rawRepresentation) == vector.expected["public_key"])
    }

    @Test func everyVectorIsRun() {
        let run =
            PlatformVector.requests(of: .qq).count + PlatformVector.of(.qq).filter { $0.scheme == "qq-seed" }.count
        #expect(run == PlatformVector.of(.qq).count)
        #expect(run > 10)
    }

    // MARK: Who sends

    @Test func handshakeOfAnotherBotIsRefused() throws {
        let body = Array(#"{"op":13,"d":{"plain_token":"abc","event_ts":"1725442341"}}"#.utf8)
        for headers in [[], [("X-Bot-Appid", "22222222")], [("X-Bot-Appid", "11111111"), ("X-Bot-Appid", "11111111")]] {
            let request = WebhookRequest(method: "POST", headers: headers, body: body)
            #expect(throws: WebhookFault.missingSignature) { try Self.adapter().receive(request, now: Self.now) }
        }
    }

    @Test func signedHandshakeIsAnswered() throws {
        let request = try Self.request(#"{"op":13,"d":{"plain_token":"abc","event_ts":"1725442341"}}"#)
        guard case .answer(let response) = try Self.adapter().receive(request, now: Self.now) else {
            Issue.record("not answered")
            return
        }
        #expect(response.status == 200)
    }

    @Test(arguments: [
        #"{"plain_token":"a b","event_ts":"1725442341"}"#, #"{"plain_token":"","event_ts":"1725442341"}"#,
        #"{"plain_token":"a{","event_ts":"1725442341"}"#, #"{"plain_token":"abc","event_ts":""}"#,
        #"{"plain_token":"abc","event_ts":"12345678901234"}"#, #"{"plain_token":"abc","event_ts":"-1"}"#,
        #"{"plain_token":"abc","event_ts":"١"}"#,
        #"{"plain_token":"\#(String(repeating: "a", count: 65))","event_ts":"1"}"#,
    ])
    func nothingButAHandshakeIsSigned(_ data: String) throws {
        let request = try Self.request(#"{"op":13,"d":\#(data)}"#)
        #expect(throws: WebhookFault.refusedToken) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test(arguments: [#"{"plain_token":1,"event_ts":"1"}"#, #"{"plain_token":"abc","event_ts":1}"#, "[]", "{}"])
    func handshakeOfWrongKindIsMalformed(_ data: String) throws {
        let request = try Self.request(#"{"op":13,"d":\#(data)}"#)
        #expect(throws: WebhookFault.malformedBody) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func largeUnsignedBodyIsNotRead() throws {
        let padding = String(repeating: " ", count: 5000)
        let body = Array(#"{"op":13,"d":{"plain_token":"abc","event_ts":"1"}}\#(padding)"#.utf8)
        let request = WebhookRequest(method: "POST", headers: [("X-Bot-Appid", "11111111")], body: body)
        #expect(throws: WebhookFault.missingSignature) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test(arguments: ["", "-5", "1767355200 ", "17673552001767", "{"])
    func timestampMustBeDigits(_ timestamp: String) throws {
        let request = try Self.request(Self.group, timestamp: timestamp)
        #expect(throws: WebhookFault.malformedTimestamp) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func timestampAndBodyCannotTradeBytes() throws {
        // What is signed stays the same, only where it is parted changes.
        let signed = try Self.request(Self.group)
        func parted(_ timestamp: String, _ body: [UInt8]) -> WebhookRequest {
            var request = signed
            request.headers = signed.headers.map { $0.name == "x-signature-timestamp" ? ($0.name, timestamp) : $0 }
            request.body = body
            return request
        }
        let shorter = parted("17673552", Array("00".utf8) + signed.body)
        #expect(throws: WebhookFault.malformedBody) { try Self.adapter().receive(shorter, now: Self.now) }
        let longer = parted("1767355200{", Array(signed.body.dropFirst()))
        #expect(throws: WebhookFault.malformedTimestamp) { try Self.adapter().receive(longer, now: Self.now) }
    }

    @Test func otherMethodsAndPathsAreRefused() throws {
        var request = try Self.request(Self.group)
        request.path = "/x"
        #expect(throws: WebhookFault.unknownPath) { try Self.adapter().receive(request, now: Self.now) }
        request = try Self.request(Self.group)
        request.method = "GET"
        #expect(throws: WebhookFault.wrongMethod) { try Self.adapter().receive(request, now: Self.now) }
    }

    // MARK: What is sent

    @Test func groupMessageIsDecoded() throws {
        let message = try Self.message(Self.group)
        #expect(message.userID == "M1")
        #expect(message.chatID == "G1")
        #expect(message.text == "抽奖")
        #expect(message.adminHint == .no)
        #expect(message.isMentioned)
        #expect(message.account == "11111111")
        let sentAt = Instant(milliseconds: 1_767_355_200_000)
        #expect(message.sentAt == sentAt)
        #expect(
            message.address
                == ReplyAddress(
                    chat: "groups/G1", isPrivate: false, user: "M1", message: "ROBOT1.0_m1", account: "11111111",
                    expiresAt: sentAt.advanced(bySeconds: 290)))
    }

    @Test func privateMessageIsDecoded() throws {
        let message = try Self.message(Self.privateChat)
        #expect(message.isPrivate)
        #expect(message.chatID == "")
        #expect(message.address?.chat == "users/U1")
        #expect(message.address?.expiresAt == Instant(milliseconds: 1_767_355_200_000).advanced(bySeconds: 3500))
    }

    @Test func channelMessageIsDecoded() throws {
        let message = try Self.message(Self.channel)
        #expect(message.text == "抽奖")
        #expect(message.chatID == "C1")
        #expect(message.userID == "55")
        #expect(message.adminHint == .yes)
        #expect(message.isMentioned)
        #expect(message.address?.chat == "channels/C1")
    }

    @Test func privateChannelMessageIsDecoded() throws {
        let message = try Self.message(Self.channelPrivate)
        #expect(message.isPrivate)
        #expect(message.chatID == "GU2")
        #expect(message.adminHint == .unknown)
        #expect(message.address?.chat == "dms/GU2")
    }

    @Test func everyGroupMessageMentionsOnlyWhenItSaysSo() throws {
        let all = Self.group.replacingOccurrences(of: "GROUP_AT_MESSAGE", with: "GROUP_MESSAGE")
        #expect(try !Self.message(all).isMentioned)
        let mention = #""mentions":[{"scope":"single","is_you":true,"id":"B"}],"author""#
        #expect(try Self.message(all.replacingOccurrences(of: #""author""#, with: mention)).isMentioned)
        let everybody = #""mentions":[{"scope":"all","is_you":true},7],"author""#
        #expect(try !Self.message(all.replacingOccurrences(of: #""author""#, with: everybody)).isMentioned)
    }

    @Test(arguments: [("owner", IncomingMessage.AdminHint.yes), ("admin", .yes), ("member", .no), ("king", .unknown)])
    func roleIsRead(_ role: String, _ hint: IncomingMessage.AdminHint) throws {
        let body = Self.group.replacingOccurrences(of: #""member_role":"member""#, with: #""member_role":"\#(role)""#)
        #expect(try Self.message(body).adminHint == hint)
    }

    @Test("hardening row 14: other bots are left out") func otherBotsAreLeftOut() throws {
        let body = Self.group.replacingOccurrences(of: #""bot":false"#, with: #""bot":true"#)
        #expect(try Self.adapter().receive(Self.request(body), now: Self.now) == .messages([]))
    }

    @Test(arguments: [
        #"{"op":0,"t":"GROUP_ADD_ROBOT","d":{"group_openid":"G"}}"#, #"{"op":0,"t":"FRIEND_ADD","d":{}}"#,
        #"{"op":12,"d":0}"#,
    ])
    func otherEventsAreLeftOut(_ body: String) throws {
        #expect(try Self.adapter().receive(Self.request(body), now: Self.now) == .messages([]))
    }

    @Test(
        arguments: FieldChange.ofTexts("d.id", "d.group_openid", "d.author.member_openid")
            + FieldChange.ofTexts("d.content").filter { $0.value != "" }
            + FieldChange.ofTexts("t").filter { $0.value != "" } + FieldChange.ofIntegers("op")
            + FieldChange.ofObjects("d", "d.author"))
    func fieldsOfAGroupMessageAreNeeded(_ change: FieldChange) throws {
        let request = try Self.request(change.made(in: Self.group))
        #expect(throws: WebhookFault.malformedBody) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test(
        arguments: [privateChat, channel, channelPrivate],
        FieldChange.ofTexts("d.id") + FieldChange.ofObjects("d.author"))
    func fieldsOfOtherMessagesAreNeeded(_ body: String, _ change: FieldChange) throws {
        let request = try Self.request(change.made(in: body))
        #expect(throws: WebhookFault.malformedBody) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func idsAreHeldToASize() throws {
        for (id, isTaken) in [
            (String(repeating: "a", count: 128), true), (String(repeating: "a", count: 129), false), ("a\\nb", false),
            ("a\\u007f", false),
        ] {
            let request = try Self.request(Self.group.replacingOccurrences(of: "ROBOT1.0_m1", with: id))
            let event = try? Self.adapter().receive(request, now: Self.now)
            #expect((event != nil) == isTaken, "\(id)")
        }
    }

    @Test(arguments: [
        "", "[]", group + "x", #"{"op":0,"op":0,"t":"X","d":{}}"#, #"{"op":0,"\u006fp":13,"t":"X","d":{}}"#,
    ])
    func brokenDocumentsAreRefused(_ body: String) throws {
        let request = try Self.request(body)
        #expect(throws: WebhookFault.malformedBody) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func otherMediaTypesAreRefused() throws {
        let request = try Self.request(Self.group, contentType: "text/plain")
        #expect(throws: WebhookFault.wrongMediaType) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func anOverlongTextIsCut() throws {
        #expect(try Self.message(Self.group.replacing("抽奖", with: overlongText)).text.isBeginningOfOverlongText)
    }

    // MARK: Text

    @Test(arguments: [
        ("<@!123> 抽奖", "抽奖"), ("抽奖<@abc>", "抽奖"), ("<qqbot-at-user id=\"a\" />抽奖", "抽奖"), ("<emoji:4>", ""),
        ("a &lt;b&gt; &amp;lt;", "a <b> &lt;"), ("1 < 2 > 0", "1 < 2 > 0"), ("<@", "<@"), ("a & b", "a & b"),
        ("\u{3000}抽奖\u{A0}", "抽奖"), ("&lt;@1&gt;", "<@1>"), ("<#5>周末", "周末"),
        ("<faceType=1,faceId=\"2\",ext=\"e=\">好", "好"),
    ])
    func contentIsPlain(_ content: String, _ text: String) {
        #expect(QQText.plain(content) == text)
    }

    // MARK: Replies

    private static func reply(
        _ text: String, to message: String = "m1", user: String = "M1", number: Int = 1, chat: String = "groups/G1",
        isPrivate: Bool = false
    ) -> OutgoingReply {
        OutgoingReply(
            address: ReplyAddress(chat: chat, isPrivate: isPrivate, user: user, message: message, account: "11111111"),
            text: text, key: "k", number: number)
    }

    @Test func responseIsAnAcknowledgement() throws {
        let adapter = try Self.adapter()
        let message = try Self.message(Self.group)
        #expect(!adapter.answersInResponse(to: message))
        let response = adapter.response(to: [AnsweredMessage(message: message, text: "中奖")], now: Self.now)
        #expect(response == .init(status: 200, contentType: "application/json", body: Array(#"{"op":12,"d":0}"#.utf8)))
    }

    @Test func tokenIsFetched() throws {
        let sender = try #require(try Self.adapter().sender)
        let call = try #require(sender.tokenCall())
        #expect(call.url == OutboundURL("https://bots.qq.com/app/getAppAccessToken"))
        #expect(String(decoding: call.body, as: UTF8.self) == #"{"appId":"11111111","clientSecret":"\#(Self.secret)"}"#)
        func token(_ body: String, status: Int = 200) -> AccessToken? {
            sender.token(from: OutboundAnswer(status: status, body: Array(body.utf8)))
        }
        #expect(token(#"{"access_token":"T","expires_in":"7200"}"#) == AccessToken("T", lifetimeSeconds: 7200))
        #expect(token(#"{"access_token":"T","expires_in":7200}"#) == AccessToken("T", lifetimeSeconds: 7200))
        #expect(token(#"{"access_token":"T","expires_in":"7200"}"#, status: 500) == nil)
        for body in [
            "", #"{"access_token":"T"}"#, #"{"access_token":"","expires_in":"7200"}"#,
            #"{"access_token":"T\nX: y","expires_in":"7200"}"#, #"{"access_token":"T","expires_in":"soon"}"#,
            #"{"access_token":"T","expires_in":"-1"}"#, #"{"code":100007,"message":"appid invalid"}"#,
        ] { #expect(token(body) == nil, "\(body)") }
    }

    @Test("hardening row 15: a reply mentions nobody") func groupReplyIsANumberedMessage() throws {
        let sender = try #require(try Self.adapter().sender)
        let call = try #require(sender.call(saying: [Self.reply("中了<@all>@everyone", number: 2)], token: "TOK"))
        #expect(call.method == "POST")
        #expect(call.url == OutboundURL("https://api.sgroup.qq.com/v2/groups/G1/messages"))
        #expect(call.headers == ["Authorization": "QQBot TOK", "Content-Type": "application/json"])
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"content":"<qqbot-at-user id=\"M1\" /> 中了＜＠all>＠everyone","#
                + #""msg_type":0,"msg_id":"m1","msg_seq":2}"#
        )
    }

    @Test func privateReplyMentionsNobody() throws {
        let sender = try #require(try Self.adapter().sender)
        let reply = Self.reply("好", user: "U1", chat: "users/U1", isPrivate: true)
        let call = try #require(sender.call(saying: [reply], token: "TOK"))
        #expect(call.url == OutboundURL("https://api.sgroup.qq.com/v2/users/U1/messages"))
        #expect(
            String(decoding: call.body, as: UTF8.self) == #"{"content":"好","msg_type":0,"msg_id":"m1","msg_seq":1}"#)
    }

    @Test func guildRepliesAreNotNumbered() throws {
        let sender = try #require(try Self.adapter(["api_url": "http://127.0.0.1:4000/"]).sender)
        let channel = try #require(
            sender.call(saying: [Self.reply("好", user: "55", chat: "channels/C1")], token: "TOK"))
        #expect(channel.url == OutboundURL("http://127.0.0.1:4000/channels/C1/messages"))
        #expect(
            String(decoding: channel.body, as: UTF8.self)
                == #"{"content":"<qqbot-at-user id=\"55\" /> 好","msg_id":"m1"}"#)
        let direct = try #require(
            sender.call(saying: [Self.reply("好", user: "55", chat: "dms/GU2", isPrivate: true)], token: "TOK"))
        #expect(direct.url == OutboundURL("http://127.0.0.1:4000/dms/GU2/messages"))
        #expect(String(decoding: direct.body, as: UTF8.self) == #"{"content":"好","msg_id":"m1"}"#)
    }

    @Test func severalRepliesAnswerTheLastMessage() throws {
        let sender = try #require(try Self.adapter().sender)
        let call = try #require(
            sender.call(
                saying: [
                    Self.reply("一", to: "m1", user: "M1"), Self.reply("二", to: "m2", user: "M2", number: 3),
                    Self.reply("三", to: "m3", user: "M\" 3", number: 6),
                ], token: "TOK"))
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"content":"<qqbot-at-user id=\"M1\" /> 一\n<qqbot-at-user id=\"M2\" /> 二\n三","#
                + #""msg_type":0,"msg_id":"m2","msg_seq":3}"#)
    }

    @Test func whatCannotBeSentIsNoCall() throws {
        let sender = try #require(try Self.adapter().sender)
        #expect(sender.call(saying: [Self.reply("x", number: 5)], token: "TOK") != nil)
        #expect(sender.call(saying: [Self.reply("x", number: 6)], token: "TOK") == nil)
        #expect(sender.call(saying: [Self.reply("x")], token: nil) == nil)
        #expect(sender.call(saying: [Self.reply("x", chat: "G1")], token: "TOK") == nil)
        #expect(sender.call(saying: [Self.reply("x", chat: "groups/")], token: "TOK") == nil)
        #expect(sender.call(saying: [], token: "TOK") == nil)
    }

    @Test func idsCannotLeaveTheirPlaceInTheAddress() throws {
        let sender = try #require(try Self.adapter().sender)
        let call = try #require(sender.call(saying: [Self.reply("x", chat: "groups/a/../b?c")], token: "TOK"))
        #expect(call.url.path == "/v2/groups/a%2F..%2Fb%3Fc/messages")
        #expect(call.url.query == "")
    }

    @Test func longReplyIsCut() throws {
        let sender = try #require(try Self.adapter().sender)
        let call = try #require(
            sender.call(saying: [Self.reply(String(repeating: "奖", count: 3000))], token: "TOK"))
        let content = try #require(
            OutboundAnswer(status: 200, body: call.body).json?["content"]?.stringValue)
        #expect(content.hasSuffix("……"))
        #expect(content.unicodeScalars.count == 1000 + #"<qqbot-at-user id="M1" /> "#.utf8.count)
    }

    @Test(arguments: [
        (200, "{}", DeliveryResult.delivered), (202, #"{"code":304023}"#, .delivered),
        (400, #"{"code":22009,"message":"msg limit exceed"}"#, .later(afterSeconds: nil)),
        (401, #"{"code":11241}"#, .staleToken), (401, "", .staleToken), (500, #"{"code":11243}"#, .staleToken),
        (500, #"{"message":"token not exist or expire","code":11244}"#, .staleToken),
        (400, #"{"code":304082,"message":"x"}"#, .refused(reason: "code 304082")),
        (404, "<html>", .refused(reason: "status 404")), (429, "", .later(afterSeconds: nil)),
        (502, #"{"code":1}"#, .later(afterSeconds: nil)),
    ])
    func answersAreUnderstood(_ status: Int, _ body: String, _ result: DeliveryResult) throws {
        let sender = try #require(try Self.adapter().sender)
        #expect(sender.result(of: OutboundAnswer(status: status, body: Array(body.utf8))) == result)
    }

    // MARK: Settings

    @Test func allowedHostsFollowTheSettings() throws {
        #expect(try Self.adapter().sender?.allowedHosts == ["api.sgroup.qq.com", "bots.qq.com"])
        let own = ["api_url": "http://127.0.0.1:4000", "token_url": "https://Tokens.example/x"]
        #expect(try Self.adapter(own).sender?.allowedHosts == ["127.0.0.1", "tokens.example"])
    }

    @Test(arguments: [
        ("app_id", ""), ("app_id", "abc"), ("app_id", "１１"), ("bot_secret", ""), ("api_url", "http://api.example"),
        ("token_url", "ftp://x"),
    ])
    func wrongSettingsAreNamed(_ name: String, _ value: String) {
        #expect { try Self.adapter([name: value]) } throws: { ($0 as? SettingFault)?.setting == name }
    }
}
