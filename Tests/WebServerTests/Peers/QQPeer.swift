import Basics
import ChatPlatforms
import Crypto
import Foundation

/// Plays the platform of the official QQ bot: pushes signed events, hands out access tokens and takes messages.
struct QQPeer: PlatformPeer {
    let platform = Platform.qq
    let repliesByCall = true
    let hasEdits = false

    private static let appID = "102000001"
    private static let secret = "peer-qq-bot-secret-000001"
    private static let accessToken = "peer-qq-access-token-000001"

    func settings(api: String) -> [String: String] {
        [
            "app_id": Self.appID, "bot_secret": Self.secret, "api_url": api,
            "token_url": api + "/app/getAppAccessToken",
        ]
    }

    /// The key that the platform and the bot share: the secret repeated up to 32 bytes.
    private static let key: Curve25519.Signing.PrivateKey = {
        let seed = Array((secret + secret).utf8.prefix(32))
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
            preconditionFailure("32 bytes are a seed")
        }
        return key
    }()

    private static func signed(_ body: [UInt8], at time: Instant) -> PeerRequest {
        let timestamp = String(time.milliseconds / 1000)
        guard let signature = try? key.signature(for: Data(Array(timestamp.utf8) + body)) else {
            preconditionFailure("cannot sign")
        }
        return PeerRequest(
            headers: [
                "Content-Type": "application/json", "User-Agent": "QQBot-Callback", "X-Bot-Appid": appID,
                "X-Signature-Timestamp": timestamp,
                "X-Signature-Ed25519": signature.map { String(format: "%02x", $0) }.joined(),
            ], body: body)
    }

    private static func bytes(_ value: JSONValue) -> [UInt8] {
        var buffer: [UInt8] = []
        JSONWriter.append(value, to: &buffer)
        return buffer
    }

    private static func object(_ bytes: [UInt8]) -> JSONObject? {
        (try? StrictJSON.parse(bytes, maximumSize: 1 << 20))?.objectValue
    }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? {
        let time = String(now.milliseconds / 1000)
        let token = "Arq0D5A61EgUu4OxUvOp"
        let body = JSONValue.object([
            "d": .object(["plain_token": .string(token), "event_ts": .string(time)]), "op": 13,
        ])
        // The platform sends it without a signature.
        let request = PeerRequest(
            headers: [
                "Content-Type": "application/json", "User-Agent": "QQBot-Callback", "X-Bot-Appid": Self.appID,
            ], body: Self.bytes(body))
        return (
            request,
            { response in
                guard response.status == 200, let answer = Self.object(response.body),
                    answer["plain_token"]?.stringValue == token, let digits = answer["signature"]?.stringValue,
                    digits.count == 128
                else { return false }
                let signature = stride(from: 0, to: 128, by: 2).compactMap { offset in
                    let start = digits.index(digits.startIndex, offsetBy: offset)
                    return UInt8(digits[start..<digits.index(start, offsetBy: 2)], radix: 16)
                }
                return Self.key.publicKey.isValidSignature(Data(signature), for: Data((time + token).utf8))
            }
        )
    }

    func request(_ message: PeerMessage) -> PeerRequest {
        Self.signed(body(message), at: message.sentAt)
    }

    private func body(_ message: PeerMessage) -> [UInt8] {
        let text = message.text.replacingOccurrences(of: "&", with: "&amp;")
            .replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: ">", with: "&gt;")
        let isBot = JSONValue.bool(message.kind == .bot)
        let author: JSONValue =
            message.chat == nil
            ? .object(["id": .string(message.user), "user_openid": .string(message.user), "bot": isBot])
            : .object([
                "id": .string(message.user), "member_openid": .string(message.user), "member_role": "member",
                "bot": isBot,
            ])
        let time = message.sentAt.dateTimeText().replacingOccurrences(of: " ", with: "T") + "Z"
        let data = JSONValue.object([
            "id": .string("ROBOT1.0_\(message.id)!"),
            // The platform cuts the bot's mention out and leaves the blank behind it.
            "content": .string(message.chat == nil ? text : " " + text), "timestamp": .string(time),
            "group_openid": message.chat.map { .string($0) }, "author": author,
        ])
        let type = message.chat == nil ? "C2C_MESSAGE_CREATE" : "GROUP_AT_MESSAGE_CREATE"
        return Self.bytes(
            .object([
                "op": 0, "id": .string("\(type):\(message.id)"), "s": .integer(Int64(message.id)), "t": .string(type),
                "d": data,
            ]))
    }

    func tampered(_ message: PeerMessage) -> PeerRequest {
        var changed = message
        changed.user += "0"
        var request = request(message)
        request.body = body(changed)
        return request
    }

    /// The platform bounds no timestamp.
    func stale(_ message: PeerMessage) -> PeerRequest? { nil }

    /// Replies only come by calls.
    func reply(in response: PeerResponse) -> String? { nil }

    func reply(in call: PeerRequest) -> String? {
        guard isMessageCall(call), let content = Self.object(call.body)?["content"]?.stringValue else { return nil }
        return content.replacing(#/<qqbot-at-user id="[^"]*" /> /#, with: "")
    }

    func answer(to call: PeerRequest) -> PeerResponse {
        if call.path == "/app/getAppAccessToken" {
            let credentials = Self.object(call.body)
            guard credentials?["appId"]?.stringValue == Self.appID,
                credentials?["clientSecret"]?.stringValue == Self.secret
            else { return json(#"{"code":100016,"message":"invalid appid or secret"}"#) }
            return json(#"{"access_token":"\#(Self.accessToken)","expires_in":"7200"}"#)
        }
        guard isMessageCall(call) else { return json(#"{"code":404,"message":"no such address"}"#, status: 404) }
        guard
            call.headers.contains(where: {
                $0.key.lowercased() == "authorization" && $0.value == "QQBot \(Self.accessToken)"
            })
        else { return json(#"{"code":11243,"message":"token not pass"}"#, status: 401) }
        guard let body = Self.object(call.body), body["msg_type"]?.integerValue == 0,
            body["msg_id"]?.stringValue?.hasPrefix("ROBOT1.0_") == true,
            let number = body["msg_seq"]?.integerValue, 1...5 ~= number
        else { return json(#"{"code":12002,"message":"request invalid"}"#, status: 400) }
        return json(#"{"id":"sent","timestamp":"2026-01-02T20:00:00+08:00"}"#)
    }

    private func isMessageCall(_ call: PeerRequest) -> Bool {
        call.method == "POST" && (call.path.hasPrefix("/v2/groups/") || call.path.hasPrefix("/v2/users/"))
            && call.path.hasSuffix("/messages")
    }

    private func json(_ text: String, status: Int = 200) -> PeerResponse {
        PeerResponse(status: status, headers: ["content-type": "application/json"], body: Array(text.utf8))
    }
}
