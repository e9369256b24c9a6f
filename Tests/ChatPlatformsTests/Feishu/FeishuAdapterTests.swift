import Basics
import Crypto
import CryptoExtras
import Foundation
import Testing

@testable import ChatPlatforms

struct FeishuAdapterTests {
    static let verificationToken = "verification-token-for-tests"
    static let encryptKey = "encrypt-key-for-tests-0001"
    static let now = Instant(milliseconds: 1_760_000_061_000)

    static func adapter(_ more: [String: String] = [:]) throws -> FeishuAdapter {
        let settings = ["verification_token": verificationToken, "encrypt_key": encryptKey, "bot_open_id": "ou_bot"]
        return try FeishuAdapter(PlatformSettings(settings.merging(more) { $1 }))
    }

    static func event(
        text: String = "抽奖", mentions: [[String: Any]] = [], changes: [(path: [String], value: Any?)] = []
    ) -> [String: Any] {
        var event: [String: Any] = [
            "schema": "2.0",
            "header": [
                "event_id": "e1", "event_type": "im.message.receive_v1", "create_time": "1760000060000",
                "token": verificationToken, "app_id": "cli_1",
            ],
            "event": [
                "sender": ["sender_id": ["open_id": "ou_1", "user_id": "u1"], "sender_type": "user"],
                "message": [
                    "message_id": "om_1", "create_time": "1760000059123", "chat_id": "oc_1", "chat_type": "group",
                    "message_type": "text", "content": String(decoding: json(["text": text]), as: UTF8.self),
                    "mentions": mentions,
                ] as [String: Any],
            ],
        ]
        for change in changes { event = changed(event, change.path[...], change.value) }
        return event
    }

    /// With the value at a path replaced, or taken away.
    static func changed(_ object: [String: Any], _ path: ArraySlice<String>, _ value: Any?) -> [String: Any] {
        guard let key = path.first else { return object }
        var object = object
        object[key] =
            path.count == 1 ? value : changed(object[key] as? [String: Any] ?? [:], path.dropFirst(), value)
        return object
    }

    static func json(_ value: [String: Any]) -> [UInt8] {
        (try? JSONSerialization.data(withJSONObject: value, options: .sortedKeys)).map { Array($0) } ?? []
    }

    static func encrypt(_ plaintext: [UInt8], padded: Bool = true) throws -> String {
        let iv = Array(0..<16 as Range<UInt8>)
        let ciphertext = try AES._CBC.encrypt(
            plaintext, using: SymmetricKey(data: SHA256.hash(data: Data(encryptKey.utf8))),
            iv: AES._CBC.IV(ivBytes: iv), noPadding: !padded)
        return (iv + ciphertext).withUnsafeBytes { Data($0).base64EncodedString() }
    }

    static func signed(_ body: [UInt8], contentType: String = "application/json") -> WebhookRequest {
        let digest = SHA256.hash(data: Data("1760000060n1\(encryptKey)".utf8) + Data(body))
        return WebhookRequest(
            method: "POST",
            headers: [
                ("Content-Type", contentType), ("X-Lark-Request-Timestamp", "1760000060"),
                ("X-Lark-Request-Nonce", "n1"),
                ("X-Lark-Signature", digest.map { String(format: "%02x", Int($0)) }.joined()),
            ], body: body)
    }

    static func request(_ event: [String: Any]) throws -> WebhookRequest {
        signed(json(["encrypt": try encrypt(json(event))]))
    }

    static func receive(_ event: [String: Any], _ more: [String: String] = [:]) throws -> WebhookEvent {
        try adapter(more).receive(request(event), now: now)
    }

    static func message(_ event: [String: Any], _ more: [String: String] = [:]) throws -> IncomingMessage {
        guard case .messages(let messages) = try receive(event, more), messages.count == 1 else {
            Issue.record("not a message")
            throw WebhookFault.malformedBody
        }
        return messages[0]
    }

    // MARK: Vectors

    @Test(arguments: PlatformVector.requests(of: .feishu))
    func requestVectorHolds(vector: PlatformVector) throws {
        var settings = vector.secret ?? [:]
        if settings["encrypt_key"] == nil { settings["allow_unsigned"] = "true" }
        vector.check(try FeishuAdapter(PlatformSettings(settings)))
    }

    @Test(arguments: PlatformVector.of(.feishu).filter { $0.kind == "decrypt" })
    func decryptVectorHolds(vector: PlatformVector) throws {
        let encrypted = try #require(vector.input?["encrypt"])
        let key = try #require(vector.secret?["encrypt_key"])
        let plaintext = FeishuCipher.decrypt(encrypted, key: Secret(key)).map { String(decoding: $0, as: UTF8.self) }
        #expect(plaintext == vector.expected["plaintext"])
        #expect((plaintext != nil) == vector.valid)
    }

    @Test func noVectorIsLeftOut() {
        #expect(PlatformVector.of(.feishu).count == PlatformVector.requests(of: .feishu).count + 2)
    }

    // MARK: Verification

    @Test(
        arguments: [
            ("x-lark-signature", String(repeating: "0", count: 64), .badSignature),
            ("x-lark-signature", String(repeating: "A", count: 64), .malformedSignature),
            ("x-lark-signature", "00", .malformedSignature), ("x-lark-signature", "", .malformedSignature),
            ("x-lark-request-nonce", "n2", .badSignature), ("x-lark-request-timestamp", "1760000061", .badSignature),
            ("x-lark-request-nonce", nil, .missingSignature), ("x-lark-request-timestamp", nil, .missingSignature),
            ("x-lark-signature", nil, .missingSignature),
        ] as [(String, String?, WebhookFault)])
    func wrongHeaderIsRefused(name: String, value: String?, fault: WebhookFault) throws {
        var request = try Self.request(Self.event())
        request.headers.removeAll { $0.name == name }
        if let value { request.headers.append((name, value)) }
        #expect(throws: fault) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func repeatedSignatureIsRefused() throws {
        var request = try Self.request(Self.event())
        let signature = try #require(request.headers.first { $0.name == "x-lark-signature" })
        request.headers.append(signature)
        #expect(throws: WebhookFault.missingSignature) { try Self.adapter().receive(request, now: Self.now) }
    }

    /// Nothing may tell whether a ciphertext that somebody made up has a right padding.
    @Test func unsignedCiphertextsAreRefusedAlike() throws {
        let handshake: [String: Any] = [
            "type": "url_verification", "token": Self.verificationToken, "challenge": "c",
        ]
        var bodies = [
            Self.json(["encrypt": try Self.encrypt(Array("not JSON".utf8))]),
            Self.json(["encrypt": try Self.encrypt(Self.json(Self.event()))]),
            Self.json(["encrypt": try Self.encrypt(Array(repeating: 0, count: 32), padded: false)]),
            Self.json(["encrypt": try Self.encrypt(Self.json(Self.changed(handshake, ["token"], "other")))]),
            Self.json(["encrypt": try Self.encrypt(Self.json(Self.changed(handshake, ["challenge"], 1)))]),
            Self.json(["encrypt": "AAAA"]), Self.json(["encrypt": "?"]), Self.json(["encrypt": 1]),
            Self.json(handshake), Array("{".utf8), [],
        ]
        for body in bodies {
            let request = WebhookRequest(
                method: "POST", headers: [("Content-Type", "application/json")], body: body)
            #expect(throws: WebhookFault.missingSignature) { try Self.adapter().receive(request, now: Self.now) }
        }
        // While the right one is answered.
        bodies = [Self.json(["encrypt": try Self.encrypt(Self.json(handshake))])]
        let request = WebhookRequest(method: "POST", headers: [("Content-Type", "application/json")], body: bodies[0])
        let event = try Self.adapter().receive(request, now: Self.now)
        #expect(event == .answer(.json(.object(["challenge": "c"]))))
    }

    @Test func brokenCiphertextLooksLikeABrokenSignature() throws {
        for encrypted in ["AAAA", "", "?", try Self.encrypt(Array(repeating: 0, count: 32), padded: false)] {
            let request = Self.signed(Self.json(["encrypt": encrypted]))
            #expect(throws: WebhookFault.badCiphertext) { try Self.adapter().receive(request, now: Self.now) }
        }
        let adapter = try Self.adapter()
        #expect(adapter.refusal(.badCiphertext) == adapter.refusal(.badSignature))
        #expect(adapter.refusal(.badCiphertext) == adapter.refusal(.missingSignature))
    }

    @Test func signedPlaintextIsRefused() throws {
        let request = Self.signed(Self.json(Self.event()))
        #expect(throws: WebhookFault.notEncrypted) { try Self.adapter().receive(request, now: Self.now) }
    }

    /// SHA-256 can be continued without the key; what is then behind the document makes it none.
    @Test func signedBodyWithMoreBehindItIsRefused() throws {
        let body = Self.json(["encrypt": try Self.encrypt(Self.json(Self.event()))])
        let request = Self.signed(body + [0x80, 0, 0] + Array("{}".utf8))
        #expect(throws: WebhookFault.malformedBody) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func tokenIsChecked() throws {
        #expect(throws: WebhookFault.badToken) {
            try Self.receive(Self.event(changes: [(["header", "token"], "verification-token-for-testz")]))
        }
        #expect(throws: WebhookFault.missingToken) {
            try Self.receive(Self.event(changes: [(["header", "token"], nil)]))
        }
        #expect(throws: WebhookFault.missingToken) {
            try Self.receive(Self.event(changes: [(["header", "token"], 1)]))
        }
    }

    @Test func otherAppIsRefused() throws {
        let app = ["app_id": "cli_2", "app_secret": "app-secret-for-tests-0001"]
        #expect(throws: WebhookFault.receiverMismatch) { try Self.receive(Self.event(), app) }
        #expect(throws: WebhookFault.receiverMismatch) {
            try Self.receive(Self.event(changes: [(["header", "app_id"], nil)]), app)
        }
        #expect(try Self.message(Self.event(), app.merging(["app_id": "cli_1"]) { $1 }).account == "cli_1")
    }

    @Test func wrongMethodPathAndTypeAreRefused() throws {
        var request = try Self.request(Self.event())
        request.method = "GET"
        #expect(throws: WebhookFault.wrongMethod) { try Self.adapter().receive(request, now: Self.now) }
        request = try Self.request(Self.event())
        request.path = "/x"
        #expect(throws: WebhookFault.unknownPath) { try Self.adapter().receive(request, now: Self.now) }
        request = Self.signed(request.body, contentType: "text/plain")
        #expect(throws: WebhookFault.wrongMediaType) { try Self.adapter().receive(request, now: Self.now) }
    }

    // MARK: Messages

    @Test func messageIsRead() throws {
        let message = try Self.message(Self.event(text: " 抽奖\u{3000}"))
        var expected = IncomingMessage(userID: "ou_1", chatID: "oc_1", messageID: "om_1", text: "抽奖", dedupe: "e1")
        expected.postID = "om_1"
        expected.account = "cli_1"
        expected.sentAt = Instant(milliseconds: 1_760_000_059_123)
        expected.address = ReplyAddress(chat: "oc_1", isPrivate: false, user: "ou_1", message: "om_1")
        #expect(message == expected)
    }

    @Test(arguments: [
        ["event"], ["event", "sender"], ["event", "sender", "sender_type"], ["event", "sender", "sender_id"],
        ["event", "sender", "sender_id", "open_id"], ["event", "message"], ["event", "message", "message_id"],
        ["event", "message", "chat_id"], ["event", "message", "chat_type"], ["event", "message", "message_type"],
        ["event", "message", "content"], ["header", "event_id"],
    ])
    func neededFieldIsNeeded(path: [String]) throws {
        let wrong: [Any?] = [nil, NSNull(), 1, true, [1], ["a": 1]]
        for value in wrong {
            let event = Self.event(changes: [(path, value)])
            #expect(throws: WebhookFault.malformedBody, "\(path) \(String(describing: value))") {
                try Self.receive(event)
            }
        }
    }

    @Test(arguments: [
        "", "text", "[]", "{}", #"{"text":null}"#, #"{"text":1}"#, #"{"text":"a","text":"b"}"#, #"{"text":"a"} "b""#,
    ])
    func wrongContentIsRefused(content: String) throws {
        let event = Self.event(changes: [(["event", "message", "content"], content)])
        #expect(throws: WebhookFault.malformedBody) { try Self.receive(event) }
    }

    @Test func wrongOptionalFieldIsRefused() throws {
        let wrong: [(path: [String], value: Any?)] = [
            (["event", "message", "create_time"], 1_760_000_059_123), (["event", "message", "create_time"], "-1"),
            (["event", "message", "create_time"], "99999999999999999999"),
            (["event", "message", "create_time"], "1e3"),
            (["event", "message", "mentions"], "x"), (["event", "message", "mentions"], [1]),
            (["event", "message", "mentions"], [["key": ""]]), (["event", "message", "mentions"], [["key": "抽奖"]]),
            (["event", "message", "thread_id"], 1), (["event", "message", "root_id"], "a\nb"),
            (["header", "app_id"], 1),
        ]
        for change in wrong {
            #expect(throws: WebhookFault.malformedBody, "\(change)") { try Self.receive(Self.event(changes: [change])) }
        }
    }

    @Test(arguments: [
        ["event", "message", "message_id"], ["event", "message", "chat_id"], ["header", "event_id"],
        ["event", "sender", "sender_id", "open_id"],
    ])
    func strangeIDIsRefused(path: [String]) throws {
        for id in ["", "a\u{7}b", "a\u{85}", String(repeating: "x", count: 129)] {
            #expect(throws: WebhookFault.malformedBody) { try Self.receive(Self.event(changes: [(path, id)])) }
        }
        _ = try Self.message(Self.event(changes: [(path, String(repeating: "x", count: 128))]))
    }

    @Test func repeatedKeyIsRefused() throws {
        let text = String(decoding: Self.json(Self.event()), as: UTF8.self)
        let repeated = text.replacing(#""open_id":"ou_1""#, with: #""open_id":"ou_1","open\u005fid":"ou_2""#)
        #expect(repeated != text)
        let request = Self.signed(Self.json(["encrypt": try Self.encrypt(Array(repeated.utf8))]))
        #expect(throws: WebhookFault.malformedBody) { try Self.adapter().receive(request, now: Self.now) }
    }

    @Test func eventsOfOtherKindsAreLeftOut() throws {
        let others: [[(path: [String], value: Any?)]] = [
            [(["event", "sender", "sender_type"], "app")], [(["event", "sender", "sender_type"], "anonymous")],
            [
                (["event", "message", "message_type"], "image"),
                (["event", "message", "content"], #"{"image_key":"x"}"#),
            ],
            [(["header", "event_type"], "im.message.message_read_v1"), (["event"], nil)],
            [(["header"], nil), (["token"], Self.verificationToken), (["type"], "event_callback")],
        ]
        for changes in others { #expect(try Self.receive(Self.event(changes: changes)) == .messages([])) }
    }

    @Test func privateChatIsPrivate() throws {
        let message = try Self.message(Self.event(changes: [(["event", "message", "chat_type"], "p2p")]))
        #expect(message.isPrivate && message.address?.isPrivate == true && message.chatID == "oc_1")
    }

    @Test func topicsAreToldApart() throws {
        let topic: (path: [String], value: Any?) = (["event", "message", "chat_type"], "topic_group")
        #expect(try Self.message(Self.event(changes: [topic])).address?.thread == "om_1")
        let root: (path: [String], value: Any?) = (["event", "message", "root_id"], "om_0")
        #expect(try Self.message(Self.event(changes: [topic, root])).address?.thread == "om_0")
        let thread: (path: [String], value: Any?) = (["event", "message", "thread_id"], "omt_0")
        #expect(try Self.message(Self.event(changes: [topic, root, thread])).address?.thread == "omt_0")
        #expect(try Self.message(Self.event()).address?.thread == nil)
    }

    @Test func timeOfTheEventStandsInForTheMessages() throws {
        let without = try Self.message(Self.event(changes: [(["event", "message", "create_time"], nil)]))
        #expect(without.sentAt == Instant(milliseconds: 1_760_000_060_000))
        let neither = Self.event(changes: [
            (["event", "message", "create_time"], nil), (["header", "create_time"], nil),
        ])
        #expect(try Self.message(neither).sentAt == nil)
    }

    @Test func longTextStaysLong() throws {
        let text = try Self.message(Self.event(text: String(repeating: "奖", count: 30_000))).text
        #expect(text.utf8.count > 4096 && text.utf8.count < 64 * 1024)
        #expect(try Self.message(Self.event(text: String(repeating: "x", count: 65_536))).text.count == 65_536)
    }

    static var mentions: [[String: Any]] {
        [
            ["key": "@_user_1", "id": ["open_id": "ou_bot"], "name": "抽奖姬"],
            ["key": "@_user_10", "id": ["open_id": "ou_10"], "name": "阿花"],
            ["key": "@_user_2", "id": NSNull(), "name": "@_user_1"], ["key": "@_user_3"],
        ]
    }

    @Test(arguments: [
        ("@_user_1 抽奖", "抽奖", true), ("抽奖@_user_1", "抽奖", true), ("@_user_10 抽奖", "@阿花 抽奖", false),
        ("@_user_1 转赠 @_user_10", "转赠 @阿花", true), ("@_user_2 x", "@@_user_1 x", false), ("@_user_3", "@", false),
        ("@_user_4 @_all", "@_user_4 @_all", false), ("a@b 抽奖", "a@b 抽奖", false), ("", "", false),
        ("@_user_1", "", true),
    ])
    func mentionsAreReplaced(text: String, expected: String, isMentioned: Bool) throws {
        let message = try Self.message(Self.event(text: text, mentions: Self.mentions))
        #expect(message.text == expected)
        #expect(message.isMentioned == isMentioned)
    }

    /// Without `bot_open_id`, whom a group's message begins with is taken for the bot.
    @Test(arguments: [
        ("@_user_10 抽奖", "抽奖", true, "group"), (" \n@_user_10 抽奖", "抽奖", true, "group"),
        ("@_user_1 转赠 @_user_10", "转赠 @阿花", true, "group"), ("@_user_1@_user_10", "@阿花", true, "group"),
        ("转赠 @_user_10", "转赠 @阿花", false, "group"), ("@_user_10 抽奖", "@阿花 抽奖", false, "p2p"),
    ])
    func firstMentionIsTheBotsWhereItsIDIsNotKnown(
        text: String, expected: String, isMentioned: Bool, chatType: String
    ) throws {
        let event = Self.event(
            text: text, mentions: Self.mentions, changes: [(["event", "message", "chat_type"], chatType)])
        let message = try Self.message(event, ["bot_open_id": ""])
        #expect(message.text == expected)
        #expect(message.isMentioned == isMentioned)
    }

    @Test func responseSaysNothing() throws {
        let adapter = try Self.adapter()
        let message = try Self.message(Self.event())
        #expect(!adapter.answersInResponse(to: message))
        let response = adapter.response(to: [AnsweredMessage(message: message, text: "中奖")], now: Self.now)
        #expect(response == WebhookResponse(status: 200, contentType: "application/json", body: Array("{}".utf8)))
    }

    // MARK: Settings

    @Test(arguments: [
        (["verification_token": ""], "verification_token"), (["encrypt_key": ""], "encrypt_key"),
        (["encrypt_key": "", "allow_unsigned": "false"], "encrypt_key"), (["allow_unsigned": "yes"], "allow_unsigned"),
        (["app_id": "cli_1"], "app_secret"), (["app_secret": "s"], "app_id"),
        (["api_url": "http://open.feishu.cn"], "api_url"), (["api_url": "feishu"], "api_url"),
    ])
    func wrongSettingIsNamed(settings: [String: String], name: String) {
        let fault = #expect(throws: SettingFault.self) { try Self.adapter(settings) }
        #expect(fault?.setting == name)
    }

    @Test func everySettingIsListed() throws {
        #expect(
            FeishuAdapter.settings.map(\.name).sorted() == [
                "allow_unsigned", "api_url", "app_id", "app_secret", "bot_open_id", "encrypt_key", "verification_token",
            ])
        #expect(
            FeishuAdapter.settings.filter(\.isSecret).map(\.name).sorted() == [
                "app_secret", "encrypt_key", "verification_token",
            ])
        #expect(try Self.adapter().sender == nil)
    }
}
