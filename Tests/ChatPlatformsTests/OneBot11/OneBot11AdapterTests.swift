import Basics
import Crypto
import Foundation
import Testing

@testable import ChatPlatforms

struct OneBot11AdapterTests {
    static let secret = "guild-draw-key-01"
    static let groupBody = """
        {"time":1760000001,"self_id":20001,"post_type":"message","message_type":"group","sub_type":"normal",\
        "message_id":-17,"group_id":88001,"user_id":30001,"anonymous":null,\
        "message":[{"type":"text","data":{"text":" /抽奖 "}}],"sender":{"user_id":30001,"role":"owner"}}
        """
    static let privateBody = """
        {"time":1760000003,"self_id":20001,"post_type":"message","message_type":"private","sub_type":"friend",\
        "message_id":552,"user_id":30003,"message":"/帮助","sender":{"user_id":30003,"role":"owner"}}
        """
    static let now = Instant(milliseconds: 1_760_000_002_000)

    let adapter: OneBot11Adapter

    init() throws {
        adapter = try OneBot11Adapter(PlatformSettings(["secret": Self.secret]))
    }

    static func request(_ body: [UInt8], contentType: String = "application/json") -> WebhookRequest {
        let code = HMAC<Insecure.SHA1>.authenticationCode(for: body, using: SymmetricKey(data: Data(secret.utf8)))
        let digest = code.map { String(format: "%02x", $0) }.joined()
        return WebhookRequest(
            method: "POST", headers: [("Content-Type", contentType), ("X-Signature", "sha1=" + digest)], body: body)
    }

    private func messages(_ body: [UInt8], _ adapter: OneBot11Adapter? = nil) throws -> [IncomingMessage] {
        guard case .messages(let messages) = try (adapter ?? self.adapter).receive(Self.request(body), now: Self.now)
        else { return [] }
        return messages
    }

    private func edited(_ path: String, _ value: String?) throws -> IncomingMessage {
        try #require(try messages(EditedJSON.bytes(Self.groupBody, path, value)).first)
    }

    // MARK: Vectors

    @Test(arguments: PlatformVector.requests(of: .onebot11).filter { $0.scheme == "onebot11-hmac-sha1" })
    func postVectorHolds(_ vector: PlatformVector) throws {
        vector.check(try OneBot11Adapter(PlatformSettings(vector.secret ?? [:])))
    }

    @Test(arguments: PlatformVector.of(.onebot11).filter { $0.kind == "decode" })
    func codeVectorHolds(_ vector: PlatformVector) throws {
        let body = try #require(vector.body)
        let segments = try EditedJSON.parse(try #require(vector.expected["segments_json"]))
        let expected = try #require(segments.arrayValue).map { value -> CQCode.Segment in
            let members = try #require(value.objectValue).members.map { ($0.key, $0.value.stringValue ?? "") }
            let (typeKey, type) = try #require(members.first)
            #expect(typeKey == "type")
            if type == "text" { return .text(try #require(value.objectValue?["text"]?.stringValue)) }
            return .code(type: type, members.dropFirst().map { CQCode.Parameter(name: $0.0, value: $0.1) })
        }
        #expect(CQCode.segments(of: body) == expected)
        let text = try OneBot11Text(.string(body), selfID: try #require(vector.selfID))
        #expect(text.text == vector.expected["text"])
    }

    @Test func everyVectorIsTested() {
        let vectors = PlatformVector.of(.onebot11)
        let tested = vectors.filter { ["onebot11-hmac-sha1", "bearer-token", "cq-code"].contains($0.scheme) }
        #expect(tested.count == vectors.count && vectors.count > 15)
    }

    @Test(arguments: [
        (WebhookFault.missingSignature, 401), (.missingToken, 401), (.badSignature, 403), (.badToken, 403),
        (.malformedBody, 400), (.wrongMethod, 405),
    ])
    func refusalTellsMissingFromWrong(_ fault: WebhookFault, _ status: Int) {
        #expect(adapter.refusal(fault) == WebhookResponse(status: status))
    }

    // MARK: Reading

    @Test func groupMessageIsReadWhole() throws {
        var expected = IncomingMessage(
            userID: "30001", chatID: "88001", messageID: "-17", text: "/抽奖", dedupe: "20001:-17")
        expected.adminHint = .yes
        expected.account = "20001"
        expected.sentAt = Instant(milliseconds: 1_760_000_001_000)
        #expect(try messages(Array(Self.groupBody.utf8)) == [expected])
    }

    @Test func privateMessageHasNoRole() throws {
        var expected = IncomingMessage(
            userID: "30003", chatID: "", messageID: "552", text: "/帮助", dedupe: "20001:552")
        expected.isPrivate = true
        expected.account = "20001"
        expected.sentAt = Instant(milliseconds: 1_760_000_003_000)
        #expect(try messages(Array(Self.privateBody.utf8)) == [expected])
    }

    @Test func addressIsThereWhenItCanBeCalled() throws {
        let calling = try OneBot11Adapter(
            PlatformSettings(["secret": Self.secret, "api_url": "http://127.0.0.1:3000"]))
        #expect(
            try messages(Array(Self.groupBody.utf8), calling).first?.address
                == ReplyAddress(chat: "88001", isPrivate: false, user: "30001", account: "20001"))
        #expect(
            try messages(Array(Self.privateBody.utf8), calling).first?.address
                == ReplyAddress(chat: "30003", isPrivate: true, user: "30003", account: "20001"))
    }

    @Test func idsAsStringsAreTheSameIds() throws {
        let plain = try messages(Array(Self.groupBody.utf8)).first
        for (path, value) in [
            ("self_id", "\"20001\""), ("user_id", "\"30001\""), ("group_id", "\"88001\""), ("message_id", "\"-17\""),
        ] {
            #expect(try edited(path, value) == plain)
        }
    }

    @Test func idAbove53BitsKeepsItsDigits() throws {
        #expect(try edited("user_id", "9007199254740993").userID == "9007199254740993")
    }

    @Test(arguments: [
        ("self_id", nil), ("self_id", "null"), ("self_id", "1.5"), ("self_id", "\"\""), ("self_id", "{}"),
        ("user_id", nil), ("user_id", "null"), ("user_id", "3e4"), ("user_id", "true"), ("user_id", "\"a\\u0001b\""),
        ("user_id", "\"a\\nb\""), ("group_id", nil), ("group_id", "null"), ("group_id", "[]"), ("message_id", nil),
        ("message_id", "null"), ("message_id", "-0"), ("message_id", "9223372036854775808"), ("message", nil),
        ("message", "null"), ("message", "5"), ("message", "{\"type\":\"text\",\"data\":{\"text\":\"x\"}}"),
        ("message.0", "\"x\""), ("message.0.type", nil), ("message.0.type", "1"), ("message.0.data", "null"),
        ("message.0.data.text", nil), ("message.0.data.text", "1"), ("message_type", nil), ("message_type", "null"),
        ("message_type", "7"), ("time", "\"1760000001\""), ("time", "1760000001.5"), ("time", "-1"),
        ("time", "9223372036854775807"),
    ])
    func badFieldIsRefused(path: String, value: String?) throws {
        let body = try EditedJSON.bytes(Self.groupBody, path, value)
        #expect(throws: WebhookFault.malformedBody) { try adapter.receive(Self.request(body), now: Self.now) }
    }

    @Test(
        "hardening row 14: what nobody wrote is left out",
        arguments: [
            ("post_type", nil), ("post_type", "\"message_sent\""), ("post_type", "\"notice\""), ("post_type", "1"),
            ("user_id", "20001"), ("sub_type", "\"notice\""), ("message_type", "\"guild\""),
        ])
    func whatNobodyWroteIsLeftOut(path: String, value: String?) throws {
        #expect(try messages(EditedJSON.bytes(Self.groupBody, path, value)) == [])
    }

    @Test(arguments: [("sub_type", "\"anonymous\""), ("anonymous", "{\"id\":1}"), ("user_id", "80000000")])
    func anonymousSenderIsMarked(path: String, value: String) throws {
        #expect(try edited(path, value).isAnonymous)
        #expect(try messages(Array(Self.groupBody.utf8)).first?.isAnonymous == false)
    }

    @Test(arguments: [
        ("sender", nil, IncomingMessage.AdminHint.unknown), ("sender", "null", .unknown), ("sender", "\"x\"", .unknown),
        ("sender.role", nil, .unknown), ("sender.role", "1", .unknown), ("sender.role", "\"Owner\"", .unknown),
        ("sender.role", "\"admin\"", .yes), ("sender.role", "\"member\"", .no),
    ])
    func roleIsAHint(path: String, value: String?, hint: IncomingMessage.AdminHint) throws {
        #expect(try edited(path, value).adminHint == hint)
    }

    @Test(arguments: [nil, "null"])
    func timeMayBeMissing(value: String?) throws {
        #expect(try edited("time", value).sentAt == nil)
    }

    @Test(arguments: [
        (#"[{"type":"at","data":{"qq":20001}},{"type":"text","data":{"text":" a"}}]"#, "a", true),
        (#"[{"type":"at","data":{"qq":"20002"}},{"type":"text","data":{"text":"a"}}]"#, "a", false),
        (#"[{"type":"at","data":{"qq":"all"}},{"type":"text","data":{"text":"a"}}]"#, "a", false),
        (#"[{"type":"at","data":null},{"type":"at"},{"type":"text","data":{"text":"a"}}]"#, "a", false),
        (
            #"[{"type":"reply","data":{"id":"1","text":"x"}},{"type":"text","data":{"text":"&#91;[CQ:at,qq=1]"}}]"#,
            "&#91;[CQ:at,qq=1]", false
        ),
        (#"[{"type":"forward","data":{"content":[{"type":"text","data":{"text":"x"}}]}}]"#, "", false),
        (#"[]"#, "", false), (#""""#, "", false),
        (#""[CQ:at,qq=20001]　抽奖　""#, "抽奖", true), (#""[CQ:at,qq=200010]抽奖""#, "抽奖", false),
        (#""[CQ:at,qq=all,name=20001]抽奖""#, "抽奖", false), (#""[CQ:text,text=x]抽奖""#, "抽奖", false),
    ])
    func textAndMentionAreRead(message: String, text: String, isMentioned: Bool) throws {
        let read = try edited("message", message)
        #expect(read.text == text)
        #expect(read.isMentioned == isMentioned)
    }

    @Test(
        arguments: [
            ("", []), ("[", [.text("[")]), ("[CQ:", [.text("[CQ:")]), ("[CQ:at,qq=1", [.text("[CQ:at,qq=1")]),
            ("a]b", [.text("a]b")]), ("[CQ:]", [.code(type: "", [])]), ("[cq:at]", [.text("[cq:at]")]),
            ("[CQ:[CQ:at,qq=1]]", [.code(type: "[CQ:at", [.init(name: "qq", value: "1")]), .text("]")]),
            (
                "[CQ:a,b,=c,d=e=f,]",
                [
                    .code(
                        type: "a",
                        [
                            .init(name: "b", value: ""), .init(name: "", value: "c"), .init(name: "d", value: "e=f"),
                            .init(name: "", value: ""),
                        ])
                ]
            ),
            ("&#44;&amp;amp;&#91", [.text("&#44;&amp;&#91")]),
            (
                "x[CQ:face,id=&#44;&amp;#93;]y",
                [
                    .text("x"), .code(type: "face", [.init(name: "id", value: ",&#93;")]), .text("y"),
                ]
            ),
        ] as [(String, [CQCode.Segment])])
    func codesAreTakenApart(text: String, segments: [CQCode.Segment]) {
        #expect(CQCode.segments(of: text) == segments)
    }

    @Test func escapedTextReadsAsItself() {
        var generator = SeededGenerator(seed: 11)
        let pieces = ["[", "]", ",", "&", "&amp;", "&#91;", "&#44;", "[CQ:at,qq=1]", "=", "奖", "#", ";"]
        for _ in 0..<500 {
            let text = (0...Int.random(in: 0...8, using: &generator)).compactMap { _ in
                pieces.randomElement(using: &generator)
            }.joined()
            let escaped = text.replacing("&", with: "&amp;").replacing("[", with: "&#91;")
                .replacing("]", with: "&#93;")
            #expect(CQCode.segments(of: escaped) == [.text(text)])
            let value = escaped.replacing(",", with: "&#44;")
            #expect(
                CQCode.segments(of: "[CQ:x,a=\(value)]") == [.code(type: "x", [.init(name: "a", value: text)])])
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: ["[CQ:", "[CQ:at,qq=1]", "[", "&amp;", "]"])
    func hostileCodesTakeLinearTime(part: String) {
        let text = String(repeating: part, count: 400_000 / part.utf8.count)
        #expect(!CQCode.segments(of: text).isEmpty)
    }

    // MARK: Verifying

    @Test(arguments: ["{", "[]", "", #"{"post_type":"message","post_type":"message"}"#])
    func whatIsNoObjectIsRefused(body: String) {
        #expect(throws: WebhookFault.malformedBody) {
            try adapter.receive(Self.request(Array(body.utf8)), now: Self.now)
        }
    }

    @Test func requestMustBeAPostOfJSONToTheEndpointItself() {
        var request = Self.request(Array(Self.groupBody.utf8))
        request.method = "GET"
        #expect(throws: WebhookFault.wrongMethod) { try adapter.receive(request, now: Self.now) }
        request.method = "POST"
        request.path = "/ws"
        #expect(throws: WebhookFault.unknownPath) { try adapter.receive(request, now: Self.now) }
        #expect(throws: WebhookFault.wrongMediaType) {
            try adapter.receive(Self.request(Array(Self.groupBody.utf8), contentType: "text/plain"), now: Self.now)
        }
    }

    @Test func upperCaseDigestIsRefused() throws {
        var request = Self.request(Array(Self.groupBody.utf8))
        let digest = try #require(request.header("x-signature")).dropFirst(5)
        for signature in ["sha1=" + digest.uppercased(), "SHA1=" + digest, "sha1=" + digest.dropLast(2), "sha1=", ""] {
            request.headers = [("content-type", "application/json"), ("x-signature", signature)]
            #expect(throws: WebhookFault.badSignature) { try adapter.receive(request, now: Self.now) }
        }
    }

    @Test func withoutASecretPostsAreRefused() throws {
        let socketOnly = try OneBot11Adapter(PlatformSettings(["access_token": "ws-token-77"]))
        #expect(socketOnly.socket != nil)
        #expect(adapter.socket == nil)
        #expect(throws: WebhookFault.missingSignature) {
            try socketOnly.receive(Self.request(Array(Self.groupBody.utf8)), now: Self.now)
        }
    }

    @Test(arguments: [
        ([:], "secret"), (["api_url": "https://example.org"], "secret"),
        (["secret": "x", "at_sender": "yes"], "at_sender"),
        (["secret": "x", "api_url": "http://example.org"], "api_url"),
    ])
    func badSettingIsNamed(settings: [String: String], name: String) {
        let fault = #expect(throws: SettingFault.self) { try OneBot11Adapter(PlatformSettings(settings)) }
        #expect(fault?.setting == name)
    }

    // MARK: Answering

    @Test("hardening row 15: a reply is plain text") func quickOperationIsPlainText() throws {
        let group = try #require(try messages(Array(Self.groupBody.utf8)).first)
        let alone = try #require(try messages(Array(Self.privateBody.utf8)).first)
        func body(_ message: IncomingMessage, _ text: String?, _ adapter: OneBot11Adapter? = nil) -> String {
            let answered = AnsweredMessage(message: message, text: text, isConflict: true)
            let response = (adapter ?? self.adapter).response(to: [answered], now: Self.now)
            return "\(response.status) " + String(decoding: response.body, as: UTF8.self)
        }
        let text = "[CQ:at,qq=all]\n奖"
        #expect(
            body(group, text) == #"200 {"reply":"[CQ:at,qq=all]\n奖","auto_escape":true,"at_sender":true}"#)
        #expect(body(alone, text) == #"200 {"reply":"[CQ:at,qq=all]\n奖","auto_escape":true}"#)
        #expect(body(group, nil) == "204 ")
        let quiet = try OneBot11Adapter(PlatformSettings(["secret": Self.secret, "at_sender": "false"]))
        #expect(body(group, "奖", quiet) == #"200 {"reply":"奖","auto_escape":true,"at_sender":false}"#)
        #expect(adapter.response(to: [], now: Self.now) == .empty)
        #expect(adapter.answersInResponse(to: group))
    }

    @Test func longReplyIsCut() throws {
        let group = try #require(try messages(Array(Self.groupBody.utf8)).first)
        let answered = AnsweredMessage(message: group, text: String(repeating: "奖", count: 1501))
        let body = adapter.response(to: [answered], now: Self.now).body
        let reply = try StrictJSON.parse(body, maximumSize: 1 << 20).objectValue?["reply"]?.stringValue
        #expect(reply == String(repeating: "奖", count: 1497) + "\n……")
    }
}
