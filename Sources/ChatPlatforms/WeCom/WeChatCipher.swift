internal import Crypto
internal import CryptoExtras
internal import Foundation

/// The signed and encrypted envelope that WeCom and WeChat Official Accounts share.
///
/// - Source: platforms.md section 9.
struct WeChatCipher: Sendable {
    /// The padding's block, twice that of AES.
    static let paddingBlock = 32
    private static let randomSize = 16
    private static let lengthSize = 4

    let token: Secret
    /// Whom messages are for: the corp id, or the app id of an Official Account.
    let receiverID: String
    private let key: SymmetricKey

    /// - Parameter encodedKey: The 43 characters of the EncodingAESKey.
    /// - Returns: Nil unless they are the base64 of 32 bytes without its `=`.
    init?(token: Secret, encodedKey: Secret, receiverID: String) {
        // The last character holds two bits too many, and platforms fill them: no strict decoding here.
        let text = encodedKey.exposedText
        guard text.utf8.count == 43, let key = Data(base64Encoded: text + "="), key.count == 32 else { return nil }
        self.token = token
        self.receiverID = receiverID
        self.key = SymmetricKey(data: key)
    }

    /// From the settings `token`, `encoding_aes_key` and `receive_id`, all required.
    init(_ settings: PlatformSettings) throws(SettingFault) {
        let cipher = WeChatCipher(
            token: try settings.requiredSecret("token"), encodedKey: try settings.requiredSecret("encoding_aes_key"),
            receiverID: try settings.required("receive_id"))
        guard let cipher else {
            throw SettingFault(
                "encoding_aes_key", "encoding_aes_key 应为 43 个字母或数字（EncodingAESKey）",
                "encoding_aes_key must be the EncodingAESKey of 43 letters and digits")
        }
        self = cipher
    }

    /// Holds the query's `msg_signature` against `encrypted`, then opens it.
    ///
    /// - Throws: `missingSignature`, `malformedSignature`, `malformedTimestamp`, `badSignature`, `badCiphertext`,
    ///   `receiverMismatch`.
    func open(_ encrypted: String, of query: WeChatSignature) throws(WebhookFault) -> [UInt8] {
        guard query.isRight(token, encrypted) else { throw .badSignature }
        return try decrypt(encrypted)
    }

    /// - Parameter encrypted: Base64.
    /// - Throws: `badCiphertext` for anything wrong with it; `receiverMismatch` when it is for another receiver.
    func decrypt(_ encrypted: String) throws(WebhookFault) -> [UInt8] {
        guard let bytes = Base64.decode(encrypted),
            let padded = try? AES._CBC.decrypt(bytes, using: key, iv: initialVector(), noPadding: true),
            let plaintext = Self.withoutPadding(Array(padded))
        else { throw .badCiphertext }
        let header = Self.randomSize + Self.lengthSize
        guard plaintext.count >= header else { throw .badCiphertext }
        let length = plaintext[Self.randomSize..<header].reduce(0) { $0 << 8 | Int($1) }
        guard length <= plaintext.count - header else { throw .badCiphertext }
        guard SecretBytes.areEqual(plaintext[(header + length)...], receiverID.utf8) else { throw .receiverMismatch }
        return Array(plaintext[header..<header + length])
    }

    private func initialVector() throws -> AES._CBC.IV {
        try AES._CBC.IV(ivBytes: key.withUnsafeBytes { Array($0.prefix(16)) })
    }

    private static func withoutPadding(_ bytes: [UInt8]) -> [UInt8]? {
        guard let last = bytes.last, 1...paddingBlock ~= Int(last), bytes.count >= Int(last),
            bytes.suffix(Int(last)).allSatisfy({ $0 == last })
        else { return nil }
        return bytes.dropLast(Int(last))
    }

    /// - Parameter random: 16 bytes that no other plaintext is encrypted with.
    /// - Returns: Base64.
    func encrypt(_ plaintext: [UInt8], random: [UInt8]) -> String {
        precondition(random.count == Self.randomSize)
        var bytes = random
        for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: plaintext.count >> shift)) }
        bytes += plaintext
        bytes += receiverID.utf8
        let padding = Self.paddingBlock - bytes.count % Self.paddingBlock
        bytes += Array(repeating: UInt8(padding), count: padding)
        guard
            let encrypted = try? AES._CBC.encrypt(bytes, using: key, iv: initialVector(), noPadding: true)
        else { preconditionFailure("the key has 32 bytes, the vector 16, and the text is padded") }
        return Base64.encode(encrypted)
    }

    /// A reply in its envelope, as the response to a message.
    ///
    /// - Parameters:
    ///   - context: What tells this reply from every other but its own repetition: ids and the text.
    ///   - timestamp: Unix seconds.
    func envelope(_ plaintext: String, context: String, timestamp: Int64) -> String {
        // The random bytes hide that two replies begin alike, for the initial vector is always the same. They need not
        // be random for that, only never the same for another plaintext and not to be foreseen without the key. Made
        // from the plaintext and the key they are both, and the adapter needs no generator.
        let seed = Array(
            HMAC<SHA256>.authenticationCode(
                for: Array("\(timestamp)\n\(context)\n\(plaintext)".utf8), using: key))
        let encrypted = encrypt(Array(plaintext.utf8), random: Array(seed.prefix(Self.randomSize)))
        let nonce = Hex.encode(seed.suffix(8))
        let signature = WeChatSignature.of(token, [String(timestamp), nonce, encrypted])
        return "<xml>" + FlatXML.element("Encrypt", encrypted) + FlatXML.element("MsgSignature", Hex.encode(signature))
            + "<TimeStamp>\(timestamp)</TimeStamp>" + FlatXML.element("Nonce", nonce) + "</xml>"
    }
}

/// The signature in a request's query, with what it covers of the query.
struct WeChatSignature {
    let timestamp: String
    let nonce: String
    private let signature: [UInt8]

    /// - Parameter name: `msg_signature`, or `signature` for what is not encrypted.
    /// - Throws: `missingSignature`, `malformedSignature`, `malformedTimestamp`.
    init(_ name: String, in request: WebhookRequest) throws(WebhookFault) {
        guard let text = request.queryItem(name), let timestamp = request.queryItem("timestamp"),
            let nonce = request.queryItem("nonce")
        else { throw .missingSignature }
        guard let signature = Hex.decode(text), signature.count == Insecure.SHA1.byteCount else {
            throw .malformedSignature
        }
        // The texts are signed one behind the other, with nothing between them: what is the end of one could be said to
        // be the beginning of the next. Too short to take a block of the ciphertext over, neither is worth trying.
        guard timestamp.isDigits, timestamp.utf8.count <= 19 else { throw .malformedTimestamp }
        guard nonce.isVisibleASCII, nonce.utf8.count <= 32 else { throw .malformedSignature }
        self.timestamp = timestamp
        self.nonce = nonce
        self.signature = signature
    }

    /// - Parameter encrypted: Nil for what is not encrypted.
    func isRight(_ token: Secret, _ encrypted: String? = nil) -> Bool {
        SecretBytes.areEqual(signature, Self.of(token, [timestamp, nonce] + (encrypted.map { [$0] } ?? [])))
    }

    /// SHA-1 of the token and `parts` in the order of their bytes, one behind the other.
    static func of(_ token: Secret, _ parts: [String]) -> [UInt8] {
        let all = [token.exposedBytes] + parts.map { Array($0.utf8) }
        let sorted = all.sorted { $0.lexicographicallyPrecedes($1) }
        return Array(Insecure.SHA1.hash(data: Array(sorted.joined())))
    }
}
