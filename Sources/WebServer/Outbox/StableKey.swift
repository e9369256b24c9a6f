internal import Crypto
internal import Foundation

/// Short keys that are the same for the same text, in every process.
enum StableKey {
    /// 32 hexadecimal digits of the text's SHA-256.
    static func text(of text: String) -> String {
        SHA256.hash(data: Data(text.utf8)).prefix(16).map { byte in
            let digits = String(byte, radix: 16)
            return byte < 16 ? "0" + digits : digits
        }.joined()
    }
}
