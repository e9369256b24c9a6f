import Basics
import Testing

@testable import ChatPlatforms

struct OneBot12AdapterTests {
    private static let body = """
        {"id":"7c1f2a30","self":{"platform":"qq","user_id":"20001"},"time":1760000010.5,"type":"message",\
        "detail_type":"group","sub_type":"","message_id":"m-6283","message":[{"type":"mention",\
        "data":{"user_id":"20001"}},{"type":"text","data":{"text":" /开奖"}}],"alt_message":"@bot /开奖",\
        "group_id":"88001","user_id":"30001"}
        """
    private static let now = Instant(milliseconds: 1_760_000_011_000)

    private let adapter: OneBot12Adapter

    init() throws {
        adapter = try OneBot12Adapter(PlatformSettings(["token": "ob12-access"]))
    }

    private func request(
        _ body: [UInt8], authorization: String? = "Bearer ob12-access", query: [(name: String, value: String)] = []
    ) -> WebhookRequest {
        var headers: [(name: String, value: String)] = [("Content-Type", "application/json")]
        if let authorization { headers.append(("Authorization", authorization)) }
        return WebhookRequest(method: "POST", query: query, headers: headers, body: body)
    }

    private func messages(_ body: [UInt8]) throws -> [IncomingMessage] {
        guard case .messages(let messages) = try adapter.receive(request(body), now: Self.now) else { return [] }
        return messages
    }

    private func edited(_ path: String, _ value: String?) throws -> IncomingMessage {
        try #require(try messages(EditedJSON.bytes(Self.body, path, value)).first)
    }

    private func channelMessage() throws -> IncomingMessage {
        let body = Self.body.replacing("\"group\"", with: "\"channel\"")
            .replacing("\"group_id\":\"88001\"", with: "\"guild_id\":\"g1\",\"channel_id\":\"c/1\"")
        return try #require(try messages(Array(body.utf8)).first)
    }

    @Test(arguments: PlatformVector.of(.onebot12).filter { $0.expected["accepted"] == nil })
    func vectorHolds(_ vector: PlatformVector) throws {
        vector.check(try OneBot12Adapter(PlatformSettings(vector.secret ?? [:])))
    }

    @Test(arguments: PlatformVector.of(.onebot12).filter { $0.expected["accepted"] != nil })
    func vectorIsAccepted(_ vector: PlatformVector) throws {
        let adapter = try OneBot12Adapter(PlatformSettings(vector.secret ?? [:]))
        guard case .messages(let messages) = try adapter.receive(vector.request(), now: Self.now) else {
            throw WebhookFault.badToken
        }
        #expect(messages.map(\.text) == ["/开奖"])
    }

    @Test func everyVectorIsARequest() {
        #expect(PlatformVector.of(.onebot12).count == PlatformVector.requests(of: .onebot12).count)
        #expect(PlatformVector.of(.onebot12).contains { $0.expected["accepted"] != nil })
    }

    @Test func groupMessageIsReadWhole() throws {
        var expected = IncomingMessage(
            userID: "30001", chatID: "88001", messageID: "m-6283", text: "/开奖", dedupe: "7c1f2a30")
        expected.account = "20001"
        expected.isMentioned = true
        expected.sentAt = Instant(milliseconds: 1_760_000_010_500)
        #expect(try messages(Array(Self.body.utf8)) == [expected])
    }

    @Test func privateMessageHasNoChat() throws {
        let message = try edited("detail_type", "\"private\"")
        #expect(message.isPrivate && message.chatID == "")
    }

    @Test func channelIsNamedWithItsGuild() throws {
        let message = try channelMessage()
        #expect(message.chatID == "g1/c/1" && !message.isPrivate)
        #expect(OneBot12Chat(message) == .channel("c/1", guild: "g1"))
    }

    @Test(arguments: [
        ("id", nil), ("id", "7"), ("id", "\"\""), ("self", nil), ("self", "\"x\""), ("self.user_id", nil),
        ("self.user_id", "20001"), ("detail_type", nil), ("detail_type", "1"), ("message_id", nil), ("message_id", "5"),
        ("message", nil), ("message", "\"/开奖\""), ("message", "null"), ("message.0", "1"), ("message.0.type", nil),
        ("message.1.data", "null"), ("message.1.data.text", nil), ("message.1.data.text", "1"), ("group_id", nil),
        ("group_id", "88001"), ("group_id", "\"a/b\""), ("group_id", "\"a\\nb\""), ("user_id", nil),
        ("user_id", "30001"), ("time", "\"1760000010.5\""), ("time", "-1.5"), ("time", "1e300"),
        ("detail_type", "\"channel\""),
    ])
    func badFieldIsRefused(path: String, value: String?) throws {
        let body = try EditedJSON.bytes(Self.body, path, value)
        #expect(throws: WebhookFault.malformedBody) { try messages(body) }
    }

    @Test(
        "hardening row 14: what nobody wrote is left out",
        arguments: [
            ("type", nil), ("type", "\"meta\""), ("type", "1"), ("user_id", "\"20001\""),
            ("detail_type", "\"qq.temp\""),
        ])
    func whatNobodyWroteIsLeftOut(path: String, value: String?) throws {
        #expect(try messages(EditedJSON.bytes(Self.body, path, value)) == [])
    }

    @Test(arguments: [
        (
            #"[{"type":"mention_all","data":{}},{"type":"reply","data":{"text":"x"}},"#
                + #"{"type":"text","data":{"text":"a"}}]"#,
            "a", false
        ),
        (#"[{"type":"mention","data":{"user_id":"2"}},{"type":"text","data":{"text":"a"}}]"#, "a", false),
        (#"[]"#, "", false),
    ])
    func textAndMentionAreRead(message: String, text: String, isMentioned: Bool) throws {
        let read = try edited("message", message)
        #expect(read.text == text && read.isMentioned == isMentioned)
    }

    @Test func timeMayBeMissing() throws {
        #expect(try edited("time", nil).sentAt == nil)
        #expect(try edited("time", "null").sentAt == nil)
    }

    @Test func everyTokenMustBeRight() {
        let body = Array(Self.body.utf8)
        for request in [
            request(body, query: [("access_token", "x")]), request(body, authorization: "Bearer "),
            request(body, authorization: nil, query: [("access_token", "ob12-access"), ("access_token", "")]),
            request(body, authorization: "Bearer ob12-access "),
        ] {
            #expect(throws: WebhookFault.badToken) { try adapter.receive(request, now: Self.now) }
        }
        #expect(throws: WebhookFault.missingToken) {
            try adapter.receive(request(body, authorization: "Token ob12-access"), now: Self.now)
        }
    }

    @Test func requestMustBeAPostOfJSONToTheEndpointItself() {
        var request = request(Array(Self.body.utf8))
        request.method = "GET"
        #expect(throws: WebhookFault.wrongMethod) { try adapter.receive(request, now: Self.now) }
        request.method = "POST"
        request.path = "/x"
        #expect(throws: WebhookFault.unknownPath) { try adapter.receive(request, now: Self.now) }
        request.path = ""
        request.headers = request.headers.filter { $0.name != "content-type" }
        #expect(throws: WebhookFault.wrongMediaType) { try adapter.receive(request, now: Self.now) }
        #expect(throws: WebhookFault.malformedBody) {
            try adapter.receive(self.request(Array(#"{"id":"1","id":"1"}"#.utf8)), now: Self.now)
        }
    }

    @Test func tokenIsNeeded() {
        let fault = #expect(throws: SettingFault.self) { try OneBot12Adapter(PlatformSettings(["token": ""])) }
        #expect(fault?.setting == "token")
    }

    @Test func answerIsAListOfActions() throws {
        func body(_ message: IncomingMessage) -> String {
            let answered = [
                AnsweredMessage(message: message, text: "[CQ:at,qq=all]\n好"),
                AnsweredMessage(message: message, text: nil),
            ]
            let response = adapter.response(to: answered, now: Self.now)
            #expect(response.status == 200 && response.contentType == "application/json")
            return String(decoding: response.body, as: UTF8.self)
        }
        let segments =
            #""message":[{"type":"mention","data":{"user_id":"30001"}},"#
            + #"{"type":"text","data":{"text":" [CQ:at,qq=all]\n好"}}]}}]"#
        let group = try #require(try messages(Array(Self.body.utf8)).first)
        #expect(
            body(group) == #"[{"action":"send_message","params":{"detail_type":"group","group_id":"88001","# + segments)
        #expect(
            body(try channelMessage())
                == #"[{"action":"send_message","params":{"detail_type":"channel","guild_id":"g1","channel_id":"c/1","#
                + segments)
        #expect(
            body(try edited("detail_type", "\"private\""))
                == #"[{"action":"send_message","params":{"detail_type":"private","user_id":"30001","#
                + #""message":[{"type":"text","data":{"text":"[CQ:at,qq=all]\n好"}}]}}]"#)
        #expect(adapter.response(to: [AnsweredMessage(message: group, text: nil)], now: Self.now) == .empty)
        #expect(adapter.response(to: [], now: Self.now) == .empty)
        #expect(adapter.answersInResponse(to: group))
        #expect(adapter.sender == nil)
    }

    @Test func longReplyIsCut() throws {
        let message = try edited("detail_type", "\"private\"")
        let answered = AnsweredMessage(message: message, text: String(repeating: "好", count: 1501))
        let body = String(decoding: adapter.response(to: [answered], now: Self.now).body, as: UTF8.self)
        #expect(body.contains(#""text":""# + String(repeating: "好", count: 1497) + #"\n……""#))
    }

    @Test(
        arguments: [
            ("0", 0), ("1", 1000), ("1760000010", 1_760_000_010_000), ("1760000010.5", 1_760_000_010_500),
            ("1760000010.1239999", 1_760_000_010_123), ("1.7600000105e9", 1_760_000_010_500),
            ("17600000105E-1", 1_760_000_010_500),
            ("0.0009", 0), ("0.001", 1), ("1e-200", 0), ("0e200", 0), ("1E+3", 1_000_000),
            ("253402300799.999", 253_402_300_799_999),
        ] as [(String, Int64)])
    func secondsAreReadAsDecimals(text: String, milliseconds: Int64) {
        #expect(DecimalSeconds.milliseconds(text) == milliseconds)
    }

    @Test(arguments: ["-1", "-0", "1e201", "1e13", "1e-999999999999999999999", "1000000000000", "12345678901234567890"])
    func secondsOutOfRangeAreRefused(text: String) {
        #expect(DecimalSeconds.milliseconds(text) == nil)
    }
}
