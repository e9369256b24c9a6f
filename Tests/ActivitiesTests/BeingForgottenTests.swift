import Activities
import Basics
import Lottery
import SQLiteStore
import TestSupport
import Testing

/// 我的数据 and 删除我的数据, whatever else is going on.
///
/// - Source: hardening.md, row 87; spec.md sections 4 and 5.
struct BeingForgottenTests {
    @Test func theCopyHoldsVoidedWinsToo() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open(.sample(maxAttempts: nil))
            let receipt = try #require(try await bench.bindAndDraw("qq:11").receipt)
            try await bench.command(.void(receipt, reason: "x"))
            try await bench.send(.draw, as: "qq:11")
            guard case .ok(.myData(let data)) = try await bench.send(.myData, as: "qq:11").outcome else {
                Issue.record("我的数据 shows it")
                return
            }
            #expect(Set(data.wins.map(\.receipt.seq)) == [1, 3])
            #expect(data.wins.filter { $0.voidedAt != nil }.map(\.receipt) == [receipt])
        }
    }

    @Test func sentTogetherWithDrawsItIsDecidedInItsPlace() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open(.sample(maxAttempts: nil))
            try await bench.send(.bind("role"), as: "qq:11")
            try await bench.send(.bind("other role"), as: "qq:12")
            func request(_ command: Command, _ user: UserID = "qq:11") -> Request {
                .saying(command, as: user)
            }
            // Nobody waits for an answer in between.
            let responses = [
                request(.draw), request(.draw, "qq:12"), request(.eraseMyData), request(.draw), request(.bind("again")),
                request(.draw), request(.myWins), request(.myWins, "qq:12"),
            ].map { bench.service.enqueue($0) }
            var codes: [OutcomeCode] = []
            for response in responses { codes.append(try await bench.service.response(to: response).outcome.code) }
            #expect(codes == [.won, .won, .ok, .notBound, .ok, .attemptsUsed, .ok, .ok])
            #expect(try await bench.store.wins(of: "qq:11").isEmpty)
            #expect(try await bench.store.wins(of: "qq:12").count == 1)
            let draws = try await bench.store.wholeLedger(of: "spring").compactMap(\.draw)
            #expect(draws.map(\.user) == [nil, "qq:12"])
            #expect(draws.map { $0.salt == nil } == [true, false])
            #expect(try await bench.store.verifiedLedger(of: "spring").holds)
        }
    }

    @Test func aWinnerWhoWaitsAgainIsForgottenWhole() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open(.sample(maxAttempts: nil))
            let receipt = try #require(try await bench.bindAndDraw("qq:11").receipt)
            try await bench.command(.setTraffic(key: "max_concurrent_users", value: "1"))
            try await bench.send(.pool, as: "qq:10")
            for user in ["qq:11", "qq:12"] as [UserID] { try await bench.send(.pool, as: user) }
            #expect(try await bench.send(.queue, as: "qq:12").position == 2)
            #expect(try await bench.send(.eraseMyData, as: "qq:11").outcome == .ok(.erased))
            #expect(try await bench.send(.queue, as: "qq:12").position == 1)
            #expect(try await bench.store.draw(receipt)?.entry.user == nil)
            #expect(try await bench.store.winners(of: "spring", after: -1, limit: 9).map(\.gameID) == [""])
            #expect(try await bench.store.verifiedLedger(of: "spring").holds)
        }
    }

    @Test func repliesThatStillWaitGoWithTheUserAndNobodyElses() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open()
            for (index, user) in (["qq:11", "qq:12"] as [UserID]).enumerated() {
                _ = try await bench.service.submit(
                    Request(
                        user: user, chat: groupChat, role: .player, key: .test("m\(index)", at: noon),
                        content: .command(.pool), route: .call(Destination(endpoint: "e", address: "to \(user)"))))
            }
            try await bench.send(.eraseMyData, as: "qq:11")
            let pending = try await bench.service.pendingReplies(through: "e", limit: 10)
            #expect(pending.map(\.destination.address) == ["to qq:12"])
            #expect(try await bench.store.data(of: "qq:11").messageCount == 0)
        }
    }

    /// Decision 0006 says so; whoever closes this changes it there.
    @Test func anErasedWinnersGameIDIsFreeForOthersButNotForThem() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open(.sample(maxAttempts: nil, oneWinPerGameID: true))
            try await bench.send(.bind("shared"), as: "qq:11")
            #expect(try await bench.send(.draw, as: "qq:11").outcome.code == .won)
            try await bench.send(.bind("shared"), as: "qq:12")
            #expect(try await bench.send(.draw, as: "qq:12").outcome.code == .gameIDUsed)
            try await bench.send(.eraseMyData, as: "qq:11")
            try await bench.send(.bind("shared"), as: "qq:11")
            #expect(try await bench.send(.draw, as: "qq:11").outcome.code == .attemptsUsed)
            #expect(try await bench.send(.draw, as: "qq:12").outcome.code == .won)
        }
    }
}
