import Basics
import Lottery
import TestSupport
import Testing

struct SimulationTests {
    @Test func oddsFollowTheOrderAndTheStock() {
        let awards = sampleActivity().awards
        let full = effectiveOdds(awards: awards, remaining: [1, 3, 0, 4])
        for (value, expected) in zip(full, [0.2, 0.8 * 0.3, 0.8 * 0.7 * 0.666667, 0.8 * 0.7 * 0.333333]) {
            #expect(abs(value - expected) < 1e-12)
        }
        let goldGone = effectiveOdds(awards: awards, remaining: [0, 3, 0, 4])
        #expect(goldGone[0] == 0)
        #expect(abs(goldGone[1] - 0.3) < 1e-12)
        #expect(missOdds(awards: awards, remaining: [0, 0, 0, 0]) == 0)
        #expect(effectiveOdds(awards: awards, remaining: []) == [0, 0, 1, 0])
        #expect(missOdds(awards: [], remaining: []) == 1)
    }

    @Test func smallStockRunsOutAndLargeStockDoesNot() {
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        var activity = sampleActivity(maxAttempts: 1)
        activity.awards[3].number = Activity.maximumNumber
        let result = simulate(activity, users: 500, runs: 100, randomness: &generator)
        #expect(result.runCount == 100)
        #expect(result.awards.map(\.id) == ["gold", "silver", "bao", "bronze"])
        #expect(result.awards[0].maximumCount == 1)
        #expect(result.awards[0].ranOutShare == 1)
        #expect(result.awards[1].meanCount == 3)
        #expect(result.awards[3].ranOutShare == 0)
        #expect(result.awards[3].meanRanOutDraw == nil)
        // The first hit of a 20 % chance comes at the fifth draw on average.
        #expect(abs((result.awards[0].meanRanOutDraw ?? 0) - 5) < 2)
        #expect(result.meanMissCount == 0)
        #expect(result.meanDrawCount == 500)
        #expect(abs(result.awards.reduce(0) { $0 + $1.meanCount } - 500) < 1e-9)
    }

    @Test func sharesAgreeWithTheDrawItself() {
        // Given the same stock, then draws decided word by word give what the simulation says.
        let activity = sampleActivity(maxAttempts: 1, withDiBao: false)
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        let simulated = simulate(activity, users: 12, runs: 1000, randomness: &generator)
        var totals = [0, 0, 0]
        for _ in 0..<1000 {
            var remaining = activity.awards.map(\.number)
            for _ in 0..<12 {
                let result = decideDraw(awards: activity.awards, remaining: remaining) { _ in generator.next() }
                if case .won(let index) = result {
                    totals[index] += 1
                    remaining[index] -= 1
                }
            }
        }
        for index in totals.indices {
            #expect(abs(Double(totals[index]) / 1000 - simulated.awards[index].meanCount) < 0.2)
        }
    }

    @Test func attemptsEndWithTheFirstWin() {
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        var activity = sampleActivity(maxAttempts: 3)
        activity.awards[1].percent = .of("100")
        #expect(simulate(activity, users: 3, runs: 1, randomness: &generator).meanDrawCount == 3)
        activity = sampleActivity(maxAttempts: 3, withDiBao: false)
        for index in activity.awards.indices { activity.awards[index].percent = .zero }
        let result = simulate(activity, users: 3, runs: 2, randomness: &generator)
        #expect(result.meanDrawCount == 9)
        #expect(result.meanMissCount == 9)
        activity.maxAttempts = nil
        #expect(simulate(activity, users: 3, runs: 2, randomness: &generator).attemptsPerUser == 1)
    }

    @Test func workStaysBounded() {
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        var activity = sampleActivity(maxAttempts: Activity.maximumNumber)
        #expect(Simulation.runCount(for: activity, users: .max) == 1)
        #expect(Simulation.runCount(for: activity, users: .min) == 1)
        activity.maxAttempts = 1
        #expect(Simulation.runCount(for: activity, users: 1) == Simulation.maximumRunCount)
        #expect(Simulation.runCount(for: activity, users: 100_000) == 199)
        #expect(simulate(activity, users: -5, runs: -5, randomness: &generator).userCount == 1)
    }
}
