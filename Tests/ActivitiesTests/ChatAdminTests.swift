import Activities
import Basics
import Lottery
import TestSupport
import Testing

/// A chat's own admin may start, stop, change stock and void, in activities scoped to exactly that chat.
struct ChatAdminTests {
    private static let ours = Scope.chats([groupChat])

    private func ask(_ bench: DecisionBench, _ command: Command, in chat: ChatID? = groupChat) async throws -> Outcome {
        let request = Request(user: "qq:77", chat: chat, role: .chatAdmin, content: .command(command))
        let decided = try await bench.decide([request])[0]
        guard case .answered(let outcome) = decided.decision else { return .ignored }
        return outcome
    }

    @Test func theirOwnActivityIsTheirs() async throws {
        let bench = try await DecisionBench()
        try await bench.put(.sample(scope: Self.ours, awards: [.normal("gold", number: 5)]))
        #expect(try await ask(bench, .start(activity: "spring")).code == .ok)
        try await bench.bind("qq:11")
        let won = try await bench.draw("qq:11")
        let receipt = try #require(won.receipt)
        #expect(try await ask(bench, .setNumber(activity: nil, award: "gold", number: 9)).code == .ok)
        #expect(try await ask(bench, .void(receipt, reason: "重复")).code == .ok)
        #expect(try await ask(bench, .stop(activity: nil)).code == .ok)
    }

    @Test(arguments: [Scope.everywhere, .chats([groupChat, "qq:99"]), .chats(["qq:99"])])
    func anyOtherActivityIsNot(_ scope: Scope) async throws {
        let bench = try await DecisionBench()
        try await bench.put(.sample(scope: scope, awards: [.normal("gold", number: 5)]))
        let auditCount = bench.audits.count
        #expect(try await ask(bench, .start(activity: "spring")) == .notPermitted(.start))
        _ = try await bench.command(.start(activity: "spring"))
        #expect(try await ask(bench, .stop(activity: "spring")) == .notPermitted(.stop))
        #expect(
            try await ask(bench, .setNumber(activity: "spring", award: "gold", number: 9)) == .notPermitted(.setNumber))
        #expect(
            try await ask(bench, .void(Receipt(activity: "spring", seq: 0), reason: "x")) == .notPermitted(.void))
        #expect(bench.audits.dropFirst(auditCount).count { $0.result == .notPermitted && $0.actor == "qq:77" } == 4)
    }

    @Test(
        arguments: CommandName.allCases.filter { $0.isForAdmins && ![.start, .stop, .setNumber, .void].contains($0) })
    func nothingElseOfTheAdminsCommandsIsTheirs(_ name: CommandName) async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(scope: Self.ours))
        #expect(try await ask(bench, .example(of: name)) == .notPermitted(name))
    }

    @Test func inPrivateTheyLeadNothing() async throws {
        let bench = try await DecisionBench()
        try await bench.put(.sample(scope: Self.ours))
        #expect(try await ask(bench, .start(activity: "spring"), in: nil) == .notPermitted(.start))
    }

    @Test func theyAreLimitedLikePlayers() async throws {
        let bench = try await DecisionBench()
        var codes: Set<OutcomeCode> = []
        for _ in 1...31 { codes.insert(try await ask(bench, .start(activity: "x")).code) }
        #expect(codes.contains(.rateLimited))
    }
}
