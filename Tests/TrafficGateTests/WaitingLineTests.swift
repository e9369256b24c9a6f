import Basics
import TestSupport
import Testing

@testable import TrafficGate

struct WaitingLineTests {
    /// Appends, removes from anywhere and pops, against an array, through many compactions.
    @Test func ranksStayExactThroughGapsAndCompaction() {
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        var line = WaitingLine()
        var expected: [Int] = []
        var laneOfSlot: [Int: Int] = [:]
        for slot in 0..<5000 {
            if let moved = line.compactIfFull() {
                #expect(moved == expected)
                for (lane, moved) in moved.enumerated() { laneOfSlot[moved] = lane }
            }
            laneOfSlot[slot] = line.append(slot)
            expected.append(slot)
            while expected.count > 100 || (!expected.isEmpty && generator.below(3) == 0) {
                if generator.below(2) == 0 {
                    #expect(line.popFirst() == expected.removeFirst())
                } else {
                    let gone = expected.remove(at: generator.below(expected.count))
                    line.remove(lane: laneOfSlot[gone]!)
                }
            }
            #expect(line.count == expected.count)
            if let some = expected.indices.randomElement(using: &generator) {
                #expect(line.rank(lane: laneOfSlot[expected[some]]!) == some + 1)
            }
        }
        while !expected.isEmpty { #expect(line.popFirst() == expected.removeFirst()) }
        #expect(line.popFirst() == nil)
        #expect(line.isEmpty)
    }
}
