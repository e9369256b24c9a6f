import Testing

@testable import ChatPlatforms

struct OutboundURLTests {
    @Test(arguments: [
        ("https://api.line.me", "https", "api.line.me", nil, "", ""),
        ("https://api.line.me/", "https", "api.line.me", nil, "/", ""),
        ("HTTPS://API.Line.me/A/b//", "https", "api.line.me", nil, "/A/b//", ""),
        ("http://127.0.0.1:4000/x?a=1&b=%20?c", "http", "127.0.0.1", 4000, "/x", "a=1&b=%20?c"),
        ("https://[::1]:8443/x", "https", "::1", 8443, "/x", ""),
        ("https://[2001:DB8::1]", "https", "2001:db8::1", nil, "", ""),
        ("https://h?q", "https", "h", nil, "", "q"), ("https://h:1", "https", "h", 1, "", ""),
        ("https://h:65535/", "https", "h", 65535, "/", ""), ("https://a_b-c.d", "https", "a_b-c.d", nil, "", ""),
    ])
    func anAddressIsTakenApart(
        _ text: String, _ scheme: String, _ host: String, _ port: Int?, _ path: String, _ query: String
    ) throws {
        let url = try #require(OutboundURL(text))
        #expect(url.scheme == scheme)
        #expect(url.host == host)
        #expect(url.port == port)
        #expect(url.path == path)
        #expect(url.query == query)
        #expect(OutboundURL(url.text) == url)
    }

    @Test(
        "hardening row 77: an address that two readers could understand differently is refused",
        arguments: [
            "", "https:", "https://", "https:///x", "http:example.org", "http:/example.org", "//example.org",
            "example.org",
            "ftp://example.org", "file:///etc/passwd", "javascript://x", "gopher://x", " https://x", "https://x ",
            "ws://x",
            "https://a@b", "https://a:b@c", "https://example.org@evil.org/", "https://evil.org/@example.org",
            "https://x/%40@",
            #"https://a\b"#, #"https:\\a"#, #"https://evil.org\@example.org"#, #"https://x/\..\y"#, "https://x#y",
            "https://x/#",
            "https://x\n/", "https://x\r\nHost: y", "https://x\t", "https://x/\u{7F}", "https://x/ü",
            "https://ｅxample.org",
            "https://x。y", "https://x:0", "https://x:65536", "https://x:", "https://x:-1", "https://x:+1",
            "https://x:1:2",
            "https://x:http", "https://x:000080", "https://[::1", "https://[]", "https://[::1]x", "https://[::1]:",
            "https://[g::1]", "https://[dead]", "https://[127.0.0.1]", "https://[fe80::1%25eth0]", "https://::1",
            "https://x/{a}", "https://x/a|b", "https://x/<a>",
            "https://x/\"a\"", "https://x/`a`", "https://x/^", "https://a%2eb", "https://a,b", "https://a;b",
            "https://*.org",
            "https://a b", "http://https://x", "https://http://x@y",
        ])
    func whatTwoReadersCouldUnderstandDifferentlyIsRefused(_ text: String) {
        #expect(OutboundURL(text) == nil)
    }

    @Test func anAddressHasAtMost2048Bytes() {
        let start = "https://example.org/"
        #expect(OutboundURL(start + String(repeating: "a", count: 2048 - start.utf8.count)) != nil)
        #expect(OutboundURL(start + String(repeating: "a", count: 2049 - start.utf8.count)) == nil)
        #expect(OutboundURL("https://" + String(repeating: "a", count: 253)) != nil)
        #expect(OutboundURL("https://" + String(repeating: "a", count: 254)) == nil)
    }

    @Test(arguments: [
        "http://localhost", "http://LOCALHOST:80", "http://api", "http://127.0.0.1", "http://127.255.255.255",
        "http://10.1.2.3",
        "http://192.168.0.1", "http://172.16.0.1", "http://172.31.255.255", "http://[::1]",
    ])
    func aNearHostIsNearby(_ text: String) throws {
        #expect(try #require(OutboundURL(text)).isNearby)
    }

    @Test(
        "hardening row 77: only plain addresses of this network may be called in the clear",
        arguments: [
            "http://example.org", "http://8.8.8.8", "http://172.15.0.1", "http://172.32.0.1", "http://192.169.0.1",
            "http://11.0.0.1",
            // Octal, hexadecimal, decimal and short forms of addresses, which readers take differently.
            "http://010.0.0.1", "http://0177.0.0.1", "http://0x7f.0.0.1", "http://127.1", "http://2130706433",
            "http://0x7f000001",
            "http://017700000001", "http://127.0.0.1.", "http://127.0.0.01", "http://127.0.0.256", "http://.127.0.0.1",
            "http://127..0.1", "http://localhost.example.org", "http://127.0.0.1.example.org", "http://localhost.",
            "http://[::ffff:127.0.0.1]", "http://[::]", "http://[fe80::1]", "http://169.254.169.254", "http://0.0.0.0",
            "http://99999999999999999999999", "http://1a",
        ])
    func otherHostsAreNotNearby(_ text: String) throws {
        #expect(try !#require(OutboundURL(text)).isNearby)
    }

    @Test func segmentsAndItemsAreEncoded() throws {
        let url = try #require(OutboundURL("https://x/a/?k=v"))
        #expect(
            url.appending("b/../c", "周", "", query: [("q&", "1=2 +"), ("r", "")]).text
                == "https://x/a/b%2F..%2Fc/%E5%91%A8/?k=v&q%26=1%3D2%20%2B&r=")
        #expect(try #require(OutboundURL("https://x//")).appending("a").text == "https://x/a")
        #expect(OutboundURL.encode("aZ09-._~ \u{0}\u{7}%") == "aZ09-._~%20%00%07%25")
    }

    @Test(arguments: [
        ("https://x/a", "https://x:443/b?c", true), ("http://x:80", "http://x", true), ("https://x", "http://x", false),
        ("https://x", "https://x:8443", false), ("https://x", "https://y", false), ("https://x.y", "https://x", false),
        ("http://x:443", "https://x", false),
    ])
    func anOriginIsSchemeHostAndPort(_ left: String, _ right: String, _ isSame: Bool) throws {
        let left = try #require(OutboundURL(left))
        let right = try #require(OutboundURL(right))
        #expect(left.hasOrigin(of: right) == isSame)
        #expect(right.hasOrigin(of: left) == isSame)
    }

    @Test func aSettingHasADefault() throws {
        #expect(try PlatformSettings([:]).url("api_url", default: "https://api.x").text == "https://api.x")
        #expect(
            try PlatformSettings(["api_url": "https://y"]).url("api_url", default: "https://api.x").text == "https://y")
        #expect(throws: SettingFault.self) {
            try PlatformSettings(["api_url": "y"]).url("api_url", default: "https://x")
        }
    }

    @Test(arguments: [
        ("https://api.example.org", true), ("http://127.0.0.1:4000", true), ("http://api.example.org", false),
        ("https://x/?a=1", false), ("https://u@x", false), ("x", false),
    ])
    func aSettingIsHTTPSOrNearby(_ text: String, _ isTaken: Bool) {
        let settings = PlatformSettings(["api_url": text])
        #expect(((try? settings.url("api_url")) != nil) == isTaken)
        if !isTaken { #expect(throws: SettingFault.self) { try settings.url("api_url") } }
    }
}
