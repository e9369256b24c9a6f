import Activities
import Basics
import Lottery
import TestSupport
import Testing
import TrafficGate

/// Random operations against ``ReferenceDraws``.
///
/// `HONGBAO_SEED` chooses other sequences; a failure prints what repeats it.
struct DrawRulesModelTests {
    private static let sequenceCount = 10_000
    private static let operationCount = 200
    private static let chunkCount = 20

    @Test(arguments: 0..<chunkCount)
    func randomOperationsFollowTheRules(_ chunk: Int) {
        let length = Self.sequenceCount / Self.chunkCount
        for sequence in chunk * length..<(chunk + 1) * length {
            var rehearsal = DrawRehearsal(seed: SeededGenerator.baseSeed &+ UInt64(sequence) &* 1_000_003)
            for operation in 0..<Self.operationCount where rehearsal.fault == nil {
                rehearsal.step()
                if operation == Self.operationCount - 1 {
                    rehearsal.finish(isVerifying: sequence.isMultiple(of: 100))
                }
            }
            if let fault = rehearsal.fault {
                Issue.record("HONGBAO_SEED=\(SeededGenerator.baseSeed), sequence \(sequence): \(fault)")
                return
            }
        }
    }
}

/// One sequence: the decisions and the reference side by side.
private struct DrawRehearsal {
    private enum Operation {
        /// The player's and the activity's index.
        case draw(Int, Int)
        case bind(Int, GameID)
        case unbind(Int)
        case erase(Int)
        case start(Int)
        case stop(Int)
        case void(seq: Int64, Int)
        case number(award: Int, Int, to: Int)

        var isSolitary: Bool {
            switch self {
            case .draw, .bind, .unbind: false
            case .erase, .start, .stop, .void, .number: true
            }
        }
    }

    private static let users: [UserID] = (1...6).map { UserID("qq:\($0)") }
    private static let gameIDs = ["a", "A", "b", "B", "c", "d", "e"].map { GameID(stored: $0) }
    private static let chats: [ChatID] = ["qq:100", "qq:200"]
    private static let configuration = [
        ConfigurationRow(key: "user_messages_per_minute", value: "0", isActive: true)
    ]

    private var random: SeededGenerator
    private var machine: ActivityStateMachine
    private var reference: ReferenceDraws
    private var keeper = FactKeeper()
    private var now = noon
    private var waiting: [Operation] = []
    private var batchSize = 1
    private var operationCount = 0
    /// Why the sequence ended early.
    private(set) var fault: String?

    init(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let activities = Self.chats.indices.map { Self.activity($0, &random) }
        self.random = random
        machine = ActivityStateMachine(
            StoredState(
                activities: activities.map { ActivityRecord(activity: $0) }, participants: [],
                configuration: Self.configuration, erasureKey: Array(repeating: 7, count: 32)),
            now: now)
        reference = ReferenceDraws(
            events: activities.map { activity in
                ReferenceDraws.Event(
                    id: activity.id,
                    awards: activity.awards.map {
                        .init(id: $0.id, kind: $0.kind, partsPerMillion: $0.percent.partsPerMillion, number: $0.number)
                    }, maxAttempts: activity.maxAttempts, oneWinPerGameID: activity.oneWinPerGameID)
            }, users: Self.users)
        // Most sequences spend most of their time open.
        for index in activities.indices { run([.start(index)]) }
        for user in Self.users.indices { run([.bind(user, Self.gameIDs[Int.random(in: 0..<7, using: &self.random)])]) }
    }

    private static func activity(_ index: Int, _ random: inout SeededGenerator) -> Activity {
        func percent() -> Percent { Percent(partsPerMillion: Int.random(in: 0...500_000, using: &random)) ?? .zero }
        var awards = [
            ActivityAward(id: "only", kind: .ONLY, percent: percent(), name: "x", number: 1),
            ActivityAward(
                id: "some", kind: .NORNAL, percent: percent(), name: "y",
                number: Int.random(in: 0...3, using: &random)),
        ]
        if Int.random(in: 0..<4, using: &random) == 0 { awards.append(.diBao("bao")) }
        awards.shuffle(using: &random)
        return Activity(
            id: index == 0 ? "one" : "two", name: index == 0 ? "甲" : "乙", scope: .chats([chats[index]]),
            maxAttempts: [nil, 1, 2, 3][Int.random(in: 0..<4, using: &random)],
            oneWinPerGameID: Bool.random(using: &random), awards: awards)
    }

    // MARK: Steps

    mutating func step() {
        operationCount += 1
        let operation = randomOperation()
        if operation.isSolitary {
            flush()
            run([operation])
        } else {
            waiting.append(operation)
            if waiting.count >= batchSize { flush() }
        }
    }

    private mutating func flush() {
        guard !waiting.isEmpty else { return }
        run(waiting)
        waiting = []
        batchSize = Int.random(in: 1...32, using: &random)
    }

    private mutating func randomOperation() -> Operation {
        let user = Int.random(in: Self.users.indices, using: &random)
        let index = Int.random(in: 0...1, using: &random)
        switch Int.random(in: 0..<300, using: &random) {
        case ..<234: return .draw(user, index)
        case ..<272: return .bind(user, Self.gameIDs[Int.random(in: 0..<7, using: &random)])
        case ..<281: return .unbind(user)
        case ..<285: return .start(index)
        case ..<287: return .stop(index)
        case ..<293:
            return .void(seq: Int64.random(in: 0...reference.events[index].rowCount, using: &random), index)
        case ..<299:
            let award = Int.random(in: reference.events[index].awards.indices, using: &random)
            return .number(award: award, index, to: Int.random(in: 0...6, using: &random))
        default: return .erase(user)
        }
    }

    /// Decides `operations` as one batch and compares each.
    private mutating func run(_ operations: [Operation]) {
        guard fault == nil else { return }
        now = now.advanced(bySeconds: Int64.random(in: -1...4, using: &random))
        // An erasure is carried out once an hour and user.
        if case .erase = operations[0] { now = now.advanced(bySeconds: 3601) }
        let items = operations.map { BatchItem(request($0)) }
        let query = machine.prepare(items, now: now, entropy: &random)
        let (changes, decided) = machine.decide(items, facts: keeper.facts(for: query), now: now, entropy: &random)
        keeper.keep(changes)
        var draws = changes.ledger.lazy.compactMap(\.row.draw).makeIterator()
        for (operation, decision) in zip(operations, decided) {
            guard case .answered(let outcome) = decision.decision else { return fail(operation, "is a reading") }
            let expected = expectation(operation)
            var found = ReferenceDraws.Expectation(code: outcome.code)
            switch outcome {
            case .won, .missed:
                guard let entry = draws.next() else { return fail(operation, "left no row") }
                (found.award, found.seq) = (entry.award, outcome.receipt?.seq)
                (found.attempt, found.remaining) = (entry.attempt, entry.remaining)
            case .alreadyWon(let win): (found.award, found.seq) = (win.award.id, win.receipt.seq)
            case .ok(.voided(let view)): (found.seq, found.remaining) = (view.receipt.seq, view.remaining)
            case .ok(.numberSet(let view)): found.remaining = view.remaining
            default: break
            }
            guard found == expected else { return fail(operation, "gave \(found), not \(expected)") }
        }
        for new in changes.newRounds {
            guard let index = reference.events.firstIndex(where: { $0.id == new.rules.activity }),
                reference.events[index].round == new.round.round,
                reference.events[index].awards.indices.map({ reference.events[index].remaining($0) })
                    == new.rules.awards.map(\.number)
            else { return fail(operations[0], "began a wrong round \(new.round.round)") }
            reference.events[index].seed = new.round.seed
        }
        checkPromises(operations[0])
    }

    private func request(_ operation: Operation) -> Request {
        switch operation {
        case .draw(let user, let index): .saying(.draw, as: Self.users[user], in: Self.chats[index])
        case .bind(let user, let gameID): .saying(.bind(gameID), as: Self.users[user])
        case .unbind(let user): .saying(.unbind, as: Self.users[user])
        case .erase(let user): .saying(.eraseMyData, as: Self.users[user])
        case .start(let index): byAdmin(.start(activity: reference.events[index].id.text))
        case .stop(let index): byAdmin(.stop(activity: reference.events[index].id.text))
        case .void(let seq, let index):
            byAdmin(.void(Receipt(activity: reference.events[index].id, seq: seq), reason: "x"))
        case .number(let award, let index, let number):
            byAdmin(
                .setNumber(
                    activity: reference.events[index].id.text, award: reference.events[index].awards[award].id.text,
                    number: number))
        }
    }

    private func byAdmin(_ command: Command) -> Request {
        .saying(command, as: admin, isAdmin: true)
    }

    private mutating func expectation(_ operation: Operation) -> ReferenceDraws.Expectation {
        switch operation {
        case .draw(let user, let index): return reference.draw(user, in: index)
        case .bind(let user, let gameID):
            reference.gameIDs[user] = gameID.text
            return .init(code: .ok)
        case .unbind(let user): return .init(code: reference.gameIDs.removeValue(forKey: user) == nil ? .notBound : .ok)
        case .erase(let user):
            reference.erase(user)
            return .init(code: .ok)
        case .start(let index): return reference.start(index)
        case .stop(let index): return reference.stop(index)
        case .void(let seq, let index): return reference.void(seq: seq, in: index)
        case .number(let award, let index, let number):
            return reference.setNumber(of: award, in: index, to: number)
        }
    }

    // MARK: Promises

    /// What must hold whatever happened: stock never below zero, one live win per user.
    private mutating func checkPromises(_ operation: Operation) {
        for event in reference.events {
            for award in event.awards.indices {
                if let remaining = event.remaining(award), remaining < 0 {
                    return fail(operation, "gave out more of \(event.awards[award].id) than there was")
                }
            }
            if event.hasDoubleWinner { return fail(operation, "let somebody win twice") }
        }
    }

    mutating func finish(isVerifying: Bool) {
        flush()
        for index in reference.events.indices where reference.events[index].isOpen { run([.stop(index)]) }
        guard fault == nil, isVerifying else { return }
        for event in reference.events {
            let report = report(on: keeper.ledgers[event.id] ?? [])
            if !report.holds || report.rowCount != event.rowCount {
                fault = "the ledger of \(event.id) is bad: \(String(describing: report.badRow))"
            }
        }
    }

    private mutating func fail(_ operation: Operation, _ text: String) {
        fault = "operation \(operationCount), \(operation) \(text)"
    }
}
