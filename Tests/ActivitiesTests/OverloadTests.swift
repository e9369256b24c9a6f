import Activities
import Basics
import SQLiteStore
import TestSupport
import Testing

/// More than the service can hold, in front of a disk that is slow, and of one that is full: whoever cannot wait is told so
/// at once, and what waits is bounded.
@Suite(.timeLimit(.minutes(5)))
struct OverloadTests {
    private static let capacity = 100
    private static let batchCount = 50
    /// What the queue holds, a batch that is being told its answers, one that is being made durable, and the one that is
    /// decided behind it.
    private static let mostWaiting = capacity + 3 * batchCount

    private func service(on store: some Store) async throws -> ActivityService {
        var limits = ActivityService.Limits()
        limits.queueCapacity = Self.capacity
        limits.maximumBatchCount = Self.batchCount
        return ActivityService(
            store: store, stored: try await store.load(), library: MemoryLibrary(), limits: limits,
            clock: ManualClock().read, entropy: SeededGenerator(seed: 1), logger: Canary.logger())
    }

    /// Runs the service beside `body`, and ends it.
    private func running(_ service: ActivityService, _ body: () async throws -> Void) async throws {
        async let run: Void = service.run()
        do {
            try await body()
        } catch {
            service.shutDown()
            throw error
        }
        service.shutDown()
        try await run
    }

    private func bind(_ number: Int, in service: ActivityService) -> PendingResponse {
        service.enqueue(.saying(.bind("role"), as: UserID("qq:\(1000 + number)")))
    }

    private func code(of pending: PendingResponse, in service: ActivityService) async throws -> OutcomeCode {
        try await service.response(to: pending).outcome.code
    }

    /// Ten times as many as may wait come together, while each batch takes a second.
    @Test func tenTimesWhatMayWaitIsAnsweredAtOnceOrInItsTurn() async throws {
        let store = SlowStore(try SQLiteStore(), pause: .seconds(1))
        let service = try await service(on: store)
        try await running(service) {
            let crowd = (0..<10 * Self.capacity).map { bind($0, in: service) }
            // Nothing was durable yet, so who has an answer was refused.
            let areRefused = crowd.map(\.isDecided)
            let refused = zip(crowd, areRefused).filter(\.1).map(\.0)
            let taken = zip(crowd, areRefused).filter { !$0.1 }.map(\.0)
            #expect(refused.count >= crowd.count - Self.mostWaiting)
            #expect(service.waitingCount <= Self.capacity)
            var codes: [OutcomeCode: Int] = [:]
            for pending in refused { codes[try await code(of: pending, in: service), default: 0] += 1 }
            #expect(codes == [.busy: refused.count])
            for pending in taken { #expect(try await code(of: pending, in: service) == .ok) }
            // A batch holds half of those that wait at least, but for the last ones.
            #expect((1...15).contains(store.commitCount))
            // What was refused left nothing behind: there is room again, and it can be done now.
            #expect(try await code(of: bind(crowd.count - 1, in: service), in: service) == .ok)
        }
    }

    /// For as long as it lasts: whoever is answered, or refused, is replaced at once.
    @Test func aFloodThatGoesOnLetsNoMoreWait() async throws {
        let store = SlowStore(try SQLiteStore(), pause: .milliseconds(100))
        let service = try await service(on: store)
        try await running(service) {
            var waiting: [PendingResponse] = []
            var (refusedCount, answeredCount, number) = (0, 0, 0)
            // Until many times what may wait has been through.
            while answeredCount < 5 * Self.mostWaiting {
                for _ in 0..<1000 {
                    number += 1
                    let pending = bind(number, in: service)
                    if pending.isDecided { refusedCount += 1 } else { waiting.append(pending) }
                    #expect(service.waitingCount <= Self.capacity)
                }
                answeredCount += waiting.count(where: \.isDecided)
                waiting.removeAll(where: \.isDecided)
                #expect(waiting.count <= Self.mostWaiting)
                try await Task.sleep(for: .milliseconds(5))
            }
            #expect(refusedCount > 10 * answeredCount)
            for pending in waiting { #expect(try await code(of: pending, in: service) == .ok) }
        }
        #expect(service.waitingCount == 0)
    }

    /// The disk is full: nobody of the crowd is told success, and nobody is left waiting.
    @Test func aCrowdBeforeAFullDiskIsRefusedOrFailed() async throws {
        let store = try ScriptedStore()
        let service = try await service(on: store)
        await store.script.fail(.committing)
        let crowd = (0..<10 * Self.capacity).map { bind($0, in: service) }
        #expect(crowd.count(where: \.isDecided) == crowd.count - Self.capacity)
        await #expect(throws: StoreError.self) { try await service.run() }
        var (failed, busy) = (0, 0)
        for pending in crowd {
            #expect(pending.isDecided)
            do {
                #expect(try await code(of: pending, in: service) == .busy)
                busy += 1
            } catch let error as StoreError {
                #expect(error.code == .full)
                failed += 1
            }
        }
        #expect((failed, busy) == (Self.capacity, crowd.count - Self.capacity))
        #expect(service.waitingCount == 0)
        #expect(try await code(of: bind(0, in: service), in: service) == .busy)
    }
}
