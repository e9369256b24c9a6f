import Basics
import ChatPlatforms
import Foundation

/// A OneBot 12 implementation that reports by HTTP webhook. Replies stand in the response as actions.
///
/// - Source: platforms.md section 2.
struct OneBot12Peer: PlatformPeer {
    private let token = "peer-onebot12-access-token-0001"

    var platform: Platform { .onebot12 }
    var repliesByCall: Bool { false }
    /// The protocol has no event for an edit, and does not say who is a bot.
    var hasEdits: Bool { false }
    var hasBots: Bool { false }
    var silentStatus: Int { 204 }

    func settings(api: String) -> [String: String] { ["token": token] }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? { nil }

    func request(_ message: PeerMessage) -> PeerRequest { request(message, token: token) }

    func tampered(_ message: PeerMessage) -> PeerRequest {
        request(message, token: "peer-onebot12-access-token-0002")
    }

    func stale(_ message: PeerMessage) -> PeerRequest? { nil }

    func others(like message: PeerMessage) -> [String: PeerRequest] {
        var own = message
        own.user = "20001"
        return ["its own": request(own), "a notice": request(message, token: token, ["type": "notice"])]
    }

    private func request(
        _ message: PeerMessage, token: String, _ changes: [String: Any] = [:]
    ) -> PeerRequest {
        var event: [String: Any] = [
            "id": "event-\(message.id)", "self": ["platform": "qq", "user_id": "20001"],
            "time": Double(message.sentAt.milliseconds) / 1000, "type": "message", "sub_type": "",
            "detail_type": message.chat == nil ? "private" : "group", "message_id": "m\(message.id)",
            "message": [["type": "text", "data": ["text": message.text]]], "alt_message": message.text,
            "user_id": message.user,
        ]
        event["group_id"] = message.chat
        event.merge(changes) { $1 }
        guard let body = try? JSONSerialization.data(withJSONObject: event, options: .sortedKeys) else {
            preconditionFailure("not JSON")
        }
        return PeerRequest(
            headers: [
                "Content-Type": "application/json", "X-OneBot-Version": "12", "X-Impl": "peer",
                "Authorization": "Bearer " + token,
            ],
            body: Array(body))
    }

    func reply(in response: PeerResponse) -> String? {
        guard response.status == 200,
            let actions = try? JSONSerialization.jsonObject(with: Data(response.body)) as? [[String: Any]],
            let action = actions.first, action["action"] as? String == "send_message",
            let parameters = action["params"] as? [String: Any], let message = parameters["message"] as? [[String: Any]]
        else { return nil }
        let texts = message.filter { $0["type"] as? String == "text" }.compactMap {
            ($0["data"] as? [String: Any])?["text"] as? String
        }
        return texts.joined().trimmingCharacters(in: .whitespaces)
    }
}
