import Basics
import ChatPlatforms

/// A Matrix homeserver: one event per transaction; replies are called out to the client API.
struct MatrixPeer: PlatformPeer {
    private static let homeserverToken = "matrix-hs-token-for-tests-000001"
    private static let serviceToken = "matrix-as-token-for-tests-000001"

    var platform: Platform { .matrix }
    var repliesByCall: Bool { true }

    func settings(api: String) -> [String: String] {
        [
            "hs_token": Self.homeserverToken, "as_token": Self.serviceToken, "homeserver_url": api,
            "user_id": "@lottery:example.org",
        ]
    }

    /// What Synapse asks a new application service.
    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? {
        let request = PeerRequest(
            path: "/_matrix/app/v1/ping", headers: Self.headers(Self.homeserverToken),
            body: JSONFields.bytes(["transaction_id": "mautrix-go_1683636478256400935_123"]))
        return (request, { $0.status == 200 && $0.text == "{}" })
    }

    func request(_ message: PeerMessage) -> PeerRequest { request(message, token: Self.homeserverToken) }

    func tampered(_ message: PeerMessage) -> PeerRequest { request(message, token: "matrix-hs-token-for-tests-000002") }

    func stale(_ message: PeerMessage) -> PeerRequest? { nil }

    func reply(in response: PeerResponse) -> String? { nil }

    func reply(in call: PeerRequest) -> String? {
        guard call.method == "PUT", call.path.hasPrefix("/_matrix/client/v3/rooms/%21"),
            call.path.contains("/send/m.room.message/"), let body = JSONFields(call.body),
            body["msgtype"] as? String == "m.notice"
        else { return nil }
        return body["body"] as? String
    }

    func answer(to call: PeerRequest) -> PeerResponse {
        let authorization = call.headers.first { $0.key.lowercased() == "authorization" }?.value
        guard authorization == "Bearer " + Self.serviceToken else { return PeerResponse(status: 401) }
        guard reply(in: call) != nil else { return PeerResponse(status: 404) }
        return PeerResponse(status: 200, body: JSONFields.bytes(["event_id": "$reply:example.org"]))
    }

    private static func headers(_ token: String) -> [String: String] {
        ["Content-Type": "application/json", "Authorization": "Bearer " + token]
    }

    private func request(_ message: PeerMessage, token: String) -> PeerRequest {
        var content: [String: Any] = ["msgtype": "m.text", "body": message.text]
        switch message.kind {
        case .ordinary: break
        case .bot: content["msgtype"] = "m.notice"
        case .edited:
            content["body"] = "* " + message.text
            content["m.new_content"] = ["msgtype": "m.text", "body": message.text]
            content["m.relates_to"] = ["rel_type": "m.replace", "event_id": "$earlier:example.org"]
        }
        let event: [String: Any] = [
            "type": "m.room.message", "event_id": "$evt\(message.id):example.org",
            "room_id": "!\(message.chat ?? "dm" + message.user):example.org", "sender": "@\(message.user):example.org",
            "origin_server_ts": message.sentAt.milliseconds, "content": content,
        ]
        return PeerRequest(
            method: "PUT", path: "/_matrix/app/v1/transactions/\(message.id)", headers: Self.headers(token),
            body: JSONFields.bytes(["events": [event], "ephemeral": [String]()]))
    }
}
