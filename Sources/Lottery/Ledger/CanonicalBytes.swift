/// Builds the byte strings that are hashed: big-endian integers and length-prefixed texts behind an ASCII tag.
///
/// - Source: spec.md section 5, version 1 (`LP`, `u8`, `u32`, `u64`, `‖`).
struct CanonicalBytes {
    private(set) var bytes: [UInt8] = []

    /// - Parameter tag: What is being hashed, such as `hongbao/1/leaf`, so that no two kinds can be confused.
    init(tag: StaticString) {
        bytes.reserveCapacity(256)
        tag.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    mutating func append(u8 value: UInt8) {
        bytes.append(value)
    }

    mutating func append(u32 value: UInt32) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(u64 value: UInt64) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ hash: Hash) {
        withUnsafeBytes(of: hash.storage) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ seed: RoundSeed) {
        withUnsafeBytes(of: seed.storage) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ salt: Salt) {
        withUnsafeBytes(of: salt.storage) { bytes.append(contentsOf: $0) }
    }

    /// `LP(text)`: a 4-byte length in bytes, then UTF-8.
    mutating func append(lengthPrefixed text: String) {
        append(u32: UInt32(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    /// `LP` of whatever `body` appends.
    mutating func appendLengthPrefixed(_ body: (inout CanonicalBytes) -> Void) {
        append(u32: 0)
        let start = bytes.count
        body(&self)
        replace(u32: UInt32(bytes.count - start), endingAt: start)
    }

    /// Writes over the last four bytes.
    mutating func replaceLast(u32 value: UInt32) {
        replace(u32: value, endingAt: bytes.count)
    }

    private mutating func replace(u32 value: UInt32, endingAt end: Int) {
        for index in 0..<4 { bytes[end - 1 - index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
    }
}
