internal import Activities
internal import Basics
internal import ChatCommands
internal import Foundation
internal import Logging
internal import OperatorSettings
internal import SQLiteStore
internal import ServiceLifecycle
internal import UnixSignals

#if canImport(Glibc)
    // Which module owns the C library's structures depends on the order in which files are compiled.
    internal import CDispatch
    internal import CoreFoundation
    internal import Glibc
#endif

/// What every command that decides something needs, put together.
struct Runtime {
    let store: SQLiteStore
    let service: ActivityService
    let words: ReplyWriter
    let logger: Logger

    /// Opens the database and makes the service. Nothing runs yet.
    ///
    /// - Throws: An ``OperatorMessage``.
    init(
        _ configuration: HongbaoConfiguration, folders: any ActivityLibrary,
        onNotice: (@Sendable (ActivityStateMachine.Notice) -> Void)? = nil,
        onBatch: (@Sendable (BatchReport) -> Void)? = nil
    ) async throws {
        var logger = Logger(label: "hongbao") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = configuration.logLevel
        self.logger = logger
        words = try configuration.replyWriter()
        do {
            store = try SQLiteStore(path: configuration.database, logger: logger)
            let stored = try await store.load()
            service = ActivityService(
                store: store, stored: stored, library: folders, clock: Self.now, logger: logger, onNotice: onNotice,
                onBatch: onBatch)
        } catch {
            throw OperatorMessage.describing(error)
        }
    }

    /// The system's clock.
    static let now: WallClock = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// Runs `body` beside the service until it ends or the process is told to stop; then finishes what was accepted
    /// and closes the file.
    ///
    /// When the store fails, `body` is told to stop as well; it should then end by itself within 20 seconds.
    ///
    /// - Throws: After the end. An ``OperatorMessage`` for what the store threw, or else for what `body` threw.
    func run<Result: Sendable>(_ body: @escaping @Sendable (Runtime) async throws -> Result) async throws -> Result {
        let client = Client(runtime: self, body: body)
        try await run([.init(service: client, successTerminationBehavior: .gracefullyShutdownGroup)])
        do {
            return try await client.result()
        } catch {
            throw OperatorMessage.describing(error)
        }
    }

    /// Runs `services` beside the service until the process is told to stop; then they are stopped, the last first,
    /// what was accepted is finished, and the file is closed.
    ///
    /// - Throws: After the end. An ``OperatorMessage`` for what the store or a service threw.
    func run(services: [any Service]) async throws {
        try await run(services.map { .init(service: $0, failureTerminationBehavior: .gracefullyShutdownGroup) })
    }

    private func run(_ services: [ServiceGroupConfiguration.ServiceConfiguration]) async throws {
        var configuration = ServiceGroupConfiguration(
            services: [.init(service: service, failureTerminationBehavior: .gracefullyShutdownGroup)] + services,
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(20)
        configuration.maximumCancellationDuration = .seconds(5)
        do {
            try await ServiceGroup(configuration: configuration).run()
            try await store.close()
        } catch {
            try? await store.close()
            throw OperatorMessage.describing(error)
        }
    }
}

/// Who asks the service. It ends the group by returning, also after a refusal: an error thrown inside the group would
/// cancel the service before its last batch.
private final class Client<Result: Sendable>: Service {
    private let runtime: Runtime
    private let body: @Sendable (Runtime) async throws -> Result
    private let results: AsyncStream<Swift.Result<Result, any Error>>
    private let sink: AsyncStream<Swift.Result<Result, any Error>>.Continuation

    init(runtime: Runtime, body: @escaping @Sendable (Runtime) async throws -> Result) {
        self.runtime = runtime
        self.body = body
        (results, sink) = AsyncStream.makeStream()
    }

    func run() async throws {
        do {
            sink.yield(.success(try await body(runtime)))
        } catch {
            sink.yield(.failure(error))
        }
        sink.finish()
    }

    func result() async throws -> Result {
        for await result in results { return try result.get() }
        throw CancellationError()
    }
}
