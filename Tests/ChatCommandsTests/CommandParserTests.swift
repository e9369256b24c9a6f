import Activities
import ChatCommands
import Lottery
import Testing

@Suite struct CommandParserTests {
    @Test(arguments: [
        ParserCase("绑定 剑侠客", bound("剑侠客")),
        ParserCase("解绑", .unbind),
        ParserCase("我的绑定", .myBinding),
        ParserCase("抽奖", .draw),
        ParserCase("中奖", .myWins),
        ParserCase("我的奖品", .myWins),
        ParserCase("中奖汇总", .winners(page: 1)),
        ParserCase("中奖汇总 3", .winners(page: 3)),
        ParserCase("奖池", .pool),
        ParserCase("概率", .pool),
        ParserCase("活动", .activity),
        ParserCase("排队", .queue),
        ParserCase("离开", .leave),
        ParserCase("验证 spring-sample-1", .verify(receipt)),
        ParserCase("帮助", .help(nil)),
        ParserCase("帮助 抽奖", .help(.draw)),
        ParserCase("帮助 /draw", .help(.draw)),
        ParserCase("帮助 流量设置", .help(.setTraffic)),
        ParserCase("我的数据", .myData),
        ParserCase("删除我的数据", .eraseMyData),
        ParserCase("抽奖开始 春节抽奖", .start(activity: "春节抽奖")),
        ParserCase("抽奖结束", .stop(activity: nil)),
        ParserCase("抽奖结束 春节 抽奖", .stop(activity: "春节 抽奖")),
        ParserCase("活动列表", .activities),
        ParserCase("活动导入 spring.yaml", .importActivity(file: "spring.yaml")),
        ParserCase("奖品数量 月卡 120", .setNumber(activity: nil, award: "月卡", number: 120)),
        ParserCase("奖品数量 春节抽奖:888 金币 5", .setNumber(activity: "春节抽奖", award: "888 金币", number: 5)),
        ParserCase("奖品数量 春节抽奖：月卡 ０", .setNumber(activity: "春节抽奖", award: "月卡", number: 0)),
        ParserCase("奖品数量 :皮肤:红 3", .setNumber(activity: nil, award: "皮肤:红", number: 3)),
        ParserCase("流量", .traffic),
        ParserCase("流量设置 max_concurrent_users 500", .setTraffic(key: "max_concurrent_users", value: "500")),
        ParserCase("流量设置 ＭＡＸ＿concurrent_users ５００", .setTraffic(key: "max_concurrent_users", value: "500")),
        ParserCase("流量设置 time_zone Asia/Shanghai", .setTraffic(key: "time_zone", value: "Asia/Shanghai")),
        ParserCase("维护 开", .maintenance(isOn: true, reason: nil)),
        ParserCase("维护开", .maintenance(isOn: true, reason: nil), adminInGroup),
        ParserCase("维护 关", .maintenance(isOn: false, reason: nil)),
        ParserCase("維護 開 伺服器 升級", .maintenance(isOn: true, reason: "伺服器 升級")),
        ParserCase("maintenance OFF", .maintenance(isOn: false, reason: nil)),
        ParserCase("作废 spring-sample-1 重复  账号", .void(receipt, reason: "重复 账号")),
        ParserCase("导出 春节抽奖", .export(activity: "春节抽奖")),
    ])
    func everyCommandIsRead(_ line: ParserCase) {
        #expect(parse(line.text, line.context) == line.content)
    }

    @Test(arguments: [
        ParserCase("  抽奖\t", .draw), ParserCase("\u{3000}抽奖\u{3000}", .draw), ParserCase("\r\n抽奖\r\n", .draw),
        ParserCase("\u{2028}抽奖\u{2029}", .draw), ParserCase("抽獎", .draw), ParserCase("抽奬", .draw),
        ParserCase("/抽奖", .draw), ParserCase("／抽奖", .draw), ParserCase("/ 抽奖", .draw), ParserCase("/draw", .draw),
        ParserCase("/DRAW", .draw), ParserCase("ｄｒａｗ", .draw), ParserCase("Draw", .draw), ParserCase("draw", .draw),
        ParserCase("prizes", .pool), ParserCase("start 春节抽奖", .start(activity: "春节抽奖")),
        ParserCase("剑三 抽奖", .draw), ParserCase("剑三抽奖", .draw), ParserCase("劍三 抽獎", .draw),
        ParserCase("剑三 /抽奖", .draw), ParserCase("@红包助手 抽奖", .draw), ParserCase("抽奖 @红包助手", .draw),
        ParserCase("@红包助手抽奖", .draw), ParserCase("＠红包助手\u{2005}抽奖", .draw),
        ParserCase("@紅包助手 /draw", .draw), ParserCase("/draw@hongbao_bot", .draw),
        ParserCase("/bind@Hongbao_Bot 剑侠客", bound("剑侠客")), ParserCase("@hongbao_bot bind 123", bound("123")),
        ParserCase("绑定123", bound("123")), ParserCase("绑定剑侠客", bound("剑侠客"), privately),
        ParserCase("綁定１２３", bound("１２３")),
        ParserCase("绑定   剑\u{3000} 侠\r\n客", bound("剑 侠 客")), ParserCase("绑定 /draw", bound("/draw")),
        ParserCase("绑定 abc@红包助手", bound("abc@红包助手")), ParserCase("绑定 ＡＢＣ 劍", bound("ＡＢＣ 劍")),
        ParserCase("绑定 🐉龙", bound("🐉龙")), ParserCase("中奖汇总2", .winners(page: 2)),
        ParserCase("中奖汇总 ００２", .winners(page: 2)), ParserCase("中獎彙總 ２", .winners(page: 2)),
        ParserCase("中獎匯總", .winners(page: 1)),
        ParserCase("/抽奖开始春节抽奖", .start(activity: "春节抽奖"), adminInGroup),
        ParserCase("验证spring-sample-1", .verify(receipt)),
        ParserCase("验证 ｓｐｒｉｎｇ-sample-１", .verify(receipt)), ParserCase("幫助 綁定", .help(.bind)),
    ])
    func matchingIsForgiving(_ line: ParserCase) {
        #expect(parse(line.text, line.context) == line.content)
    }

    @Test(arguments: [
        "抽奖啦", "抽奖了", "抽奖 一下", "抽奖 abc", "抽奖,", "今天抽奖吗", "我要抽奖", "活动什么时候开始", "活动开始了吗",
        "中奖了！", "排队的人好多", "绑定了吗", "绑定成功", "绑定成功了！", "绑定的", "抽奖开始了", "抽奖结束了吗", "验证码是多少",
        "维护好了没", "奖品数量有多少", "作废了", "帮助我一下", "drawing", "bindabc", "starting", "剑三真好玩",
        "https://example.com/draw", "@张三 抽奖", "@张三", "抽奖 @张三", "抽奖@张三", "/draw@other_bot", "红包助手 抽奖", "。", "？",
        "哈哈", "ok", "find", "维护服务器要多久", "抽奖开始春节抽奖", "draw？", "draw.io",
    ])
    func talkInAGroupIsIgnored(_ text: String) {
        #expect(parse(text) == .ignored)
    }

    @Test(arguments: [
        ParserCase("你好", .unknown(suggestion: nil, isAddressed: true), privately),
        ParserCase("你好", .unknown(suggestion: nil, isAddressed: true), mentioned),
        ParserCase("/你好", .unknown(suggestion: nil, isAddressed: true)),
        ParserCase("/", .unknown(suggestion: nil, isAddressed: true)),
        ParserCase("剑三", .unknown(suggestion: nil, isAddressed: true)),
        ParserCase("／", .unknown(suggestion: nil, isAddressed: true)),
        ParserCase("剑三 真好玩", .unknown(suggestion: nil, isAddressed: true)),
        ParserCase("@红包助手", .unknown(suggestion: nil, isAddressed: true)),
        ParserCase("在吗 @红包助手", .unknown(suggestion: nil, isAddressed: true)),
        ParserCase("", .unknown(suggestion: nil, isAddressed: true), mentioned),
        ParserCase("绑定了吗", .unknown(suggestion: nil, isAddressed: true), privately),
        ParserCase("抽奖 一下", .badArgument(.draw, .unexpected), privately),
        ParserCase("/抽奖 abc", .badArgument(.draw, .unexpected)),
        ParserCase("剑三 抽奖 abc", .badArgument(.draw, .unexpected)),
        ParserCase("/验证码", .badArgument(.verify, .notAReceipt)),
        ParserCase("/绑定", .badArgument(.bind, .missing)),
        ParserCase("/绑定了吗", .unknown(suggestion: nil, isAddressed: true)),
    ])
    func whatIsAddressedGetsAHint(_ line: ParserCase) {
        #expect(parse(line.text, line.context) == line.content)
    }

    // A6
    @Test(arguments: ["绑定手机号才能参加", "绑定账号在哪里？", "绑定剑侠客", "绑定，然后抽奖", "绑定，剑侠客", "绑定🐉", "绑定《说明》", "绑定-1", "綁定遊戲id"])
    func talkGluedToBindBindsNothingInAGroup(_ text: String) {
        #expect(parse(text) == .ignored)
        #expect(parse(text, adminInGroup) == .ignored)
    }

    @Test(arguments: [
        ParserCase("绑定123", bound("123")), ParserCase("绑定abc", bound("abc")), ParserCase("绑定Ａｂ", bound("Ａｂ")),
        ParserCase("绑定９", bound("９")), ParserCase("绑定abc 的号", bound("abc 的号")), ParserCase("绑定，abc", bound("abc")),
        ParserCase("绑定<abc>", bound("abc")),
    ])
    func aLetterOrDigitGluedToBindBeginsAGameID(_ line: ParserCase) {
        #expect(parse(line.text, line.context) == line.content)
    }

    @Test(arguments: ["剑侠客", "手机号才能参加", "🐉", "-1", "Rose"])
    func anyGameIDIsTakenBehindASpaceOrAddressed(_ text: String) {
        #expect(parse("绑定 \(text)") == bound(text))
        #expect(parse("绑定\(text)", privately) == bound(text))
        #expect(parse("绑定\(text)", mentioned) == bound(text))
        #expect(parse("/绑定\(text)") == bound(text))
        #expect(parse("剑三 绑定\(text)") == bound(text))
    }

    @Test(arguments: [
        ParserCase("绑定：剑侠客", bound("剑侠客")), ParserCase("绑定:剑侠客", bound("剑侠客")),
        ParserCase("绑定： 剑 侠客", bound("剑 侠客")), ParserCase("绑定 ：剑侠客", bound("剑侠客")),
        ParserCase("绑定 ，剑侠客", bound("剑侠客")), ParserCase("绑定,剑侠客", bound("剑侠客"), privately),
        ParserCase("绑定：：剑", bound("：剑")), ParserCase("绑定：<剑侠客>", bound("剑侠客")),
        ParserCase("绑定：", .badArgument(.bind, .missing)), ParserCase("绑定 ,", .badArgument(.bind, .missing)),
    ])
    func oneColonOrCommaBehindBindIsDropped(_ line: ParserCase) {
        #expect(parse(line.text, line.context) == line.content)
    }

    @Test(arguments: [
        ParserCase("绑定 <剑侠客>", bound("剑侠客")), ParserCase("绑定 ＜剑 侠客＞", bound("剑 侠客")),
        ParserCase("绑定 《剑侠客》", bound("剑侠客")), ParserCase("绑定 “剑侠客”", bound("剑侠客")),
        ParserCase("/bind <Rose>", bound("Rose")), ParserCase("绑定<剑侠客>", bound("剑侠客"), privately),
        ParserCase("绑定 <剑", bound("<剑")), ParserCase("绑定 剑>", bound("剑>")), ParserCase("绑定 <剑》", bound("<剑》")),
        ParserCase("绑定 <a> <b>", bound("<a> <b>")), ParserCase("绑定 “<a>”", bound("<a>")),
        ParserCase("绑定 <<a", bound("<<a")),
        ParserCase("绑定 <", bound("<")), ParserCase("绑定 <>", .badArgument(.bind, .missing)),
        ParserCase("绑定 “ ”", .badArgument(.bind, .missing)),
    ])
    func bracketsAroundTheWholeGameIDAreDropped(_ line: ParserCase) {
        #expect(parse(line.text, line.context) == line.content)
    }

    // A8
    @Test func whatIsNotUnderstoodSaysWhetherItWasAddressed() {
        for context in [privately, mentioned] {
            #expect(parse("抽桨", context) == .unknown(suggestion: .draw, isAddressed: true))
        }
        for text in ["/抽桨", "剑三 抽桨", "@红包助手 抽桨", "抽桨 @红包助手"] {
            #expect(parse(text) == .unknown(suggestion: .draw, isAddressed: true))
        }
        #expect(parse("抽桨") == .unknown(suggestion: .draw, isAddressed: false))
        #expect(parse("抽桨", adminInGroup) == .unknown(suggestion: .draw, isAddressed: false))
    }

    // C13
    @Test(arguments: [
        ParserCase("抽奖！", .draw), ParserCase("抽奖。", .draw), ParserCase("抽奖~", .draw), ParserCase("抽奖～～", .draw),
        ParserCase("抽奖!!", .draw), ParserCase("抽奖 ！", .draw), ParserCase("抽獎！\u{200B}", .draw),
        ParserCase("draw!", .draw),
        ParserCase("/draw！", .draw), ParserCase("剑三抽奖！", .draw), ParserCase("奖池。", .pool), ParserCase("流量。", .traffic),
    ])
    func aCommandMayEndLikeAStatement(_ line: ParserCase) {
        #expect(parse(line.text, line.context) == line.content)
    }

    @Test(arguments: ["抽奖？", "抽奖?", "抽奖！？", "抽奖！走", "抽奖了！", "帮助！", "bind!", "stop!"])
    func otherEndingsStayTalk(_ text: String) {
        #expect(parse(text) == .ignored)
        #expect(parse(text, adminInGroup) == .ignored)
    }

    @Test(arguments: [
        "抽奖结束后发奖", "抽奖开始8点", "抽奖开始春节抽奖", "活动导入了新的", "奖品数量还有 3", "流量设置max_concurrent_users 5", "导出来看看",
        "维护开始了", "作废的不算", "抽奖结束后发奖" + String(repeating: "。", count: 2000),
    ])
    func anAdminsTalkIsNoRefusedCommand(_ text: String) {
        #expect(parse(text, adminInGroup) == .ignored)
    }

    // C14
    @Test func aMatchedWordWinsOverNearMisses() {
        #expect(parse("/解绑 x") == .badArgument(.unbind, .unexpected))
        #expect(parse("解绑 x", privately) == .badArgument(.unbind, .unexpected))
        #expect(parse("/抽奖 开始", adminInGroup) == .badArgument(.draw, .unexpected))
        #expect(parse("/中奖 汇") == .badArgument(.myWins, .unexpected))
    }

    @Test(arguments: [
        ParserCase("绑定", .badArgument(.bind, .missing)), ParserCase("绑定 \u{200B}", .badArgument(.bind, .missing)),
        ParserCase("绑定 " + String(repeating: "剑", count: 22), .badArgument(.bind, .tooLong(maximumSize: 64))),
        ParserCase("绑定 a\u{202E}b", .badArgument(.bind, .notPrintable)),
        ParserCase("绑定 a\u{0}b", .badArgument(.bind, .notPrintable)),
        ParserCase("绑定 a\u{E000}", .badArgument(.bind, .notPrintable)),
        ParserCase("验证", .badArgument(.verify, .missing)), ParserCase("验证 1", .badArgument(.verify, .notAReceipt)),
        ParserCase("验证 spring-01", .badArgument(.verify, .notAReceipt)),
        ParserCase("验证 spring-sample-1 2", .badArgument(.verify, .unexpected)),
        ParserCase("中奖汇总 0", .badArgument(.winners, .outOfRange(minimum: 1, maximum: 1_000_000))),
        ParserCase("中奖汇总 1 2", .badArgument(.winners, .unexpected)),
        ParserCase("帮助 没有", .badArgument(.help, .unknownCommand)),
        ParserCase("帮助 抽奖 中奖", .badArgument(.help, .unknownCommand)),
        ParserCase("抽奖开始", .badArgument(.start, .missing)),
        ParserCase("活动导入 ../a.yaml", .badArgument(.importActivity, .unexpected)),
        ParserCase("活动导入 .hidden", .badArgument(.importActivity, .unexpected)),
        ParserCase("活动导入 a\\b", .badArgument(.importActivity, .unexpected)),
        ParserCase("奖品数量", .badArgument(.setNumber, .missing)),
        ParserCase("奖品数量 5", .badArgument(.setNumber, .missing)),
        ParserCase("奖品数量 春节抽奖: 5", .badArgument(.setNumber, .missing)),
        ParserCase("奖品数量 月卡 很多", .badArgument(.setNumber, .notANumber)),
        ParserCase("奖品数量 月卡 1000000001", .badArgument(.setNumber, .outOfRange(minimum: 0, maximum: 1_000_000_000))),
        ParserCase("流量设置 max_concurrent_users", .badArgument(.setTraffic, .missing)),
        ParserCase("维护", .badArgument(.maintenance, .missing)),
        ParserCase("维护 也许", .badArgument(.maintenance, .notASwitch)),
        ParserCase("作废 spring-sample-1", .badArgument(.void, .missing)),
        ParserCase("作废 x 原因", .badArgument(.void, .notAReceipt)),
        ParserCase(
            "作废 spring-sample-1 " + String(repeating: "因", count: 67), .badArgument(.void, .tooLong(maximumSize: 200))),
        ParserCase("作废 spring-sample-1 a\u{7}b", .badArgument(.void, .notPrintable)),
        ParserCase("导出", .badArgument(.export, .missing)),
    ])
    func badArgumentsAreNamed(_ line: ParserCase) {
        #expect(parse(line.text, line.context) == line.content)
    }

    // hardening.md row 17
    @Test(
        "hardening row 17: only plain digits are numbers",
        arguments: [
            "-1", "+1", "1e9", "0x10", "1_000", "1,000", "1.5", "٣", "Ⅷ", "②", "𝟏", "一", "9223372036854775808",
            "1000000000000000000", "０x1", "－１", "1\u{301}",
        ])
    func onlyPlainDigitsAreNumbers(_ text: String) {
        #expect(parse("奖品数量 月卡 \(text)") == .badArgument(.setNumber, .notANumber))
        #expect(parse("中奖汇总 \(text)") == .badArgument(.winners, .notANumber))
    }

    @Test func eighteenDigitsAreReadAndThenChecked() {
        let refusal = ArgumentFault.outOfRange(minimum: 0, maximum: 1_000_000_000)
        #expect(parse("奖品数量 月卡 999999999999999999") == .badArgument(.setNumber, refusal))
        #expect(
            parse("奖品数量 月卡 000000000000000012") == .command(.setNumber(activity: nil, award: "月卡", number: 12)))
    }

    @Test("hardening row 18: a message is one command") func aMessageIsOneCommand() {
        #expect(parse("绑定 a\n抽奖") == bound("a 抽奖"))
        #expect(parse("抽奖\n抽奖") == .ignored)
        #expect(parse(Array(repeating: "抽奖", count: 500).joined(separator: "\n")) == .ignored)
    }

    @Test func withoutConfigurationOnlySlashesArePrefixes() {
        let plain = CommandParser()
        #expect(plain.parse("剑三 抽奖", context: group) == .ignored)
        #expect(plain.parse("/抽奖", context: group) == .command(.draw))
        #expect(plain.parse("@红包助手 抽奖", context: group) == .ignored)
    }

    @Test func aSymbolAsPrefixAddressesTheBotAtOnce() {
        let parser = CommandParser(configuration: ParserConfiguration(prefixes: ["!", "  ", ""]))
        #expect(parser.parse("!抽奖", context: group) == .command(.draw))
        #expect(parser.parse("！抽奖", context: group) == .command(.draw))
        #expect(parser.parse("!你好", context: group) == .unknown(suggestion: nil, isAddressed: true))
        #expect(parser.parse("你好", context: group) == .ignored)
    }
}
