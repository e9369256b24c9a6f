import Basics
import Testing

@testable import ChatPlatforms

struct SignedTimeTests {
    @Test(arguments: ["", "-1", "+1", "1.0", " 1", "1 ", "17600000510000", "١٧٦٠", "1e3"])
    func aTimeIsOneToThirteenDigits(_ text: String) {
        #expect(throws: WebhookFault.malformedTimestamp) { try SignedTime(text) }
    }

    @Test(arguments: [
        (1_700_000_300_000, true), (1_699_999_700_000, true), (1_700_000_300_001, false), (1_699_999_699_999, false),
        (0, false), (Int64.max, false), (Int64.min, false),
    ])
    func fiveMinutesAreRecentEitherWay(_ now: Int64, _ isRecent: Bool) throws {
        for time in [try SignedTime("1700000000"), try SignedTime("1700000000000", millisecondsPerUnit: 1)] {
            #expect(((try? time.requireRecent(at: Instant(milliseconds: now))) != nil) == isRecent)
        }
    }
}
