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
        // Whoever calls tries again later, with pauses.
        configuration.connectionPool.retryConnectionEstablishment = false
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Makes the call.
    ///
    /// - Parameter allowedHosts: In lower case. A call towards any other is not made.
    /// - Returns: Nil when it could not be made or was not answered in time: whether it was heard is unknown. Without a
    ///   body when that is too large, breaks off or takes too long: what the status says is known.
    func make(_ call: OutboundCall, allowedHosts: Set<String>) async -> OutboundAnswer? {
        guard allowedHosts.contains(call.url.host), call.url.scheme == "https" || call.url.isNearby else {
            return OutboundAnswer(status: 403)
        }
        var request = HTTPClientRequest(url: call.url.text)
        request.method = .init(rawValue: call.method)
        for (name, value) in call.headers { request.headers.add(name: name, value: value) }
        if !call.body.isEmpty { request.body = .bytes(call.body) }
        do {
            let end = ContinuousClock.now + .nanoseconds(Self.totalTimeout.nanoseconds)
            let response = try await client.execute(request, timeout: Self.totalTimeout)
            let body = await Self.body(of: response, until: end)
            var headers: [String: String] = [:]
            for (name, value) in response.headers where headers[name.lowercased()] == nil {
                headers[name.lowercased()] = value
            }
            return OutboundAnswer(
                status: Int(response.status.code), headers: headers, body: body)
        } catch {
            return nil
        }
    }

    /// The client's own limit of time ends with the head of an answer.
    private static func body(of response: HTTPClientResponse, until end: ContinuousClock.Instant) async -> [UInt8] {
        await withTaskGroup(of: [UInt8].self) { group in
            group.addTask {
                let body = try? await response.body.collect(upTo: maximumAnswerSize)
                return body.map { Array($0.readableBytesView) } ?? []
            }
            group.addTask {
                try? await Task.sleep(until: end, clock: .continuous)
                return []
            }
            let body = await group.next()
            group.cancelAll()
            return body ?? []
        }
    }

    func shutDown() async {
        try? await client.shutdown()
    }
}
