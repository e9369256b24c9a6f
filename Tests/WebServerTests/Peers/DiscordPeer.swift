import Basics
import ChatPlatforms
import Crypto
import Foundation

/// Plays Discord: sends signed slash commands, reads their answers, and takes followup messages.
///
/// Every message is the command `/hb` with its text in the option `text`.
struct DiscordPeer: PlatformPeer {
    let platform = Platform.discord
    let repliesByCall = false
    let hasEdits = false
    let hasBots = false

    private static let applicationID = "1300000000000000001"

    private static let key: Curve25519.Signing.PrivateKey = {
        guard
            let key = try? Curve25519.Signing.PrivateKey(
                rawRepresentation: Array("peer: thirty-two bytes of a seed".utf8))
        else { preconditionFailure("32 bytes are a seed") }
        return key
    }()

    func settings(api: String) -> [String: String] {
        [
            "public_key": Self.key.publicKey.rawRepresentation.map { String(format: "%02x", $0) }.joined(),
            "application_id": Self.applicationID, "api_url": api,
        ]
    }

    private static func signed(_ body: [UInt8], at time: Instant) -> PeerRequest {
        let timestamp = String(time.milliseconds / 1000)
        guard let signature = try? key.signature(for: Data(Array(timestamp.utf8) + body)) else {
            preconditionFailure("cannot sign")
        }
        return PeerRequest(
            headers: [
                "Content-Type": "application/json", "X-Signature-Timestamp": timestamp,
                "X-Signature-Ed25519": signature.map { String(format: "%02x", $0) }.joined(),
            ], body: body)
    }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? {
        let ping = #"{"id":"1","application_id":"\#(Self.applicationID)","type":1,"token":"ping","version":1}"#
        return (
            Self.signed(Array(ping.utf8), at: now),
            { response in
                response.status == 200 && response.headers["content-type"] == "application/json"
                    && response.text == #"{"type":1}"#
            }
        )
    }

    /// A number of up to 48 bits that stands for a name, always the same (FNV-1a).
    private static func snowflake(_ name: String) -> JSONValue {
        let hash = name.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        return .string(String((hash >> 16) + 1))
    }

    private func body(_ message: PeerMessage) -> [UInt8] {
        // Milliseconds since 2015 above 22 bits that tell messages of one moment apart.
        let created = max(message.sentAt.milliseconds - 1_420_070_400_000, 0)
        let id = created << 22 | Int64(message.id & 0x3F_FFFF)
        let user = JSONValue.object(["id": Self.snowflake(message.user), "username": .string(message.user)])
        let data = JSONValue.object([
            "id": "1150000000000000001", "name": "hb", "type": 1,
            "options": .array([.object(["name": "text", "type": 3, "value": .string(message.text)])]),
        ])
        let interaction = JSONValue.object([
            "id": .string(String(id)), "application_id": .string(Self.applicationID), "type": 2,
            "token": .string("peer-token-\(message.id)"), "version": 1,
            "guild_id": message.chat == nil ? nil : "1200000000000000001",
            "channel_id": Self.snowflake(message.chat ?? "direct " + message.user),
            "member": message.chat == nil
                ? nil : .object(["user": user, "roles": .array([]), "permissions": "2147483648"]),
            "user": message.chat == nil ? user : nil, "data": data,
        ])
        var body: [UInt8] = []
        JSONWriter.append(interaction, to: &body)
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

    /// 4 is a message; one that only the caller sees (64) says no more than that the command has arrived.
    func reply(in response: PeerResponse) -> String? {
        guard response.status == 200, let answer = object(response.body), answer["type"]?.integerValue == 4,
            let data = answer["data"]?.objectValue, data["flags"]?.integerValue != 64
        else { return nil }
        return shown(data)
    }

    func reply(in call: PeerRequest) -> String? {
        guard isFollowup(call), let message = object(call.body) else { return nil }
        return shown(message)
    }

    /// The content without the backslashes in front of markup and without leading mentions; nil when it could mention
    /// everybody.
    private func shown(_ message: JSONObject) -> String? {
        guard message["allowed_mentions"]?.objectValue?["parse"]?.arrayValue?.isEmpty == true else { return nil }
        return message["content"]?.stringValue?.replacing(#/(?m)^<@[0-9]+> /#, with: "")
            .replacing(#/\\([^0-9A-Za-z\s])/#) { $0.output.1 }
    }

    func answer(to call: PeerRequest) -> PeerResponse {
        guard isFollowup(call) else {
            return json(#"{"code":10015,"message":"Unknown Webhook"}"#, status: 404)
        }
        guard let content = object(call.body)?["content"]?.stringValue, 1...2000 ~= content.unicodeScalars.count else {
            return json(#"{"code":50035,"message":"Invalid Form Body"}"#, status: 400)
        }
        return json(#"{"id":"1400000000000000009","type":0}"#)
    }

    private func isFollowup(_ call: PeerRequest) -> Bool {
        call.method == "POST" && call.path.hasPrefix("/webhooks/\(Self.applicationID)/peer-token-")
    }

    private func object(_ bytes: [UInt8]) -> JSONObject? {
        (try? StrictJSON.parse(bytes, maximumSize: 1 << 20))?.objectValue
    }

    private func json(_ text: String, status: Int = 200) -> PeerResponse {
        PeerResponse(status: status, headers: ["content-type": "application/json"], body: Array(text.utf8))
    }
}
