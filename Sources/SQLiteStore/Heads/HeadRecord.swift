internal import Basics
internal import Lottery

/// Tells databases apart, however their files are called. A copy of a database is the same database.
struct DatabaseIdentity: Hashable, Sendable {
    static let size = 16
    let bytes: [UInt8]

    /// - Parameter key: 32 random bytes that a database gets when it is made. They do not follow from the identity.
    init(erasureKey key: [UInt8]) {
        bytes = Array(Hash.sha256(of: "hongbao/1/database " + hexText(key)).bytes.prefix(Self.size))
    }

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }
}

/// One record of a ``HeadsFile``: the same size for all, so that it is written in place, and with a checksum, so that it
/// is known for what it is.
///
/// identity (16 bytes) ‖ sequence number (8, big-endian) ‖ hash (32) ‖ activity id (64, padded with zeros) ‖ FNV-1a of all
/// before (8, big-endian).
struct HeadRecord: Hashable, Sendable {
    /// A divisor of every sector's size: no record lies in two.
    static let size = 128
    static let maximumIDSize = 64

    let identity: DatabaseIdentity
    let head: IssuedHead

    /// - Returns: Nil for an id that is too long; none of ours is.
    func write(to bytes: inout [UInt8]) -> Bool {
        let id = head.activity.text.utf8
        guard bytes.count == Self.size, !id.isEmpty, id.count <= Self.maximumIDSize else { return false }
        bytes.replaceSubrange(0..<16, with: identity.bytes)
        withUnsafeBytes(of: head.seq.bigEndian) { bytes.replaceSubrange(16..<24, with: $0) }
        head.hash.withUnsafeBytes { bytes.replaceSubrange(24..<56, with: $0) }
        for (index, byte) in id.enumerated() { bytes[56 + index] = byte }
        for index in 56 + id.count..<120 { bytes[index] = 0 }
        withUnsafeBytes(of: Self.checksum(bytes[..<120]).bigEndian) { bytes.replaceSubrange(120..<128, with: $0) }
        return true
    }

    init(identity: DatabaseIdentity, head: IssuedHead) {
        self.identity = identity
        self.head = head
    }

    /// - Returns: Nil when the bytes are no record, or one that was damaged.
    init?(_ bytes: ArraySlice<UInt8>) {
        let bytes = Array(bytes)
        guard bytes.count == Self.size, Self.number(bytes[120...]) == Self.checksum(bytes[..<120]),
            let hash = Hash(bytes[24..<56]), let seq = Int64(exactly: Self.number(bytes[16..<24]))
        else { return nil }
        let id = bytes[56..<120].prefix { $0 != 0 }
        guard !id.isEmpty, bytes[56..<120].dropFirst(id.count).allSatisfy({ $0 == 0 }) else { return nil }
        identity = DatabaseIdentity(bytes: Array(bytes[..<16]))
        head = IssuedHead(activity: ActivityID(String(decoding: id, as: UTF8.self)), seq: seq, hash: hash)
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Against damage, not against forgery: whoever may write the file may as well remove it.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }
}
