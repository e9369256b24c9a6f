import Crypto
import CryptoExtras
import Foundation
import Testing

@testable import ChatPlatforms

struct WeChatCipherTests {
    static let keyText = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"

    static func cipher(receiverID: String = "ww1") throws -> WeChatCipher {
        try #require(WeChatCipher(token: Secret("token-1"), encodedKey: Secret(keyText), receiverID: receiverID))
    }

    /// Encrypts what stands, with no padding added.
    static func encryptRaw(_ bytes: [UInt8]) throws -> String {
        let key = try #require(Data(base64Encoded: keyText + "="))
        return try AES._CBC.encrypt(
            bytes, using: SymmetricKey(data: key), iv: AES._CBC.IV(ivBytes: key.prefix(16)), noPadding: true
        ).base64EncodedString()
    }

    @Test(arguments: PlatformVector.of(.wecom).filter { $0.kind == "reply" })
    func replyVectorHolds(vector: PlatformVector) throws {
        let input = try #require(vector.input)
        let cipher = try WeChatCipher(PlatformSettings(vector.secret ?? [:]))
        let plaintext = Array(try #require(input["plaintext"]).utf8)
        let encrypted = cipher.encrypt(plaintext, random: Array(try #require(input["random16"]).utf8))
        #expect(encrypted == vector.expected["encrypt"])
        #expect(try cipher.decrypt(encrypted) == plaintext)
        let signed = [try #require(input["timestamp"]), try #require(input["nonce"]), encrypted]
        #expect(Hex.encode(WeChatSignature.of(cipher.token, signed)) == vector.expected["msg_signature"])
    }

    @Test func everyLengthComesBack() throws {
        let cipher = try Self.cipher()
        for count in 0...70 {
            let plaintext = Array(repeating: UInt8(ascii: "x"), count: count)
            #expect(try cipher.decrypt(cipher.encrypt(plaintext, random: Array(repeating: 7, count: 16))) == plaintext)
        }
    }

    @Test func otherReceiverIsRefused() throws {
        let encrypted = try Self.cipher().encrypt([1], random: Array(repeating: 7, count: 16))
        for receiver in ["ww2", "w", "ww11", "WW1"] {
            #expect(throws: WebhookFault.receiverMismatch) { try Self.cipher(receiverID: receiver).decrypt(encrypted) }
        }
    }

    @Test(arguments: ["", "A", "AAAA", "?", "AAAAAAAAAAAAAAAAAAAAAA=="])
    func noCiphertextIsRefused(encrypted: String) throws {
        #expect(throws: WebhookFault.badCiphertext) { try Self.cipher().decrypt(encrypted) }
    }

    /// Each is rightly encrypted; what is inside is wrong.
    @Test func wrongPlaintextIsRefusedAlike() throws {
        let random = Array(repeating: UInt8(7), count: 16)
        func padded(_ bytes: [UInt8], with byte: UInt8? = nil) -> [UInt8] {
            let count = 32 - bytes.count % 32
            return bytes + Array(repeating: byte ?? UInt8(count), count: count)
        }
        let whole = random + [0, 0, 0, 1, 9] + Array("ww1".utf8)
        #expect(try Self.cipher().decrypt(Self.encryptRaw(padded(whole))) == [9])
        let wrong: [[UInt8]] = [
            padded(whole, with: 0), padded(whole, with: 33), padded(whole, with: 255), padded(whole).dropLast() + [7],
            // Padding that is not all alike, and longer than everything.
            padded(whole).dropLast(2) + [1, 8], Array(repeating: 17, count: 16), Array(repeating: 16, count: 16),
            // Too short for a length; lengths that run past the end, or are negative to some readers.
            padded(random), padded(random + [0, 0, 0]), padded(random + [0, 0, 0, 1]),
            padded(random + [0, 0, 0, 5, 9] + Array("ww1".utf8)),
            padded(random + [0x7F, 0xFF, 0xFF, 0xFF, 9]), padded(random + [0xFF, 0xFF, 0xFF, 0xFF, 9]),
        ]
        for bytes in wrong {
            #expect(throws: WebhookFault.badCiphertext, "\(bytes)") {
                try Self.cipher().decrypt(Self.encryptRaw(bytes))
            }
        }
        #expect(throws: WebhookFault.receiverMismatch) {
            try Self.cipher().decrypt(Self.encryptRaw(padded(random + [0, 0, 0, 0, 9] + Array("ww1".utf8))))
        }
    }

    @Test(arguments: [
        "", "short", String(keyText.dropLast()), keyText + "=", keyText + "A", String(keyText.dropLast()) + "!",
        String(keyText.dropLast()) + "中",
    ])
    func wrongKeyIsNamed(key: String) {
        let settings = PlatformSettings(["token": "t", "encoding_aes_key": key, "receive_id": "ww1"])
        let fault = #expect(throws: SettingFault.self) { try WeChatCipher(settings) }
        #expect(fault?.setting == "encoding_aes_key")
    }

    /// The initial vector is always the same: what begins alike must not look alike.
    @Test func envelopesDiffer() throws {
        let cipher = try Self.cipher()
        var beginnings: Set<String> = []
        var nonces: Set<String> = []
        let variants: [(plaintext: String, context: String, timestamp: Int64)] = [
            ("一", "m1", 1), ("二", "m1", 1), ("一", "m2", 1), ("一", "m1", 2),
        ]
        for variant in variants {
            let envelope = cipher.envelope(variant.plaintext, context: variant.context, timestamp: variant.timestamp)
            let texts = try #require(FlatXML.texts(of: Array(envelope.utf8)))
            #expect(Set(texts.keys) == ["Encrypt", "MsgSignature", "TimeStamp", "Nonce"])
            let encrypted = try #require(texts["Encrypt"])
            #expect(try cipher.decrypt(encrypted) == Array(variant.plaintext.utf8))
            #expect(texts["TimeStamp"] == String(variant.timestamp))
            let nonce = try #require(texts["Nonce"])
            let signature = WeChatSignature.of(
                Secret("token-1"), [String(variant.timestamp), nonce, encrypted])
            #expect(texts["MsgSignature"] == Hex.encode(signature))
            beginnings.insert(String(encrypted.prefix(20)))
            nonces.insert(nonce)
        }
        #expect(beginnings.count == variants.count)
        #expect(nonces.count == variants.count)
        #expect(cipher.envelope("一", context: "m1", timestamp: 1) == cipher.envelope("一", context: "m1", timestamp: 1))
    }
}
