internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOHTTP1

/// Stands in front of the routes: what none of them answers, what pages of other origins may read, and faults of ours.
///
/// Under `/api` everything it says has the form of the API; elsewhere it says nothing but the status. A path that is
/// there with another method is answered 405, any other one 404.
struct FrontResponder<Routes: HTTPResponder<ServerContext>>: HTTPResponder {
    let routes: Routes
    let methods: RouteMethods
    let api: APIPlace
    let logger: Logger

    private static var noRoute: String { "没有这个接口。There is no such route." }

    func respond(to request: Request, context: ServerContext) async throws -> Response {
        let path = request.uri.path
        guard api.contains(path) else { return try await answer(request, path, nil, context) }
        let origin = request.headers[.origin]
        let isPreflight =
            request.method == .options && origin != nil && request.headers[.accessControlRequestMethod] != nil
        var response =
            isPreflight && methods[path] != nil
            ? Response(status: .noContent)
            : try await answer(request, path, { Envelope.response($0, $1, nil) }, context)
        for field in api.fields(for: origin) { response.headers[field.name] = field.value }
        if isPreflight, response.headers[.accessControlAllowOrigin] != nil {
            response.headers[.accessControlAllowMethods] = "GET, POST"
            response.headers[.accessControlAllowHeaders] = "authorization, content-type"
            response.headers[.accessControlMaxAge] = "600"
        }
        return response
    }

    /// - Parameter form: Puts a status and what a person reads into the form of the place; nil: nothing but the status.
    private func answer(
        _ request: Request, _ path: String, _ form: ((HTTPResponse.Status, String) -> Response)?,
        _ context: ServerContext
    ) async throws -> Response {
        if let allowed = methods[path] {
            guard allowed.contains(request.method) else {
                var response =
                    form?(.methodNotAllowed, "请求方法不对。The method is not allowed here.")
                    ?? Response(status: .methodNotAllowed)
                response.headers[.allow] = allowed.map(\.rawValue).sorted().joined(separator: ", ")
                return response
            }
        } else if path.hasSuffix("/"), methods[String(path.dropLast())] != nil {
            // The router would take it for the same; who guards a path in front of us need not know that.
            return form?(.notFound, Self.noRoute) ?? Response(status: .notFound)
        } else if let form {
            return form(.notFound, Self.noRoute)
        }
        do {
            return try await routes.respond(to: request, context: context)
        } catch let error as HTTPParserError {
            // The sender broke off, or sent what is no HTTP: the connection's to answer.
            throw error
        } catch {
            // A platform delivers again later, and nobody reads our insides.
            logger.error("request failed", metadata: ["error": "\(error)"])
            var response =
                form?(.serviceUnavailable, "暂时不可用，请稍后再试。Not available now; try again in a moment.")
                ?? Response(status: .serviceUnavailable)
            response.headers[.retryAfter] = "5"
            return response
        }
    }
}

/// The methods of the routes whose path has no parameter.
struct RouteMethods: Sendable {
    private let methods: [String: Set<HTTPRequest.Method>]

    /// - Parameter router: With all its routes.
    init(of router: Router<ServerContext>) {
        var methods: [String: Set<HTTPRequest.Method>] = [:]
        for route in router.routes {
            methods[route.path.description, default: []].insert(route.method)
            if route.method == .get { methods[route.path.description]?.insert(.head) }
        }
        self.methods = methods.filter { path, _ in !path.contains { "{:*".contains($0) } }
    }

    /// Nil for a path that no such route has.
    subscript(path: String) -> Set<HTTPRequest.Method>? { methods[path] }

    /// Such as `GET /healthz`, HEAD left out.
    var descriptions: Set<String> {
        Set(methods.flatMap { path, methods in methods.filter { $0 != .head }.map { "\($0.rawValue) \(path)" } })
    }
}
