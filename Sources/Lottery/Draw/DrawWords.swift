public import Basics
internal import Crypto

/// What the words of all attempts in a round begin with: cheaper to make once than for every draw.
public struct RoundWords: Hashable, Sendable {
    private let seed: RoundSeed
    /// Keyed with the seed; nothing has been fed yet.
    fileprivate let code: HMAC<SHA256>
    /// The message up to the round.
    fileprivate let prefix: CanonicalBytes

    /// - Parameter round: From 1.
    public init(seed: RoundSeed, activity: ActivityID, round: UInt32) {
        self.seed = seed
        code = HMAC(key: SymmetricKey(data: seed.bytes))
        var prefix = CanonicalBytes(tag: "hongbao/1/draw")
        prefix.append(lengthPrefixed: activity.text)
        prefix.append(u32: round)
        self.prefix = prefix
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.seed == right.seed && left.prefix.bytes == right.prefix.bytes
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(seed)
        hasher.combine(prefix.bytes)
    }

    /// - Parameter attempt: From 1, per user and activity; voided attempts count too.
    public func words(of user: UserID, attempt: UInt32) -> DrawWords {
        DrawWords(self, user: user, attempt: attempt)
    }

    /// What most draws ask for of them.
    func firstWords(of user: UserID, attempt: UInt32) -> FirstWords {
        var words = words(of: user, attempt: attempt)
        _ = words.word(at: 0)
        return FirstWords(block: words.block)
    }
}

/// The words that decide one attempt, derived from the round's seed: nobody can choose them after the commitment.
///
/// Block `j` is `HMAC-SHA256(seed, "hongbao/1/draw" ‖ LP(activity) ‖ u32(round) ‖ LP(user) ‖ u32(attempt) ‖ u32(j))`;
/// the word at index `i` is bytes `8·(i mod 4)…` of block `i div 4`, big-endian. Blocks are made as they are asked for.
///
/// - Source: spec.md section 5, version 1.
public struct DrawWords: Sendable {
    /// Keyed with the seed; nothing has been fed yet.
    private let code: HMAC<SHA256>
    /// With the index of a block at its end.
    private var message: CanonicalBytes
    fileprivate var block = Bytes32(SIMD32())
    private var blockIndex = -1

    fileprivate init(_ round: RoundWords, user: UserID, attempt: UInt32) {
        message = round.prefix
        message.append(lengthPrefixed: user.text)
        message.append(u32: attempt)
        message.append(u32: 0)
        code = round.code
    }

    /// The words of one attempt. For several of a round ``RoundWords`` is cheaper.
    ///
    /// - Parameters:
    ///   - round: From 1.
    ///   - attempt: From 1, per user and activity; voided attempts count too.
    public init(seed: RoundSeed, activity: ActivityID, round: UInt32, user: UserID, attempt: UInt32) {
        self = RoundWords(seed: seed, activity: activity, round: round).words(of: user, attempt: attempt)
    }

    /// The word for the award at `index`, from 0. Cheapest when asked in ascending order.
    public mutating func word(at index: Int) -> UInt64 {
        let wanted = index / 4
        if wanted != blockIndex {
            var code = code
            message.replaceLast(u32: UInt32(wanted))
            code.update(data: message.bytes)
            block = Bytes32(SIMD32(digest: code.finalize()))
            blockIndex = wanted
        }
        return block.word(at: index % 4)
    }
}

/// The words of an attempt's first block. Holds no key.
struct FirstWords: Sendable {
    fileprivate let block: Bytes32

    /// - Returns: Nil from the second block on.
    func word(at index: Int) -> UInt64? {
        index < 4 ? block.word(at: index) : nil
    }
}

extension Bytes32 {
    /// - Parameter index: 0…3.
    fileprivate func word(at index: Int) -> UInt64 {
        withUnsafeBytes(of: self) {
            UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self))
        }
    }
}
