import Basics
import Crypto
import Foundation
import Testing

@testable import ChatPlatforms

struct StandardWebhooksAdapterTests {
    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    static let body = """
        {"type":"chat.message","timestamp":"2026-01-02T12:00:00Z","data":{"platform":"custom","user_id":"u-1",\
        "chat_id":"c-1","message_id":"m-1","text":"/抽奖","is_admin":true}}
        """
    static let now = Instant(milliseconds: 1_767_355_201_000)

    let adapter: StandardWebhooksAdapter

    init() throws {
        adapter = try StandardWebhooksAdapter(PlatformSettings(["secret": Self.secret]))
    }

    private func request(
        _ body: [UInt8] = Array(Self.body.utf8), id: String = "msg_1", timestamp: String = "1767355200",
        signature: String? = nil, contentType: String = "application/json", method: String = "POST", path: String = ""
    ) -> WebhookRequest {
        let key = SymmetricKey(data: Data(base64Encoded: String(Self.secret.dropFirst(6)))!)
        let code = HMAC<SHA256>.authenticationCode(for: Array("\(id).\(timestamp).".utf8) + body, using: key)
        return WebhookRequest(
            method: method, path: path,
            headers: [
                ("Content-Type", contentType), ("webhook-id", id), ("webhook-timestamp", timestamp),
                ("webhook-signature", signature ?? "v1," + Data(code).base64EncodedString()),
            ], body: body)
    }

    private func message(_ request: WebhookRequest) throws -> IncomingMessage {
        guard case .messages(let messages) = try adapter.receive(request, now: Self.now) else {
            throw WebhookFault.malformedBody
        }
        return try #require(messages.first)
    }

    private func edited(_ path: String, _ value: String?) throws -> WebhookRequest {
        request(try EditedJSON.bytes(Self.body, path, value))
    }

    @Test(arguments: PlatformVector.of(.webhook))
    func vectorHolds(_ vector: PlatformVector) throws {
        vector.check(try StandardWebhooksAdapter(PlatformSettings(vector.secret ?? [:])))
    }

    @Test func everyVectorIsARequest() {
        #expect(PlatformVector.of(.webhook).count == PlatformVector.requests(of: .webhook).count)
        #expect(!PlatformVector.of(.webhook).isEmpty)
    }

    @Test func messageIsReadWhole() throws {
        var expected = IncomingMessage(userID: "u-1", chatID: "c-1", messageID: "m-1", text: "/抽奖", dedupe: "msg_1")
        expected.adminHint = .yes
        expected.sentAt = Instant(milliseconds: 1_767_355_200_000)
        #expect(try message(request()) == expected)
    }

    @Test(arguments: [nil, "null", "\"\""])
    func withoutAChatItIsPrivate(chat: String?) throws {
        let message = try message(edited("data.chat_id", chat))
        #expect(message.isPrivate)
        #expect(message.chatID == "")
    }

    @Test(arguments: [
        (nil, IncomingMessage.AdminHint.unknown), ("null", .unknown), ("false", .no),
    ])
    func adminHintIsWhatTheBodySays(value: String?, hint: IncomingMessage.AdminHint) throws {
        #expect(try message(edited("data.is_admin", value)).adminHint == hint)
    }

    @Test(arguments: [
        ("timestamp", "1"), ("timestamp", "\"\""), ("timestamp", "\"yesterday\""), ("data", nil), ("data", "null"),
        ("data", "[]"), ("data.user_id", nil), ("data.user_id", "null"), ("data.user_id", "1"),
        ("data.user_id", "\"\""),
        ("data.user_id", "\"a\\nb\""), ("data.user_id", "\"a\\u0085b\""), ("data.user_id", "\"a\\u007f\""),
        ("data.chat_id", "1"), ("data.chat_id", "{}"), ("data.chat_id", "\"\\t\""), ("data.message_id", nil),
        ("data.message_id", "null"), ("data.message_id", "7"), ("data.message_id", "\"\""), ("data.text", nil),
        ("data.text", "null"), ("data.text", "5"), ("data.is_admin", "\"true\""), ("data.is_admin", "1"),
    ])
    func badFieldIsRefused(path: String, value: String?) throws {
        let request = try edited(path, value)
        #expect(throws: WebhookFault.malformedBody) { try adapter.receive(request, now: Self.now) }
    }

    @Test(arguments: ["user_id", "chat_id", "message_id"])
    func idHasAtMost128Bytes(name: String) throws {
        let longest = String(repeating: "é", count: 64)
        #expect(throws: Never.self) { try message(edited("data.\(name)", "\"\(longest)\"")) }
        #expect(throws: WebhookFault.malformedBody) { try message(edited("data.\(name)", "\"\(longest)x\"")) }
    }

    @Test(arguments: ["{", "[]", "\"chat.message\"", "", "{\"type\":\"chat.message\",\"type\":\"chat.message\"}"])
    func whatIsNoObjectIsRefused(body: String) {
        #expect(throws: WebhookFault.malformedBody) {
            try adapter.receive(request(Array(body.utf8)), now: Self.now)
        }
    }

    @Test(arguments: [nil, "null", "3", "\"chat.deleted\""])
    func otherTypesAreLeftOut(type: String?) throws {
        #expect(try adapter.receive(edited("type", type), now: Self.now) == .messages([]))
    }

    @Test func requestMustBeAPostOfJSONToTheEndpointItself() {
        #expect(throws: WebhookFault.wrongMethod) { try adapter.receive(request(method: "PUT"), now: Self.now) }
        #expect(throws: WebhookFault.unknownPath) { try adapter.receive(request(path: "/x"), now: Self.now) }
        #expect(throws: WebhookFault.wrongMediaType) {
            try adapter.receive(request(contentType: "application/x-www-form-urlencoded"), now: Self.now)
        }
    }

    @Test(arguments: ["a.b", "", "a b", "é", "a\u{7F}", String(repeating: "a", count: 129)])
    func idThatCannotBeSignedUnambiguouslyIsRefused(id: String) {
        #expect(throws: WebhookFault.malformedSignature) { try adapter.receive(request(id: id), now: Self.now) }
    }

    @Test func idMayHave128Characters() throws {
        let id = String(repeating: "~", count: 128)
        #expect(try message(request(id: id)).dedupe == id)
    }

    @Test(arguments: ["", "+1767355200", "-1", "1767355200.0", " 1767355200", "１７６７３５５２００", "17673552000000"])
    func timestampIsPlainDigits(timestamp: String) {
        #expect(throws: WebhookFault.malformedTimestamp) {
            try adapter.receive(request(timestamp: timestamp), now: Self.now)
        }
    }

    @Test(arguments: ["1767355200000", "0", "1767354900", "1767355502"])
    func timestampTooFarAwayIsStale(timestamp: String) {
        #expect(throws: WebhookFault.staleTimestamp) {
            try adapter.receive(request(timestamp: timestamp), now: Self.now)
        }
    }

    @Test func eightSignaturesAreRead() throws {
        let right = try #require(request().header("webhook-signature"))
        let wrong = Array(repeating: "v1,AAAA", count: 7)
        #expect(throws: Never.self) {
            try adapter.receive(request(signature: (wrong + [right]).joined(separator: " ")), now: Self.now)
        }
        #expect(throws: WebhookFault.malformedSignature) {
            try adapter.receive(request(signature: (wrong + ["v1,AAAA", right]).joined(separator: " ")), now: Self.now)
        }
    }

    @Test func signatureIsInOneEncodingOnly() throws {
        let right = try #require(request().header("webhook-signature"))
        let urlSafe = right.replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "+", with: "-")
        for signature in ["", String(right.dropLast()), right + "=", "V1," + right.dropFirst(3), urlSafe + "!"] {
            #expect(throws: WebhookFault.badSignature) {
                try adapter.receive(request(signature: signature), now: Self.now)
            }
        }
    }

    @Test func repeatedHeaderIsNoHeader() {
        var request = request()
        request.headers.append(("webhook-id", "msg_1"))
        #expect(throws: WebhookFault.missingSignature) { try adapter.receive(request, now: Self.now) }
    }

    @Test func signatureOfOneKindIsNotTakenForAnother() throws {
        let privateKey = Curve25519.Signing.PrivateKey()
        let publicKey = "whpk_" + privateKey.publicKey.rawRepresentation.base64EncodedString()
        let onlyPublic = try StandardWebhooksAdapter(PlatformSettings(["public_key": publicKey]))
        let both = try StandardWebhooksAdapter(PlatformSettings(["public_key": publicKey, "secret": Self.secret]))
        let signed = Array("msg_1.1767355200.".utf8) + Array(Self.body.utf8)
        let asymmetric = "v1a," + (try privateKey.signature(for: signed)).base64EncodedString()
        for adapter in [onlyPublic, both] {
            #expect(throws: Never.self) { try adapter.receive(request(signature: asymmetric), now: Self.now) }
        }
        #expect(throws: Never.self) { try both.receive(request(), now: Self.now) }
        #expect(throws: WebhookFault.badSignature) { try onlyPublic.receive(request(), now: Self.now) }
        #expect(throws: WebhookFault.badSignature) {
            try adapter.receive(request(signature: asymmetric), now: Self.now)
        }
        // A public key is public: as an HMAC key it must open nothing.
        let code = HMAC<SHA256>.authenticationCode(
            for: signed, using: SymmetricKey(data: privateKey.publicKey.rawRepresentation))
        #expect(throws: WebhookFault.badSignature) {
            try both.receive(request(signature: "v1," + Data(code).base64EncodedString()), now: Self.now)
        }
    }

    @Test func overlongTextKeepsOnlyItsBeginning() throws {
        let kept = try message(edited("data.text", "\"抽奖\(String(repeating: "奖", count: 21_844))\"")).text
        #expect(kept.utf8.count <= 8192 && kept.utf8.count > 8188)
        #expect(kept.hasPrefix("抽奖奖") && kept.hasSuffix("奖"))
        let longest = String(repeating: "x", count: 65_536)
        #expect(try message(edited("data.text", "\"\(longest)\"")).text == longest)
    }

    @Test(arguments: [
        ([:], "secret"), (["secret": "whsec_"], "secret"), (["secret": "whsec_c2hvcnQ="], "secret"),
        (["secret": "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "secret"),
        (["secret": "whsec_" + String(repeating: "AAAA", count: 22)], "secret"),
        (["secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS*"], "secret"),
        (["public_key": "ZC1VKCArX7ZdrCCb6a5WRM5G8uqlYX1KaT5Wp3ioUb8="], "public_key"),
        (["public_key": "whpk_ZC1VKCArX7ZdrCCb6a5WRM5G8uqlYX1KaT5Wp3io"], "public_key"),
        (["secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "public_key": "whsec_AAAA"], "public_key"),
    ])
    func badSettingIsNamed(settings: [String: String], name: String) {
        let fault = #expect(throws: SettingFault.self) { try StandardWebhooksAdapter(PlatformSettings(settings)) }
        #expect(fault?.setting == name)
    }

    @Test func answerSaysTheReplyOrNothing() throws {
        let message = try message(request())
        func text(_ answered: [AnsweredMessage]) -> String {
            let response = adapter.response(to: answered, now: Self.now)
            #expect(response.contentType == "application/json")
            return "\(response.status) " + String(decoding: response.body, as: UTF8.self)
        }
        #expect(text([]) == "200 {}")
        #expect(text([AnsweredMessage(message: message, text: nil)]) == "200 {}")
        #expect(text([AnsweredMessage(message: message, text: "恭喜\"\n")]) == #"200 {"reply":"恭喜\"\n"}"#)
        #expect(
            text([AnsweredMessage(message: message, text: "不", isConflict: true)])
                == #"409 {"error":"message_key_reused"}"#)
        #expect(adapter.answersInResponse(to: message))
        #expect(adapter.sender == nil)
    }

    @Test func longReplyIsCut() throws {
        let reply = String(repeating: "奖\n", count: 30_000)
        let answered = AnsweredMessage(message: try message(request()), text: reply)
        let body = adapter.response(to: [answered], now: Self.now).body
        let said = try #require(try StrictJSON.parse(body, maximumSize: 1 << 20).objectValue?["reply"]?.stringValue)
        #expect(said.utf8.count <= 65_536 && said.utf8.count > 65_500)
        #expect(said.hasSuffix("\n……"))
    }
}
