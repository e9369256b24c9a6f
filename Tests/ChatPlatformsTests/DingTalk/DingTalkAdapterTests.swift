import Basics
import ChatPlatforms
import Crypto
import Foundation
import Testing

struct DingTalkAdapterTests {
    static let appSecret = "app-secret-for-tests-0001"
    static let now = Instant(milliseconds: 1_760_000_071_000)

    static func adapter(_ more: [String: String] = [:]) throws -> DingTalkAdapter {
        try DingTalkAdapter(PlatformSettings(["app_secret": appSecret].merging(more) { $1 }))
    }

    static func body(_ changes: [String: Any?] = [:]) -> [String: Any] {
        var body: [String: Any] = [
            "msgtype": "text", "text": ["content": " 抽奖 "], "msgId": "m1==", "createAt": 1_760_000_070_001,
            "conversationType": "2", "conversationId": "cid1==", "senderId": "$:LWCP_v1:$u1", "senderStaffId": "staff1",
            "isAdmin": true, "isInAtList": true, "robotCode": "robot1", "chatbotCorpId": "corp1",
            "chatbotUserId": "$:LWCP_v1:$bot",
            "sessionWebhook": "https://oapi.dingtalk.com/robot/sendBySession?session=s1",
            "sessionWebhookExpiredTime": 1_760_005_470_123,
        ]
        for (key, value) in changes { body[key] = value }
        return body
    }

    static func request(_ body: [String: Any], timestamp: String = "1760000070123") -> WebhookRequest {
        let data = try? JSONSerialization.data(withJSONObject: body, options: .sortedKeys)
        return request(text: data.map { Array($0) } ?? [], timestamp: timestamp)
    }

    static func request(text: [UInt8], timestamp: String = "1760000070123") -> WebhookRequest {
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(timestamp)\n\(appSecret)".utf8), using: SymmetricKey(data: Data(appSecret.utf8)))
        return WebhookRequest(
            method: "POST",
            headers: [
                ("Content-Type", "application/json; charset=utf-8"), ("timestamp", timestamp),
                ("sign", Data(code).base64EncodedString()),
            ], body: text)
    }

    static func receive(_ changes: [String: Any?] = [:], _ more: [String: String] = [:]) throws -> WebhookEvent {
        try adapter(more).receive(request(body(changes)), now: now)
    }

    static func message(_ changes: [String: Any?] = [:], _ more: [String: String] = [:]) throws -> IncomingMessage {
        guard case .messages(let messages) = try receive(changes, more), messages.count == 1 else {
            Issue.record("not a message")
            throw WebhookFault.malformedBody
        }
        return messages[0]
    }

    // MARK: Vectors

    /// Two vectors do not name the fields of their message.
    static let uncheckedVectors: Set = ["dingtalk-body-not-covered", "dingtalk-foreign-session-webhook"]

    @Test(arguments: PlatformVector.requests(of: .dingtalk).filter { !uncheckedVectors.contains($0.id) })
    func requestVectorHolds(vector: PlatformVector) throws {
        vector.check(try DingTalkAdapter(PlatformSettings(vector.secret ?? [:])))
    }

    @Test(arguments: PlatformVector.of(.dingtalk).filter { uncheckedVectors.contains($0.id) })
    func signedVectorIsAccepted(vector: PlatformVector) throws {
        let adapter = try DingTalkAdapter(PlatformSettings(vector.secret ?? [:]))
        guard case .messages(let messages) = try adapter.receive(vector.request(), now: vector.nowInstant) else {
            Issue.record("not a message")
            return
        }
        #expect(messages.count == 1 && messages[0].userID == "staff01")
        let isRefused = vector.expected["reply_refused"] == "true"
        #expect((messages[0].address == nil) == isRefused)
        if !isRefused { #expect(messages[0].text == "抽奖 周末福利 9") }
        // Not even from an address that was kept.
        let url = try #require(
            try StrictJSON.parse(Array((vector.body ?? "").utf8), maximumSize: 1 << 16).objectValue?["sessionWebhook"]?
                .stringValue)
        let address = ReplyAddress(chat: "c", isPrivate: false, user: "u", url: url)
        let reply = OutgoingReply(address: address, text: "x", key: "k")
        #expect((adapter.sender?.call(saying: [reply], token: nil) == nil) == isRefused)
    }

    @Test func noVectorIsLeftOut() {
        #expect(PlatformVector.of(.dingtalk).count == PlatformVector.requests(of: .dingtalk).count)
        #expect(PlatformVector.of(.dingtalk).filter { Self.uncheckedVectors.contains($0.id) }.count == 2)
    }

    // MARK: Verification

    @Test(
        arguments: [
            ("sign", nil, .missingSignature), ("timestamp", nil, .missingSignature), ("sign", "", .malformedSignature),
            ("sign", "AAAA", .malformedSignature), ("sign", "?", .malformedSignature),
            ("sign", String(repeating: "A", count: 43) + "=", .badSignature),
            ("timestamp", "1760000070124", .badSignature),
            ("timestamp", "", .malformedTimestamp), ("timestamp", "-1760000070123", .malformedTimestamp),
            ("timestamp", "+1760000070123", .malformedTimestamp), ("timestamp", " 1760000070123", .malformedTimestamp),
            ("timestamp", "99999999999999999999", .malformedTimestamp),
            ("timestamp", "1760000070123x", .malformedTimestamp),
        ] as [(String, String?, WebhookFault)])
    func wrongHeaderIsRefused(name: String, value: String?, fault: WebhookFault) throws {
        var request = Self.request(Self.body())
        request.headers.removeAll { $0.name == name }
        if let value { request.headers.append((name, value)) }
        #expect(throws: fault) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func repeatedHeaderIsRefused() throws {
        for name in ["sign", "timestamp"] {
            var request = Self.request(Self.body())
            request.headers.append(try #require(request.headers.first { $0.name == name }))
            #expect(throws: WebhookFault.missingSignature) { try Self.adapter().receive(request, now: Self.now) }
        }
    }

    @Test(arguments: [
        ("3600", 3_599_999, true), ("3600", 3_600_000, false), ("3600", -3_599_999, true), ("3600", -3_600_000, false),
        ("60", 59_999, true), ("60", 60_000, false), ("1", 999, true), ("1", 1000, false),
    ])
    func signatureIsGoodForItsTime(seconds: String, age: Int64, isGood: Bool) throws {
        let adapter = try Self.adapter(["max_age_seconds": seconds])
        let now = Instant(milliseconds: 1_760_000_070_123 + age)
        if isGood {
            _ = try adapter.receive(Self.request(Self.body()), now: now)
        } else {
            #expect(throws: WebhookFault.staleTimestamp) { try adapter.receive(Self.request(Self.body()), now: now) }
        }
    }

    @Test(arguments: ["1760000070", "0", "9999999999999"])
    func strangeTimeIsStale(timestamp: String) throws {
        #expect(throws: WebhookFault.staleTimestamp) {
            try Self.adapter().receive(Self.request(Self.body(), timestamp: timestamp), now: Self.now)
        }
    }

    @Test func otherReceiverIsRefused() throws {
        let settings = ["robot_code": "robot1", "corp_id": "corp1"]
        _ = try Self.message([:], settings)
        for (key, value) in [
            ("robotCode", "robot2"), ("chatbotCorpId", "corp2"), ("robotCode", nil), ("chatbotCorpId", nil),
        ] {
            #expect(throws: WebhookFault.receiverMismatch) { try Self.receive([key: value], settings) }
        }
        #expect(throws: WebhookFault.receiverMismatch) { try Self.receive(["robotCode": 1], settings) }
        _ = try Self.message(["robotCode": "robot2", "chatbotCorpId": "corp2"])
    }

    @Test func wrongMethodPathAndTypeAreRefused() throws {
        var request = Self.request(Self.body())
        request.method = "PUT"
        #expect(throws: WebhookFault.wrongMethod) { try Self.adapter().receive(request, now: Self.now) }
        request = Self.request(Self.body())
        request.path = "/x"
        #expect(throws: WebhookFault.unknownPath) { try Self.adapter().receive(request, now: Self.now) }
        request = Self.request(Self.body())
        request.headers[0].value = "application/x-www-form-urlencoded"
        #expect(throws: WebhookFault.wrongMediaType) { try Self.adapter().receive(request, now: Self.now) }
    }

    // MARK: Messages

    @Test func messageIsRead() throws {
        var expected = IncomingMessage(
            userID: "staff1", chatID: "cid1==", messageID: "m1==", text: "抽奖", dedupe: "m1==")
        expected.adminHint = .yes
        expected.isMentioned = true
        expected.account = "robot1"
        expected.sentAt = Instant(milliseconds: 1_760_000_070_001)
        expected.address = ReplyAddress(
            chat: "cid1==", isPrivate: false, user: "staff1", account: "robot1",
            url: "https://oapi.dingtalk.com/robot/sendBySession?session=s1",
            expiresAt: Instant(milliseconds: 1_760_005_470_123))
        #expect(try Self.message() == expected)
        #expect(!DingTalkAdapter.signsRoles)
    }

    @Test func messageOfAnOutsiderIsRead() throws {
        let message = try Self.message(["senderStaffId": nil, "isAdmin": nil, "robotCode": "", "conversationType": "1"])
        #expect(message.userID == "$:LWCP_v1:$u1")
        #expect(message.adminHint == .unknown)
        #expect(message.account == "$:LWCP_v1:$bot")
        #expect(message.isPrivate && message.address?.isPrivate == true)
        #expect(try Self.message(["isAdmin": false, "isInAtList": NSNull()]).adminHint == .no)
        #expect(try !Self.message(["isInAtList": false]).isMentioned)
        #expect(try Self.message(["robotCode": nil, "chatbotUserId": nil]).account == "")
    }

    @Test(arguments: ["msgtype", "text", "msgId", "createAt", "conversationType", "conversationId"])
    func neededFieldIsNeeded(name: String) throws {
        let wrong: [Any?] = [nil, NSNull(), true, [1], ["a": 1], 1.5, name == "createAt" ? "1760000070001" : 1]
        for value in wrong {
            #expect(throws: WebhookFault.malformedBody, "\(name) \(String(describing: value))") {
                try Self.receive([name: value])
            }
        }
    }

    @Test func wrongFieldIsRefused() throws {
        let wrong: [[String: Any?]] = [
            ["senderStaffId": nil, "senderId": nil], ["senderStaffId": "", "senderId": ""], ["senderStaffId": 1],
            ["senderId": 1], ["robotCode": 1], ["chatbotUserId": [1]], ["isAdmin": "true"], ["isInAtList": 1.5],
            ["text": ["content": 1]], ["text": ["content": NSNull()]], ["text": [:] as [String: Any]],
            ["conversationType": "3"], ["conversationType": ""], ["createAt": -1], ["createAt": 253_402_300_800_000],
            ["msgId": "a\nb"], ["msgId": "a\u{9B}b"], ["msgId": String(repeating: "x", count: 129)], ["msgId": ""],
            ["conversationId": String(repeating: "x", count: 129)],
            ["senderStaffId": String(repeating: "x", count: 129)],
        ]
        for changes in wrong {
            #expect(throws: WebhookFault.malformedBody, "\(changes)") { try Self.receive(changes) }
        }
    }

    @Test func repeatedKeyIsRefused() throws {
        let text = String(decoding: Self.request(Self.body()).body, as: UTF8.self)
        let repeated = text.replacing(
            #""senderStaffId":"staff1""#, with: #""senderStaffId":"staff1","senderSt\u0061ffId":"s2""#)
        #expect(repeated != text)
        for body in [repeated, "[]", "", "{}x", "{"] {
            #expect(throws: WebhookFault.malformedBody) {
                try Self.adapter().receive(Self.request(text: Array(body.utf8)), now: Self.now)
            }
        }
    }

    @Test("hardening row 14: own messages are left out") func otherKindsAndOwnMessagesAreLeftOut() throws {
        for kind in ["picture", "richText", "audio", ""] {
            #expect(try Self.receive(["msgtype": kind, "text": nil]) == .messages([]))
        }
        #expect(try Self.receive(["senderId": "$:LWCP_v1:$bot"]) == .messages([]))
    }

    @Test func longTextStaysLong() throws {
        let text = try Self.message(["text": ["content": String(repeating: "奖", count: 30_000)]]).text
        #expect(text.utf8.count > 4096 && text.utf8.count < 64 * 1024)
    }

    @Test(
        "hardening row 77: only the platform's addresses are called",
        arguments: [
            ("https://oapi.dingtalk.com/robot/sendBySession?session=a", true), ("https://API.dingtalk.com/x", true),
            ("https://oapi.dingtalk.com:443/x", true), ("https://oapi.dingtalk.com:8443/x", false),
            ("http://oapi.dingtalk.com/x", false), ("https://oapi.dingtalk.com.example.org/x", false),
            ("https://example.org/oapi.dingtalk.com", false), ("https://oapi.dingtalk.com@example.org/", false),
            ("https://example.org\\@oapi.dingtalk.com/", false), ("https://oapi.dingtalk.com#@example.org/", false),
            ("//oapi.dingtalk.com/x", false), ("", false), ("file://oapi.dingtalk.com/x", false),
            ("https://127.0.0.1/", false),
            ("http://127.0.0.1:4000/x", false),
            // This machine, its link, its cloud, its network, in whatever spelling.
            ("https://localhost/", false), ("https://[::1]/", false),
            ("https://169.254.169.254/latest/meta-data", false),
            ("https://metadata.google.internal/", false), ("https://[fe80::1]/", false), ("https://10.0.0.1/", false),
            ("https://172.16.0.1/", false), ("https://192.168.1.1/", false), ("https://[::ffff:127.0.0.1]/", false),
            ("https://[::ffff:7f00:1]/", false), ("https://2130706433/", false), ("https://0177.0.0.1/", false),
            ("https://0x7f.1/", false), ("https://127.1/", false), ("https://0.0.0.0/", false),
            ("https://[fd00::1]/", false),
            ("https://oapi.dingtalk.com.127.0.0.1.nip.io/", false), ("https://oapi.dingtalk.com.:443/", false),
            ("https://a@b/", false), ("https://oapi.dingtalk.com:x@127.0.0.1/", false),
            ("gopher://127.0.0.1:6379/_x", false),
            ("data:text/plain,x", false), ("ftp://oapi.dingtalk.com/x", false), ("javascript:alert(1)", false),
        ])
    func onlyThePlatformsAddressesAreCalled(url: String, isAllowed: Bool) throws {
        let address = try Self.message(["sessionWebhook": url]).address
        #expect(address?.url == (isAllowed ? url : nil))
        let reply = OutgoingReply(
            address: ReplyAddress(chat: "c", isPrivate: true, user: "u", url: url), text: "x", key: "k")
        #expect((try Self.adapter().sender?.call(saying: [reply], token: nil) != nil) == isAllowed)
    }

    @Test func addressWithoutItsTimeIsNotKept() throws {
        for value in [nil, NSNull(), "1760005470123", 1.5] as [Any?] {
            #expect(try Self.message(["sessionWebhookExpiredTime": value]).address == nil)
        }
        #expect(try Self.message(["sessionWebhook": nil]).address == nil)
        #expect(try Self.message(["sessionWebhook": 1]).address == nil)
    }

    @Test func configuredAddressMayBeCalled() throws {
        let settings = ["api_url": "http://127.0.0.1:4000/x"]
        #expect(try Self.message(["sessionWebhook": "http://127.0.0.1:4000/robot?session=a"], settings).address != nil)
        for other in ["http://127.0.0.1:4001/robot", "http://127.0.0.2:4000/", "https://127.0.0.1:4000/"] {
            #expect(try Self.message(["sessionWebhook": other], settings).address == nil)
        }
        #expect(
            try Self.adapter(settings).sender?.allowedHosts == ["oapi.dingtalk.com", "api.dingtalk.com", "127.0.0.1"])
    }

    // MARK: Settings

    @Test(arguments: [
        (["app_secret": ""], "app_secret"), (["max_age_seconds": "0"], "max_age_seconds"),
        (["max_age_seconds": "3601"], "max_age_seconds"), (["max_age_seconds": "+60"], "max_age_seconds"),
        (["max_age_seconds": "1m"], "max_age_seconds"), (["api_url": "http://oapi.dingtalk.com"], "api_url"),
        (["max_age_seconds": "99999999999999999999"], "max_age_seconds"),
    ])
    func wrongSettingIsNamed(settings: [String: String], name: String) {
        let fault = #expect(throws: SettingFault.self) { try Self.adapter(settings) }
        #expect(fault?.setting == name)
    }

    @Test func everySettingIsListed() {
        #expect(
            DingTalkAdapter.settings.map(\.name) == [
                "app_secret", "robot_code", "corp_id", "max_age_seconds", "api_url",
            ])
        #expect(DingTalkAdapter.settings.filter(\.isSecret).map(\.name) == ["app_secret"])
    }

    // MARK: Replies

    static func responseText(_ changes: [String: Any?], _ texts: [String?]) throws -> String {
        let message = try message(changes)
        let answered = texts.map { AnsweredMessage(message: message, text: $0) }
        let adapter = try adapter()
        #expect(adapter.answersInResponse(to: message))
        let response = adapter.response(to: answered, now: now)
        #expect(response.status == 200 && response.contentType == "application/json")
        return String(decoding: response.body, as: UTF8.self)
    }

    @Test func replyStandsInTheResponse() throws {
        #expect(
            try Self.responseText([:], ["恭喜\n\"一等奖\" @all"])
                == #"{"msgtype":"text","text":{"content":"恭喜\n\"一等奖\" @all"},"at":{"atUserIds":["staff1"]}}"#)
        #expect(
            try Self.responseText(["conversationType": "1"], ["一", nil, "二"])
                == #"{"msgtype":"text","text":{"content":"一\n二"}}"#)
        #expect(
            try Self.responseText(["senderStaffId": nil], ["一"]) == #"{"msgtype":"text","text":{"content":"一"}}"#)
    }

    @Test func silenceIsSaidSo() throws {
        #expect(try Self.responseText([:], [nil]) == #"{"msgtype":"empty"}"#)
        #expect(try Self.responseText([:], []) == #"{"msgtype":"empty"}"#)
    }

    @Test func longReplyIsCut() throws {
        let text = try Self.responseText(["conversationType": "1"], [String(repeating: "奖", count: 3000)])
        #expect(text.hasSuffix("奖\\n……\"}}"))
        #expect(text.count < 2000)
    }

    static func reply(_ text: String, user: String = "staff1", session: String? = "s1", isPrivate: Bool = false)
        -> OutgoingReply
    {
        let url = session.map { "https://oapi.dingtalk.com/robot/sendBySession?session=\($0)" }
        return OutgoingReply(
            address: ReplyAddress(chat: "cid1==", isPrivate: isPrivate, user: user, url: url), text: text, key: "k")
    }

    @Test func replyIsSaidToItsSession() throws {
        let sender = try #require(try Self.adapter().sender)
        let call = try #require(sender.call(saying: [Self.reply("轮到你了")], token: nil))
        #expect(call.method == "POST")
        #expect(call.url.text == "https://oapi.dingtalk.com/robot/sendBySession?session=s1")
        #expect(call.headers == ["Content-Type": "application/json"])
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"msgtype":"text","text":{"content":"轮到你了"},"at":{"atUserIds":["staff1"]}}"#)
        let inPrivate = try #require(sender.call(saying: [Self.reply("轮到你了", isPrivate: true)], token: nil))
        #expect(String(decoding: inPrivate.body, as: UTF8.self) == #"{"msgtype":"text","text":{"content":"轮到你了"}}"#)
        #expect(sender.call(saying: [Self.reply("x", session: nil)], token: nil) == nil)
        #expect(sender.call(saying: [], token: nil) == nil)
        #expect(sender.tokenCall() == nil)
    }

    @Test func repliesTogetherMentionTheirUsers() throws {
        let replies = [
            Self.reply("一"), Self.reply("二", user: "$:LWCP_v1:$u2", session: "s2"),
            Self.reply("三", user: "staff3", session: nil),
            Self.reply("四", session: nil),
        ]
        let call = try #require(try Self.adapter().sender?.call(saying: replies, token: nil))
        #expect(call.url.query == "session=s2")
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"msgtype":"text","text":{"content":"@staff1 一\n二\n@staff3 三\n@staff1 四"},"#
                + #""at":{"atUserIds":["staff1","staff3"]}}"#
        )
    }

    @Test func atMostTwentyAreMentioned() throws {
        let replies = (1...25).map { Self.reply("r\($0)", user: "staff\($0)") }
        let call = try #require(try Self.adapter().sender?.call(saying: replies, token: nil))
        let body = try StrictJSON.parse(call.body, maximumSize: 1 << 16).objectValue
        #expect(body?["at"]?.objectValue?["atUserIds"]?.arrayValue?.count == 20)
        let text = try #require(body?["text"]?.objectValue?["content"]?.stringValue)
        #expect(text.contains("@staff20 r20\nr21\n"))
    }

    @Test(
        arguments: [
            (200, #"{"errcode":0,"errmsg":"ok"}"#, .delivered),
            (200, #"{"errcode":310000}"#, .refused(reason: "errcode 310000")),
            (200, #"{"errcode":130101}"#, .later(afterSeconds: 60)),
            (200, #"{"errcode":-1}"#, .later(afterSeconds: nil)),
            (200, "<html>", .refused(reason: "no errcode")), (200, #"{"errcode":"0"}"#, .refused(reason: "no errcode")),
            (503, "", .later(afterSeconds: nil)), (404, "", .refused(reason: "status 404")),
        ] as [(Int, String, DeliveryResult)])
    func answerIsUnderstood(status: Int, body: String, expected: DeliveryResult) throws {
        let sender = try #require(try Self.adapter().sender)
        #expect(sender.result(of: OutboundAnswer(status: status, body: Array(body.utf8))) == expected)
    }

    @Test func limitsAreThePlatforms() throws {
        let limits = try #require(try Self.adapter().sender).limits
        // Twenty a minute, and texts under 2000 characters.
        #expect(limits.millisecondsPerChat * 20 >= 60_000)
        #expect(limits.text.unit == .characters && limits.text.count < 2000)
    }
}
