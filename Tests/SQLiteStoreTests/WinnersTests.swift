import Activities
import Basics
import GRDB
import Lottery
import NIOConcurrencyHelpers
import TestSupport
import Testing

@testable import SQLiteStore

/// Pages of winners come from what the store keeps about the file, and must be as if they came from the file.
struct WinnersTests {
    // MARK: Pages

    @Test(arguments: [true, false])
    func everyPageIsThatOfTheDefinition(isFile: Bool) async throws {
        let folder = try TemporaryFolder()
        let store = isFile ? try SQLiteStore(path: folder.path()) : try SQLiteStore()
        // Another process that only reads.
        let onlooker = isFile ? try SQLiteStore(path: folder.path(), mode: .readOnly) : store
        let definition = MemoryStore()
        var event = Event(["a", "b", "c", "d"])
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        var compared = 0
        for batch in 0..<300 {
            let changes = event.changes(steps: generator.below(12), &generator)
            try await store.write(changes) { nil }
            try await definition.write(changes) { nil }
            // More lists than are kept, some of them again and again.
            for _ in 0..<generator.below(4) {
                var lists = [["d", "c", "b", "a"], ["a"], ["b", "d"]] as [[ActivityID]]
                lists.append((["a", "b", "c", "d", "unknown"] as [ActivityID]).shuffled(using: &generator))
                lists.append(Array(lists[3].prefix(generator.below(4))))
                let list = lists[generator.below(lists.count)]
                let (page, size) = (generator.below(12), 1 + generator.below(9))
                let expected = try await definition.winners(of: list, page: page, pageSize: size)
                for found in [store, onlooker] {
                    let page = try await found.winners(of: list, page: page, pageSize: size)
                    #expect(page == expected, "batch \(batch), \(list), seed \(SeededGenerator.baseSeed)")
                }
                compared += expected.winners.count
            }
        }
        #expect(compared > 500)
        #expect(event.voidCount > 50)
        #expect(event.erasureCount > 50)
        if isFile { try await onlooker.close() }
        try await store.close()
    }

    /// What the store keeps of these changes, one by one, ends somewhere.
    @Test func moreThanIsLookedUpOneByOneIsListedToo() async throws {
        let store = try SQLiteStore()
        var changes = Event.opening(["a", "b"])
        changes.wins = (1...20_500).map { Event.win("a", seq: Int64($0), user: $0) }
        try await store.write(changes) { nil }
        func gameIDs(_ page: Int) async throws -> [String] {
            let found = try await store.winners(of: ["b", "a"], page: page, pageSize: 100)
            #expect(found.winnerCount == (page > 205 ? 30_501 : 20_500))
            return found.winners.map(\.gameID)
        }
        #expect(try await gameIDs(205) == (20_401...20_500).map(String.init))

        // Half of them win again, and stand further up from then on.
        changes = Changes()
        changes.wins = (10_001...30_501).map { Event.win("b", seq: Int64($0), user: $0) }
        try await store.write(changes) { nil }
        #expect(try await gameIDs(206) == (30_501...30_501).map(String.init) + (1...99).map(String.init))
        #expect(try await gameIDs(306) == ["10000"])

        // Most of these wins are taken back.
        changes = Changes()
        changes.voidedWins = (10_001...20_500).map { Event.void(Receipt(activity: "b", seq: $0)) }
        try await store.write(changes) { nil }
        #expect(try await gameIDs(306) == ["20500"])
        let first = try await store.winners(of: ["b", "a"], page: 1, pageSize: 2)
        #expect(first.winners.map(\.gameID) == ["20501", "20502"])
        try await store.close()
    }

    /// A page never shows a win that is taken back beside one that came later.
    @Test func aPageIsOfOneMoment() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        try await store.write(Event.opening(["a", "b"])) { nil }
        let isOver = NIOLockedValueBox(false)
        let looks = try await withThrowingTaskGroup(of: Int.self) { group in
            for list in [["a"], ["a", "b"], ["b", "a"], ["b"]] as [[ActivityID]] {
                group.addTask {
                    var count = 0
                    while !isOver.withLockedValue({ $0 }) {
                        let page = try await store.winners(of: list, page: 1, pageSize: 1000)
                        let wins = page.winners.flatMap(\.wins)
                        #expect(page.winners.count == page.winnerCount)
                        #expect(page.winners.allSatisfy { !$0.wins.isEmpty })
                        #expect(wins.allSatisfy { $0.voidedAt == nil })
                        // Each user has one live win at a time in each of the two, with their name on it.
                        #expect(Set(wins.map(\.receipt)).count == wins.count)
                        let named = page.winners.map(\.gameID).filter { !$0.isEmpty }
                        #expect(Set(named).count == named.count)
                        count += 1
                    }
                    return count
                }
            }
            var event = Event(["a", "b"])
            var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
            for _ in 0..<400 {
                let changes = event.changes(steps: 1 + generator.below(3), &generator)
                try await store.write(changes) { nil }
            }
            isOver.withLockedValue { $0 = true }
            return try await group.reduce(0, +)
        }
        #expect(looks > 4)
        try await store.close()
    }

    /// Between the commit and the word of it a look sees the change; a look before the commit does not use the note up.
    @Test func aNoteHoldsFromBeforeTheCommitUntilItIsSettled() async throws {
        let folder = try TemporaryFolder()
        let store = try SQLiteStore(path: folder.path())
        var changes = Event.opening(["a", "b"])
        changes.wins = [
            Event.win("a", seq: 1, user: 1), Event.win("a", seq: 2, user: 2), Event.win("b", seq: 1, user: 1),
        ]
        try await store.write(changes) { nil }
        try await store.close()
        let pool = try DatabasePool(path: folder.path())
        let touched = NIOLockedValueBox(TouchedWins())
        let reader = WinnersReader(touched: touched)
        let source: @Sendable () -> any DatabaseReader = { pool }
        func winners() async throws -> [String] {
            try await reader.read(of: ["a", "b"], page: 1, pageSize: 10, from: source) { found, _ in
                found.winners.map(\.description)
            }
        }
        #expect(try await winners() == ["a-1", "a-2"])
        touched.withLockedValue { $0.note([Receipt(activity: "a", seq: 1)]) }
        #expect(try await winners() == ["a-1", "a-2"])
        try await pool.write { db in
            try db.execute(
                sql: "UPDATE bot_user_award SET voided_at = created_at WHERE activity_id = 'a' AND seq = 1")
        }
        #expect(try await winners() == ["a-2", "b-1"])
        #expect(!touched.withLockedValue { $0.touches.isEmpty })
        touched.withLockedValue { $0.settle() }
        #expect(try await winners() == ["a-2", "b-1"])
        #expect(touched.withLockedValue { $0.touches.isEmpty })
        try pool.close()
    }

    // MARK: What they are made of

    @Test func sortedNumbersAreASortedSet() {
        var numbers = SortedNumbers()
        var model: Set<Int64> = []
        var generator = SeededGenerator(seed: SeededGenerator.baseSeed)
        // Grows in the middle and at the end, then shrinks.
        for step in 0..<30_000 {
            let number = Int64(step.isMultiple(of: 3) ? 100_000 + step : generator.below(9_000))
            if step < 20_000 ? generator.below(5) > 0 : generator.below(5) == 0 {
                numbers.insert(number)
                model.insert(number)
            } else {
                let gone = step < 20_000 ? number : model.randomElement(using: &generator) ?? number
                numbers.remove(gone)
                model.remove(gone)
            }
            if step % 2_000 == 1_999 {
                #expect(numbers.count == model.count)
                #expect(numbers.numbers(0..<numbers.count) == model.sorted())
                let first = generator.below(model.count)
                let range = first..<min(model.count, first + generator.below(3_000))
                #expect(numbers.numbers(range) == Array(model.sorted()[range]))
            }
        }
        for number in model { numbers.remove(number) }
        #expect(numbers.count == 0)
        #expect(numbers.numbers(0..<10) == [])
        numbers.remove(1)
        numbers.insert(7)
        #expect(numbers.numbers(0..<10) == [7])
    }

    @Test func whatIsNotSettledIsKept() {
        var touched = TouchedWins()
        func wins(_ seqs: ClosedRange<Int64>) -> [Receipt] { seqs.map { Receipt(activity: "a", seq: $0) } }
        touched.note(wins(1...2))
        touched.settle()
        touched.note(wins(3...3))
        touched.remove(before: touched.settledNumber)
        #expect(touched.touches == wins(3...3).map { .win($0) })
        // Too many meanwhile: who knew of fewer settled ones must not remove the word of that.
        touched.settle()
        let seen = touched.settledNumber
        touched.note(wins(4...20_000))
        touched.remove(before: seen)
        #expect(touched.touches == [.all])
        touched.remove(before: touched.settledNumber)
        #expect(touched.touches == [.all])
        touched.settle()
        touched.remove(before: touched.settledNumber)
        #expect(touched.touches.isEmpty)
    }
}

/// Users who win, lose wins and are forgotten, at random.
private struct Event {
    private let activities: [ActivityID]
    private var isOpened = false
    private var lastSeqs: [ActivityID: Int64] = [:]
    private var live: [ActivityID: [Int: Int64]] = [:]
    private(set) var voidCount = 0
    private(set) var erasureCount = 0

    init(_ activities: [ActivityID]) {
        self.activities = activities
    }

    static func opening(_ activities: [ActivityID]) -> Changes {
        var changes = Changes()
        changes.activities = activities.map { id in
            let award = ActivityAward(id: "skin", kind: .DI_BAO, percent: .zero, prefix: "奖", name: "皮肤", number: 0)
            return ActivityRecord(activity: Activity(id: id, name: "活动 \(id)", awards: [award]))
        }
        return changes
    }

    static func win(_ activity: ActivityID, seq: Int64, user: Int) -> Changes.NewWin {
        Changes.NewWin(
            receipt: Receipt(activity: activity, seq: seq), user: UserID("qq:\(user)"), award: "skin",
            awardName: "皮肤", gameID: GameID(stored: "\(user)"), gameIDKey: nil,
            wonAt: Instant(milliseconds: 1_802_232_000_000 + seq))
    }

    static func void(_ receipt: Receipt) -> Changes.VoidedWin {
        Changes.VoidedWin(receipt: receipt, reason: "x", at: Instant(milliseconds: 1_802_232_000_000))
    }

    /// A batch of at most so many steps.
    mutating func changes(steps: Int, _ generator: inout SeededGenerator) -> Changes {
        var changes = isOpened ? Changes() : Self.opening(activities)
        isOpened = true
        var erased: Set<Int> = []
        for _ in 0..<steps {
            let activity = activities[generator.below(activities.count)]
            let user = generator.below(40)
            // Nothing of a user who is forgotten comes in the same batch.
            if erased.contains(user) { continue }
            if let seq = live[activity]?[user] {
                if generator.below(3) > 0 {
                    live[activity]?[user] = nil
                    changes.voidedWins.append(Self.void(Receipt(activity: activity, seq: seq)))
                    voidCount += 1
                } else if !changes.wins.contains(where: { $0.user == UserID("qq:\(user)") }) {
                    let digest = Hash(generator.bytes(32)) ?? .zero
                    let won = activities.filter { live[$0]?[user] != nil }
                    for activity in won { live[activity]?[user] = nil }
                    changes.erasures.append(
                        Changes.Erasure(
                            user: UserID("qq:\(user)"),
                            digests: Dictionary(uniqueKeysWithValues: won.map { ($0, digest) })))
                    erased.insert(user)
                    erasureCount += 1
                }
            } else {
                // Misses lie in between.
                let seq = (lastSeqs[activity] ?? 0) + 1 + Int64(generator.below(3))
                lastSeqs[activity] = seq
                live[activity, default: [:]][user] = seq
                changes.wins.append(Self.win(activity, seq: seq, user: user))
            }
        }
        return changes
    }
}
