import Basics
import ChatPlatforms
import Crypto
import Foundation

/// A DingTalk robot in HTTP mode, which is answered in the response.
///
/// - Source: platforms.md section 8.
struct DingTalkPeer: PlatformPeer {
    private let appSecret = "peer-dingtalk-app-secret-0001"
    private let robotCode = "dingpeerrobot0001"
    private let corpID = "dingpeercorp0001"

    /// Where the session addresses point.
    var api = "https://oapi.dingtalk.com"

    var platform: Platform { .dingtalk }
    var repliesByCall: Bool { false }
    var hasEdits: Bool { false }
    var hasBots: Bool { false }

    func settings(api: String) -> [String: String] {
        ["app_secret": appSecret, "robot_code": robotCode, "corp_id": corpID, "api_url": api]
    }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? { nil }

    func request(_ message: PeerMessage) -> PeerRequest {
        request(message, signedAt: message.sentAt)
    }

    /// The signature does not cover the body.
    func tampered(_ message: PeerMessage) -> PeerRequest {
        var request = request(message)
        request.headers["sign"] = sign("\(message.sentAt.milliseconds)1")
        return request
    }

    func stale(_ message: PeerMessage) -> PeerRequest? {
        request(message, signedAt: message.sentAt.advanced(bySeconds: -3600))
    }

    private func request(_ message: PeerMessage, signedAt: Instant) -> PeerRequest {
        let body: [String: Any] = [
            "msgtype": "text", "text": ["content": " \(message.text) "], "msgId": "msgpeer\(message.id)==",
            "createAt": message.sentAt.milliseconds, "conversationType": message.chat == nil ? "1" : "2",
            "conversationId": "cid\(message.chat ?? "with" + message.user)==", "senderId": "$:LWCP_v1:$\(message.user)",
            "senderStaffId": message.user, "senderNick": message.user, "isAdmin": false, "isInAtList": false,
            "robotCode": robotCode, "chatbotCorpId": corpID, "chatbotUserId": "$:LWCP_v1:$peerbot",
            "sessionWebhook": "\(api)/robot/sendBySession?session=peer\(message.id)",
            "sessionWebhookExpiredTime": message.sentAt.advanced(bySeconds: 5400).milliseconds,
        ]
        let timestamp = String(signedAt.milliseconds)
        return PeerRequest(
            headers: [
                "Content-Type": "application/json; charset=utf-8", "timestamp": timestamp, "sign": sign(timestamp),
            ],
            body: Array(json(body)))
    }

    private func sign(_ timestamp: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(timestamp)\n\(appSecret)".utf8), using: SymmetricKey(data: Data(appSecret.utf8)))
        return Data(code).base64EncodedString()
    }

    private func json(_ value: [String: Any]) -> Data {
        guard let data = try? JSONSerialization.data(withJSONObject: value, options: .sortedKeys) else {
            preconditionFailure("not JSON")
        }
        return data
    }

    func reply(in response: PeerResponse) -> String? {
        response.status == 200 ? text(of: response.body) : nil
    }

    func reply(in call: PeerRequest) -> String? {
        call.path.hasPrefix("/robot/sendBySession?session=peer") ? text(of: call.body) : nil
    }

    private func text(of body: [UInt8]) -> String? {
        let object = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
        guard object?["msgtype"] as? String == "text" else { return nil }
        return (object?["text"] as? [String: Any])?["content"] as? String
    }

    func answer(to call: PeerRequest) -> PeerResponse {
        let code = reply(in: call) == nil ? 310000 : 0
        return PeerResponse(status: 200, body: Array(json(["errcode": code, "errmsg": "peer"])))
    }
}
