internal import Basics

extension WebhookRequest {
    /// The largest body that is read, in bytes.
    static let maximumBodySize = 1 << 20

    /// The token behind `Authorization: <scheme> `; the scheme's case does not matter.
    ///
    /// - Parameter schemes: In lower case.
    /// - Throws: `missingToken` without the header, with another scheme, or with an empty token.
    func bearerToken(schemes: Set<String> = ["bearer"]) throws(WebhookFault) -> String {
        guard let value = header("authorization"), let space = value.firstIndex(of: " "),
            schemes.contains(value[..<space].lowercased())
        else { throw .missingToken }
        let token = String(value[value.index(after: space)...])
        guard !token.isEmpty else { throw .missingToken }
        return token
    }

    /// The body as a JSON object. Only after the request was verified.
    ///
    /// - Throws: `wrongMediaType`, `malformedBody`.
    func jsonBody() throws(WebhookFault) -> JSONObject {
        guard isOfType("application/json") else { throw .wrongMediaType }
        guard let object = (try? StrictJSON.parse(body, maximumSize: Self.maximumBodySize))?.objectValue else {
            throw .malformedBody
        }
        return object
    }

    /// Refuses any method but POST.
    func requirePOST() throws(WebhookFault) {
        if method != "POST" { throw .wrongMethod }
    }

    /// Refuses whatever stands behind the endpoint's own path.
    func requireOwnPath() throws(WebhookFault) {
        if !path.isEmpty { throw .unknownPath }
    }
}

extension String {
    /// Without white space at both ends, U+3000 included.
    var trimmed: String {
        let scalars = unicodeScalars
        guard let start = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let end = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[start...end])
    }
}
