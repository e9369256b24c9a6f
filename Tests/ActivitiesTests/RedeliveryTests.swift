import Activities
import Basics
import Foundation
import Lottery
import TestSupport
import Testing
import TrafficGate

/// The same message delivered any number of times is one attempt with one answer. Spec.md section 7, promise 3.
struct RedeliveryTests {
    private static let key = MessageKey.test("qq:bot:m1", at: noon)

    private func draws(_ bench: DecisionBench) async throws -> Int {
        try await bench.store.wholeLedger(of: "spring").count { $0.draw != nil }
    }

    @Test func theSameKeyInOneBatchIsOneAttempt() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(maxAttempts: nil, awards: [.normal("gold", percent: "0")]))
        try await bench.bind("qq:11")
        let request = Request.saying(.draw, as: "qq:11", key: Self.key)
        let outcomes = try await bench.together([request, request, request])
        #expect(Set(outcomes).count == 1)
        #expect(outcomes[0].code == .missed)
        #expect(try await bench.together([request]) == [outcomes[0]])
        #expect(try await draws(bench) == 1)
    }

    @Test func theSameKeyInParallelIsOneAttempt() async throws {
        let bench = try await TestBench()
        try await bench.running { bench in
            try await bench.open(.sample(maxAttempts: nil, awards: [.normal("gold", percent: "0")]))
            try await bench.send(.bind("role"), as: "qq:11")
            let outcomes = try await withThrowingTaskGroup(of: Outcome.self) { group in
                for _ in 1...50 {
                    group.addTask { try await bench.send(.draw, as: "qq:11", key: Self.key).outcome }
                }
                return try await group.reduce(into: Set<Outcome>()) { $0.insert($1) }
            }
            #expect(outcomes.count == 1)
            #expect(try await bench.store.wholeLedger(of: "spring").count { $0.draw != nil } == 1)
        }
    }

    @Test func theAnswerOutlivesARestart() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "hongbao-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "hongbao.db").path
        let first = try await TestBench(path: path).running { bench in
            try await bench.open()
            try await bench.send(.bind("role"), as: "qq:11")
            return try await bench.send(.draw, as: "qq:11", key: Self.key).outcome
        }
        #expect(first.code == .won)
        for _ in 1...2 {
            try await TestBench(path: path, seed: 9).running { (bench) async throws -> Void in
                #expect(try await bench.send(.draw, as: "qq:11", key: Self.key).outcome == first)
                #expect(try await bench.send(.draw, as: "qq:11").outcome.code == .alreadyWon)
                #expect(try await bench.store.verifiedLedger(of: "spring").holds)
            }
        }
    }

    @Test func aKeyUsedForSomethingElseIsRefusedAuditedAndKeepsItsFirstAnswer() async throws {
        let bench = try await DecisionBench()
        try await bench.open()
        try await bench.bind("qq:11", "qq:12")
        let first = try await bench.say(.bind("mine"), as: "qq:11", key: Self.key)
        let auditCount = bench.audits.count
        let others: [Request] = [
            .saying(.bind("mine"), as: "qq:12", key: Self.key),
            .saying(.draw, as: "qq:11", key: Self.key),
            .saying(.bind("Mine"), as: "qq:11", key: Self.key),
            Request(
                user: "qq:11", chat: groupChat, role: .player, key: Self.key,
                content: .badArgument(.bind, .missing)),
            Request(
                user: "qq:11", chat: groupChat, role: .player, key: Self.key,
                content: .unknown(suggestion: nil, isAddressed: true)),
        ]
        for request in others {
            #expect(try await bench.together([request]) == [.badArgument(.messageKeyReused)])
        }
        #expect(try await bench.together(others).allSatisfy { $0 == .badArgument(.messageKeyReused) })
        let audits = bench.audits.dropFirst(auditCount)
        #expect(audits.count == 2 * others.count)
        #expect(audits.allSatisfy { $0.action == "message.reused" && $0.result == .badArgument })
        #expect(audits.first?.actor == "qq:12")
        #expect(try await draws(bench) == 0)
        #expect(try await bench.say(.bind("mine"), as: "qq:11", key: Self.key) == first)
    }

    @Test func theSameCommandSpelledOtherwiseIsTheSameMessage() async throws {
        let bench = try await DecisionBench()
        let first = try await bench.say(.bind("Role  One"), as: "qq:11", key: Self.key)
        #expect(first.code == .ok)
        #expect(try await bench.say(.bind(" Role One "), as: "qq:11", key: Self.key) == first)
        // Another chat is not another user, command or argument.
        #expect(try await bench.say(.bind("Role One"), as: "qq:11", in: nil, key: Self.key) == first)
    }

    @Test func keysDifferByTheirTimeAndTheirBytes() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(maxAttempts: nil, awards: [.normal("gold", percent: "0")]))
        try await bench.bind("qq:11")
        let keys: [MessageKey?] = [
            .test("m\u{E9}"), .test("me\u{301}"), .test("m\u{E9}", at: noon),
            .test("m\u{E9}", at: noon.advanced(bySeconds: 1)), nil, nil,
        ]
        let outcomes = try await bench.together(keys.map { .saying(.draw, as: "qq:11", key: $0) })
        #expect(outcomes.allSatisfy { $0.code == .missed })
        #expect(try await draws(bench) == keys.count)
    }

    @Test func keysHaveOneTo256Bytes() {
        #expect(MessageKey(sentAt: nil, text: "") == nil)
        #expect(MessageKey(sentAt: nil, text: String(repeating: "a", count: 257)) == nil)
        #expect(MessageKey(sentAt: nil, text: String(repeating: "抽", count: 86)) == nil)
        #expect(MessageKey(sentAt: nil, text: String(repeating: "a", count: 256)) != nil)
    }

    @Test func whatWasRateLimitedOrIgnoredIsNotKept() async throws {
        let bench = try await DecisionBench()
        try await bench.command(.setTraffic(key: "user_messages_per_minute", value: "1"))
        try await bench.say(.pool, as: "qq:11")
        #expect(try await bench.say(.pool, as: "qq:11", key: Self.key).code == .rateLimited)
        func ask(_ content: MessageContent, _ key: MessageKey) async throws -> Outcome {
            try await bench.together([
                Request(user: "qq:12", chat: groupChat, role: .player, key: key, content: content)
            ])[0]
        }
        #expect(try await ask(.ignored, .test("talk")) == .ignored)
        #expect(bench.changes.flatMap(\.messages).map(\.key.text) == [])
        bench.now = noon.advanced(bySeconds: 60)
        #expect(try await bench.say(.pool, as: "qq:11", key: Self.key) == .noActivity)
        #expect(try await ask(.command(.pool), .test("talk")) == .noActivity)
        #expect(bench.changes.flatMap(\.messages).count == 2)
    }

    @Test func refusalsAreKeptToo() async throws {
        let bench = try await DecisionBench()
        try await bench.command(.maintenance(isOn: true, reason: "换服"))
        #expect(try await bench.say(.draw, as: "qq:11", key: Self.key) == .maintenance(reason: "换服"))
        try await bench.command(.maintenance(isOn: false, reason: nil))
        #expect(try await bench.say(.draw, as: "qq:11", key: Self.key) == .maintenance(reason: "换服"))
        let key = MessageKey.test("admin")
        #expect(try await bench.say(.stop(activity: nil), as: "qq:11", key: key) == .notPermitted(.stop))
        #expect(try await bench.say(.stop(activity: nil), as: "qq:11", key: key) == .notPermitted(.stop))
    }

    @Test func anAdminsCommandDeliveredTwiceIsDoneOnce() async throws {
        let bench = try await DecisionBench()
        try await bench.put(.sample())
        let first = try await bench.say(.start(activity: "spring"), as: admin, isAdmin: true, key: Self.key)
        #expect(first.code == .ok)
        #expect(try await bench.say(.start(activity: "spring"), as: admin, isAdmin: true, key: Self.key) == first)
        #expect(try await bench.store.wholeLedger(of: "spring").count == 1)
    }

    @Test func aRedeliveredQuestionIsReadAgain() async throws {
        let bench = try await TestBench()
        try await bench.running { bench in
            try await bench.open()
            let key = MessageKey.test("wins")
            #expect(try await bench.send(.myWins, as: "qq:11", key: key).outcome == .ok(.wins([])))
            try await bench.bindAndDraw("qq:11")
            guard case .ok(.wins(let wins)) = try await bench.send(.myWins, as: "qq:11", key: key).outcome else {
                Issue.record("中奖 lists wins")
                return
            }
            #expect(wins.count == 1)
        }
    }

    @Test func messagesOlderThan25HoursAreIgnored() async throws {
        let bench = try await DecisionBench()
        let old = MessageKey.test("old", at: noon)
        bench.now = noon.advanced(bySeconds: 25 * 3600)
        #expect(try await bench.say(.pool, as: "qq:11", key: old) == .noActivity)
        bench.now = Instant(milliseconds: bench.now.milliseconds + 1)
        // Also one that was answered before, and one from an admin.
        #expect(try await bench.say(.pool, as: "qq:11", key: old) == .ignored)
        #expect(
            try await bench.say(
                .maintenance(isOn: true, reason: nil), as: admin, isAdmin: true, key: .test("old2", at: noon))
                == .ignored)
        #expect(!bench.machine.gate.configuration.maintenanceMode)
        #expect(try await bench.say(.pool, as: "qq:11", key: .test("new", at: bench.now)) == .noActivity)
    }

    @Test func answersAreForgottenAfterThirtyDays() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(maxAttempts: nil, awards: [.normal("gold", percent: "0")]))
        try await bench.bind("qq:11")
        let key = MessageKey.test("no time of its own")
        let first = try await bench.say(.draw, as: "qq:11", key: key)
        bench.now = noon.advanced(bySeconds: 30 * 86_400 - 60)
        _ = try await bench.decide([])
        #expect(try await bench.say(.draw, as: "qq:11", key: key) == first)
        bench.now = noon.advanced(bySeconds: 30 * 86_400 + 7200)
        // Something newer is known, so the clock is not simply wrong.
        try await bench.say(.pool, as: "qq:12", key: .test("newer"))
        try await bench.restart()
        _ = try await bench.decide([])
        let later = try await bench.say(.draw, as: "qq:11", key: key)
        #expect(later.code == .missed)
        #expect(later != first)
    }
}
