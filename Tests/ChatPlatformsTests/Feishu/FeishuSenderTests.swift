import Basics
import ChatPlatforms
import Testing

struct FeishuSenderTests {
    static func sender(_ more: [String: String] = [:]) throws -> any ReplySender {
        let settings = ["app_id": "cli_1", "app_secret": "app-secret-for-tests-0001"]
        return try #require(try FeishuAdapterTests.adapter(settings.merging(more) { $1 }).sender)
    }

    static func reply(
        _ text: String, key: String = "k-1", user: String = "ou_1", message: String? = "om_1", isPrivate: Bool = false
    ) -> OutgoingReply {
        OutgoingReply(
            address: ReplyAddress(chat: "oc_1", isPrivate: isPrivate, user: user, message: message), text: text,
            key: key)
    }

    static func content(of call: OutboundCall?) throws -> String {
        let call = try #require(call)
        let body = try StrictJSON.parse(call.body, maximumSize: 1 << 20).objectValue
        let content = try #require(body?["content"]?.stringValue)
        return try #require(
            try StrictJSON.parse(Array(content.utf8), maximumSize: 1 << 20).objectValue?["text"]?.stringValue)
    }

    @Test func tokenIsFetched() throws {
        let call = try #require(try Self.sender().tokenCall())
        #expect(call.method == "POST")
        #expect(call.url.text == "https://open.feishu.cn/open-apis/auth/v3/tenant_access_token/internal")
        #expect(call.headers == ["Content-Type": "application/json"])
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"app_id":"cli_1","app_secret":"app-secret-for-tests-0001"}"#)
    }

    @Test(arguments: [
        (#"{"code":0,"msg":"ok","tenant_access_token":"t-1","expire":7200}"#, 200, "t-1"),
        (#"{"code":10003,"msg":"invalid"}"#, 200, nil),
        (#"{"code":0,"tenant_access_token":"","expire":7200}"#, 200, nil),
        (#"{"code":0,"tenant_access_token":"t-1"}"#, 200, nil),
        (#"{"code":0,"tenant_access_token":"t-1","expire":0}"#, 200, nil),
        (#"{"tenant_access_token":"t-1","expire":7200}"#, 200, nil),
        (#"{"code":0,"tenant_access_token":"t\r\nX: y","expire":7200}"#, 200, nil), ("<html>", 200, nil),
        (#"{"code":0,"tenant_access_token":"t-1","expire":7200}"#, 500, nil),
    ])
    func tokenIsRead(body: String, status: Int, expected: String?) throws {
        let token = try Self.sender().token(from: OutboundAnswer(status: status, body: Array(body.utf8)))
        #expect(token == expected.map { AccessToken($0, lifetimeSeconds: 7200) })
    }

    @Test func anOverlongReplyIsCut() throws {
        let text = String(repeating: "中", count: 5000)
        let said = try Self.content(of: Self.sender().call(saying: [Self.reply(text)], token: "t-1"))
        #expect(said == String(repeating: "中", count: 3997) + "\n……")
    }

    @Test func replyIsSaidToItsMessage() throws {
        let call = try #require(try Self.sender().call(saying: [Self.reply("恭喜\n\"一等奖\"")], token: "t-1"))
        #expect(call.method == "POST")
        #expect(call.url.text == "https://open.feishu.cn/open-apis/im/v1/messages/om_1/reply")
        #expect(call.headers == ["Authorization": "Bearer t-1", "Content-Type": "application/json"])
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"msg_type":"text","content":"{\"text\":\"恭喜\\n\\\"一等奖\\\"\"}","uuid":"k-1"}"#)
    }

    @Test func messageIDStaysOneSegment() throws {
        let call = try Self.sender().call(saying: [Self.reply("x", message: "../a?b")], token: "t")
        #expect(call?.url.text == "https://open.feishu.cn/open-apis/im/v1/messages/..%2Fa%3Fb/reply")
    }

    @Test func nothingIsSaidWithoutTokenOrMessage() throws {
        #expect(try Self.sender().call(saying: [Self.reply("x")], token: nil) == nil)
        #expect(try Self.sender().call(saying: [Self.reply("x", message: nil)], token: "t") == nil)
        #expect(try Self.sender().call(saying: [], token: "t") == nil)
    }

    @Test(
        "hardening row 15: text mentions nobody",
        arguments: [
            (#"<at user_id="all">所有人</at>"#, #"＜at user_id="all">所有人＜/at>"#), ("<b>x</b>", "＜b>x＜/b>"),
            ("[红包](https://example.org)", "[红包]（https://example.org)"), ("a < b [x] (y)", "a < b [x] (y)"),
        ])
    func textMentionsNobody(text: String, expected: String) throws {
        #expect(try Self.content(of: Self.sender().call(saying: [Self.reply(text)], token: "t")) == expected)
    }

    @Test func repliesTogetherMentionTheirUsers() throws {
        let replies = [
            Self.reply("一", key: "k-1"), Self.reply("<at>", key: "k-2", user: "ou_2", message: "om_2"),
            Self.reply("三", key: "k-3", user: "all", message: "om_3"),
            Self.reply("四", key: "k-4", user: "\"><at", message: "om_4"),
        ]
        let call = try #require(try Self.sender().call(saying: replies, token: "t"))
        #expect(call.url.path == "/open-apis/im/v1/messages/om_4/reply")
        #expect(
            try Self.content(of: call)
                == "<at user_id=\"ou_1\"></at> 一\n<at user_id=\"ou_2\"></at> ＜at>\n三\n四")
    }

    @Test func repliesTogetherInPrivateMentionNobody() throws {
        let replies = [Self.reply("一", key: "k-1", isPrivate: true), Self.reply("二", key: "k-2", isPrivate: true)]
        #expect(try Self.content(of: Self.sender().call(saying: replies, token: "t")) == "一\n二")
    }

    /// The platform drops what comes again under a key.
    @Test func keyTellsWhatIsSaidTogether() throws {
        func key(_ keys: [String]) throws -> String? {
            let call = try Self.sender().call(saying: keys.map { Self.reply("x", key: $0) }, token: "t")
            return try StrictJSON.parse(call?.body ?? [], maximumSize: 1 << 16).objectValue?["uuid"]?.stringValue
        }
        #expect(try key(["a"]) == "a")
        let sets = [["a", "b"], ["a"], ["b"], ["b", "a"], ["a", "b", "c"], ["a-b"]]
        #expect(try Set(sets.map(key)).count == sets.count)
        #expect(try key(["a", "b"]) == key(["a", "b"]))
        #expect(try key(["a", "b"])?.utf8.count == 32)
    }

    @Test(arguments: [
        (200, #"{"code":0,"msg":"success","data":{}}"#, DeliveryResult.delivered),
        (400, #"{"code":99991663}"#, .staleToken), (400, #"{"code":99991661}"#, .staleToken),
        (401, #"{"code":99991668}"#, .staleToken), (429, #"{"code":99991400}"#, .later(afterSeconds: 7)),
        (400, #"{"code":230020}"#, .later(afterSeconds: 7)), (200, #"{"code":11232}"#, .later(afterSeconds: 7)),
        (200, #"{"code":11233}"#, .later(afterSeconds: 7)),
        (400, #"{"code":230002,"msg":"x"}"#, .refused(reason: "code 230002")),
        (500, #"{"code":2200}"#, .later(afterSeconds: nil)), (502, "<html>", .later(afterSeconds: nil)),
        (200, "<html>", .later(afterSeconds: nil)), (200, #"{"code":"0"}"#, .later(afterSeconds: nil)),
        (404, "", .refused(reason: "status 404")), (401, "", .staleToken),
    ])
    func answerIsUnderstood(status: Int, body: String, expected: DeliveryResult) throws {
        let answer = OutboundAnswer(
            status: status, headers: ["x-ogw-ratelimit-reset": "7"], body: Array(body.utf8))
        #expect(try Self.sender().result(of: answer) == expected)
    }

    @Test func hintOfTheServerComesFirst() throws {
        let answer = OutboundAnswer(
            status: 429, headers: ["x-ogw-ratelimit-reset": "7", "retry-after": "3"],
            body: Array(#"{"code":99991400}"#.utf8))
        #expect(try Self.sender().result(of: answer) == .later(afterSeconds: 3))
    }

    @Test func addressMayBeReplaced() throws {
        let sender = try Self.sender(["api_url": "http://127.0.0.1:4000/feishu/"])
        #expect(sender.allowedHosts == ["127.0.0.1"])
        #expect(
            sender.call(saying: [Self.reply("x")], token: "t")?.url.text
                == "http://127.0.0.1:4000/feishu/open-apis/im/v1/messages/om_1/reply")
        #expect(try Self.sender().allowedHosts == ["open.feishu.cn"])
    }

    @Test func limitsAreThePlatforms() throws {
        let limits = try Self.sender().limits
        #expect(limits.text == TextLimit(4000, .characters))
        #expect(limits.millisecondsPerChat == 200)
        // A thousand a minute.
        #expect(limits.millisecondsPerMessage * 1000 >= 60_000)
        #expect(limits.mergesReplies && limits.allowsPush)
    }
}
