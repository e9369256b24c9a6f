import Basics
import Simulator
import TestSupport
import Testing

/// Whole simulated events. `make torture` runs many more.
struct SimulationTests {
    private static let seeds: Range<UInt64> = 1..<61

    @Test(arguments: [seeds.lowerBound, 21, 41])
    func everyPromiseHolds(from first: UInt64) async throws {
        var total = Simulation.Tally()
        for seed in first..<first + 20 {
            var simulation = Simulation(seed: seed)
            total.add(try await simulation.run())
        }
        // A simulation in which nothing happens finds nothing.
        #expect(total.draws > 200)
        #expect(total.repeated > 200)
        #expect(total.crashes.count == FaultyStore.Fault.allCases.count)
        #expect(total.jumpsBackAnHour > 0)
        #expect(total.failedReads > 0 && total.clockJumps > 0 && total.edits > 0 && total.restarts >= 20)
        for code in [
            "won", "missed", "already_won", "game_id_used", "queued", "blocked", "maintenance", "rate_limited",
        ] {
            #expect(total.codes[code, default: 0] > 0, "\(code)")
        }
    }

    @Test func aSeedRepeats() async throws {
        for seed in Self.seeds.prefix(5) {
            var first = Simulation(seed: seed)
            var second = Simulation(seed: seed)
            let tally = try await first.run()
            #expect(try await second.run() == tally)
            #expect(tally.heads.contains { !$0.isEmpty })
        }
    }

    #if DEBUG
        /// What was broken on purpose is found, on seeds that hold otherwise.
        @Test(arguments: Mutation.allCases)
        func aMutationIsFound(_ mutation: Mutation) async throws {
            var found: [String] = []
            for seed in Self.seeds {
                do {
                    try await Mutation.$current.withValue(mutation) {
                        var simulation = Simulation(seed: seed)
                        _ = try await simulation.run()
                    }
                } catch let failure as Simulation.Failure {
                    found.append(failure.description)
                }
            }
            print("\(mutation): \(found.count) of \(Self.seeds.count) seeds, such as \(found.first ?? "none")")
            #expect(found.count >= 10)
        }
    #endif
}
