import Activities
import Basics
import Lottery
import SQLiteStore
import TestSupport

/// Decisions on a real store, batch by batch: which requests go together is up to the test.
final class DecisionBench {
    let store: SQLiteStore
    let library = MemoryLibrary()
    var now: Instant
    private(set) var machine: ActivityStateMachine
    private var entropy: SeededGenerator
    /// Of every batch so far.
    private(set) var changes: [Changes] = []
    /// Of every batch so far.
    private(set) var notices: [ActivityStateMachine.Notice] = []

    init(path: String? = nil, now: Instant = noon, seed: UInt64 = 1) async throws {
        store = try path.map { try SQLiteStore(path: $0) } ?? SQLiteStore()
        self.now = now
        machine = ActivityStateMachine(try await store.load(), now: now)
        entropy = SeededGenerator(seed: seed)
    }

    var audits: [Changes.Audit] { changes.flatMap(\.audit) }

    /// Decides `requests` together.
    ///
    /// - Parameter configuration: Rows that another program has just written.
    func decide(_ requests: [Request], configuration: [ConfigurationRow]? = nil) async throws -> [DecidedRequest] {
        let items = requests.map { request in
            if case .command(.importActivity(let file)) = request.content, request.role == .admin {
                BatchItem(request, importing: library.activity(inFile: file))
            } else {
                BatchItem(request)
            }
        }
        let now = now
        let query = machine.prepare(items, now: now, entropy: &entropy)
        let before = (machine, entropy)
        let after = try await store.transact(query) { facts in
            var (machine, entropy) = before
            var facts = facts
            if let configuration { facts.configuration = configuration }
            let (changes, decided) = machine.decide(items, facts: facts, now: now, entropy: &entropy)
            return (changes, (machine: machine, entropy: entropy, changes: changes, decided: decided))
        }
        (machine, entropy) = (after.machine, after.entropy)
        changes.append(after.changes)
        notices += machine.takeNotices()
        return after.decided
    }

    /// Decides `requests` together; none may need reading.
    func together(_ requests: [Request]) async throws -> [Outcome] {
        try await decide(requests).map { decided in
            switch decided.decision {
            case .answered(let outcome): outcome
            case .reading, .session: preconditionFailure("\(decided.decision) is no outcome")
            }
        }
    }

    @discardableResult
    func say(
        _ command: Command, as user: UserID, in place: ChatID? = groupChat, isAdmin: Bool = false,
        key: MessageKey? = nil
    ) async throws -> Outcome {
        try await together([.saying(command, as: user, in: place, isAdmin: isAdmin, key: key)])[0]
    }

    @discardableResult
    func command(_ command: Command, in place: ChatID? = groupChat) async throws -> Outcome {
        try await say(command, as: admin, in: place, isAdmin: true)
    }

    /// Imports without opening.
    @discardableResult
    func put(_ activity: Activity) async throws -> Outcome {
        library.put(activity, as: "\(activity.id).yaml")
        return try await command(.importActivity(file: "\(activity.id).yaml"))
    }

    /// Imports and opens.
    @discardableResult
    func open(_ activity: Activity = .sample()) async throws -> StartView? {
        try await put(activity)
        return try await command(.start(activity: activity.name)).started
    }

    /// Binds each user to a game id of their own, together.
    func bind(_ users: UserID...) async throws {
        _ = try await decide(users.map { .saying(.bind("role of \($0)"), as: $0) })
    }

    @discardableResult
    func draw(_ user: UserID, in place: ChatID? = groupChat) async throws -> Outcome {
        try await say(.draw, as: user, in: place)
    }

    /// As a process that ended well and starts again at ``now``.
    func restart() async throws {
        let changes = machine.flush()
        try await store.transact(FactQuery()) { _ in (changes, ()) }
        machine = ActivityStateMachine(try await store.load(), now: now)
        _ = machine.takeNotices()
    }
}
