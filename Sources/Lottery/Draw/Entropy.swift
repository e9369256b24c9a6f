extension RoundSeed {
    /// A new seed.
    ///
    /// - Parameter generator: Cryptographic outside tests, such as `SystemRandomNumberGenerator`.
    public static func random(using generator: inout some RandomNumberGenerator) -> RoundSeed {
        RoundSeed(storage: Bytes32(.random(in: 0...255, using: &generator)))
    }
}

extension Salt {
    /// A new salt.
    ///
    /// - Parameter generator: Cryptographic outside tests, such as `SystemRandomNumberGenerator`.
    public static func random(using generator: inout some RandomNumberGenerator) -> Salt {
        let bytes = SIMD2<UInt64>(generator.next(), generator.next())
        return Salt(storage: unsafeBitCast(bytes, to: SIMD16<UInt8>.self))
    }
}
