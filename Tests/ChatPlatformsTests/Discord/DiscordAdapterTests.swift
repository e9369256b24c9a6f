import Basics
import Crypto
import Foundation
import Testing

@testable import ChatPlatforms

@Suite struct DiscordAdapterTests {
    private static let key = Result {
        try Curve25519.Signing.PrivateKey(rawRepresentation: Array("a seed of just thirty-two bytes!".utf8))
    }
    private static let now = Instant(milliseconds: 1_760_000_041_000)

    private static func adapter(_ more: [String: String] = [:]) throws -> DiscordAdapter {
        let publicKey = try key.get().publicKey.rawRepresentation.map { String(format: "%02x", $0) }.joined()
        return try DiscordAdapter(PlatformSettings(["public_key": publicKey].merging(more) { $1 }))
    }

    private static func request(
        _ body: String, timestamp: String = "1760000040", contentType: String = "application/json"
    ) throws -> WebhookRequest {
        let signature = try key.get().signature(for: Data((timestamp + body).utf8))
        return WebhookRequest(
            method: "POST",
            headers: [
                ("Content-Type", contentType), ("X-Signature-Timestamp", timestamp),
                ("X-Signature-Ed25519", signature.map { String(format: "%02x", $0) }.joined()),
            ], body: Array(body.utf8))
    }

    private static func event(_ body: String) throws -> WebhookEvent {
        try adapter().receive(request(body), now: now)
    }

    private static func message(_ body: String) throws -> IncomingMessage {
        guard case .messages(let messages) = try event(body) else { throw WebhookFault.malformedBody }
        return try #require(messages.first)
    }

    private static func command(_ data: String = #"{"name":"help","type":1}"#, permissions: String = "0") -> String {
        """
        {"id":"1400000000000000002","application_id":"1300000000000000001","type":2,"token":"tok-abc",\
        "guild_id":"1200000000000000001","channel_id":"1200000000000000002",\
        "member":{"user":{"id":"1100000000000000001"},"permissions":"\(permissions)"},"data":\(data)}
        """
    }

    private static let direct = """
        {"id":"1400000000000000003","application_id":"1300000000000000001","type":2,"token":"tok-def",\
        "channel_id":"1200000000000000009","user":{"id":"1100000000000000002"},"data":{"name":"help","type":1}}
        """

    // MARK: Vectors

    @Test(arguments: PlatformVector.requests(of: .discord))
    func vectorHolds(_ vector: PlatformVector) throws {
        vector.check(try DiscordAdapter(PlatformSettings(try #require(vector.secret))))
    }

    @Test(arguments: PlatformVector.of(.discord).filter { $0.kind == "primitive" })
    func primitiveHolds(_ vector: PlatformVector) throws {
        let seed = try #require(vector.secret?["seed_hex"].flatMap(Hex.decode))
        let key = try Curve25519.Signing.PrivateKey(rawRepresentation: seed)
        #expect(Hex.encode(key.publicKey.rawRepresentation) == vector.expected["public_key"])
        let message = Data(try #require(vector.body).utf8)
        let signature = try #require(vector.expected["signature"].flatMap(Hex.decode))
        #expect(Hex.encode(try key.signature(for: message)) == vector.expected["signature"])
        #expect(key.publicKey.isValidSignature(signature, for: message))
    }

    @Test func everyVectorIsRun() {
        let primitives = PlatformVector.of(.discord).filter { $0.kind == "primitive" }
        #expect(PlatformVector.requests(of: .discord).count + primitives.count == PlatformVector.of(.discord).count)
        #expect(primitives.count == 1)
    }

    // MARK: Who sends

    @Test(arguments: [
        ("1759999741", true), ("1759999740", false), ("1760000341", true), ("1760000342", false),
        ("1760000040000", false), ("0", false),
    ])
    func timestampIsBoundBothWays(_ timestamp: String, _ isTaken: Bool) throws {
        let request = try Self.request(#"{"type":1}"#, timestamp: timestamp)
        if isTaken {
            #expect(try Self.adapter().receive(request, now: Self.now) == .answer(.json(.object(["type": 1]))))
        } else {
            #expect(throws: WebhookFault.staleTimestamp) { try Self.adapter().receive(request, now: Self.now) }
        }
    }

    @Test(arguments: ["", "-1", "+1760000040", "17600000400000", "yesterday", "1760000040.0"])
    func timestampMustBeDigits(_ timestamp: String) throws {
        let request = try Self.request(#"{"type":1}"#, timestamp: timestamp)
        #expect(throws: WebhookFault.malformedTimestamp) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func theSignatureIsCheckedBeforeTheTime() throws {
        var request = try Self.request(#"{"type":1}"#, timestamp: "0")
        request.body.append(0x20)
        #expect(throws: WebhookFault.badSignature) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func anOverlongTextIsCut() throws {
        let data = #"{"name":"hb","type":1,"options":[{"name":"text","type":3,"value":"\#(overlongText)"}]}"#
        #expect(try Self.message(Self.command(data)).text.isBeginningOfOverlongText)
    }

    @Test func tamperedPingIsRefused() throws {
        var request = try Self.request(#"{"type":1}"#)
        request.body.append(0x20)
        #expect(throws: WebhookFault.badSignature) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func signatureIsNeededOnce() throws {
        var request = try Self.request(#"{"type":1}"#)
        let signature = try #require(request.headers.first { $0.name == "x-signature-ed25519" })
        request.headers.append(signature)
        #expect(throws: WebhookFault.missingSignature) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func otherApplicationsAreRefused() throws {
        let adapter = try Self.adapter(["application_id": "1300000000000000009"])
        for body in [Self.command(), #"{"type":1}"#] {
            #expect(throws: WebhookFault.receiverMismatch) { try adapter.receive(Self.request(body), now: Self.now) }
        }
        let own = try Self.adapter(["application_id": "1300000000000000001"])
        #expect(throws: Never.self) { try own.receive(Self.request(Self.command()), now: Self.now) }
    }

    @Test func otherMethodsPathsAndTypesAreRefused() throws {
        var request = try Self.request(#"{"type":1}"#)
        request.method = "GET"
        #expect(throws: WebhookFault.wrongMethod) { try Self.adapter().receive(request, now: Self.now) }
        request = try Self.request(#"{"type":1}"#)
        request.path = "/x"
        #expect(throws: WebhookFault.unknownPath) { try Self.adapter().receive(request, now: Self.now) }
        request = try Self.request(#"{"type":1}"#, contentType: "application/x-www-form-urlencoded")
        #expect(throws: WebhookFault.wrongMediaType) { try Self.adapter().receive(request, now: Self.now) }
    }

    // MARK: What is sent

    @Test func commandIsDecoded() throws {
        let message = try Self.message(Self.command())
        #expect(message.userID == "1100000000000000001")
        #expect(message.isMentioned)
        #expect(!message.isPrivate)
        #expect(message.adminHint == .no)
        #expect(message.account == "1300000000000000001")
        // 1400000000000000002 >> 22 is 333786010742, counted from 2015.
        let created = Instant(milliseconds: 333_786_010_742 + 1_420_070_400_000)
        #expect(message.sentAt == created)
        #expect(
            message.address
                == ReplyAddress(
                    chat: "1200000000000000002", isPrivate: false, user: "1100000000000000001", message: "tok-abc",
                    account: "1300000000000000001", expiresAt: created.advanced(bySeconds: 880)))
    }

    @Test func directCommandIsPrivate() throws {
        #expect(try Self.message(Self.direct).isPrivate)
        let amongOthers = Self.direct.replacingOccurrences(of: #""user""#, with: #""context":2,"user""#)
        #expect(try !Self.message(amongOthers).isPrivate)
    }

    @Test(arguments: [
        ("8", IncomingMessage.AdminHint.yes), ("32", .yes), ("40", .yes), ("64", .no), ("16", .no), ("0", .no),
        ("2147483680", .yes), ("2147483648", .no), ("18446744073709551624", .yes),
        ("340282366920938463463374607431768211456", .no),
        ("", .unknown), ("-8", .unknown), ("0x8", .unknown),
    ])
    func permissionsAreRead(_ permissions: String, _ hint: IncomingMessage.AdminHint) throws {
        #expect(try Self.message(Self.command(permissions: permissions)).adminHint == hint)
    }

    @Test(arguments: [
        (#"{"name":"hb","type":1,"options":[{"name":"text","type":3,"value":" 抽奖 周末 "}]}"#, "抽奖 周末"),
        (#"{"name":"抽奖","type":1}"#, "/抽奖"), (#"{"name":"抽奖","type":1,"options":[]}"#, "/抽奖"),
        (#"{"name":"hb","type":1,"options":[{"name":"text","type":4,"value":3}]}"#, "/hb 3"),
        (
            #"{"name":"hb","type":1,"options":[{"name":"text","type":3,"value":"a"},"#
                + #"{"name":"n","type":5,"value":true}]}"#,
            "/hb a true"
        ),
        (
            #"{"name":"a","type":1,"options":[{"name":"b","type":2,"options":[{"name":"c","type":1,"#
                + #""options":[{"name":"d","type":10,"value":1.5}]}]}]}"#,
            "/a b c 1.5"
        ),
    ])
    func commandBecomesText(_ data: String, _ text: String) throws {
        #expect(try Self.message(Self.command(data)).text == text)
    }

    @Test(arguments: [
        #"{"type":1}"#, #"{"name":"","type":1}"#, #"{"name":"a"}"#, #"{"name":"a","type":1,"options":{}}"#,
        #"{"name":"a","type":1,"options":[1]}"#, #"{"name":"a","type":1,"options":[{"name":"b","value":"c"}]}"#,
        #"{"name":"a","type":1,"options":[{"name":"b","type":3}]}"#,
        #"{"name":"a","type":1,"options":[{"name":"b","type":3,"value":null}]}"#,
        #"{"name":"a","type":1,"options":[{"name":"b","type":3,"value":["c"]}]}"#,
        #"{"name":"a","type":1,"options":[{"name":"text","type":3,"value":5}]}"#,
        #"{"name":"a","type":1,"options":[{"type":1}]}"#, "[]", "null",
    ])
    func brokenCommandIsMalformed(_ data: String) {
        #expect(throws: WebhookFault.malformedBody) { try Self.event(Self.command(data)) }
    }

    @Test(
        arguments: FieldChange.ofTexts(
            "id", "application_id", "token", "channel_id", "member.user.id")
            + FieldChange.ofIntegers("type", "data.type")
            + FieldChange.ofObjects("data", "member", "member.user"))
    func fieldsOfACommandAreNeeded(_ change: FieldChange) {
        #expect(throws: WebhookFault.malformedBody) { try Self.event(change.made(in: Self.command())) }
    }

    @Test(arguments: FieldChange.ofTexts("id", "channel_id", "user.id") + FieldChange.ofObjects("user"))
    func fieldsOfADirectCommandAreNeeded(_ change: FieldChange) {
        #expect(throws: WebhookFault.malformedBody) { try Self.event(change.made(in: Self.direct)) }
    }

    @Test(arguments: ["1e3", "-5", "123456789012345678901", "１２", "12/../3"])
    func idsAreDigits(_ id: String) {
        let body = Self.command().replacingOccurrences(of: "1200000000000000002", with: id)
        #expect(throws: WebhookFault.malformedBody) { try Self.event(body) }
    }

    @Test(arguments: ["", "[]", #"{"type":1}x"#, #"{"type":1,"type":2}"#, #"{"typ\u0065":1,"type":2}"#, "\u{FEFF}{}"])
    func brokenDocumentsAreRefused(_ body: String) {
        #expect(throws: WebhookFault.malformedBody) { try Self.event(body) }
    }

    @Test(arguments: [(3, #"{"type":6}"#), (4, #"{"type":8,"data":{"choices":[]}}"#), (5, #"{"type":6}"#)])
    func buttonsSuggestionsAndFormsDoNothing(_ type: Int, _ answer: String) throws {
        let expected = WebhookResponse(status: 200, contentType: "application/json", body: Array(answer.utf8))
        #expect(try Self.event(#"{"type":\#(type),"id":"1"}"#) == .answer(expected))
    }

    @Test func menusAndUnknownKindsAreLeftOut() throws {
        #expect(try Self.event(Self.command(#"{"name":"a","type":2,"target_id":"5"}"#)) == .messages([]))
        #expect(try Self.event(#"{"type":99}"#) == .messages([]))
    }

    // MARK: Replies

    private static func response(_ texts: [String?]) throws -> String {
        let message = try message(command())
        let answered = texts.map { AnsweredMessage(message: message, text: $0) }
        return String(decoding: try adapter().response(to: answered, now: now).body, as: UTF8.self)
    }

    @Test func replyStandsInTheResponse() throws {
        #expect(try Self.adapter().answersInResponse(to: Self.message(Self.command())))
        #expect(
            try Self.response(["恭喜 @everyone **中奖**"])
                == #"{"type":4,"data":{"content":"恭喜 \\@everyone \\*\\*中奖\\*\\*","allowed_mentions":{"parse":[]}}}"#)
        #expect(
            try Self.response(["一", nil, "二"])
                == #"{"type":4,"data":{"content":"一\n二","allowed_mentions":{"parse":[]}}}"#)
    }

    @Test func silenceIsSeenByTheCallerOnly() throws {
        let silence = #"{"type":4,"data":{"content":"已收到 Received","flags":64,"allowed_mentions":{"parse":[]}}}"#
        #expect(try Self.response([nil]) == silence)
        #expect(try Self.response([]) == silence)
    }

    @Test func longReplyIsCut() throws {
        let body = try Self.response([String(repeating: "*", count: 3000)])
        let content = OutboundAnswer(status: 200, body: Array(body.utf8)).json?["data"]?.objectValue?["content"]
        let text = try #require(content?.stringValue)
        #expect(text.utf16.count <= 2000)
        #expect(text.hasSuffix("……"))
    }

    @Test(
        "hardening row 15: markup and mentions are escaped",
        arguments: [
            ("<@&5> <@5>", #"\<\@&5\> \<\@5\>"#), ("a_b~c`d|e", #"a\_b\~c\`d\|e"#), ("[x](y)", #"\[x\](y)"#),
            ("# 题\n- 一\n  - 二\n1-2", "\\# 题\n\\- 一\n  \\- 二\n1-2"), (#"\*"#, #"\\\*"#),
            ("见 https://a.example/x_y?z=1_2#_.", "见 https://a.example/x_y?z=1_2#_."),
            ("http://_ a_", #"http://\_ a\_"#),
            ("https://a.example/*b*", #"https://a.example/\*b\*"#), ("https://", "https://"),
        ])
    func markupIsEscaped(_ text: String, _ escaped: String) {
        #expect(DiscordText.escape(text) == escaped)
    }

    private static func reply(
        _ text: String, user: String = "1100000000000000001", token: String? = "tok-abc", isPrivate: Bool = false,
        application: String? = "1300000000000000001"
    ) -> OutgoingReply {
        OutgoingReply(
            address: ReplyAddress(
                chat: "12", isPrivate: isPrivate, user: user, message: token, account: application),
            text: text, key: "k")
    }

    @Test func followupIsAWebhookMessage() throws {
        let sender = try #require(try Self.adapter().sender)
        let call = try #require(sender.call(saying: [Self.reply("轮到你了 @here")], token: nil))
        #expect(sender.tokenCall() == nil)
        #expect(call.method == "POST")
        #expect(call.url == OutboundURL("https://discord.com/api/v10/webhooks/1300000000000000001/tok-abc"))
        #expect(call.headers == ["Content-Type": "application/json"])
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"content":"<@1100000000000000001> 轮到你了 \\@here","#
                + #""allowed_mentions":{"parse":[],"users":["1100000000000000001"]}}"#)
    }

    @Test func severalFollowupsMentionEachUserOnce() throws {
        let sender = try #require(try Self.adapter().sender)
        let call = try #require(
            sender.call(
                saying: [
                    Self.reply("一", user: "1"), Self.reply("二", user: "2"), Self.reply("三", user: "1"),
                    Self.reply("四", user: "5> @everyone", token: "newest"),
                ], token: nil))
        #expect(call.url.path.hasSuffix("/newest"))
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"content":"<@1> 一\n<@2> 二\n<@1> 三\n四","allowed_mentions":{"parse":[],"users":["1","2"]}}"#)
    }

    @Test func privateFollowupMentionsNobody() throws {
        let sender = try #require(try Self.adapter(["api_url": "http://127.0.0.1:4000"]).sender)
        let call = try #require(sender.call(saying: [Self.reply("好", isPrivate: true)], token: nil))
        #expect(call.url == OutboundURL("http://127.0.0.1:4000/webhooks/1300000000000000001/tok-abc"))
        #expect(
            String(decoding: call.body, as: UTF8.self) == #"{"content":"好","allowed_mentions":{"parse":[]}}"#)
        #expect(sender.allowedHosts == ["127.0.0.1"])
    }

    @Test func longFollowupIsCut() throws {
        let sender = try #require(try Self.adapter().sender)
        let replies = (0..<10).map { _ in Self.reply(String(repeating: "_", count: 900)) }
        let call = try #require(sender.call(saying: replies, token: nil))
        let content = OutboundAnswer(status: 200, body: call.body).json?["content"]?.stringValue
        #expect((1...2000).contains(try #require(content).utf16.count))
    }

    @Test func whatCannotBeSentIsNoCall() throws {
        let sender = try #require(try Self.adapter().sender)
        #expect(sender.call(saying: [], token: nil) == nil)
        #expect(sender.call(saying: [Self.reply("x", token: nil)], token: nil) == nil)
        #expect(sender.call(saying: [Self.reply("x", token: "a b")], token: nil) == nil)
        #expect(sender.call(saying: [Self.reply("x", application: nil)], token: nil) == nil)
        #expect(sender.call(saying: [Self.reply("x", application: "../5")], token: nil) == nil)
    }

    @Test(
        arguments: [
            (200, [:], "{}", DeliveryResult.delivered), (204, [:], "", .delivered),
            (429, ["retry-after": "3"], #"{"retry_after":2.5}"#, .later(afterSeconds: 3)),
            (429, [:], #"{"retry_after":0.65}"#, .later(afterSeconds: 1)),
            (429, [:], #"{"retry_after":2}"#, .later(afterSeconds: 2)),
            (429, [:], #"{"retry_after":-1}"#, .later(afterSeconds: nil)),
            (429, [:], #"{"retry_after":99999}"#, .later(afterSeconds: nil)), (429, [:], "", .later(afterSeconds: nil)),
            (401, [:], #"{"code":50027}"#, .refused(reason: "status 401")),
            (404, [:], #"{"code":10015}"#, .refused(reason: "status 404")), (503, [:], "", .later(afterSeconds: nil)),
        ] as [(Int, [String: String], String, DeliveryResult)])
    func answersAreUnderstood(_ status: Int, _ headers: [String: String], _ body: String, _ result: DeliveryResult)
        throws
    {
        let sender = try #require(try Self.adapter().sender)
        #expect(sender.result(of: OutboundAnswer(status: status, headers: headers, body: Array(body.utf8))) == result)
    }

    // MARK: Settings

    @Test(arguments: [
        ("public_key", ""), ("public_key", "abcd"), ("public_key", String(repeating: "g", count: 64)),
        ("public_key", String(repeating: "AB", count: 32)), ("application_id", "x"), ("api_url", "http://discord.com"),
    ])
    func wrongSettingsAreNamed(_ name: String, _ value: String) {
        #expect { try Self.adapter([name: value]) } throws: { ($0 as? SettingFault)?.setting == name }
    }
}
