import Activities
import Basics
import Foundation
import GRDB
import Lottery
import SQLiteStore
import TestSupport
import Testing

struct DurabilityTests {
    @Test
    func everyOpeningIsFullySynchronousInAWriteAheadLog() async throws {
        let folder = try TemporaryFolder()
        for _ in 1...2 {
            let store = try SQLiteStore(path: folder.path())
            #expect(try await store.pragma("synchronous") == "2")
            #expect(try await store.pragma("journal_mode") == "\"wal\"")
            #expect(try await store.pragma("foreign_keys") == "1")
            #expect(try await store.pragma("application_id") == "\(0x4842_616F)")
            #expect(try await store.pragma("trusted_schema") == "0")
            #expect(try await store.pragma("cell_size_check") == "1")
            // Still so after a transaction.
            try await store.bind("qq:1", to: "a")
            #expect(try await store.pragma("synchronous") == "2")
            try await store.close()
        }
    }

    @Test
    func closingLeavesNoWriteAheadLog() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        try await store.bind("qq:1", to: "a")
        #expect(folder.size("hongbao.db-wal") > 0)
        try await store.close()
        #expect(folder.size("hongbao.db-wal") == 0)
        #expect(
            try folder.withDatabase { try String.fetchOne($0, sql: "SELECT bind_id FROM bot_activity_user") } == "a")
    }

    @Test
    func closingTwiceIsClosingOnce() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        try await store.close()
        try await store.close()
        let next = try SQLiteStore(path: folder.path())
        try await store.close()
        // The old store's close must not have let a second one in.
        #expect(throws: StoreError.self) { try SQLiteStore(path: folder.path()) }
        try await next.close()
    }

    @Test
    func writeAheadLogIsMovedIntoTheFileWhenItIsLong() async throws {
        // Given two stores that move at 30 frames, and one as usual
        let short = try TemporaryFolder()
        let busy = try TemporaryFolder()
        let usual = try TemporaryFolder()
        let shortStore = try SQLiteStore(path: short.path(), checkpointFrameCount: 30)
        let busyStore = try SQLiteStore(path: busy.path(), checkpointFrameCount: 30)
        let usualStore = try SQLiteStore(path: usual.path())

        // When all write the same 300 batches, the first leaving time for each move
        for number in 1...300 {
            for store in [shortStore, busyStore, usualStore] {
                try await store.bind(UserID("qq:\(number)"), to: "id \(number)")
            }
            try await shortStore.untilCheckpointed()
        }

        // Then the first has begun its log anew each time, and the second has waited for that rather than let it grow
        #expect(short.size("hongbao.db-wal") < 60 * 4120)
        #expect(busy.size("hongbao.db-wal") < 140 * 4120)
        #expect(usual.size("hongbao.db-wal") > 300 * 4120)
        for store in [shortStore, busyStore, usualStore] {
            #expect(try await store.data(of: "qq:300").gameID == "id 300")
            try await store.close()
        }
    }

    @Test
    func copyTakenWhileOpenHasEverythingAcknowledged() async throws {
        // Given an open activity and some answered draws
        let folder = try TemporaryFolder()
        let copy = try TemporaryFolder()
        let library = MemoryLibrary(["spring.yaml": .sample])
        let bench = try await TestBench(path: folder.path(), library: library)
        try await bench.running { bench in
            try await bench.send(.importActivity(file: "spring.yaml"), as: "qq:9", isAdmin: true)
            try await bench.send(.start(activity: "spring"), as: "qq:9", isAdmin: true)
            var receipts: [Receipt: UserID] = [:]
            for number in 1...40 {
                let user = UserID("qq:\(number)")
                let gameID = try #require(GameID("角色 \(number)"))
                try await bench.send(.bind(gameID), as: user)
                let response = try await bench.send(.draw, as: user, key: .test("m\(number)"))
                receipts[try #require(response.outcome.receipt)] = user
            }

            // When the files are copied as they are, as after a kill
            for name in ["hongbao.db", "hongbao.db-wal"] { try copy.write(try folder.bytes(name), to: name) }

            // Then the copy opens and holds all of it
            let store = try SQLiteStore(path: copy.path())
            #expect(receipts.count == 40)
            for (receipt, user) in receipts {
                #expect(try await store.draw(receipt)?.entry.user == user)
            }
            var query = FactQuery()
            query.messages = (1...40).map { .test("m\($0)") }
            let facts = try await store.transact(query) { (Changes(), $0) }
            #expect(facts.messages.count == 40)
            let found = try await store.load().activities
            #expect(found == (try await bench.store.load().activities))
            try await expectVerified(store)
            try await store.close()
        }
    }

    @Test
    func logCutAnywhereLeavesWholeBatches() async throws {
        // Given a database whose log holds many batches
        let folder = try TemporaryFolder()
        let library = MemoryLibrary(["spring.yaml": .sample])
        let bench = try await TestBench(path: folder.path(), library: library)
        try await bench.running { bench in
            try await bench.send(.importActivity(file: "spring.yaml"), as: "qq:9", isAdmin: true)
            try await bench.send(.start(activity: "spring"), as: "qq:9", isAdmin: true)
            for number in 1...30 {
                let user = UserID("qq:\(number)")
                try await bench.send(.bind(try #require(GameID("\(number)"))), as: user)
                try await bench.send(.draw, as: user, key: .test("m\(number)"))
            }
            let log = try folder.bytes("hongbao.db-wal")
            var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
            for _ in 1...25 {
                // When the last part of it never reached the disk
                let copy = try TemporaryFolder()
                let length = Int.random(in: 0...log.count, using: &generator)
                try copy.write(try folder.bytes())
                try copy.write(log.prefix(length), to: "hongbao.db-wal")

                // Then what is left is whole: every draw with its message, and a ledger that verifies
                let hint: Comment = "\(length) of \(log.count) bytes, HONGBAO_SEED=\(SeededGenerator.baseSeed)"
                let store = try SQLiteStore(path: copy.path())
                let state = try await store.load()
                if let record = state.activities.first {
                    let rows = try await store.ledger(of: "spring", from: 0, limit: .max)
                    #expect(record.head.nextSeq == Int64(rows.count), hint)
                    let drawCount = rows.count { if case .draw = $0.event { true } else { false } }
                    #expect(record.drawCount == drawCount, hint)
                    var query = FactQuery()
                    query.messages = (1...30).map { .test("m\($0)") }
                    let facts = try await store.transact(query) { (Changes(), $0) }
                    #expect(facts.messages.count == drawCount, hint)
                    if !rows.isEmpty { try await expectVerified(store, hint) }
                }
                try await store.close()
            }
        }
    }

    private func expectVerified(_ store: SQLiteStore, _ hint: Comment? = nil) async throws {
        let rows = try await store.ledger(of: "spring", from: 0, limit: .max)
        let report = LedgerVerifier.verify(rows.flatMap { $0.canonicalLine + [0x0A] })
        #expect(report.badRow == nil, hint)
        #expect(report.head == rows.last?.hash, hint)
    }
}

extension SQLiteStore {
    func bind(_ user: UserID, to gameID: String) async throws {
        try await transact(FactQuery()) { _ in
            var changes = Changes()
            changes.bindings[user] = .some(GameID(stored: gameID))
            return (changes, ())
        }
    }
}

extension Activity {
    static let sample = Activity(
        id: "spring", name: "春节抽奖", maxAttempts: 1,
        awards: [
            ActivityAward(
                id: "skin", kind: .NORNAL, percent: Percent("50") ?? .zero, prefix: "一等奖", name: "皮肤", number: 10)
        ])
}
