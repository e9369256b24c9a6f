extension WebhookRequest {
    /// The largest body that is read, in bytes, where a platform has no other.
    static let maximumBodySize = 1 << 20

    /// The body as a JSON object. Only after the request was verified.
    ///
    /// - Throws: `wrongMediaType`, `malformedBody`.
    func jsonBody() throws(WebhookFault) -> JSONObject {
        guard isOfType("application/json") else { throw .wrongMediaType }
        return try Self.jsonObject(body)
    }

    /// A JSON object that a request brought.
    ///
    /// - Throws: `malformedBody`.
    static func jsonObject(_ bytes: [UInt8]) throws(WebhookFault) -> JSONObject {
        guard let object = (try? StrictJSON.parse(bytes, maximumSize: maximumBodySize))?.objectValue else {
            throw .malformedBody
        }
        return object
    }

    /// Refuses whatever stands behind the endpoint's own path, and any method but POST.
    func requireOwnPOST() throws(WebhookFault) {
        try requireOwnPath()
        if method != "POST" { throw .wrongMethod }
    }

    /// Refuses whatever stands behind the endpoint's own path.
    func requireOwnPath() throws(WebhookFault) {
        if !path.isEmpty { throw .unknownPath }
    }
}
