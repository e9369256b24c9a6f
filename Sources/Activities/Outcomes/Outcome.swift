public import Basics
public import Lottery
public import TrafficGate

/// The word that a program reads an answer by.
///
/// - Source: spec.md section 4.
public enum OutcomeCode: String, Hashable, Sendable, CaseIterable {
    case won
    case missed
    case alreadyWon = "already_won"
    case gameIDUsed = "game_id_used"
    case attemptsUsed = "attempts_used"
    case notBound = "not_bound"
    case noActivity = "no_activity"
    case queued
    case blocked
    case maintenance
    case rateLimited = "rate_limited"
    case busy
    case notPermitted = "not_permitted"
    case unknownCommand = "unknown_command"
    case badArgument = "bad_argument"
    case ok
    case ignored
}

/// What came of a request. Everything a person may cause is a value here; how it is worded is decided elsewhere.
public enum Outcome: Hashable, Sendable, Codable {
    case won(DrawnAttempt)
    case missed(DrawnAttempt)
    case alreadyWon(Win)
    /// Another account bound to this game id has already won here.
    case gameIDUsed(gameID: String)
    case attemptsUsed(maximum: Int)
    /// The user took part here and then had their data erased. Nobody draws twice by being forgotten.
    case erasedBefore
    case notBound
    case noActivity
    case queued(Place)
    case blocked(BlockReason)
    case maintenance(reason: String?)
    case rateLimited(perMinute: Int)
    /// Too much is waiting; nothing was done.
    case busy
    case notPermitted(CommandName)
    /// Nil suggestion: a hint to 帮助.
    case unknownCommand(suggestion: CommandName?)
    case badArgument(Refusal)
    case ok(Answer)
    /// No reply at all.
    case ignored

    public var code: OutcomeCode {
        switch self {
        case .won: .won
        case .missed: .missed
        case .alreadyWon: .alreadyWon
        case .gameIDUsed: .gameIDUsed
        case .attemptsUsed, .erasedBefore: .attemptsUsed
        case .notBound: .notBound
        case .noActivity: .noActivity
        case .queued: .queued
        case .blocked: .blocked
        case .maintenance: .maintenance
        case .rateLimited: .rateLimited
        case .busy: .busy
        case .notPermitted: .notPermitted
        case .unknownCommand: .unknownCommand
        case .badArgument: .badArgument
        case .ok: .ok
        case .ignored: .ignored
        }
    }

    /// The receipt that the answer is about, for programs.
    public var receipt: Receipt? {
        switch self {
        case .won(let attempt), .missed(let attempt): attempt.receipt
        case .alreadyWon(let win): win.receipt
        case .ok(.voided(let voided)): voided.receipt
        default: nil
        }
    }

    /// The id of the award that the answer is about, for programs.
    public var award: AwardID? {
        switch self {
        case .won(let attempt): attempt.award?.id
        case .alreadyWon(let win): win.award.id
        default: nil
        }
    }
}

/// An award as replies name it.
public struct AwardLabel: Hashable, Sendable, Codable {
    public var id: AwardID
    /// May be empty.
    public var prefix: String
    public var name: String

    public init(id: AwardID, prefix: String, name: String) {
        self.id = id
        self.prefix = prefix
        self.name = name
    }

    public init(_ award: ActivityAward) {
        self.init(id: award.id, prefix: award.prefix, name: award.name)
    }
}

/// An attempt that was made, won or missed.
public struct DrawnAttempt: Hashable, Sendable, Codable {
    public var activityName: String
    /// Nil for a miss.
    public var award: AwardLabel?
    public var receipt: Receipt
    /// The first 16 hex digits of the ledger row's hash.
    public var rowHash: String
    /// Attempts that the user has left here; nil when unlimited. 0 after a win.
    public var attemptsLeft: Int?

    public init(
        activityName: String, award: AwardLabel?, receipt: Receipt, rowHash: String, attemptsLeft: Int?
    ) {
        self.activityName = activityName
        self.award = award
        self.receipt = receipt
        self.rowHash = rowHash
        self.attemptsLeft = attemptsLeft
    }
}

/// A win as its winner sees it.
public struct Win: Hashable, Sendable, Codable {
    public var activityName: String
    public var award: AwardLabel
    public var receipt: Receipt
    public var gameID: String
    public var wonAt: Instant
    public var voidedAt: Instant?

    public init(
        activityName: String, award: AwardLabel, receipt: Receipt, gameID: String, wonAt: Instant,
        voidedAt: Instant? = nil
    ) {
        self.activityName = activityName
        self.award = award
        self.receipt = receipt
        self.gameID = gameID
        self.wonAt = wonAt
        self.voidedAt = voidedAt
    }
}

/// Why a command was refused although it could be read. Nothing was changed.
public enum Refusal: Hashable, Sendable, Codable {
    case argument(CommandName, ArgumentFault)
    /// The message is over 4 KiB.
    case messageTooLong(CommandName)
    /// The same message identity came before with another user, command or argument; the first answer stands.
    case messageKeyReused
    case unknownActivity(name: String)
    /// No activity is open in this chat, and none was named.
    case nothingOpen
    case notOpen(activityName: String)
    case unknownAward(name: String, activityName: String)
    /// Several awards are called that; their ids tell them apart.
    case ambiguousAward(name: String, ids: [AwardID])
    /// 抽奖开始 found faults, one line each.
    case cannotStart(activityName: String, [StartFault])
    case numberOfOnly(AwardLabel)
    case numberOfDiBao(AwardLabel)
    case numberBelowIssued(AwardLabel, issued: Int)
    case unknownReceipt(String)
    /// The receipt is of an attempt that won nothing, or of no attempt.
    case notAWin(Receipt)
    case alreadyVoided(Receipt)
    case trafficSetting(GateConfigurationError)
    /// The file's faults, each already a sentence in Chinese and English.
    case importFaults(file: String, faults: [ImportFault])
    case fileNotFound(file: String, available: [String])
    case fileUnreadable(file: String)
    case importWhileOpen(activityName: String)
    /// An award that was ever won can be neither removed nor renamed.
    case importDropsWonAward(AwardLabel)
    /// The new number of an award is below what has been given out.
    case importBelowIssued(AwardLabel, issued: Int)
    /// Another activity has this name already.
    case importNameTaken(name: String, by: ActivityID)
    case exportFailed(activityName: String)
}

/// One fault of an activity file.
public struct ImportFault: Hashable, Sendable, Codable {
    /// From 1; nil when the fault is not of one line.
    public var line: Int?
    public var chinese: String
    public var english: String

    public init(line: Int?, chinese: String, english: String) {
        self.line = line
        self.chinese = chinese
        self.english = english
    }
}

/// Why an activity cannot open.
///
/// - Source: spec.md section 5, 抽奖开始.
public enum StartFault: Hashable, Sendable, Codable {
    case alreadyOpen
    case noAwards
    /// Another activity is open for an overlapping scope.
    case overlaps(activityName: String)
    case onlyNumber(AwardLabel, number: Int)
    case twoDiBao
}

extension StartFault: CustomStringConvertible {
    /// For the log and the audit log, in English.
    public var description: String {
        switch self {
        case .alreadyOpen: "already open"
        case .noAwards: "no awards"
        case .overlaps(let activityName): "overlaps \(activityName)"
        case .onlyNumber(let award, let number): "ONLY award \(award.id) with number \(number)"
        case .twoDiBao: "two DI_BAO awards"
        }
    }
}

/// What an admin should know about an activity that opens.
public enum StartWarning: Hashable, Sendable, Codable {
    /// The odds leave a gap and there is no 低保: some draws will win nothing.
    case oddsGap(missChance: Double)
    case unlimitedAttempts
}
