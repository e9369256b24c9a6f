public import Basics

/// Why a row of a ledger cannot be true.
///
/// Each case has an English and a Chinese sentence; the switches have no `default`, so that a new case cannot miss one.
public enum LedgerFault: Error, Hashable, Sendable {
    /// The line is not in the canonical form.
    case unreadable(LedgerLineError)
    /// The file holds no row, so it proves nothing.
    case noRows
    /// A row is missing, repeated or out of order.
    case sequence(expected: Int64, found: Int64)
    /// The row is dated before the one above it.
    case timeBackwards(previous: Instant, found: Instant)
    /// The row, or one before it, is not what was linked into the chain.
    case chain(expected: Hash, found: Hash)
    /// The row opens a round of another activity.
    case otherActivity(expected: ActivityID, found: ActivityID)
    /// A round begins while one is open.
    case roundStillOpen(UInt32)
    /// A draw or a close outside a round.
    case noOpenRound
    /// The round's number is not the one that is due.
    case round(expected: UInt32, found: UInt32)
    /// The opening's rules are not rules of a draw.
    case rules(RulesFault)
    /// The revealed seed is not the one that was committed to.
    case commitment
    /// The user and the salt do not give the row's user hash.
    case userHash
    /// The award is not one of the round's.
    case unknownAward(AwardID)
    /// The seed gives another outcome; nil is a miss.
    case outcome(expected: AwardID?, found: AwardID?)
    /// No words could have given this outcome: a certain award passed over, or one without a chance won.
    case impossibleOutcome(AwardID?)
    /// Nothing was left of the award.
    case outOfStock(AwardID)
    /// The stated rest is not what the rows before leave over.
    case remaining(expected: Int?, found: Int?)
    /// The user's attempts are not counted from 1 without gaps.
    case attempt(expected: Int, found: Int)
    /// More attempts than the rules allow.
    case attemptsUsed(maximum: Int)
    /// The user holds a win that was not voided.
    case secondWin(first: Receipt)
    /// The receipt belongs to another activity.
    case voidOfOtherActivity(Receipt)
    /// The receipt names no earlier win.
    case voidOfNoWin(Receipt)
    /// The win was voided before.
    case voidedTwice(Receipt)
}

/// What is wrong with the rules of an opening.
public enum RulesFault: Hashable, Sendable {
    case activityID
    case noAwards
    case awardID(AwardID)
    case repeatedAward(AwardID)
    case secondDiBao(AwardID)
    /// A `DI_BAO` award with a chance or a number.
    case limitedDiBao(AwardID)
    /// An award that is not `DI_BAO` without a number.
    case missingNumber(AwardID)
    /// An `ONLY` award with more than one copy.
    case onlyNumber(AwardID, Int)
    /// An `ONLY` award that is offered although somebody holds it.
    case onlyGone(AwardID)
}

extension LedgerFault: CustomStringConvertible {
    /// The English sentence. Ids that stand in it are without control characters.
    public var description: String { english.withoutControls() }

    private var english: String {
        switch self {
        case .unreadable(let error): "the line is not in the canonical form: \(error)"
        case .noRows: "there is no row"
        case .sequence(let expected, let found): "seq \(expected) is due, found \(found)"
        case .timeBackwards(let previous, let found):
            "the time \(found.dateTimeText()) lies before the row above, \(previous.dateTimeText())"
        case .chain(let expected, let found):
            "the row's contents hash to \(expected.shortHex)…, the row says \(found.shortHex)…"
        case .otherActivity(let expected, let found): "activity \(found) in the ledger of \(expected)"
        case .roundStillOpen(let round): "round \(round) is still open"
        case .noOpenRound: "no round is open"
        case .round(let expected, let found): "round \(expected) is due, found \(found)"
        case .rules(let fault): "the rules are not valid: \(fault.description)"
        case .commitment: "the revealed seed does not match the commitment of the round"
        case .userHash: "the user and the salt do not give the user hash"
        case .unknownAward(let award): "award \(award) is not in the rules of the round"
        case .outcome(let expected, let found):
            "the seed gives \(englishOutcome(expected)), the row says \(englishOutcome(found))"
        case .impossibleOutcome(let found): "under these rules the outcome cannot be \(englishOutcome(found))"
        case .outOfStock(let award): "nothing was left of award \(award)"
        case .remaining(let expected, let found):
            "\(expected.map { "\($0)" } ?? "null") must remain, the row says \(found.map { "\($0)" } ?? "null")"
        case .attempt(let expected, let found): "attempt \(expected) of this user is due, found \(found)"
        case .attemptsUsed(let maximum): "the user had used all \(maximum) attempts"
        case .secondWin(let first): "the user already holds the win \(first)"
        case .voidOfOtherActivity(let receipt): "receipt \(receipt) belongs to another activity"
        case .voidOfNoWin(let receipt): "receipt \(receipt) names no earlier win"
        case .voidedTwice(let receipt): "the win \(receipt) was voided before"
        }
    }

    /// The Chinese sentence, likewise.
    public var chineseText: String { chinese.withoutControls() }

    private var chinese: String {
        switch self {
        case .unreadable(let error): "该行不是规范格式（\(error)）"
        case .noRows: "文件里没有任何记录"
        case .sequence(let expected, let found): "序号应为 \(expected)，实际为 \(found)"
        case .timeBackwards(let previous, let found):
            "时间 \(found.dateTimeText()) 早于上一行的 \(previous.dateTimeText())"
        case .chain(let expected, let found): "按内容计算的哈希为 \(expected.shortHex)…，该行写的是 \(found.shortHex)…"
        case .otherActivity(let expected, let found): "活动 \(expected) 的账本里出现了活动 \(found)"
        case .roundStillOpen(let round): "第 \(round) 轮还没有结束"
        case .noOpenRound: "此时没有进行中的轮次"
        case .round(let expected, let found): "应为第 \(expected) 轮，实际为第 \(found) 轮"
        case .rules(let fault): "规则无效：\(fault.chineseText)"
        case .commitment: "公开的种子与本轮的承诺不符"
        case .userHash: "用户与盐算不出该行的用户哈希"
        case .unknownAward(let award): "奖品 \(award) 不在本轮规则里"
        case .outcome(let expected, let found):
            "按种子结果应为\(chineseOutcome(expected))，该行写的是\(chineseOutcome(found))"
        case .impossibleOutcome(let found): "按本轮规则不可能出现\(chineseOutcome(found))"
        case .outOfStock(let award): "奖品 \(award) 已经没有剩余"
        case .remaining(let expected, let found):
            "剩余应为 \(expected.map { "\($0)" } ?? "null")，该行写的是 \(found.map { "\($0)" } ?? "null")"
        case .attempt(let expected, let found): "该用户应为第 \(expected) 次抽奖，实际为第 \(found) 次"
        case .attemptsUsed(let maximum): "该用户的 \(maximum) 次机会已经用完"
        case .secondWin(let first): "该用户已经中过奖：\(first)"
        case .voidOfOtherActivity(let receipt): "编号 \(receipt) 属于别的活动"
        case .voidOfNoWin(let receipt): "编号 \(receipt) 之前没有对应的中奖记录"
        case .voidedTwice(let receipt): "中奖记录 \(receipt) 已经作废过"
        }
    }
}

extension RulesFault: CustomStringConvertible {
    /// The English clause. Ids that stand in it are without control characters.
    public var description: String { english.withoutControls() }

    private var english: String {
        switch self {
        case .activityID: "the activity's id is not [A-Za-z0-9._-]{1,64}"
        case .noAwards: "there are no awards"
        case .awardID(let award): "the award id `\(award)` is not [A-Za-z0-9._-]{1,64}"
        case .repeatedAward(let award): "award \(award) is listed twice"
        case .secondDiBao(let award): "award \(award) is a second DI_BAO"
        case .limitedDiBao(let award): "award \(award) is DI_BAO and has a chance or a number"
        case .missingNumber(let award): "award \(award) has no number"
        case .onlyNumber(let award, let number): "award \(award) is ONLY and has \(number) copies"
        case .onlyGone(let award): "award \(award) is ONLY, is held by somebody, and is offered again"
        }
    }

    /// The Chinese clause, likewise.
    public var chineseText: String { chinese.withoutControls() }

    private var chinese: String {
        switch self {
        case .activityID: "活动 id 不符合 [A-Za-z0-9._-]{1,64}"
        case .noAwards: "没有奖品"
        case .awardID(let award): "奖品 id `\(award)` 不符合 [A-Za-z0-9._-]{1,64}"
        case .repeatedAward(let award): "奖品 \(award) 重复"
        case .secondDiBao(let award): "奖品 \(award) 是第二个低保"
        case .limitedDiBao(let award): "低保奖品 \(award) 不能有概率或数量"
        case .missingNumber(let award): "奖品 \(award) 没有数量"
        case .onlyNumber(let award, let number): "唯一奖品 \(award) 的数量是 \(number)"
        case .onlyGone(let award): "唯一奖品 \(award) 已被抽走，却又可以抽"
        }
    }
}

private func englishOutcome(_ award: AwardID?) -> String {
    award.map { "award \($0)" } ?? "a miss"
}

private func chineseOutcome(_ award: AwardID?) -> String {
    award.map { "奖品 \($0)" } ?? "未中奖"
}
