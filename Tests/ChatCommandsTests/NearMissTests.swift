import Activities
import ChatCommands
import Testing

@testable import ChatCommands

@Suite struct NearMissTests {
    @Test(
        arguments: [
            ("抽桨", .draw), ("筹奖", .draw), ("臭江", .draw), ("抽 奖", .draw), ("抽 桨", .draw), ("種獎", .myWins),
            ("帮定 ", .bind),
            ("拍队", .queue), ("choujiang", .draw), ("chou jiang", .draw), ("Chou'Jiang", .draw), ("ＣＪ", .draw),
            ("cj", .draw),
            ("zj", .myWins), ("zhongjiang", .myWins), ("gailv", .pool), ("gailu", .pool), ("bangding", .bind),
            ("wdbd", .myBinding),
            ("我的绑丁", .myBinding), ("我得绑定", .myBinding), ("我的奖", .myWins), ("我的数据线", .myData), ("删除我的数", .eraseMyData),
            ("中奖汇", .winners), ("中奖汇种", .winners), ("绑 定", .bind),
        ] as [(String, CommandName)])
    func aWholeMessageThatIsCloseIsSuggestedInAGroup(_ text: String, _ suggestion: CommandName) {
        #expect(parse(text) == .unknown(suggestion: suggestion, isAddressed: false))
    }

    @Test(arguments: [
        "抽桨啦", "我想抽桨", "抽将来", "绑带", "中间", "活力", "奖励", "choujiangba", "c j l", "drow", "hlep", "binf", "抽", "好的", "的",
        "我的", "今天的数据", "离 谱", "你好呀", "liuliang", "ll", "抽奖开", "抽奖开使", "wh",
    ])
    func otherTalkIsNot(_ text: String) {
        #expect(parse(text) == .ignored)
    }

    @Test(
        arguments: [
            ("抽将", .draw), ("抽", .draw), ("抽奖啦", .draw), ("中间", .myWins), ("drow", .draw), ("drawn", .draw),
            ("hel", .help),
            ("绑带", .bind), ("离别开", .leave),
        ] as [(String, CommandName)])
    func oneWrongCharacterIsEnoughWhenAddressed(_ text: String, _ suggestion: CommandName) {
        #expect(parse(text, privately) == .unknown(suggestion: suggestion, isAddressed: true))
        #expect(parse("/" + text) == .unknown(suggestion: suggestion, isAddressed: true))
        #expect(parse("剑三 " + text) == .unknown(suggestion: suggestion, isAddressed: true))
        #expect(parse(text, mentioned) == .unknown(suggestion: suggestion, isAddressed: true))
    }

    @Test(
        arguments: [
            ("ll", .traffic), ("liuliang", .traffic), ("抽奖开使", .start), ("抽奖结", .stop), ("活动列", .activities),
            ("wh", .maintenance),
            ("流量设直", .setTraffic), ("奖品数", .setNumber),
        ] as [(String, CommandName)])
    func adminCommandsAreSuggestedToAdminsOnly(_ text: String, _ suggestion: CommandName) {
        #expect(parse(text, adminInGroup) == .unknown(suggestion: suggestion, isAddressed: false))
        #expect(parse(text) == .ignored)
        #expect(parse("/" + text) != .unknown(suggestion: suggestion, isAddressed: true))
    }

    @Test func theyCanBeSwitchedOff() {
        let parser = CommandParser(configuration: ParserConfiguration(suggestionsEnabled: false))
        #expect(parser.parse("抽桨", context: group) == .ignored)
        #expect(parser.parse("抽桨", context: privately) == .unknown(suggestion: nil, isAddressed: true))
        #expect(parser.parse("cj", context: group) == .ignored)
    }

    @Test func everyCommandCharacterHasAReading() {
        let known = Set(homophones.unicodeScalars)
        for word in CommandCatalogue.declarations.flatMap(\.words) {
            #expect(word.simplified.unicodeScalars.allSatisfy(known.contains))
            #expect(word.traditional.unicodeScalars.allSatisfy(known.contains))
        }
    }
}
