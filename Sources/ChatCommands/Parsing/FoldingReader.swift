/// Reads UTF-8 as folded scalars, skipping those that count as nothing.
struct FoldingReader {
    /// After the last scalar.
    static let end: UInt32 = 0xFFFF_FFFF
    /// Where the bytes are not UTF-8; nothing is read behind it.
    static let invalid: UInt32 = 0xFFFF_FFFE

    private let bytes: UnsafeBufferPointer<UInt8>
    private let folding: ScalarFolding
    /// Of the next byte to be read.
    private(set) var offset: Int
    let limit: Int

    init(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ folding: ScalarFolding) {
        self.bytes = bytes
        self.folding = folding
        offset = range.lowerBound
        limit = range.upperBound
    }

    /// The next scalar that counts, ``end`` or ``invalid``.
    @inline(__always)
    mutating func next() -> UInt32 {
        while true {
            guard offset < limit else { return Self.end }
            let first = bytes[offset]
            let scalar: UInt32
            if first < 0x80 {
                scalar = UInt32(first)
                offset += 1
            } else {
                guard let (value, size) = decodeScalar(bytes, offset, limit) else { return Self.invalid }
                scalar = value
                offset += size
            }
            let folded = folding.fold(scalar)
            if folded != ScalarFolding.nothing { return folded }
        }
    }
}

/// The scalar of more than one byte at an offset; nil where the bytes are not UTF-8.
///
/// - Source: Unicode standard, table 3-7.
@inline(__always)
func decodeScalar(_ bytes: UnsafeBufferPointer<UInt8>, _ offset: Int, _ limit: Int) -> (UInt32, Int)? {
    let first = UInt32(bytes[offset])
    func continuation(_ distance: Int) -> UInt32? {
        guard offset + distance < limit else { return nil }
        let byte = bytes[offset + distance]
        return byte & 0xC0 == 0x80 ? UInt32(byte & 0x3F) : nil
    }
    switch first {
    case 0xE0...0xEF:
        guard let second = continuation(1), let third = continuation(2) else { return nil }
        let value = (first & 0x0F) << 12 | second << 6 | third
        return value >= 0x800 && value & 0xF800 != 0xD800 ? (value, 3) : nil
    case 0xC2...0xDF:
        guard let second = continuation(1) else { return nil }
        return ((first & 0x1F) << 6 | second, 2)
    case 0xF0...0xF4:
        guard let second = continuation(1), let third = continuation(2), let fourth = continuation(3) else {
            return nil
        }
        let value = (first & 0x07) << 18 | second << 12 | third << 6 | fourth
        return (0x10000...0x10FFFF).contains(value) ? (value, 4) : nil
    default: return nil
    }
}
