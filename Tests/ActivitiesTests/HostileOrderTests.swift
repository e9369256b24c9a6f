import Basics
import Lottery
import SQLiteStore
import TestSupport
import Testing

@testable import Activities

/// What comes at an awkward moment: clocks that jump, erasures amid draws, two admins at once.
///
/// - Source: hardening.md section 1.5.
struct HostileOrderTests {
    // MARK: Clocks

    struct Jump: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let seconds: Int64
    }

    @Test(
        "hardening row 81: a clock that jumps or stands still neither repeats nor reorders anything",
        arguments: [
            Jump(testDescription: "back an hour", seconds: -3600),
            Jump(testDescription: "forward ten years", seconds: 315_576_000),
            Jump(testDescription: "frozen", seconds: 0),
        ])
    func aClockThatJumpsReordersNothing(_ jump: Jump) async throws {
        try await TestBench().running { (bench) async throws -> Void in
            let planned = noon.advanced(bySeconds: 7200)
            try await bench.open(
                .sample(scope: .chats([groupChat]), awards: [.normal("gold", number: 3), .diBao("bao")]))
            bench.library.put(
                .sample("later", name: "以后", scope: .chats(["qq:later"]), startsAt: planned), as: "later.yaml")
            try await bench.command(.importActivity(file: "later.yaml"))
            // Two are in, the others wait behind them.
            try await bench.command(.setTraffic(key: "max_concurrent_users", value: "2"))
            try await bench.command(.setTraffic(key: "release_after_draw", value: "off"))
            for number in 0..<6 { try await bench.send(.bind("role \(number)"), as: UserID("qq:1\(number)")) }
            let first = try await bench.send(.draw, as: "qq:10", key: .test("d"))

            bench.clock.advance(seconds: jump.seconds)

            // The queue: nobody overtakes, whether the two are still in or their time is up.
            let second = try await bench.send(.draw, as: "qq:11")
            #expect(second.outcome.code == .won || jump.seconds > 0)
            try await bench.command(.setTraffic(key: "max_concurrent_users", value: "1000"))
            for number in 2..<6 { try await bench.send(.draw, as: UserID("qq:1\(number)")) }
            // The same message is the same answer, as long as it is remembered, and never a second win.
            let again = try await bench.send(.draw, as: "qq:10", key: .test("d")).outcome
            #expect(again == first.outcome || jump.seconds > 30 * 86_400 && again.code == .alreadyWon)
            // Opening times follow the clock that is given.
            let opened = try await bench.send(.activity, as: "qq:10", in: "qq:later").outcome
            if jump.seconds > 7200 {
                #expect(try await bench.store.wholeLedger(of: "later").count == 1, "\(opened)")
            } else {
                #expect(try await bench.store.wholeLedger(of: "later").isEmpty, "\(opened)")
            }
            let rows = try await bench.store.wholeLedger(of: "spring")
            #expect(rows.map(\.seq) == Array(0..<Int64(rows.count)))
            #expect(rows.map(\.at) == rows.map(\.at).sorted())
            let users = rows.compactMap(\.draw?.user)
            #expect(users.count == Set(users).count && users == users.sorted { $0.text < $1.text })
            #expect(try await bench.store.verifiedLedger(of: "spring").holds)
        }
    }

    @Test("hardening row 81: an alarm tells of a clock that jumps or stands still")
    func aJumpIsTold() {
        let start = ContinuousClock.now
        func deviations(_ moments: [(wall: Int64, elapsed: Int64)]) -> [Int64?] {
            var watch = ClockWatch(startingAt: noon, elapsed: start)
            return moments.map { wall, elapsed in
                watch.deviation(at: noon.advanced(bySeconds: wall), elapsed: start + .seconds(elapsed))
            }
        }
        #expect(deviations([(1, 1), (3600, 3600), (3700, 3690), (86_400, 86_400)]) == [nil, nil, nil, nil])
        // Back an hour, told once, and right again from there.
        #expect(deviations([(10, 10), (-3580, 20), (-3570, 30), (20, 40)]) == [nil, -3600, nil, 3580])
        #expect(deviations([(315_576_010, 10), (315_576_020, 20)]) == [315_576_000, nil])
        // Standing still is told every minute.
        #expect(deviations([(0, 60), (0, 62), (0, 90), (0, 123)]) == [nil, -62, nil, -61])
        var watch = ClockWatch(startingAt: Instant(milliseconds: .min), elapsed: start)
        #expect(watch.deviation(at: Instant(milliseconds: .max), elapsed: start) != nil)
    }

    // MARK: Being forgotten

    /// Handed over at once, they are carried out in the order of arrival.
    @Test("hardening row 87: an erasure amid draws is carried out in its turn")
    func anErasureIsCarriedOutInItsTurn() async throws {
        try await TestBench().running { (bench) async throws -> Void in
            try await bench.open(.sample(maxAttempts: nil, awards: [.normal("gold", number: 100)]))
            for user in ["qq:11", "qq:12", "qq:13"] as [UserID] {
                try await bench.send(.bind("role of \(user)"), as: user)
            }
            let requests: [Request] = [
                .saying(.draw, as: "qq:12"), .saying(.draw, as: "qq:11"), .saying(.eraseMyData, as: "qq:11"),
                .saying(.draw, as: "qq:11"), .saying(.bind("new role"), as: "qq:11"), .saying(.draw, as: "qq:11"),
                .saying(.eraseMyData, as: "qq:13"), .saying(.draw, as: "qq:13"), .saying(.draw, as: "qq:12"),
            ]
            let pending = requests.map { bench.service.enqueue($0) }
            var codes: [OutcomeCode] = []
            for pending in pending { codes.append(try await bench.service.response(to: pending).outcome.code) }
            #expect(
                codes == [.won, .won, .ok, .notBound, .ok, .attemptsUsed, .ok, .notBound, .alreadyWon])
            // The chain keeps a hash in the place of who is gone, and verifies.
            let draws = try await bench.store.wholeLedger(of: "spring").compactMap(\.draw)
            #expect(draws.map(\.user) == ["qq:12", nil])
            #expect(draws.map { $0.salt == nil } == [false, true])
            let report = try await bench.store.verifiedLedger(of: "spring")
            #expect(report.holds && report.hiddenUserCount == 1)
            #expect(try await bench.store.data(of: "qq:11").wins.isEmpty)
        }
    }

    // MARK: Two admins

    /// A number is the new total, so the later command holds; both stand in the audit, each with what it found.
    @Test("hardening row 89: two admins at once are served one after the other, each with what was before")
    func twoAdminsAreServedOneAfterTheOther() async throws {
        let bench = try await DecisionBench()
        try await bench.open(.sample(awards: [.normal("gold", number: 10)]))
        let before = bench.audits.count
        let other: UserID = "qq:2"
        let first = try await bench.say(.setNumber(activity: nil, award: "gold", number: 20), as: admin, isAdmin: true)
        let second = try await bench.say(.setNumber(activity: nil, award: "gold", number: 15), as: other, isAdmin: true)
        #expect(first.numberSet?.oldNumber == 10 && first.numberSet?.number == 20)
        #expect(second.numberSet?.oldNumber == 20 && second.numberSet?.number == 15)
        let audits = bench.audits.dropFirst(before)
        #expect(audits.map(\.actor) == [admin.text, other.text])
        #expect(audits.map { $0.before?.contains("10") == true || $0.before?.contains("20") == true } == [true, true])
        // What the second could not have known changes nothing: below what is issued it is refused.
        try await bench.bind("qq:11", "qq:12")
        for user in ["qq:11", "qq:12"] as [UserID] { #expect(try await bench.draw(user).code == .won) }
        #expect(try await bench.command(.setNumber(activity: nil, award: "gold", number: 1)).code == .badArgument)
        #expect(try await bench.store.verifiedLedger(of: "spring").holds)
    }
}
