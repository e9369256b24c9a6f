internal import Activities
internal import Basics
internal import Lottery

/// `hongbao activity show`: an activity with its awards, as text.
enum ActivityReport {
    static func text(_ record: ActivityRecord) -> String {
        let activity = record.activity
        var lines = [
            "\(activity.name)  (\(activity.id))",
            "状态 status: \(record.status.rawValue)",
            "范围 scope: \(scope(activity.scope))",
            "每人次数 max_attempts: \(activity.maxAttempts.map(String.init) ?? "不限 unlimited")",
            "同一游戏 id 只中一次 one_win_per_game_id: \(activity.oneWinPerGameID)",
        ]
        if let startsAt = activity.startsAt {
            lines.append("开始 starts_at: \(startsAt.dateTimeText()) UTC\(record.isStartUsed ? " (used)" : "")")
        }
        if let endsAt = activity.endsAt {
            lines.append("结束 ends_at: \(endsAt.dateTimeText()) UTC\(record.isEndUsed ? " (used)" : "")")
        }
        lines.append("抽奖 draws: \(record.drawCount) 次，\(record.userCount) 人 users")
        if let round = record.openRound {
            lines.append("第 \(round.round) 轮承诺 commitment: \(round.commitment.hex)")
        }
        if record.head.nextSeq > 0 { lines.append("账本末行 head: \(record.head.hash.hex)") }
        lines.append("奖品 awards:")
        for (index, award) in activity.awards.enumerated() {
            let stock =
                award.kind == .DI_BAO
                ? "不限 unlimited，已发 issued \(record.issued[index])"
                : "\(award.percent)%，剩余 remaining \(record.remaining(at: index)) / \(award.number)"
            let text = awardText(prefix: award.prefix, name: award.name)
            lines.append("  \(index + 1). \(text) [\(award.id)] \(award.kind.name): \(stock)")
        }
        return lines.joined(separator: "\n")
    }

    private static func scope(_ scope: Scope) -> String {
        switch scope {
        case .everywhere: "*"
        case .chats(let chats): chats.sorted().map(\.text).joined(separator: ", ")
        }
    }
}
