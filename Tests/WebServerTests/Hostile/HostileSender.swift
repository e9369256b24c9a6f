import Basics
import ChatPlatforms
import Crypto
import CryptoExtras
import Foundation
import Lottery
import TestSupport
import Testing
import WebServer

/// Signs whatever it is given as one platform does, so that hostile bodies get as far as they can.
struct HostileSender: Sendable, CustomTestStringConvertible {
    let name: String
    let path: String
    /// Nil for the red-packet API.
    let endpoint: (@Sendable () throws -> Endpoint)?
    /// A message that is good, for the user and with the id and text given.
    let message: @Sendable (_ user: String, _ id: Int, _ text: String, _ now: Instant) -> String
    /// Headers, and what stands behind the path, for a body.
    let sign: @Sendable (_ body: [UInt8], _ id: Int, _ now: Instant) -> (headers: [String: String], query: String)
    /// Telegram is told that all is well, since it would send what cannot be read again and again.
    var malformedStatus = 400

    var testDescription: String { name }

    static let key = Data("hostile-sender-webhook-key-0001".utf8)
    static let secret = "hostile-sender-secret-0001"

    static func hmac<Function: HashFunction>(_: Function.Type, _ bytes: Data, _ key: Data) -> Data {
        Data(HMAC<Function>.authenticationCode(for: bytes, using: SymmetricKey(data: key)))
    }

    static func adapter(_ platform: Platform, _ settings: [String: String]) throws -> any PlatformAdapter {
        try platform.adapter(planting: settings)
    }

    // MARK: JSON

    static let webhook = HostileSender(
        name: "webhook", path: "/webhook/webhook",
        endpoint: {
            Endpoint(
                name: "webhook",
                adapter: try adapter(.webhook, ["secret": "whsec_" + key.base64EncodedString()]), identity: "qq")
        },
        message: { user, id, text, _ in
            #"{"type":"chat.message","data":{"user_id":"\#(user)","chat_id":"g","message_id":"m\#(id)","text":"\#(text)"}}"#
        },
        sign: { body, id, now in (standardHeaders(body, id: "msg_\(id)", at: now.milliseconds / 1000), "") })

    static func standardHeaders(
        _ body: [UInt8], id: String, at seconds: Int64, key: Data = key
    ) -> [String: String] {
        let code = hmac(SHA256.self, Data("\(id).\(seconds).".utf8) + Data(body), key)
        return [
            "Content-Type": "application/json", "webhook-id": id, "webhook-timestamp": String(seconds),
            "webhook-signature": "v1," + code.base64EncodedString(),
        ]
    }

    static let onebot11 = HostileSender(
        name: "onebot11", path: "/webhook/onebot11",
        endpoint: { Endpoint(name: "onebot11", adapter: try adapter(.onebot11, ["secret": secret]), identity: "qq") },
        message: { user, id, text, now in
            #"{"time":\#(now.milliseconds / 1000),"self_id":20001,"post_type":"message","message_type":"group","#
                + #""sub_type":"normal","message_id":\#(id),"user_id":\#(user),"group_id":7,"#
                + #""message":[{"type":"text","data":{"text":"\#(text)"}}],"sender":{"user_id":\#(user)}}"#
        },
        sign: { body, _, _ in
            (
                [
                    "Content-Type": "application/json",
                    "X-Signature": "sha1=" + hexText(hmac(Insecure.SHA1.self, Data(body), Data(secret.utf8))),
                ], ""
            )
        })

    static let telegram = HostileSender(
        name: "telegram", path: "/webhook/telegram",
        endpoint: {
            Endpoint(
                name: "telegram",
                adapter: try adapter(.telegram, ["secret_token": secret, "bot_username": "HostileBot"]),
                identity: "qq")
        },
        message: { user, id, text, now in
            #"{"update_id":\#(900_000 + id),"message":{"message_id":\#(id),"from":{"id":\#(user),"is_bot":false},"#
                + #""chat":{"id":-100,"type":"supergroup"},"date":\#(now.milliseconds / 1000),"text":"\#(text)"}}"#
        },
        sign: { _, _, _ in
            (["Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": secret], "")
        }, malformedStatus: 200)

    static let api = HostileSender(
        name: "api", path: "/api/traffic/join", endpoint: nil,
        message: { user, _, _, _ in #"{"action":"join","sessionId":"s\#(user)"}"# },
        sign: { _, _, _ in (["Content-Type": "application/json"], "") })

    static let json = [webhook, onebot11, telegram, api]

    // MARK: XML

    private static let envelope = WeChatPeerEnvelope(
        token: "hostilesendertoken000001", keyText: "hostileSenderKey0123456789ABCDEFGHIJKLMNOPQ",
        receiverID: "wxhostile0000001")

    /// The XML that a person's message is, before it is encrypted.
    static func xml(_ user: String, _ id: Int, _ text: String, _ now: Instant) -> String {
        WeChatPeerEnvelope.message(
            PeerMessage(user: user, id: id, text: text, sentAt: now), to: envelope.receiverID, messageID: id,
            more: "<AgentID>1</AgentID>")
    }

    private static func xmlSender(_ platform: Platform, _ signatureName: String) -> HostileSender {
        HostileSender(
            name: platform.rawValue, path: "/webhook/\(platform.rawValue)",
            endpoint: {
                Endpoint(
                    name: platform.rawValue,
                    adapter: try adapter(
                        platform,
                        [
                            "token": envelope.token, "encoding_aes_key": envelope.keyText,
                            "receive_id": envelope.receiverID,
                        ]), identity: "qq")
            },
            message: xml,
            // Of a body that has an encrypted part; of any other the signature covers nothing.
            sign: { body, _, now in
                let text = String(decoding: body, as: UTF8.self)
                let encrypted = text.split(separator: "<Encrypt><![CDATA[").dropFirst().first?
                    .split(separator: "]]></Encrypt>").first.map(String.init)
                return (["Content-Type": "text/xml"], envelope.query(encrypted ?? "", at: now))
            })
    }

    /// Encrypts what stands for a message and puts the envelope around it.
    static func sealed(_ xml: String) -> String { wrapped(envelope.encrypted(xml)) }

    static func wrapped(_ encrypted: String) -> String {
        "<xml><ToUserName><![CDATA[\(envelope.receiverID)]]></ToUserName><Encrypt><![CDATA[\(encrypted)]]></Encrypt></xml>"
    }

    /// What is encrypted as it stands, padding and all: its size must be a multiple of 16.
    static func encryptedRaw(_ plaintext: Data) throws -> String {
        guard let key = Data(base64Encoded: envelope.keyText + "=") else { preconditionFailure("not a key") }
        let bytes = try AES._CBC.encrypt(
            plaintext, using: SymmetricKey(data: key), iv: AES._CBC.IV(ivBytes: key.prefix(16)), noPadding: true)
        return bytes.base64EncodedString()
    }

    static let receiverID = envelope.receiverID
    static let wecom = xmlSender(.wecom, "msg_signature")
    static let wechatOA = xmlSender(.wechatOA, "msg_signature")
    static let xml = [wecom, wechatOA]
}

/// A connection on which one request follows another, and what each was answered.
struct HostileConnection {
    private let connection: RawConnection
    private var read = 0

    init(_ port: Int) async throws {
        connection = try await RawConnection.open(port)
    }

    /// Sends a request and waits for its answer, whole.
    ///
    /// - Returns: Nil when the connection was closed instead.
    mutating func exchange(
        _ method: String, _ path: String, _ headers: [String: String], _ body: [UInt8]
    ) async throws -> PeerResponse? {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.count)\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        do {
            try await connection.send(Array((head + "\r\n").utf8) + body)
        } catch {
            // Closed while it was being sent; an answer may have come before.
        }
        let (connection, read) = (connection, read)
        _ = await eventually { Self.response(in: connection.bytes[read...]) != nil || connection.isClosed }
        guard let (response, size) = Self.response(in: connection.bytes[read...]) else { return nil }
        self.read += size
        return response
    }

    var isClosed: Bool { connection.isClosed }

    func close() async { await connection.close() }

    private static func response(in bytes: ArraySlice<UInt8>) -> (PeerResponse, size: Int)? {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
        }
        let size = headers["content-length"].flatMap { Int($0) } ?? 0
        guard bytes.endIndex - end.upperBound >= size else { return nil }
        let body = Array(bytes[end.upperBound..<end.upperBound + size])
        return (PeerResponse(status: status, headers: headers, body: body), end.upperBound + size - bytes.startIndex)
    }
}

extension HostileSender {
    /// Runs a server with this sender's endpoint.
    func attacking(_ body: @Sendable (TestServer) async throws -> Void) async throws {
        try await TestServer.run(try endpoint.map { [try $0()] } ?? []) { server in
            // There are more rows than a person may write in a minute.
            try await server.set("user_messages_per_minute", 0)
            try await body(server)
        }
    }

    /// Sends a hostile request, and on the same connection, if it was left open, and on a new one an honest message.
    ///
    /// - Returns: What the hostile one was answered; nil when the connection was just closed.
    func attack(
        _ server: TestServer, _ hostile: [UInt8], id: Int, headers more: [String: String] = [:], method: String = "POST"
    ) async throws -> (response: PeerResponse?, honest: [PeerResponse]) {
        let now = server.clock.now
        let signed = sign(hostile, id, now)
        var connection = try await HostileConnection(server.port)
        let headers = signed.headers.merging(more) { $1 }.filter { !$0.value.isEmpty }
        let response = try await connection.exchange(method, path + signed.query, headers, hostile)
        var honest: [PeerResponse] = []
        for number in 1...2 {
            var text = message("1", id * 10 + number, "我的绑定", now)
            if ["wecom", "wechat_oa"].contains(name) { text = Self.sealed(text) }
            let body = Array(text.utf8)
            let signed = sign(body, id * 10 + number, now)
            if number == 2 { connection = try await HostileConnection(server.port) }
            if let answer = try await connection.exchange("POST", path + signed.query, signed.headers, body) {
                honest.append(answer)
            } else if number == 2 {
                honest.append(PeerResponse(status: 0))
            }
            if number == 2 { await connection.close() }
        }
        return (response, honest)
    }
}
