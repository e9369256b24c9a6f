internal import Basics
internal import Foundation

/// `hongbao chat --json` answering a transcript from a file, every line the draw of another user, beside the same draws
/// in process.
struct ConsoleBenchmark: Benchmark {
    let name = "console"

    func figures(_ settings: BenchmarkSettings) async throws -> [Figure] {
        let title = "lines of a piped transcript, hongbao chat --json"
        let lineCount = settings.scaled(100_000)
        let draws = DrawBenchmark(name: "", userCount: 256, drawCount: lineCount, goal: nil)
        let comparison = try await settings.compare(
            title,
            ours: { seed in
                try await linesPerSecond(settings.program, lineCount, folder: settings.folder, seed: seed)
            },
            reference: { seed in
                try await draws.rate(lineCount, folder: settings.folder, seed: seed).written
            })
        return [
            Figure(
                title, comparison, "lines/s", reference: "draws in process, 256 users at once", goal: .ratioAtLeast(0.7)
            )
        ]
    }

    /// - Throws: ``Wrong`` when not every line was answered in order, or afterwards not every draw is in the file.
    private func linesPerSecond(_ program: String, _ lineCount: Int, folder: String, seed: UInt64) async throws
        -> Double
    {
        let path = folder + "/hongbao.db"
        let input = folder + "/transcript.jsonl"
        let output = folder + "/answers.jsonl"
        BenchActivity.removeDatabase(path)
        defer {
            BenchActivity.removeDatabase(path)
            for file in [input, output] { try? FileManager.default.removeItem(atPath: file) }
        }
        var generator = SeededGenerator(seed: seed)
        let users = (0..<lineCount).map { _ in UserID("qq:\(generator.next() as UInt64)") }
        try await BenchActivity.prepare(path, users: users)
        let lines = users.enumerated().map { index, user in
            #"{"user":"\#(user)","chat":"qq:88001","id":"m\#(index)","text":"抽奖"}"# + "\n"
        }
        try lines.joined().write(toFile: input, atomically: false, encoding: .utf8)
        try Data().write(to: URL(fileURLWithPath: output))

        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["chat", "--json", "--database", path]
        process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: input))
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        let start = ContinuousClock.now
        try process.run()
        process.waitUntilExit()
        let seconds = (ContinuousClock.now - start) / .seconds(1)

        let answers = try String(contentsOfFile: output, encoding: .utf8).utf8.split(separator: UInt8(ascii: "\n"))
        let areInOrder = zip(answers, users.enumerated()).allSatisfy { answer, line in
            answer.starts(with: #"{"id":"m\#(line.offset)","user":"\#(line.element)","code":"won","#.utf8)
        }
        guard process.terminationStatus == 0, answers.count == lineCount, areInOrder else {
            throw Wrong(description: "\(answers.count) of \(lineCount) lines were answered as they should be")
        }
        try await BenchActivity.check(path, drawCount: lineCount)
        return Double(lineCount) / seconds
    }
}
