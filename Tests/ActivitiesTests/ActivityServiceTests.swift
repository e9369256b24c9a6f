import Activities
import Basics
import Foundation
import Logging
import Lottery
import SQLiteStore
import TestSupport
import Testing
import TrafficGate

/// Batches: what waits, what goes together, what a fault does.
@Suite(.timeLimit(.minutes(5)))
struct ActivityServiceTests {
    private struct Bench {
        let store: ScriptedStore
        let clock = ManualClock()
        let library = MemoryLibrary(["spring.yaml": .sample()])
        let service: ActivityService

        init(
            capacity: Int = 16_384, minimumAheadCount: Int = 1, interval: Duration = .seconds(3600)
        ) async throws {
            store = try ScriptedStore()
            var limits = ActivityService.Limits()
            limits.queueCapacity = capacity
            limits.minimumAheadCount = minimumAheadCount
            limits.housekeepingInterval = interval
            service = ActivityService(
                store: store, stored: try await store.load(), library: library, limits: limits, clock: clock.read,
                entropy: SeededGenerator(seed: 1), logger: Canary.logger())
        }

        func enqueue(_ command: Command, as user: UserID, key: MessageKey? = nil) -> PendingResponse {
            service.enqueue(.saying(command, as: user, isAdmin: user == admin, key: key))
        }

        func code(of pending: PendingResponse) async throws -> OutcomeCode {
            try await service.response(to: pending).outcome.code
        }

        /// Runs the service beside `body`, which must end it.
        func running(_ body: @Sendable () async throws -> Void) async throws {
            async let run: Void = service.run()
            do {
                try await body()
            } catch {
                service.shutDown()
                await store.script.release()
                throw error
            }
            try await run
        }
    }

    @Test func whoComesWhenTheLineIsFullIsToldBusyAndNothingIsKept() async throws {
        let bench = try await Bench(capacity: 2)
        let key = MessageKey.test("k")
        try await bench.running {
            _ = try await bench.service.submit(.saying(.bind("role"), as: "qq:10", key: key))
            await bench.store.script.hold()
            let first = bench.enqueue(.pool, as: "qq:11")
            try await bench.store.script.untilHolding()
            let second = bench.enqueue(.pool, as: "qq:12")
            let third = bench.enqueue(.pool, as: "qq:13")
            let late = MessageKey.test("late")
            let refused = bench.enqueue(.bind("late"), as: "qq:14", key: late)
            #expect(refused.isDecided)
            #expect(try await bench.code(of: refused) == .busy)
            // Also in front of an answer that is there already; talk is ignored all the same.
            #expect(try await bench.code(of: bench.enqueue(.bind("role"), as: "qq:10", key: key)) == .busy)
            let talk = Request(user: "qq:11", chat: groupChat, role: .player, content: .ignored)
            #expect(try await bench.service.submit(talk).outcome == .ignored)
            await bench.store.script.release()
            for pending in [first, second, third] {
                #expect(try await bench.code(of: pending) == .noActivity)
            }
            let again = bench.enqueue(.bind("late"), as: "qq:14", key: late)
            #expect(try await bench.code(of: again) == .ok)
            bench.service.shutDown()
        }
    }

    @Test func batchesKeepTheOrderOfArrival() async throws {
        let bench = try await Bench()
        try await bench.running {
            _ = try await bench.service.submit(.saying(.importActivity(file: "spring.yaml"), as: admin, isAdmin: true))
            _ = try await bench.service.submit(.saying(.start(activity: "spring"), as: admin, isAdmin: true))
            _ = try await bench.service.submit(
                .saying(.setNumber(activity: nil, award: "gold", number: 1000), as: admin, isAdmin: true))
            await bench.store.script.hold()
            var draws: [PendingResponse] = []
            var ends: [PendingResponse] = []
            for number in 0..<100 {
                let user = UserID("qq:\(1000 + number)")
                _ = bench.enqueue(.bind("role \(number)"), as: user)
                draws.append(bench.enqueue(.draw, as: user))
                // Stands alone between the others.
                if number == 49 { ends.append(bench.enqueue(.stop(activity: nil), as: admin)) }
            }
            await bench.store.script.release()
            var receipts: [Int64?] = []
            var codes: [OutcomeCode] = []
            for draw in draws {
                let outcome = try await bench.service.response(to: draw).outcome
                codes.append(outcome.code)
                receipts.append(outcome.receipt?.seq)
            }
            let before = try await bench.store.wholeLedger(of: "spring").count - 51
            #expect(codes == Array(repeating: .won, count: 50) + Array(repeating: .noActivity, count: 50))
            #expect(receipts.prefix(50).compactMap(\.self) == (0..<50).map { Int64(before + $0) })
            #expect(try await bench.service.response(to: ends[0]).outcome.stopped?.drawCount == 50)
            bench.service.shutDown()
        }
    }

    @Test func aBadCommandNeverFailsItsNeighbours() async throws {
        let bench = try await Bench()
        let key = MessageKey.test("k")
        let pending = [
            bench.enqueue(.importActivity(file: "spring.yaml"), as: admin),
            bench.enqueue(.start(activity: "spring"), as: admin),
            bench.enqueue(.bind("a"), as: "qq:11", key: key), bench.enqueue(.draw, as: "qq:12"),
            bench.enqueue(.bind("b"), as: "qq:11", key: key), bench.enqueue(.stop(activity: "x"), as: "qq:13"),
            bench.enqueue(.verify(Receipt(activity: "x", seq: 1)), as: "qq:11"),
            bench.enqueue(.importActivity(file: "none"), as: admin),
            bench.enqueue(.void(Receipt(activity: "x", seq: 1), reason: "x"), as: admin),
            bench.enqueue(.verify(Receipt(activity: "spring", seq: 0)), as: "qq:11"),
            bench.enqueue(.draw, as: "qq:11"),
        ]
        try await bench.running {
            var codes: [OutcomeCode] = []
            for pending in pending { codes.append(try await bench.code(of: pending)) }
            #expect(
                codes == [
                    .ok, .ok, .ok, .notBound, .badArgument, .notPermitted, .badArgument, .badArgument, .badArgument,
                    .badArgument, .won,
                ])
            bench.service.shutDown()
        }
    }

    @Test(arguments: [ScriptedStore.Failure.reading, .committing])
    func aFailingStoreFailsEverybodyAndEndsTheService(_ failure: ScriptedStore.Failure) async throws {
        let bench = try await Bench()
        let before = (11...20).map { bench.enqueue(.bind("role"), as: UserID("qq:\($0)")) }
        let alone = bench.enqueue(.stop(activity: nil), as: admin)
        let behind = bench.enqueue(.bind("role"), as: "qq:30")
        await bench.store.script.fail(failure)
        await #expect(throws: StoreError.self) { try await bench.service.run() }
        for pending in before + [alone, behind] {
            #expect(pending.isDecided)
            await #expect(throws: StoreError.self) { try await bench.service.response(to: pending) }
        }
        // Whoever comes later is refused, never told success.
        #expect(try await bench.code(of: bench.enqueue(.bind("role"), as: "qq:31")) == .busy)
        #expect(await bench.store.script.changes.isEmpty)
    }

    @Test func theNextBatchIsDecidedMeanwhileAndToldNothingBeforeItIsDurable() async throws {
        let bench = try await Bench()
        let script = bench.store.script
        let pending = (11...20).map { bench.enqueue(.bind("role"), as: UserID("qq:\($0)")) }
        let solitary = bench.enqueue(.stop(activity: nil), as: admin)
        let behind = bench.enqueue(.bind("role"), as: "qq:30")
        // The first is held when it is written and not durable yet.
        await script.holdCommits()
        try await bench.running {
            try await script.untilHolding()
            #expect(await script.overlapCount == 1)
            #expect(!solitary.isDecided && !behind.isDecided && !pending.contains { $0.isDecided })
            await script.release()
            for answer in pending + [behind] { #expect(try await bench.code(of: answer) == .ok) }
            #expect(try await bench.code(of: solitary) == .badArgument)
            bench.service.shutDown()
        }
        #expect(await script.overlapCount >= 2)
    }

    @Test(arguments: [(2, 1), (3, 0)])
    func fewAreDecidedWithTheirOwnBatch(_ minimumAheadCount: Int, _ overlapCount: Int) async throws {
        // Given a batch on its way, and two who wait behind it
        let bench = try await Bench(minimumAheadCount: minimumAheadCount)
        let script = bench.store.script
        let first = bench.enqueue(.stop(activity: nil), as: admin)
        let waiting = (11...12).map { bench.enqueue(.bind("role"), as: UserID("qq:\($0)")) }

        // When all are answered
        try await bench.running { () async throws in
            #expect(try await bench.code(of: first) == .badArgument)
            for pending in waiting { #expect(try await bench.code(of: pending) == .ok) }
            bench.service.shutDown()
        }

        // Then the two were decided while the batch was being made durable only if they were enough
        #expect(await script.overlapCount == overlapCount)
    }

    @Test func whenABatchFailsTheOneDecidedOnItIsToldNothing() async throws {
        let bench = try await Bench()
        let first = bench.enqueue(.bind("role"), as: "qq:11")
        let alone = bench.enqueue(.stop(activity: nil), as: admin)
        let behind = bench.enqueue(.bind("role"), as: "qq:12")
        await bench.store.script.fail(.afterwards)
        await #expect(throws: StoreError.self) { try await bench.service.run() }
        #expect(await bench.store.script.overlapCount == 1)
        for pending in [first, alone, behind] {
            #expect(pending.isDecided)
            await #expect(throws: StoreError.self) { try await bench.service.response(to: pending) }
        }
    }

    @Test func shuttingDownFinishesWhatWasAccepted() async throws {
        let bench = try await Bench()
        let early = (11...15).map { bench.enqueue(.bind("role"), as: UserID("qq:\($0)")) }
        await bench.store.script.hold()
        try await bench.running {
            try await bench.store.script.untilHolding()
            let waiting = [
                bench.enqueue(.stop(activity: nil), as: admin), bench.enqueue(.myBinding, as: "qq:11"),
                bench.enqueue(.traffic, as: admin),
            ]
            bench.service.shutDown()
            #expect(try await bench.code(of: bench.enqueue(.pool, as: "qq:11")) == .busy)
            await bench.store.script.release()
            for pending in early { #expect(try await bench.code(of: pending) == .ok) }
            #expect(try await bench.code(of: waiting[0]) == .badArgument)
            #expect(try await bench.code(of: waiting[1]) == .ok)
            #expect(try await bench.code(of: waiting[2]) == .ok)
        }
        // The gate's table is brought up to date at the end.
        let last = try #require(await bench.store.script.changes.last)
        #expect(last.participants.count == 5)
    }

    @Test func cancellingEndsTheService() async throws {
        let bench = try await Bench()
        let run = Task { try await bench.service.run() }
        _ = try await bench.service.submit(.saying(.pool, as: "qq:11"))
        run.cancel()
        _ = await run.result
        #expect(try await bench.code(of: bench.enqueue(.pool, as: "qq:11")) == .busy)
    }

    // MARK: Without messages

    @Test func theClockIsLookedAtWhenNobodyWrites() async throws {
        let bench = try await Bench(interval: .milliseconds(2))
        bench.library.put(.sample(startsAt: noon.advanced(bySeconds: 60)), as: "spring.yaml")
        try await bench.running {
            _ = try await bench.service.submit(.saying(.importActivity(file: "spring.yaml"), as: admin, isAdmin: true))
            bench.clock.advance(seconds: 60)
            try await bench.store.script.until { $0.audit.contains { $0.action == "schedule.start" } }
            bench.service.shutDown()
        }
    }

    @Test func everyThirtySecondsAStatisticsRowAndTheSessionsAreWritten() async throws {
        let bench = try await Bench()
        try await bench.running {
            for number in 11...13 { _ = try await bench.service.submit(.saying(.pool, as: UserID("qq:\(number)"))) }
            #expect(await bench.store.script.changes.flatMap(\.statistics).isEmpty)
            bench.clock.advance(seconds: 30)
            _ = try await bench.service.submit(.saying(.help(nil), as: "qq:14"))
            let changes = try #require(await bench.store.script.changes.last)
            let row = try #require(changes.statistics.first)
            #expect((row.activeUsers, row.totalRequests, row.rejectedRequests) == (3, 4, 0))
            #expect(row.at == bench.clock.now)
            #expect(changes.participants.map(\.session.text) == ["qq:11", "qq:12", "qq:13"])
            bench.service.shutDown()
        }
    }

    // MARK: Restart

    @Test func sessionsAndTheirOrderOutliveAnEndAndAKill() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "hongbao-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "hongbao.db").path
        let users: [UserID] = ["qq:20", "qq:19", "qq:3", "qq:11"]
        try await TestBench(path: path).running { (bench) async throws -> Void in
            try await bench.command(.setTraffic(key: "max_concurrent_users", value: "1"))
            for user in users { try await bench.send(.pool, as: user) }
        }
        // What happens now is only in the journal when the process dies.
        let killed = try await DecisionBench(path: path)
        try await killed.say(.pool, as: "qq:1")
        try await killed.say(.leave, as: users[0])
        try await killed.store.close()

        try await TestBench(path: path).running { (bench) async throws -> Void in
            #expect(try await bench.send(.queue, as: users[0]).outcome == .ok(.place(isIn: false)))
            #expect(try await bench.send(.queue, as: users[1]).outcome == .ok(.place(isIn: true)))
            #expect(try await bench.send(.queue, as: users[2]).position == 1)
            #expect(try await bench.send(.queue, as: users[3]).position == 2)
            #expect(try await bench.send(.queue, as: "qq:1").position == 3)
            #expect(try await bench.send(.pool, as: "qq:0").position == 4)
        }
    }
}
