import Basics
import ChatPlatforms
import Crypto
import Foundation

/// Plays Slack: sends signed events of the Events API, and takes `chat.postMessage`.
struct SlackPeer: PlatformPeer {
    let platform = Platform.slack
    let repliesByCall = true

    private static let secret = "peer-slack-signing-secret-01"
    private static let botToken = "xoxb-peer-slack-bot-token-000001"

    func settings(api: String) -> [String: String] {
        ["signing_secret": Self.secret, "bot_token": Self.botToken, "api_url": api]
    }

    private static func signed(_ body: [UInt8], at time: Instant) -> PeerRequest {
        let timestamp = String(time.milliseconds / 1000)
        let code = HMAC<SHA256>.authenticationCode(
            for: Array("v0:\(timestamp):".utf8) + body, using: SymmetricKey(data: Data(secret.utf8)))
        return PeerRequest(
            headers: [
                "Content-Type": "application/json", "X-Slack-Request-Timestamp": timestamp,
                "X-Slack-Signature": "v0=" + code.map { String(format: "%02x", $0) }.joined(),
            ], body: body)
    }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? {
        let challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"
        let body = #"{"token":"legacy","challenge":"\#(challenge)","type":"url_verification"}"#
        return (Self.signed(Array(body.utf8), at: now), { $0.status == 200 && $0.text == challenge })
    }

    /// Upper-case letters and digits.
    private static func id(_ prefix: String, _ name: String) -> String {
        prefix + name.utf8.map { String(format: "%02X", $0) }.joined()
    }

    private func body(_ message: PeerMessage) -> [UInt8] {
        let text = message.text.replacingOccurrences(of: "&", with: "&amp;")
            .replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: ">", with: "&gt;")
        let user = JSONValue.string(Self.id("U", message.user))
        let channel = JSONValue.string(message.chat.map { Self.id("C", $0) } ?? Self.id("D", message.user))
        let channelType: JSONValue = message.chat == nil ? "im" : "channel"
        let seconds = message.sentAt.milliseconds / 1000
        // The microseconds tell messages of one second apart.
        let ts = JSONValue.string("\(seconds)." + String(format: "%06d", message.id % 1_000_000))
        let event: JSONValue =
            switch message.kind {
            case .ordinary:
                .object([
                    "type": "message", "user": user, "text": .string(text), "ts": ts, "channel": channel,
                    "channel_type": channelType, "event_ts": ts,
                ])
            case .bot:
                .object([
                    "type": "message", "user": user, "bot_id": "B0001", "app_id": "A0002", "text": .string(text),
                    "ts": ts, "channel": channel, "channel_type": channelType, "event_ts": ts,
                ])
            case .edited:
                .object([
                    "type": "message", "subtype": "message_changed", "hidden": true, "ts": ts, "channel": channel,
                    "channel_type": channelType, "event_ts": ts,
                    "message": .object([
                        "type": "message", "user": user, "text": .string(text), "ts": ts,
                        "edited": .object(["user": user, "ts": ts]),
                    ]),
                ])
            }
        var body: [UInt8] = []
        JSONWriter.append(
            .object([
                "token": "legacy", "team_id": "T0001", "api_app_id": "A0001", "event": event, "type": "event_callback",
                "event_id": .string("Ev\(message.id)"), "event_time": .integer(seconds),
                "authorizations": .array([.object(["user_id": "UBOT01", "is_bot": true])]),
            ]), to: &body)
        return body
    }

    func request(_ message: PeerMessage) -> PeerRequest {
        Self.signed(body(message), at: message.sentAt)
    }

    func tampered(_ message: PeerMessage) -> PeerRequest {
        var changed = message
        changed.user += "0"
        var request = request(message)
        request.body = body(changed)
        return request
    }

    func stale(_ message: PeerMessage) -> PeerRequest? {
        Self.signed(body(message), at: message.sentAt.advanced(bySeconds: -400))
    }

    /// What an event is answered is not read.
    func reply(in response: PeerResponse) -> String? { nil }

    func reply(in call: PeerRequest) -> String? {
        guard isMessageCall(call), let text = object(call.body)?["text"]?.stringValue else { return nil }
        let unnamed = text.replacing(#/(?m)^<@[A-Z0-9]+> /#, with: "")
        // A bare angle bracket would be markup, and could call everybody.
        guard !unnamed.contains("<") else { return nil }
        return unnamed.replacingOccurrences(of: "&lt;", with: "<").replacingOccurrences(of: "&gt;", with: ">")
            .replacingOccurrences(of: "&amp;", with: "&")
    }

    func answer(to call: PeerRequest) -> PeerResponse {
        guard isMessageCall(call) else { return json(#"{"ok":false,"error":"unknown_method"}"#) }
        guard
            call.headers.contains(where: {
                $0.key.lowercased() == "authorization" && $0.value == "Bearer \(Self.botToken)"
            })
        else { return json(#"{"ok":false,"error":"invalid_auth"}"#) }
        guard let body = object(call.body), body["channel"]?.stringValue?.isEmpty == false else {
            return json(#"{"ok":false,"error":"channel_not_found"}"#)
        }
        guard let text = body["text"]?.stringValue, 1...4000 ~= text.count else {
            return json(#"{"ok":false,"error":"no_text"}"#)
        }
        return json(#"{"ok":true,"ts":"1760000099.000100"}"#)
    }

    private func isMessageCall(_ call: PeerRequest) -> Bool {
        call.method == "POST" && call.path == "/chat.postMessage"
    }

    private func object(_ bytes: [UInt8]) -> JSONObject? {
        (try? StrictJSON.parse(bytes, maximumSize: 1 << 20))?.objectValue
    }

    private func json(_ text: String) -> PeerResponse {
        PeerResponse(status: 200, headers: ["content-type": "application/json"], body: Array(text.utf8))
    }
}
