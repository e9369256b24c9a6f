internal import ArgumentParser
internal import Foundation

/// `make bench`: how much the program does a second, each figure beside a reference measured in the same run.
@main
struct HongbaoBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hongbao-bench", subcommands: [Measure.self, PlainServer.self], defaultSubcommand: Measure.self)
}

/// Draws in process beside a plain C program doing the same work, and draws over HTTP beside the web framework
/// answering the same requests with nothing behind it.
struct Measure: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "measure")

    @Option(help: "The compiled Benchmarks/reference/plain.c.")
    var reference: String

    @Option(help: "The hongbao program, built for release.")
    var program: String

    @Option(help: "Where the databases are made; must be the disk that is to be measured.")
    var folder = "."

    @Option(help: "Draws of a run with many users at once.")
    var draws = 100_000

    @Option(help: "Draws of a run with one user at a time.")
    var singleDraws = 3000

    @Option(help: "Draws of a run over HTTP.")
    var webhookDraws = 60_000

    @Option(help: "Runs of each; the median counts.")
    var runs = 5

    @Option(help: "Where the figures are written as JSON.")
    var output: String?

    mutating func validate() throws {
        guard draws > 0, singleDraws > 0, webhookDraws > 0, runs > 0 else {
            throw ValidationError("Counts must be positive.")
        }
    }

    mutating func run() async throws {
        let folder = folder + "/hongbao-bench-\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var figures = try await drawFigures(folder)
        figures += try await webhookFigures(folder)
        for figure in figures { print(figure.text) }
        if let output { try Figure.json(figures).write(to: URL(fileURLWithPath: output)) }
    }

    private func drawFigures(_ folder: String) async throws -> [Figure] {
        let cases = [
            DrawBenchmark(name: "draws/s, 256 users at once", userCount: 256, drawCount: draws),
            DrawBenchmark(name: "draws/s, one user at a time", userCount: 1, drawCount: singleDraws),
        ]
        var figures: [Figure] = []
        for benchmark in cases {
            var ours: [Double] = []
            var plain: [Double] = []
            for run in 1...runs {
                // In turn, so that a machine that gets slower or faster does so for both.
                let seed = UInt64(run)
                ours.append(try await benchmark.run(inFolder: folder, seed: seed))
                plain.append(
                    try PlainProgram(path: reference).drawsPerSecond(
                        draws: benchmark.drawCount, perCommit: benchmark.userCount, folder: folder, seed: seed))
                print("\(benchmark.name), run \(run): \(Int(ours[run - 1])), plain C \(Int(plain[run - 1]))")
            }
            figures.append(
                Figure(
                    name: benchmark.name, value: median(ours), unit: "draws/s",
                    reference: "plain C program, \(benchmark.userCount) a commit", referenceValue: median(plain),
                    ratio: median(zip(ours, plain).map { $0 / $1 })))
        }
        return figures
    }

    private func webhookFigures(_ folder: String) async throws -> [Figure] {
        let bench = URL(fileURLWithPath: CommandLine.arguments[0]).path
        var figures: [Figure] = []
        for signing in WebhookBenchmark.Signing.allCases {
            let benchmark = WebhookBenchmark(
                signing: signing, drawCount: webhookDraws, program: program)
            var ours: [Double] = []
            var plain: [Double] = []
            for run in 1...runs {
                ours.append(try await benchmark.run(inFolder: folder))
                plain.append(try await benchmark.plainRequestsPerSecond(bench: bench))
                print("\(signing.title), run \(run): \(Int(ours[run - 1])), plain \(Int(plain[run - 1]))")
            }
            figures.append(
                Figure(
                    name:
                        "signed webhook draws/s, \(signing.title), \(WebhookBenchmark.connectionCount) connections",
                    value: median(ours), unit: "draws/s",
                    reference: "Hummingbird answering the same POST with a constant", referenceValue: median(plain),
                    ratio: median(zip(ours, plain).map { $0 / $1 })))
        }
        return figures
    }
}

/// A measured value beside its reference.
struct Figure: Encodable {
    let name: String
    let value: Double
    let unit: String
    let reference: String
    let referenceValue: Double
    /// Median of the runs' own ratios.
    let ratio: Double

    private enum CodingKeys: String, CodingKey {
        case name, value, unit, reference
        case referenceValue = "reference_value"
        case ratio
    }

    var text: String {
        "\(name): median \(Int(value)) \(unit); \(reference): \(Int(referenceValue)); ratio "
            + String(format: "%.2f", ratio)
    }

    static func json(_ figures: [Figure]) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return try encoder.encode(figures) + Data("\n".utf8)
    }
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}
