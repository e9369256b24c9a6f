internal import HTTPTypes
internal import Hummingbird
internal import Logging

/// Turns a fault of ours into a bare 503, so that a platform delivers again later and nobody reads our insides.
struct UnavailableWhenFailing: RouterMiddleware {
    typealias Context = ServerContext

    let logger: Logger

    func handle(
        _ request: Request, context: ServerContext, next: (Request, ServerContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as any HTTPResponseError {
            return try error.response(from: request, context: context)
        } catch {
            logger.error("request failed", metadata: ["error": "\(error)"])
            return Response(status: .serviceUnavailable, headers: [.retryAfter: "5"])
        }
    }
}
