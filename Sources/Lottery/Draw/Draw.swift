/// What one attempt came to.
public enum DrawResult: Hashable, Sendable {
    /// The award at this position of the activity's list, from 0.
    case won(index: Int)
    /// 未中奖
    case missed
}

/// Decides one attempt: the awards in order, each with its own chance, then the first 低保 award.
///
/// The same rules, stock and words give the same outcome on every machine.
///
/// - Parameters:
///   - awards: In the activity's order. Empty always misses.
///   - remaining: Copies left, by position in `awards`; the entry of a `DI_BAO` award is not read. Not changed: the
///     caller takes the copy.
///   - word: The attempt's 64-bit word for a position (from 0), uniform in 0..<2^64. Asked at most once per position,
///     in ascending order, and not for awards that cannot be won.
/// - Complexity: O(*n*) in the number of awards; no allocation.
/// - Source: spec.md section 5.
public func decideDraw(awards: [ActivityAward], remaining: [Int], word: (Int) -> UInt64) -> DrawResult {
    var diBaoIndex: Int?
    for index in awards.indices {
        let award = awards[index]
        if award.kind == .DI_BAO {
            diBaoIndex = diBaoIndex ?? index
        } else if remaining[index] > 0, isHit(word(index), percent: award.percent) {
            return .won(index: index)
        }
    }
    return diBaoIndex.map { .won(index: $0) } ?? .missed
}

/// Whether a uniform 64-bit word falls within `percent`.
public func isHit(_ word: UInt64, percent: Percent) -> Bool {
    percent.threshold.map { word < $0 } ?? true
}
