internal import Crypto
internal import CryptoExtras

/// The encryption of Feishu's events.
///
/// - Source: platforms.md section 7.
enum FeishuCipher {
    private static let vectorSize = 16

    /// AES-256-CBC under the key's SHA-256; the initial vector stands in front.
    ///
    /// - Parameters:
    ///   - encrypted: Base64.
    ///   - key: The Encrypt Key as it was written.
    /// - Returns: Nil for whatever is wrong with it: one answer, so that nobody learns about the padding.
    static func decrypt(_ encrypted: String, key: Secret) -> [UInt8]? {
        guard let bytes = Base64.decode(encrypted), bytes.count >= 2 * vectorSize,
            let plaintext = try? AES._CBC.decrypt(
                bytes.dropFirst(vectorSize), using: SymmetricKey(data: SHA256.hash(data: key.exposedBytes)),
                iv: AES._CBC.IV(ivBytes: bytes.prefix(vectorSize)))
        else { return nil }
        return Array(plaintext)
    }
}
