import Crypto
import Foundation

@testable import ChatPlatforms

/// Requests as WeCom and WeChat make them, for the tests of both.
struct WeChatRequests {
    static let token = "token-for-tests-00000001"
    static let keyText = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
    static let receiverID = "ww0000000000000001"
    static let settings = ["token": token, "encoding_aes_key": keyText, "receive_id": receiverID]

    /// The elements of a text message, in order; nil takes one away.
    static func message(_ changes: [String: String?] = [:], more: String = "") -> String {
        var text = "<xml>"
        let elements = [
            ("ToUserName", "account1"), ("FromUserName", "user1"), ("CreateTime", "1760000080"), ("MsgType", "text"),
            ("Content", " 抽奖 "), ("MsgId", "4561255354251345929"),
        ]
        for (name, value) in elements {
            let value = changes[name] ?? value
            if let value { text += "<\(name)><![CDATA[\(value)]]></\(name)>" }
        }
        return text + more + "</xml>"
    }

    static func signature(_ parts: [String]) -> String {
        let joined = ([token] + parts).sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }.joined()
        return Insecure.SHA1.hash(data: Data(joined.utf8)).map { String(format: "%02x", Int($0)) }.joined()
    }

    static func encrypted(_ plaintext: String) -> String {
        // The vectors hold the cipher to what the platform publishes.
        WeChatCipher(token: Secret(token), encodedKey: Secret(keyText), receiverID: receiverID)?
            .encrypt(Array(plaintext.utf8), random: Array(repeating: 7, count: 16)) ?? ""
    }

    static func request(
        _ plaintext: String, timestamp: String = "1760000080", nonce: String = "n1", contentType: String = "text/xml"
    ) -> WebhookRequest {
        let encrypted = encrypted(plaintext)
        return WebhookRequest(
            method: "POST",
            query: [
                ("msg_signature", signature([timestamp, nonce, encrypted])), ("timestamp", timestamp), ("nonce", nonce),
            ], headers: [("Content-Type", contentType)],
            body: Array("<xml><ToUserName>x</ToUserName><Encrypt>\(encrypted)</Encrypt></xml>".utf8))
    }

    static func plainRequest(
        _ body: String, method: String = "POST", more: [(name: String, value: String)] = []
    ) -> WebhookRequest {
        WebhookRequest(
            method: method,
            query: [("signature", signature(["1760000080", "n1"])), ("timestamp", "1760000080"), ("nonce", "n1")]
                + more,
            headers: [("Content-Type", "text/xml")], body: Array(body.utf8))
    }
}
