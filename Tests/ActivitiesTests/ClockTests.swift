import Activities
import Basics
import Lottery
import TestSupport
import Testing
import TrafficGate

/// A clock that is set back or far ahead changes no outcome and breaks no chain.
struct ClockTests {
    @Test(
        "hardening row 81: times of the ledger never decrease",
        arguments: [-3600, -86_400 * 365 * 70, 86_400 * 3650] as [Int64])
    func timesOfTheLedgerNeverDecrease(_ jump: Int64) async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(maxAttempts: 3, awards: [.normal("gold", number: 1)]))
        try await bench.bind("qq:11", "qq:12")
        let receipt = try #require(try await bench.draw("qq:11").receipt)
        bench.now = noon.advanced(bySeconds: jump)
        #expect(try await bench.draw("qq:12").code == .missed)
        try await bench.command(.void(receipt, reason: "x"))
        try await bench.command(.setNumber(activity: nil, award: "gold", number: 3))
        try await bench.restart()
        bench.now = noon.advanced(bySeconds: 10)
        try await bench.bind("qq:11", "qq:12")
        #expect(try await bench.draw("qq:11").code == .won)
        #expect(try await bench.draw("qq:12").code == .won)
        try await bench.command(.stop(activity: nil))
        let rows = try await bench.store.wholeLedger(of: "spring")
        #expect(rows.map(\.at) == rows.map(\.at).sorted())
        #expect(try await bench.store.verifiedLedger(of: "spring").holds)
    }

    @Test("hardening rows 81, 82: a clock at its limits does not trap") func aClockAtItsLimitsDoesNotTrap() async throws
    {
        for now in [Instant(milliseconds: .min), Instant(milliseconds: 0), Instant(milliseconds: 253_402_300_799_999)] {
            let bench = try await DecisionBench()
            bench.library.put(.sample(startsAt: noon, endsAt: noon.advanced(bySeconds: 1)), as: "spring.yaml")
            try await bench.command(.importActivity(file: "spring.yaml"))
            try await bench.bind("qq:11")
            var machine = bench.machine
            var entropy = SeededGenerator(seed: 1)
            let items = [
                BatchItem(.saying(.draw, as: "qq:11", key: .test("k", at: noon))),
                BatchItem(.saying(.pool, as: "qq:12")),
            ]
            _ = machine.prepare(items, now: now, entropy: &entropy)
            let (_, decided) = machine.decide(items, facts: Facts(), now: now, entropy: &entropy)
            #expect(decided.count == 2)
        }
    }

    @Test func sessionsSurviveAClockSetBack() async throws {
        let bench = try await DecisionBench()
        try await bench.command(.setTraffic(key: "max_concurrent_users", value: "1"))
        try await bench.say(.pool, as: "qq:11")
        try await bench.say(.pool, as: "qq:12")
        bench.now = noon.advanced(bySeconds: -3600)
        #expect(try await bench.decide([.saying(.queue, as: "qq:12")])[0].position == 1)
        #expect(try await bench.say(.queue, as: "qq:11") == .ok(.place(isIn: true)))
        // Later, by the clock that was set back, silence counts again.
        bench.now = bench.now.advanced(bySeconds: 61)
        _ = try await bench.decide([])
        #expect(bench.machine.gate.answer(for: "qq:11") == nil)
        #expect(bench.machine.gate.answer(for: "qq:12") == .active)
    }
}
