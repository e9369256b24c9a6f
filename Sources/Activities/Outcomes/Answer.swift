public import Basics
public import Lottery
public import TrafficGate

/// What an `ok` tells.
public enum Answer: Hashable, Sendable, Codable {
    case bound(gameID: String, previous: String?)
    case unbound(gameID: String)
    case binding(gameID: String)
    case wins([Win])
    case winners(WinnersPage)
    case pool(PoolView)
    case activity(ActivityView)
    /// 排队 of somebody who is in, or has no place (`isIn` false).
    case place(isIn: Bool)
    /// 离开; false when there was no place to give up.
    case left(hadPlace: Bool)
    case verification(VerificationView)
    case help(CommandName?)
    case myData(UserData)
    case erased
    case started(StartView)
    case stopped(StopView)
    /// 活动列表 of this chat; `hasOthers`: there are activities that this chat does not see.
    case activities([ActivityListItem], hasOthers: Bool)
    case imported(ImportView)
    case numberSet(NumberView)
    case traffic(GateSummary)
    case trafficSet(key: String, old: String, new: String)
    case maintenance(isOn: Bool, reason: String?)
    case voided(VoidView)
    /// The files written, without their folder.
    case exported(activityName: String, files: [String])
}

/// 中奖汇总: one line per winner, newest activity first.
public struct WinnersPage: Hashable, Sendable, Codable {
    /// A winner with everything they hold in activities that this chat may see.
    public struct Winner: Hashable, Sendable, Codable {
        /// Empty when the winner had their data erased.
        public var gameID: String
        public var wins: [Win]

        public init(gameID: String, wins: [Win]) {
            self.gameID = gameID
            self.wins = wins
        }
    }

    /// From 1; never above `pageCount` unless that is 0.
    public var page: Int
    /// 0 when nobody has won.
    public var pageCount: Int
    public var winnerCount: Int
    public var winners: [Winner]

    public init(page: Int, pageCount: Int, winnerCount: Int, winners: [Winner]) {
        self.page = page
        self.pageCount = pageCount
        self.winnerCount = winnerCount
        self.winners = winners
    }
}

/// 奖池
public struct PoolView: Hashable, Sendable, Codable {
    public struct Award: Hashable, Sendable, Codable {
        public var label: AwardLabel
        public var kind: AwardKind
        public var percent: Percent
        /// The chance, 0…1, that a draw made now gives this award.
        public var effectiveOdds: Double
        /// Nil for 低保.
        public var remaining: Int?
        public var number: Int?

        public init(
            label: AwardLabel, kind: AwardKind, percent: Percent, effectiveOdds: Double, remaining: Int?, number: Int?
        ) {
            self.label = label
            self.kind = kind
            self.percent = percent
            self.effectiveOdds = effectiveOdds
            self.remaining = remaining
            self.number = number
        }
    }

    public var activityName: String
    public var awards: [Award]
    /// The chance, 0…1, that a draw made now wins nothing.
    public var missOdds: Double

    public init(activityName: String, awards: [Award], missOdds: Double) {
        self.activityName = activityName
        self.awards = awards
        self.missOdds = missOdds
    }
}

/// 活动
public struct ActivityView: Hashable, Sendable, Codable {
    public var name: String
    public var openedAt: Instant
    public var endsAt: Instant?
    /// How many users have drawn at least once.
    public var userCount: Int
    public var drawCount: Int
    public var maxAttempts: Int?
    public var round: Int
    /// 64 hex digits.
    public var commitment: String

    public init(
        name: String, openedAt: Instant, endsAt: Instant?, userCount: Int, drawCount: Int, maxAttempts: Int?,
        round: Int, commitment: String
    ) {
        self.name = name
        self.openedAt = openedAt
        self.endsAt = endsAt
        self.userCount = userCount
        self.drawCount = drawCount
        self.maxAttempts = maxAttempts
        self.round = round
        self.commitment = commitment
    }
}

/// 验证: a receipt's inputs and outcome.
public struct VerificationView: Hashable, Sendable, Codable {
    /// What became of one award in an attempt.
    public enum Fate: String, Hashable, Sendable, Codable {
        /// The word did not hit.
        case missed
        /// The word hit and a copy was left: the result.
        case won
        /// The word hit, but nothing was left at that moment.
        case soldOut
        /// The attempt had ended before: an award ahead of this one was won.
        case notAsked
    }

    /// How one award was asked, once the seed is known.
    public struct Step: Hashable, Sendable, Codable {
        public var award: AwardLabel
        public var word: UInt64
        /// A word below this hits; nil: every word hits.
        public var threshold: UInt64?
        public var fate: Fate

        public init(award: AwardLabel, word: UInt64, threshold: UInt64?, fate: Fate) {
            self.award = award
            self.word = word
            self.threshold = threshold
            self.fate = fate
        }
    }

    public var activityName: String
    public var receipt: Receipt
    public var round: Int
    public var attempt: Int
    public var drawnAt: Instant
    /// Nil for a miss.
    public var award: AwardLabel?
    public var isVoided: Bool
    /// 64 hex digits each.
    public var rowHash: String
    public var commitment: String
    /// For the owner and admins only.
    public var user: UserID?
    /// Hex; for the owner only.
    public var salt: String?
    /// Hex; nil while the round is open.
    public var seed: String?
    /// Empty while the round is open, and when the user had their data erased.
    public var steps: [Step]

    public init(
        activityName: String, receipt: Receipt, round: Int, attempt: Int, drawnAt: Instant, award: AwardLabel?,
        isVoided: Bool, rowHash: String, commitment: String, user: UserID?, salt: String?, seed: String?,
        steps: [Step]
    ) {
        self.activityName = activityName
        self.receipt = receipt
        self.round = round
        self.attempt = attempt
        self.drawnAt = drawnAt
        self.award = award
        self.isVoided = isVoided
        self.rowHash = rowHash
        self.commitment = commitment
        self.user = user
        self.salt = salt
        self.seed = seed
        self.steps = steps
    }
}

/// 我的数据
public struct UserData: Hashable, Sendable, Codable {
    public var user: UserID
    public var gameID: String?
    public var wins: [Win]
    /// Attempts that won nothing, over all activities.
    public var missCount: Int
    /// Messages whose answers are kept.
    public var messageCount: Int
    public var hasSession: Bool

    public init(user: UserID, gameID: String?, wins: [Win], missCount: Int, messageCount: Int, hasSession: Bool) {
        self.user = user
        self.gameID = gameID
        self.wins = wins
        self.missCount = missCount
        self.messageCount = messageCount
        self.hasSession = hasSession
    }
}

/// 抽奖开始
public struct StartView: Hashable, Sendable, Codable {
    public var activityName: String
    public var round: Int
    /// 64 hex digits.
    public var commitment: String
    /// The head of the chain, 64 hex digits.
    public var head: String
    public var warnings: [StartWarning]
    public var endsAt: Instant?

    public init(
        activityName: String, round: Int, commitment: String, head: String, warnings: [StartWarning], endsAt: Instant?
    ) {
        self.activityName = activityName
        self.round = round
        self.commitment = commitment
        self.head = head
        self.warnings = warnings
        self.endsAt = endsAt
    }
}

/// 抽奖结束
public struct StopView: Hashable, Sendable, Codable {
    public struct Award: Hashable, Sendable, Codable {
        public var label: AwardLabel
        /// Given out and not voided.
        public var issued: Int
        /// Nil for 低保.
        public var remaining: Int?

        public init(label: AwardLabel, issued: Int, remaining: Int?) {
            self.label = label
            self.issued = issued
            self.remaining = remaining
        }
    }

    public var activityName: String
    public var round: Int
    public var userCount: Int
    public var drawCount: Int
    public var winCount: Int
    public var awards: [Award]
    /// 64 hex digits: the revealed seed.
    public var seed: String
    /// The head of the chain, 64 hex digits.
    public var head: String

    public init(
        activityName: String, round: Int, userCount: Int, drawCount: Int, winCount: Int, awards: [Award],
        seed: String, head: String
    ) {
        self.activityName = activityName
        self.round = round
        self.userCount = userCount
        self.drawCount = drawCount
        self.winCount = winCount
        self.awards = awards
        self.seed = seed
        self.head = head
    }
}

/// The state of an activity.
///
/// - Source: spec.md section 2.
public enum ActivityStatus: String, Hashable, Sendable, Codable, CaseIterable {
    /// Never opened.
    case idle
    /// Open.
    case active
    /// Closed again.
    case inactive
}

/// A line of 活动列表.
public struct ActivityListItem: Hashable, Sendable, Codable {
    public var id: ActivityID
    public var name: String
    public var status: ActivityStatus
    public var startsAt: Instant?
    public var endsAt: Instant?
    public var drawCount: Int

    public init(
        id: ActivityID, name: String, status: ActivityStatus, startsAt: Instant?, endsAt: Instant?, drawCount: Int
    ) {
        self.id = id
        self.name = name
        self.status = status
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.drawCount = drawCount
    }
}

/// 活动导入
public struct ImportView: Hashable, Sendable, Codable {
    public enum Effect: String, Hashable, Sendable, Codable {
        case created
        case replaced
        case unchanged
    }

    public var id: ActivityID
    public var name: String
    public var awardCount: Int
    public var effect: Effect

    public init(id: ActivityID, name: String, awardCount: Int, effect: Effect) {
        self.id = id
        self.name = name
        self.awardCount = awardCount
        self.effect = effect
    }
}

/// 奖品数量
public struct NumberView: Hashable, Sendable, Codable {
    public var activityName: String
    public var award: AwardLabel
    public var oldNumber: Int
    public var number: Int
    public var remaining: Int
    /// The new round's commitment, 64 hex digits; nil when no round began: the activity is closed, or nothing changed.
    public var commitment: String?

    public init(
        activityName: String, award: AwardLabel, oldNumber: Int, number: Int, remaining: Int, commitment: String?
    ) {
        self.activityName = activityName
        self.award = award
        self.oldNumber = oldNumber
        self.number = number
        self.remaining = remaining
        self.commitment = commitment
    }
}

/// 作废
public struct VoidView: Hashable, Sendable, Codable {
    public var activityName: String
    public var receipt: Receipt
    public var award: AwardLabel
    public var reason: String
    /// Copies left afterwards; nil for 低保.
    public var remaining: Int?
    /// Whether the user can draw again now: the activity is open and the user is known.
    public var mayDrawAgain: Bool

    public init(
        activityName: String, receipt: Receipt, award: AwardLabel, reason: String, remaining: Int?, mayDrawAgain: Bool
    ) {
        self.mayDrawAgain = mayDrawAgain
        self.activityName = activityName
        self.receipt = receipt
        self.award = award
        self.reason = reason
        self.remaining = remaining
    }
}
