internal import Activities
internal import Basics
internal import ChatPlatforms
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

/// `/webhook/<endpoint>`: bytes in, verified and decoded by the platform's adapter, answers out.
struct WebhookRoutes: Sendable {
    let endpoints: [String: Endpoint]
    let gateway: MessageGateway
    let clock: WallClock
    let metrics: ServerMetrics
    let logger: Logger
    /// Of one body, in bytes.
    let maximumBodySize: Int

    func add(to router: RouterGroup<ServerContext>) {
        for method in [HTTPRequest.Method.get, .post, .put] {
            router.on(":endpoint", method: method) { request, context in
                try await answer(request, context)
            }
            router.on(":endpoint/**", method: method) { request, context in
                try await answer(request, context)
            }
        }
    }

    private func answer(_ request: Request, _ context: ServerContext) async throws -> Response {
        guard let name = context.parameters.get("endpoint"), let endpoint = endpoints[name] else {
            return Response(status: .notFound)
        }
        let webhookRequest: WebhookRequest
        do {
            webhookRequest = try await read(request, behind: name)
        } catch is NIOTooManyBytesError {
            return Response(status: .contentTooLarge)
        }
        let event: WebhookEvent
        let adapter: any PlatformAdapter
        do throws(WebhookFault) {
            (event, adapter) = try endpoint.receive(webhookRequest, now: clock())
        } catch {
            metrics.count(error, endpoint.platform)
            logger.info(
                "webhook request refused",
                metadata: ["endpoint.name": "\(endpoint.name)", "fault": "\(error.rawValue)"])
            return Self.response(endpoint.adapter.refusal(error))
        }
        switch event {
        case .answer(let response): return Self.response(response)
        case .messages(let messages):
            let answered = try await answer(messages, endpoint)
            return Self.response(adapter.response(to: answered, now: clock()))
        }
    }

    /// In the order of the messages; all are put in line before the first answer is waited for.
    private func answer(
        _ messages: [IncomingMessage], _ endpoint: Endpoint
    ) async throws -> [AnsweredMessage] {
        let asked = messages.compactMap { gateway.ask($0, through: endpoint, hasResponse: true) }
        var answered: [AnsweredMessage] = []
        for asked in asked { answered.append(try await gateway.answer(asked, through: endpoint)) }
        return answered
    }

    private func read(_ request: Request, behind name: String) async throws -> WebhookRequest {
        var request = request
        let body = try await request.collectBody(upTo: maximumBodySize)
        let path = request.uri.path
        let own = "/webhook/\(name)"
        let rest = path.hasPrefix(own) ? String(path.dropFirst(own.count)) : ""
        return WebhookRequest(
            method: request.method.rawValue, path: rest == "/" ? "" : rest.removingPercentEncoding ?? rest,
            query: QueryText.items(of: request.uri.query ?? ""),
            headers: request.headers.map { ($0.name.canonicalName, $0.value) }, body: Array(body.readableBytesView))
    }

    static func response(_ answer: WebhookResponse) -> Response {
        var headers = HTTPFields()
        if let type = answer.contentType { headers[.contentType] = type }
        // A number that a browser would not expect behind it cannot come from an adapter; 500 tells if it did.
        let status = HTTPResponse.Status(code: answer.status)
        guard !answer.body.isEmpty else { return Response(status: status, headers: headers) }
        return Response(
            status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
    }
}

/// The part of an address behind the question mark.
enum QueryText {
    /// Items in order, percent-decoded; `+` stays what it is (RFC 3986). What does not decode to UTF-8 is left out.
    static func items(of text: String) -> [(name: String, value: String)] {
        text.split(separator: "&").prefix(64).compactMap { item in
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = String(parts[0]).removingPercentEncoding,
                let value = parts.count == 2 ? String(parts[1]).removingPercentEncoding : ""
            else { return nil }
            return (name, value)
        }
    }
}
