import Basics
import ChatPlatforms
import TestSupport
import Testing

struct ConsoleReplyTests {
    static func line(_ reply: ConsoleReply) -> String {
        var buffer: [UInt8] = []
        reply.append(to: &buffer)
        return String(decoding: buffer, as: UTF8.self)
    }

    @Test(arguments: [
        (
            ConsoleReply(user: nil, code: "bad_argument", reply: "这一行看不懂"),
            #"{"user":null,"code":"bad_argument","reply":"这一行看不懂"}"#
        ),
        (
            ConsoleReply(id: .string("m-1"), user: nil, code: "bad_argument", reply: ""),
            #"{"id":"m-1","user":null,"code":"bad_argument","reply":""}"#
        ),
        (
            ConsoleReply(
                id: .integer(-7), user: "qq:10001", code: "won", reply: "恭喜中奖:<一等奖>&\n\"游戏主机\"", receipt: "r1",
                award: "gold", position: 3),
            #"{"id":-7,"user":"qq:10001","code":"won","reply":"恭喜中奖:<一等奖>&\n\"游戏主机\"","receipt":"r1","award":"gold","position":3}"#
        ),
        (
            ConsoleReply(id: .string("1"), user: "qq:1", code: "queued", reply: "排队", position: 12),
            #"{"id":"1","user":"qq:1","code":"queued","reply":"排队","position":12}"#
        ),
        (
            ConsoleReply(id: .string("\"\\\r\n\u{1B}\u{2028}/"), user: "a:\u{9B}", code: "missed", reply: ""),
            #"{"id":"\"\\\r\n\u001b\u2028/","user":"a:\u009b","code":"missed","reply":""}"#
        ),
    ])
    func replyIsOneLine(reply: ConsoleReply, expected: String) {
        #expect(Self.line(reply) == expected + "\n")
    }

    @Test func linesAreAppended() {
        var buffer = Array("x".utf8)
        ConsoleReply(user: "a:1", code: "ignored", reply: "").append(to: &buffer)
        ConsoleReply(user: "a:2", code: "ignored", reply: "").append(to: &buffer)
        let expected =
            #"x{"user":"a:1","code":"ignored","reply":""}"# + "\n" + #"{"user":"a:2","code":"ignored","reply":""}"#
        #expect(String(decoding: buffer, as: UTF8.self) == expected + "\n")
    }

    @Test func whatIsWrittenIsReadBack() throws {
        var random = RandomJSON(generator: SeededGenerator(seed: SeededGenerator.baseSeed))
        for round in 0..<1000 {
            let reply = ConsoleReply(
                id: [nil, .string(random.string()), .integer(Int64(round))][round % 3],
                user: round.isMultiple(of: 2) ? random.string() : nil, code: "won", reply: random.string(),
                receipt: round.isMultiple(of: 5) ? random.string() : nil,
                award: round.isMultiple(of: 7) ? random.string() : nil,
                position: round.isMultiple(of: 11) ? Int64(round) : nil)
            let line = Self.line(reply)
            let newlines = line.utf8.filter { $0 == UInt8(ascii: "\n") }
            #expect(newlines.count == 1 && line.hasSuffix("\n"))
            let object = try #require(try json(line).objectValue)
            let id: ConsoleMessageID? =
                object["id"]?.stringValue.map { .string($0) } ?? object["id"]?.integerValue.map { .integer($0) }
            let read = ConsoleReply(
                id: id, user: object["user"]?.stringValue, code: object["code"]?.stringValue ?? "",
                reply: object["reply"]?.stringValue ?? "", receipt: object["receipt"]?.stringValue,
                award: object["award"]?.stringValue, position: object["position"]?.integerValue)
            #expect(read == reply)
            let order = ["id", "user", "code", "reply", "receipt", "award", "position"]
            let keys = object.members.map(\.key)
            #expect(keys == order.filter(keys.contains))
        }
    }

    @Test func refusedLineIsAnsweredUnderItsID() {
        do throws(ConsoleLineError) {
            _ = try ConsoleLine.decode(#"{"id":"m-9","user":"1"}"#.utf8)
            Issue.record("accepted")
        } catch {
            let reply = ConsoleReply(id: error.id, user: nil, code: "bad_argument", reply: "")
            #expect(Self.line(reply) == #"{"id":"m-9","user":null,"code":"bad_argument","reply":""}"# + "\n")
        }
    }
}
