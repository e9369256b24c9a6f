public import Activities

/// A Chinese command word in both scripts.
public struct CommandWord: Hashable, Sendable {
    public let simplified: String
    /// As many scalars as ``simplified``, each the same character in the other script.
    public let traditional: String

    init(_ simplified: String, _ traditional: String) {
        precondition(
            simplified.unicodeScalars.count == traditional.unicodeScalars.count, "The two scripts pair up by scalar.")
        self.simplified = simplified
        self.traditional = traditional
    }
}

/// One command: how it is called, what it takes, who may run it.
///
/// Parser, 帮助, suggestions and commands.md follow from it.
public struct CommandDeclaration: Hashable, Sendable {
    public let name: CommandName
    /// The first is the one that replies use.
    public let words: [CommandWord]
    /// English, lower case; the first is the one that replies use.
    public let aliases: [String]
    /// What stands behind the word; nil for a command without arguments.
    public let arguments: LocalizedText?
    /// The arguments of the example in 帮助; nil for a command that runs without.
    public let example: LocalizedText?

    /// Whether only an admin may run it.
    public var isForAdmins: Bool { name.isForAdmins }

    /// The key of the one-line summary among the reply texts.
    public var summaryKey: String { "summary.\(name.rawValue)" }

    /// The word or alias that replies call the command by.
    public func word(in language: ReplyLanguage) -> String {
        switch language {
        case .simplifiedChinese: words[0].simplified
        case .traditionalChinese: words[0].traditional
        case .english: aliases[0]
        }
    }

    /// The word with its arguments: `绑定 <游戏id>`.
    public func usage(in language: ReplyLanguage) -> String {
        join(word(in: language), arguments?.text(in: language))
    }

    /// A line that can be sent as it is.
    public func example(in language: ReplyLanguage) -> String {
        join(word(in: language), example?.text(in: language))
    }

    /// Every other way to call it, as 帮助 lists them.
    public func otherWords(in language: ReplyLanguage) -> [String] {
        let chinese = words.map { language == .traditionalChinese ? $0.traditional : $0.simplified }
        return (chinese + aliases).filter { $0 != word(in: language) }
    }

    private func join(_ word: String, _ rest: String?) -> String {
        rest.map { "\(word) \($0)" } ?? word
    }
}

/// Every command, once.
///
/// - Source: spec.md section 4.
public enum CommandCatalogue {
    /// Players' commands first; in the order in which 帮助 lists them.
    public static let declarations: [CommandDeclaration] = [
        .init(
            .bind, [.init("绑定", "綁定")], ["bind"],
            arguments: .init("<游戏id>", "<遊戲id>", "<game id>"), example: .init("剑侠客", "劍俠客", "Swordsman")),
        .init(.unbind, [.init("解绑", "解綁")], ["unbind"]),
        .init(.myBinding, [.init("我的绑定", "我的綁定")], ["binding"]),
        .init(.draw, [.init("抽奖", "抽獎")], ["draw"]),
        .init(.myWins, [.init("中奖", "中獎"), .init("我的奖品", "我的獎品")], ["wins"]),
        .init(
            .winners, [.init("中奖汇总", "中獎彙總")], ["winners"],
            arguments: .init("[页]", "[頁]", "[page]"), example: .init("2", "2", "2")),
        .init(.pool, [.init("奖池", "獎池"), .init("概率", "概率")], ["prizes", "pool", "odds"]),
        .init(.activity, [.init("活动", "活動")], ["activity"]),
        .init(.queue, [.init("排队", "排隊")], ["queue"]),
        .init(.leave, [.init("离开", "離開")], ["leave"]),
        .init(
            .verify, [.init("验证", "驗證")], ["verify"],
            arguments: .init("<编号>", "<編號>", "<receipt>"),
            example: .init("spring-sample-1", "spring-sample-1", "spring-sample-1")),
        .init(.myData, [.init("我的数据", "我的數據")], ["mydata"]),
        .init(.eraseMyData, [.init("删除我的数据", "刪除我的數據")], ["erase"]),
        .init(
            .help, [.init("帮助", "幫助")], ["help"],
            arguments: .init("[命令]", "[指令]", "[command]"), example: .init("抽奖", "抽獎", "draw")),
        .init(
            .start, [.init("抽奖开始", "抽獎開始")], ["start"],
            arguments: .init("<活动名>", "<活動名>", "<activity>"), example: .init("春节抽奖", "春节抽奖", "春节抽奖")),
        .init(
            .stop, [.init("抽奖结束", "抽獎結束")], ["stop"],
            arguments: .init("[活动名]", "[活動名]", "[activity]"), example: .init("春节抽奖", "春节抽奖", "春节抽奖")),
        .init(.activities, [.init("活动列表", "活動列表")], ["activities"]),
        .init(
            .importActivity, [.init("活动导入", "活動導入")], ["import"],
            arguments: .init("<文件>", "<檔案>", "<file>"), example: .init("spring.yaml", "spring.yaml", "spring.yaml")),
        .init(
            .setNumber, [.init("奖品数量", "獎品數量")], ["number"],
            arguments: .init("[活动名:]<奖品> <数量>", "[活動名:]<獎品> <數量>", "[activity:]<award> <number>"),
            example: .init("月卡 120", "月卡 120", "月卡 120")),
        .init(.traffic, [.init("流量", "流量")], ["traffic"]),
        .init(
            .setTraffic, [.init("流量设置", "流量設置")], ["set"],
            arguments: .init("<键> <值>", "<鍵> <值>", "<key> <value>"),
            example: .init("max_concurrent_users 500", "max_concurrent_users 500", "max_concurrent_users 500")),
        .init(
            .maintenance, [.init("维护", "維護")], ["maintenance"],
            arguments: .init("开|关 [原因]", "開|關 [原因]", "on|off [reason]"),
            example: .init("开 服务器升级", "開 伺服器升級", "on server upgrade")),
        .init(
            .void, [.init("作废", "作廢")], ["void"],
            arguments: .init("<编号> <原因>", "<編號> <原因>", "<receipt> <reason>"),
            example: .init("spring-sample-1 重复账号", "spring-sample-1 重複帳號", "spring-sample-1 second account")),
        .init(
            .export, [.init("导出", "導出")], ["export"],
            arguments: .init("<活动名>", "<活動名>", "<activity>"), example: .init("春节抽奖", "春节抽奖", "春节抽奖")),
    ]

    /// The declaration of a command.
    public static func declaration(of name: CommandName) -> CommandDeclaration {
        byName[name]!
    }

    /// A test checks that every command is declared.
    private static let byName = Dictionary(uniqueKeysWithValues: declarations.map { ($0.name, $0) })

    /// Further forms of characters in command words, each before the one it stands for.
    static let variants: [(Unicode.Scalar, Unicode.Scalar)] = [
        ("匯", "汇"), ("奬", "奖"), ("奨", "奖"), ("証", "证"), ("総", "总"), ("縂", "总"),
    ]
}

extension CommandDeclaration {
    fileprivate init(
        _ name: CommandName, _ words: [CommandWord], _ aliases: [String], arguments: LocalizedText? = nil,
        example: LocalizedText? = nil
    ) {
        self.init(name: name, words: words, aliases: aliases, arguments: arguments, example: example)
    }
}
