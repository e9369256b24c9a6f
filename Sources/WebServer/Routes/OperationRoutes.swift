internal import ChatPlatforms
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

/// What a monitor asks: `/healthz`, `/readyz`, `/metrics`.
struct OperationRoutes: Sendable {
    /// What keeps the server from being ready, in English for operators; empty when it is.
    let faults: @Sendable () async -> [String]
    /// The metrics as Prometheus reads them.
    let metricsText: @Sendable () -> String

    func add(to router: Router<ServerContext>) {
        router.get("healthz") { _, _ in Self.text("ok\n") }
        router.get("readyz") { _, _ in
            let faults = await faults()
            if faults.isEmpty { return Self.text("ready\n") }
            return Self.text(faults.map { "\($0)\n" }.joined(), status: .serviceUnavailable)
        }
        router.get("metrics") { _, _ in
            Self.text(metricsText(), type: "text/plain; version=0.0.4; charset=utf-8")
        }
    }

    private static func text(
        _ text: String, status: HTTPResponse.Status = .ok, type: String = "text/plain; charset=utf-8"
    ) -> Response {
        Response(
            status: status, headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
