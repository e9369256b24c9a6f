import NIOHTTP1
import Testing

@testable import WebServer

struct RequestFramingTests {
    /// Feeds `text` in pieces of `size` bytes; the verdict and the lengths of the requests found.
    private func read(
        _ text: String, size: Int = .max, limits: ConnectionLimits = ConnectionLimits()
    ) -> (refused: HTTPResponseStatus?, lengths: [Int], isBetween: Bool) {
        var framing = RequestFraming(limits: limits)
        var lengths: [Int] = []
        var length = 0
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let piece = rest.prefix(size)
            switch piece.withUnsafeBytes({ framing.accept($0) }) {
            case .partial:
                length += piece.count
                rest = rest.dropFirst(piece.count)
            case .complete(let count):
                lengths.append(length + count)
                length = 0
                rest = rest.dropFirst(count)
            case .refused(let status, _):
                return (status, lengths, false)
            }
        }
        return (nil, lengths, framing.isBetweenRequests)
    }

    static let good = [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: a\r\ncontent-length:5\r\n\r\n\r\n\r\n\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0000000A\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Content-Length: +5\r\nContent-Length-Y: z\r\n\r\n",
    ]

    @Test(arguments: good)
    func requestEndsAtTheSameByteInWhateverPieces(_ text: String) {
        let count = text.utf8.count
        for size in [1, 2, 3, 7, 64, .max] {
            let result = read(text + text + text, size: size)
            #expect(result.refused == nil)
            #expect(result.lengths == [count, count, count])
            #expect(result.isBetween)
        }
    }

    @Test(arguments: good)
    func unfinishedRequestIsNoRequest(_ text: String) {
        for count in 1..<text.utf8.count {
            let result = read(String(decoding: text.utf8.prefix(count), as: UTF8.self))
            #expect(result.refused == nil)
            #expect(result.lengths.isEmpty)
            #expect(!result.isBetween)
        }
    }

    @Test("hardening rows 43, 44: a second reading is refused", arguments: BadFraming.requests)
    func secondReadingIsRefused(_ text: String) {
        for size in [1, 5, .max] {
            #expect(read(text, size: size).refused == .badRequest, "\(text.debugDescription)")
        }
    }

    @Test("hardening rows 47, 49: limits hold to the byte") func limitsHoldToTheByte() {
        var limits = ConnectionLimits()
        limits.targetSize = 100
        limits.headerFieldSize = 100
        limits.headerListSize = 300
        limits.headerCount = 5
        limits.bodySize = 10
        func status(_ text: String, size: Int = .max) -> HTTPResponseStatus? {
            read(text, size: size, limits: limits).refused
        }
        func get(_ path: String, _ fields: [String]) -> String {
            "GET \(path) HTTP/1.1\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
        }
        let long = String(repeating: "a", count: 99)
        for size in [1, .max] {
            #expect(status(get("/" + long, []), size: size) == nil)
            #expect(status(get("/a" + long, []), size: size) == .uriTooLong)
            // Without an end in sight.
            #expect(status("GET /" + long + long, size: size) == .uriTooLong)
            let field = "a:" + long.dropFirst()
            #expect(status(get("/", [field]), size: size) == nil)
            #expect(status(get("/", ["a:" + long]), size: size) == .requestHeaderFieldsTooLarge)
            #expect(status("GET / HTTP/1.1\r\na:" + long + "b", size: size) == .requestHeaderFieldsTooLarge)
            #expect(status(get("/", [field, field]), size: size) == nil)
            #expect(status(get("/", [field, field, field]), size: size) == nil)
            #expect(status(get("/", [field, field, field, "a:b"]), size: size) == .requestHeaderFieldsTooLarge)
            #expect(status(get("/", Array(repeating: "a:b", count: 5)), size: size) == nil)
            #expect(
                status(get("/", Array(repeating: "a:b", count: 6)), size: size) == .requestHeaderFieldsTooLarge)
            #expect(status(get("/", ["Content-Length: 10"]), size: size) == nil)
            let chunks = get("/", ["Transfer-Encoding: chunked"]) + "5\r\nhello\r\n5\r\nhello\r\n"
            #expect(status(chunks + "0\r\n\r\n", size: size) == nil)
            #expect(status(chunks + "1\r\n", size: size) == .payloadTooLarge)
            #expect(status(get("/", ["Transfer-Encoding: chunked"]) + "FFFFFFFF\r\n", size: size) == .payloadTooLarge)
        }
    }

    /// The parser behind agrees about where requests end: every split that one accepts, both read as the same requests.
    @Test func newRequestStartsWithFreshCounts() {
        let one = "GET / HTTP/1.1\r\n" + String(repeating: "a: b\r\n", count: 64) + "\r\n"
        #expect(read(one + one).lengths.count == 2)
    }
}

/// Requests that two readers could understand differently. Each is followed by one that must not be served.
enum BadFraming {
    static let requests: [String] = heads.map { "POST /count HTTP/1.1\r\nHost: a\r\n\($0)\r\n\r\n" + chunks } + others

    private static let chunks = "5\r\nhello\r\n0\r\n\r\n"
    private static let heads = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: +5", "Content-Length: -5", "Content-Length:  5", "Content-Length:\t5", "Content-Length: 5 ",
        "Content-Length: 5,5", "Content-Length: 5, 5", "Content-Length: 0x5", "Content-Length: 5.0", "Content-Length: ",
        "Content-Length:", "Content-Length: five", "Content-Length: 005", "Content-Length: 1e1",
        "Content-Length: 18446744073709551621", "Content-Length: 99999999999999999999999999",
        "Transfer-Encoding: xchunked", "Transfer-Encoding:\tchunked", "Transfer-Encoding:  chunked",
        "Transfer-Encoding: chunked ", "Transfer-Encoding: chunked,", "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: \"chunked\"", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: identity", "Transfer-Encoding: gzip",
        "Transfer-Encoding: ", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\nX: y", "Transfer-Encoding: chunked\nX: y", "X: y\n", "X: y\r\n\n",
    ]
    private static let others =
        [
            "5;a=b\r\nhello\r\n0\r\n\r\n", "5;\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
            " 5\r\nhello\r\n0\r\n\r\n",
            "5\nhello\r\n0\r\n\r\n", "5\rhello\r\n0\r\n\r\n", "5\r\nhello0\r\n\r\n", "5\r\nhello\n0\r\n\r\n",
            "5\r\nhello\r0\r\n\r\n", "5\r\nhellohello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
            "+5\r\nhello\r\n0\r\n\r\n",
            "-5\r\nhello\r\n0\r\n\r\n", "\r\nhello\r\n0\r\n\r\n", "g\r\nhello\r\n0\r\n\r\n", "5\r\nhello\r\n0\n\r\n",
            "FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n",
            "10000000000000005\r\nhello\r\n0\r\n\r\n", "000000005\r\nhello\r\n0\r\n\r\n",
            "5\r\nhello\r\n0\r\nX: y\r\n\r\n", "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n", "5\r\nhello\r\n0\r\n\n",
        ].map { "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + $0 } + [
            "GET /hello HTTP/1.1\nHost: a\n\n", "GET /hello HTTP/1.1\r\nHost: a\n\r\n",
            "GET /hello HTTP/1.1\r\nHost: a\r\n\n",
            "GET  /hello HTTP/1.1\r\nHost: a\r\n\r\n", "GET /hello  HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /hello /x HTTP/1.1\r\nHost: a\r\n\r\n", "GET /hello\r\n\r\n",
            "GET\t/hello HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /hello HTTP/1.2\r\nHost: a\r\n\r\n", "GET /hello HTTP/0.9\r\nHost: a\r\n\r\n",
            "GET /hello HTTP/2.0\r\nHost: a\r\n\r\n", "GET /hello http/1.1\r\nHost: a\r\n\r\n",
            "GET /hello RTSP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
        ]
}
