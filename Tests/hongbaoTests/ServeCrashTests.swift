import Basics
import Foundation
import TestSupport
import Testing

/// `hongbao serve` is killed at random instants while it answers signed webhooks; afterwards everything that it answered is
/// there, and what it did not answer is decided once.
///
/// `HONGBAO_CRASHES` sets how often (`make crash`: 200), `HONGBAO_SEED` repeats the instants as far as a machine can.
@Suite struct ServeCrashTests {
    private static var crashCount: Int {
        ProcessInfo.processInfo.environment["HONGBAO_CRASHES"].flatMap { Int($0) } ?? 20
    }

    @Test func whatWasAnsweredOverHTTPSurvivesAKill() throws {
        let folder = try TemporaryFolder()
        try WebhookLoad.prepare(folder)
        let seed = SeededGenerator.baseSeed
        var random = SeededGenerator(seed: seed)
        let load = WebhookLoad(seed: random.next())
        for crash in 1...Self.crashCount {
            let place = "crash \(crash) of \(Self.crashCount), seed \(seed)"
            let serve = try ServeProcess(in: folder, yaml: WebhookSender.yaml)
            let before = load.answerCount
            let threads = load.start(serve.port)
            let deadline = Date(timeIntervalSinceNow: 30)
            while load.answerCount == before, Date() < deadline { Thread.sleep(forTimeInterval: 0.005) }
            Thread.sleep(forTimeInterval: Double.random(in: 0...0.3, using: &random))
            serve.program.send(SIGKILL)
            _ = serve.program.finish()
            threads.wait()
            #expect(load.answerCount > before, "nothing was answered, \(place)")
            #expect(load.refusalCount == 0, "\(place)")
            try load.check(folder.path + "/serve.db", place)
        }
        // What nobody knows the fate of is decided now, and once.
        let serve = try ServeProcess(in: folder, yaml: WebhookSender.yaml)
        try load.sendAgain(serve.port)
        #expect(load.unansweredCount == 0)
        #expect(try serve.stop().status == 0)
        try load.check(folder.path + "/serve.db", "after all, seed \(seed)")
        try WebhookLoad.verify(folder)
        #expect(load.winCount > Self.crashCount && load.interruptionCount > 0)
        print(
            "\(Self.crashCount) kills, \(load.answerCount) answers kept, \(load.winCount) wins among them, "
                + "\(load.interruptionCount) requests interrupted")
    }
}
