internal import Lottery

/// Wins that were voided or lost their user, for whoever keeps something about wins.
///
/// They are noted before the commit, so that nobody sees the change in the database without finding the win here, and
/// settled behind it: whoever begins to read from then on sees the change.
struct TouchedWins: Sendable {
    enum Touch: Hashable, Sendable {
        case win(Receipt)
        /// More than are kept one by one.
        case all
    }

    private static let maximumCount = 10_000

    /// Numbered on from `firstNumber`.
    private(set) var touches: [Touch] = []
    private var firstNumber = 0
    /// Those with lower numbers are settled.
    private(set) var settledNumber = 0

    mutating func note(_ wins: [Receipt]) {
        if touches.count + wins.count <= Self.maximumCount {
            touches += wins.map { .win($0) }
        } else {
            firstNumber += touches.count
            touches = [.all]
        }
    }

    /// Whoever begins to read from now on sees all that were noted so far, or nobody ever will.
    mutating func settle() {
        settledNumber = firstNumber + touches.count
    }

    mutating func remove(before number: Int) {
        let count = max(0, min(touches.count, number - firstNumber))
        touches.removeFirst(count)
        firstNumber += count
    }
}
