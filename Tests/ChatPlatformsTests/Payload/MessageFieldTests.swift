import Basics
import Testing

@testable import ChatPlatforms

struct MessageFieldTests {
    @Test(arguments: ["1", "ou_a-b", "$:LWCP_v1:$u", "群", "a b", String(repeating: "x", count: 128)])
    func anIDIsTaken(_ id: String) throws {
        #expect(try MessageField.id(id) == id)
        #expect(try MessageField.id(.string(id)) == id)
        #expect(try MessageField.optionalID(.string(id)) == id)
    }

    @Test(arguments: [
        String(repeating: "x", count: 129), "a\u{0}", "a\n", "\u{7F}", "a\u{80}b", "\u{9F}",
        String(repeating: "群", count: 43),
    ])
    func anOverlongIDAndOneWithControlsAreMalformed(_ id: String) {
        #expect(throws: WebhookFault.malformedBody) { try MessageField.id(id) }
        #expect(throws: WebhookFault.malformedBody) { try MessageField.id(.string(id)) }
        #expect(throws: WebhookFault.malformedBody) { try MessageField.optionalID(id) }
        #expect(throws: WebhookFault.malformedBody) { try MessageField.optionalID(.string(id)) }
        #expect(throws: WebhookFault.malformedBody) { try MessageField.numberOrStringID(.string(id)) }
    }

    @Test func whatIsNoIDIsMalformed() throws {
        for value in [nil, .null, "", 1, .array([])] as [JSONValue?] {
            #expect(throws: WebhookFault.malformedBody) { try MessageField.id(value) }
        }
        for value in [nil, .null, ""] as [JSONValue?] { #expect(try MessageField.optionalID(value) == nil) }
        #expect(throws: WebhookFault.malformedBody) { try MessageField.optionalID(1) }
        #expect(try MessageField.optionalID("" as String?) == nil)
    }

    @Test("hardening row 31: a number and its text are one id") func aNumberAndItsTextAreOneID() throws {
        #expect(try MessageField.numberOrStringID(9_007_199_254_740_993) == "9007199254740993")
        #expect(try MessageField.numberOrStringID(-1) == "-1")
        for text in ["-0", "1.0", "1e3", "9223372036854775808"] {
            let value = try StrictJSON.parse(Array(text.utf8), maximumSize: 100)
            #expect(throws: WebhookFault.malformedBody) { try MessageField.numberOrStringID(value) }
        }
    }

    @Test(
        arguments: [
            (0, 1000, 0), (1_760_000_000, 1000, 1_760_000_000_000), (253_402_300_799, 1000, 253_402_300_799_000),
            (253_402_300_799_999, 1, 253_402_300_799_999), (253_402_300_800, 1000, nil), (-1, 1, nil),
            (253_402_300_800_000, 1, nil), (.max, 1000, nil),
        ] as [(Int64, Int64, Int64?)])
    func aMomentLiesBetween1970And9999(_ count: Int64, _ unit: Int64, _ milliseconds: Int64?) throws {
        let expected = milliseconds.map { Instant(milliseconds: $0) }
        #expect((try? MessageField.instant(.integer(count), millisecondsPerUnit: unit)) == expected)
        #expect((try? MessageField.instant(digits: String(count), millisecondsPerUnit: unit)) == expected)
    }

    @Test func aMomentInATextIsDigits() throws {
        for text in ["", "+1", "1.5", " 1", "x", "１"] {
            #expect(throws: WebhookFault.malformedBody) {
                try MessageField.instant(digits: text, millisecondsPerUnit: 1)
            }
        }
        #expect(try MessageField.optionalInstant(.null, millisecondsPerUnit: 1) == nil)
        #expect(throws: WebhookFault.malformedBody) {
            try MessageField.optionalInstant("1", millisecondsPerUnit: 1)
        }
    }

    @Test func anOverlongTextIsCutBetweenScalars() {
        #expect(MessageField.text("\u{3000} 抽奖\n") == "抽奖")
        let whole = String(repeating: "x", count: 64 * 1024)
        #expect(MessageField.text(whole) == whole)
        #expect(MessageField.text(whole + "x").utf8.count == 8192)
        // 8192 is no multiple of three, so the cut would go through a scalar.
        #expect(MessageField.text(overlongText).utf8.count == 8190)
        #expect(MessageField.text(overlongText).isBeginningOfOverlongText)
    }

    @Test func onlyATriggerThatIsANameIsTakenOff() {
        #expect(MessageField.text(" @bot 抽奖", trigger: "@bot") == ("抽奖", true))
        #expect(MessageField.text("抽奖 3", trigger: "抽奖") == ("抽奖 3", false))
        #expect(MessageField.text("抽奖", trigger: "@bot") == ("抽奖", false))
        #expect(MessageField.text("抽奖", trigger: nil) == ("抽奖", false))
    }
}
