import Basics
import Testing

@testable import ChatPlatforms

struct SatoriAdapterTests {
    private static let settings = [
        "token": "satori-hook-token", "api_url": "http://127.0.0.1:5140/satori", "api_token": "api-token",
    ]
    private static let body = """
        {"sn":42,"type":"message-created","timestamp":1760000020000,\
        "login":{"sn":1,"platform":"red","user":{"id":"20001"}},"channel":{"id":"88001","type":0},\
        "guild":{"id":"88001"},"member":{"nick":"Hana","roles":[{"id":"ADMINISTRATOR"}]},"user":{"id":"30001"},\
        "message":{"id":"7001","content":"/抽奖"}}
        """
    private static let command = """
        {"sn":43,"type":"interaction/command","timestamp":1760000020001,\
        "login":{"sn":1,"platform":"discord","user":{"id":"20001"}},"channel":{"id":"88001","type":0},\
        "user":{"id":"30001"},\
        "argv":{"name":"抽奖开始","arguments":["周末福利",3,true,null],"options":{"a":"<b>","c":1.5}}}
        """
    private static let now = Instant(milliseconds: 1_760_000_021_000)

    private let adapter: SatoriAdapter

    init() throws {
        adapter = try SatoriAdapter(PlatformSettings(Self.settings))
    }

    private func request(
        _ body: [UInt8], opcode: String? = "0", token: String = "satori-hook-token",
        contentType: String = "application/json"
    ) -> WebhookRequest {
        var headers = [("Content-Type", contentType), ("Authorization", "Bearer " + token)]
        if let opcode { headers.append(("Satori-OpCode", opcode)) }
        return WebhookRequest(method: "POST", headers: headers.map { (name: $0.0, value: $0.1) }, body: body)
    }

    private func messages(_ body: [UInt8]) throws -> [IncomingMessage] {
        guard case .messages(let messages) = try adapter.receive(request(body), now: Self.now) else { return [] }
        return messages
    }

    private func edited(_ path: String, _ value: String?, _ body: String = Self.body) throws -> IncomingMessage {
        try #require(try messages(EditedJSON.bytes(body, path, value)).first)
    }

    // MARK: Vectors

    @Test(arguments: PlatformVector.requests(of: .satori))
    func requestVectorHolds(_ vector: PlatformVector) throws {
        vector.check(
            try SatoriAdapter(
                PlatformSettings(["api_url": "https://example.org"].merging(vector.secret ?? [:]) { $1 })))
    }

    @Test(arguments: PlatformVector.of(.satori).filter { $0.kind == "decode" })
    func elementVectorHolds(_ vector: PlatformVector) throws {
        #expect(SatoriElements(try #require(vector.body), selfID: "20001").text == vector.expected["text"])
    }

    @Test func everyVectorIsTested() {
        let vectors = PlatformVector.of(.satori)
        let decoded = vectors.filter { $0.kind == "decode" }.count
        #expect(decoded + PlatformVector.requests(of: .satori).count == vectors.count && decoded > 0)
    }

    // MARK: Reading

    @Test func messageIsReadWhole() throws {
        var expected = IncomingMessage(
            userID: "30001", chatID: "88001", messageID: "7001", text: "/抽奖", dedupe: "red:20001:88001:7001")
        expected.account = "red/20001"
        expected.identity = "qq"
        expected.sentAt = Instant(milliseconds: 1_760_000_020_000)
        expected.address = ReplyAddress(chat: "88001", isPrivate: false, user: "30001", account: "red/20001")
        #expect(try messages(Array(Self.body.utf8)) == [expected])
    }

    @Test func commandIsReadWhole() throws {
        var expected = IncomingMessage(
            userID: "30001", chatID: "88001", messageID: "command:1760000020001:30001",
            text: "/抽奖开始 周末福利 3 true <b> 1.5", dedupe: "discord:20001:88001:command:1760000020001:30001")
        expected.account = "discord/20001"
        // Named by nobody, a login must not speak for the users of a Discord endpoint.
        expected.identity = nil
        expected.isMentioned = true
        expected.sentAt = Instant(milliseconds: 1_760_000_020_001)
        expected.address = ReplyAddress(chat: "88001", isPrivate: false, user: "30001", account: "discord/20001")
        #expect(try messages(Array(Self.command.utf8)) == [expected])
    }

    @Test func commandMayComeAsAMessage() throws {
        let message = #"{"id":"9","content":"/抽奖&lt;"}"#
        let alone = try EditedJSON.bytes(Self.command, "argv", nil)
        let read = try edited("message", message, String(decoding: alone, as: UTF8.self))
        #expect(read.text == "/抽奖<" && read.messageID == "9" && read.isMentioned)
        let both = try edited("message", message, Self.command)
        #expect(both.text.hasPrefix("/抽奖开始 ") && both.messageID == "9")
    }

    @Test func ownTimeOfTheMessageCounts() throws {
        #expect(try edited("message.created_at", "1760000019999").sentAt == Instant(milliseconds: 1_760_000_019_999))
        #expect(try edited("timestamp", nil).sentAt == nil)
    }

    @Test func directChannelIsPrivate() throws {
        let message = try edited("channel.type", "1")
        #expect(message.isPrivate && message.address?.isPrivate == true)
    }

    @Test(arguments: ["kook", "onebot", "lark", "a-b_9", String(repeating: "a", count: 32)])
    func platformOfTheLoginIsTheIdentity(platform: String) throws {
        #expect(try edited("login.platform", "\"\(platform)\"").identity == platform)
    }

    /// Spec.md section 2: an endpoint never speaks for another namespace. `red` is the one that Satori brings itself.
    @Test(arguments: [
        "web", "webhook", "local", "console", "command-line", "qq", "qqbot", "telegram", "discord", "feishu",
        "dingtalk", "wecom", "wechat", "slack", "line", "mattermost", "rocketchat", "matrix",
    ])
    func anotherEndpointsNamespaceIsSpokenForOnlyWhereItIsNamed(_ platform: String) throws {
        #expect(try edited("login.platform", "\"\(platform)\"").identity == nil)
        let body = try EditedJSON.bytes(Self.body, "login.platform", "\"\(platform)\"")
        let adapter = try SatoriAdapter(PlatformSettings(Self.settings.merging(["platforms": platform]) { $1 }))
        guard case .messages(let messages) = try adapter.receive(request(body), now: Self.now) else { return }
        #expect(messages.map(\.identity) == [platform])
    }

    @Test func everyDefaultNamespaceIsAnotherEndpoints() throws {
        for namespace in Platform.allCases.compactMap(\.defaultIdentity) {
            #expect(try edited("login.platform", "\"\(namespace)\"").identity == nil, "\(namespace)")
        }
    }

    @Test(arguments: [
        ("login", nil), ("login", "null"), ("login", "[]"), ("login.platform", nil), ("login.platform", "1"),
        ("login.platform", "\"\""), ("login.platform", "\"QQ\""), ("login.platform", "\"q:q\""),
        ("login.platform", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""), ("login.user", nil), ("login.user.id", nil),
        ("login.user.id", "20001"), ("login.user.id", "\"\""), ("user", nil), ("user", "null"), ("user.id", nil),
        ("user.id", "30001"), ("user.id", "\"\\u0007\""), ("channel", nil), ("channel", "\"x\""), ("channel.id", nil),
        ("channel.id", "88001"), ("channel.type", nil), ("channel.type", "\"0\""), ("channel.type", "0.0"),
        ("message", nil), ("message", "\"x\""), ("message.id", nil), ("message.id", "7001"), ("message.content", nil),
        ("message.content", "null"), ("message.content", "[]"), ("timestamp", "\"x\""), ("timestamp", "-1"),
        ("timestamp", "253402300800000"), ("message.created_at", "\"x\""),
    ])
    func badFieldIsRefused(path: String, value: String?) throws {
        let body = try EditedJSON.bytes(Self.body, path, value)
        #expect(throws: WebhookFault.malformedBody) { try messages(body) }
    }

    @Test(arguments: [
        ("argv", nil), ("argv", "null"), ("argv", "\"x\""), ("argv.name", nil), ("argv.name", "\"\""),
        ("argv.arguments", "\"x\""), ("argv.arguments", "[{}]"), ("argv.options", "[]"), ("argv.options", "{\"a\":[]}"),
        ("timestamp", nil), ("timestamp", "null"), ("message", "{\"content\":\"x\"}"),
    ])
    func badCommandIsRefused(path: String, value: String?) throws {
        let body = try EditedJSON.bytes(Self.command, path, value)
        #expect(throws: WebhookFault.malformedBody) { try messages(body) }
    }

    @Test("hardening row 22: one id in two channels is two messages")
    func oneIDInTwoChannelsIsTwoMessages() throws {
        let keys = try ["\"c1\"", "\"c2\"", "\"c1\""].map {
            try messages(EditedJSON.bytes(Self.body, "channel.id", $0)).first?.dedupe
        }
        #expect(keys[0] != nil && keys[0] != keys[1] && keys[0] == keys[2])
    }

    @Test(
        "hardening rows 13, 14: edits and bots are left out",
        arguments: [
            ("type", nil), ("type", "1"), ("type", "\"message-updated\""), ("type", "\"message-deleted\""),
            ("user.id", "\"20001\""), ("user.is_bot", "true"),
        ])
    func whatNobodyWroteIsLeftOut(path: String, value: String?) throws {
        #expect(try messages(EditedJSON.bytes(Self.body, path, value)) == [])
    }

    // MARK: Verifying

    @Test func onlyEventsAreRead() throws {
        #expect(try adapter.receive(request(Array("{}".utf8), opcode: "5"), now: Self.now) == .messages([]))
        #expect(throws: WebhookFault.malformedBody) {
            try adapter.receive(request(Array(Self.body.utf8), opcode: nil), now: Self.now)
        }
    }

    @Test(arguments: [("red", true), ("kook, red", true), (" red", true), ("kook", false), ("reds,re", false)])
    func onlyTheConfiguredLoginPlatformsSpeak(_ platforms: String, _ isTaken: Bool) throws {
        let adapter = try SatoriAdapter(PlatformSettings(Self.settings.merging(["platforms": platforms]) { $1 }))
        let request = request(Array(Self.body.utf8))
        if isTaken {
            guard case .messages(let messages) = try adapter.receive(request, now: Self.now) else { return }
            #expect(messages.map(\.identity) == ["qq"])
        } else {
            #expect(throws: WebhookFault.receiverMismatch) { try adapter.receive(request, now: Self.now) }
        }
        // What is no message says nothing for anybody.
        let other = Self.body.replacing("message-created", with: "message-deleted")
        #expect(try adapter.receive(self.request(Array(other.utf8)), now: Self.now) == .messages([]))
    }

    @Test(arguments: [",", "red,", "red,,kook", "Red", "红", "red kook", String(repeating: "a", count: 33)])
    func wrongLoginPlatformsAreNamed(_ platforms: String) {
        let settings = PlatformSettings(Self.settings.merging(["platforms": platforms]) { $1 })
        let fault = #expect(throws: SettingFault.self) { try SatoriAdapter(settings) }
        #expect(fault?.setting == "platforms")
    }

    @Test func emptyTokenIsRefused() {
        #expect(throws: WebhookFault.badToken) {
            try adapter.receive(request(Array(Self.body.utf8), token: ""), now: Self.now)
        }
    }

    @Test func requestMustBeAPostOfJSONToTheEndpointItself() {
        var request = request(Array(Self.body.utf8))
        request.method = "GET"
        #expect(throws: WebhookFault.wrongMethod) { try adapter.receive(request, now: Self.now) }
        request.method = "POST"
        request.path = "/v1"
        #expect(throws: WebhookFault.unknownPath) { try adapter.receive(request, now: Self.now) }
        #expect(throws: WebhookFault.wrongMediaType) {
            try adapter.receive(self.request(Array(Self.body.utf8), contentType: "text/xml"), now: Self.now)
        }
        #expect(throws: WebhookFault.malformedBody) {
            try adapter.receive(self.request(Array(#"{"type":"a","type":"a"}"#.utf8)), now: Self.now)
        }
    }

    @Test(arguments: [
        (["api_url": "https://example.org"], "token"), (["token": "t"], "api_url"),
        (["token": "t", "api_url": "ftp://example.org"], "api_url"),
    ])
    func badSettingIsNamed(settings: [String: String], name: String) {
        let fault = #expect(throws: SettingFault.self) { try SatoriAdapter(PlatformSettings(settings)) }
        #expect(fault?.setting == name)
    }

    // MARK: Answering

    @Test func responseSaysNothing() throws {
        let message = try #require(try messages(Array(Self.body.utf8)).first)
        #expect(!adapter.answersInResponse(to: message))
        #expect(
            adapter.response(to: [AnsweredMessage(message: message, text: "好")], now: Self.now)
                == WebhookResponse(status: 200))
    }

    private func call(_ replies: [OutgoingReply], _ settings: [String: String] = Self.settings) throws -> OutboundCall?
    {
        try #require(try SatoriAdapter(PlatformSettings(settings)).sender).call(saying: replies, token: nil)
    }

    @Test("hardening row 15: a reply is escaped") func replyIsEscaped() throws {
        let address = ReplyAddress(chat: "88001", isPrivate: false, user: "3\"1", account: "red/20/001")
        let reply = OutgoingReply(address: address, text: "<at type=\"all\"/>&lt;\n恭喜", key: "k")
        let call = try #require(try call([reply]))
        #expect(call.method == "POST")
        #expect(call.url.text == "http://127.0.0.1:5140/satori/v1/message.create")
        #expect(
            call.headers == [
                "Content-Type": "application/json", "Authorization": "Bearer api-token", "Satori-Platform": "red",
                "Satori-User-ID": "20/001",
            ])
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"channel_id":"88001","content":"<at id=\"3&quot;1\"/> &lt;at type=&quot;all&quot;/&gt;&amp;lt;"#
                + #"<br/>恭喜"}"#)
    }

    @Test func repliesAreMerged() throws {
        let address = ReplyAddress(chat: "88001", isPrivate: false, user: "1", account: "red/20001")
        var other = address
        other.user = "2"
        let call = try call([
            OutgoingReply(address: address, text: "一", key: "a"), OutgoingReply(address: other, text: "二", key: "b"),
        ])
        #expect(
            String(decoding: try #require(call).body, as: UTF8.self)
                == #"{"channel_id":"88001","content":"<at id=\"1\"/> 一<br/><at id=\"2\"/> 二"}"#)
    }

    @Test func replyInPrivateMentionsNobody() throws {
        var settings = Self.settings
        settings["api_token"] = nil
        let address = ReplyAddress(chat: "private:3", isPrivate: true, user: "3", account: "red/20001")
        let call = try #require(
            try call([OutgoingReply(address: address, text: String(repeating: "<", count: 1501), key: "k")], settings))
        #expect(call.headers["Authorization"] == nil)
        #expect(
            String(decoding: call.body, as: UTF8.self) == #"{"channel_id":"private:3","content":""#
                + String(repeating: "&lt;", count: 1497) + "<br/>……\"}")
    }

    @Test(arguments: [nil, "red", "red/20 001", "red/é", "red/a\r\nX: y"])
    func accountThatIsNoHeaderCannotBeCalled(account: String?) throws {
        let address = ReplyAddress(chat: "88001", isPrivate: false, user: "1", account: account)
        #expect(try call([OutgoingReply(address: address, text: "好", key: "k")]) == nil)
    }

    @Test(
        arguments: [
            (200, .delivered), (401, .refused(reason: "status 401")), (403, .refused(reason: "status 403")),
            (404, .refused(reason: "status 404")), (500, .later(afterSeconds: nil)),
        ] as [(Int, DeliveryResult)])
    func answerIsReadByItsStatus(status: Int, result: DeliveryResult) throws {
        let sender = try #require(adapter.sender)
        #expect(sender.result(of: OutboundAnswer(status: status)) == result)
        #expect(sender.allowedHosts == ["127.0.0.1"])
        #expect(sender.tokenCall() == nil)
    }
}

struct SatoriElementsTests {
    @Test(arguments: [
        ("", ""), ("a<b", "a<b"), ("a < b > c", "a < b > c"), ("<3 抽奖", "<3 抽奖"), ("a>b", "a>b"),
        ("a<b>c</b>d", "acd"), ("a<br>b<br/>c<br />d", "a\nb\nc\nd"), ("</br>a", "a"),
        ("<p>抽奖</p><p>a</p>", "抽奖\na"), ("x<>y</>z", "xyz"), ("a<img src=\"x\" title='b'/>c", "ac"),
        ("<quote id=\"1\"><b>/抽奖</b></quote>/奖池", "/奖池"), ("<quote id=\"1\"/>/奖池", "/奖池"),
        ("<quote>a<quote>b</quote>c</quote>d", "d"), ("<quote>a<quote/>b</quote>d", "d"), ("<quote>a", ""),
        ("<quote>a<!-- </quote> -->b</quote>c", "c"), ("a</quote>b", "ab"),
        ("<message forward><message>a</message>b</message>c", "c"), ("<message forward=\"\">a</message>c", "c"),
        ("<message id=\"1\">a</message>", "a"), ("<message id=\"forward\">a</message>", "a"),
        ("a<!-- b", "a"), ("a<!-- b --", "a"), ("a<!---->b", "ab"), ("a<!-->b", "a"), ("a<!b>c", "a<!b>c"),
        ("&amp;lt;", "&lt;"), ("&lt;at id=&quot;1&quot;/&gt;", "<at id=\"1\"/>"), ("&#x4E2D;&#20013;&#X4e2d;", "中中中"),
        ("&#0;&#xD800;&#x110000;&#;&#x;&#+1;&nbsp;&amp", "&#0;&#xD800;&#x110000;&#;&#x;&#+1;&nbsp;&amp"),
        ("&&amp;&", "&&&"), ("&#000000000000000065;", "&#000000000000000065;"), ("<", "<"), ("<a", "<a"), (">", ">"),
    ])
    func textIsRead(content: String, text: String) {
        #expect(SatoriElements(content, selfID: "20001").text == text)
    }

    @Test(arguments: [
        ("<at id=\"20001\"/>a", true), ("<at name='x' id='20001'/>a", true), ("<at id=20001>a", true),
        ("<at id = \"20001\" />a", true), ("<at id=\"&#50;0001\"/>a", true), ("<at id=\"200010\"/>a", false),
        ("<at type=\"all\"/>a", false), ("<at name=\"id=20001\"/>a", false), ("<at xid=\"20001\"/>a", false),
        ("<at/>a", false), ("<at id>a", false), ("&lt;at id=\"20001\"/&gt;a", false),
        ("<quote><at id=\"20001\"/></quote>a", false), ("</at id=\"20001\">a", false), ("<at id=\"20001>a", true),
    ])
    func mentionIsSeen(content: String, isMentioned: Bool) {
        #expect(SatoriElements(content, selfID: "20001").isMentioned == isMentioned)
    }

    @Test func escapedTextReadsAsItself() {
        var generator = SeededGenerator(seed: 3)
        let pieces = [
            "<at id=\"20001\"/>", "&amp;", "&#60;", "<!--", "-->", "<quote>", "<", ">", "&", ";", "\"", "'", "\n", "奖",
            "/",
        ]
        for _ in 0..<500 {
            let text = (0...Int.random(in: 0...8, using: &generator)).compactMap { _ in
                pieces.randomElement(using: &generator)
            }.joined()
            let read = SatoriElements(SatoriElements.escape("a" + text + "b"), selfID: "20001")
            #expect(read.text == "a" + text + "b")
            #expect(!read.isMentioned)
        }
    }

    @Test(
        .timeLimit(.minutes(1)),
        arguments: [
            "<", "<a", "<a ", "<!--", "<!", "&", "&#", "<quote>", "</quote>", "<at id=\"", "<p>", "=", "-->", "<a>",
        ]
    )
    func hostileContentTakesLinearTime(part: String) {
        let count = 100_000 / part.utf8.count
        for content in [String(repeating: part, count: count), String(repeating: part, count: count) + ">"] {
            #expect(SatoriElements(content, selfID: "20001").text.utf8.count <= content.utf8.count)
        }
        let attributes = "<at \(String(repeating: part.filter { $0 != ">" }, count: count))>"
        #expect(!SatoriElements(attributes, selfID: "20001").isMentioned)
    }
}
