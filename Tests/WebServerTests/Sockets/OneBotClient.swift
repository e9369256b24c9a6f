import Basics
import ChatPlatforms
import Foundation
import NIOConcurrencyHelpers
import Testing

@testable import WebServer

/// A OneBot 11 implementation that connects by reverse WebSocket, with frames made by hand.
final class OneBotClient: Sendable {
    static let token = "peer-onebot11-socket-token-0001"

    /// An action that the server sent.
    struct Action: Sendable {
        let name: String
        let echo: String
        /// Of a group or, in private, of a user.
        let place: String
        /// Who is mentioned, with the text behind it; in private one text without anybody.
        let parts: [(user: String, text: String)]

        var text: String { parts.map(\.text).joined() }
    }

    private struct State {
        var offset = 0
        var isUpgraded = false
        var actions: [Action] = []
        var closeCode: Int?
    }

    let connection: RawConnection
    let selfID: String
    /// What actions are answered; nil: nothing.
    private let answer: @Sendable (Action) -> String?
    private let state = NIOLockedValueBox(State())

    private init(
        connection: RawConnection, selfID: String, answer: @escaping @Sendable (Action) -> String?
    ) {
        (self.connection, self.selfID, self.answer) = (connection, selfID, answer)
    }

    static let endpoint: Endpoint = makeEndpoint(["access_token": token])

    static func makeEndpoint(
        _ settings: [String: String], name: String = "onebot11", trustsGroupAdmins: Bool = false
    ) -> Endpoint {
        guard let adapter = try? Platform.onebot11.adapter(planting: settings) else { preconditionFailure("settings") }
        return Endpoint(name: name, adapter: adapter, trustsGroupAdmins: trustsGroupAdmins)
    }

    /// What the server answers to a request for an upgrade, with its head as it came.
    static func upgrade(
        _ port: Int, path: String = "/webhook/onebot11/ws", headers: [String]
    ) async throws -> (connection: RawConnection, head: String) {
        let connection = try await RawConnection.open(port)
        let lines =
            [
                "GET \(path) HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
            ] + headers
        try await connection.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
        return (connection, await connection.until("\r\n\r\n"))
    }

    static func headers(
        selfID: String = "20001", role: String? = "Universal", token: String = token
    ) -> [String] {
        ["X-Self-ID: \(selfID)", "Authorization: Bearer \(token)"] + (role.map { ["X-Client-Role: \($0)"] } ?? [])
    }

    /// - Parameter answer: To an action; `ok` unless given.
    static func connect(
        _ port: Int, path: String = "/webhook/onebot11/ws", selfID: String = "20001", role: String? = "Universal",
        answer: @escaping @Sendable (Action) -> String? = { ok($0.echo) }
    ) async throws -> OneBotClient {
        let (connection, head) = try await upgrade(path: path, port, headers: headers(selfID: selfID, role: role))
        #expect(head.hasPrefix("HTTP/1.1 101 "), "\(head)")
        let client = OneBotClient(connection: connection, selfID: selfID, answer: answer)
        if role != "API" {
            try await client.send(
                #"{"time":1,"self_id":\#(selfID),"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"connect"}"#
            )
        }
        return client
    }

    private static func upgrade(path: String, _ port: Int, headers: [String]) async throws -> (
        RawConnection, String
    ) {
        try await upgrade(port, path: path, headers: headers)
    }

    static func ok(_ echo: String) -> String {
        #"{"status":"ok","retcode":0,"data":{"message_id":1},"echo":"\#(echo)"}"#
    }

    static func failed(_ echo: String) -> String {
        #"{"status":"failed","retcode":1200,"data":null,"echo":"\#(echo)"}"#
    }

    // MARK: Saying

    static func frame(_ opcode: UInt8, _ data: [UInt8]) -> [UInt8] {
        var bytes = [0x80 | opcode]
        switch data.count {
        case ...125: bytes.append(0x80 | UInt8(data.count))
        case ...0xFFFF: bytes += [0x80 | 126, UInt8(data.count >> 8), UInt8(data.count & 0xFF)]
        default: bytes += [0x80 | 127] + (0..<8).reversed().map { UInt8(data.count >> ($0 * 8) & 0xFF) }
        }
        let key: [UInt8] = [0x12, 0x34, 0x56, 0x78]
        return bytes + key + data.enumerated().map { $1 ^ key[$0 % 4] }
    }

    func send(_ text: String) async throws {
        try await connection.send(Self.frame(1, Array(text.utf8)))
    }

    /// Several frames in one write.
    func send(together texts: [String]) async throws {
        try await connection.send(texts.flatMap { Self.frame(1, Array($0.utf8)) })
    }

    /// A message as an event.
    ///
    /// - Parameters:
    ///   - group: Nil in private.
    ///   - more: Further members, each with a comma in front.
    func message(
        _ text: String, id: Int, user: Int = 10001, group: Int? = 88001, at now: Instant, role: String = "member",
        more: String = ""
    ) -> String {
        let place =
            group.map { #""message_type":"group","sub_type":"normal","group_id":\#($0)"# }
            ?? #""message_type":"private","sub_type":"friend""#
        return #"{"time":\#(now.milliseconds / 1000),"self_id":\#(selfID),"post_type":"message",\#(place),"#
            + #""message_id":\#(id),"user_id":\#(user),"message":[{"type":"text","data":{"text":"\#(text)"}}],"#
            + #""raw_message":"\#(text)","sender":{"user_id":\#(user),"role":"\#(role)"}\#(more)}"#
    }

    func heartbeat(milliseconds: Int) -> String {
        #"{"time":1,"self_id":\#(selfID),"post_type":"meta_event","meta_event_type":"heartbeat","status":{"online":true},"#
            + #""interval":\#(milliseconds)}"#
    }

    // MARK: Hearing

    /// The actions so far. Answers those that are new.
    func actions() async throws -> [Action] {
        let bytes = connection.bytes
        let new = state.withLockedValue { state -> [Action] in
            if !state.isUpgraded, let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                state.isUpgraded = true
                state.offset = end.upperBound
            }
            guard state.isUpgraded else { return [] }
            var new: [Action] = []
            while let (opcode, data, end) = Self.nextFrame(bytes, state.offset) {
                state.offset = end
                if opcode == 1, let action = Self.action(data) { new.append(action) }
                if opcode == 8, data.count >= 2 { state.closeCode = Int(data[0]) << 8 | Int(data[1]) }
            }
            state.actions += new
            return new
        }
        for action in new {
            if let text = answer(action) { try await send(text) }
        }
        return state.withLockedValue { $0.actions }
    }

    /// The code of the close frame, if one came.
    var closeCode: Int? {
        get async throws {
            _ = try? await actions()
            return state.withLockedValue { $0.closeCode }
        }
    }

    private static func nextFrame(_ bytes: [UInt8], _ start: Int) -> (opcode: UInt8, data: [UInt8], end: Int)? {
        guard bytes.count >= start + 2 else { return nil }
        var index = start + 2
        var size = Int(bytes[start + 1])
        let more = size == 126 ? 2 : size == 127 ? 8 : 0
        guard bytes.count >= index + more else { return nil }
        if more > 0 { size = bytes[index..<index + more].reduce(0) { $0 << 8 | Int($1) } }
        index += more
        guard bytes.count >= index + size else { return nil }
        return (bytes[start] & 0x0F, Array(bytes[index..<index + size]), index + size)
    }

    private static func action(_ data: [UInt8]) -> Action? {
        let object = try? JSONSerialization.jsonObject(with: Data(data)) as? [String: Any]
        guard let name = object?["action"] as? String, let echo = object?["echo"] as? String,
            let parameters = object?["params"] as? [String: Any],
            let place = (parameters["group_id"] ?? parameters["user_id"]) as? Int,
            let segments = parameters["message"] as? [[String: Any]]
        else { return nil }
        var parts: [(user: String, text: String)] = []
        for segment in segments {
            let data = segment["data"] as? [String: Any]
            switch segment["type"] as? String {
            case "at": parts.append((data?["qq"] as? String ?? "", ""))
            default:
                if parts.isEmpty { parts.append(("", "")) }
                parts[parts.count - 1].text += data?["text"] as? String ?? ""
            }
        }
        return Action(name: name, echo: echo, place: String(place), parts: parts)
    }

    func close() async {
        await connection.close()
    }
}
