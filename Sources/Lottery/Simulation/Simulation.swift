public import Basics

/// What an activity would give out if its users came, over many tries.
///
/// - Source: spec.md section 9, `hongbao simulate`.
public struct Simulation: Hashable, Sendable {
    /// One award's share.
    public struct AwardResult: Hashable, Sendable {
        public let id: AwardID
        /// The chance that the very first draw gives this award, computed rather than simulated.
        public let oddsAtStart: Double
        /// Copies given out in a run.
        public let meanCount: Double
        public let minimumCount: Int
        public let maximumCount: Int
        /// The share of runs, 0…1, in which the last copy was given out. 0 for `DI_BAO` and for an award without
        /// copies.
        public let ranOutShare: Double
        /// The draw (from 1) that took the last copy, on average over the runs in which one did; nil if none did.
        public let meanRanOutDraw: Double?
    }

    public let userCount: Int
    public let runCount: Int
    /// Attempts that each user makes at most, until the first win.
    public let attemptsPerUser: Int
    /// In the activity's order.
    public let awards: [AwardResult]
    /// The chance that the very first draw is a miss.
    public let missOddsAtStart: Double
    /// Draws that were misses, and all draws, in a run.
    public let meanMissCount: Double
    public let meanDrawCount: Double

    /// The most users and the most draws per run that a simulation takes, so that its work stays bounded.
    public static let maximumUserCount = 10_000_000
    public static let maximumDrawCount = 20_000_000
    /// The most runs, however few the users.
    public static let maximumRunCount = 1000

    /// Runs that keep the whole simulation within a few seconds.
    ///
    /// - Parameter users: 1…``maximumUserCount``; anything else is moved into that range.
    public static func runCount(for activity: Activity, users: Int) -> Int {
        let work = draws(for: activity, users: clamped(users)) + activity.awards.count * activity.awards.count
        return min(maximumRunCount, max(1, maximumDrawCount / max(1, work)))
    }

    fileprivate static func clamped(_ users: Int) -> Int {
        min(max(users, 1), maximumUserCount)
    }

    /// Draws of a run at most.
    fileprivate static func draws(for activity: Activity, users: Int) -> Int {
        users * attempts(for: activity, users: users)
    }

    /// As the rules say, at least 1, and so few that a run stays within ``maximumDrawCount``.
    fileprivate static func attempts(for activity: Activity, users: Int) -> Int {
        min(max(activity.maxAttempts ?? 1, 1), max(1, maximumDrawCount / users))
    }
}

/// Lets `users` users draw, one after the other, from a full stock, `runs` times.
///
/// Each user draws until the first win, at most `max_attempts` times. Where the activity sets no limit each user draws
/// once: how often somebody would come back cannot be known, and drawing on until everybody won would say nothing.
/// Where users times attempts would exceed ``Simulation/maximumDrawCount``, each gets fewer attempts, and the result's
/// `attemptsPerUser` says how many.
///
/// Every draw is decided by the effective odds of the stock at that moment: the same distribution as ``decideDraw``,
/// at a cost that does not grow with the number of awards until one runs out.
///
/// - Parameters:
///   - users: 1…``Simulation/maximumUserCount``; anything else is moved into that range.
///   - runs: At least 1; nil takes ``Simulation/runCount(for:users:)``.
///   - randomness: A seeded generator repeats a result.
public func simulate(
    _ activity: Activity, users: Int, runs: Int? = nil, randomness: inout some RandomNumberGenerator
) -> Simulation {
    let users = Simulation.clamped(users)
    let attempts = Simulation.attempts(for: activity, users: users)
    let runs = min(
        max(runs ?? Simulation.runCount(for: activity, users: users), 1), Simulation.maximumRunCount)
    let stock = activity.awards.map { $0.kind == .DI_BAO ? 0 : $0.number }
    let startTable = OddsTable(awards: activity.awards, remaining: stock)
    var tallies = activity.awards.map { _ in Tally() }
    var missTotal = 0
    var drawTotal = 0

    for _ in 0..<runs {
        var remaining = stock
        var table = startTable
        var counts = [Int](repeating: 0, count: activity.awards.count)
        var drawCount = 0
        for _ in 0..<users {
            for _ in 0..<attempts {
                drawCount += 1
                guard let index = table.award(at: .random(in: 0..<1, using: &randomness)) else {
                    missTotal += 1
                    continue
                }
                counts[index] += 1
                if activity.awards[index].kind != .DI_BAO {
                    remaining[index] -= 1
                    if remaining[index] == 0 {
                        tallies[index].ranOut(atDraw: drawCount)
                        table = OddsTable(awards: activity.awards, remaining: remaining)
                    }
                }
                break
            }
        }
        drawTotal += drawCount
        for index in counts.indices { tallies[index].add(counts[index]) }
    }

    let odds = effectiveOdds(awards: activity.awards, remaining: stock)
    let runShare = Double(runs)
    return Simulation(
        userCount: users, runCount: runs, attemptsPerUser: attempts,
        awards: activity.awards.indices.map { index in
            let tally = tallies[index]
            return Simulation.AwardResult(
                id: activity.awards[index].id, oddsAtStart: odds[index],
                meanCount: Double(tally.total) / runShare, minimumCount: tally.minimum ?? 0,
                maximumCount: tally.maximum, ranOutShare: Double(tally.ranOutCount) / runShare,
                meanRanOutDraw: tally.ranOutCount == 0
                    ? nil : Double(tally.ranOutDrawTotal) / Double(tally.ranOutCount))
        },
        missOddsAtStart: missOdds(awards: activity.awards, remaining: stock),
        meanMissCount: Double(missTotal) / runShare, meanDrawCount: Double(drawTotal) / runShare)
}

/// What one award came to over the runs so far. Sums stay far below 2^63: at most 1000 runs of 2·10^7 draws.
private struct Tally {
    var total = 0
    var minimum: Int?
    var maximum = 0
    var ranOutCount = 0
    var ranOutDrawTotal = 0

    mutating func add(_ count: Int) {
        total += count
        minimum = min(minimum ?? count, count)
        maximum = max(maximum, count)
    }

    mutating func ranOut(atDraw draw: Int) {
        ranOutCount += 1
        ranOutDrawTotal += draw
    }
}

/// The awards that can be given now, with the running sum of their odds.
private struct OddsTable {
    private var indexes: [Int] = []
    private var upperBounds: [Double] = []
    /// Given when none of the others is; nil is a miss.
    private let diBaoIndex: Int?

    init(awards: [ActivityAward], remaining: [Int]) {
        diBaoIndex = awards.firstIndex { $0.kind == .DI_BAO }
        var sum = 0.0
        for (index, odds) in effectiveOdds(awards: awards, remaining: remaining).enumerated()
        where odds > 0 && awards[index].kind != .DI_BAO {
            sum += odds
            indexes.append(index)
            // An award that is certain leaves nothing over, whatever the additions before it rounded away.
            upperBounds.append(awards[index].percent.threshold == nil ? 1 : sum)
        }
    }

    func award(at point: Double) -> Int? {
        var low = 0
        var high = upperBounds.count
        while low < high {
            let middle = (low + high) / 2
            if point < upperBounds[middle] { high = middle } else { low = middle + 1 }
        }
        return low < indexes.count ? indexes[low] : diBaoIndex
    }
}
