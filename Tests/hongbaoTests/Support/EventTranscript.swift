import Foundation

/// A whole event, line by line, with what each line must be answered: 500 players in two chats, an admin, a full gate
/// with people waiting, duplicates, wrong commands, a stock edit, a void, the end, the reveal.
///
/// The awards have a chance of 100 %, so that who gets which follows from the order alone.
struct EventTranscript {
    struct Line {
        var user: String
        var chat: String
        var id: String?
        var text: String
        var code: String
        /// The award's id, where one must be named.
        var award: String?
        var position: Int?
        /// A line, by index, whose answer this one must repeat word for word.
        var repeats: Int?
        /// What the reply must contain.
        var contains: [String] = []
    }

    static let admin = "1"
    static let lantern = """
        id: lantern
        name: 元宵抽奖
        scope: ["qq:lantern"]
        max_attempts: 1
        one_win_per_game_id: true
        awards:
          - {id: silver, prefix: 二等奖, name: 限定皮肤, kind: NORNAL, percent: 100, number: 3}
          - {id: bao, prefix: 低保, name: 金币 x100, kind: DI_BAO}

        """
    static let spring = """
        id: spring
        name: 春节抽奖
        scope: ["qq:spring"]
        max_attempts: 2
        awards:
          - {id: gold, prefix: 一等奖, name: 游戏主机, kind: ONLY, percent: 100}
          - {id: card, prefix: 三等奖, name: 月卡, kind: NORNAL, percent: 100, number: 29}

        """

    private(set) var lines: [Line] = []

    init() {
        prepare()
        lanternChat()
        springChat()
        finish()
    }

    /// The event as `hongbao chat --json` reads it.
    var input: String {
        lines.map { line in
            let id = line.id.map { ",\"id\":\"\($0)\"" } ?? ""
            return
                "{\"platform\":\"qq\",\"user\":\"\(line.user)\",\"chat\":\"\(line.chat)\"\(id),\"text\":\"\(line.text)\"}"
        }.joined(separator: "\n") + "\n"
    }

    @discardableResult
    private mutating func say(
        _ user: String, _ chat: String, _ text: String, _ code: String, id: String? = nil, award: String? = nil,
        position: Int? = nil, repeats: Int? = nil, contains: [String] = []
    ) -> Int {
        lines.append(
            Line(
                user: user, chat: chat, id: id, text: text, code: code, award: award, position: position,
                repeats: repeats, contains: contains))
        return lines.count - 1
    }

    private mutating func prepare() {
        say("p0", "lantern", "抽奖", "no_activity")
        say("p0", "lantern", "离开", "ok")
        say(Self.admin, "lantern", "抽奖开始 元宵抽奖", "ok", contains: ["活动开启成功"])
        say(Self.admin, "spring", "抽奖开始 春节抽奖", "ok", contains: ["活动开启成功"])
        say(Self.admin, "spring", "抽奖开始 春节抽奖", "bad_argument")
        say(Self.admin, "spring", "抽奖开始 没有这个", "bad_argument")
    }

    /// 300 players, three skins, then a stock edit, then one void.
    private mutating func lanternChat() {
        let chat = "lantern"
        for player in 1...300 {
            let user = "a\(player)"
            if player == 4 {
                say(Self.admin, chat, "奖品数量 silver 2", "bad_argument")
                say(Self.admin, chat, "奖品数量 限定皮肤 5", "ok", contains: ["5"])
            }
            say(user, chat, "抽奖", "not_bound", id: "a\(player)-early")
            say(user, chat, "绑定", "bad_argument")
            say(user, chat, "绑定 角色\(player)", "ok", contains: ["绑定成功"])
            let award = player <= 5 ? "silver" : "bao"
            let win = say(user, chat, "抽奖", "won", id: "a\(player)-draw", award: award, contains: ["恭喜中奖"])
            say(user, chat, "／抽奖", "won", id: "a\(player)-draw", award: award, repeats: win)
            say(user, chat, "抽奖", "already_won", award: award)
            switch player % 5 {
            case 0: say(user, chat, "大家新年好", "ignored")
            case 1: say(user, chat, "抽桨", "unknown_command")
            case 2: say(user, chat, "抽奖结束", "not_permitted")
            case 3: say("b\(player)", chat, "绑定 角色\(player)", "ok", contains: ["绑定成功"])
            default: say(user, chat, "绑定 别的角色", "bad_argument", id: "a\(player)-draw")
            }
            if player % 5 == 3 {
                say("b\(player)", chat, "抽奖", "game_id_used")
            }
        }
        // Row 0 opens, rows 1 to 3 are the first draws.
        say("a2", chat, "作废 lantern-1 手误", "not_permitted")
        say(Self.admin, chat, "作废 lantern-1 手误", "ok", contains: ["lantern-1"])
        say(Self.admin, chat, "作废 lantern-1 手误", "bad_argument")
        say("a1", chat, "抽奖", "won", id: "a1-again", award: "silver")
        say("a1", chat, "抽奖", "won", id: "a1-draw", award: "silver")
        say("a2", chat, "中奖汇总", "ok", contains: ["角色1", "限定皮肤"])
        say("a2", chat, "离开", "ok")
    }

    /// 200 players, 30 prizes, 20 places: the rest waits.
    private mutating func springChat() {
        let chat = "spring"
        say(Self.admin, chat, "流量设置 max_concurrent_users 20", "ok")
        say(Self.admin, chat, "流量设置 max_concurrent_users 0", "bad_argument")
        for player in 1...30 {
            say("s\(player)", chat, "绑定 侠客\(player)", "ok")
            say("s\(player)", chat, "抽奖", "won", award: player == 1 ? "gold" : "card")
        }
        // Nothing is left: these miss, and keep their places.
        for player in 31...50 {
            say("s\(player)", chat, "绑定 侠客\(player)", "ok")
            say("s\(player)", chat, "抽奖", "missed", contains: ["很遗憾，未中奖"])
        }
        for player in 51...200 {
            let position = player - 50
            say("s\(player)", chat, "绑定 侠客\(player)", "ok", position: position)
            say("s\(player)", chat, "抽奖", "queued", id: "s\(player)-wait", position: position)
        }
        say("s60", chat, "排队", "queued", position: 10)
        say("s60", chat, "奖池", "ok", position: 10)
        for player in 31...35 { say("s\(player)", chat, "离开", "ok") }
        // Five came in, in order; everybody else moved up.
        for player in 51...55 { say("s\(player)", chat, "抽奖", "missed") }
        for player in 56...60 { say("s\(player)", chat, "排队", "queued", position: player - 55) }
        // The same message again is the same answer, although its sender is in by now.
        say("s51", chat, "抽奖", "queued", id: "s51-wait")
        // A second miss uses the attempts up; asking again gives the place to the next one.
        say("s51", chat, "抽奖", "missed")
        say("s51", chat, "抽奖", "attempts_used")
        say("s56", chat, "抽奖", "missed")
        // Somebody who waits leaves; those behind move up, nobody overtakes.
        say("s58", chat, "离开", "ok")
        say("s57", chat, "排队", "queued", position: 1)
        say("s59", chat, "排队", "queued", position: 2)
        say(Self.admin, chat, "流量设置 max_concurrent_users 1000", "ok")
        say("s200", chat, "抽奖", "missed")
    }

    private mutating func finish() {
        say(Self.admin, "lantern", "维护 开 换服", "ok")
        say("a2", "lantern", "中奖", "maintenance")
        say(Self.admin, "lantern", "维护 关", "ok")
        say(Self.admin, "spring", "抽奖结束", "ok", contains: ["春节抽奖"])
        say("s31", "spring", "抽奖", "no_activity")
        say(Self.admin, "lantern", "抽奖结束 元宵抽奖", "ok", contains: ["元宵抽奖"])
        say("a1", "lantern", "验证 lantern-1", "ok")
        say("a1", "lantern", "验证 spring-1", "bad_argument")
        say("a1", "lantern", "验证 lantern-999999", "bad_argument")
        say(Self.admin, "lantern", "导出 元宵抽奖", "ok", contains: ["lantern.ledger.jsonl"])
        say(Self.admin, "spring", "导出 春节抽奖", "ok", contains: ["spring.winners.csv"])
    }
}
