import Basics
import ChatPlatforms
import TestSupport
import Testing

struct ConsoleLineTests {
    typealias Fault = ConsoleLineError.Fault

    static func decode(_ line: String) throws(ConsoleLineError) -> ConsoleMessage {
        try ConsoleLine.decode(Array(line.utf8))
    }

    static func refusal(_ line: String) -> ConsoleLineError? {
        do throws(ConsoleLineError) {
            _ = try decode(line)
            return nil
        } catch {
            return error
        }
    }

    static let long129 = String(repeating: "x", count: 129)

    static let badLines: [(String, Fault, ConsoleMessageID?)] = [
        ("[]", .notAnObject, nil),
        ("null", .notAnObject, nil),
        (#""抽奖""#, .notAnObject, nil),
        ("{}", .missing(.user), nil),
        (#"{"id":"m","text":"x"}"#, .missing(.user), .string("m")),
        (#"{"id":7,"user":null,"text":"x"}"#, .missing(.user), .integer(7)),
        (#"{"id":"m","user":"1"}"#, .missing(.text), .string("m")),
        (#"{"id":"m","user":"1","text":null}"#, .missing(.text), .string("m")),
        (#"{"User":"1","text":"x"}"#, .missing(.user), nil),
        (#"{"user":true,"text":"x","id":-3}"#, .badType(.user), .integer(-3)),
        (#"{"user":1.0,"text":"x"}"#, .badType(.user), nil),
        (#"{"user":1e3,"text":"x"}"#, .badType(.user), nil),
        (#"{"user":-0,"text":"x"}"#, .badType(.user), nil),
        (#"{"user":9223372036854775808,"text":"x"}"#, .badType(.user), nil),
        (#"{"user":["1"],"text":"x"}"#, .badType(.user), nil),
        (#"{"user":{"id":"1"},"text":"x"}"#, .badType(.user), nil),
        (#"{"user":"","text":"x"}"#, .empty(.user), nil),
        (#"{"user":"qq:","text":"x"}"#, .empty(.user), nil),
        (#"{"platform":"qq","user":"qq:","text":"x"}"#, .empty(.user), nil),
        (#"{"user":"a\nb","text":"x"}"#, .controlCharacter(.user), nil),
        (#"{"user":"a\u001b","text":"x"}"#, .controlCharacter(.user), nil),
        (#"{"user":"a\u007f","text":"x"}"#, .controlCharacter(.user), nil),
        (#"{"user":"a\u0085","text":"x"}"#, .controlCharacter(.user), nil),
        (#"{"user":"\#(long129)","text":"x"}"#, .tooLong(.user, maximumSize: 128), nil),
        (#"{"user":"qq:\#(long129)","text":"x"}"#, .tooLong(.user, maximumSize: 128), nil),
        (#"{"user":"\#(String(repeating: "抽", count: 43))","text":"x"}"#, .tooLong(.user, maximumSize: 128), nil),
        (#"{"platform":1,"user":"1","text":"x"}"#, .badType(.platform), nil),
        (#"{"platform":false,"user":"1","text":"x","id":"m"}"#, .badType(.platform), .string("m")),
        (#"{"platform":"","user":"1","text":"x"}"#, .badPlatform, nil),
        (#"{"platform":"QQ","user":"1","text":"x"}"#, .badPlatform, nil),
        (#"{"platform":"q q","user":"1","text":"x"}"#, .badPlatform, nil),
        (#"{"platform":"qq:","user":"1","text":"x"}"#, .badPlatform, nil),
        (#"{"platform":"企鹅","user":"1","text":"x"}"#, .badPlatform, nil),
        (#"{"platform":"ｑｑ","user":"1","text":"x"}"#, .badPlatform, nil),
        (#"{"platform":"\#(String(repeating: "q", count: 33))","user":"1","text":"x"}"#, .badPlatform, nil),
        (#"{"user":"1","chat":88001,"text":"x"}"#, .badType(.chat), nil),
        (#"{"user":"1","chat":[],"text":"x"}"#, .badType(.chat), nil),
        (#"{"user":"1","chat":"console:","text":"x"}"#, .empty(.chat), nil),
        (#"{"user":"1","chat":"a\r","text":"x"}"#, .controlCharacter(.chat), nil),
        (#"{"user":"1","chat":"\#(long129)","text":"x"}"#, .tooLong(.chat, maximumSize: 128), nil),
        (#"{"user":"1","text":1}"#, .badType(.text), nil),
        (#"{"user":"1","text":["抽奖"],"id":"m"}"#, .badType(.text), .string("m")),
        (#"{"user":"1","text":"x","id":""}"#, .empty(.id), nil),
        (#"{"user":"1","text":"x","id":1.0}"#, .badType(.id), nil),
        (#"{"user":"1","text":"x","id":1e0}"#, .badType(.id), nil),
        (#"{"user":"1","text":"x","id":18446744073709551615}"#, .badType(.id), nil),
        (#"{"user":"1","text":"x","id":true}"#, .badType(.id), nil),
        (#"{"user":"1","text":"x","id":{"a":1}}"#, .badType(.id), nil),
        (#"{"user":"1","text":"x","id":"\#(long129)"}"#, .tooLong(.id, maximumSize: 128), nil),
        // The id is looked at first, whatever else is wrong.
        (#"{"id":[]}"#, .badType(.id), nil),
    ]

    @Test(arguments: badLines)
    func badLineIsRefused(line: String, fault: Fault, id: ConsoleMessageID?) {
        let error = Self.refusal(line)
        #expect(error?.fault == fault)
        #expect(error?.id == id)
        #expect(error?.description.isEmpty == false)
    }

    @Test(arguments: [
        ("", 0), ("   ", 3), ("抽奖", 0), (#"{"user":"1","text":"x"} {}"#, 24),
        (#"{"user":"1","user":"2","text":"x"}"#, 12),
        (#"{"user":"1","text":"x",}"#, 22), ("\u{FEFF}{\"user\":\"1\",\"text\":\"x\"}", 0),
        (#"{"user":"1","text":"\u0000"}"#, 20),
        (#"{"user":"1","text":"\ud800"}"#, 20), (#"{"id":"m","user":"1","text":"x"#, 30),
    ])
    func whatIsNotJSONSaysWhere(line: String, offset: Int) {
        guard case .notJSON(let error) = Self.refusal(line)?.fault else {
            Issue.record("accepted, or refused as something else")
            return
        }
        #expect(error.offset == offset)
        #expect(Self.refusal(line)?.field == nil)
    }

    @Test(arguments: [
        (#""user":"10001""#, "console:10001"),
        (#""user":10001"#, "console:10001"),
        (#""user":-5"#, "console:-5"),
        (#""user":9007199254740993"#, "console:9007199254740993"),
        (#""user":"qq:10001""#, "qq:10001"),
        (#""user":"web:a:b""#, "web:a:b"),
        (#""user":":10001""#, "console::10001"),
        (#""user":"QQ:10001""#, "console:QQ:10001"),
        (#""user":"小 明:1""#, "console:小 明:1"),
        (#""platform":"qq","user":"10001""#, "qq:10001"),
        (#""platform":"qq","user":10001"#, "qq:10001"),
        (#""platform":"qq","user":"qq:10001""#, "qq:10001"),
        (#""platform":"qq","user":"qq:qq:1""#, "qq:qq:1"),
        (#""platform":"qq","user":"qqbot:1""#, "qq:qqbot:1"),
        (#""platform":"qq","user":"qq""#, "qq:qq"),
        (#""platform":null,"user":"1""#, "console:1"),
        (#""platform":"a-b_9","user":"1""#, "a-b_9:1"),
        (#""user":"抽奖人""#, "console:抽奖人"),
    ])
    func userIsQualified(fields: String, user: UserID) throws {
        #expect(try Self.decode("{\(fields),\"text\":\"\"}").user == user)
    }

    @Test(
        arguments: [
            (#""user":"1""#, nil), (#""user":"1","chat":null"#, nil), (#""user":"1","chat":"""#, nil),
            (#""user":"1","chat":"88001""#, "console:88001"), (#""user":"qq:1","chat":"88001""#, "console:88001"),
            (#""user":"1","chat":"onebot11:88001""#, "onebot11:88001"),
            (#""platform":"qq","user":"1","chat":"88001""#, "qq:88001"),
            (#""platform":"qq","user":"1","chat":"qq:88001""#, "qq:88001"),
            (#""platform":"qq","user":"1","chat":"onebot11:88001""#, "qq:onebot11:88001"),
        ] as [(String, ChatID?)])
    func chatIsQualified(fields: String, chat: ChatID?) throws {
        #expect(try Self.decode("{\(fields),\"text\":\"\"}").chat == chat)
    }

    @Test(
        arguments: [
            (#""platform":"qq","chat":"88001","id":"sm-001""#, "2:qq,8:qq:88001,7:ssm-001,"),
            (#""platform":"qq","chat":"88001","id":1"#, "2:qq,8:qq:88001,2:i1,"),
            (#""platform":"qq","chat":"88001","id":"1""#, "2:qq,8:qq:88001,2:s1,"),
            (#""platform":"qq","id":-1"#, "2:qq,0:,3:i-1,"),
            (#""id":"消息""#, "7:console,0:,7:s消息,"),
            (#""platform":"qq","chat":"88001","id":null"#, nil),
            (#""platform":"qq","chat":"88001""#, nil),
        ] as [(String, String?)])
    func keyIsMadeOfNamespaceChatAndID(fields: String, keyText: String?) throws {
        #expect(try Self.decode("{\"user\":\"1\",\(fields),\"text\":\"抽奖\"}").keyText == keyText)
    }

    @Test func keysOfDifferentMessagesDiffer() throws {
        let platforms = ["qq", "q"]
        let chats = ["", "1", "q:1", "1,2:s1", "1,", "0:,"]
        let ids = ["\"1\"", "1", "\"i1\"", "\"s1\"", "\",\"", "\"1,2:s1\"", "\"2:s1,\""]
        var keys: Set<String> = []
        for platform in platforms {
            for chat in chats {
                for id in ids {
                    let line = #"{"platform":"\#(platform)","user":"1","chat":"\#(chat)","id":\#(id),"text":""}"#
                    keys.insert(try #require(try Self.decode(line).keyText))
                }
            }
        }
        // One pair of chats is the same: "1" and "q:1" on platform q.
        #expect(keys.count == (platforms.count * chats.count - 1) * ids.count)
    }

    @Test func sameMessageInAnotherSpellingHasTheSameKey() throws {
        let plain = try Self.decode(#"{"platform":"qq","user":"1","chat":"8","id":"m","text":"抽奖"}"#)
        let spelled = try Self.decode(
            #"{"x":[1],"text":"\u62bd\u5956","id":"\u006d","chat":"qq:8","user":"qq:1","platform":"qq"}"#)
        let withoutPlatform = try Self.decode(#"{"user":"qq:1","chat":"qq:8","id":"m","text":"抽奖"}"#)
        #expect(plain == spelled)
        #expect(plain == withoutPlatform)
    }

    @Test func longestFieldsAreAccepted() throws {
        let id = String(repeating: "x", count: 128)
        let platform = String(repeating: "p", count: 32)
        let text = String(repeating: "x", count: 64 * 1024)
        let line = #"{"platform":"\#(platform)","user":"\#(id)","chat":"\#(id)","text":"\#(text)"}"#
        let message = try Self.decode(line)
        #expect(message.user.text.utf8.count == 32 + 1 + 128)
        #expect(message.text.utf8.count == 64 * 1024)
        #expect(try Self.decode(#"{"user":"1","id":"\#(id)","text":""}"#).id == .string(id))
    }

    @Test func idIsRefusedWhenItsKeyIsTooLong() throws {
        // Given: "2:qq,", a chat of 100 bytes with its platform and size, and "...:s<id>,".
        func line(_ size: Int) -> String {
            let chat = String(repeating: "c", count: 97 + 20)
            let id = String(repeating: "i", count: size)
            return #"{"platform":"qq","user":"1","chat":"\#(chat)","id":"\#(id)","text":""}"#
        }
        // 5 + (4 + 120 + 1) + (4 + 1 + size + 1)
        #expect(try Self.decode(line(120)).keyText?.utf8.count == 256)
        let error = Self.refusal(line(121))
        #expect(error?.fault == .keyTooLong(maximumSize: 256))
        #expect(error?.field == .id)
        #expect(error?.id == .string(String(repeating: "i", count: 121)))
    }

    @Test func textIsLimited() {
        let text = String(repeating: "x", count: 64 * 1024 + 1)
        let error = Self.refusal(#"{"user":"1","id":1,"text":"\#(text)"}"#)
        #expect(error?.fault == .tooLong(.text, maximumSize: 64 * 1024))
        #expect(error?.id == .integer(1))
    }

    @Test func lineIsLimited() throws {
        let line = #"{"user":"1","text":"抽奖"}"#
        let padding = String(repeating: " ", count: 128 * 1024 - line.utf8.count)
        #expect(try Self.decode(line + padding).text == "抽奖")
        #expect(Self.refusal(line + padding + " ")?.fault == .lineTooLong(maximumSize: 128 * 1024))
    }

    @Test func unknownFieldsAreIgnored() throws {
        let message = try Self.decode(
            #"{"nick":"\u202e","user":"1","at":1.5,"raw":{"user":"2"},"text":" 抽奖\n","":null,"TEXT":0}"#)
        #expect(message.user == "console:1")
        #expect(message.text == " 抽奖\n")
    }

    @Test func textIsNotChanged() throws {
        #expect(try Self.decode(#"{"user":"1","text":"e\u0301"}"#).text.utf8.elementsEqual("e\u{301}".utf8))
        #expect(try Self.decode(#"{"user":"1","text":""}"#).text.isEmpty)
    }

    @Test func errorNamesTheField() {
        #expect(Self.refusal(#"{"user":1.5,"text":""}"#)?.description == "user must be a string or an integer")
        #expect(Self.refusal(#"{"user":1,"text":5}"#)?.description == "text must be a string")
        #expect(
            Self.refusal(#"{"user":1"#)?.description == "not JSON: the document ends too early (at byte 9)")
    }

    @Test func damagedLinesNeverCrash() {
        var random = RandomJSON(generator: SeededGenerator(seed: SeededGenerator.baseSeed))
        let line = Array(#"{"platform":"qq","user":"10001","chat":"88001","id":"m\u0031","text":"抽奖 春节"}"#.utf8)
        for _ in 0..<5000 {
            guard let message = try? ConsoleLine.decode(random.damaged(line)) else { continue }
            #expect(!message.user.namespace.isEmpty)
            #expect((message.keyText?.utf8.count ?? 0) <= 256)
        }
    }
}
