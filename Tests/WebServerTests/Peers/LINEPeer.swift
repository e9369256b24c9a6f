import Basics
import ChatPlatforms
import Crypto
import Foundation

/// LINE: one signed event per request; replies are called out to `/v2/bot/message/reply`.
struct LINEPeer: PlatformPeer {
    private static let channelSecret = "line-channel-secret-for-tests-01"
    private static let accessToken = "line-channel-access-token-for-tests"

    var platform: Platform { .line }
    var repliesByCall: Bool { true }
    var hasEdits: Bool { false }
    var hasBots: Bool { false }

    func settings(api: String) -> [String: String] {
        ["channel_secret": Self.channelSecret, "channel_access_token": Self.accessToken, "api_url": api]
    }

    /// The console's “Verify” button.
    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? {
        let body = Array(#"{"destination":"Ubot0001","events":[]}"#.utf8)
        return (PeerRequest(headers: headers(signing: body), body: body), { $0.status == 200 })
    }

    func request(_ message: PeerMessage) -> PeerRequest {
        let body = body(of: message)
        return PeerRequest(headers: headers(signing: body), body: body)
    }

    func tampered(_ message: PeerMessage) -> PeerRequest {
        var request = request(message)
        request.body = body(of: message, suffix: "9")
        return request
    }

    func stale(_ message: PeerMessage) -> PeerRequest? { nil }

    func others(like message: PeerMessage) -> [String: PeerRequest] {
        [
            "of a user who is not named": ["source": ["type": "group", "groupId": message.chat ?? "g"]],
            "of another source": ["source": ["type": "bot", "userId": message.user]],
            "in standby": ["mode": "standby"], "a follow": ["type": "follow"], "an unsend": ["type": "unsend"],
        ].mapValues { changes in
            let body = body(of: message, changes: changes)
            return PeerRequest(headers: headers(signing: body), body: body)
        }
    }

    func reply(in response: PeerResponse) -> String? { nil }

    func reply(in call: PeerRequest) -> String? {
        guard call.method == "POST", call.path == "/v2/bot/message/reply", let body = JSONFields(call.body),
            let messages = body["messages"] as? [[String: Any]], messages.count == 1, body["replyToken"] is String
        else { return nil }
        return messages[0]["text"] as? String
    }

    func answer(to call: PeerRequest) -> PeerResponse {
        let authorization = call.headers.first { $0.key.lowercased() == "authorization" }?.value
        guard authorization == "Bearer " + Self.accessToken else { return PeerResponse(status: 401) }
        return reply(in: call) == nil ? PeerResponse(status: 400) : PeerResponse(status: 200, body: Array("{}".utf8))
    }

    private func headers(signing body: [UInt8]) -> [String: String] {
        let key = SymmetricKey(data: Data(Self.channelSecret.utf8))
        let code = Data(HMAC<SHA256>.authenticationCode(for: body, using: key))
        return [
            "Content-Type": "application/json; charset=utf-8", "X-Line-Signature": code.base64EncodedString(),
        ]
    }

    private func body(of message: PeerMessage, suffix: String = "", changes: [String: Any] = [:]) -> [UInt8] {
        var source = ["type": "user", "userId": message.user]
        if let chat = message.chat { source = ["type": "group", "userId": message.user, "groupId": chat] }
        var event: [String: Any] = [
            "type": "message", "mode": "active", "timestamp": message.sentAt.milliseconds, "source": source,
            "webhookEventId": "01JEXAMPLE\(message.id)", "deliveryContext": ["isRedelivery": false],
            "replyToken": "reply\(message.id)",
            "message": [
                "id": "5\(message.id)", "type": "text", "quoteToken": "q\(message.id)", "text": message.text + suffix,
            ],
        ]
        event.merge(changes) { $1 }
        return JSONFields.bytes(["destination": "Ubot0001", "events": [event]])
    }
}

/// JSON for peers, written and read by Foundation and not by the code under test.
struct JSONFields {
    private let fields: [String: Any]

    /// Nil when `body` is no JSON object.
    init?(_ body: [UInt8]) {
        guard let fields = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] else { return nil }
        self.fields = fields
    }

    subscript(name: String) -> Any? { fields[name] }

    /// The same fields give the same bytes.
    static func bytes(_ fields: [String: Any]) -> [UInt8] {
        guard let data = try? JSONSerialization.data(withJSONObject: fields, options: [.sortedKeys]) else {
            preconditionFailure("fields that are no JSON")
        }
        return Array(data)
    }
}
