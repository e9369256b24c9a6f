/// An address to call: scheme, host, port, path and query, nothing else. No user, no fragment.
public struct OutboundURL: Hashable, Sendable {
    /// `https` or `http`.
    public let scheme: String
    /// In lower case; an IPv6 address without its brackets.
    public let host: String
    /// Nil: the scheme's own.
    public let port: Int?
    /// Empty or beginning with `/`, percent-encoded, as it was given.
    public private(set) var path: String
    /// Percent-encoded, without the question mark; empty when there is none.
    public private(set) var query: String

    /// - Returns: Nil for anything but `http(s)://host[:port][/path][?query]` in printable ASCII with a host of
    ///   `[A-Za-z0-9._-]` or an address in brackets. What two readers could understand differently is refused: user
    ///   names, backslashes, white space, fragments, control characters.
    public init?(_ text: String) {
        guard text.utf8.count <= 2048, text.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else { return nil }
        guard let separator = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<separator.lowerBound].lowercased()
        guard scheme == "https" || scheme == "http" else { return nil }
        let rest = text[separator.upperBound...]
        guard !rest.contains(where: { "\\@#\"<>^`{|}".contains($0) }) else { return nil }
        let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        guard let (host, port) = Self.hostAndPort(rest[..<authorityEnd]) else { return nil }
        let pathAndQuery = rest[authorityEnd...]
        let queryStart = pathAndQuery.firstIndex(of: "?")
        self.scheme = scheme
        self.host = host
        self.port = port
        path = String(pathAndQuery[..<(queryStart ?? pathAndQuery.endIndex)])
        query = queryStart.map { String(pathAndQuery[pathAndQuery.index(after: $0)...]) } ?? ""
    }

    private static func hostAndPort(_ authority: Substring) -> (String, Int?)? {
        var hostText = authority
        var portText: Substring?
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            hostText = authority[authority.index(after: authority.startIndex)..<end]
            guard hostText.contains(":"), hostText.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else {
                return nil
            }
            let rest = authority[authority.index(after: end)...]
            if !rest.isEmpty {
                guard rest.first == ":" else { return nil }
                portText = rest.dropFirst()
            }
        } else {
            if let colon = authority.firstIndex(of: ":") {
                hostText = authority[..<colon]
                portText = authority[authority.index(after: colon)...]
            }
            guard !hostText.isEmpty, hostText.utf8.count <= 253,
                hostText.utf8.allSatisfy({ $0.isLetterOrDigit || "._-".utf8.contains($0) })
            else { return nil }
        }
        guard let portText else { return (hostText.lowercased(), nil) }
        guard portText.utf8.count <= 5, portText.isDigits, let port = Int(portText),
            1...65_535 ~= port
        else { return nil }
        return (hostText.lowercased(), port)
    }

    /// Whether the host is this machine, an address of a private network, or a name without dots (as containers have).
    public var isNearby: Bool {
        // A number alone, decimal or `0x…`, is an address to some readers.
        if !host.contains(where: { $0 == "." || $0 == ":" }) { return host.first?.isLetter ?? false }
        if host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return false }
        var bytes: [UInt8] = []
        for part in parts {
            // No octal: `010` is eight to some readers and ten to others.
            guard let byte = UInt8(part), String(byte) == part else { return false }
            bytes.append(byte)
        }
        return switch (bytes[0], bytes[1]) {
        case (127, _), (10, _), (192, 168): true
        case (172, 16...31): true
        default: false
        }
    }

    /// This address with more behind its path; a slash at its end is not doubled.
    ///
    /// - Parameters:
    ///   - segments: Each is percent-encoded as one segment.
    ///   - query: Percent-encoded here.
    public func appending(_ segments: String..., query items: [(String, String)] = []) -> OutboundURL {
        var url = self
        for segment in segments { url.append(encodedSegment: Self.encode(segment)) }
        if !items.isEmpty {
            let text = items.map { Self.encode($0.0) + "=" + Self.encode($0.1) }.joined(separator: "&")
            url.query = url.query.isEmpty ? text : url.query + "&" + text
        }
        return url
    }

    /// - Parameter segment: Of the characters that a path may have; not encoded here.
    mutating func append(encodedSegment segment: String) {
        while path.hasSuffix("/") { path.removeLast() }
        path += "/" + segment
    }

    /// https at its own port.
    var isUsualHTTPS: Bool { scheme == "https" && (port ?? standardPort) == standardPort }

    /// Whether a call to `other` ends at the same server: scheme, host and port are those of this address.
    func hasOrigin(of other: OutboundURL) -> Bool {
        (scheme, host, port ?? standardPort) == (other.scheme, other.host, other.port ?? other.standardPort)
    }

    private var standardPort: Int { scheme == "https" ? 443 : 80 }

    /// The whole address. May hold a token: for the call alone, not for logs.
    public var text: String { origin + path + (query.isEmpty ? "" : "?" + query) }

    private var origin: String {
        let shownHost = host.contains(":") ? "[\(host)]" : host
        return scheme + "://" + shownHost + (port.map { ":\($0)" } ?? "")
    }

    /// Percent-encodes everything but RFC 3986's unreserved characters.
    static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            if byte.isLetterOrDigit || "-._~".utf8.contains(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let hex = String(byte, radix: 16, uppercase: true)
                result += hex.utf8.count == 1 ? "%0" + hex : "%" + hex
            }
        }
        return result
    }
}

extension OutboundURL: Redacted {
    /// Scheme, host and port. Path and query may hold a token; see ``text``.
    public var description: String { origin }
}
