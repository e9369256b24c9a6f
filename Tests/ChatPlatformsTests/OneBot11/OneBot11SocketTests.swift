import Basics
import ChatPlatforms
import Testing

struct OneBot11SocketTests {
    private let socket: OneBot11Socket
    private let login = OneBot11Socket.Login(selfID: "20001", role: .universal)

    init() throws {
        socket = try OneBot11Socket(PlatformSettings(["access_token": "ws-token-77"]))
    }

    private func request(
        _ headers: [(String, String)], query: [(name: String, value: String)] = []
    ) -> WebhookRequest {
        WebhookRequest(method: "GET", query: query, headers: headers.map { (name: $0.0, value: $0.1) })
    }

    private func read(_ text: String) -> OneBot11Socket.Frame {
        socket.read(Array(text.utf8), login: login)
    }

    // MARK: Upgrade

    @Test(arguments: PlatformVector.of(.onebot11).filter { $0.scheme == "bearer-token" })
    func vectorHolds(_ vector: PlatformVector) throws {
        let token = try #require(vector.secret?["token"])
        let socket = try OneBot11Socket(PlatformSettings(["access_token": token]))
        #expect(vector.acceptSchemes == ["bearer", "token"])
        do throws(WebhookFault) {
            let login = try socket.authorize(vector.request())
            #expect(vector.valid && vector.expected["accepted"] == "true")
            #expect(login == OneBot11Socket.Login(selfID: "20001", role: .universal))
        } catch {
            #expect(!vector.valid && error.rawValue == vector.expected["error"])
        }
    }

    @Test(arguments: [
        ("Universal", OneBot11Socket.Login.Role.universal), ("event", .event), ("API", .api),
    ])
    func roleIsRead(text: String, role: OneBot11Socket.Login.Role) throws {
        let request = request([
            ("Authorization", "bearer ws-token-77"), ("X-Self-ID", "7"), ("X-Client-Role", text),
        ])
        #expect(try socket.authorize(request) == OneBot11Socket.Login(selfID: "7", role: role))
    }

    @Test func withoutARoleItIsUniversal() throws {
        let request = request([("Authorization", "TOKEN ws-token-77"), ("X-Self-ID", "7")])
        #expect(try socket.authorize(request).role == .universal)
    }

    @Test func bothTokensMustBeRight() {
        let right = [("Authorization", "Bearer ws-token-77"), ("X-Self-ID", "7")]
        let wrong = [("Authorization", "Bearer ws-token-78"), ("X-Self-ID", "7")]
        #expect(throws: Never.self) {
            try socket.authorize(request(right, query: [("access_token", "ws-token-77")]))
        }
        #expect(throws: WebhookFault.badToken) {
            try socket.authorize(request(right, query: [("access_token", "ws-token-78")]))
        }
        #expect(throws: WebhookFault.badToken) {
            try socket.authorize(request(wrong, query: [("access_token", "ws-token-77")]))
        }
        #expect(throws: WebhookFault.badToken) { try socket.authorize(request(right + wrong)) }
        #expect(throws: WebhookFault.missingToken) {
            try socket.authorize(
                request([("Authorization", "Basic eDp5"), right[1]], query: [("access_token", "ws-token-77")]))
        }
    }

    @Test(arguments: ["ws-token-77", "", "Bearer", "Digest ws-token-77"])
    func withoutAKnownSchemeThereIsNoToken(authorization: String) {
        #expect(throws: WebhookFault.missingToken) {
            try socket.authorize(request([("Authorization", authorization), ("X-Self-ID", "7")]))
        }
    }

    @Test(arguments: ["Bearer  ws-token-77", "Bearer ws-token-77 ", "Bearer WS-TOKEN-77"])
    func tokenIsNotTrimmed(authorization: String) {
        #expect(throws: WebhookFault.badToken) {
            try socket.authorize(request([("Authorization", authorization), ("X-Self-ID", "7")]))
        }
    }

    @Test(arguments: [
        [], [("X-Self-ID", "")], [("X-Self-ID", "7"), ("X-Self-ID", "8")],
        [("X-Self-ID", String(repeating: "7", count: 129))], [("X-Self-ID", "7"), ("X-Client-Role", "Admin")],
        [("X-Self-ID", "7"), ("X-Client-Role", "API"), ("X-Client-Role", "API")],
    ])
    func loginWithoutAnIDOrWithAStrangeRoleIsRefused(headers: [(String, String)]) {
        #expect(throws: WebhookFault.malformedBody) {
            try socket.authorize(request([("Authorization", "Bearer ws-token-77")] + headers))
        }
    }

    @Test func settingsAreChecked() {
        #expect(throws: SettingFault.self) { try OneBot11Socket(PlatformSettings(["secret": "x"])) }
        #expect(throws: SettingFault.self) {
            try OneBot11Socket(PlatformSettings(["access_token": "x", "at_sender": "1"]))
        }
    }

    // MARK: Frames

    @Test func messageIsReadAsFromAPost() throws {
        let adapter = try OneBot11Adapter(
            PlatformSettings(["secret": OneBot11AdapterTests.secret, "api_url": "http://localhost:3000"]))
        for body in [OneBot11AdapterTests.groupBody, OneBot11AdapterTests.privateBody] {
            let event = try adapter.receive(
                OneBot11AdapterTests.request(Array(body.utf8)), now: OneBot11AdapterTests.now)
            guard case .messages(let messages) = event else { throw WebhookFault.malformedBody }
            #expect(messages.first?.address != nil)
            #expect(read(body) == .messages(messages))
        }
    }

    @Test(arguments: [
        ("self_id", "\"20001\"", true), ("self_id", "20002", false), ("self_id", nil, false),
        ("self_id", "[]", false), ("user_id", "20001", false), ("post_type", "\"notice\"", false),
        ("post_type", "null", false),
    ])
    func onlyMessagesToTheOneWhoLoggedInAreTaken(path: String, value: String?, isTaken: Bool) throws {
        let body = try EditedJSON.bytes(OneBot11AdapterTests.groupBody, path, value)
        let frame = socket.read(body, login: login)
        if isTaken { #expect(frame == read(OneBot11AdapterTests.groupBody)) } else { #expect(frame == .ignored) }
    }

    @Test(arguments: [
        "", "{", "[]", "1", "\u{FEFF}{}", #"{"post_type":"message","self_id":20001}"#, "{\"a\":1,\"a\":1}",
    ])
    func brokenFrameIsMalformed(text: String) {
        #expect(read(text) == .malformed)
    }

    @Test func damagedFrameIsNeverReadAsAnotherBots() {
        var generator = SeededGenerator(seed: 7)
        let frame = Array(OneBot11AdapterTests.groupBody.utf8)
        var malformedCount = 0
        for _ in 0..<2000 {
            var damaged = frame
            for _ in 0...Int.random(in: 0...2, using: &generator) {
                let index = Int.random(in: 0..<damaged.count, using: &generator)
                if Bool.random(using: &generator) {
                    damaged[index] = UInt8.random(in: 0...255, using: &generator)
                } else {
                    damaged.removeSubrange(index..<min(index + 9, damaged.count))
                }
            }
            switch socket.read(damaged, login: login) {
            case .messages(let messages):
                for message in messages {
                    #expect(message.account == login.selfID)
                    #expect(message.dedupe == login.selfID + ":" + message.messageID)
                    #expect(1...128 ~= message.userID.utf8.count && 1...128 ~= message.chatID.utf8.count)
                }
            case .malformed: malformedCount += 1
            case .ignored: break
            case .heartbeat, .connected, .answer: Issue.record("a message became something else")
            }
        }
        #expect(malformedCount > 1000)
    }

    @Test func overlongFrameIsMalformed() {
        let frame = Array(OneBot11AdapterTests.groupBody.utf8)
        let space = Array(repeating: UInt8(ascii: " "), count: (1 << 20) - frame.count)
        #expect(socket.read(frame + space, login: login) == read(OneBot11AdapterTests.groupBody))
        #expect(socket.read(frame + space + [0x20], login: login) == .malformed)
    }

    @Test(
        arguments: [
            ("15000", 15_000), ("1", 1000), ("-5", 1000), ("600001", 600_000), ("9223372036854775807", 600_000),
            ("\"x\"", 15_000), ("null", 15_000),
        ] as [(String, Int64)])
    func heartbeatHasAnInterval(interval: String, milliseconds: Int64) {
        let frame = read(
            #"{"self_id":20001,"post_type":"meta_event","meta_event_type":"heartbeat","interval":\#(interval)}"#
        )
        #expect(frame == .heartbeat(intervalMilliseconds: milliseconds))
    }

    @Test func connectionIsAnnounced() {
        let lifecycle = #"{"self_id":20001,"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"#
        #expect(read(lifecycle + #""connect"}"#) == .connected)
        #expect(read(lifecycle + #""enable"}"#) == .ignored)
        #expect(read(#"{"self_id":20001,"post_type":"meta_event","meta_event_type":"x"}"#) == .ignored)
        #expect(read(#"{"self_id":20002,"post_type":"meta_event","meta_event_type":"heartbeat"}"#) == .ignored)
    }

    @Test(
        arguments: [
            (#"{"status":"ok","retcode":0,"data":{},"echo":"e-1"}"#, .answer(echo: "e-1", .delivered)),
            (#"{"status":"async","retcode":1,"echo":"e-1"}"#, .answer(echo: "e-1", .delivered)),
            (
                #"{"status":"failed","retcode":1403,"echo":"e-1"}"#,
                .answer(echo: "e-1", .refused(reason: "retcode 1403"))
            ),
            (#"{"echo":"e-1"}"#, .answer(echo: "e-1", .refused(reason: "retcode unknown"))),
            (#"{"status":"ok","retcode":0,"echo":null}"#, .ignored), (#"{"status":"ok","echo":7}"#, .ignored),
            (#"{"status":"failed","retcode":1400}"#, .ignored), ("{}", .ignored),
        ] as [(String, OneBot11Socket.Frame)])
    func answerIsKnownByItsEcho(text: String, frame: OneBot11Socket.Frame) {
        #expect(read(text) == frame)
    }

    @Test func repliesAreSaidByAnAction() throws {
        let group = ReplyAddress(chat: "88001", isPrivate: false, user: "30001", account: "20001")
        let alone = ReplyAddress(chat: "30003", isPrivate: true, user: "30003", account: "20001")
        func text(_ socket: OneBot11Socket, _ address: ReplyAddress) -> String {
            let reply = OutgoingReply(address: address, text: "恭喜&[]", key: "k")
            return String(decoding: socket.frame(saying: [reply], echo: "k-1"), as: UTF8.self)
        }
        #expect(
            text(socket, group) == #"{"action":"send_group_msg","params":{"group_id":88001,"message":["#
                + #"{"type":"at","data":{"qq":"30001"}},{"type":"text","data":{"text":" 恭喜&[]"}}]},"echo":"k-1"}"#)
        #expect(
            text(socket, alone) == #"{"action":"send_private_msg","params":{"user_id":30003,"message":["#
                + #"{"type":"text","data":{"text":"恭喜&[]"}}]},"echo":"k-1"}"#)
        let quiet = try OneBot11Socket(PlatformSettings(["access_token": "ws-token-77", "at_sender": "false"]))
        #expect(!text(quiet, group).contains(#""at""#))
        #expect(socket.limits.text == TextLimit(1500, .characters))
    }
}
