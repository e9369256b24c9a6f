internal import NIOHTTP1

/// The items that a query may have. None that we answer has nearly as many, and what does not fit must not be left out:
/// it could be a second signature.
private let maximumQueryItemCount = 64

/// Why a request is not passed on to the routes; nil when it is.
///
/// - Parameter bodySize: What its body may have at most.
/// - Source: hardening.md section 1.2 row 42, section 1.3 rows 43, 47, 49, 50 and 52.
func refusal(of head: HTTPRequestHead, bodySize: Int) -> HTTPResponseStatus? {
    switch head.method {
    case .CONNECT, .TRACE: return .methodNotAllowed
    default: break
    }
    // Absolute form, authority form and `*`: no proxy here.
    guard head.uri.utf8.first == UInt8(ascii: "/"), !head.uri.utf8.contains(UInt8(ascii: "#")) else {
        return .badRequest
    }
    var hostCount = 0
    var isTooLarge = false
    for (name, value) in head.headers {
        // Few names have these lengths, so most fields cost one comparison.
        switch name.utf8.count {
        case 4 where isSame(name.utf8, "host"):
            hostCount += 1
        case 6 where isSame(name.utf8, "expect"):
            return .expectationFailed
        case 14 where isSame(name.utf8, "content-length"):
            // RequestFraming has seen to it that this is a plain number.
            isTooLarge = Int(value).map { $0 > bodySize } ?? true
        case 16 where isSame(name.utf8, "content-encoding"):
            if !isSame(value.utf8, "identity") { return .unsupportedMediaType }
        case 17 where isSame(name.utf8, "transfer-encoding"):
            if head.version != .http1_1 { return .badRequest }
        default:
            break
        }
    }
    if hostCount > 1 || (hostCount == 0 && head.version == .http1_1) { return .badRequest }
    let path = head.uri.utf8.prefix { $0 != UInt8(ascii: "?") }
    guard isPlainPath(Substring(path)) else { return .notFound }
    let separators = head.uri.utf8[path.endIndex...].count { $0 == UInt8(ascii: "&") }
    if separators >= maximumQueryItemCount { return .badRequest }
    return isTooLarge ? .payloadTooLarge : nil
}

/// Whether a request asks to become a WebSocket connection, in the one form that browsers and libraries send.
///
/// - Source: RFC 6455 section 4.2.1.
func isWebSocketRequest(_ head: HTTPRequestHead) -> Bool {
    head.method == .GET && head.version == .http1_1
        && head.headers[canonicalForm: "upgrade"].contains { isSame($0.utf8, "websocket") }
        && asksForUpgrade(head)
        && !head.headers.contains(name: "content-length") && !head.headers.contains(name: "transfer-encoding")
}

/// The parser stops after a request with both fields, whatever it is to be upgraded to.
func asksForUpgrade(_ head: HTTPRequestHead) -> Bool {
    head.headers.contains(name: "upgrade")
        && head.headers[canonicalForm: "connection"].contains { isSame($0.utf8, "upgrade") }
}
