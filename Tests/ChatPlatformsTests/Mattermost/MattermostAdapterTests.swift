import Basics
import Foundation
import Testing

@testable import ChatPlatforms

struct MattermostAdapterTests {
    static let post =
        #"{"channel_id":"ch01","channel_name":"town-square","post_id":"post01","text":"抽奖 3","#
        + #""timestamp":1760000110123,"token":"tok","trigger_word":"抽奖","user_id":"us01"}"#
    static let command =
        "channel_id=ch01&channel_name=town-square&command=%2Fdraw&text=3&token=tok&trigger_id=tr01&user_id=us01"
        + "&response_url=https%3A%2F%2Fchat.example.org%2Fhooks%2Fcommands%2Fabc"
    private let now = Instant(milliseconds: 1_760_000_000_000)

    private func adapter(_ settings: [String: String] = [:]) throws -> MattermostAdapter {
        try MattermostAdapter(PlatformSettings(["token": "tok"].merging(settings) { $1 }))
    }

    private func request(_ body: String, authorization: String? = nil) -> WebhookRequest {
        let type = body.hasPrefix("{") ? "application/json" : "application/x-www-form-urlencoded"
        var headers = [(name: "Content-Type", value: type)]
        if let authorization { headers.append(("Authorization", authorization)) }
        return WebhookRequest(method: "POST", headers: headers, body: Array(body.utf8))
    }

    private func message(
        _ body: String, authorization: String? = nil, settings: [String: String] = [:]
    ) throws -> IncomingMessage? {
        let event = try adapter(settings).receive(request(body, authorization: authorization), now: now)
        guard case .messages(let messages) = event else { return nil }
        #expect(messages.count < 2)
        return messages.first
    }

    private func replaced(_ old: String, _ new: String, in text: String = post) -> String {
        #expect(text.contains(old))
        return text.replacingOccurrences(of: old, with: new)
    }

    @Test(arguments: PlatformVector.requests(of: .mattermost))
    func vectorHolds(_ vector: PlatformVector) throws {
        vector.check(try MattermostAdapter(PlatformSettings(vector.secret ?? [:])))
    }

    @Test func anOverlongTextIsCut() throws {
        #expect(try #require(try message(replaced("抽奖 3", overlongText))).text.isBeginningOfOverlongText)
        let command = replaced("text=3", "text=" + String(repeating: "x", count: 70_000), in: Self.command)
        #expect(try message(command)?.text.utf8.count == 8192)
    }

    @Test func aPostHasATimeAndACommandHasNone() throws {
        let post = try #require(try message(Self.post))
        #expect(post.sentAt == Instant(milliseconds: 1_760_000_110_123))
        #expect(!post.isMentioned)
        #expect(post.address == nil)
        let form = "channel_id=ch01&post_id=p&text=x&timestamp=1760000110&token=tok&user_id=u"
        #expect(try message(form)?.sentAt == Instant(milliseconds: 1_760_000_110_000))
        let command = try #require(try message(Self.command))
        #expect(command.sentAt == nil)
        #expect(command.isMentioned)
        #expect(command.address == nil)
    }

    @Test func aTriggerWordThatIsAMentionIsRemoved() throws {
        let body = replaced(#""trigger_word":"抽奖""#, #""trigger_word":"@抽奖姬""#)
        let mentioned = try #require(try message(replaced("抽奖 3", "@抽奖姬 抽奖 3", in: body)))
        #expect(mentioned.text == "抽奖 3")
        #expect(mentioned.isMentioned)
        #expect(try message(body)?.isMentioned == false)
    }

    @Test("hardening row 14: the bot's own posts are left out") func theBotsOwnPostsAreLeftOut() throws {
        #expect(try message(Self.post, settings: ["bot_user_id": "us01"]) == nil)
        #expect(try message(Self.post, settings: ["bot_user_id": "us02"]) != nil)
    }

    @Test func aCommandWithoutArgumentsIsItsName() throws {
        #expect(try message(replaced("text=3", "text=", in: Self.command))?.text == "/draw")
    }

    @Test func aDirectChannelIsPrivate() throws {
        let user = String(repeating: "u", count: 26)
        let bot = String(repeating: "b", count: 26)
        let body = replaced("us01", user, in: Self.command)
        for (name, isPrivate) in [
            (user + "__" + bot, true), (bot + "__" + user, true), (bot + "__" + bot, false), ("x__" + user, false),
            (user, false), (user + "__" + bot + "__" + bot, false), (bot.uppercased() + "__" + user, false),
        ] {
            #expect(try message(replaced("town-square", name, in: body))?.isPrivate == isPrivate, "\(name)")
        }
    }

    @Test func aLongTriggerIDGoesByItsDigest() throws {
        let longest = String(repeating: "x", count: 128)
        #expect(try message(replaced("tr01", longest, in: Self.command))?.dedupe == longest)
        let first = try #require(try message(replaced("tr01", longest + "1", in: Self.command)))
        let second = try #require(try message(replaced("tr01", longest + "2", in: Self.command)))
        #expect(first.dedupe.utf8.count == 64)
        #expect(first.messageID == first.dedupe)
        #expect(first.dedupe != second.dedupe)
        let tooLong = replaced("tr01", String(repeating: "x", count: 1025), in: Self.command)
        #expect(throws: WebhookFault.malformedBody) { try message(tooLong) }
    }

    @Test(arguments: [
        (#""post_id":"post01","#, ""), (#""post01""#, "1"), (#""post01""#, "null"), (#""post01""#, #""""#),
        (#""ch01""#, "null"), (#""channel_id":"ch01","#, ""), (#""us01""#, "5"), (#","user_id":"us01""#, ""),
        (#""us01""#, #""us\u000101""#), (#""text":"抽奖 3","#, ""), (#""抽奖 3""#, "3"), ("1760000110123", "null"),
        ("1760000110123", #""1760000110123""#), ("1760000110123", "1.5"), (#""timestamp":1760000110123,"#, ""),
        (#""trigger_word":"抽奖""#, #""trigger_word":1"#), (#""post_id""#, #""user_id":"us02","post_id""#),
        (#""post_id""#, #""command":7,"post_id""#),
    ])
    func aPostThatLacksOrMistypesAFieldIsMalformed(_ change: (String, String)) throws {
        let body = replaced(change.0, change.1)
        #expect(throws: WebhookFault.malformedBody) { try message(body) }
    }

    @Test(arguments: [
        ("&trigger_id=tr01", ""), ("trigger_id=tr01", "trigger_id="), ("&text=3", ""), ("channel_id=ch01&", ""),
        ("&user_id=us01", ""), ("user_id=us01", "user_id=us%0701"), ("text=3", "text=3&text=4"),
        ("text=3", "text=3&t%65xt=4"), ("text=3", "text=%FF"), ("text=3", "text=%00"), ("text=3", "text=%4"),
    ])
    func aCommandThatLacksOrMistypesAFieldIsMalformed(_ change: (String, String)) throws {
        let body = replaced(change.0, change.1, in: Self.command)
        #expect(throws: WebhookFault.malformedBody) { try message(body) }
    }

    @Test(arguments: ["1760000110.5", "+1760000110", "-0", "", "x", "99999999999999999999"])
    func aFormsTimestampIsPlainSeconds(_ text: String) throws {
        let body = "channel_id=c&post_id=p&text=x&timestamp=" + text + "&token=tok&user_id=u"
        #expect(throws: WebhookFault.malformedBody) { try message(body) }
    }

    @Test func everyTokenThatIsThereMustBeRight() throws {
        #expect(try message(Self.command, authorization: "Token tok") != nil)
        #expect(throws: WebhookFault.badToken) { try message(Self.command, authorization: "Token other") }
        #expect(throws: WebhookFault.missingToken) { try message(Self.command, authorization: "Basic tok") }
        #expect(throws: WebhookFault.missingToken) { try message(replaced("\"tok\"", "1")) }
        #expect(throws: WebhookFault.missingToken) { try message(replaced("\"tok\"", "\"\"")) }
        #expect(throws: WebhookFault.badToken) {
            try message(replaced("token=tok", "token=other", in: Self.command), authorization: "Token tok")
        }
        #expect(throws: WebhookFault.missingToken) {
            try message(replaced("token=tok&", "", in: Self.command), authorization: "Token tok")
        }
    }

    @Test func theFrameOfTheRequestIsChecked() throws {
        func fault(_ change: (inout WebhookRequest) -> Void) -> WebhookFault? {
            var request = request(Self.post)
            change(&request)
            return #expect(throws: WebhookFault.self) { try adapter().receive(request, now: now) }
        }
        #expect(fault { $0.method = "PUT" } == .wrongMethod)
        #expect(fault { $0.path = "/x" } == .unknownPath)
        #expect(fault { $0.headers[0].value = "text/plain" } == .wrongMediaType)
        #expect(fault { $0.headers = [] } == .wrongMediaType)
        #expect(fault { $0.headers[0].value = "application/x-www-form-urlencoded" } == .malformedBody)
    }

    @Test func repliesStandInTheResponse() throws {
        let adapter = try adapter()
        let post = try #require(try message(Self.post))
        let command = try #require(try message(Self.command))
        #expect(adapter.answersInResponse(to: post))
        let toPost = adapter.response(
            to: [AnsweredMessage(message: post, text: "中了 \"A\"", isConflict: true)], now: now)
        #expect(toPost.status == 200)
        #expect(toPost.contentType == "application/json")
        #expect(String(decoding: toPost.body, as: UTF8.self) == #"{"text":"中了 \"A\"","response_type":"comment"}"#)
        let toCommand = adapter.response(
            to: [AnsweredMessage(message: command, text: "a"), AnsweredMessage(message: command, text: "b")], now: now)
        #expect(String(decoding: toCommand.body, as: UTF8.self) == #"{"text":"a\nb","response_type":"in_channel"}"#)
        #expect(adapter.response(to: [AnsweredMessage(message: post, text: nil)], now: now) == .ok)
    }

    @Test("hardening row 15: nobody is mentioned") func aLongReplyIsCutAndNobodyIsMentioned() {
        let text = MattermostAdapter.escaped(String(repeating: "@all ", count: 5000))
        #expect(text.unicodeScalars.count <= 4000)
        #expect(!text.contains("@"))
        #expect(text.hasSuffix("……"))
    }

    @Test func laterAnswersGoToTheSiteOnly() throws {
        let site = ["site_url": "https://chat.example.org"]
        let message = try #require(try message(Self.command, settings: site))
        let url = "https://chat.example.org/hooks/commands/abc"
        #expect(
            message.address
                == ReplyAddress(
                    chat: "ch01", isPrivate: false, user: "us01", url: url,
                    expiresAt: Instant(milliseconds: 1_760_001_740_000)))
        for other in [
            "http%3A%2F%2Fchat.example.org%2F", "https%3A%2F%2Fevil.org%2F",
            "https%3A%2F%2Fchat.example.org%40evil.org%2F",
            "https%3A%2F%2Fchat.example.org%3A8443%2F", "https%3A%2F%2Fchat.example.org.evil.org%2F", "",
        ] {
            let body = replaced("https%3A%2F%2Fchat.example.org%2Fhooks%2Fcommands%2Fabc", other, in: Self.command)
            #expect(try self.message(body, settings: site)?.address == nil, "\(other)")
        }
    }

    @Test func settingsAreChecked() throws {
        func fault(_ settings: [String: String]) -> String? {
            #expect(throws: SettingFault.self) { try MattermostAdapter(PlatformSettings(settings)) }?.setting
        }
        #expect(fault([:]) == "token")
        #expect(fault(["token": "t", "site_url": "chat.example.org"]) == "site_url")
        #expect(try adapter().sender == nil)
        #expect(MattermostAdapter.settings.filter(\.isSecret).map(\.name) == ["token"])
    }
}

struct MattermostSenderTests {
    private func sender() throws -> any ReplySender {
        try #require(
            try MattermostAdapter(PlatformSettings(["token": "t", "site_url": "https://chat.example.org"])).sender)
    }

    private func reply(
        _ text: String = "轮到你了 @all", url: String? = "https://chat.example.org/hooks/commands/abc", number: Int = 1
    ) -> OutgoingReply {
        OutgoingReply(
            address: ReplyAddress(chat: "ch01", isPrivate: false, user: "us01", url: url), text: text, key: "k",
            number: number)
    }

    @Test func theCallIsExact() throws {
        let call = try #require(try sender().call(saying: [reply()], token: nil))
        #expect(call.method == "POST")
        #expect(call.url.text == "https://chat.example.org/hooks/commands/abc")
        #expect(call.headers == ["Content-Type": "application/json"])
        #expect(
            String(decoding: call.body, as: UTF8.self) == #"{"text":"轮到你了 ＠all","response_type":"in_channel"}"#)
        #expect(try sender().allowedHosts == ["chat.example.org"])
    }

    @Test func onlyFivePostsToAnAddressOfTheSite() throws {
        #expect(try sender().call(saying: [reply(number: 5)], token: nil) != nil)
        #expect(try sender().call(saying: [reply(number: 6)], token: nil) == nil)
        #expect(try sender().call(saying: [reply(url: nil)], token: nil) == nil)
        #expect(try sender().call(saying: [reply(url: "https://evil.org/hooks/commands/abc")], token: nil) == nil)
        #expect(try sender().call(saying: [reply(url: "http://chat.example.org/hooks")], token: nil) == nil)
        #expect(try !sender().limits.mergesReplies)
    }

    @Test func answersAreUnderstood() throws {
        #expect(try sender().result(of: OutboundAnswer(status: 200)) == .delivered)
        #expect(try sender().result(of: OutboundAnswer(status: 401)) == .refused(reason: "status 401"))
        #expect(try sender().result(of: OutboundAnswer(status: 404)) == .refused(reason: "status 404"))
        #expect(try sender().result(of: OutboundAnswer(status: 503)) == .later(afterSeconds: nil))
    }
}
