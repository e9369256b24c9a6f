import Activities
import Basics
import TestSupport
import Testing
import TrafficGate

/// Web pages' sessions go through the same gate, in line with the chat's.
struct SessionRequestTests {
    private func join(_ bench: TestBench, _ session: SessionID, user: UserID? = nil) async throws -> GateAnswer? {
        try await bench.service.submit(SessionRequest(session: session, action: .join(user: user, ipAddress: nil)))?
            .gate
    }

    private func setCapacity(_ bench: TestBench, _ count: Int) async throws {
        for key in ["max_concurrent_users", "rush_hour_max_users"] {
            try await bench.send(.setTraffic(key: key, value: String(count)), as: admin, isAdmin: true)
        }
    }

    @Test func pagesAndChatsWaitInOneLine() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await setCapacity(bench, 1)
            #expect(try await join(bench, "web:a") == .active)
            guard case .queued(let place)? = try await join(bench, "web:b") else {
                Issue.record("there was no room for b")
                return
            }
            #expect(place.position == 1)
            #expect(try await bench.send(.draw, as: "qq:1").position == 2)
            let left = try await bench.service.submit(SessionRequest(session: "web:a", action: .leave))
            #expect(left == SessionAnswer(gate: nil, currentUsers: 1))
            #expect(try await join(bench, "web:b") == .active)
            #expect(try await bench.send(.queue, as: "qq:1").position == 1)
        }
    }

    @Test func aHeartbeatWithoutASessionIsBlocked() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            let answer = try await bench.service.submit(SessionRequest(session: "web:x", action: .heartbeat))
            #expect(answer == SessionAnswer(gate: .blocked(.noSession), currentUsers: 0))
        }
    }

    @Test func theCheckFollowsEveryBatch() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            #expect(bench.service.gateCheck.status == .ok)
            try await setCapacity(bench, 1)
            #expect(try await join(bench, "web:a") == .active)
            #expect(bench.service.gateCheck.status == .crowded)
            #expect(bench.service.gateCheck.currentUsers == 1)
        }
    }

    @Test func aPagesSessionServesOneUser() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            func ask(_ user: UserID) async throws -> Outcome {
                try await bench.service.submit(
                    Request(
                        user: user, chat: nil, role: .player, content: .command(.myWins), pageSession: "web:shared")
                ).outcome
            }
            #expect(try await join(bench, "web:shared") == .active)
            #expect(try await ask("web:alice").code == .ok)
            #expect(try await ask("web:bob") == .blocked(.noSession))
            #expect(try await ask("web:alice").code == .ok)
        }
    }

    @Test func aPagesSessionStaysAfterADraw() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open()
            func ask(_ command: Command) async throws -> Outcome {
                try await bench.service.submit(
                    Request(
                        user: "web:alice", chat: nil, role: .player, content: .command(command),
                        pageSession: "web:page")
                ).outcome
            }
            #expect(try await ask(.bind(GameID(stored: "role"))).code == .ok)
            #expect(try await ask(.draw).code == .won)
            #expect(bench.service.gateCheck.currentUsers == 1)
            #expect(
                try await bench.service.submit(SessionRequest(session: "web:page", action: .heartbeat))?.gate
                    == .active)
        }
    }
}
