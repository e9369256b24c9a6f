import Basics
import ChatPlatforms
import Crypto
import CryptoExtras
import Foundation

/// An application of WeCom, answered in the response with encrypted XML.
///
/// - Source: platforms.md section 9.
struct WeComPeer: PlatformPeer {
    private let envelope = WeChatPeerEnvelope(
        token: "peerwecomtoken0000000001", keyText: "peerWeComKey0123456789ABCDEFGHIJKLMNOPQRSTU",
        receiverID: "wwpeercorp000000000000001")
    private let corpSecret = "peer-wecom-corp-secret-0001"
    private let accessToken = "peer-wecom-access-token-0001"

    var platform: Platform { .wecom }
    var repliesByCall: Bool { false }
    var hasGroups: Bool { false }
    var hasEdits: Bool { false }
    var hasBots: Bool { false }

    func settings(api: String) -> [String: String] {
        [
            "token": envelope.token, "encoding_aes_key": envelope.keyText, "receive_id": envelope.receiverID,
            "agent_id": "1000002", "corp_secret": corpSecret, "api_url": api,
        ]
    }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? {
        let echo = envelope.encrypted("4561255354251345929")
        let query = envelope.query(echo, at: now) + "&echostr=" + WeChatPeerEnvelope.percentEncoded(echo)
        return (PeerRequest(method: "GET", path: query), { $0.status == 200 && $0.text == "4561255354251345929" })
    }

    func request(_ message: PeerMessage) -> PeerRequest { request(plaintext(message), at: message.sentAt) }

    private func request(_ plaintext: String, at instant: Instant) -> PeerRequest {
        let encrypted = envelope.encrypted(plaintext)
        return PeerRequest(
            path: envelope.query(encrypted, at: instant), headers: ["Content-Type": "text/xml"],
            body: body(encrypted))
    }

    func tampered(_ message: PeerMessage) -> PeerRequest {
        var other = message
        other.text += "1"
        var request = request(message)
        request.body = body(envelope.encrypted(plaintext(other)))
        return request
    }

    func stale(_ message: PeerMessage) -> PeerRequest? { nil }

    func others(like message: PeerMessage) -> [String: PeerRequest] {
        WeChatPeerEnvelope.events(like: plaintext(message)).mapValues { request($0, at: message.sentAt) }
    }

    private func plaintext(_ message: PeerMessage) -> String {
        WeChatPeerEnvelope.message(
            message, to: envelope.receiverID, messageID: 4_500_000_000_000_000_000 + message.id,
            more: "<AgentID>1000002</AgentID>")
    }

    private func body(_ encrypted: String) -> [UInt8] {
        let text =
            "<xml><ToUserName><![CDATA[\(envelope.receiverID)]]></ToUserName>"
            + "<Encrypt><![CDATA[\(encrypted)]]></Encrypt><AgentID><![CDATA[1000002]]></AgentID></xml>"
        return Array(text.utf8)
    }

    func reply(in response: PeerResponse) -> String? {
        response.status == 200 ? envelope.replyText(of: response.text) : nil
    }

    func reply(in call: PeerRequest) -> String? {
        guard call.path == "/cgi-bin/message/send?access_token=\(accessToken)",
            let body = try? JSONSerialization.jsonObject(with: Data(call.body)) as? [String: Any],
            body["msgtype"] as? String == "text", body["agentid"] as? Int == 1_000_002, body["touser"] is String
        else { return nil }
        return (body["text"] as? [String: Any])?["content"] as? String
    }

    func answer(to call: PeerRequest) -> PeerResponse {
        let token = "/cgi-bin/gettoken?corpid=\(envelope.receiverID)&corpsecret=\(corpSecret)"
        let text =
            if call.path == token {
                #"{"errcode":0,"errmsg":"ok","access_token":"\#(accessToken)","expires_in":7200}"#
            } else if reply(in: call) != nil {
                #"{"errcode":0,"errmsg":"ok","msgid":"peer"}"#
            } else {
                #"{"errcode":40014,"errmsg":"invalid access_token"}"#
            }
        return PeerResponse(status: 200, body: Array(text.utf8))
    }
}
