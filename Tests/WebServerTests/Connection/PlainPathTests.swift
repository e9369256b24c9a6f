import Testing
import WebServer

struct PlainPathTests {
    @Test(arguments: [
        "/", "/a", "/a/", "/a/b.c", "/.well-known/x", "/a/..b", "/a/...", "/%E6%8A%BD%E5%A5%96", "/a%20b", "/a%2Bb",
        "/ADMIN", "/a:b@c,d=e&f!$'()*+~_-", "/%25",
    ])
    func plainPathIsAccepted(_ path: String) {
        #expect(isPlainPath(path))
    }

    @Test(
        "hardening row 52: a path trick is refused",
        arguments: [
            "", "a", "*", "http://a/", "//", "//a", "/a//", "/a//b", "/.", "/..", "/./a", "/../a", "/a/.", "/a/..",
            "/a/../b",
            "/%2e", "/%2e%2e/a", "/%2E%2E", "/.%2e/a", "/a/%2e%2E", "/%2f", "/a%2Fb", "/a\\b", "/a%5cb", "/%00",
            "/a%00",
            "/%0d%0a", "/%7f", "/a;b", "/a;b=c/d", "/a%3bb", "/a#b", "/a%23b", "/a%3fb", "/%", "/%4", "/%zz", "/%4g",
            "/%u0041",
            "/%c0%ae", "/%c0%ae%c0%ae/a", "/%e0%80%ae", "/%ff", "/%ed%a0%80", "/%f5%80%80%80", "/%e6/%8a%bd",
            "/a\u{0}b",
        ])
    func trickIsRefused(_ path: String) {
        #expect(!isPlainPath(path))
    }
}
