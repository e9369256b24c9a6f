internal import Activities
internal import Basics

// What a store promises about replies that go out by calls.
extension StoreContract {
    static let outboxChecks: [Check] = [
        Check("pending replies are found in the order of their decision", pendingRepliesAreInOrder),
        Check("pending replies survive reopening", needsReopening: true, pendingRepliesSurviveReopening),
        Check("a reply that was sent or dropped is pending no more", notedRepliesAreNotPending),
        Check("a user's latest address since a moment is found", queuedMessagesAreTheLatest),
        Check("an erased user's replies are pending no more", erasureTakesPendingReplies),
    ]

    private static func message(
        _ key: String, user: UserID = "qq:1", seconds: Int64, code: OutcomeCode = .notBound,
        delivery: Delivery? = .pending, address: String? = "{\"chat\":\"群\"}"
    ) -> ProcessedMessage {
        ProcessedMessage(
            key: .test(key, at: .contractNoon), user: user, chat: "qq:88001", fingerprint: "draw",
            answer: StoredAnswer(code: code, receipt: nil, parameters: nil),
            at: Instant.contractNoon.advanced(bySeconds: seconds), address: address, delivery: delivery)
    }

    private static func pendingRepliesAreInOrder(_ bench: StoreContractBench) async throws {
        let messages = [message("c", seconds: 1), message("b", seconds: 2), message("a", seconds: 2)]
        try await bench.write {
            $0.messages =
                messages + [
                    message("said", seconds: 0, delivery: nil, address: nil),
                    message("said, with an address", seconds: 0, delivery: nil),
                ]
        }
        let expected = [messages[0], messages[2], messages[1]]
        try expect(try await bench.store.pendingReplies(limit: 10), is: expected, "pending replies")
        try expect(try await bench.store.pendingReplies(limit: 2), is: Array(expected[..<2]), "the first two")
    }

    private static func pendingRepliesSurviveReopening(_ bench: StoreContractBench) async throws {
        let messages = [message("a", seconds: 1)]
        try await bench.write { $0.messages = messages }
        try await bench.reopen()
        try expect(try await bench.store.pendingReplies(limit: 10), is: messages, "pending replies")
    }

    private static func notedRepliesAreNotPending(_ bench: StoreContractBench) async throws {
        let messages = [message("a", seconds: 1), message("b", seconds: 2), message("c", seconds: 3)]
        try await bench.write { $0.messages = messages }
        try await bench.write { $0.deliveries = [messages[0].key: .sent, messages[1].key: .dropped] }
        try expect(try await bench.store.pendingReplies(limit: 10), is: [messages[2]], "pending replies")
        // One that is not there, or was noted before, changes nothing.
        try await bench.write { $0.deliveries = [messages[0].key: .sent, .test("never"): .sent] }
        try expect(try await bench.store.pendingReplies(limit: 10), is: [messages[2]], "pending replies")
    }

    private static func queuedMessagesAreTheLatest(_ bench: StoreContractBench) async throws {
        let messages = [
            message("a", user: "qq:1", seconds: 1, code: .queued, delivery: nil),
            message("b", user: "qq:1", seconds: 2, code: .queued, delivery: .sent),
            message("c", user: "qq:2", seconds: 3, code: .queued),
            message("d", user: "qq:3", seconds: 3, code: .won),
            message("e", user: "qq:4", seconds: 3, code: .queued, delivery: nil, address: nil),
        ]
        try await bench.write { $0.messages = messages }
        let found = try await bench.store.queuedMessages(since: .contractNoon)
        try expect(found, is: [messages[1], messages[2]], "those who wait")
        let later = try await bench.store.queuedMessages(since: Instant.contractNoon.advanced(bySeconds: 3))
        try expect(later, is: [messages[2]], "those who wait since later")
    }

    private static func erasureTakesPendingReplies(_ bench: StoreContractBench) async throws {
        let kept = message("b", user: "qq:2", seconds: 2)
        try await bench.write { $0.messages = [message("a", user: "qq:1", seconds: 1), kept] }
        try await bench.write { $0.erasures = [Changes.Erasure(user: "qq:1", digests: [:])] }
        try expect(try await bench.store.pendingReplies(limit: 10), is: [kept], "pending replies")
    }
}
