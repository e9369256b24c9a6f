import Basics
import Lottery
import Testing

struct ReceiptTests {
    @Test(arguments: [
        ("spring-2027-0", "spring-2027", 0), ("a-999999999999999999", "a", 999_999_999_999_999_999), ("---1", "--", 1),
        ("-.-7", "-.", 7),
    ])
    func lastDashSplits(_ text: String, _ activity: String, _ seq: Int64) throws {
        let receipt = try #require(Receipt(text))
        #expect(receipt == Receipt(activity: ActivityID(activity), seq: seq))
        #expect(receipt.description == text)
    }

    @Test(arguments: [
        "", "-", "a", "a-", "-1", "a-01", "a-00", "a-+1", "a--1x", "a-1 ", " a-1", "a b-1", "春-1", "a-\u{FF11}", "a-١",
        "a-1000000000000000000", "a-9223372036854775808", "a-1\n", "a-1e3", String(repeating: "x", count: 65) + "-1",
    ])
    func anythingElseIsRefused(_ text: String) {
        #expect(Receipt(text) == nil)
    }
}
