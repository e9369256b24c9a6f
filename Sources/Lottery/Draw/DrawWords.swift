public import Basics
internal import Crypto

/// The words that decide one attempt, derived from the round's seed: nobody can choose them after the commitment.
///
/// Block `j` is `HMAC-SHA256(seed, "hongbao/1/draw" ‖ LP(activity) ‖ u32(round) ‖ LP(user) ‖ u32(attempt) ‖ u32(j))`;
/// the word at index `i` is bytes `8·(i mod 4)…` of block `i div 4`, big-endian. Blocks are made as they are asked for.
///
/// - Source: spec.md section 5, version 1.
public struct DrawWords: Sendable {
    private let key: SymmetricKey
    private let prefix: CanonicalBytes
    private var block = Bytes32(SIMD32())
    private var blockIndex = -1

    /// - Parameters:
    ///   - round: From 1.
    ///   - attempt: From 1, per user and activity; voided attempts count too.
    public init(seed: RoundSeed, activity: ActivityID, round: UInt32, user: UserID, attempt: UInt32) {
        key = SymmetricKey(data: seed.bytes)
        var prefix = CanonicalBytes(tag: "hongbao/1/draw")
        prefix.append(lengthPrefixed: activity.text)
        prefix.append(u32: round)
        prefix.append(lengthPrefixed: user.text)
        prefix.append(u32: attempt)
        self.prefix = prefix
    }

    /// The word for the award at `index`, from 0. Cheapest when asked in ascending order.
    public mutating func word(at index: Int) -> UInt64 {
        let wanted = index / 4
        if wanted != blockIndex {
            var message = prefix
            message.append(u32: UInt32(wanted))
            block = Bytes32(SIMD32(digest: HMAC<SHA256>.authenticationCode(for: message.bytes, using: key)))
            blockIndex = wanted
        }
        return withUnsafeBytes(of: block) {
            UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8 * (index % 4), as: UInt64.self))
        }
    }
}
