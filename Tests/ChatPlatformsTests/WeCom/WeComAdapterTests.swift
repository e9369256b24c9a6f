import Basics
import Testing

@testable import ChatPlatforms

struct WeComAdapterTests {
    static let now = Instant(milliseconds: 1_760_000_081_500)

    static func adapter(_ more: [String: String] = [:]) throws -> WeComAdapter {
        try WeComAdapter(PlatformSettings(WeChatRequests.settings.merging(more) { $1 }))
    }

    static func receive(_ request: WebhookRequest, _ more: [String: String] = [:]) throws -> WebhookEvent {
        try adapter(more).receive(request, now: now)
    }

    static func message(_ plaintext: String, _ more: [String: String] = [:]) throws -> IncomingMessage {
        guard case .messages(let messages) = try receive(WeChatRequests.request(plaintext), more), messages.count == 1
        else {
            Issue.record("not a message")
            throw WebhookFault.malformedBody
        }
        return messages[0]
    }

    // MARK: Vectors

    @Test(arguments: PlatformVector.requests(of: .wecom))
    func requestVectorHolds(vector: PlatformVector) throws {
        vector.check(try WeComAdapter(PlatformSettings(vector.secret ?? [:])))
    }

    @Test func noVectorIsLeftOut() {
        // The other one is a reply.
        #expect(PlatformVector.of(.wecom).count == PlatformVector.requests(of: .wecom).count + 1)
    }

    // MARK: Verification

    @Test(
        arguments: [
            ("msg_signature", nil, .missingSignature), ("timestamp", nil, .missingSignature),
            ("nonce", nil, .missingSignature),
            ("msg_signature", "", .malformedSignature), ("msg_signature", "00", .malformedSignature),
            ("msg_signature", String(repeating: "A", count: 40), .malformedSignature),
            ("msg_signature", String(repeating: "0", count: 40), .badSignature),
            ("timestamp", "1760000081", .badSignature),
            ("timestamp", "", .malformedTimestamp), ("timestamp", "-1", .malformedTimestamp),
            ("timestamp", "17600000800000000000", .malformedTimestamp),
            ("timestamp", "1760000080\n", .malformedTimestamp),
            ("nonce", "", .malformedSignature), ("nonce", "n 1", .malformedSignature),
            ("nonce", String(repeating: "n", count: 33), .malformedSignature), ("nonce", "n2", .badSignature),
        ] as [(String, String?, WebhookFault)])
    func wrongQueryIsRefused(name: String, value: String?, fault: WebhookFault) throws {
        var request = WeChatRequests.request(WeChatRequests.message())
        request.query.removeAll { $0.name == name }
        if let value { request.query.append((name, value)) }
        #expect(throws: fault) { try Self.receive(request) }
    }

    @Test func repeatedQueryItemIsRefused() throws {
        for name in ["msg_signature", "timestamp", "nonce"] {
            var request = WeChatRequests.request(WeChatRequests.message())
            request.query.append(try #require(request.query.first { $0.name == name }))
            #expect(throws: WebhookFault.missingSignature) { try Self.receive(request) }
        }
    }

    /// What is signed is one text: a part of the ciphertext could be said to be the nonce.
    @Test func ciphertextCannotMoveIntoTheNonce() throws {
        let encrypted = WeChatRequests.encrypted(WeChatRequests.message())
        var request = WeChatRequests.request(WeChatRequests.message())
        let nonce = "n1" + encrypted.prefix(64)
        request.query = request.query.filter { $0.name != "nonce" } + [("nonce", nonce)]
        request.body = Array("<xml><Encrypt>\(encrypted.dropFirst(64))</Encrypt></xml>".utf8)
        #expect(throws: WebhookFault.malformedSignature) { try Self.receive(request) }
    }

    @Test(arguments: [
        "", "<xml>", "<xml></xml>", "<xml><Encrypt><A/></Encrypt></xml>",
        "<xml><Encrypt>a</Encrypt><Encrypt>a</Encrypt></xml>",
        "<!DOCTYPE xml><xml><Encrypt>a</Encrypt></xml>", "{}", "<xml><encrypt>a</encrypt></xml>",
    ])
    func bodyWithoutCiphertextIsRefused(body: String) throws {
        var request = WeChatRequests.request(WeChatRequests.message())
        request.body = Array(body.utf8)
        #expect(throws: WebhookFault.notEncrypted) { try Self.receive(request) }
    }

    /// The signature is looked at before the ciphertext.
    @Test func unsignedCiphertextIsNotOpened() throws {
        for encrypted in ["", "?", "AAAA", WeChatRequests.encrypted("other")] {
            var request = WeChatRequests.request(WeChatRequests.message())
            request.body = Array("<xml><Encrypt>\(encrypted)</Encrypt></xml>".utf8)
            #expect(throws: WebhookFault.badSignature) { try Self.receive(request) }
        }
        let adapter = try Self.adapter()
        #expect(adapter.refusal(.badCiphertext) == adapter.refusal(.badSignature))
        #expect(adapter.refusal(.receiverMismatch) == adapter.refusal(.badSignature))
        #expect(adapter.refusal(.notEncrypted) == adapter.refusal(.badSignature))
    }

    @Test func wrongMethodPathAndTypeAreRefused() throws {
        var request = WeChatRequests.request(WeChatRequests.message())
        request.method = "PUT"
        #expect(throws: WebhookFault.wrongMethod) { try Self.receive(request) }
        request.method = "POST"
        request.path = "/x"
        #expect(throws: WebhookFault.unknownPath) { try Self.receive(request) }
        for type in ["application/json", "text/plain", ""] {
            let request = WeChatRequests.request(WeChatRequests.message(), contentType: type)
            #expect(throws: WebhookFault.wrongMediaType) { try Self.receive(request) }
        }
        let other = WeChatRequests.request(WeChatRequests.message(), contentType: "application/xml; charset=utf-8")
        _ = try Self.receive(other)
    }

    @Test func handshakeNeedsItsSignature() throws {
        let echo = WeChatRequests.encrypted("echo-1")
        var request = WebhookRequest(
            method: "GET",
            query: [
                ("msg_signature", WeChatRequests.signature(["1", "n", echo])), ("timestamp", "1"), ("nonce", "n"),
                ("echostr", echo),
            ])
        let expected = WebhookResponse(
            status: 200, contentType: "text/plain; charset=utf-8", body: Array("echo-1".utf8))
        #expect(try Self.receive(request) == .answer(expected))
        request.query[3].value = WeChatRequests.encrypted("<html>")
        #expect(throws: WebhookFault.badSignature) { try Self.receive(request) }
        request.query.removeLast()
        #expect(throws: WebhookFault.missingSignature) { try Self.receive(request) }
    }

    // MARK: Messages

    @Test func messageIsRead() throws {
        let message = try Self.message(WeChatRequests.message(more: "<AgentID>218</AgentID>"), ["corp_secret": "s"])
        var expected = IncomingMessage(
            userID: "user1", chatID: "", messageID: "4561255354251345929", text: "抽奖", dedupe: "4561255354251345929")
        expected.isPrivate = true
        expected.account = "218"
        expected.sentAt = Instant(milliseconds: 1_760_000_080_000)
        expected.address = ReplyAddress(chat: "user1", isPrivate: true, user: "user1", account: "218")
        #expect(message == expected)
        // Without the secret a reply can only stand in the response.
        expected.address = nil
        #expect(try Self.message(WeChatRequests.message(more: "<AgentID>218</AgentID>")) == expected)
    }

    @Test(arguments: ["ToUserName", "FromUserName", "CreateTime", "MsgType", "Content", "MsgId"])
    func neededElementIsNeeded(name: String) throws {
        #expect(throws: WebhookFault.malformedBody) { try Self.message(WeChatRequests.message([name: nil])) }
        let twice = WeChatRequests.message(more: "<\(name)>1</\(name)>")
        #expect(throws: WebhookFault.malformedBody) { try Self.message(twice) }
        let nested = WeChatRequests.message([name: nil], more: "<\(name)><A>1</A></\(name)>")
        #expect(throws: WebhookFault.malformedBody) { try Self.message(nested) }
    }

    @Test func wrongElementIsRefused() throws {
        let long = String(repeating: "x", count: 129)
        for (name, value) in [
            ("FromUserName", ""), ("FromUserName", long), ("FromUserName", "a\nb"), ("MsgId", ""), ("MsgId", long),
            ("ToUserName", ""), ("CreateTime", ""), ("CreateTime", "-1"), ("CreateTime", "1e9"), ("CreateTime", "x"),
            ("CreateTime", "253402300800"), ("CreateTime", "99999999999999999999"), ("CreateTime", " 1"),
        ] {
            #expect(throws: WebhookFault.malformedBody, "\(name) \(value)") {
                try Self.message(WeChatRequests.message([name: value]))
            }
        }
        for plaintext in ["", "text", "{}", "<xml>", WeChatRequests.message(more: "<!-- -->")] {
            #expect(throws: WebhookFault.malformedBody) { try Self.receive(WeChatRequests.request(plaintext)) }
        }
        for agent in ["x", "1 8", "-1", "99999999999999999999"] {
            #expect(throws: WebhookFault.malformedBody) {
                try Self.message(WeChatRequests.message(more: "<AgentID>\(agent)</AgentID>"))
            }
        }
    }

    @Test func otherKindsAreLeftOut() throws {
        for kind in ["image", "event", "voice", ""] {
            let plaintext = WeChatRequests.message(["MsgType": kind, "Content": nil, "MsgId": nil])
            #expect(try Self.receive(WeChatRequests.request(plaintext), ["agent_id": "218"]) == .messages([]))
        }
    }

    @Test func otherAgentIsRefused() throws {
        let settings = ["agent_id": "218"]
        _ = try Self.message(WeChatRequests.message(more: "<AgentID>218</AgentID>"), settings)
        for more in ["<AgentID>219</AgentID>", "<AgentID/>", ""] {
            #expect(throws: WebhookFault.receiverMismatch) {
                try Self.message(WeChatRequests.message(more: more), settings)
            }
        }
        #expect(try Self.message(WeChatRequests.message()).account == "")
    }

    // MARK: Settings

    @Test(arguments: [
        (["token": ""], "token"), (["encoding_aes_key": ""], "encoding_aes_key"), (["receive_id": ""], "receive_id"),
        (["encoding_aes_key": "short"], "encoding_aes_key"), (["agent_id": "x"], "agent_id"),
        (["api_url": "http://qyapi.weixin.qq.com"], "api_url"),
    ])
    func wrongSettingIsNamed(settings: [String: String], name: String) {
        let fault = #expect(throws: SettingFault.self) { try Self.adapter(settings) }
        #expect(fault?.setting == name)
    }

    @Test func everySettingIsListed() throws {
        #expect(
            WeComAdapter.settings.map(\.name) == [
                "token", "encoding_aes_key", "receive_id", "agent_id", "corp_secret", "api_url",
            ])
        #expect(WeComAdapter.settings.filter(\.isSecret).map(\.name) == ["token", "encoding_aes_key", "corp_secret"])
        #expect(try Self.adapter().sender == nil)
    }

    // MARK: Replies in the response

    /// What a reply's envelope holds.
    static func opened(_ texts: [String?]) throws -> String {
        let message = try message(WeChatRequests.message())
        let adapter = try adapter()
        #expect(adapter.answersInResponse(to: message))
        let response = adapter.response(to: texts.map { AnsweredMessage(message: message, text: $0) }, now: now)
        #expect(response.status == 200 && response.contentType == "text/xml; charset=utf-8")
        let envelope = try #require(FlatXML.texts(of: response.body))
        let encrypted = try #require(envelope["Encrypt"])
        #expect(envelope["TimeStamp"] == "1760000081")
        let signed = ["1760000081", try #require(envelope["Nonce"]), encrypted]
        #expect(envelope["MsgSignature"] == WeChatRequests.signature(signed))
        let cipher = try WeChatCipher(PlatformSettings(WeChatRequests.settings))
        return String(decoding: try cipher.decrypt(encrypted), as: UTF8.self)
    }

    @Test func replyStandsInTheResponse() throws {
        #expect(
            try Self.opened(["恭喜 ]]> <a href=\"x\">", nil, "二"])
                == "<xml><ToUserName><![CDATA[user1]]></ToUserName>"
                + "<FromUserName><![CDATA[ww0000000000000001]]></FromUserName>"
                + "<CreateTime>1760000081</CreateTime><MsgType><![CDATA[text]]></MsgType>"
                + "<Content><![CDATA[恭喜 ]]]]><![CDATA[> ＜a href=\"x\">\n二]]></Content></xml>")
    }

    @Test func longReplyIsCut() throws {
        let reply = try Self.opened([String(repeating: "<奖", count: 1000)])
        let content = try #require(FlatXML.texts(of: Array(reply.utf8))?["Content"])
        #expect(content.utf8.count <= 2000 && content.utf8.count > 1900)
        #expect(content.hasSuffix("\n……"))
    }

    @Test func silenceIsAnEmptyResponse() throws {
        let message = try Self.message(WeChatRequests.message())
        #expect(try Self.adapter().response(to: [], now: Self.now) == WebhookResponse(status: 200))
        let answered = AnsweredMessage(message: message, text: nil)
        #expect(try Self.adapter().response(to: [answered], now: Self.now) == WebhookResponse(status: 200))
    }

    // MARK: Replies by call

    static func sender(_ more: [String: String] = [:]) throws -> any ReplySender {
        try #require(try adapter(["corp_secret": "corp-secret-for-tests/1"].merging(more) { $1 }).sender)
    }

    static func reply(_ text: String, user: String = "user1", account: String? = "218") -> OutgoingReply {
        OutgoingReply(
            address: ReplyAddress(chat: user, isPrivate: true, user: user, account: account), text: text, key: "k")
    }

    @Test func tokenIsFetched() throws {
        let call = try #require(try Self.sender().tokenCall())
        #expect(call.method == "GET" && call.body.isEmpty && call.headers.isEmpty)
        #expect(
            call.url.text
                == "https://qyapi.weixin.qq.com/cgi-bin/gettoken"
                + "?corpid=ww0000000000000001&corpsecret=corp-secret-for-tests%2F1"
        )
    }

    @Test(arguments: [
        (#"{"errcode":0,"errmsg":"ok","access_token":"t1","expires_in":7200}"#, 200, "t1"),
        (#"{"access_token":"t1","expires_in":7200}"#, 200, "t1"), (#"{"errcode":40013,"errmsg":"x"}"#, 200, nil),
        (#"{"errcode":40013,"access_token":"t1","expires_in":7200}"#, 200, nil),
        (#"{"errcode":0,"access_token":"","expires_in":7200}"#, 200, nil),
        (#"{"errcode":0,"access_token":"t1"}"#, 200, nil),
        (#"{"errcode":0,"access_token":"t1","expires_in":0}"#, 200, nil), ("<html>", 200, nil),
        (#"{"errcode":0,"access_token":"t1","expires_in":7200}"#, 502, nil),
    ])
    func tokenIsRead(body: String, status: Int, expected: String?) throws {
        let token = try Self.sender().token(from: OutboundAnswer(status: status, body: Array(body.utf8)))
        #expect(token == expected.map { AccessToken($0, lifetimeSeconds: 7200) })
    }

    @Test func replyIsSentToItsMember() throws {
        let call = try #require(try Self.sender().call(saying: [Self.reply("轮到<a>你\n了")], token: "t&1"))
        #expect(call.method == "POST")
        #expect(call.url.text == "https://qyapi.weixin.qq.com/cgi-bin/message/send?access_token=t%261")
        #expect(call.headers == ["Content-Type": "application/json"])
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"touser":"user1","msgtype":"text","agentid":218,"text":{"content":"轮到＜a>你\n了"}}"#)
        let both = try #require(try Self.sender().call(saying: [Self.reply("一"), Self.reply("二")], token: "t"))
        #expect(
            String(decoding: both.body, as: UTF8.self)
                == #"{"touser":"user1","msgtype":"text","agentid":218,"text":{"content":"一\n二"}}"#)
    }

    @Test func nobodyElseIsSentTo() throws {
        let sender = try Self.sender()
        for user in ["@all", "user1|user2", "|", ""] {
            #expect(sender.call(saying: [Self.reply("x", user: user)], token: "t") == nil)
        }
        for account in [nil, "", "x", "-1"] as [String?] {
            #expect(sender.call(saying: [Self.reply("x", account: account)], token: "t") == nil)
        }
        #expect(sender.call(saying: [Self.reply("x")], token: nil) == nil)
        #expect(sender.call(saying: [], token: "t") == nil)
    }

    @Test func longTextIsCut() throws {
        let call = try #require(
            try Self.sender().call(saying: [Self.reply(String(repeating: "<b", count: 1000))], token: "t"))
        let body = try StrictJSON.parse(call.body, maximumSize: 1 << 16).objectValue
        let text = try #require(body?["text"]?.objectValue?["content"]?.stringValue)
        #expect(text.utf8.count <= 2048 && text.utf8.count > 1900)
    }

    @Test(
        arguments: [
            (200, #"{"errcode":0,"errmsg":"ok"}"#, .delivered), (200, #"{"errcode":40014}"#, .staleToken),
            (200, #"{"errcode":42001}"#, .staleToken), (200, #"{"errcode":41001}"#, .staleToken),
            (200, #"{"errcode":45009}"#, .later(afterSeconds: nil)),
            (200, #"{"errcode":-1}"#, .later(afterSeconds: nil)),
            (200, #"{"errcode":60020,"errmsg":"x"}"#, .refused(reason: "errcode 60020")),
            (200, "<html>", .refused(reason: "no errcode")), (503, "", .later(afterSeconds: nil)),
            (404, "", .refused(reason: "status 404")),
        ] as [(Int, String, DeliveryResult)])
    func answerIsUnderstood(status: Int, body: String, expected: DeliveryResult) throws {
        #expect(try Self.sender().result(of: OutboundAnswer(status: status, body: Array(body.utf8))) == expected)
    }

    @Test func addressMayBeReplaced() throws {
        let sender = try Self.sender(["api_url": "http://127.0.0.1:4000"])
        #expect(sender.allowedHosts == ["127.0.0.1"])
        #expect(sender.tokenCall()?.url.path == "/cgi-bin/gettoken")
        #expect(try Self.sender().allowedHosts == ["qyapi.weixin.qq.com"])
    }

    @Test func limitsAreThePlatforms() throws {
        let limits = try Self.sender().limits
        // A thousand an hour.
        #expect(limits.millisecondsPerChat * 1000 >= 3_600_000)
        #expect(limits.text.unit == .bytes && limits.text.count <= 2048)
    }
}
