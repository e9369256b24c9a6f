internal import Basics

/// An HTTP request of a platform, as it arrived. Nothing in it is verified. Printed, it shows neither its headers nor
/// its query nor its body, where tokens stand.
public struct WebhookRequest: Sendable, Redacted {
    /// Upper case.
    public var method: String
    /// What follows the endpoint's own path: empty, or beginning with `/`. Percent-decoding has been done.
    public var path: String
    /// Decoded, in order.
    public var query: [(name: String, value: String)]
    /// Names in lower case, in order.
    public var headers: [(name: String, value: String)]
    /// The raw bytes: what signatures cover.
    public var body: [UInt8]

    public init(
        method: String, path: String = "", query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [], body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.query = query
        // Most who call have them in lower case already.
        self.headers =
            headers.allSatisfy { Self.isLowercase($0.name) }
            ? headers : headers.map { ($0.name.lowercased(), $0.value) }
        self.body = body
    }

    private static func isLowercase(_ name: String) -> Bool {
        name.utf8.allSatisfy { $0 < 0x80 && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
    }

    public var description: String { "\(method), \(body.count) bytes" }

    /// The value of a header; nil when it is missing, and when it is there twice: two readers could pick different ones.
    ///
    /// - Parameter name: In lower case.
    public func header(_ name: String) -> String? {
        Self.only(name, in: headers)
    }

    /// The value of a query item; nil when it is missing, and when it is there twice.
    public func queryItem(_ name: String) -> String? {
        Self.only(name, in: query)
    }

    private static func only(_ name: String, in items: [(name: String, value: String)]) -> String? {
        var found: String?
        for item in items where areEqualBytes(item.name, name) {
            if found != nil { return nil }
            found = item.value
        }
        return found
    }

    /// Whether the body says that it is of this media type (`application/json`), with or without parameters.
    public func isOfType(_ mediaType: String) -> Bool {
        guard let type = header("content-type") else { return false }
        if areEqualBytes(type, mediaType) { return true }
        let essence = type.prefix { $0 != ";" }.lowercased()
        return essence.filter { $0 != " " && $0 != "\t" } == mediaType
    }
}

/// What a platform is answered.
public struct WebhookResponse: Hashable, Sendable {
    public var status: Int
    /// Nil without a body.
    public var contentType: String?
    public var body: [UInt8]

    public init(status: Int, contentType: String? = nil, body: [UInt8] = []) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// 204: heard, nothing to say.
    public static let empty = WebhookResponse(status: 204)
    /// 200 without a body.
    public static let ok = WebhookResponse(status: 200)

    public static func json(_ value: JSONValue, status: Int = 200) -> WebhookResponse {
        var body: [UInt8] = []
        JSONWriter.append(value, to: &body)
        return WebhookResponse(status: status, contentType: "application/json", body: body)
    }

    public static func plainText(_ text: String, status: Int = 200) -> WebhookResponse {
        WebhookResponse(status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }
}

/// Why a request was refused. The raw value is for tests, logs and metrics; whoever sent it learns only the status.
///
/// - Source: platforms.md section 19.
public enum WebhookFault: String, Error, Hashable, Sendable, CaseIterable {
    case missingSignature = "missing_signature"
    case malformedSignature = "malformed_signature"
    case badSignature = "bad_signature"
    case missingToken = "missing_token"
    case badToken = "bad_token"
    case malformedTimestamp = "malformed_timestamp"
    case staleTimestamp = "stale_timestamp"
    case badCiphertext = "bad_ciphertext"
    case receiverMismatch = "receiver_mismatch"
    case notEncrypted = "not_encrypted"
    case refusedToken = "refused_token"
    /// Verified, but not what the platform sends.
    case malformedBody = "malformed_body"
    case wrongMediaType = "wrong_media_type"
    case wrongMethod = "wrong_method"
    case unknownPath = "unknown_path"

    /// Whether it is who sends that is in doubt, and not what is sent.
    public var isOfIdentity: Bool {
        switch self {
        case .malformedBody, .wrongMediaType, .wrongMethod, .unknownPath: false
        case .missingSignature, .malformedSignature, .badSignature, .missingToken, .badToken, .malformedTimestamp,
            .staleTimestamp, .badCiphertext, .receiverMismatch, .notEncrypted, .refusedToken:
            true
        }
    }

    /// A bare answer without detail: 401 for everything about identity, else 400, 404, 405 or 415.
    public var bareResponse: WebhookResponse {
        switch self {
        case .malformedBody: WebhookResponse(status: 400)
        case .unknownPath: WebhookResponse(status: 404)
        case .wrongMethod: WebhookResponse(status: 405)
        case .wrongMediaType: WebhookResponse(status: 415)
        default: WebhookResponse(status: 401)
        }
    }
}
