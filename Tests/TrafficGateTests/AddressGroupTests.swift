import Basics
import Testing

@testable import TrafficGate

struct AddressGroupTests {
    @Test(arguments: [
        ("203.0.113.7", "::ffff:203.0.113.7"), ("203.0.113.7", "::FFFF:CB00:7107"),
        ("203.0.113.7", "0:0:0:0:0:ffff:cb00:7107"),
        ("2001:db8::1", "2001:db8::2"), ("2001:db8::1", "2001:DB8:0:0:ffff:ffff:ffff:ffff"),
        ("2001:db8::1", "2001:0db8:0000:0000::"), ("2001:db8:0:0:1::", "2001:db8::1:0:0:1"),
        ("fe80::1", "fe80::1%eth0"), ("::1", "::"), ("::", "0:0:0:0:0:0:0:0"), ("64:ff9b::1.2.3.4", "64:ff9b::5.6.7.8"),
        ("1:2:3:4:5:6:7::", "1:2:3:4::"), ("nonsense", "nonsense"),
    ])
    func theseAreOneAddress(left: String, right: String) {
        #expect(AddressGroup(left) == AddressGroup(right))
    }

    @Test(arguments: [
        ("203.0.113.7", "203.0.113.8"), ("2001:db8::1", "2001:db8:0:1::1"), ("2001:db8:0:1::", "2001:db8:1:0::"),
        ("::ffff:1.2.3.4", "::1.2.3.4"), ("0.0.0.0", "::"), ("nonsense", "Nonsense"), ("nonsense", "nonsense "),
        // One letter by Unicode equivalence, two by bytes.
        ("e\u{301}", "\u{E9}"),
    ])
    func theseAreTwoAddresses(left: String, right: String) {
        #expect(AddressGroup(left) != AddressGroup(right))
    }

    @Test(arguments: [
        "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.", ".1.2.3", "1..2.3", "01.2.3.4", "1.2.3.4 ", "1.2.3.4:80",
        "+1.2.3.4",
        "１.2.3.4", "0x1.2.3.4", "1234567890.1.1.1", ":", ":::", "::1::", "1::2::3", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7::8", "12345::", "g::", "::1.2.3", "1.2.3.4::", "::1.2.3.4:5", ":1::", "1:::2", "1:", "[::1]",
        "%eth0", "::1/64", "\u{0}", String(repeating: ":", count: 10_000), String(repeating: "1:", count: 10_000),
    ])
    func textThatIsNoAddressCountsAsItself(text: String) {
        #expect(AddressGroup(text) == .other(.init(text)))
    }

    @Test func noAddressBelongsToNoGroup() {
        #expect(AddressGroup(nil) == nil)
        #expect(AddressGroup("") == nil)
    }
}
