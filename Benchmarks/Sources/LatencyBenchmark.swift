internal import Foundation

/// How long a draw takes over HTTP at half the load that the server can take, beside a flush of the disk.
///
/// Requests are due on a schedule, whether those before are answered or not, and their time runs from the moment at
/// which they were due: a server that stands still is not asked less, and does not look fast.
struct LatencyBenchmark: Benchmark {
    private static let reference = "fdatasync of 4 KiB, median"

    private struct Run {
        let median: Double
        let p99: Double
        let flush: Double
    }

    var name: String { "latency" }

    func figures(_ settings: BenchmarkSettings) async throws -> [Figure] {
        let load = WebhookLoad(signing: .standardWebhooks, drawCount: settings.scaled(40_000))
        let flush = DiskFlush(folder: settings.folder, count: settings.scaled(1000, atLeast: 10))
        var runs: [Run] = []
        for seed in 1...UInt64(settings.runCount) {
            let most = try await load.drawsPerSecond(settings.program, folder: settings.folder, seed: seed)
            let latencies = try await load.latencies(
                settings.program, folder: settings.folder, seed: seed, drawsPerSecond: most / 2
            ).sorted()
            print("half the maximum load is \((most / 2).short) draws/s")
            runs.append(
                Run(
                    median: latencies[latencies.count / 2], p99: latencies[latencies.count * 99 / 100],
                    flush: try flush.medianMilliseconds()))
        }
        let half = "of a webhook draw at half the maximum load"
        let median = try await settings.compare(
            "median latency", ours: { runs[Int($0) - 1].median }, reference: { runs[Int($0) - 1].flush })
        let p99 = try await settings.compare(
            "p99 latency", ours: { runs[Int($0) - 1].p99 }, reference: { runs[Int($0) - 1].flush })
        return [
            Figure("median latency \(half)", median, "ms", reference: Self.reference, goal: .ratioAtMost(4)),
            Figure("p99 latency \(half)", p99, "ms", reference: Self.reference, goal: .ratioAtMost(25)),
        ]
    }
}

/// What the disk alone takes: 4 KiB appended to a file and flushed.
struct DiskFlush {
    let folder: String
    let count: Int

    func medianMilliseconds() throws -> Double {
        let path = folder + "/flush"
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600)
        guard file >= 0 else { throw Wrong(description: "\(path) cannot be written") }
        defer {
            close(file)
            unlink(path)
        }
        let block = [UInt8](repeating: 0xA5, count: 4096)
        var times: [Double] = []
        for _ in 0..<count {
            let start = ContinuousClock.now
            guard write(file, block, block.count) == block.count, fdatasync(file) == 0 else {
                throw Wrong(description: "\(path) cannot be flushed")
            }
            times.append((ContinuousClock.now - start) / .milliseconds(1))
        }
        return times.sorted()[count / 2]
    }
}
