import Basics
import ChatPlatforms
import Foundation

/// A Satori server with QQ behind it. Replies come by `message.create`.
///
/// - Source: platforms.md section 3.
struct SatoriPeer: PlatformPeer {
    private let token = "peer-satori-webhook-token-0001"
    private let apiToken = "peer-satori-api-token-000001"
    private let selfID = "20001"

    var platform: Platform { .satori }
    var repliesByCall: Bool { true }

    func settings(api: String) -> [String: String] {
        ["token": token, "api_url": api, "api_token": apiToken]
    }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? { nil }

    func request(_ message: PeerMessage) -> PeerRequest { request(message, token: token) }

    func tampered(_ message: PeerMessage) -> PeerRequest {
        request(message, token: "peer-satori-webhook-token-0002")
    }

    func stale(_ message: PeerMessage) -> PeerRequest? { nil }

    private func request(_ message: PeerMessage, token: String) -> PeerRequest {
        let event: [String: Any] = [
            "sn": message.id, "type": message.kind == .edited ? "message-updated" : "message-created",
            "timestamp": message.sentAt.milliseconds,
            "login": ["sn": 1, "platform": "red", "status": 1, "user": ["id": selfID]] as [String: Any],
            "channel": ["id": message.chat ?? "private:" + message.user, "type": message.chat == nil ? 1 : 0]
                as [String: Any],
            "user": ["id": message.user, "is_bot": message.kind == .bot] as [String: Any],
            "message": ["id": "m\(message.id)", "content": escaped(message.text)],
        ]
        guard let body = try? JSONSerialization.data(withJSONObject: event, options: .sortedKeys) else {
            preconditionFailure("not JSON")
        }
        return PeerRequest(
            headers: [
                "Content-Type": "application/json", "Satori-Opcode": "0", "Authorization": "Bearer " + token,
            ],
            body: Array(body))
    }

    private func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
            .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\n", with: "<br/>")
    }

    func reply(in response: PeerResponse) -> String? { nil }

    func reply(in call: PeerRequest) -> String? {
        guard call.method == "POST", call.path == "/v1/message.create",
            header("authorization", of: call) == "Bearer " + apiToken, header("satori-platform", of: call) == "red",
            header("satori-user-id", of: call) == selfID,
            let body = try? JSONSerialization.jsonObject(with: Data(call.body)) as? [String: Any],
            body["channel_id"] is String, let content = body["content"] as? String
        else { return nil }
        return content.replacingOccurrences(of: "<at id=\"[^\"]*\"/> ?", with: "", options: .regularExpression)
            .replacingOccurrences(of: "<br/>", with: "\n").replacingOccurrences(of: "&lt;", with: "<")
            .replacingOccurrences(of: "&gt;", with: ">").replacingOccurrences(of: "&quot;", with: "\"")
            .replacingOccurrences(of: "&amp;", with: "&")
    }

    private func header(_ name: String, of call: PeerRequest) -> String? {
        call.headers.first { $0.key.lowercased() == name }?.value
    }

    func answer(to call: PeerRequest) -> PeerResponse {
        if reply(in: call) != nil { return PeerResponse(status: 200, body: Array(#"[{"id":"1"}]"#.utf8)) }
        return PeerResponse(status: call.path == "/v1/message.create" ? 401 : 404)
    }
}
