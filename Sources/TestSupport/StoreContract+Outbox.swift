internal import Activities
internal import Basics

// What a store promises about replies that go out by calls.
extension StoreContract {
    static let outboxChecks: [Check] = [
        Check("pending replies are found in the order of their decision", pendingRepliesAreInOrder),
        Check("pending replies survive reopening", needsReopening: true, pendingRepliesSurviveReopening),
        Check("a reply that was sent or dropped is pending no more", notedRepliesAreNotPending),
        Check("a user's latest address since a moment is found", queuedUsersAreAtTheirLatest),
        Check("an erased user's replies are pending no more", erasureTakesPendingReplies),
    ]

    private static func message(
        _ key: String, user: UserID = "qq:1", seconds: Int64, code: OutcomeCode = .notBound,
        delivery: Delivery? = .pending,
        destination: Destination? = Destination(endpoint: "e", address: "{\"chat\":\"群\"}")
    ) -> ProcessedMessage {
        ProcessedMessage(
            key: .test(key, at: .contractNoon), user: user, chat: "qq:88001", fingerprint: "draw",
            answer: StoredAnswer(code: code, receipt: nil, parameters: nil),
            at: Instant.contractNoon.advanced(bySeconds: seconds), destination: destination,
            delivery: delivery)
    }

    private static func pendingRepliesAreInOrder(_ bench: StoreContractBench) async throws {
        let messages = [message("c", seconds: 1), message("b", seconds: 2), message("a", seconds: 2)]
        try await bench.write {
            $0.messages =
                messages + [
                    message("said", seconds: 0, delivery: nil, destination: nil),
                    message("said, with a destination", seconds: 0, delivery: nil),
                    message("elsewhere", seconds: 0, destination: Destination(endpoint: "f", address: "x")),
                ]
        }
        let expected = [messages[0], messages[2], messages[1]]
        try expect(try await bench.store.pendingReplies(through: "e", limit: 10), is: expected, "pending replies")
        try expect(
            try await bench.store.pendingReplies(through: "e", limit: 2), is: Array(expected[..<2]), "the first two")
        try expect(try await bench.store.endpointsOfPendingReplies(), is: ["e", "f"], "endpoints")
    }

    private static func pendingRepliesSurviveReopening(_ bench: StoreContractBench) async throws {
        let messages = [message("a", seconds: 1)]
        try await bench.write { $0.messages = messages }
        try await bench.reopen()
        try expect(try await bench.store.pendingReplies(through: "e", limit: 10), is: messages, "pending replies")
    }

    private static func notedRepliesAreNotPending(_ bench: StoreContractBench) async throws {
        let messages = [message("a", seconds: 1), message("b", seconds: 2), message("c", seconds: 3)]
        try await bench.write { $0.messages = messages }
        try await bench.write { $0.deliveries = [messages[0].key: .sent, messages[1].key: .dropped] }
        try expect(try await bench.store.pendingReplies(through: "e", limit: 10), is: [messages[2]], "pending replies")
        // What was to be said in the response can become pending.
        let late = message("late", seconds: 4, delivery: nil)
        try await bench.write { $0.messages = [late] }
        try await bench.write { $0.deliveries = [late.key: .pending] }
        let pending = try await bench.store.pendingReplies(through: "e", limit: 10)
        try expect(pending.map(\.key), is: [messages[2].key, late.key], "pending replies")
        try await bench.write { $0.deliveries = [late.key: .sent] }
        // One that is not there, or was noted before, changes nothing.
        try await bench.write { $0.deliveries = [messages[0].key: .sent, .test("never"): .sent] }
        try expect(try await bench.store.pendingReplies(through: "e", limit: 10), is: [messages[2]], "pending replies")
    }

    private static func queuedUsersAreAtTheirLatest(_ bench: StoreContractBench) async throws {
        let messages = [
            message("a", user: "qq:1", seconds: 1, code: .queued, delivery: nil),
            message(
                "b", user: "qq:1", seconds: 2, code: .queued, delivery: .sent,
                destination: Destination(endpoint: "e", address: "late")),
            message(
                "c", user: "qq:2", seconds: 3, code: .queued, destination: Destination(endpoint: "f", address: "there")),
            message("d", user: "qq:3", seconds: 3, code: .won),
            message("e", user: "qq:4", seconds: 3, code: .queued, delivery: nil, destination: nil),
        ]
        try await bench.write { $0.messages = messages }
        func users(since moment: Instant, limit: Int = 10) async throws -> [UserID] {
            try await bench.store.destinationsOfQueuedUsers(since: moment, limit: limit).map(\.user)
        }
        let found = try await bench.store.destinationsOfQueuedUsers(since: .contractNoon, limit: 10)
        try expect(found.map(\.destination.address), is: ["there", "late"], "where they are")
        try expect(try await users(since: .contractNoon), is: ["qq:2", "qq:1"], "those who wait")
        try expect(try await users(since: .contractNoon, limit: 1), is: ["qq:2"], "who wrote last")
        let later = Instant.contractNoon.advanced(bySeconds: 3)
        try expect(try await users(since: later), is: ["qq:2"], "those who wait since later")
    }

    private static func erasureTakesPendingReplies(_ bench: StoreContractBench) async throws {
        let kept = message("b", user: "qq:2", seconds: 2)
        try await bench.write { $0.messages = [message("a", user: "qq:1", seconds: 1), kept] }
        try await bench.write { $0.erasures = [Changes.Erasure(user: "qq:1", digests: [:])] }
        try expect(try await bench.store.pendingReplies(through: "e", limit: 10), is: [kept], "pending replies")
    }
}
