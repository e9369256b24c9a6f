internal import Basics

/// Something to measure. ``HongbaoBench`` lists every one.
protocol Benchmark: Sendable {
    /// What `--only` calls it: short, without spaces.
    var name: String { get }

    /// Measures, and checks what came out: a figure of work that was not done is worse than none.
    func figures(_ settings: BenchmarkSettings) async throws -> [Figure]
}

/// What all benchmarks of a run share.
struct BenchmarkSettings: Sendable {
    /// For databases; empty at first, on the disk that is to be measured. A benchmark leaves nothing behind in it.
    let folder: String
    /// How often each figure is measured; the median counts.
    let runCount: Int
    /// What every amount of data is multiplied with; 1 gives the figures that are published.
    let scale: Double
    /// The compiled Benchmarks/reference/plain.c.
    let plainProgram: String
    /// The `hongbao` program, built for release.
    let program: String
    /// What runs the NoneBot2 bot.
    let bot: String
    /// This program, for references that run in a process of their own.
    let bench: String

    /// An amount of data at this run's scale.
    func scaled(_ count: Int, atLeast minimum: Int = 1) -> Int {
        max(minimum, Int(Double(count) * scale))
    }

    /// - Parameters:
    ///   - title: Printed with each run.
    ///   - measure: Gets the run's seed, and returns what is measured.
    /// - Returns: The median of all runs.
    func median(_ title: String, _ measure: (_ seed: UInt64) async throws -> Double) async throws -> Double {
        var values: [Double] = []
        for run in 1...runCount {
            let value = try await measure(UInt64(run))
            values.append(value)
            print("\(title), run \(run): \(value.short)")
        }
        return middle(values)
    }

    /// Measures ours and the reference in turns, so that a machine that gets slower or faster does so for both.
    func compare(
        _ title: String, ours: (_ seed: UInt64) async throws -> Double,
        reference: (_ seed: UInt64) async throws -> Double
    ) async throws -> Comparison {
        var values: [Double] = []
        var references: [Double] = []
        for run in 1...runCount {
            let value = try await ours(UInt64(run))
            let other = try await reference(UInt64(run))
            values.append(value)
            references.append(other)
            print("\(title), run \(run): \(value.short), reference \(other.short)")
        }
        return Comparison(values, references)
    }
}

/// Medians of several runs.
struct Comparison {
    let value: Double
    let reference: Double
    /// Of the runs' own ratios.
    let ratio: Double
    /// One a run, to compare something else of the same runs with.
    let references: [Double]

    /// - Parameters:
    ///   - values: One a run, at least one.
    ///   - references: As many, of the same runs.
    init(_ values: [Double], _ references: [Double]) {
        value = middle(values)
        reference = middle(references)
        ratio = middle(zip(values, references).map { $0 / $1 })
        self.references = references
    }
}

private func middle(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}

/// What something returns, and the seconds it takes.
func timed<R>(_ body: () async throws -> R) async rethrows -> (R, Double) {
    let start = ContinuousClock.now
    let result = try await body()
    return (result, (ContinuousClock.now - start) / .seconds(1))
}
