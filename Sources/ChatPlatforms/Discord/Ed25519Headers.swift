internal import Basics
internal import Crypto
internal import Foundation

/// The two headers that Discord and QQ share: an Ed25519 signature over the timestamp's text and the raw body.
///
/// - Source: platforms.md sections 5 and 11.
struct Ed25519Headers {
    let signature: [UInt8]
    /// 1–13 digits, as they were sent. Nothing else may stand before the body in what is signed.
    let timestamp: String
    /// ``timestamp`` taken as seconds.
    let signedAt: Instant

    /// - Throws: `missingSignature`, `malformedSignature`, `malformedTimestamp`.
    init(_ request: WebhookRequest) throws(WebhookFault) {
        guard let signatureText = request.header("x-signature-ed25519") else { throw .missingSignature }
        // The scalar at the end is below 2^253, so a signature with one of the three high bits is none.
        guard signatureText.utf8.count == 128, let signature = Hex.decode(signatureText),
            let last = signature.last, last & 0xE0 == 0
        else { throw .malformedSignature }
        guard let timestamp = request.header("x-signature-timestamp"), 1...13 ~= timestamp.utf8.count,
            timestamp.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let seconds = Int64(timestamp)
        else { throw .malformedTimestamp }
        self.signature = signature
        self.timestamp = timestamp
        signedAt = Instant(milliseconds: 0).advanced(bySeconds: seconds)
    }

    /// - Throws: `badSignature`.
    func verify(_ body: [UInt8], with key: Curve25519.Signing.PublicKey) throws(WebhookFault) {
        guard key.isValidSignature(Data(signature), for: Data(Array(timestamp.utf8) + body)) else {
            throw .badSignature
        }
    }
}
