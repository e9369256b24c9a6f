import Basics
import ChatPlatforms

/// Rocket.Chat: outgoing integrations, answered in the response.
struct RocketChatPeer: PlatformPeer {
    private static let token = "rc-integration-token-for-tests-01"

    var platform: Platform { .rocketchat }
    var repliesByCall: Bool { false }

    func settings(api: String) -> [String: String] { ["token": Self.token] }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? { nil }

    func request(_ message: PeerMessage) -> PeerRequest { request(message, token: Self.token) }

    func tampered(_ message: PeerMessage) -> PeerRequest {
        request(message, token: "rc-integration-token-for-tests-02")
    }

    func stale(_ message: PeerMessage) -> PeerRequest? { nil }

    func reply(in response: PeerResponse) -> String? { JSONFields(response.body)?["text"] as? String }

    private func request(_ message: PeerMessage, token: String) -> PeerRequest {
        var body: [String: Any] = [
            "token": token, "bot": false, "message_id": "msgRC\(message.id)",
            "timestamp": message.sentAt.dateTimeText().split(separator: " ").joined(separator: "T") + "Z",
            "user_id": message.user, "user_name": "hana", "text": message.text, "siteUrl": "https://chat.example.org",
        ]
        if let chat = message.chat {
            body["channel_id"] = chat
            body["channel_name"] = "general"
        } else {
            body["channel_id"] = message.user + "zzbot"
        }
        switch message.kind {
        case .ordinary: break
        case .bot: body["bot"] = ["i": "integration01"]
        case .edited: body["isEdited"] = true
        }
        return PeerRequest(headers: ["Content-Type": "application/json"], body: JSONFields.bytes(body))
    }
}
