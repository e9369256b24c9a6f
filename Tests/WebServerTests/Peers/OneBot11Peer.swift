import Basics
import ChatPlatforms
import Crypto
import Foundation

/// A OneBot 11 implementation that reports by signed HTTP posts. Replies stand in the response as quick operations.
///
/// - Source: platforms.md section 1.
struct OneBot11Peer: PlatformPeer {
    private let secret = "peer-onebot11-hmac-secret-0001"
    private let selfID: Int64 = 20001

    var platform: Platform { .onebot11 }
    var repliesByCall: Bool { false }
    /// QQ messages cannot be edited, and the protocol does not say who is a bot.
    var hasEdits: Bool { false }
    var hasBots: Bool { false }
    var silentStatus: Int { 204 }

    func settings(api: String) -> [String: String] { ["secret": secret] }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? { nil }

    func request(_ message: PeerMessage) -> PeerRequest { signed(body(message)) }

    /// The bot's own messages come back, as messages or as what was sent, and so do the system's.
    func others(like message: PeerMessage) -> [String: PeerRequest] {
        var own = message
        own.user = String(selfID)
        return [
            "its own": signed(body(own)),
            "what it sent": signed(body(message, ["post_type": "message_sent"])),
            "the system's": signed(body(message, ["sub_type": "notice"])),
        ]
    }

    private func signed(_ body: [UInt8]) -> PeerRequest {
        let code = HMAC<Insecure.SHA1>.authenticationCode(
            for: Data(body), using: SymmetricKey(data: Data(secret.utf8)))
        return PeerRequest(
            headers: [
                "Content-Type": "application/json", "X-Self-ID": String(selfID),
                "X-Signature": "sha1=" + code.map { String(format: "%02x", Int($0)) }.joined(),
            ],
            body: body)
    }

    func tampered(_ message: PeerMessage) -> PeerRequest {
        var other = message
        other.text += "1"
        var request = request(message)
        request.body = body(other)
        return request
    }

    func stale(_ message: PeerMessage) -> PeerRequest? { nil }

    private func body(_ message: PeerMessage, _ changes: [String: Any] = [:]) -> [UInt8] {
        let user = number(message.user)
        var event: [String: Any] = [
            "time": message.sentAt.milliseconds / 1000, "self_id": selfID, "post_type": "message",
            "message_id": message.id, "user_id": user, "raw_message": message.text, "font": 0,
            "message": [["type": "text", "data": ["text": message.text]]], "sender": ["user_id": user],
        ]
        if let chat = message.chat {
            event["message_type"] = "group"
            event["sub_type"] = "normal"
            event["group_id"] = number(chat)
            event["anonymous"] = NSNull()
        } else {
            event["message_type"] = "private"
            event["sub_type"] = "friend"
        }
        event.merge(changes) { $1 }
        guard let body = try? JSONSerialization.data(withJSONObject: event, options: .sortedKeys) else {
            preconditionFailure("not JSON")
        }
        return Array(body)
    }

    /// The number itself, or for other names one of 48 bits that is always the same.
    private func number(_ name: String) -> Int64 {
        if let number = Int64(name) { return number }
        return SHA256.hash(data: Data(name.utf8)).prefix(6).reduce(0) { $0 << 8 | Int64($1) }
    }

    func reply(in response: PeerResponse) -> String? {
        guard response.status == 200,
            let operation = try? JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any],
            operation["auto_escape"] as? Bool == true
        else { return nil }
        return operation["reply"] as? String
    }
}
