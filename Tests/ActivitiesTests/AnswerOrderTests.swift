import Activities
import Basics
import Lottery
import TestSupport
import Testing
import TrafficGate

/// Spec.md section 4: already processed → rate_limited → maintenance → gate → no_activity → not_bound → already_won →
/// game_id_used → attempts_used → the draw. `busy` comes before all of it, see ``ActivityServiceTests``.
struct AnswerOrderTests {
    @Test func eachAnswerHidesThoseBehindIt() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(oneWinPerGameID: true, awards: [.normal("gold", number: 2)]))
        let (first, unlucky, late, other): (UserID, UserID, UserID, UserID) = ("qq:11", "qq:12", "qq:13", "qq:14")
        try await bench.say(.bind("shared"), as: first)
        #expect(try await bench.draw(first).code == .won)
        try await bench.bind(late, unlucky)
        #expect(try await bench.draw(late).code == .won)
        #expect(try await bench.draw(unlucky).code == .missed)

        // attempts_used, and in front of it game_id_used.
        #expect(try await bench.draw(unlucky) == .attemptsUsed(maximum: 1))
        try await bench.say(.bind("ＳＨＡＲＥＤ"), as: unlucky)
        #expect(try await bench.draw(unlucky) == .gameIDUsed(gameID: "ＳＨＡＲＥＤ"))

        // already_won in front of game_id_used.
        try await bench.say(.bind("shared"), as: late)
        guard case .alreadyWon(let win) = try await bench.draw(late) else {
            Issue.record("a winner with somebody else's game id has already won")
            return
        }
        #expect(win.award.id == "gold")
        #expect(win.gameID == "role of qq:13")

        // not_bound in front of already_won.
        try await bench.say(.unbind, as: late)
        let key = MessageKey.test("first delivery")
        #expect(try await bench.say(.draw, as: late, key: key) == .notBound)

        // no_activity in front of not_bound.
        try await bench.command(.stop(activity: nil))
        #expect(try await bench.draw(late) == .noActivity)

        // The gate in front of no_activity.
        try await bench.say(.leave, as: late)
        try await bench.command(.setTraffic(key: "max_concurrent_users", value: "1"))
        try await bench.say(.pool, as: other)
        guard case .queued(let place) = try await bench.draw(late) else {
            Issue.record("a full gate queues before it looks for an activity")
            return
        }
        #expect(place.position == 1)

        // Maintenance in front of the gate, the rate limit in front of maintenance.
        try await bench.command(.maintenance(isOn: true, reason: "换服"))
        #expect(try await bench.draw(late) == .maintenance(reason: "换服"))
        try await bench.command(.setTraffic(key: "user_messages_per_minute", value: "1"))
        #expect(try await bench.draw(late) == .rateLimited(perMinute: 1))

        // Already processed in front of everything.
        #expect(try await bench.say(.draw, as: late, key: key) == .notBound)
    }

    @Test func aBlockedUserIsToldSoBeforeNoActivity() async throws {
        let bench = try await DecisionBench()
        try await bench.command(.setTraffic(key: "max_concurrent_users", value: "1"))
        try await bench.command(.setTraffic(key: "max_queue_length", value: "1"))
        try await bench.say(.pool, as: "qq:11")
        try await bench.say(.pool, as: "qq:12")
        #expect(try await bench.draw("qq:13") == .blocked(.queueFull))
    }

    @Test func playersOfAnAdminsCommandAreRefusedBeforeAnythingElse() async throws {
        let bench = try await DecisionBench()
        try await bench.command(.maintenance(isOn: true, reason: nil))
        #expect(try await bench.say(.stop(activity: nil), as: "qq:11") == .notPermitted(.stop))
    }

    @Test func theLimitCountsMessagesOfARunningMinutePerUser() async throws {
        let bench = try await DecisionBench()
        try await bench.command(.setTraffic(key: "user_messages_per_minute", value: "2"))
        #expect(try await bench.say(.pool, as: "qq:11") == .noActivity)
        #expect(try await bench.say(.pool, as: "qq:11") == .noActivity)
        #expect(try await bench.say(.pool, as: "qq:11") == .rateLimited(perMinute: 2))
        #expect(try await bench.say(.pool, as: "qq:12") == .noActivity)
        bench.now = noon.advanced(bySeconds: 60)
        #expect(try await bench.say(.pool, as: "qq:11") == .noActivity)
        // A clock that goes back locks nobody out.
        bench.now = noon.advanced(bySeconds: -3600)
        #expect(try await bench.say(.pool, as: "qq:11") == .noActivity)
    }

    @Test func zeroMessagesPerMinuteMeansNoLimit() async throws {
        let bench = try await DecisionBench()
        try await bench.command(.setTraffic(key: "user_messages_per_minute", value: "0"))
        let outcomes = try await bench.together(Array(repeating: .saying(.pool, as: "qq:11"), count: 200))
        #expect(outcomes.allSatisfy { $0 == .noActivity })
    }

    @Test func aSuggestionComesOncePerMinuteAndAHintAlways() async throws {
        let bench = try await DecisionBench()
        func say(_ suggestion: CommandName?) async throws -> Outcome {
            try await bench.together([
                Request(
                    user: "qq:11", chat: groupChat, role: .player,
                    content: .unknown(suggestion: suggestion, isAddressed: suggestion == nil))
            ])[0]
        }
        #expect(try await say(.draw) == .unknownCommand(suggestion: .draw))
        #expect(try await say(.pool) == .ignored)
        #expect(try await say(nil) == .unknownCommand(suggestion: nil))
        bench.now = noon.advanced(bySeconds: 60)
        #expect(try await say(.pool) == .unknownCommand(suggestion: .pool))
    }
}
