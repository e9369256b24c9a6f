internal import Crypto
internal import Foundation

/// The two headers that Discord and QQ share: an Ed25519 signature over the timestamp's text and the raw body.
///
/// - Source: platforms.md sections 5 and 11.
struct Ed25519Headers {
    private let signature: [UInt8]
    let time: SignedTime

    /// - Throws: `missingSignature`, `malformedSignature`, `malformedTimestamp`.
    init(_ request: WebhookRequest) throws(WebhookFault) {
        guard let signatureText = request.header("x-signature-ed25519"),
            let timestamp = request.header("x-signature-timestamp")
        else { throw .missingSignature }
        // The scalar at the end is below 2^253, so a signature with one of the three high bits is none.
        guard let signature = Hex.decode(signatureText), signature.count == 64, let last = signature.last,
            last & 0xE0 == 0
        else { throw .malformedSignature }
        self.signature = signature
        time = try SignedTime(timestamp)
    }

    /// - Throws: `badSignature`.
    func verify(_ body: [UInt8], with key: Curve25519.Signing.PublicKey) throws(WebhookFault) {
        guard key.isValidSignature(Data(signature), for: Data(Array(time.text.utf8) + body)) else {
            throw .badSignature
        }
    }
}
