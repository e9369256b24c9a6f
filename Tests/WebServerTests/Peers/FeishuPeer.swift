import Basics
import ChatPlatforms
import Crypto
import CryptoExtras
import Foundation

/// Feishu with an Encrypt Key: events are encrypted and signed, replies come by calls.
///
/// - Source: platforms.md section 7.
struct FeishuPeer: PlatformPeer {
    private let verificationToken = "peer-feishu-verification-token"
    private let encryptKey = "peer-feishu-encrypt-key-0001"
    private let appID = "cli_peer0001"
    private let accessToken = "t-peer-feishu-access-token-0001"

    var platform: Platform { .feishu }
    var repliesByCall: Bool { true }
    var hasEdits: Bool { false }

    func settings(api: String) -> [String: String] {
        [
            "verification_token": verificationToken, "encrypt_key": encryptKey, "bot_open_id": "ou_peerbot",
            "app_id": appID, "app_secret": "peer-feishu-app-secret-0001", "api_url": api,
        ]
    }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? {
        let body = encrypted([
            "type": "url_verification", "token": verificationToken, "challenge": "peer-challenge-0001",
        ])
        let request = PeerRequest(headers: ["Content-Type": "application/json; charset=utf-8"], body: body)
        return (request, { $0.status == 200 && $0.text == #"{"challenge":"peer-challenge-0001"}"# })
    }

    func request(_ message: PeerMessage) -> PeerRequest {
        signed(encrypted(event(message)), at: message.sentAt)
    }

    func tampered(_ message: PeerMessage) -> PeerRequest {
        var other = message
        other.text += "1"
        var request = request(message)
        request.body = encrypted(event(other))
        return request
    }

    func stale(_ message: PeerMessage) -> PeerRequest? { nil }

    private func event(_ message: PeerMessage) -> [String: Any] {
        let sentAt = String(message.sentAt.milliseconds)
        return [
            "schema": "2.0",
            "header": [
                "event_id": "peerevent\(message.id)", "event_type": "im.message.receive_v1", "create_time": sentAt,
                "token": verificationToken, "app_id": appID, "tenant_key": "peertenant",
            ],
            "event": [
                "sender": [
                    "sender_id": ["open_id": "ou_\(message.user)"],
                    "sender_type": message.kind == .bot ? "app" : "user",
                ],
                "message": [
                    "message_id": "om_\(message.id)", "create_time": sentAt,
                    "chat_id": "oc_\(message.chat ?? "with" + message.user)",
                    "chat_type": message.chat == nil ? "p2p" : "group", "message_type": "text",
                    "content": String(decoding: json(["text": message.text]), as: UTF8.self),
                ],
            ],
        ]
    }

    private func json(_ value: [String: Any]) -> Data {
        guard let data = try? JSONSerialization.data(withJSONObject: value, options: .sortedKeys) else {
            preconditionFailure("not JSON")
        }
        return data
    }

    private func encrypted(_ value: [String: Any]) -> [UInt8] {
        let plaintext = json(value)
        let vector = Data(SHA256.hash(data: plaintext).prefix(16))
        guard let iv = try? AES._CBC.IV(ivBytes: vector),
            let ciphertext = try? AES._CBC.encrypt(
                plaintext, using: SymmetricKey(data: SHA256.hash(data: Data(encryptKey.utf8))), iv: iv)
        else { preconditionFailure("cannot be encrypted") }
        return Array(json(["encrypt": (vector + ciphertext).base64EncodedString()]))
    }

    private func signed(_ body: [UInt8], at instant: Instant) -> PeerRequest {
        let timestamp = String(instant.milliseconds / 1000)
        let nonce = "peernonce"
        let digest = SHA256.hash(data: Data((timestamp + nonce + encryptKey).utf8) + Data(body))
        return PeerRequest(
            headers: [
                "Content-Type": "application/json; charset=utf-8", "X-Lark-Request-Timestamp": timestamp,
                "X-Lark-Request-Nonce": nonce,
                "X-Lark-Signature": digest.map { String(format: "%02x", Int($0)) }.joined(),
            ],
            body: body)
    }

    func reply(in response: PeerResponse) -> String? { nil }

    func reply(in call: PeerRequest) -> String? {
        guard call.path.hasPrefix("/open-apis/im/v1/messages/om_"), call.path.hasSuffix("/reply"),
            call.headers["authorization"] ?? call.headers["Authorization"] == "Bearer \(accessToken)",
            let body = try? JSONSerialization.jsonObject(with: Data(call.body)) as? [String: Any],
            body["msg_type"] as? String == "text", let key = body["uuid"] as? String, 1...50 ~= key.count,
            let content = body["content"] as? String
        else { return nil }
        let inner = try? JSONSerialization.jsonObject(with: Data(content.utf8)) as? [String: Any]
        return inner?["text"] as? String
    }

    func answer(to call: PeerRequest) -> PeerResponse {
        if call.path == "/open-apis/auth/v3/tenant_access_token/internal" {
            let body = json(["code": 0, "msg": "ok", "tenant_access_token": accessToken, "expire": 7200])
            return PeerResponse(status: 200, body: Array(body))
        }
        if reply(in: call) != nil {
            return PeerResponse(status: 200, body: Array(json(["code": 0, "msg": "success"])))
        }
        return PeerResponse(status: 400, body: Array(json(["code": 99_991_663, "msg": "invalid access token"])))
    }
}
