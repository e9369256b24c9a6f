internal import ArgumentParser
internal import Foundation

/// `make bench`: how much the program does a second, most of it beside a reference measured in the same run.
@main
struct HongbaoBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hongbao-bench", subcommands: [Measure.self, PlainServer.self], defaultSubcommand: Measure.self)

    /// In the order in which they run.
    static let benchmarks: [any Benchmark] = [
        DrawBenchmark(name: "draws-256", userCount: 256, drawCount: 100_000, goal: .ratioAtLeast(1)),
        DrawBenchmark(name: "draws-2048", userCount: 2048, drawCount: 200_000, goal: .ratioAtLeast(1)),
        DrawBenchmark(name: "draws-1", userCount: 1, drawCount: 3000, goal: nil),
        WebhookBenchmark(),
        LatencyBenchmark(),
        GrowthBenchmark(),
        ConsoleBenchmark(),
        ReadingBenchmark(),
        GateBenchmark(),
        ParsingBenchmark(),
        VerifyBenchmark(),
    ]

    /// Beside other programs, which must be installed: with `--peers`.
    static let peers: [any Benchmark] = [RedisBenchmark(), NoneBotBenchmark()]
}

struct Measure: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure",
        abstract: "Measures \(HongbaoBench.benchmarks.map(\.name).joined(separator: ", ")).")

    @Option(help: "The compiled Benchmarks/reference/plain.c.")
    var reference: String

    @Option(help: "The hongbao program, built for release.")
    var program: String

    @Option(help: "Where the databases are made; must be the disk that is to be measured.")
    var folder = "."

    @Option(help: "Runs of each; the median counts.")
    var runs = 5

    @Option(help: "What every amount of data is multiplied with. What is published was measured with 1.")
    var scale = 1.0

    @Flag(help: "Run each once on next to no data: that it runs is all that this shows.")
    var tiny = false

    @Flag(help: "Measure beside other programs instead, which must be installed: Redis, and the bot of --bot.")
    var peers = false

    @Option(help: "What runs the NoneBot2 bot.")
    var bot = "Benchmarks/peers/run-bot"

    @Option(parsing: .upToNextOption, help: "Names of those to run.")
    var only: [String] = []

    @Option(
        help:
            "Where the figures are written as JSON; not with --only, --tiny or a scale, which would not be all of them."
    )
    var output: String?

    private var available: [any Benchmark] { peers ? HongbaoBench.peers : HongbaoBench.benchmarks }

    mutating func validate() throws {
        guard runs > 0, scale > 0 else { throw ValidationError("Counts must be positive.") }
        let names = available.map(\.name)
        if let unknown = only.first(where: { !names.contains($0) }) {
            throw ValidationError("There is no benchmark \(unknown), but \(names.joined(separator: ", ")).")
        }
    }

    mutating func run() async throws {
        let folder = folder + "/hongbao-bench-\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let settings = BenchmarkSettings(
            folder: folder, runCount: tiny ? 1 : runs, scale: tiny ? 0.001 : scale, plainProgram: reference,
            program: program, bot: bot, bench: URL(fileURLWithPath: CommandLine.arguments[0]).path)

        var figures: [Figure] = []
        for benchmark in available where only.isEmpty || only.contains(benchmark.name) {
            figures += try await benchmark.figures(settings)
        }
        print(FigureTable(figures: figures, hasGoals: !tiny))
        if let output, only.isEmpty, settings.scale == 1 {
            try Figure.json(figures).write(to: URL(fileURLWithPath: output))
        }
    }
}
