import Foundation
import FuzzTargets
import Testing

/// The inputs in Fuzz/Corpus, through what the fuzzers check: whatever was found once stays mended.
@Suite(.timeLimit(.minutes(5)))
struct FuzzCorpusTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fuzz/Corpus")

    private static func inputs(of target: FuzzTarget) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(
            at: folder.appendingPathComponent(target.name), includingPropertiesForKeys: nil)
    }

    @Test(arguments: FuzzTarget.all)
    func everyPromiseHoldsForTheCorpus(_ target: FuzzTarget) throws {
        for input in try Self.inputs(of: target) {
            do {
                try target.run(Array(try Data(contentsOf: input)))
            } catch {
                Issue.record("\(target.name)/\(input.lastPathComponent): \(error)")
            }
        }
    }

    @Test(arguments: FuzzTarget.all)
    func everyTargetHasACorpusThatIsSmall(_ target: FuzzTarget) throws {
        let sizes = try Self.inputs(of: target).map { try Data(contentsOf: $0).count }
        #expect(sizes.count >= 20)
        #expect(sizes.count <= 200)
        #expect(sizes.reduce(0, +) <= 100_000)
    }

    @Test(arguments: FuzzTarget.all)
    func nothingAtAllIsAnInputToo(_ target: FuzzTarget) throws {
        try target.run([])
    }
}
