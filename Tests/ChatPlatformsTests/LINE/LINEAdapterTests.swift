import Basics
import Crypto
import Foundation
import Testing

@testable import ChatPlatforms

struct LINEAdapterTests {
    static let event =
        #"{"type":"message","mode":"active","timestamp":1760000100000,"source":{"type":"group","groupId":"Cg1","#
        + #""userId":"Uu1"},"webhookEventId":"01JE1","replyToken":"rt1","message":{"id":"51","type":"text","text":"抽奖"}}"#

    private func adapter(_ settings: [String: String] = [:]) throws -> LINEAdapter {
        try LINEAdapter(PlatformSettings(["channel_secret": "channel-secret"].merging(settings) { $1 }))
    }

    private func request(_ body: String, secret: String = "channel-secret") -> WebhookRequest {
        let code = HMAC<SHA256>.authenticationCode(
            for: Data(body.utf8), using: SymmetricKey(data: Data(secret.utf8)))
        return WebhookRequest(
            method: "POST",
            headers: [
                ("Content-Type", "application/json"), ("X-Line-Signature", Data(code).base64EncodedString()),
            ], body: Array(body.utf8))
    }

    private func messages(_ events: String...) throws -> [IncomingMessage] {
        let body = #"{"destination":"Ubot","events":["# + events.joined(separator: ",") + "]}"
        guard case .messages(let messages) = try adapter().receive(request(body), now: Instant(milliseconds: 0)) else {
            Issue.record("answered instead")
            return []
        }
        return messages
    }

    private func replaced(_ old: String, _ new: String) -> String {
        #expect(Self.event.contains(old))
        return Self.event.replacingOccurrences(of: old, with: new)
    }

    @Test(arguments: PlatformVector.requests(of: .line))
    func vectorHolds(_ vector: PlatformVector) throws {
        vector.check(try LINEAdapter(PlatformSettings(vector.secret ?? [:])))
    }

    @Test func replyTokenOfTheVectorIsTheAddress() throws {
        let vector = try #require(PlatformVector.of(.line).first { $0.id == "line-group-text" })
        let adapter = try LINEAdapter(PlatformSettings(vector.secret ?? [:]))
        let event = try adapter.receive(vector.request(), now: vector.nowInstant)
        guard case .messages(let messages) = event, let message = messages.first else {
            Issue.record("no message")
            return
        }
        #expect(message.isMentioned)
        #expect(message.account == "Ubot0001")
        #expect(message.messageID == "5000001")
        #expect(message.sentAt == Instant(milliseconds: 1_760_000_100_000))
        #expect(
            message.address
                == ReplyAddress(
                    chat: "Cgroup0001", isPrivate: false, user: "Uuser0001", message: vector.expected["reply_token"],
                    account: "Ubot0001", expiresAt: Instant(milliseconds: 1_760_000_150_000)))
    }

    @Test func severalEventsGiveSeveralMessagesInOrder() throws {
        let second = replaced("01JE1", "01JE2").replacingOccurrences(of: "\"51\"", with: "\"52\"")
        let follow = #"{"type":"follow","mode":"active","timestamp":1,"source":{"type":"user","userId":"U"}}"#
        #expect(try messages(Self.event, follow, second).map(\.dedupe) == ["01JE1", "01JE2"])
    }

    @Test func aPrivateMessageHasNoChat() throws {
        let message = try #require(try messages(replaced(#""type":"group","groupId":"Cg1""#, #""type":"user""#)).first)
        #expect(message.isPrivate)
        #expect(message.chatID == "")
        #expect(message.address?.chat == "Uu1")
        #expect(!message.isMentioned)
    }

    @Test func aRoomIsAGroup() throws {
        let message = try #require(
            try messages(replaced(#""type":"group","groupId":"Cg1""#, #""type":"room","roomId":"Rr1""#)).first)
        #expect(!message.isPrivate)
        #expect(message.chatID == "Rr1")
    }

    @Test(arguments: [
        (#""mode":"active""#, #""mode":"standby""#), (#","userId":"Uu1"},"#, "},"),
        (#""type":"text","text":"抽奖""#, #""type":"sticker","packageId":"1""#), (#""type":"group""#, #""type":"space""#),
        (#"{"type":"message""#, #"{"type":"unsend""#),
    ])
    func whatIsNotForUsIsLeftOut(_ change: (String, String)) throws {
        #expect(try messages(replaced(change.0, change.1)).isEmpty)
    }

    @Test(arguments: [
        (#"{"type":"message","#, "{"), (#"{"type":"message""#, #"{"type":1"#), (#""mode":"active","#, ""),
        (#""mode":"active""#, #""mode":null"#), (#""timestamp":1760000100000,"#, ""),
        ("1760000100000", #""1760000100000""#), ("1760000100000", "1760000100000.5"), (#""groupId":"Cg1","#, ""),
        (#""Cg1""#, "1"), (#""Cg1""#, #""""#), (#""Uu1""#, "null"), (#""Uu1""#, #""U\u0007""#), (#""01JE1""#, "7"),
        (#""webhookEventId":"01JE1","#, ""), (#""rt1""#, "7"), (#""id":"51","#, ""), (#""51""#, "51"),
        (#","text":"抽奖""#, ""), (#""text":"抽奖""#, #""text":["抽奖"]"#), (#","message":{"id""#, #","massage":{"id""#),
        (#""source":{"#, #""sauce":{"#), (#""type":"text","#, ""),
        (#""groupId":"Cg1""#, #""groupId":"Cg1","groupId":"Cg2""#), (#""text":"抽奖""#, #""text":"抽奖","te\u0078t":"x""#),
    ])
    func aMessageThatLacksOrMistypesAFieldIsMalformed(_ change: (String, String)) throws {
        let event = replaced(change.0, change.1)
        #expect(throws: WebhookFault.malformedBody) { try messages(event) }
    }

    @Test func anOverlongTextIsCut() throws {
        #expect(try #require(try messages(replaced("抽奖", overlongText)).first).text.isBeginningOfOverlongText)
    }

    @Test func withoutAReplyTokenThereIsStillAMessage() throws {
        for event in [replaced(#""rt1""#, "null"), replaced(#""replyToken":"rt1","#, "")] {
            #expect(try #require(try messages(event).first?.address).message == nil)
        }
    }

    @Test func idsOfMoreThan128BytesAreMalformed() throws {
        let longest = String(repeating: "x", count: 128)
        #expect(try messages(replaced("Cg1", longest)).first?.chatID == longest)
        #expect(throws: WebhookFault.malformedBody) { try messages(replaced("Cg1", longest + "x")) }
    }

    @Test(arguments: [#"{"events":[]}"#, #"{"destination":"U"}"#, #"{"destination":"U","events":[1]}"#, "[]", "{"])
    func aBodyWithoutItsFrameIsMalformed(_ body: String) throws {
        #expect(throws: WebhookFault.malformedBody) {
            try adapter().receive(request(body), now: Instant(milliseconds: 0))
        }
    }

    @Test func theFrameOfTheRequestIsChecked() throws {
        let body = #"{"destination":"U","events":[]}"#
        func fault(_ change: (inout WebhookRequest) -> Void) -> WebhookFault? {
            var request = request(body)
            change(&request)
            return #expect(throws: WebhookFault.self) { try adapter().receive(request, now: Instant(milliseconds: 0)) }
        }
        #expect(fault { $0.method = "GET" } == .wrongMethod)
        #expect(fault { $0.path = "/x" } == .unknownPath)
        #expect(fault { $0.headers[0].value = "text/plain" } == .wrongMediaType)
        #expect(fault { $0.headers.append($0.headers[1]) } == .missingSignature)
        #expect(fault { $0.headers[1].value = "" } == .badSignature)
        #expect(fault { $0.body.append(0x20) } == .badSignature)
        #expect(
            fault { $0.headers[1].value = $0.headers[1].value.replacingOccurrences(of: "=", with: "") } == .badSignature
        )
    }

    @Test(arguments: [
        ("@抽奖姬 抽奖 3", [(0, 4)], " 抽奖 3"), ("抽奖@姬", [(2, 2)], "抽奖"), ("😀@姬 a", [(2, 2)], "😀 a"),
        ("@a x @b", [(0, 2), (5, 2)], " x "), ("@a x @b", [(5, 2), (0, 2)], " x "), ("@a", [(0, 99)], "@a"),
        ("@a", [(-1, 2)], "@a"), ("@a", [(9, 1)], "@a"), ("@a", [(0, 0)], "@a"), ("😀a", [(1, 2)], "😀a"),
        ("😀a", [(0, 1)], "😀a"), ("abcdefgh", [(0, 4), (2, 2)], "abefgh"), ("@a", [(Int.max, Int.max)], "@a"),
        ("e\u{301}@a", [(2, 2)], "e\u{301}"),
    ])
    func ownMentionsAreRemovedByPlaceWithoutTrapping(_ text: String, _ places: [(Int, Int)], _ expected: String) {
        let mentionees = places.map { place in
            JSONValue.object([
                "index": .integer(Int64(place.0)), "length": .integer(Int64(place.1)), "isSelf": true,
            ])
        }
        let mention = JSONValue.object(["mentionees": .array(mentionees)]).objectValue
        let result = LINEAdapter.withoutOwnMentions(text, mention)
        #expect(Array(result.text.utf8) == Array(expected.utf8))
        #expect(result.isMentioned)
    }

    @Test func mentionsOfOthersStay() throws {
        let mention =
            #","mention":{"mentionees":[{"index":0,"length":2,"type":"user","userId":"Uo"},{"type":"all"}]}}}"#
        let message = try #require(try messages(String(Self.event.dropLast(2)) + mention).first)
        #expect(message.text == "抽奖")
        #expect(!message.isMentioned)
    }

    @Test func settingsAreChecked() throws {
        func fault(_ settings: [String: String]) -> String? {
            let fault = #expect(throws: SettingFault.self) { try LINEAdapter(PlatformSettings(settings)) }
            return fault?.setting
        }
        #expect(fault([:]) == "channel_secret")
        #expect(fault(["channel_secret": "s", "push": "yes"]) == "push")
        #expect(fault(["channel_secret": "s", "push": "true"]) == "channel_access_token")
        #expect(fault(["channel_secret": "s", "api_url": "http://api.line.me"]) == "api_url")
        #expect(try adapter().sender == nil)
        #expect(Set(LINEAdapter.settings.filter(\.isSecret).map(\.name)) == ["channel_secret", "channel_access_token"])
    }

    @Test func nothingIsSaidInTheResponse() throws {
        let adapter = try adapter()
        let message = try #require(try messages(Self.event).first)
        #expect(
            adapter.response(to: [AnsweredMessage(message: message, text: "x")], now: Instant(milliseconds: 0)) == .ok)
        #expect(!adapter.answersInResponse(to: message))
        #expect(adapter.refusal(.badSignature) == WebhookResponse(status: 401))
    }
}

struct LINESenderTests {
    private func sender(push: Bool = false) throws -> any ReplySender {
        try #require(
            try LINEAdapter(
                PlatformSettings(["channel_secret": "s", "channel_access_token": "tok", "push": String(push)])
            ).sender)
    }

    private func reply(_ text: String = "中了", token: String? = "rt1", number: Int = 1, key: String = "k-1")
        -> OutgoingReply
    {
        OutgoingReply(
            address: ReplyAddress(chat: "Cg1", isPrivate: false, user: "Uu1", message: token), text: text, key: key,
            number: number)
    }

    @Test func aReplyTakesTheToken() throws {
        let call = try #require(try sender().call(saying: [reply("a\"b\n@All")], token: nil))
        #expect(call.method == "POST")
        #expect(call.url.text == "https://api.line.me/v2/bot/message/reply")
        #expect(call.headers == ["Authorization": "Bearer tok", "Content-Type": "application/json"])
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"replyToken":"rt1","messages":[{"type":"text","text":"a\"b\n@All"}]}"#)
    }

    @Test func withoutATokenOnlyAPushIsLeft() throws {
        #expect(try sender().call(saying: [reply(token: nil)], token: nil) == nil)
        #expect(try sender().call(saying: [reply(number: 2)], token: nil) == nil)
        #expect(try !sender().limits.allowsPush)
        #expect(try sender(push: true).limits.allowsPush)
        for reply in [reply(token: nil), reply(number: 2)] {
            let call = try #require(try sender(push: true).call(saying: [reply], token: nil))
            #expect(call.url.text == "https://api.line.me/v2/bot/message/push")
            #expect(
                String(decoding: call.body, as: UTF8.self) == #"{"to":"Cg1","messages":[{"type":"text","text":"中了"}]}"#)
            #expect(call.headers["X-Line-Retry-Key"] == LINESender.retryKey(for: "k-1"))
        }
    }

    @Test func aRetryKeyIsAUUIDAndAlwaysTheSame() {
        let uuid = "123e4567-e89b-12d3-a456-426614174000"
        #expect(LINESender.retryKey(for: uuid) == uuid)
        // The first bytes of SHA-256("k-1"), with version 4 and the variant put in.
        let digest = SHA256.hash(data: Data("k-1".utf8)).prefix(4)
            .map { String(UInt16($0) + 256, radix: 16).dropFirst() }.joined()
        let made = LINESender.retryKey(for: "k-1")
        #expect(made.hasPrefix(digest + "-"))
        for key in ["k-1", "k-2", "123e4567-e89b-12d3-a456-42661417400g", "123e4567e89b12d3a456426614174000", ""] {
            let text = LINESender.retryKey(for: key)
            #expect(UUID(uuidString: text)?.uuidString.lowercased() == text)
            #expect(Array(text)[14] == "4" && "89ab".contains(Array(text)[19]))
        }
        #expect(made != LINESender.retryKey(for: "k-2"))
    }

    @Test func aLongReplyIsCut() throws {
        let sender = try sender()
        let call = try #require(sender.call(saying: [reply(String(repeating: "😀", count: 6000))], token: nil))
        let json = try #require(try StrictJSON.parse(call.body, maximumSize: 1 << 20).objectValue)
        let text = try #require(json["messages"]?.arrayValue?.first?.objectValue?["text"]?.stringValue)
        #expect(text.utf16.count <= 5000)
        #expect(text.hasSuffix("……"))
    }

    @Test func anAPIURLReplacesTheBase() throws {
        let sender = try #require(
            try LINEAdapter(
                PlatformSettings([
                    "channel_secret": "s", "channel_access_token": "t", "api_url": "http://127.0.0.1:4000/x/",
                ])
            ).sender)
        #expect(sender.allowedHosts == ["127.0.0.1"])
        let call = sender.call(saying: [reply()], token: nil)
        #expect(call?.url.text == "http://127.0.0.1:4000/x/v2/bot/message/reply")
    }

    @Test func answersAreUnderstood() throws {
        let sender = try sender()
        #expect(sender.result(of: OutboundAnswer(status: 200)) == .delivered)
        #expect(sender.result(of: OutboundAnswer(status: 409)) == .delivered)
        #expect(sender.result(of: OutboundAnswer(status: 400)) == .refused(reason: "status 400"))
        #expect(sender.result(of: OutboundAnswer(status: 401)) == .refused(reason: "status 401"))
        #expect(
            sender.result(of: OutboundAnswer(status: 429, headers: ["retry-after": "7"])) == .later(afterSeconds: 7))
        #expect(sender.result(of: OutboundAnswer(status: 500)) == .later(afterSeconds: nil))
    }
}
