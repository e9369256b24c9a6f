internal import Basics

/// A token with which whoever sends shows who it is: `Authorization: <scheme> <token>`.
struct BearerToken: Sendable {
    let secret: Secret
    /// In lower case; in a request the case does not matter.
    var schemes: Set = ["bearer"]
    /// Whether a query item `access_token` is taken, too.
    var mayStandInQuery = false

    /// - Throws: `missingToken` without a token, and for another scheme; `badToken`. Where the token stands in several
    ///   places, each must be right.
    func verify(_ request: WebhookRequest) throws(WebhookFault) {
        var tokens: [String] = []
        for header in request.headers where header.name == "authorization" {
            guard let space = header.value.firstIndex(of: " "), schemes.contains(header.value[..<space].lowercased())
            else { throw .missingToken }
            // Not trimmed: what stands behind the first space is the token.
            tokens.append(String(header.value[header.value.index(after: space)...]))
        }
        if mayStandInQuery {
            tokens += request.query.filter { areEqualBytes($0.name, "access_token") }.map(\.value)
        }
        guard !tokens.isEmpty else { throw .missingToken }
        for token in tokens {
            guard SecretBytes.areEqual(token, secret) else { throw .badToken }
        }
    }
}
