import Basics
import Foundation
import Testing

@testable import ChatPlatforms

struct RocketChatAdapterTests {
    static let message =
        #"{"token":"tok","bot":false,"channel_id":"GENERAL","channel_name":"general","message_id":"m1","#
        + #""timestamp":"2026-01-02T12:00:00.123Z","user_id":"u1","text":"抽奖 3"}"#
    private let now = Instant(milliseconds: 0)

    private func adapter() throws -> RocketChatAdapter { try RocketChatAdapter(PlatformSettings(["token": "tok"])) }

    private func request(_ body: String) -> WebhookRequest {
        WebhookRequest(method: "POST", headers: [("Content-Type", "application/json")], body: Array(body.utf8))
    }

    private func message(_ body: String = message) throws -> IncomingMessage? {
        guard case .messages(let messages) = try adapter().receive(request(body), now: now) else { return nil }
        #expect(messages.count < 2)
        return messages.first
    }

    private func replaced(_ old: String, _ new: String) -> String {
        #expect(Self.message.contains(old))
        return Self.message.replacingOccurrences(of: old, with: new)
    }

    @Test(arguments: PlatformVector.requests(of: .rocketchat))
    func vectorHolds(_ vector: PlatformVector) throws {
        vector.check(try RocketChatAdapter(PlatformSettings(vector.secret ?? [:])))
    }

    @Test func anOverlongTextIsCut() throws {
        #expect(try #require(try message(replaced("抽奖 3", overlongText))).text.isBeginningOfOverlongText)
    }

    @Test func theTimeIsTheMessagesOwn() throws {
        #expect(try message()?.sentAt == Instant(milliseconds: 1_767_355_200_123))
    }

    @Test(
        "hardening rows 13, 14: bots and edits are left out",
        arguments: [
            (#""bot":false"#, #""bot":true"#), (#""bot":false"#, #""bot":{"i":"x"}"#), (#""bot":false"#, #""bot":"x""#),
            (#""bot":false"#, #""bot":1"#), (#""bot":false"#, #""isEdited":true"#),
            (
                #""message_id":"m1","timestamp":"2026-01-02T12:00:00.123Z","user_id":"u1","text":"抽奖 3""#,
                #""user_id":"u1""#
            ),
        ])
    func botsEditsAndOtherEventsAreLeftOut(_ change: (String, String)) throws {
        #expect(try message(replaced(change.0, change.1)) == nil)
    }

    @Test(arguments: [#""bot":null"#, #""bot":0"#, #""bot":"""#, #""isEdited":false"#])
    func whatIsFalseInJavaScriptLeavesNothingOut(_ new: String) throws {
        #expect(try message(replaced(#""bot":false"#, new)) != nil)
    }

    @Test(arguments: [
        (#""message_id":"m1","#, ""), (#""m1""#, "null"), (#""m1""#, "1"), (#""m1""#, #""""#), (#""GENERAL""#, "null"),
        (#""channel_id":"GENERAL","#, ""), (#""u1""#, "1"), (#""user_id":"u1","#, ""), (#""u1""#, #""u\u001b""#),
        (#","text":"抽奖 3""#, ""), (#""抽奖 3""#, "null"), (#""general""#, "1"), (#""bot":false"#, #""user_id":"u2""#),
        (#""timestamp":"2026-01-02T12:00:00.123Z","#, ""), (#""2026-01-02T12:00:00.123Z""#, "1767355200123"),
        ("12:00:00.123Z", "12:00:00.123"), ("01-02T", "02-30T"),
        ("12:00:00.123Z", "25:00:00.123Z"), ("2026-01-02T12:00:00.123Z", ""),
    ])
    func aMessageThatLacksOrMistypesAFieldIsMalformed(_ change: (String, String)) throws {
        let body = replaced(change.0, change.1)
        #expect(throws: WebhookFault.malformedBody) { try message(body) }
    }

    @Test func theTokenIsChecked() throws {
        #expect(throws: WebhookFault.badToken) { try message(replaced(#""tok""#, #""other""#)) }
        #expect(throws: WebhookFault.missingToken) { try message(replaced(#""tok""#, "null")) }
        #expect(throws: WebhookFault.missingToken) { try message(replaced(#""tok""#, #""""#)) }
    }

    @Test func theFrameOfTheRequestIsChecked() throws {
        func fault(_ change: (inout WebhookRequest) -> Void) -> WebhookFault? {
            var request = request(Self.message)
            change(&request)
            return #expect(throws: WebhookFault.self) { try adapter().receive(request, now: now) }
        }
        #expect(fault { $0.method = "GET" } == .wrongMethod)
        #expect(fault { $0.path = "/x" } == .unknownPath)
        #expect(fault { $0.headers = [] } == .wrongMediaType)
        #expect(fault { $0.body = [] } == .malformedBody)
        #expect(try adapter().refusal(.badToken) == WebhookResponse(status: 401))
    }

    @Test func aRoomOfTwoIsPrivate() throws {
        let unnamed = #""channel_id":"u1bot","channel_name":null"#
        let named = #""channel_id":"GENERAL","channel_name":"general""#
        #expect(try message(replaced(named, unnamed))?.isPrivate == true)
        #expect(try message(replaced(named, #""channel_id":"au1""#))?.isPrivate == true)
        #expect(try message(replaced(named, #""channel_id":"room1x","channel_name":null"#))?.isPrivate == false)
        #expect(try message()?.isPrivate == false)
    }

    @Test("hardening row 12: quotations are dropped") func quotationsAreDropped() throws {
        let quoted = "[ ](https://chat.example.org/channel/general?msg=a) [ ](https://chat.example.org/x) 抽奖"
        #expect(try message(replaced("抽奖 3", quoted))?.text == "抽奖")
        #expect(try message(replaced("抽奖 3", "[ ](https"))?.text == "[ ](https")
        let many = String(repeating: "[ ]()", count: 10_000)
        #expect(try message(replaced("抽奖 3", many))?.text.utf8.count == many.utf8.count - 40)
    }

    @Test func aTriggerWordThatIsAMentionIsRemoved() throws {
        let body = Self.message.dropLast() + #","trigger_word":"@姬"}"#
        let message = try #require(try message(body.replacingOccurrences(of: "抽奖 3", with: "@姬 抽奖 3")))
        #expect(message.text == "抽奖 3")
        #expect(message.isMentioned)
        #expect(try self.message(String(body))?.isMentioned == false)
    }

    @Test func repliesStandInTheResponseWhichIsNeverEmpty() throws {
        let adapter = try adapter()
        let message = try #require(try message())
        func body(_ texts: [String?]) -> String {
            let answered = texts.map { AnsweredMessage(message: message, text: $0, isConflict: true) }
            let response = adapter.response(to: answered, now: now)
            #expect(response.status == 200)
            #expect(response.contentType == "application/json")
            return String(decoding: response.body, as: UTF8.self)
        }
        #expect(body([]) == "{}")
        #expect(body([nil]) == "{}")
        #expect(body(["中了 \"A\"", nil, "b"]) == #"{"text":"中了 \"A\"\nb"}"#)
        #expect(body(["@all @here [x](y)"]) == #"{"text":"＠all ＠here ［x］(y)"}"#)
        #expect(adapter.answersInResponse(to: message))
        #expect(adapter.sender == nil)
    }

    @Test func aLongReplyIsCut() throws {
        let message = try #require(try message())
        let response = try adapter().response(
            to: [AnsweredMessage(message: message, text: String(repeating: "@字", count: 4000))], now: now)
        let text = try #require(
            try StrictJSON.parse(response.body, maximumSize: 1 << 20).objectValue?["text"]?.stringValue)
        #expect(text.unicodeScalars.count <= 5000)
        #expect(text.hasSuffix("……"))
    }

    @Test func theTokenIsRequired() {
        let fault = #expect(throws: SettingFault.self) { try RocketChatAdapter(PlatformSettings([:])) }
        #expect(fault?.setting == "token")
        #expect(RocketChatAdapter.settings.filter(\.isSecret).map(\.name) == ["token"])
    }
}
