import Basics
import Foundation
import Testing

@testable import ChatPlatforms

struct MatrixAdapterTests {
    static let event =
        #"{"type":"m.room.message","event_id":"$e1","room_id":"!r1:example.org","sender":"@hana:example.org","#
        + #""origin_server_ts":1760000120123,"content":{"msgtype":"m.text","body":"抽奖 3"}}"#
    private let now = Instant(milliseconds: 0)

    private func adapter(_ settings: [String: String] = [:]) throws -> MatrixAdapter {
        try MatrixAdapter(
            PlatformSettings(["hs_token": "hs", "user_id": "@bot:example.org"].merging(settings) { $1 }))
    }

    private func request(
        _ body: String = "", method: String = "PUT", path: String = "/_matrix/app/v1/transactions/1"
    ) -> WebhookRequest {
        WebhookRequest(
            method: method, path: path,
            headers: [("Content-Type", "application/json"), ("Authorization", "Bearer hs")], body: Array(body.utf8))
    }

    private func messages(body: String, settings: [String: String] = [:]) throws -> [IncomingMessage] {
        guard case .messages(let messages) = try adapter(settings).receive(request(body), now: now) else {
            Issue.record("answered instead")
            return []
        }
        return messages
    }

    private func messages(_ events: String..., settings: [String: String] = [:]) throws -> [IncomingMessage] {
        try messages(body: #"{"events":["# + events.joined(separator: ",") + "]}", settings: settings)
    }

    private func replaced(_ old: String, _ new: String) -> String {
        #expect(Self.event.contains(old))
        return Self.event.replacingOccurrences(of: old, with: new)
    }

    @Test(arguments: PlatformVector.requests(of: .matrix).filter { $0.expected["accepted"] == nil })
    func vectorHolds(_ vector: PlatformVector) throws {
        vector.check(
            try MatrixAdapter(PlatformSettings(vector.secret ?? [:])), request: vector.request(endpointPath: ""))
    }

    @Test func vectorWithTheTokenInTheQueryIsAccepted() throws {
        let vector = try #require(PlatformVector.of(.matrix).first { $0.id == "matrix-legacy-query" })
        let adapter = try MatrixAdapter(PlatformSettings(vector.secret ?? [:]))
        let event = try adapter.receive(vector.request(endpointPath: ""), now: now)
        guard case .messages(let messages) = event else {
            Issue.record("no messages")
            return
        }
        #expect(messages.map(\.dedupe) == ["$evt0001"])
    }

    @Test func aMessageHasItsTimeAndAddress() throws {
        let message = try #require(try messages(Self.event).first)
        #expect(message.sentAt == Instant(milliseconds: 1_760_000_120_123))
        #expect(message.account == "@bot:example.org")
        #expect(message.messageID == "$e1")
        #expect(
            message.address
                == ReplyAddress(chat: "!r1:example.org", isPrivate: false, user: "@hana:example.org", message: "$e1"))
        #expect(try messages(Self.event, settings: ["user_id": ""]).first?.account == "")
    }

    @Test(
        "hardening rows 13, 14: edits and the bot itself are left out",
        arguments: [
            ("m.room.message", "m.room.member"), ("m.text", "m.notice"), ("m.text", "m.image"),
            (#""content""#, #""state_key":"","content""#), ("@hana:example.org", "@bot:example.org"),
            ("@hana:example.org", "@_bot_1:example.org"),
            (#""body":"抽奖 3""#, #""body":"* 抽奖","m.relates_to":{"rel_type":"m.replace","event_id":"$e0"}"#),
        ])
    func whatIsNotForUsIsLeftOut(_ change: (String, String)) throws {
        let changed = replaced(change.0, change.1)
        #expect(try messages(changed, settings: ["user_namespace_prefix": "@_bot_"]).isEmpty)
    }

    @Test(arguments: [
        (#""event_id":"$e1","#, ""), (#""$e1""#, "null"), (#""$e1""#, "1"), (#""$e1""#, #""""#),
        (#""!r1:example.org""#, "1"),
        (#""room_id":"!r1:example.org","#, ""), (#""@hana:example.org""#, "null"),
        (#""@hana:example.org""#, #""@\u0007""#),
        ("1760000120123", #""1760000120123""#), ("1760000120123", "1.5"), (#""origin_server_ts":1760000120123,"#, ""),
        (#""抽奖 3""#, "3"), (#","body":"抽奖 3""#, ""), (#"{"msgtype":"m.text","body":"抽奖 3"}"#, "null"),
        (#""m.room.message""#, "null"), (#""m.text""#, "[]"), (#""$e1""#, #""$e1","event_id":"$e3""#),
        ("抽奖 3", "\\u0000"), ("抽奖 3", "\\ud800"), ("\"抽奖 3\"", "\"x\",\"d\":" + nested(200)),
        ("$e1", String(repeating: "x", count: 129)), ("\"抽奖 3\"", "\"x\"," + manyKeys(1001)),
    ])
    func anEventThatIsWrongConcernsItAlone(_ change: (String, String)) throws {
        let second = Self.event.replacingOccurrences(of: "$e1", with: "$e2")
        let wrong = replaced(change.0, change.1)
        #expect(try messages(Self.event, wrong, second).map(\.dedupe) == ["$e1", "$e2"])
    }

    static func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    static func manyKeys(_ count: Int) -> String {
        (1...count).map { "\"k\($0)\":[\"]}\\\"\"]" }.joined(separator: ",")
    }

    @Test(arguments: [
        "", "{", "[]", "null", "{}", #"{"events":{}}"#, #"{"events":null}"#, #"{"events":[1,"a",null,[]]}"#,
        #"{"events":["#,
        "\u{FEFF}{}", #"]]]}}}"#, #"{"events":[{"a":"\"#, #"{"x":"events","y":[{}]}"#,
        #"{"events":[{"a":1}],"events":[{}]}"#,
    ])
    func aTransactionWithoutReadableMessagesIsTakenInSilence(_ body: String) throws {
        #expect(try messages(body: body).isEmpty)
    }

    @Test func otherListsOfATransactionAreNotEvents() throws {
        let hostile = #"{"x":"\u0000"}"#
        let body =
            #"{"ephemeral":["# + Self.event + #"],"note":"events","to_device":["# + Self.event + #"],"events":["#
            + hostile + #"],"more":["# + Self.event + "]}"
        #expect(try messages(body: body).isEmpty)
    }

    @Test func aLargeTransactionIsRead() throws {
        let padding = String(repeating: "x", count: 60_000)
        let long = replaced("抽奖 3", padding)
        let events = (1...100).map { long.replacingOccurrences(of: "$e1", with: "$e\($0)") }
        #expect(try messages(body: #"{"events":["# + events.joined(separator: ",") + "]}").count == 100)
    }

    @Test("hardening row 12: a reply's quotation is dropped") func aRepliesQuotationIsDropped() throws {
        func text(_ body: String, isReply: Bool = true) throws -> String? {
            let relation = isReply ? #","m.relates_to":{"m.in_reply_to":{"event_id":"$e0"}}"# : ""
            return try messages(replaced(#""抽奖 3""#, "\"" + body + "\"" + relation)).first?.text
        }
        #expect(try text(#"> <@admin:example.org> 关闭\n> 全部\n\n抽奖 3"#) == "抽奖 3")
        #expect(try text(#"> a\n>\n\n抽奖\n\n> b"#) == "抽奖\n\n> b")
        #expect(try text(#"> a\n> b"#) == "")
        #expect(try text("抽奖") == "抽奖")
        #expect(try text(#"> a\n\n抽奖"#, isReply: false) == "> a\n\n抽奖")
    }

    @Test(arguments: [
        ("@bot:example.org 抽奖", "抽奖"), ("@bot:example.org: 抽奖", "抽奖"), ("@bot:example.org：抽奖", "抽奖"),
        ("@bot:example.org, 抽奖", "抽奖"), ("@bot:example.org", ""), ("bot: 抽奖", "抽奖"), ("bot:抽奖", "抽奖"),
        ("bot 抽奖", nil), ("bot, 抽奖", nil), ("bot", nil), ("robot: 抽奖", nil), ("@bot:example.org.uk 抽奖", nil),
        ("Bot: 抽奖", nil), ("抽奖 bot: x", nil),
    ])
    func theBotsNameIsRemoved(_ body: String, _ rest: String?) throws {
        let message = try #require(try messages(replaced("抽奖 3", body)).first)
        #expect(message.text == rest ?? body)
        #expect(message.isMentioned == (rest != nil))
        #expect(try messages(replaced("抽奖 3", body), settings: ["user_id": ""]).first?.isMentioned == false)
    }

    @Test(arguments: [
        (#"<a href=\"https://matrix.to/#/@bot:example.org\">抽奖姬</a>: 抽奖"#, "抽奖姬: 抽奖", "抽奖"),
        (#"<p><a href=\"https://matrix.to/#/%40bot%3Aexample.org\">抽奖姬</a>抽奖</p>"#, "抽奖姬抽奖", "抽奖"),
        (#"<a href=\"https://matrix.to/#/@bot:example.org\">抽奖姬</a>"#, "抽奖姬", ""),
        (#"<a href=\"https://matrix.to/#/@bob:example.org\">抽奖姬</a> 抽奖"#, "抽奖姬 抽奖", nil),
        (#"<a href=\"https://matrix.to/#/@bot:example.org\"><b>抽</b></a> 抽奖"#, "抽 抽奖", nil),
        (#"<a href=\"https://matrix.to/#/@bot:example.org\"></a> 抽奖"#, "抽奖", nil),
        (#"<a href=\"https://matrix.to/#/@bot:example.org\">抽奖姬"#, "抽奖姬 抽奖", nil),
        (#"<a href=\"https://matrix.to/#/@bot:example.org\">别人</a> 抽奖"#, "抽奖姬 抽奖", nil),
    ])
    func aLinkToTheBotIsRemoved(_ formatted: String, _ body: String, _ rest: String?) throws {
        let content = "\"" + body + "\",\"format\":\"org.matrix.custom.html\",\"formatted_body\":\"" + formatted + "\""
        let message = try #require(try messages(replaced("\"抽奖 3\"", content)).first)
        #expect(message.text == rest ?? body)
        #expect(message.isMentioned == (rest != nil))
    }

    @Test func anOverlongTextIsCut() throws {
        #expect(try #require(try messages(replaced("抽奖 3", overlongText)).first).text.isBeginningOfOverlongText)
    }

    @Test func aDeclaredMentionCounts() throws {
        func isMentioned(_ ids: String) throws -> Bool? {
            try messages(replaced(#""抽奖 3""#, #""抽奖 3","m.mentions":"# + ids)).first?.isMentioned
        }
        #expect(try isMentioned(#"{"user_ids":["@a:x","@bot:example.org"]}"#) == true)
        #expect(try isMentioned(#"{"user_ids":["@a:x"]}"#) == false)
        #expect(try isMentioned(#"{"user_ids":"@bot:example.org"}"#) == false)
        #expect(try isMentioned(#"[]"#) == false)
    }

    @Test func everyTokenThatIsThereMustBeRight() throws {
        func fault(_ change: (inout WebhookRequest) -> Void) -> WebhookFault? {
            var request = request(#"{"events":[]}"#)
            change(&request)
            return #expect(throws: WebhookFault.self) { try adapter().receive(request, now: now) }
        }
        #expect(fault { $0.headers[1].value = "Bearer other" } == .badToken)
        #expect(fault { $0.headers[1].value = "Basic hs" } == .missingToken)
        #expect(fault { $0.headers.append(("authorization", "Bearer other")) } == .badToken)
        #expect(fault { $0.query = [("access_token", "")] } == .badToken)
        #expect(fault { $0.query = [("access_token", "hs"), ("access_token", "x")] } == .badToken)
        #expect(fault { $0.headers.remove(at: 1) } == .missingToken)
        #expect(fault { $0.headers[0].value = "text/plain" } == .wrongMediaType)
    }

    @Test(arguments: [
        ("PUT", "", WebhookFault.unknownPath), ("PUT", "/", .unknownPath), ("PUT", "/transactions/", .unknownPath),
        ("PUT", "/_matrix/app/v1/transactions", .unknownPath), ("PUT", "/_matrix/app/v2/transactions/1", .unknownPath),
        ("GET", "/_matrix/app/v1/thirdparty/protocol/irc", .unknownPath), ("POST", "/ping", .unknownPath),
        ("POST", "/_matrix/app/v1/ping/x", .unknownPath), ("POST", "/_matrix/app/v1/transactions/1", .wrongMethod),
        ("GET", "/_matrix/app/v1/ping", .wrongMethod), ("DELETE", "/users/@a:x", .wrongMethod),
    ])
    func otherRoutesAreRefused(_ method: String, _ path: String, _ fault: WebhookFault) throws {
        #expect(throws: fault) { try adapter().receive(request(method: method, path: path), now: now) }
    }

    @Test func pingAndQueriesAreAnswered() throws {
        let adapter = try adapter()
        func answer(_ method: String, _ path: String) throws -> WebhookResponse? {
            guard case .answer(let response) = try adapter.receive(request(method: method, path: path), now: now) else {
                return nil
            }
            return response
        }
        let ping = try answer("POST", "/_matrix/app/v1/ping")
        #expect(ping == WebhookResponse(status: 200, contentType: "application/json", body: Array("{}".utf8)))
        for path in ["/_matrix/app/v1/users/@a:x", "/_matrix/app/v1/rooms/#a:x", "/users/@a:x", "/rooms/#a:x"] {
            let response = try answer("GET", path)
            #expect(response?.status == 404)
            #expect(response.map { String(decoding: $0.body, as: UTF8.self) } == #"{"errcode":"M_NOT_FOUND"}"#)
        }
    }

    @Test func refusalsHaveMatrixCodes() throws {
        let adapter = try adapter()
        for (fault, status, code) in [
            (WebhookFault.badToken, 403, "M_FORBIDDEN"), (.missingToken, 403, "M_FORBIDDEN"),
            (.unknownPath, 404, "M_UNRECOGNIZED"), (.wrongMethod, 405, "M_UNRECOGNIZED"),
            (.wrongMediaType, 415, "M_NOT_JSON"),
        ] {
            let response = adapter.refusal(fault)
            #expect(response.status == status)
            #expect(String(decoding: response.body, as: UTF8.self) == "{\"errcode\":\"" + code + "\"}")
        }
        let message = try #require(try messages(Self.event).first)
        let response = adapter.response(to: [AnsweredMessage(message: message, text: "x")], now: now)
        #expect(response == WebhookResponse(status: 200, contentType: "application/json", body: Array("{}".utf8)))
        #expect(!adapter.answersInResponse(to: message))
    }

    @Test func settingsAreChecked() throws {
        func fault(_ settings: [String: String]) -> String? {
            #expect(throws: SettingFault.self) {
                try MatrixAdapter(PlatformSettings(["hs_token": "hs"].merging(settings) { $1 }))
            }?.setting
        }
        #expect(fault(["hs_token": ""]) == "hs_token")
        #expect(fault(["as_token": "a"]) == "homeserver_url")
        #expect(fault(["homeserver_url": "https://m.org"]) == "as_token")
        #expect(fault(["as_token": "a", "homeserver_url": "http://m.org"]) == "homeserver_url")
        #expect(fault(["user_id": "bot"]) == "user_id")
        #expect(fault(["user_id": "@:example.org"]) == "user_id")
        #expect(fault(["user_id": "@bot"]) == "user_id")
        #expect(fault(["user_id": "@bot:"]) == "user_id")
        #expect(fault(["user_namespace_prefix": "_bot_"]) == "user_namespace_prefix")
        #expect(try adapter().sender == nil)
        #expect(Set(MatrixAdapter.settings.filter(\.isSecret).map(\.name)) == ["hs_token", "as_token"])
    }
}

struct MatrixSenderTests {
    private func sender() throws -> any ReplySender {
        try #require(
            try MatrixAdapter(
                PlatformSettings(["hs_token": "hs", "as_token": "as", "homeserver_url": "https://matrix.example.org"])
            ).sender)
    }

    private func reply(_ text: String, user: String = "@hana:example.org", key: String = "k-1") -> OutgoingReply {
        OutgoingReply(
            address: ReplyAddress(chat: "!r1:example.org", isPrivate: false, user: user, message: "$e1"), text: text,
            key: key)
    }

    @Test func theCallIsExact() throws {
        let call = try #require(try sender().call(saying: [reply("中了 @room <b>")], token: nil))
        #expect(call.method == "PUT")
        #expect(
            call.url.text
                == "https://matrix.example.org/_matrix/client/v3/rooms/%21r1%3Aexample.org/send/m.room.message/k-1")
        #expect(call.headers == ["Authorization": "Bearer as", "Content-Type": "application/json"])
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"msgtype":"m.notice","body":"中了 @room <b>","m.mentions":{},"#
                + #""m.relates_to":{"m.in_reply_to":{"event_id":"$e1"}}}"#)
        #expect(try sender().allowedHosts == ["matrix.example.org"])
        #expect(try sender().limits.mergesReplies)
    }

    @Test func severalRepliesSayWhomTheyAreFor() throws {
        let replies = [reply("a"), reply("b", user: "@leo:example.org", key: "k-2")]
        let call = try #require(try sender().call(saying: replies, token: nil))
        #expect(
            String(decoding: call.body, as: UTF8.self)
                == #"{"msgtype":"m.notice","body":"@hana:example.org: a\n@leo:example.org: b","m.mentions":{}}"#)
        #expect(try sender().call(saying: replies, token: nil)?.url == call.url)
        #expect(try sender().call(saying: [replies[0]], token: nil)?.url != call.url)
        #expect(try sender().call(saying: [replies[1], replies[0]], token: nil)?.url != call.url)
    }

    @Test func aLongReplyFitsAnEvent() throws {
        let call = try #require(
            try sender().call(saying: [reply(String(repeating: "\u{1}", count: 100_000))], token: nil))
        #expect(call.body.count < 60_000)
        let json = try #require(try StrictJSON.parse(call.body, maximumSize: 1 << 20).objectValue)
        #expect(json["body"]?.stringValue?.hasSuffix("……") == true)
    }

    @Test func answersAreUnderstood() throws {
        let sender = try sender()
        func limited(_ body: String) -> DeliveryResult {
            sender.result(of: OutboundAnswer(status: 429, headers: ["retry-after": "9"], body: Array(body.utf8)))
        }
        #expect(sender.result(of: OutboundAnswer(status: 200)) == .delivered)
        #expect(limited(#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2001}"#) == .later(afterSeconds: 3))
        #expect(limited(#"{"retry_after_ms":-1}"#) == .later(afterSeconds: 9))
        #expect(limited(#"{"retry_after_ms":9223372036854775807}"#) == .later(afterSeconds: 9))
        #expect(limited("x") == .later(afterSeconds: 9))
        #expect(sender.result(of: OutboundAnswer(status: 401)) == .refused(reason: "status 401"))
        #expect(sender.result(of: OutboundAnswer(status: 403)) == .refused(reason: "status 403"))
    }
}
