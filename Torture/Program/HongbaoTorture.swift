internal import ArgumentParser
internal import Basics
internal import Foundation
internal import Simulator
internal import TestSupport

/// `make torture`: simulated events, one seed after the other, until time is over or a promise breaks.
@main
struct HongbaoTorture: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "hongbao-torture")

    @Option(help: "How long new seeds are begun.")
    var seconds = 60.0

    @Option(help: "Run this seed only.")
    var seed: UInt64?

    @Option(help: "Steps of each event.")
    var steps = 120

    #if DEBUG
        @Option(help: "Break the core on purpose, to see that it is found: \(Mutation.allCases.map(\.rawValue)).")
        var mutation: Mutation?
    #endif

    mutating func validate() throws {
        guard seconds > 0, steps > 0 else { throw ValidationError("Counts must be positive.") }
    }

    mutating func run() async throws {
        let start = ContinuousClock.now
        var total = Simulation.Tally()
        var next = seed ?? UInt64.random(in: 0...UInt64(Int64.max))
        let first = next
        repeat {
            do {
                total.add(try await simulate(next))
            } catch let failure as Simulation.Failure {
                for line in failure.trace { print(line) }
                print("broken: \(failure)")
                print("again:  make torture SEED=\(next) STEPS=\(steps)\(mutationArgument)")
                throw ExitCode(1)
            }
            next &+= 1
        } while seed == nil && start.duration(to: .now) < .seconds(seconds)
        let real = start.duration(to: .now) / .seconds(1)
        report(total, from: first, to: next &- 1, in: real)
        if seed == nil, real >= 10 { try requireWorth(total, in: real) }
    }

    /// A run in which little happened finds little.
    private func requireWorth(_ tally: Simulation.Tally, in real: Double) throws {
        var reasons: [String] = []
        if Double(tally.virtualMilliseconds) / 1000 < 1000 * real {
            reasons.append("less than 1000 times as fast as life")
        }
        if tally.crashes.count < FaultyStore.Fault.allCases.count { reasons.append("not every kind of crash") }
        let counts = [
            "draws": tally.draws, "stored answers told again": tally.repeated, "planned ends": tally.restarts,
            "failed reads": tally.failedReads, "clock jumps back an hour": tally.jumpsBackAnHour,
            "clock jumps ahead ten years": tally.jumpsTenYearsAhead, "edits": tally.edits,
        ]
        reasons += counts.filter { $0.value == 0 }.map { "no \($0.key)" }.sorted()
        guard !reasons.isEmpty else { return }
        print("not worth much: \(reasons.joined(separator: ", "))")
        throw ExitCode(1)
    }

    private func simulate(_ seed: UInt64) async throws -> Simulation.Tally {
        var simulation = Simulation(seed: seed, stepCount: steps)
        #if DEBUG
            return try await Mutation.$current.withValue(mutation) { try await simulation.run() }
        #else
            return try await simulation.run()
        #endif
    }

    private var mutationArgument: String {
        #if DEBUG
            mutation.map { " MUTATION=\($0.rawValue)" } ?? ""
        #else
            ""
        #endif
    }

    private func report(_ tally: Simulation.Tally, from first: UInt64, to last: UInt64, in real: Double) {
        let virtual = Double(tally.virtualMilliseconds) / 1000
        let crashes = tally.crashes.values.reduce(0, +)
        print("seeds       \(first)...\(last), \(tally.seeds) of \(steps) steps, none broke a promise")
        print("simulated   \(tally.draws) draws, \(tally.requests) requests, \(tally.batches) batches")
        print("repeated    \(tally.repeated) stored answers")
        print(
            "crashes     \(crashes): "
                + tally.crashes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        print(
            "also        \(tally.restarts) planned ends, \(tally.failedReads) failed reads, \(tally.clockJumps) clock jumps, \(tally.edits) edits by somebody else"
        )
        print(
            "answers     "
                + tally.codes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
        print(
            String(
                format: "time        %.0f s virtual in %.1f s real: %.0f times as fast", virtual, real, virtual / real))
    }
}

#if DEBUG
    extension Mutation: ExpressibleByArgument {}
#endif
