internal import Crypto
internal import Foundation

/// 32 bytes in two halves.
///
/// Not one `SIMD32`: a value with a vector of 32 bytes beside a reference overruns the task's memory in asynchronous
/// code (swiftlang/swift#91639, seen with Swift 6.3.1).
struct Bytes32: Hashable, Sendable {
    private let low: SIMD16<UInt8>
    private let high: SIMD16<UInt8>

    init(_ bytes: SIMD32<UInt8>) {
        low = bytes.lowHalf
        high = bytes.highHalf
    }

    /// The bytes at once: a vector's own way feeds one after the other.
    func hash(into hasher: inout Hasher) {
        withUnsafeBytes(of: self) { hasher.combine(bytes: $0) }
    }

    /// Nil unless there are 32 bytes.
    init?(_ bytes: some Collection<UInt8>) {
        guard let bytes = SIMD32<UInt8>(exactly: bytes) else { return nil }
        self.init(bytes)
    }
}

/// A SHA-256 value.
public struct Hash: Hashable, Sendable {
    let storage: Bytes32

    /// 32 zero bytes: what stands before the first row of a chain.
    public static let zero = Hash(storage: Bytes32(SIMD32()))

    init(storage: Bytes32) {
        self.storage = storage
    }

    /// - Parameter bytes: Exactly 32, else nil.
    public init?(_ bytes: some Collection<UInt8>) {
        guard let storage = Bytes32(bytes) else { return nil }
        self.init(storage: storage)
    }

    /// - Parameter hex: 64 lower-case hexadecimal digits, else nil.
    public init?(hex: some StringProtocol) {
        guard let bytes = hexBytes(hex) else { return nil }
        self.init(bytes)
    }

    /// The hash of `message`.
    static func sha256(of message: CanonicalBytes) -> Hash {
        var hasher = SHA256()
        // Not `hash(data:)`, which costs more than it hashes here.
        message.bytes.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        return Hash(storage: Bytes32(SIMD32(digest: hasher.finalize())))
    }

    /// The hash of a text's UTF-8 bytes, for what is no part of the ledger.
    package static func sha256(of text: String) -> Hash {
        Hash(storage: Bytes32(SIMD32(digest: SHA256.hash(data: Array(text.utf8)))))
    }

    /// The 32 bytes, in order.
    public var bytes: [UInt8] {
        withUnsafeBytes { Array($0) }
    }

    /// The 32 bytes in place, for as long as `body` runs.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        Swift.withUnsafeBytes(of: storage, body)
    }

    /// 64 lower-case digits.
    public var hex: String { withUnsafeBytes { hexText($0) } }

    /// The first 16 digits, the form that replies carry.
    public var shortHex: String { withUnsafeBytes { hexText($0.prefix(8)) } }
}

/// The 32 secret bytes of a round. Printing one shows no byte of it.
public struct RoundSeed: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
    let storage: Bytes32

    init(storage: Bytes32) {
        self.storage = storage
    }

    /// - Parameter bytes: Exactly 32 bytes from a cryptographic generator, else nil.
    public init?(_ bytes: some Collection<UInt8>) {
        guard let storage = Bytes32(bytes) else { return nil }
        self.storage = storage
    }

    /// The bytes themselves: for the store and, once the round is closed, for its ledger row. Never for a log.
    public var bytes: [UInt8] {
        withUnsafeBytes(of: storage) { Array($0) }
    }

    public var description: String { "<redacted>" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// 16 random bytes of one ledger row that hide the user's id in it. They never touch the outcome.
public struct Salt: Hashable, Sendable {
    let storage: SIMD16<UInt8>

    init(storage: SIMD16<UInt8>) {
        self.storage = storage
    }

    /// - Parameter bytes: Exactly 16, else nil.
    public init?(_ bytes: some Collection<UInt8>) {
        guard let storage = SIMD16<UInt8>(exactly: bytes) else { return nil }
        self.storage = storage
    }

    public var bytes: [UInt8] {
        withUnsafeBytes { Array($0) }
    }

    /// The 16 bytes in place, for as long as `body` runs.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        Swift.withUnsafeBytes(of: storage, body)
    }
}

extension SIMD where Scalar == UInt8 {
    /// Nil unless there are as many bytes as the vector holds.
    init?(exactly bytes: some Collection<UInt8>) {
        guard bytes.count == Self.scalarCount else { return nil }
        self.init()
        for (index, byte) in bytes.enumerated() { self[index] = byte }
    }
}

extension SIMD32<UInt8> {
    init(digest: some ContiguousBytes) {
        self.init()
        digest.withUnsafeBytes { source in
            withUnsafeMutableBytes(of: &self) { $0.copyMemory(from: source) }
        }
    }
}

/// Lower-case hexadecimal digits, two a byte.
public func hexText(_ bytes: some Collection<UInt8>) -> String {
    String(unsafeUninitializedCapacity: bytes.count * 2) { writeHex(of: bytes, to: $0) }
}

/// - Parameter buffer: Has room for two digits a byte.
/// - Returns: How many digits were written.
@discardableResult
func writeHex(of bytes: some Collection<UInt8>, to buffer: UnsafeMutableBufferPointer<UInt8>) -> Int {
    var index = 0
    for byte in bytes {
        buffer[index] = hexDigit(byte >> 4)
        buffer[index + 1] = hexDigit(byte & 15)
        index += 2
    }
    return index
}

/// - Parameter value: 0…15.
@inline(__always)
func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x61 - 10 + value }

/// The bytes of lower-case hexadecimal digits; nil for upper case, an odd count or anything else.
public func hexBytes(_ text: some StringProtocol) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count.isMultiple(of: 2) else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(digits.count / 2)
    for index in stride(from: 0, to: digits.count, by: 2) {
        guard let high = hexValue(digits[index]), let low = hexValue(digits[index + 1]) else { return nil }
        bytes.append(high << 4 | low)
    }
    return bytes
}

private func hexValue(_ digit: UInt8) -> UInt8? {
    let value = hexNibble(digit)
    return value < 16 ? value : nil
}

/// 0…15, or 255 for what is no lower-case hexadecimal digit. Without a jump: nothing foretells which digit comes.
@inline(__always)
func hexNibble(_ digit: UInt8) -> UInt8 {
    let decimal = digit &- 0x30
    let letter = digit &- 0x61
    return decimal < 10 ? decimal : letter < 6 ? letter + 10 : 0xFF
}
