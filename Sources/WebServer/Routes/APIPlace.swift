internal import HTTPTypes
internal import NIOHTTP1

/// The API's part of the paths, and which pages of other origins may read its answers.
struct APIPlace: Sendable {
    /// `scheme://host[:port]`, compared as they are written. An origin that is not listed gets none of the headers, so
    /// its browser keeps the answer from the page.
    let origins: Set<String>

    /// - Parameter path: Without the query.
    func contains(_ path: some StringProtocol) -> Bool {
        path == "/api" || path.hasPrefix("/api/")
    }

    func fields(for origin: String?) -> HTTPFields {
        guard !origins.isEmpty else { return [:] }
        var fields: HTTPFields = [.vary: "Origin"]
        if let origin, origins.contains(origin) { fields[.accessControlAllowOrigin] = origin }
        return fields
    }

    /// Puts what the connection layer refuses under `/api` into the API's form.
    var refusals: RefusalForm {
        RefusalForm { head, status in
            guard contains(head.uri.prefix { $0 != "?" }) else { return nil }
            let origin = head.headers["origin"]
            let status = HTTPResponse.Status(code: Int(status.code))
            var (fields, body) = Envelope.parts(status, Self.message(for: status), nil)
            for field in self.fields(for: origin.count == 1 ? origin[0] : nil) { fields[field.name] = field.value }
            return (fields, body)
        }
    }

    /// Chinese first, English beside it.
    private static func message(for status: HTTPResponse.Status) -> String {
        switch status {
        case .notFound: "没有这个接口。There is no such route."
        case .methodNotAllowed: "请求方法不对。The method is not allowed here."
        case .requestTimeout: "请求没有按时发完。The request did not come in time."
        case .contentTooLarge: "请求太大。The request is too large."
        case .unsupportedMediaType: "不接受压缩过的请求体。A compressed body is not taken."
        case .expectationFailed: "不支持 Expect。Expect is not supported."
        case .serviceUnavailable: "暂时不可用，请稍后再试。Not available now; try again in a moment."
        default: "不是规范的请求。This is not a proper request."
        }
    }
}
