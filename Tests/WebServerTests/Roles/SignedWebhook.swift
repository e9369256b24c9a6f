import Basics
import ChatPlatforms
import Crypto
import Foundation
import TestSupport

/// A program that signs its messages by Standard Webhooks, free in what it says.
struct SignedWebhook: Sendable {
    var secret = "signed-webhook-secret-for-tests-0001"

    var settings: PlatformSettings {
        PlatformSettings([
            "secret": "whsec_" + Data(Canary.planted(secret, as: "webhook secret").utf8).base64EncodedString()
        ])
    }

    func adapter() throws -> StandardWebhooksAdapter { try StandardWebhooksAdapter(settings) }

    /// - Parameters:
    ///   - chat: Nil in private.
    ///   - sentAt: The message's own time; nil: as the signature's.
    func request(
        _ text: String, id: String, user: String, chat: String? = "g1", isAdmin: Bool? = nil, at now: Instant,
        sentAt: Instant? = nil
    ) -> PeerRequest {
        var data: [String: Any] = ["user_id": user, "message_id": "m" + id, "text": text]
        data["chat_id"] = chat
        data["is_admin"] = isAdmin
        let time = (sentAt ?? now).dateTimeText().replacing(" ", with: "T") + "Z"
        let event: [String: Any] = ["type": "chat.message", "timestamp": time, "data": data]
        guard let body = try? JSONSerialization.data(withJSONObject: event, options: .sortedKeys) else {
            preconditionFailure("not JSON")
        }
        let seconds = now.milliseconds / 1000
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(id).\(seconds).".utf8) + body, using: SymmetricKey(data: Data(secret.utf8)))
        return PeerRequest(
            headers: [
                "Content-Type": "application/json", "webhook-id": id, "webhook-timestamp": String(seconds),
                "webhook-signature": "v1," + Data(code).base64EncodedString(),
            ],
            body: Array(body))
    }
}
