import HTTPTypes
import Hummingbird
import Testing

@testable import WebServer

/// - Source: spec.md section 8; hardening.md row 53.
struct ClientAddressTests {
    private static let proxy = "10.0.0.1"

    private func address(
        _ forwarded: [String], peer: String = proxy, proxies: Set<String> = [proxy], name: String = "x-forwarded-for"
    ) throws -> String {
        let name = try #require(HTTPField.Name(name))
        var fields = HTTPFields()
        for value in forwarded { fields.append(HTTPField(name: name, value: value)) }
        let head = HTTPRequest(method: .get, scheme: "http", authority: "a", path: "/", headerFields: fields)
        return ClientAddress(proxies: proxies).of(
            Request(head: head, body: RequestBody(buffer: .init())), peer: peer)
    }

    /// However an address is spelled: by the socket, by whoever configures, by the proxy.
    @Test(arguments: [
        ("10.0.0.1", "10.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("::FFFF:0a00:0001", "10.0.0.1"),
        ("10.0.0.1", "::ffff:10.0.0.1"), ("2001:db8::1", "2001:DB8:0:0::0001"),
    ])
    func aProxyIsKnownByItsAddress(_ peer: String, _ proxy: String) throws {
        #expect(try address(["1.2.3.4"], peer: peer, proxies: [proxy]) == "1.2.3.4")
        #expect(try address(["1.2.3.4, " + proxy], peer: peer, proxies: [proxy]) == "1.2.3.4")
        #expect(try address(["1.2.3.4"], peer: "10.0.0.2", proxies: [proxy]) == "10.0.0.2")
    }

    @Test func theSocketsAddressHasOneSpelling() throws {
        #expect(try address([], peer: "::ffff:192.0.2.7", proxies: []) == "192.0.2.7")
        #expect(try address([], peer: "2001:DB8:0::1", proxies: []) == "2001:db8::1")
        #expect(try address([], peer: "", proxies: []) == "")
    }

    @Test(arguments: [
        ("1.2.3.4", "1.2.3.4"), ("1.2.3.4:55", "1.2.3.4"), (" \t1.2.3.4:55 ", "1.2.3.4"), ("::1", "::1"),
        ("[::1]", "::1"), ("[::1]:80", "::1"), ("[2001:DB8::0001]:443", "2001:db8::1"), ("::ffff:1.2.3.4", "1.2.3.4"),
        ("[::ffff:1.2.3.4]:80", "1.2.3.4"), ("2001:db8::1:80", "2001:db8::1:80"), ("9.9.9.9, 1.2.3.4:1", "1.2.3.4"),
    ])
    func anEntrysPortIsNotItsAddress(_ entry: String, _ expected: String) throws {
        #expect(try address([entry]) == expected)
    }

    /// Who cannot be told is whoever the proxy is.
    @Test(arguments: [
        "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:123456", "[1.2.3.4",
        "[::1]80", "[::1]:", "::1]", "[]", ":80", "::g", "1.2.3.4 5.6.7.8", "1.2. 3.4", "\"1.2.3.4\"", "a.example",
        "for=1.2.3.4", "1:2:3:4:5:6:7:8:9", "抽奖", "9.9.9.9, unknown", "fe80::1%eth0",
    ])
    func whatIsNoAddressIsNotTaken(_ entry: String) throws {
        #expect(try address([entry]) == Self.proxy)
    }

    @Test("hardening row 53: the last that is no proxy counts") func theLastOneThatIsNoProxyCounts() throws {
        #expect(try address(["1.1.1.1, 2.2.2.2", "3.3.3.3:9, 10.0.0.1"]) == "3.3.3.3")
        #expect(try address(["10.0.0.1", "[::ffff:10.0.0.1]:5"]) == Self.proxy)
        #expect(try address(["1.1.1.1", ""]) == "1.1.1.1")
    }

    /// Nobody may say it this way: what proxies pass on of it they do not check.
    @Test(
        "hardening row 53: Forwarded is not read",
        arguments: ["for=1.2.3.4", "for=\"[2001:db8::1]:80\";proto=https", "1.2.3.4"])
    func forwardedIsNotRead(_ value: String) throws {
        #expect(try address([value], name: "forwarded") == Self.proxy)
        #expect(try address([value], peer: "10.0.0.2", name: "forwarded") == "10.0.0.2")
    }
}
