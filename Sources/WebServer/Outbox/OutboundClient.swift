internal import AsyncHTTPClient
internal import ChatPlatforms
internal import NIOCore
internal import NIOHTTP1

/// Calls platforms' APIs. Bounded in time and size; follows no redirect, asks no proxy, unpacks nothing.
///
/// - Source: hardening.md section 3.4.
struct OutboundClient: Sendable {
    static let connectTimeout = TimeAmount.seconds(3)
    static let totalTimeout = TimeAmount.seconds(10)
    static let maximumAnswerSize = 64 * 1024

    private let client: HTTPClient

    init() {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: HTTPClient.Configuration.Timeout(connect: Self.connectTimeout, read: Self.totalTimeout),
            proxy: nil, decompression: .disabled)
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Makes the call.
    ///
    /// - Parameter allowedHosts: In lower case. A call towards any other is not made.
    /// - Returns: Nil when it could not be made or was not answered in time: whether it was heard is unknown.
    func make(_ call: OutboundCall, allowedHosts: Set<String>) async -> OutboundAnswer? {
        guard allowedHosts.contains(call.url.host), call.url.scheme == "https" || call.url.isNearby else {
            return OutboundAnswer(status: 403)
        }
        var request = HTTPClientRequest(url: call.url.text)
        request.method = .init(rawValue: call.method)
        for (name, value) in call.headers { request.headers.add(name: name, value: value) }
        if !call.body.isEmpty { request.body = .bytes(call.body) }
        do {
            let response = try await client.execute(request, timeout: Self.totalTimeout)
            let body = try await response.body.collect(upTo: Self.maximumAnswerSize)
            var headers: [String: String] = [:]
            for (name, value) in response.headers where headers[name.lowercased()] == nil {
                headers[name.lowercased()] = value
            }
            return OutboundAnswer(
                status: Int(response.status.code), headers: headers, body: Array(body.readableBytesView))
        } catch {
            return nil
        }
    }

    func shutDown() async {
        try? await client.shutdown()
    }
}
