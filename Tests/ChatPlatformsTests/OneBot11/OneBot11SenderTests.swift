import Basics
import ChatPlatforms
import Testing

struct OneBot11SenderTests {
    private static let group = ReplyAddress(chat: "88001", isPrivate: false, user: "30001", account: "20001")
    private static let alone = ReplyAddress(chat: "30003", isPrivate: true, user: "30003", account: "20001")

    private func sender(_ more: [String: String] = [:]) throws -> any ReplySender {
        let settings = ["secret": "guild-draw-key-01", "api_url": "http://127.0.0.1:3000/bot/"]
        return try #require(try OneBot11Adapter(PlatformSettings(settings.merging(more) { $1 })).sender)
    }

    private func call(
        _ replies: [OutgoingReply], _ more: [String: String] = [:]
    ) throws -> (url: String, headers: [String: String], body: String) {
        let call = try #require(try sender(more).call(saying: replies, token: nil))
        #expect(call.method == "POST")
        return (call.url.text, call.headers, String(decoding: call.body, as: UTF8.self))
    }

    @Test func replyInAGroupMentionsItsUser() throws {
        let reply = OutgoingReply(address: Self.group, text: "恭喜[CQ:at,qq=all]", key: "k")
        let sent = try call([reply], ["access_token": "api-token"])
        #expect(sent.url == "http://127.0.0.1:3000/bot/send_group_msg")
        #expect(sent.headers == ["Content-Type": "application/json", "Authorization": "Bearer api-token"])
        #expect(
            sent.body == #"{"group_id":88001,"message":[{"type":"at","data":{"qq":"30001"}},"#
                + #"{"type":"text","data":{"text":" 恭喜[CQ:at,qq=all]"}}]}"#)
        #expect(
            try call([reply], ["at_sender": "false"]).body
                == #"{"group_id":88001,"message":[{"type":"text","data":{"text":"恭喜[CQ:at,qq=all]"}}]}"#)
    }

    @Test func replyInPrivateMentionsNobody() throws {
        let sent = try call([OutgoingReply(address: Self.alone, text: "好", key: "k")])
        #expect(sent.url == "http://127.0.0.1:3000/bot/send_private_msg")
        #expect(sent.headers == ["Content-Type": "application/json"])
        #expect(sent.body == #"{"user_id":30003,"message":[{"type":"text","data":{"text":"好"}}]}"#)
    }

    @Test(arguments: ["true", "false"])
    func mergedRepliesSayWhomTheyAreFor(mentionsSender: String) throws {
        var other = Self.group
        other.user = "30002"
        let sent = try call(
            [
                OutgoingReply(address: Self.group, text: "一\n二", key: "a"),
                OutgoingReply(address: other, text: "三", key: "b"),
            ], ["at_sender": mentionsSender])
        #expect(
            sent.body == #"{"group_id":88001,"message":[{"type":"at","data":{"qq":"30001"}},"#
                + #"{"type":"text","data":{"text":" 一\n二\n"}},{"type":"at","data":{"qq":"30002"}},"#
                + #"{"type":"text","data":{"text":" 三"}}]}"#)
    }

    @Test func idThatIsNoNumberStaysAString() throws {
        var address = Self.group
        address.chat = "088001"
        #expect(
            try call([OutgoingReply(address: address, text: "好", key: "k")]).body
                .hasPrefix(#"{"group_id":"088001","#))
    }

    @Test func longReplyIsCut() throws {
        let text = String(repeating: "好", count: 1501)
        let body = try call([OutgoingReply(address: Self.alone, text: text, key: "k")]).body
        #expect(body.contains(#""text":""# + String(repeating: "好", count: 1497) + #"\n……""#))
    }

    @Test func senderIsThereOnlyWithAnAddressToCall() throws {
        #expect(try OneBot11Adapter(PlatformSettings(["secret": "guild-draw-key-01"])).sender == nil)
        let sender = try sender()
        #expect(sender.allowedHosts == ["127.0.0.1"])
        #expect(sender.tokenCall() == nil)
        #expect(sender.call(saying: [], token: nil) == nil)
        #expect(sender.limits.millisecondsPerChat == 500 && sender.limits.text == TextLimit(1500, .characters))
    }

    @Test(
        arguments: [
            (200, #"{"status":"ok","retcode":0,"data":{"message_id":1}}"#, .delivered),
            (200, #"{"status":"async","retcode":1,"data":null}"#, .delivered),
            (200, #"{"status":"failed","retcode":1404,"data":null}"#, .refused(reason: "retcode 1404")),
            (200, #"{"status":"failed","retcode":100}"#, .refused(reason: "retcode 100")),
            (200, #"{"status":"failed","retcode":"x\ny"}"#, .refused(reason: "retcode unknown")),
            (200, "{}", .refused(reason: "retcode unknown")), (200, "", .refused(reason: "answer without JSON")),
            (401, "", .refused(reason: "status 401")), (403, "", .refused(reason: "status 403")),
            (404, "", .refused(reason: "status 404")), (502, "", .later(afterSeconds: nil)),
        ] as [(Int, String, DeliveryResult)])
    func answerIsRead(status: Int, body: String, result: DeliveryResult) throws {
        #expect(try sender().result(of: OutboundAnswer(status: status, body: Array(body.utf8))) == result)
    }
}
