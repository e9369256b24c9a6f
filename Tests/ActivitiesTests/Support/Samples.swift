import Activities
import Basics
import Lottery
import TestSupport

/// The admin of every test.
let admin: UserID = "qq:1"
/// The chat of every test, unless it needs two.
let groupChat: ChatID = "qq:88001"
/// Where clocks start.
let noon = ManualClock().now

extension ActivityAward {
    static func normal(
        _ id: AwardID, percent: String = "100", number: Int = 10, prefix: String = "", name: String? = nil
    ) -> Self {
        ActivityAward(
            id: id, kind: .NORNAL, percent: Percent(percent) ?? .zero, prefix: prefix, name: name ?? id.text,
            number: number)
    }

    static func only(_ id: AwardID, percent: String = "100", number: Int = 1, name: String? = nil) -> Self {
        ActivityAward(id: id, kind: .ONLY, percent: Percent(percent) ?? .zero, name: name ?? id.text, number: number)
    }

    static func diBao(_ id: AwardID) -> Self {
        ActivityAward(id: id, kind: .DI_BAO, name: id.text)
    }
}

extension Activity {
    /// Everybody wins its only award, ten times.
    static func sample(
        _ id: ActivityID = "spring", name: String = "春节抽奖", scope: Scope = .everywhere, maxAttempts: Int? = 1,
        oneWinPerGameID: Bool = false, startsAt: Instant? = nil, endsAt: Instant? = nil,
        awards: [ActivityAward] = [.normal("gold")]
    ) -> Self {
        Activity(
            id: id, name: name, scope: scope, maxAttempts: maxAttempts, oneWinPerGameID: oneWinPerGameID,
            startsAt: startsAt, endsAt: endsAt, awards: awards)
    }
}

extension Command {
    static func bind(_ text: String) -> Command {
        guard let gameID = GameID(text) else { preconditionFailure("\(text) is no game id") }
        return .bind(gameID)
    }

    /// A command of every name, with arguments that can be read.
    static func example(of name: CommandName) -> Command {
        switch name {
        case .bind: .bind("role")
        case .unbind: .unbind
        case .myBinding: .myBinding
        case .draw: .draw
        case .myWins: .myWins
        case .winners: .winners(page: 1)
        case .pool: .pool
        case .activity: .activity
        case .queue: .queue
        case .leave: .leave
        case .verify: .verify(Receipt(activity: "spring", seq: 1))
        case .help: .help(nil)
        case .myData: .myData
        case .eraseMyData: .eraseMyData
        case .start: .start(activity: "spring")
        case .stop: .stop(activity: nil)
        case .activities: .activities
        case .importActivity: .importActivity(file: "spring.yaml")
        case .setNumber: .setNumber(activity: nil, award: "gold", number: 20)
        case .traffic: .traffic
        case .setTraffic: .setTraffic(key: "max_concurrent_users", value: "900")
        case .maintenance: .maintenance(isOn: false, reason: nil)
        case .void: .void(Receipt(activity: "spring", seq: 1), reason: "wrong person")
        case .export: .export(activity: "spring")
        }
    }
}

extension Request {
    static func saying(
        _ command: Command, as user: UserID, in place: ChatID? = groupChat, isAdmin: Bool = false,
        key: MessageKey? = nil
    ) -> Request {
        Request(user: user, chat: place, role: isAdmin ? .admin : .player, key: key, content: .command(command))
    }
}

extension Outcome {
    var refusal: Refusal? {
        if case .badArgument(let refusal) = self { refusal } else { nil }
    }

    var attempt: DrawnAttempt? {
        switch self {
        case .won(let attempt), .missed(let attempt): attempt
        default: nil
        }
    }

    var started: StartView? {
        if case .ok(.started(let view)) = self { view } else { nil }
    }

    var stopped: StopView? {
        if case .ok(.stopped(let view)) = self { view } else { nil }
    }

    var numberSet: NumberView? {
        if case .ok(.numberSet(let view)) = self { view } else { nil }
    }

    var voided: VoidView? {
        if case .ok(.voided(let view)) = self { view } else { nil }
    }

    var imported: ImportView? {
        if case .ok(.imported(let view)) = self { view } else { nil }
    }

    var verification: VerificationView? {
        if case .ok(.verification(let view)) = self { view } else { nil }
    }
}

extension Store {
    func wholeLedger(of activity: ActivityID) async throws -> [LedgerRow] {
        try await ledger(of: activity, from: 0, limit: .max)
    }

    /// What a verifier says to the ledger as it would be exported now.
    func verifiedLedger(of activity: ActivityID, head: String? = nil) async throws -> LedgerReport {
        report(on: try await wholeLedger(of: activity), head: head)
    }
}

/// What a verifier says to `rows`.
func report(on rows: [LedgerRow], head: String? = nil) -> LedgerReport {
    var contents: [UInt8] = []
    for row in rows {
        contents += row.canonicalLine
        contents.append(UInt8(ascii: "\n"))
    }
    return LedgerVerifier.verify(contents, head: head.flatMap { HeadClaim($0) })
}

extension LedgerRow {
    var draw: DrawEntry? {
        if case .draw(let entry) = event { entry } else { nil }
    }

    var rules: RoundRules? {
        if case .open(_, let rules, _) = event { rules } else { nil }
    }
}
