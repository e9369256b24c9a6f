internal import Activities
internal import Basics
internal import Logging
internal import NIOConcurrencyHelpers
internal import SQLiteStore
internal import TrafficGate

/// What players look at when very many have won and very many wait: each look beside one draw of those that filled the
/// file.
struct ReadingBenchmark: Benchmark {
    let name = "reading"

    private struct Look {
        let title: String
        let user: UserID
        let command: Command
        let isRight: (Outcome) -> Bool
    }

    func figures(_ settings: BenchmarkSettings) async throws -> [Figure] {
        let winnerCount = settings.scaled(1_000_000, atLeast: 100)
        let queuedCount = settings.scaled(100_000)
        let path = settings.folder + "/hongbao.db"
        BenchActivity.removeDatabase(path)
        defer { BenchActivity.removeDatabase(path) }
        var generator = SeededGenerator(seed: 1)
        let winners = (0..<winnerCount).map { _ in UserID("qq:\(generator.next() as UInt64)") }
        let waiting = (0..<queuedCount).map { _ in UserID("qq:\(generator.next() as UInt64)") }
        let clockAdvance = NIOLockedValueBox<Int64>(0)
        let batchCount = NIOLockedValueBox(0)
        let store = try SQLiteStore(path: path)
        try await BenchActivity.bind(winners + waiting, in: store)
        let service = ActivityService(
            store: store, stored: try await store.load(), library: BenchActivity.library,
            clock: { BenchActivity.clock().advanced(bySeconds: clockAdvance.withLockedValue { $0 }) },
            logger: Logger(label: "bench"), onBatch: { _ in batchCount.withLockedValue { $0 += 1 } })

        let figures = try await withThrowingTaskGroup(of: Void.self, returning: [Figure].self) { group in
            group.addTask { try await service.run() }
            try await BenchActivity.open(in: service)
            let (_, drawing) = try await timed { try await DrawBenchmark.draw(winners, 256, service) }
            let drawMicroseconds = drawing / Double(winnerCount) * 1_000_000
            try await fillQueue(waiting, service)

            // The gate's next tick writes everybody, in batches that a look would wait for. It comes now, and is over when
            // only the clock is left to be looked at.
            clockAdvance.withLockedValue { $0 = 60 }
            repeat {
                batchCount.withLockedValue { $0 = 0 }
                try await Task.sleep(for: .seconds(2))
            } while batchCount.withLockedValue { $0 } > 10

            let looks = looks(winners: winners, waiting: waiting)
            let (_, first) = try await timed { try await check(looks[0], service) }
            var figures = [
                Figure("\(looks[0].title) with \(winnerCount) winners, the first time", first * 1000, "ms")
            ]
            for look in looks {
                let title = "\(look.title) with \(winnerCount) winners, \(queuedCount) waiting"
                let microseconds = try await settings.median(title) { _ in
                    try await self.microseconds(look, service)
                }
                figures.append(
                    Figure(
                        title, Comparison([microseconds], [drawMicroseconds]), "µs",
                        reference: "a draw of those before", goal: .ratioAtMost(10)))
            }
            service.shutDown()
            try await group.waitForAll()
            return figures
        }
        try await store.close()
        return figures
    }

    /// One session holds the only place, for as long as this takes; everybody else waits.
    private func fillQueue(_ waiting: [UserID], _ service: ActivityService) async throws {
        let configuration = [
            ("rush_hour_end", "11"), ("max_concurrent_users", "1"), ("heartbeat_timeout_seconds", "86400"),
            ("queue_timeout_seconds", "86400"), ("user_messages_per_minute", "0"),
        ]
        try await BenchActivity.run(configuration.map { .setTraffic(key: $0, value: $1) }, in: service)
        let holder = SessionRequest(session: "web:holder", action: .join(user: nil, ipAddress: nil))
        guard try await service.submit(holder)?.gate == .active else {
            throw Wrong(description: "nobody holds the only place")
        }
        try await DrawBenchmark.draw(waiting, 256, service, expecting: .queued)
    }

    private func looks(winners: [UserID], waiting: [UserID]) -> [Look] {
        func page(_ number: Int) -> (Outcome) -> Bool {
            { outcome in
                guard case .ok(.winners(let page)) = outcome else { return false }
                return page.page == number && page.winnerCount == winners.count
                    && page.winners.count == min(10, winners.count - (number - 1) * 10)
            }
        }
        let pageCount = (winners.count + 9) / 10
        return [
            Look(title: "中奖汇总", user: winners[0], command: .winners(page: 1), isRight: page(1)),
            Look(
                title: "中奖汇总, a page in the middle", user: winners[0], command: .winners(page: pageCount / 2),
                isRight: page(pageCount / 2)),
            Look(
                title: "中奖汇总, the last page", user: winners[0], command: .winners(page: pageCount),
                isRight: page(pageCount)),
            Look(title: "中奖", user: winners[winners.count / 2], command: .myWins) { outcome in
                if case .ok(.wins(let wins)) = outcome { wins.count == 1 } else { false }
            },
            Look(title: "奖池", user: winners[0], command: .pool) { outcome in
                if case .ok(.pool(let pool)) = outcome { pool.awards.count == 5 } else { false }
            },
            Look(title: "排队", user: waiting[waiting.count / 2], command: .queue) { outcome in
                if case .queued(let place) = outcome { (1...waiting.count).contains(place.position) } else { false }
            },
        ]
    }

    private func microseconds(_ look: Look, _ service: ActivityService) async throws -> Double {
        let start = ContinuousClock.now
        var count = 0
        while count < 1000, count == 0 || ContinuousClock.now - start < .seconds(1) {
            try await check(look, service)
            count += 1
        }
        return (ContinuousClock.now - start) / .microseconds(1) / Double(count)
    }

    /// - Throws: ``Wrong`` when the answer is not the right one.
    private func check(_ look: Look, _ service: ActivityService) async throws {
        let request = Request(user: look.user, chat: "qq:88001", role: .player, content: .command(look.command))
        let outcome = try await service.submit(request).outcome
        guard look.isRight(outcome) else {
            throw Wrong(description: "\(look.title) was answered \(outcome.code)")
        }
    }
}
