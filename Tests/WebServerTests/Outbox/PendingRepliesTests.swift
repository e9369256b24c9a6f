import Activities
import Basics
import ChatPlatforms
import Logging
import Lottery
import NIOConcurrencyHelpers
import SQLiteStore
import ServiceLifecycle
import TestSupport
import Testing

@testable import WebServer

/// What the outbox takes from the store, and in which order: without sockets.
struct PendingRepliesTests {
    /// Notes what it is to say, once it may.
    private struct Recorder: ReplyTransport {
        let limits = ReplyQueueTests.limits(text: 100_000, window: 100_000)
        let isOpen = NIOLockedValueBox(true)
        let texts = NIOLockedValueBox<[String]>([])

        var said: [String] { texts.withLockedValue { $0 } }

        func send(_ replies: [OutgoingReply]) async -> DeliveryResult {
            while !isOpen.withLockedValue({ $0 }) { try? await Task.sleep(for: .milliseconds(10)) }
            texts.withLockedValue { $0 += replies.map(\.text) }
            return .delivered
        }
    }

    /// Takes its time to hand out what is pending.
    private struct LateStore: StoreAround {
        let store: SlowStore
        let pause: Duration

        func pendingReplies(through endpoint: String, limit: Int) async throws -> [ProcessedMessage] {
            let found = try await store.pendingReplies(through: endpoint, limit: limit)
            try await Task.sleep(for: pause)
            return found
        }
    }

    private struct Scene: Sendable {
        let service: ActivityService
        let dispatcher: ReplyDispatcher
        let recorder: Recorder
        /// Of the endpoint `f`.
        let other: Recorder
        let disk: SlowStore
        let clock: ManualClock

        /// Decides a message, as the gateway does.
        func decide(_ number: Int, through endpoint: String = "e") async throws -> @Sendable () -> Void {
            let address = StoredAddress(
                endpoint: endpoint, address: ReplyAddress(chat: "c", isPrivate: false, user: "u\(number)"))
            let key = try PendingRepliesTests.message(number)
            let gameID = try #require(GameID("甲\(number)"))
            let request = Request(
                user: UserID("t:u\(number)"), chat: ChatID("t:c"), role: .player, key: key,
                content: .command(.bind(gameID)), route: .call(address.destination))
            let outcome = try await service.submit(request).outcome
            return {
                dispatcher.send(PendingRepliesTests.text(outcome), to: address, answering: key, decidedAt: clock.now)
            }
        }
    }

    private static func message(_ number: Int) throws -> MessageKey {
        try #require(MessageKey(sentAt: nil, text: "m\(100_000 + number)"))
    }

    private static func text(_ outcome: Outcome) -> String {
        if case .ok(.bound(let gameID, _)) = outcome { gameID } else { "\(outcome)" }
    }

    /// - Parameter start: Starts the outbox.
    private func run(
        pause: Duration = .zero, _ body: (Scene, _ start: @Sendable () -> Void) async throws -> Void
    ) async throws {
        let clock = ManualClock()
        let disk = SlowStore(try SQLiteStore())
        let store = LateStore(store: disk, pause: pause)
        let logger = Canary.logger()
        let service = ActivityService(
            store: store, stored: try await store.load(), library: MemoryLibrary(), clock: clock.read,
            entropy: SeededGenerator(seed: 1), logger: logger)
        let (recorder, other) = (Recorder(), Recorder())
        let dispatcher = ReplyDispatcher(
            service: service, transports: ["e": recorder, "f": other], platforms: [:], words: Self.text,
            clock: clock.read,
            metrics: ServerMetrics(platforms: [], factory: PrometheusRegistry(help: [:])), logger: logger)
        let (starts, starter) = AsyncStream.makeStream(of: Void.self)
        let first = ServiceGroup(services: [service], logger: logger)
        let second = ServiceGroup(services: [dispatcher], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await first.run() }
            group.addTask {
                for await _ in starts { break }
                try await second.run()
            }
            try await body(
                Scene(
                    service: service, dispatcher: dispatcher, recorder: recorder, other: other, disk: disk,
                    clock: clock),
                { starter.yield() })
            await second.triggerGracefulShutdown()
            await first.triggerGracefulShutdown()
            try await group.waitForAll()
        }
        try await store.close()
    }

    @Test func whatIsDecidedWhileTheStoreIsReadComesBehind() async throws {
        try await run(pause: .milliseconds(500)) { scene, start in
            for number in 1...20 { _ = try await scene.decide(number) }
            start()
            for number in 21...40 {
                try await scene.decide(number)()
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(await eventually { scene.recorder.said.count >= 40 })
            #expect(scene.recorder.said == (1...40).map { "甲\($0)" })
        }
    }

    /// A message may be decided though whoever asked was given an error.
    @Test func whatNobodyHandedOverIsFoundAgain() async throws {
        try await run { scene, start in
            start()
            try await scene.decide(1)()
            #expect(await eventually { scene.recorder.said == ["甲1"] })
            _ = try await scene.decide(2)
            scene.dispatcher.lookAgain("e")
            #expect(await eventually { scene.recorder.said == ["甲1", "甲2"] })
        }
    }

    @Test func anEndpointThatIsDownDoesNotStopAnother() async throws {
        try await run { scene, start in
            scene.recorder.isOpen.withLockedValue { $0 = false }
            start()
            for first in stride(from: 1, through: ReplyDispatcher.capacity + 500, by: 500) {
                let tellers = try await withThrowingTaskGroup(of: (@Sendable () -> Void).self) { group in
                    for number in first..<first + 500 { group.addTask { try await scene.decide(number) } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                for tell in tellers { tell() }
            }
            try await scene.decide(9_000, through: "f")()
            #expect(await eventually { scene.other.said == ["甲9000"] })
            scene.recorder.isOpen.withLockedValue { $0 = true }
        }
    }

    /// As long as there is load there is a note on its way, and memory must not grow with the time since it began.
    @Test func whatTheStoreKnowsIsForgottenWhileOtherNotesAreOnTheirWay() async throws {
        try await run { scene, start in
            let dispatcher = scene.dispatcher
            let (first, second) = (try Self.message(1), try Self.message(2))
            start()
            try await scene.decide(1)()
            let tellSecond = try await scene.decide(2)
            #expect(await eventually { scene.recorder.said == ["甲1"] && scene.service.hasWrittenNotes })
            // Looked at, so that the next look is half a minute away.
            scene.clock.advance(seconds: 40)
            dispatcher.ring()
            try await Task.sleep(for: .milliseconds(100))
            #expect(dispatcher.isSending(first))

            scene.disk.hang()
            scene.clock.advance(seconds: 25)
            tellSecond()
            #expect(await eventually { scene.recorder.said == ["甲1", "甲2"] && !scene.service.hasWrittenNotes })
            scene.clock.advance(seconds: 90)
            dispatcher.ring()
            #expect(await eventually { !dispatcher.isSending(first) })
            // The store would call it pending.
            #expect(dispatcher.isSending(second))

            scene.disk.recover()
            #expect(await eventually { scene.service.hasWrittenNotes })
            scene.clock.advance(seconds: 90)
            dispatcher.ring()
            #expect(await eventually { !dispatcher.isSending(second) })
            #expect(scene.recorder.said == ["甲1", "甲2"])
        }
    }

    /// More is decided while the store is read than memory holds: it comes from there, once, in order.
    @Test func moreThanMemoryHoldsMayBeDecidedWhileTheStoreIsRead() async throws {
        let count = ReplyDispatcher.capacity + 600
        try await run(pause: .seconds(2)) { scene, start in
            var tellers: [@Sendable () -> Void] = []
            for first in stride(from: 1, through: count, by: 100) {
                tellers += try await withThrowingTaskGroup(of: (Int, @Sendable () -> Void).self) { group in
                    for number in first..<first + 100 { group.addTask { (number, try await scene.decide(number)) } }
                    return try await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
                }
            }
            start()
            // Being read: from what was decided on, so that the store had it all.
            try await Task.sleep(for: .milliseconds(200))
            for tell in tellers { tell() }
            #expect(await eventually { scene.recorder.said.count >= count })
            #expect(scene.recorder.said.count == count && Set(scene.recorder.said).count == count)
        }
    }

    /// What does not fit into memory is taken from the store, and nothing overtakes it.
    @Test func moreThanMemoryHoldsIsSaidOnceInOrder() async throws {
        let count = ReplyDispatcher.capacity + 3000
        try await run { scene, start in
            scene.recorder.isOpen.withLockedValue { $0 = false }
            start()
            for first in stride(from: 1, through: count, by: 500) {
                // Together, so that few commits are needed; told in order.
                let tellers = try await withThrowingTaskGroup(of: (Int, @Sendable () -> Void).self) { group in
                    for number in first..<min(first + 500, count + 1) {
                        group.addTask { (number, try await scene.decide(number)) }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }
                }
                for (_, tell) in tellers { tell() }
            }
            scene.recorder.isOpen.withLockedValue { $0 = true }
            #expect(await eventually { scene.recorder.said.count >= count })
            let said = scene.recorder.said
            #expect(said.count == count && Set(said).count == count)
            // Those of one batch are decided in the order of their arrival, which here is any.
            let numbers = said.compactMap { Int($0.dropFirst()) }
            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { ($0 - 1) / 500 <= ($1 - 1) / 500 })
        }
    }
}
