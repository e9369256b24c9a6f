import Basics
import ChatPlatforms
import Crypto
import CryptoExtras
import Foundation

/// A WeChat Official Account in safe mode, answered in the response with encrypted XML.
///
/// - Source: platforms.md section 10.
struct WeChatOAPeer: PlatformPeer {
    private let account = "gh_peer00000001"
    private let envelope = WeChatPeerEnvelope(
        token: "peerwechattoken000000001", keyText: "peerWeChatKey0123456789ABCDEFGHIJKLMNOPQRST",
        receiverID: "wxpeerapp0000001")

    var platform: Platform { .wechatOA }
    var repliesByCall: Bool { false }
    var hasGroups: Bool { false }
    var hasEdits: Bool { false }
    var hasBots: Bool { false }

    func settings(api: String) -> [String: String] {
        ["token": envelope.token, "encoding_aes_key": envelope.keyText, "receive_id": envelope.receiverID]
    }

    func handshake(at now: Instant) -> (request: PeerRequest, isRight: @Sendable (PeerResponse) -> Bool)? {
        let request = PeerRequest(method: "GET", path: "?" + plainQuery(at: now) + "&echostr=5927001234567890123")
        return (
            request,
            { response in
                response.status == 200 && response.text == "5927001234567890123"
                    && response.headers["content-type"]?.hasPrefix("text/plain") == true
            }
        )
    }

    func request(_ message: PeerMessage) -> PeerRequest { request(plaintext(message), of: message) }

    private func request(_ plaintext: String, of message: PeerMessage) -> PeerRequest {
        let encrypted = envelope.encrypted(plaintext)
        let path =
            envelope.query(encrypted, at: message.sentAt) + "&openid=o\(message.user)&encrypt_type=aes&signature="
            + envelope.signature([String(message.sentAt.milliseconds / 1000), WeChatPeerEnvelope.nonce])
        return PeerRequest(path: path, headers: ["Content-Type": "text/xml"], body: body(encrypted))
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
        WeChatPeerEnvelope.events(like: plaintext(message)).mapValues { request($0, of: message) }
    }

    private func plainQuery(at instant: Instant) -> String {
        let timestamp = String(instant.milliseconds / 1000)
        let nonce = WeChatPeerEnvelope.nonce
        return "signature=\(envelope.signature([timestamp, nonce]))&timestamp=\(timestamp)&nonce=\(nonce)"
    }

    private func plaintext(_ message: PeerMessage) -> String {
        var renamed = message
        renamed.user = "o" + message.user
        return WeChatPeerEnvelope.message(
            renamed, to: account, messageID: 25_000_000_000_000_000 + message.id, more: "")
    }

    private func body(_ encrypted: String) -> [UInt8] {
        let text =
            "<xml><ToUserName><![CDATA[\(account)]]></ToUserName><Encrypt><![CDATA[\(encrypted)]]></Encrypt></xml>"
        return Array(text.utf8)
    }

    func reply(in response: PeerResponse) -> String? {
        response.status == 200 ? envelope.replyText(of: response.text) : nil
    }
}

/// The signatures and the encryption that WeCom and Official Accounts share, played by hand.
///
/// - Source: platforms.md section 9.
struct WeChatPeerEnvelope: Sendable {
    static let nonce = "1372623149"

    let token: String
    /// The 43 characters of the EncodingAESKey.
    let keyText: String
    let receiverID: String

    private var key: Data {
        guard let key = Data(base64Encoded: keyText + "="), key.count == 32 else { preconditionFailure("not a key") }
        return key
    }

    private var vector: AES._CBC.IV {
        guard let vector = try? AES._CBC.IV(ivBytes: key.prefix(16)) else { preconditionFailure("not a vector") }
        return vector
    }

    static func message(_ message: PeerMessage, to account: String, messageID: Int, more: String) -> String {
        let text = message.text.replacing("]]>", with: "]]]]><![CDATA[>")
        return
            "<xml><ToUserName><![CDATA[\(account)]]></ToUserName>"
            + "<FromUserName><![CDATA[\(message.user)]]></FromUserName>"
            + "<CreateTime>\(message.sentAt.milliseconds / 1000)</CreateTime><MsgType><![CDATA[text]]></MsgType>"
            + "<Content><![CDATA[\(text)]]></Content><MsgId>\(messageID)</MsgId>\(more)</xml>"
    }

    /// What is no text although it has one.
    static func events(like message: String) -> [String: String] {
        func event(_ name: String, _ key: String) -> String {
            message.replacing(
                "<MsgType><![CDATA[text]]>",
                with: "<Event><![CDATA[\(name)]]></Event><EventKey><![CDATA[\(key)]]></EventKey>"
                    + "<MsgType><![CDATA[event]]>")
        }
        return [
            "a subscription": event("subscribe", ""), "a click": event("CLICK", "抽奖"),
            "a picture": message.replacing("<MsgType><![CDATA[text]]>", with: "<MsgType><![CDATA[image]]>"),
        ]
    }

    /// SHA-1 of the token and `parts`, sorted.
    func signature(_ parts: [String]) -> String {
        let joined = ([token] + parts).sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }.joined()
        return Insecure.SHA1.hash(data: Data(joined.utf8)).map { String(format: "%02x", Int($0)) }.joined()
    }

    func query(_ encrypted: String, at instant: Instant) -> String {
        let timestamp = String(instant.milliseconds / 1000)
        return
            "?msg_signature=\(signature([timestamp, Self.nonce, encrypted]))&timestamp=\(timestamp)&nonce=\(Self.nonce)"
    }

    static func percentEncoded(_ base64: String) -> String {
        base64.replacing("+", with: "%2B").replacing("/", with: "%2F").replacing("=", with: "%3D")
    }

    func encrypted(_ text: String) -> String {
        let message = Data(text.utf8)
        // The platform's are random; these need only differ from message to message.
        var plaintext = Data(SHA256.hash(data: message).prefix(16))
        withUnsafeBytes(of: UInt32(message.count).bigEndian) { plaintext.append(contentsOf: $0) }
        plaintext += message + Data(receiverID.utf8)
        let padding = 32 - plaintext.count % 32
        plaintext += Data(repeating: UInt8(padding), count: padding)
        let encrypted = try? AES._CBC.encrypt(plaintext, using: SymmetricKey(data: key), iv: vector, noPadding: true)
        guard let encrypted else { preconditionFailure("cannot be encrypted") }
        return encrypted.base64EncodedString()
    }

    /// The text of an encrypted reply; nil when there is none, or anything about it is not as the platform wants it.
    func replyText(of body: String) -> String? {
        guard let encrypted = Self.content(of: "Encrypt", in: body),
            let signed = Self.content(of: "MsgSignature", in: body), let nonce = Self.content(of: "Nonce", in: body),
            let timestamp = Self.between("<TimeStamp>", "</TimeStamp>", in: body),
            signed == signature([timestamp, nonce, encrypted]),
            let ciphertext = Data(base64Encoded: encrypted),
            let padded = try? AES._CBC.decrypt(ciphertext, using: SymmetricKey(data: key), iv: vector, noPadding: true),
            let padding = padded.last, 1...32 ~= padding, padded.count % 32 == 0
        else { return nil }
        let plaintext = Array(padded.dropLast(Int(padding)))
        guard plaintext.count >= 20 else { return nil }
        let size = plaintext[16..<20].reduce(0) { $0 << 8 | Int($1) }
        guard plaintext.count == 20 + size + receiverID.utf8.count,
            plaintext.suffix(receiverID.utf8.count) == Array(receiverID.utf8)[...]
        else { return nil }
        let text = String(decoding: plaintext[20..<20 + size], as: UTF8.self)
        guard Self.content(of: "MsgType", in: text) == "text" else { return nil }
        return Self.content(of: "Content", in: text)
    }

    private static func content(of name: String, in text: String) -> String? {
        let content = between("<\(name)><![CDATA[", "]]></\(name)>", in: text)
        return content?.replacing("]]]]><![CDATA[>", with: "]]>")
    }

    private static func between(_ opening: String, _ closing: String, in text: String) -> String? {
        guard let start = text.firstRange(of: opening), let end = text.firstRange(of: closing),
            start.upperBound <= end.lowerBound
        else { return nil }
        return String(text[start.upperBound..<end.lowerBound])
    }
}
