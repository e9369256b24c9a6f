import Activities
import Basics
import Foundation
import TestSupport
import Testing

/// Replies that go out by calls are kept with their message until it is noted what became of them.
struct OutboxTests {
    private func draw(_ bench: TestBench, _ user: UserID, key: String) async throws -> Response {
        try await bench.service.submit(
            Request(
                user: user, chat: groupChat, role: .player, key: .test(key, at: noon), content: .command(.draw),
                route: .call(Destination(endpoint: "e", address: "to \(user)"))))
    }

    @Test func aPendingReplyOutlivesARestartUntilItIsNoted() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "hongbao-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "hongbao.db").path
        let outcomes = try await TestBench(path: path).running { bench in
            try await bench.open()
            try await bench.send(.bind(GameID(stored: "a")), as: "qq:11")
            let first = try await draw(bench, "qq:11", key: "m1").outcome
            return [first, try await draw(bench, "qq:12", key: "m2").outcome]
        }
        try await TestBench(path: path).running { (bench) async throws -> Void in
            let pending = try await bench.service.pendingReplies(through: "e", limit: 10)
            #expect(pending.map(\.destination.address) == ["to qq:11", "to qq:12"])
            #expect(pending.map(\.outcome) == outcomes)
            #expect(
                try await bench.service.pendingReplies(through: "e", limit: 1).map(\.destination.address) == [
                    "to qq:11"
                ])
            bench.service.note(.sent, of: .test("m1", at: noon))
        }
        try await TestBench(path: path).running { (bench) async throws -> Void in
            #expect(
                try await bench.service.pendingReplies(through: "e", limit: 10).map(\.destination.address) == [
                    "to qq:12"
                ])
            bench.service.note(.dropped, of: .test("m2", at: noon))
            while try await !bench.service.pendingReplies(through: "e", limit: 10).isEmpty {
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }

    @Test func onlyTheFirstAnswerIsNotARepetition() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open()
            let first = try await draw(bench, "qq:11", key: "m1")
            let second = try await draw(bench, "qq:11", key: "m1")
            #expect(!first.isRepeated)
            #expect(second.isRepeated)
            #expect(first.outcome == second.outcome)
            #expect(try await bench.service.pendingReplies(through: "e", limit: 10).count == 1)
        }
    }

    @Test func whatIsSaidInTheResponseIsNotPending() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            _ = try await bench.service.submit(
                Request(
                    user: "qq:11", chat: groupChat, role: .player, key: .test("m1", at: noon),
                    content: .command(.pool), route: .response(Destination(endpoint: "e", address: "to qq:11"))))
            #expect(try await bench.service.pendingReplies(through: "e", limit: 10).isEmpty)
        }
    }

    @Test func whoeverWaitsCanBeToldAfterARestart() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.send(.setTraffic(key: "max_concurrent_users", value: "1"), as: admin, isAdmin: true)
            try await bench.open()
            _ = try await bench.service.submit(
                SessionRequest(session: "web:a", action: .join(user: nil, ipAddress: nil)))
            for key in ["m1", "m2"] {
                #expect(try await draw(bench, "qq:11", key: key).outcome.code == .queued)
            }
            let hourAgo = noon.advanced(bySeconds: -3600)
            let known = try await bench.service.destinationsOfQueuedUsers(since: hourAgo, limit: 10)
            #expect(known.map(\.user) == ["qq:11"])
            #expect(known.map(\.destination.address) == ["to qq:11"])
            let later = bench.clock.read().advanced(bySeconds: 1)
            #expect(try await bench.service.destinationsOfQueuedUsers(since: later, limit: 10).isEmpty)
        }
    }

    @Test func theReplyToAnErasureStillGoesOut() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open()
            _ = try await draw(bench, "qq:11", key: "m1")
            _ = try await bench.service.submit(
                Request(
                    user: "qq:11", chat: groupChat, role: .player, key: .test("m2", at: noon),
                    content: .command(.eraseMyData), route: .call(Destination(endpoint: "e", address: "to qq:11"))))
            let pending = try await bench.service.pendingReplies(through: "e", limit: 10)
            #expect(pending.map(\.outcome) == [.ok(.erased)])
            bench.service.note(.sent, of: .test("m2", at: noon))
            while try await !bench.service.pendingReplies(through: "e", limit: 10).isEmpty {
                try await Task.sleep(for: .milliseconds(1))
            }
        }
    }
}
