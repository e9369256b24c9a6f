import Basics
import TestSupport
import Testing

@testable import TrafficGate

/// 10,000 random sequences of 200 operations, compared with a plain reference after every operation.
///
/// To replay a failure: `HONGBAO_SEED=<seed> swift test --filter GateModelTests`. The sequence with that seed is then
/// the first one.
struct GateModelTests {
    private static let shares = 20
    private static let sequencesPerShare = 500

    @Test(arguments: 0..<shares)
    func gateDoesWhatThePlainReferenceDoes(share: Int) {
        for number in 0..<Self.sequencesPerShare {
            let seed = SeededGenerator.baseSeed &+ UInt64(share * Self.sequencesPerShare + number)
            var rehearsal = GateRehearsal(seed: seed)
            if let difference = rehearsal.run(operations: 200) {
                Issue.record("HONGBAO_SEED=\(seed), \(difference)")
                return
            }
        }
    }
}
