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
    let refusalLog: RefusalLog
    let logger: Logger

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
            webhookRequest = try await read(
                request, behind: name, maximumBodySize: type(of: endpoint.adapter).maximumBodySize)
        } catch is NIOTooManyBytesError {
            return Response(status: .contentTooLarge)
        }
        let event: WebhookEvent
        let adapter: any PlatformAdapter
        do throws(WebhookFault) {
            (event, adapter) = try endpoint.receive(webhookRequest, now: clock())
        } catch {
            metrics.count(error, endpoint.platform)
            refusalLog.note(error, endpoint.name, now: clock())
            return Self.response(endpoint.adapter.refusal(error, of: webhookRequest))
        }
        switch event {
        case .answer(let response): return Self.response(response)
        case .messages(let messages):
            let asked = messages.compactMap { gateway.ask($0, through: endpoint, hasResponse: true) }
            let deadline = asked.compactMap { adapter.responseDeadlineMilliseconds(for: $0.message) }.min()
            guard let deadline, adapter.sender != nil else {
                return Self.response(adapter.response(to: try await answer(asked, endpoint), now: clock()))
            }
            return try await answer(asked, endpoint, adapter, within: .milliseconds(deadline))
        }
    }

    /// In the order of the messages, all of which are in line already.
    private func answer(_ asked: [MessageGateway.Asked], _ endpoint: Endpoint) async throws -> [AnsweredMessage] {
        var answered: [AnsweredMessage] = []
        var failure: (any Error)?
        for asked in asked {
            do {
                answered.append(try await gateway.answer(asked, through: endpoint))
            } catch {
                // The others' answers may have to go out by calls.
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return answered
    }

    /// The answers, or word that they come later when they are not there in time; then they go out by calls.
    private func answer(
        _ asked: [MessageGateway.Asked], _ endpoint: Endpoint, _ adapter: any PlatformAdapter,
        within deadline: Duration
    ) async throws -> Response {
        let race = ResponseRace()
        // Goes on behind the deadline: what was asked is decided either way.
        Task {
            do {
                let answered = try await answer(asked, endpoint)
                if !race.end(.answered(answered)) { gateway.sayLate(answered, to: asked) }
            } catch {
                if !race.end(.failed(error)) {
                    logger.error(
                        "message not answered, though it was promised",
                        metadata: ["endpoint.name": "\(endpoint.name)", "error": "\(error)"])
                }
            }
        }
        let alarm = Task {
            try await Task.sleep(for: deadline)
            race.end(.late)
        }
        defer { alarm.cancel() }
        switch await race.result {
        case .answered(let answered): return Self.response(adapter.response(to: answered, now: clock()))
        case .failed(let error): throw error
        case .late: return Self.response(adapter.lateResponse(for: asked.map(\.message)))
        }
    }

    private func read(_ request: Request, behind name: String, maximumBodySize: Int) async throws -> WebhookRequest {
        var request = request
        let body = try await request.collectBody(upTo: maximumBodySize)
        return WebhookRequest(
            method: request.method.rawValue, path: Self.rest(of: request.uri.path, behind: name),
            query: request.uri.query.map(QueryText.items) ?? [],
            headers: request.headers.map { ($0.name.canonicalName, $0.value) }, body: Array(body.readableBytesView))
    }

    /// What follows the endpoint's own path, percent-decoded; empty for nothing but a slash.
    private static func rest(of path: String, behind name: String) -> String {
        let own = "/webhook/\(name)"
        guard path.utf8.count > own.utf8.count + 1, path.hasPrefix(own) else { return "" }
        let rest = String(path.dropFirst(own.count))
        return rest.removingPercentEncoding ?? rest
    }

    static func response(_ answer: WebhookResponse) -> Response {
        var headers = HTTPFields()
        if let type = answer.contentType {
            headers[.contentType] = type
            // A challenge is echoed: no browser may take it for anything but text.
            if type.hasPrefix("text/plain") { headers[.xContentTypeOptions] = "nosniff" }
        }
        // A number that a browser would not expect behind it cannot come from an adapter; 500 tells if it did.
        let status = HTTPResponse.Status(code: answer.status)
        guard !answer.body.isEmpty else { return Response(status: status, headers: headers) }
        return Response(
            status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
    }
}
