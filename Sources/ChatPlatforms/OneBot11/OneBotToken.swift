internal import Basics

/// The access token with which a OneBot implementation shows who it is, in the header or as a query item.
///
/// - Source: platforms.md sections 1 and 2.
struct OneBotToken: Sendable {
    let value: String
    /// In lower case.
    let schemes: Set<String>

    /// - Throws: `missingToken`, `badToken`. Where the token stands in several places, each must be right.
    func verify(_ request: WebhookRequest) throws(WebhookFault) {
        var tokens: [Substring] = []
        for header in request.headers where areEqualBytes(header.name, "authorization") {
            guard let space = header.value.firstIndex(of: " "),
                schemes.contains(header.value[..<space].lowercased())
            else { throw .missingToken }
            tokens.append(header.value[header.value.index(after: space)...])
        }
        for item in request.query where areEqualBytes(item.name, "access_token") { tokens.append(item.value[...]) }
        guard !tokens.isEmpty else { throw .missingToken }
        for token in tokens {
            guard SecretBytes.areEqual(token.utf8, value.utf8) else { throw .badToken }
        }
    }
}
