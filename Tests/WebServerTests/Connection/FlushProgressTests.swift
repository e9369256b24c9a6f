import NIOCore
import Testing

@testable import WebServer

struct FlushProgressTests {
    private let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    /// Looks each second, as long as `buffered` gives something; the second at which the peer counts as stuck.
    private func secondOfEnd(written: Int, buffered: (Int) -> Int?) -> Int? {
        var progress = FlushProgress()
        var second = 0
        while let buffered = buffered(second) {
            let now = start + .seconds(Int64(second))
            if progress.isStuck(written: written, buffered: buffered, now: now, deadline: .seconds(10)) {
                return second
            }
            second += 1
        }
        return nil
    }

    @Test func peerThatReadsNothingIsStuckAfterTheDeadline() {
        #expect(secondOfEnd(written: 100) { $0 < 60 ? 100 : nil } == 11)
        #expect(secondOfEnd(written: 100_000_000) { $0 < 60 ? 1_000_000 : nil } == 11)
    }

    @Test func peerThatTricklesIsStuckAfterTheDeadline() {
        #expect(secondOfEnd(written: 1_000_000) { $0 < 60 ? 1_000_000 - $0 : nil } == 11)
    }

    @Test func largeAnswerMayTakeLong() {
        // 8 KiB/s for 1,000 seconds.
        #expect(secondOfEnd(written: 10_000_000) { $0 < 1_000 ? 10_000_000 - $0 * 8_192 : nil } == nil)
    }

    @Test func emptiedBufferStartsAnew() {
        #expect(secondOfEnd(written: 100) { $0 < 60 ? ($0 % 9 == 0 ? 0 : 100) : nil } == nil)
    }
}
