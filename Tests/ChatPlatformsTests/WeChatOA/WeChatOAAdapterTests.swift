import Basics
import Testing

@testable import ChatPlatforms

struct WeChatOAAdapterTests {
    static let now = Instant(milliseconds: 1_760_000_081_500)

    static func safe(_ more: [String: String] = [:]) throws -> WeChatOAAdapter {
        try WeChatOAAdapter(PlatformSettings(WeChatRequests.settings.merging(more) { $1 }))
    }

    static func plain() throws -> WeChatOAAdapter {
        try WeChatOAAdapter(PlatformSettings(["token": WeChatRequests.token, "allow_plain": "true"]))
    }

    static func message(_ adapter: WeChatOAAdapter, _ request: WebhookRequest) throws -> IncomingMessage {
        guard case .messages(let messages) = try adapter.receive(request, now: now), messages.count == 1 else {
            Issue.record("not a message")
            throw WebhookFault.malformedBody
        }
        return messages[0]
    }

    // MARK: Vectors

    @Test(arguments: PlatformVector.requests(of: .wechatOA))
    func requestVectorHolds(vector: PlatformVector) throws {
        var settings = vector.secret ?? [:]
        if settings["encoding_aes_key"] == nil { settings["allow_plain"] = "true" }
        vector.check(try WeChatOAAdapter(PlatformSettings(settings)))
    }

    @Test func noVectorIsLeftOut() {
        #expect(PlatformVector.of(.wechatOA).count == PlatformVector.requests(of: .wechatOA).count)
    }

    // MARK: Verification

    @Test func plainMessageIsRefusedInSafeMode() throws {
        let request = WeChatRequests.plainRequest(WeChatRequests.message())
        #expect(throws: WebhookFault.missingSignature) { try Self.safe().receive(request, now: Self.now) }
        // Nor does a right signature over something else make it one.
        var other = WeChatRequests.request(WeChatRequests.message())
        other.body = Array(WeChatRequests.message().utf8)
        #expect(throws: WebhookFault.notEncrypted) { try Self.safe().receive(other, now: Self.now) }
    }

    /// A message that holds both, as the compatible mode sends it, is read from what is signed.
    @Test func onlyTheCiphertextIsRead() throws {
        var request = WeChatRequests.request(WeChatRequests.message())
        let encrypted = WeChatRequests.encrypted(WeChatRequests.message())
        request.body = Array(
            WeChatRequests.message(["FromUserName": "user2"], more: "<Encrypt>\(encrypted)</Encrypt>").utf8)
        #expect(try Self.message(Self.safe(), request).userID == "user1")
    }

    @Test func encryptedMessageIsRefusedInPlainMode() throws {
        #expect(throws: WebhookFault.missingSignature) {
            try Self.plain().receive(WeChatRequests.request(WeChatRequests.message()), now: Self.now)
        }
    }

    @Test(
        arguments: [
            ("signature", nil, .missingSignature), ("timestamp", nil, .missingSignature),
            ("nonce", nil, .missingSignature),
            ("signature", "", .malformedSignature),
            ("signature", String(repeating: "F", count: 40), .malformedSignature),
            ("signature", String(repeating: "0", count: 40), .badSignature), ("timestamp", "x", .malformedTimestamp),
            ("nonce", "n2", .badSignature),
        ] as [(String, String?, WebhookFault)])
    func wrongQueryIsRefused(name: String, value: String?, fault: WebhookFault) throws {
        for method in ["GET", "POST"] {
            var request = WeChatRequests.plainRequest(
                WeChatRequests.message(), method: method, more: [("echostr", "echo-1")])
            request.query.removeAll { $0.name == name }
            if let value { request.query.append((name, value)) }
            #expect(throws: fault) { try Self.plain().receive(request, now: Self.now) }
            if method == "GET" { #expect(throws: fault) { try Self.safe().receive(request, now: Self.now) } }
        }
    }

    @Test func handshakeIsPlainInBothModes() throws {
        let request = WeChatRequests.plainRequest("", method: "GET", more: [("echostr", "echo-1")])
        let expected = WebhookResponse(
            status: 200, contentType: "text/plain; charset=utf-8", body: Array("echo-1".utf8))
        #expect(try Self.plain().receive(request, now: Self.now) == .answer(expected))
        #expect(try Self.safe().receive(request, now: Self.now) == .answer(expected))
    }

    @Test(
        arguments: [nil, "", "<script>", "a b", "a\r\nb", "抽奖", "a&b", String(repeating: "x", count: 257)] as [String?])
    func strangeEchoIsNotReflected(echo: String?) throws {
        let request = WeChatRequests.plainRequest("", method: "GET", more: echo.map { [("echostr", $0)] } ?? [])
        #expect(throws: WebhookFault.malformedBody) { try Self.safe().receive(request, now: Self.now) }
    }

    @Test func wrongMethodPathAndTypeAreRefused() throws {
        for (adapter, right) in [
            (try Self.safe(), WeChatRequests.request(WeChatRequests.message())),
            (try Self.plain(), WeChatRequests.plainRequest(WeChatRequests.message())),
        ] {
            var request = right
            request.method = "DELETE"
            #expect(throws: WebhookFault.wrongMethod) { try adapter.receive(request, now: Self.now) }
            request = right
            request.path = "/x"
            #expect(throws: WebhookFault.unknownPath) { try adapter.receive(request, now: Self.now) }
            request = right
            request.headers = [("content-type", "application/json")]
            #expect(throws: WebhookFault.wrongMediaType) { try adapter.receive(request, now: Self.now) }
        }
    }

    // MARK: Messages

    @Test func messageIsRead() throws {
        var expected = IncomingMessage(
            userID: "user1", chatID: "", messageID: "4561255354251345929", text: "抽奖", dedupe: "4561255354251345929")
        expected.isPrivate = true
        expected.account = "account1"
        expected.sentAt = Instant(milliseconds: 1_760_000_080_000)
        #expect(try Self.message(Self.safe(), WeChatRequests.request(WeChatRequests.message())) == expected)
        #expect(try Self.message(Self.plain(), WeChatRequests.plainRequest(WeChatRequests.message())) == expected)
        #expect(try Self.safe().sender == nil)
    }

    @Test(arguments: ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Content", "MsgId"])
    func neededElementIsNeeded(name: String) throws {
        for plaintext in [
            WeChatRequests.message([name: nil]), WeChatRequests.message(more: "<\(name)>1</\(name)>"), "",
            "<xml>",
        ] {
            #expect(throws: WebhookFault.malformedBody) {
                try Self.safe().receive(WeChatRequests.request(plaintext), now: Self.now)
            }
            #expect(throws: WebhookFault.malformedBody) {
                try Self.plain().receive(WeChatRequests.plainRequest(plaintext), now: Self.now)
            }
        }
    }

    @Test func eventsAreLeftOut() throws {
        let event = WeChatRequests.message(
            ["MsgType": "event", "Content": nil, "MsgId": nil], more: "<Event>subscribe</Event>")
        #expect(try Self.safe().receive(WeChatRequests.request(event), now: Self.now) == .messages([]))
        #expect(try Self.plain().receive(WeChatRequests.plainRequest(event), now: Self.now) == .messages([]))
    }

    // MARK: Settings

    @Test(arguments: [
        (["token": ""], "token"), (["encoding_aes_key": ""], "encoding_aes_key"), (["receive_id": ""], "receive_id"),
        (["encoding_aes_key": "short"], "encoding_aes_key"), (["allow_plain": "1"], "allow_plain"),
        (["allow_plain": "true"], "allow_plain"),
        (["allow_plain": "false", "encoding_aes_key": ""], "encoding_aes_key"),
    ])
    func wrongSettingIsNamed(settings: [String: String], name: String) {
        let fault = #expect(throws: SettingFault.self) { try Self.safe(settings) }
        #expect(fault?.setting == name)
    }

    @Test func everySettingIsListed() {
        #expect(WeChatOAAdapter.settings.map(\.name) == ["token", "encoding_aes_key", "receive_id", "allow_plain"])
        #expect(WeChatOAAdapter.settings.filter(\.isSecret).map(\.name) == ["token", "encoding_aes_key"])
    }

    // MARK: Replies

    static let replyText =
        "<xml><ToUserName><![CDATA[user1]]></ToUserName><FromUserName><![CDATA[account1]]></FromUserName>"
        + "<CreateTime>1760000081</CreateTime><MsgType><![CDATA[text]]></MsgType>"
        + "<Content><![CDATA[恭喜 ]]]]><![CDATA[> ＜a>\n二]]></Content></xml>"

    @Test func replyStandsInTheResponse() throws {
        let message = try Self.message(Self.safe(), WeChatRequests.request(WeChatRequests.message()))
        let answered = ["恭喜 ]]> <a>", nil, "二"].map { AnsweredMessage(message: message, text: $0) }
        #expect(try Self.safe().answersInResponse(to: message))
        let response = try Self.plain().response(to: answered, now: Self.now)
        #expect(response.status == 200 && response.contentType == "text/xml; charset=utf-8")
        #expect(String(decoding: response.body, as: UTF8.self) == Self.replyText)

        let envelope = try #require(FlatXML.texts(of: try Self.safe().response(to: answered, now: Self.now).body))
        let encrypted = try #require(envelope["Encrypt"])
        let signed = [try #require(envelope["TimeStamp"]), try #require(envelope["Nonce"]), encrypted]
        #expect(envelope["MsgSignature"] == WeChatRequests.signature(signed))
        let cipher = try WeChatCipher(PlatformSettings(WeChatRequests.settings))
        #expect(String(decoding: try cipher.decrypt(encrypted), as: UTF8.self) == Self.replyText)
    }

    @Test func silenceIsSuccess() throws {
        let message = try Self.message(Self.safe(), WeChatRequests.request(WeChatRequests.message()))
        let expected = WebhookResponse(
            status: 200, contentType: "text/plain; charset=utf-8", body: Array("success".utf8))
        for adapter in [try Self.safe(), try Self.plain()] {
            #expect(adapter.response(to: [], now: Self.now) == expected)
            #expect(adapter.response(to: [AnsweredMessage(message: message, text: nil)], now: Self.now) == expected)
        }
    }

    @Test func longReplyIsCut() throws {
        let message = try Self.message(Self.safe(), WeChatRequests.request(WeChatRequests.message()))
        let answered = AnsweredMessage(message: message, text: String(repeating: "奖", count: 3000))
        let response = try Self.plain().response(to: [answered], now: Self.now)
        let content = try #require(FlatXML.texts(of: response.body)?["Content"])
        #expect(content.utf8.count <= 2000 && content.utf8.count > 1900)
        #expect(content.hasSuffix("\n……"))
    }
}
