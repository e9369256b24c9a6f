/// A probability of 0…100 %, kept as parts per million so that nothing is rounded.
///
/// - Source: spec.md section 2.
public struct Percent: Hashable, Comparable, Sendable {
    /// 0…1,000,000.
    public let partsPerMillion: Int

    public static let zero = Percent(unchecked: 0)

    /// - Returns: Nil outside 0…1,000,000.
    public init?(partsPerMillion: Int) {
        guard (0...1_000_000).contains(partsPerMillion) else { return nil }
        self.partsPerMillion = partsPerMillion
    }

    private init(unchecked partsPerMillion: Int) {
        self.partsPerMillion = partsPerMillion
    }

    /// Reads decimal digits with at most four after the point (`0.5`, `8`, `33.3333`), never through a binary fraction.
    ///
    /// - Returns: Nil for signs, exponents, a `%`, blanks, a fifth decimal, or a value above 100.
    public init?(_ text: some StringProtocol) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), (1...3).contains(parts[0].count) else { return nil }
        var value = 0
        for byte in parts[0] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        var decimals = 0
        if parts.count == 2 {
            guard (1...4).contains(parts[1].count) else { return nil }
            for byte in parts[1] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int(byte - 0x30)
                decimals += 1
            }
        }
        for _ in decimals..<4 { value *= 10 }
        self.init(partsPerMillion: value)
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.partsPerMillion < right.partsPerMillion
    }

    /// A word below this hits: `floor(ppm · 2^64 / 10^6)`. Nil means that every word hits (100 %).
    ///
    /// - Source: spec.md section 5, version 1.
    public var threshold: UInt64? {
        if partsPerMillion == 1_000_000 { return nil }
        return UInt64(1_000_000).dividingFullWidth((high: UInt64(partsPerMillion), low: 0)).quotient
    }
}

extension Percent: CustomStringConvertible {
    /// The shortest decimal form, without a percent sign: `0.5`, `8`, `33.3333`.
    public var description: String {
        let whole = partsPerMillion / 10_000
        var fraction = String(partsPerMillion % 10_000)
        if fraction == "0" { return String(whole) }
        fraction = String(repeating: "0", count: 4 - fraction.utf8.count) + fraction
        while fraction.utf8.last == UInt8(ascii: "0") { fraction.removeLast() }
        return "\(whole).\(fraction)"
    }
}
