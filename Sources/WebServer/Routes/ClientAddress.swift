internal import Basics
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// Who is at the other end: the socket's address, or what a configured proxy says in `X-Forwarded-For`. `Forwarded` is
/// not read from anybody.
///
/// - Source: spec.md section 8; hardening.md row 53.
struct ClientAddress: Sendable {
    private let proxies: Set<String>

    /// - Parameter proxies: Addresses of proxies, as text.
    init(proxies: Set<String>) {
        self.proxies = Set(proxies.compactMap(Self.canonical))
    }

    /// Behind a proxy the last address in `X-Forwarded-For` that is not a proxy's own: what stands before it, the client
    /// may have written itself.
    ///
    /// - Returns: In its one spelling; empty when it is unknown.
    func of(_ request: Request, peer: String) -> String {
        let peer = Self.canonical(peer) ?? peer
        guard proxies.contains(peer) else { return peer }
        let forwarded = request.headers[values: .xForwardedFor].joined(separator: ",")
        for entry in forwarded.split(separator: ",").reversed() {
            guard let address = Self.address(in: entry) else { return peer }
            if !proxies.contains(address) { return address }
        }
        return peer
    }

    /// An entry's address without its port: `1.2.3.4`, `1.2.3.4:55`, `::1`, `[::1]`, `[::1]:80`. Nil for anything else.
    private static func address(in entry: Substring) -> String? {
        let entry = entry.trimmingPrefix { $0 == " " || $0 == "\t" }
        guard let match = entry.wholeMatch(of: /(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+))(?::[0-9]{1,5})?[ \t]*/) else {
            guard let match = entry.wholeMatch(of: /([0-9A-Fa-f:.]+)[ \t]*/) else { return nil }
            return canonical(String(match.1))
        }
        return (match.1 ?? match.2).flatMap { canonical(String($0)) }
    }

    /// An address in its one spelling. What an IPv6 socket calls `::ffff:10.0.0.1` is the IPv4 address.
    private static func canonical(_ text: String) -> String? {
        guard let address = (try? SocketAddress(ipAddress: text, port: 0))?.ipAddress else { return nil }
        let mapped = "::ffff:"
        return address.hasPrefix(mapped) && address.contains(".") ? String(address.dropFirst(mapped.count)) : address
    }
}

extension HTTPField.Name {
    fileprivate static let xForwardedFor: HTTPField.Name = {
        guard let name = HTTPField.Name("x-forwarded-for") else { preconditionFailure("a valid header name") }
        return name
    }()
}
