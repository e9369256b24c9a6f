internal import Basics
internal import ChatPlatforms
internal import Crypto
internal import CryptoExtras
internal import Foundation
internal import Lottery

/// A platform that knows the endpoint's secret, and signs whatever it is given.
struct FuzzPeer: Sendable {
    /// When everything is signed and received.
    static let now = Instant(milliseconds: 1_760_000_000_000)
    /// Of the endpoints whose requests carry a secret; so that it can stand in a body, it is a word.
    static let token = "fuzz-token-4711"

    let platform: Platform
    let endpoint: Endpoint

    static let all: [Platform: FuzzPeer] = Dictionary(
        uniqueKeysWithValues: Platform.allCases.map { platform in
            do throws(SettingFault) {
                let adapter = try platform.adapterType.init(PlatformSettings(settings(of: platform)))
                // Satori's messages bring their own.
                return (platform, FuzzPeer(platform: platform, endpoint: Endpoint(name: "fuzz", adapter: adapter)))
            } catch {
                preconditionFailure("\(platform.rawValue).\(error.setting): \(error.english)")
            }
        })

    private static let webhookKey = Array("0123456789abcdef0123456789abcdef".utf8)
    private static let signingKey: Curve25519.Signing.PrivateKey = {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: webhookKey) else {
            preconditionFailure("any 32 bytes are a key")
        }
        return key
    }()
    private static let encodedKey = String(Data(webhookKey).base64EncodedString().prefix(43))
    private static let receiverID = "ww4711"

    private static func settings(of platform: Platform) -> [String: String] {
        switch platform {
        case .webhook: ["secret": "whsec_" + Data(webhookKey).base64EncodedString()]
        case .onebot11: ["secret": token, "access_token": token, "api_url": "http://127.0.0.1:5700"]
        case .satori: ["token": token, "api_url": "http://127.0.0.1:5140/satori"]
        // The seed of the key is the secret itself.
        case .qq: ["app_id": "4711", "bot_secret": String(decoding: webhookKey, as: UTF8.self)]
        case .telegram: ["secret_token": token, "bot_username": "hongbao_bot", "bot_token": "1:abc"]
        case .discord: ["public_key": hexText(signingKey.publicKey.rawRepresentation)]
        case .feishu:
            ["verification_token": token, "encrypt_key": token, "app_id": "cli_1", "app_secret": token]
        case .dingtalk: ["app_secret": token]
        case .wecom:
            [
                "token": token, "encoding_aes_key": encodedKey, "receive_id": receiverID, "agent_id": "1000002",
                "corp_secret": token,
            ]
        case .wechatOA: ["token": token, "encoding_aes_key": encodedKey, "receive_id": receiverID]
        case .slack: ["signing_secret": token, "bot_token": "xoxb-" + token]
        case .line: ["channel_secret": token, "channel_access_token": token, "push": "true"]
        case .mattermost: ["token": token, "site_url": "https://chat.example.com"]
        case .rocketchat: ["token": token]
        case .matrix:
            [
                "hs_token": token, "as_token": token, "homeserver_url": "https://matrix.example.com",
                "user_id": "@bot:example.com",
            ]
        case .onebot12: ["token": token]
        }
    }

    // MARK: Signed

    /// A request that the endpoint cannot tell from the platform's own.
    ///
    /// - Parameter isForm: Where the platform sends forms as well as JSON.
    func signed(_ body: [UInt8], isForm: Bool) -> WebhookRequest {
        let seconds = String(Self.now.milliseconds / 1000)
        var request = WebhookRequest(method: "POST", body: body)
        var contentType = isForm ? "application/x-www-form-urlencoded" : "application/json"
        switch platform {
        case .webhook:
            let code = Self.code(Array("msg-1.\(seconds).".utf8) + body, key: Self.webhookKey)
            request.headers = [
                ("webhook-id", "msg-1"), ("webhook-timestamp", seconds),
                ("webhook-signature", "v1," + Data(code).base64EncodedString()),
            ]
        case .onebot11:
            let key = SymmetricKey(data: Array(Self.token.utf8))
            let code = HMAC<Insecure.SHA1>.authenticationCode(for: body, using: key)
            request.headers = [("x-signature", "sha1=" + hexText(Array(code)))]
        case .satori: request.headers = [("authorization", "Bearer " + Self.token), ("satori-opcode", "0")]
        case .onebot12: request.headers = [("authorization", "Bearer " + Self.token)]
        case .telegram: request.headers = [("x-telegram-bot-api-secret-token", Self.token)]
        case .qq, .discord:
            let signature = (try? Self.signingKey.signature(for: Data(Array(seconds.utf8) + body))) ?? Data()
            request.headers = [
                ("x-signature-ed25519", hexText(signature)), ("x-signature-timestamp", seconds),
                ("x-bot-appid", "4711"),
            ]
        case .feishu:
            let iv = Array(Self.webhookKey.prefix(16))
            let key = SymmetricKey(data: SHA256.hash(data: Array(Self.token.utf8)))
            let sealed = (try? Self.sealed(body, key, iv, padded: true)) ?? []
            request.body = Array(#"{"encrypt":"\#(Data(iv + sealed).base64EncodedString())"}"#.utf8)
            let digest = SHA256.hash(data: Array("\(seconds)1\(Self.token)".utf8) + request.body)
            request.headers = [
                ("x-lark-signature", hexText(Array(digest))), ("x-lark-request-timestamp", seconds),
                ("x-lark-request-nonce", "1"),
            ]
        case .dingtalk:
            let milliseconds = String(Self.now.milliseconds)
            let code = Self.code(Array("\(milliseconds)\n\(Self.token)".utf8), key: Array(Self.token.utf8))
            request.headers = [("timestamp", milliseconds), ("sign", Data(code).base64EncodedString())]
        case .wecom, .wechatOA:
            let encrypted = Self.envelope(body)
            let parts = [Self.token, seconds, "1", encrypted].map { Array($0.utf8) }
            let joined = parts.sorted { $0.lexicographicallyPrecedes($1) }.flatMap { $0 }
            request.query = [
                ("msg_signature", hexText(Array(Insecure.SHA1.hash(data: joined)))), ("timestamp", seconds),
                ("nonce", "1"),
            ]
            request.body = Array("<xml><Encrypt>\(encrypted)</Encrypt></xml>".utf8)
            contentType = "text/xml"
        case .slack:
            let code = Self.code(Array("v0:\(seconds):".utf8) + body, key: Array(Self.token.utf8))
            request.headers = [("x-slack-signature", "v0=" + hexText(code)), ("x-slack-request-timestamp", seconds)]
        case .line:
            let code = Self.code(body, key: Array(Self.token.utf8))
            request.headers = [("x-line-signature", Data(code).base64EncodedString())]
        case .matrix:
            request.method = "PUT"
            request.path = "/_matrix/app/v1/transactions/1"
            request.headers = [("authorization", "Bearer " + Self.token)]
        // These have the token in the body.
        case .mattermost, .rocketchat: break
        }
        request.headers.append(("content-type", contentType))
        return request
    }

    /// The same request with its body changed on the way; nil where no signature covers the body.
    func tampered(_ request: WebhookRequest) -> WebhookRequest? {
        switch platform {
        case .webhook, .onebot11, .qq, .discord, .feishu, .slack, .line:
            var tampered = request
            tampered.body.append(UInt8(ascii: " "))
            return tampered
        case .wecom, .wechatOA:
            var tampered = request
            tampered.body.insert(UInt8(ascii: "A"), at: "<xml><Encrypt>".utf8.count)
            return tampered
        case .satori, .onebot12, .telegram, .dingtalk, .matrix, .mattermost, .rocketchat: return nil
        }
    }

    /// - Source: platforms.md section 9.
    private static func envelope(_ plaintext: [UInt8]) -> String {
        var bytes = Array(webhookKey.prefix(16))
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: plaintext.count).bigEndian) { bytes += $0 }
        bytes += plaintext + Array(receiverID.utf8)
        let padding = 32 - bytes.count % 32
        bytes += Array(repeating: UInt8(padding), count: padding)
        let key = SymmetricKey(data: Data(base64Encoded: encodedKey + "=") ?? Data())
        let iv = key.withUnsafeBytes { Array($0.prefix(16)) }
        return Data((try? sealed(bytes, key, iv, padded: false)) ?? []).base64EncodedString()
    }

    private static func sealed(_ bytes: [UInt8], _ key: SymmetricKey, _ iv: [UInt8], padded: Bool) throws -> [UInt8] {
        Array(try AES._CBC.encrypt(bytes, using: key, iv: AES._CBC.IV(ivBytes: iv), noPadding: !padded))
    }

    private static func code(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key)))
    }

    // MARK: Not signed

    /// A request as HTTP writes it: a line with method, path and query, lines of headers, an empty one, the body.
    static func request(_ bytes: [UInt8]) -> WebhookRequest {
        var rest = bytes[...]
        func line() -> String {
            let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex
            defer { rest = rest[min(end + 1, rest.endIndex)...] }
            return String(decoding: rest[..<end], as: UTF8.self)
        }
        let words = line().split(separator: " ", maxSplits: 1)
        let target = words.count > 1 ? words[1].split(separator: "?", maxSplits: 1) : []
        let query = target.count > 1 ? target[1].split(separator: "&") : []
        var headers: [(name: String, value: String)] = []
        while !rest.isEmpty {
            let header = line()
            guard let colon = header.utf8.firstIndex(of: UInt8(ascii: ":")) else { break }
            let value = header[colon...].dropFirst().drop { $0 == " " }
            headers.append((String(header[..<colon]), String(value)))
        }
        return WebhookRequest(
            method: words.first.map { String($0) } ?? "POST", path: target.first.map { String($0) } ?? "",
            query: query.map { item in
                let parts = item.split(separator: "=", maxSplits: 1)
                return (String(parts.first ?? ""), parts.count > 1 ? String(parts[1]) : "")
            },
            headers: headers, body: Array(rest))
    }
}
