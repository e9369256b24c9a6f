internal import NIOHTTP1

/// Why a request is not passed on to the routes; nil when it is.
///
/// - Source: hardening.md section 1.2 row 42, section 1.3 rows 43, 50 and 52.
func refusal(of head: HTTPRequestHead) -> HTTPResponseStatus? {
    switch head.method {
    case .CONNECT, .TRACE: return .methodNotAllowed
    default: break
    }
    // Absolute form, authority form and `*`: no proxy here.
    guard head.uri.utf8.first == UInt8(ascii: "/"), !head.uri.utf8.contains(UInt8(ascii: "#")) else {
        return .badRequest
    }
    var hostCount = 0
    for (name, value) in head.headers {
        // Few names have these lengths, so most fields cost one comparison.
        switch name.utf8.count {
        case 4 where isSame(name, "host"):
            hostCount += 1
        case 6 where isSame(name, "expect"):
            return .expectationFailed
        case 16 where isSame(name, "content-encoding"):
            if !isSame(value, "identity") { return .unsupportedMediaType }
        case 17 where isSame(name, "transfer-encoding"):
            if head.version != .http1_1 { return .badRequest }
        default:
            break
        }
    }
    if hostCount > 1 || (hostCount == 0 && head.version == .http1_1) { return .badRequest }
    let path = head.uri.utf8.prefix { $0 != UInt8(ascii: "?") }
    return isPlainPath(Substring(path)) ? nil : .notFound
}

/// Whether a request asks to become a WebSocket connection, in the one form that browsers and libraries send.
///
/// - Source: RFC 6455 section 4.2.1.
func isWebSocketRequest(_ head: HTTPRequestHead) -> Bool {
    head.method == .GET && head.version == .http1_1
        && head.headers[canonicalForm: "upgrade"].contains { isSame($0, "websocket") }
        && asksForUpgrade(head)
        && !head.headers.contains(name: "content-length") && !head.headers.contains(name: "transfer-encoding")
}

/// The parser stops after a request with both fields, whatever it is to be upgraded to.
func asksForUpgrade(_ head: HTTPRequestHead) -> Bool {
    head.headers.contains(name: "upgrade")
        && head.headers[canonicalForm: "connection"].contains { isSame($0, "upgrade") }
}

private func isSame(_ text: some StringProtocol, _ lowercase: StaticString) -> Bool {
    lowercase.withUTF8Buffer { expected in
        text.utf8.count == expected.count
            && zip(text.utf8, expected).allSatisfy { byte, other in
                byte == other || ((UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) && byte | 0x20 == other)
            }
    }
}
