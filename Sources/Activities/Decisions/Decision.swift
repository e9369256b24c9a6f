public import Basics
public import Lottery

/// What was decided about one request.
public enum Decision: Hashable, Sendable {
    /// The answer itself. Boxed, as it passes through many hands.
    indirect case answered(Outcome)
    /// The answer is read from the store once the batch is durable, away from the writer.
    case reading(Reading)
    /// What the gate says to a web page's session.
    case session(SessionAnswer)
}

/// Something to be read for an answer. Reading it again later is safe and gives the same kind of answer.
public enum Reading: Hashable, Sendable, Codable {
    /// 中奖
    case wins(UserID)
    /// 中奖汇总 over these activities, newest first. Page from 1.
    case winners(activities: [ActivityID], page: Int)
    /// 验证
    case verification(Receipt, viewer: UserID, isAdmin: Bool)
    /// 我的数据
    case userData(UserID, hasSession: Bool)
    /// 导出
    case export(ActivityID, name: String)
}

/// A decision, and where its sender stands in the queue.
public struct DecidedRequest: Hashable, Sendable {
    public let decision: Decision
    /// From 1, whenever the sender is waiting.
    public let position: Int?
    /// Whether this is the stored answer to a message that came before.
    public let isRepeated: Bool

    public init(_ decision: Decision, position: Int? = nil, isRepeated: Bool = false) {
        self.decision = decision
        self.position = position
        self.isRepeated = isRepeated
    }
}

/// A request with what was fetched for it beforehand.
public enum BatchItem: Sendable {
    /// - importing: For 活动导入: the file's activity, or why there is none. Nil for any other command. Boxed, as it passes
    ///   through many hands.
    indirect case message(Request, importing: Result<Activity, ImportRefusal>?)
    case session(SessionRequest)

    public init(_ request: Request, importing: Result<Activity, ImportRefusal>? = nil) {
        self = .message(request, importing: importing)
    }

    /// Whether this must be decided in a batch of its own, because what others need to know depends on it.
    public var isSolitary: Bool {
        guard case .message(let request, _) = self, case .command(let command) = request.content else { return false }
        // Refused without a look at anything: players must not be able to break up the batches.
        guard request.role.mayRun(command.name) else { return false }
        switch command {
        case .start, .stop, .importActivity, .setNumber, .void, .setTraffic, .maintenance, .eraseMyData: return true
        case .bind, .unbind, .myBinding, .draw, .myWins, .winners, .pool, .activity, .queue, .leave, .verify, .help,
            .myData, .activities, .traffic, .export:
            return false
        }
    }
}

/// Why a file could not be imported.
public struct ImportRefusal: Error, Hashable, Sendable {
    public let refusal: Refusal

    public init(_ refusal: Refusal) {
        self.refusal = refusal
    }
}
