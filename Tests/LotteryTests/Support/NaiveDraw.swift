import Lottery

/// The draw's rules as spec.md section 5 words them, with wide integers and without any of the shortcuts under test.
struct NaiveWorld {
    struct Win {
        let user: Int
        let award: Int
        var isVoided = false
    }

    let kinds: [AwardKind]
    let partsPerMillion: [Int]
    /// Configured totals; what remains is always counted anew.
    var numbers: [Int]
    let maxAttempts: Int?
    var wins: [Win] = []
    var attempts: [Int: Int] = [:]
    private let limits: [UInt128]

    init(awards: [ActivityAward], maxAttempts: Int?) {
        kinds = awards.map(\.kind)
        partsPerMillion = awards.map(\.percent.partsPerMillion)
        numbers = awards.map(\.number)
        self.maxAttempts = maxAttempts
        limits = awards.map { (UInt128($0.percent.partsPerMillion) << 64) / 1_000_000 }
    }

    func remaining(_ award: Int) -> Int {
        var count = numbers[award]
        for win in wins where win.award == award && !win.isVoided { count -= 1 }
        return count
    }

    func mayDraw(_ user: Int) -> Bool {
        var voids = 0
        for win in wins where win.user == user {
            if !win.isVoided { return false }
            voids += 1
        }
        guard let maxAttempts else { return true }
        return attempts[user, default: 0] - voids < maxAttempts
    }

    /// - Returns: The award; nil for a miss.
    mutating func draw(_ user: Int, words: [UInt64]) -> Int? {
        attempts[user, default: 0] += 1
        var hits: [Int] = []
        for award in kinds.indices where kinds[award] != .DI_BAO && UInt128(words[award]) < limits[award] {
            hits.append(award)
        }
        let won = hits.first { remaining($0) > 0 } ?? kinds.firstIndex(of: .DI_BAO)
        if let won { wins.append(Win(user: user, award: won)) }
        return won
    }
}
