import Basics
import Lottery
import TestSupport
import Testing

/// Random worlds of draws, voids and stock edits, decided twice: by the code under test and by the naive reference.
struct DrawModelTests {
    private static let worldCount = 10_000
    private static let stepCount = 200
    private static let partCount = 8

    @Test(arguments: 0..<partCount)
    func everyWorldAgreesWithTheReference(_ part: Int) {
        let seed = SeededGenerator.baseSeed &+ UInt64(part) &* 1_000_003
        print("DrawModelTests part \(part) seed \(seed)")
        var generator = SeededGenerator(seed: seed)
        for world in 0..<(Self.worldCount / Self.partCount) {
            guard let difference = Self.difference(using: &generator) else { continue }
            Issue.record("seed \(seed), world \(world): \(difference)")
            return
        }
    }

    private static func difference(using generator: inout SeededGenerator) -> String? {
        let activity = randomActivity(using: &generator)
        let awards = activity.awards
        var reference = NaiveWorld(awards: awards, maxAttempts: activity.maxAttempts)
        // What a service keeps: counters instead of counting.
        var remaining = awards.map(\.number)
        var issued = [Int](repeating: 0, count: awards.count)
        var words = [UInt64](repeating: 0, count: awards.count)
        for step in 0..<stepCount {
            let choice = generator.next() % 16
            if choice == 0, let index = reference.wins.indices.randomElement(using: &generator) {
                guard !reference.wins[index].isVoided else { continue }
                reference.wins[index].isVoided = true
                let award = reference.wins[index].award
                issued[award] -= 1
                if awards[award].kind != .DI_BAO { remaining[award] += 1 }
            } else if choice == 1, let index = awards.indices.randomElement(using: &generator) {
                guard awards[index].kind == .NORNAL else { continue }
                let number = issued[index] + Int(generator.next() % 4)
                reference.numbers[index] = number
                remaining[index] = number - issued[index]
            } else {
                let user = Int(generator.next() % 40)
                guard reference.mayDraw(user) else { continue }
                for index in awards.indices { words[index] = word(near: awards[index].percent, using: &generator) }
                var asked = -1
                var isInOrder = true
                let result = decideDraw(awards: awards, remaining: remaining) { index in
                    isInOrder = isInOrder && index > asked && remaining[index] > 0 && awards[index].kind != .DI_BAO
                    asked = index
                    return words[index]
                }
                let expected = reference.draw(user, words: words)
                guard result == expected.map({ .won(index: $0) }) ?? .missed else {
                    return "step \(step): decided \(result), the reference \(String(describing: expected))"
                }
                guard isInOrder else { return "step \(step): words asked out of order or for nothing" }
                if let expected {
                    issued[expected] += 1
                    if awards[expected].kind != .DI_BAO { remaining[expected] -= 1 }
                }
            }
            for index in awards.indices where awards[index].kind != .DI_BAO {
                guard remaining[index] >= 0 else { return "step \(step): stock below zero" }
            }
        }
        for index in awards.indices where awards[index].kind != .DI_BAO {
            guard remaining[index] == reference.remaining(index) else { return "stock of \(index) differs" }
        }
        var holders: Set<Int> = []
        for win in reference.wins where !win.isVoided {
            guard holders.insert(win.user).inserted else { return "user \(win.user) holds two wins" }
        }
        return nil
    }

    private static func randomActivity(using generator: inout SeededGenerator) -> Activity {
        let count = Int(generator.next() % 6) + 1
        let diBaoIndex = generator.next() % 2 == 0 ? Int(generator.next() % UInt64(count)) : -1
        let percents: [Percent] = [
            .zero, .of("0.0001"), .of("5"), .of("33.3333"), .of("50"), .of("99.9999"), .of("100"),
        ]
        let awards = (0..<count).map { index in
            let kind: AwardKind = index == diBaoIndex ? .DI_BAO : generator.next() % 4 == 0 ? .ONLY : .NORNAL
            return ActivityAward(
                id: "a", kind: kind, percent: percents[Int(generator.next() % 7)], name: "",
                number: kind == .DI_BAO ? 0 : kind == .ONLY ? 1 : Int(generator.next() % 6))
        }
        let maxAttempts = [nil, 1, 2, 5][Int(generator.next() % 4)]
        return Activity(id: "model", name: "", maxAttempts: maxAttempts, awards: awards)
    }

    /// A uniform word, an extreme one, or one right at the threshold.
    private static func word(near percent: Percent, using generator: inout SeededGenerator) -> UInt64 {
        switch generator.next() % 8 {
        case 0: 0
        case 1: .max
        case 2: percent.threshold ?? .max
        case 3: (percent.threshold ?? 0) &- 1
        default: generator.next()
        }
    }
}
