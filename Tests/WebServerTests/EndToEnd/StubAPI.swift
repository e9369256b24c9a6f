import HTTPTypes
import Hummingbird
import Logging
import NIOConcurrencyHelpers
import NIOCore
import ServiceLifecycle

/// A server that stands for a platform's API: it notes what it was asked and answers as the test says.
struct StubAPI: Sendable {
    let port: Int
    private let seen: NIOLockedValueBox<[PeerRequest]>

    var url: String { "http://127.0.0.1:\(port)" }
    var calls: [PeerRequest] { seen.withLockedValue { $0 } }

    static func run<Value: Sendable>(
        answer: @escaping @Sendable (PeerRequest, Int) async -> PeerResponse,
        _ body: (StubAPI) async throws -> Value
    ) async throws -> Value {
        let seen = NIOLockedValueBox<[PeerRequest]>([])
        let (ports, found) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "stub") { _ in SwiftLogNoOpLogHandler() }
        logger.logLevel = .critical
        let responder = CallbackResponder { (request: Request, _: BasicRequestContext) in
            var request = request
            let body = try await request.collectBody(upTo: 1 << 20)
            var headers: [String: String] = [:]
            for field in request.headers { headers[field.name.canonicalName] = field.value }
            let call = PeerRequest(
                method: request.method.rawValue, path: request.uri.description, headers: headers,
                body: Array(body.readableBytesView))
            let number = seen.withLockedValue { seen in
                seen.append(call)
                return seen.count
            }
            let answer = await answer(call, number)
            var fields = HTTPFields()
            for (name, value) in answer.headers { if let name = HTTPField.Name(name) { fields[name] = value } }
            return Response(
                status: .init(code: answer.status), headers: fields,
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
        }
        let application = Application(
            responder: responder, configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { found.yield($0.localAddress?.port ?? 0) }, logger: logger)
        let group = ServiceGroup(configuration: .init(services: [.init(service: application)], logger: logger))
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var port = 0
            for await found in ports {
                port = found
                break
            }
            do {
                let result = try await body(StubAPI(port: port, seen: seen))
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                return result
            } catch {
                await group.triggerGracefulShutdown()
                throw error
            }
        }
    }
}
