import Basics
import ChatPlatforms
import Crypto
import Foundation

/// Any program that signs by Standard Webhooks. Replies stand in the response.
///
/// - Source: platforms.md section 16.
struct StandardWebhooksPeer: PlatformPeer {
    private let key = Data("peer-standard-webhooks-key-0001".utf8)

    var platform: Platform { .webhook }
    var repliesByCall: Bool { false }
    var hasEdits: Bool { false }
    var hasBots: Bool { false }

    func settings(api: String) -> [String: String] {
        ["secret": "whsec_" + key.base64EncodedString()]
    }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? { nil }

    func request(_ message: PeerMessage) -> PeerRequest {
        signed(body(message), id: message.id, at: message.sentAt)
    }

    func tampered(_ message: PeerMessage) -> PeerRequest {
        var other = message
        other.text += "1"
        var request = request(message)
        request.body = body(other)
        return request
    }

    func stale(_ message: PeerMessage) -> PeerRequest? {
        signed(body(message), id: message.id, at: message.sentAt.advanced(bySeconds: -3600))
    }

    private func body(_ message: PeerMessage) -> [UInt8] {
        var data: [String: Any] = [
            "platform": "peer", "user_id": message.user, "message_id": "m\(message.id)", "text": message.text,
        ]
        data["chat_id"] = message.chat
        let event: [String: Any] = [
            "type": "chat.message",
            "timestamp": message.sentAt.dateTimeText().replacingOccurrences(of: " ", with: "T") + "Z", "data": data,
        ]
        guard let body = try? JSONSerialization.data(withJSONObject: event, options: .sortedKeys) else {
            preconditionFailure("not JSON")
        }
        return Array(body)
    }

    private func signed(_ body: [UInt8], id: Int, at instant: Instant) -> PeerRequest {
        let head = "msg_peer\(id).\(instant.milliseconds / 1000)."
        let code = HMAC<SHA256>.authenticationCode(for: Data(head.utf8) + Data(body), using: SymmetricKey(data: key))
        return PeerRequest(
            headers: [
                "Content-Type": "application/json", "webhook-id": "msg_peer\(id)",
                "webhook-timestamp": String(instant.milliseconds / 1000),
                "webhook-signature": "v1," + Data(code).base64EncodedString(),
            ],
            body: body)
    }

    func reply(in response: PeerResponse) -> String? {
        let body = try? JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any]
        return response.status == 200 ? body?["reply"] as? String : nil
    }
}
