/// The chance of each award to be what a draw gives now, by position.
///
/// An award is reached only if none before it hit, so its effective chance is smaller than its configured one. An award
/// with nothing left has none. The first 低保 award gets what the others leave over; a further one gets nothing.
///
/// For display and planning only: a draw compares integers.
///
/// - Parameters:
///   - awards: In the activity's order.
///   - remaining: Copies left, by position; the entry of a `DI_BAO` award is not read. Missing entries count as 0.
/// - Returns: 0…1 per award. What is missing to 1 is the chance of a miss, see ``missOdds(awards:remaining:)``.
/// - Complexity: O(*n*) in the number of awards.
/// - Source: spec.md section 5.
public func effectiveOdds(awards: [ActivityAward], remaining: [Int]) -> [Double] {
    var odds = [Double](repeating: 0, count: awards.count)
    var passing = 1.0
    for (index, award) in awards.enumerated() where canHit(award, index, remaining) {
        let chance = Double(award.percent.partsPerMillion) / 1_000_000
        odds[index] = passing * chance
        passing *= 1 - chance
    }
    if let index = awards.firstIndex(where: { $0.kind == .DI_BAO }) { odds[index] = passing }
    return odds
}

/// The chance of 未中奖 now, 0…1: that no award hits. 0 where there is a 低保 award.
///
/// Parameters as of ``effectiveOdds(awards:remaining:)``.
public func missOdds(awards: [ActivityAward], remaining: [Int]) -> Double {
    if awards.contains(where: { $0.kind == .DI_BAO }) { return 0 }
    var passing = 1.0
    for (index, award) in awards.enumerated() where canHit(award, index, remaining) {
        passing *= 1 - Double(award.percent.partsPerMillion) / 1_000_000
    }
    return passing
}

private func canHit(_ award: ActivityAward, _ index: Int, _ remaining: [Int]) -> Bool {
    award.kind != .DI_BAO && index < remaining.count && remaining[index] > 0
}
