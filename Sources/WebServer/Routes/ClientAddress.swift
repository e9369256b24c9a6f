internal import Basics
internal import HTTPTypes
internal import Hummingbird

/// Who is at the other end: the socket's address, or what a configured proxy says.
///
/// - Source: spec.md section 8; hardening.md row 53.
struct ClientAddress: Sendable {
    /// Addresses of proxies, as text.
    let proxies: Set<String>

    /// Behind a proxy the last address in `X-Forwarded-For` that is not a proxy's own: what stands before it, the client
    /// may have written itself.
    ///
    /// - Returns: Empty when it is unknown.
    func of(_ request: Request, peer: String) -> String {
        guard proxies.contains(peer) else { return peer }
        let forwarded = request.headers[values: .xForwardedFor].joined(separator: ",")
        for entry in forwarded.split(separator: ",").reversed() {
            let address = entry.filter { $0 != " " && $0 != "\t" }
            guard address.utf8.count <= 45, address.utf8.allSatisfy({ Self.isPartOfAddress($0) }) else { return peer }
            if !proxies.contains(address) { return address }
        }
        return peer
    }

    private static func isPartOfAddress(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x3A, 0x41...0x46, 0x61...0x66, UInt8(ascii: "."): true
        default: false
        }
    }
}

extension HTTPField.Name {
    fileprivate static let xForwardedFor: HTTPField.Name = {
        guard let name = HTTPField.Name("x-forwarded-for") else { preconditionFailure("a valid header name") }
        return name
    }()
}
