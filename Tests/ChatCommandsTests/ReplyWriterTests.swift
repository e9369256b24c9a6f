import Activities
import Basics
import Lottery
import Resources
import Testing
import TrafficGate

@testable import ChatCommands

@Suite struct ReplyWriterTests {
    static let writers = Dictionary(
        uniqueKeysWithValues: ReplyLanguage.allCases.map { ($0, try! ReplyWriter(language: $0)) })

    private func reply(
        _ outcome: Outcome, _ language: ReplyLanguage = .simplifiedChinese, position: Int? = nil, isAdmin: Bool = false
    ) -> String {
        Self.writers[language]?.text(for: Response(outcome, position: position), role: isAdmin ? .admin : .player) ?? ""
    }

    @Test(arguments: ReplyLanguage.allCases)
    func everyOutcomeHasWords(_ language: ReplyLanguage) {
        for outcome in Samples.outcomes {
            for isAdmin in [false, true] {
                let text = reply(outcome, language, isAdmin: isAdmin)
                #expect(!text.isEmpty, "\(outcome)")
                #expect(!text.contains("{{") && !text.contains("}}"), "\(text)")
                #expect(text.utf8.last != 0x0A && text.utf8.first != 0x0A, "\(text)")
                #expect(!text.contains("\n\n"), "\(text)")
                #expect(!text.contains("Optional("), "\(text)")
                #expect(!text.contains("&quot;") && !text.contains("&#39;"), "\(text)")
            }
        }
        #expect(reply(.ignored, language).isEmpty)
        #expect(reply(.ignored, language, position: 3).isEmpty)
    }

    @Test func theSamplesHaveEveryCode() {
        #expect(Set(Samples.outcomes.map(\.code)) == Set(OutcomeCode.allCases).subtracting([.ignored]))
    }

    @Test(arguments: [
        (Outcome.won(Samples.attempt(Samples.label, left: 0)), "恭喜中奖"),
        (.missed(Samples.attempt(nil, left: nil)), "很遗憾，未中奖"),
        (.ok(.bound(gameID: "剑侠客", previous: nil)), "绑定成功"),
        (.ok(.bound(gameID: "剑侠客", previous: "路人甲")), "绑定成功"),
    ])
    func theWordsOfTheSourceAreThere(_ outcome: Outcome, _ words: String) {
        #expect(reply(outcome).contains(words))
        #expect(reply(outcome, .english).contains(words))
    }

    @Test func aStartSaysSoWithCommitmentAndHead() {
        let view = StartView(
            activityName: "春节抽奖", round: 2, commitment: "c0ffee", head: "beef", warnings: [], endsAt: nil)
        #expect(
            reply(.ok(.started(view)), isAdmin: true)
                == "活动开启成功：春节抽奖（第 2 轮）\n承诺 c0ffee\n账本头 beef\n大家可以发送“抽奖”参加了。")
    }

    @Test func aWinShowsAwardReceiptAndCheckCode() {
        #expect(
            reply(.won(Samples.attempt(Samples.label, left: 0)))
                == "🎉 恭喜中奖！【一等奖】游戏主机\n活动：春节抽奖\n编号 spring-sample-1，校验码 0123456789abcdef\n发送“验证 spring-sample-1”可以核对。")
    }

    @Test func aPlaceSaysHowLongAndThatItIsKept() {
        let unknown = reply(.queued(Place(position: 3, wait: .unknown)), position: 3)
        #expect(
            unknown == "参加的人很多，您正在排队：第 3 位，前面还有 2 人，预计等待时间：暂时无法估计。\n位置会为您保留，请稍后再发“抽奖”。")
        #expect(reply(.queued(Place(position: 1, wait: .seconds(20...45)))).contains("第 1 位，前面没有人了，预计等待时间：20 到 45 秒"))
        #expect(reply(.queued(Place(position: 9, wait: .seconds(100...200)))).contains("1 到 4 分钟"))
    }

    @Test func whoeverWaitsIsRemindedOfIt() {
        #expect(reply(.ok(.binding(gameID: "a")), position: 5).hasSuffix("\n您还在排队：第 5 位。"))
        #expect(!reply(.queued(Place(position: 5, wait: .unknown)), position: 5).contains("您还在排队：第 5 位。"))
    }

    @Test func timesAreOfTheWritersZone() throws {
        let utc = try ReplyWriter(timeZone: "UTC")
        let response = Response(.ok(.wins([Samples.win])))
        #expect(utc.text(for: response, role: .player).contains("2027-01-15 08:00"))
        #expect(reply(.ok(.wins([Samples.win]))).contains("2027-01-15 16:00"))
        #expect(throws: ReplyTextError.self) { try ReplyWriter(timeZone: "Nowhere/Land") }
    }

    @Test func aRefusedSettingNamesItsRange() {
        let error = GateConfigurationError.invalidValue(key: "rush_hour_start", value: "24", expected: .integer(0...23))
        #expect(
            reply(.badArgument(.trafficSetting(error)), isAdmin: true)
                == "“rush_hour_start”要写 0 到 23 之间的数字，“24”不行。原来的值不变。")
        let unknown = reply(.badArgument(.trafficSetting(.unknownKey("x"))), isAdmin: true)
        #expect(GateConfiguration.keys.allSatisfy { unknown.contains($0.name) })
    }

    // MARK: What must not be said

    // A5
    @Test(
        arguments: [
            (.simplifiedChinese, ["未命中", "命中，但当时已发完", "命中", "前面已中，未用到"]),
            (.traditionalChinese, ["未命中", "命中，但當時已發完", "命中", "前面已中，未用到"]),
            (
                .english,
                ["no hit", "hit, but none was left at that moment", "hit", "not used, an award before it was won"]
            ),
        ] as [(ReplyLanguage, [String])])
    func everyStepOfAVerificationSaysItsFate(_ language: ReplyLanguage, _ words: [String]) {
        var view = Samples.verification(isOpen: false)
        view.steps = [.missed, .soldOut, .won, .notAsked].map {
            .init(award: Samples.bare, word: 255, threshold: 256, fate: $0)
        }
        let lines = reply(.ok(.verification(view)), language).split(separator: "\n").filter { $0.contains("00ff") }
        #expect(lines.count == 4)
        for (line, word) in zip(lines, words) {
            #expect(line.hasSuffix((language == .english ? "0000000000000100, " : "0000000000000100，") + word))
        }
    }

    // C1
    @Test(arguments: ReplyLanguage.allCases)
    func anImportFaultNamesItsLineOnce(_ language: ReplyLanguage) {
        let fault = ImportFault(line: 2, chinese: "第 2 行 awards：少了", english: "line 2, awards: missing")
        let text = reply(.badArgument(.importFaults(file: "a.yaml", faults: [fault])), language, isAdmin: true)
        #expect(text.hasSuffix("\n" + (language == .english ? fault.english : fault.chinese)))
    }

    // C2
    @Test func activitiesElsewhereAreNotDenied() {
        let none = reply(.ok(.activities([], hasOthers: false)), isAdmin: true)
        let elsewhere = reply(.ok(.activities([], hasOthers: true)), isAdmin: true)
        #expect(none.hasPrefix("还没有活动"))
        #expect(elsewhere.hasPrefix("没有属于这里的活动，别处有。"))
    }

    // C3
    @Test(arguments: ReplyLanguage.allCases)
    func aNumberWithoutANewRoundShowsNoCommitment(_ language: ReplyLanguage) {
        var view = NumberView(
            activityName: "春节抽奖", award: Samples.label, oldNumber: 100, number: 100, remaining: 90, commitment: nil)
        #expect(!reply(.ok(.numberSet(view)), language).contains("\n"))
        view.commitment = Samples.hash
        #expect(reply(.ok(.numberSet(view)), language).hasSuffix(Samples.hash))
    }

    // C4
    @Test func aVoidedWinPromisesADrawOnlyWhereThereIsOne() {
        var view = VoidView(
            activityName: "春节抽奖", receipt: receipt, award: Samples.label, reason: "重复", remaining: 1, mayDrawAgain: true
        )
        #expect(reply(.ok(.voided(view)), isAdmin: true).hasSuffix("\n记录会保留，这位玩家可以再抽。"))
        view.mayDrawAgain = false
        #expect(reply(.ok(.voided(view)), isAdmin: true).hasSuffix("\n记录会保留。"))
    }

    @Test func whoeverWasErasedIsToldWhyTheyCannotDraw() {
        #expect(reply(.erasedBefore) == "您在这个活动里抽过奖，之后删除了数据，所以不能再抽；其他活动不受影响。")
    }

    // C11
    @Test func trafficSaysSinceWhenItCounts() throws {
        let summary = GateSummary(
            activeUsers: 5, queuedUsers: 6, capacity: 7, maintenance: false, totalRequests: 8, rejectedRequests: 9,
            averageSessionSeconds: 10, wait: .unknown)
        #expect(reply(.ok(.traffic(summary)), isAdmin: true).contains("\n上次统计以来（最多 30 秒）请求 8 次，拒绝 9 次\n"))
    }

    // MARK: Notices

    @Test(arguments: ReplyLanguage.allCases)
    func everyNoticeHasWords(_ language: ReplyLanguage) throws {
        let writer = try #require(Self.writers[language])
        for notice in Samples.notices {
            let text = writer.text(for: notice)
            #expect(!text.isEmpty && !text.contains("{{") && !text.contains("\n\n"), "\(text)")
            #expect(text.utf8.last != 0x0A && text.utf8.first != 0x0A, "\(text)")
        }
        #expect(writer.text(for: .promoted("qq:1")) == writer.promotedText)
    }

    @Test(arguments: ReplyLanguage.allCases)
    func aConflictOfTheScheduleIsWordedLikeARefusedStart(_ language: ReplyLanguage) throws {
        let writer = try #require(Self.writers[language])
        let faults: [StartFault] = [.noAwards, .overlaps(activityName: "中秋"), .twoDiBao]
        let refusal = reply(.badArgument(.cannotStart(activityName: "春节抽奖", faults)), language, isAdmin: true)
        let notice = writer.text(for: .scheduleConflict(activityName: "春节抽奖", faults: faults))
        #expect(refusal.split(separator: "\n").dropFirst() == notice.split(separator: "\n").dropFirst().dropLast())
    }

    @Test func anIgnoredSettingSaysHowToMendIt() throws {
        let writer = try #require(Self.writers[.simplifiedChinese])
        let known = writer.text(for: .configurationIgnored(key: "rush_hour_start", value: "24"))
        #expect(known.hasSuffix("请发送“流量设置 rush_hour_start 新的值”改正。"))
        let unknown = writer.text(for: .configurationIgnored(key: "spe\u{202E}ed\n", value: "1"))
        #expect(unknown.contains("“speed ”") && unknown.hasSuffix("没有这个设置，请从数据库里删掉这一行。"))
    }

    // MARK: Help

    @Test(arguments: ReplyLanguage.allCases)
    func helpShowsWhatThePersonMayRun(_ language: ReplyLanguage) {
        let player = reply(.ok(.help(nil)), language)
        let admin = reply(.ok(.help(nil)), language, isAdmin: true)
        for declaration in CommandCatalogue.declarations {
            let line = "\n\(declaration.usage(in: language)) — "
            #expect(player.contains(line) == !declaration.isForAdmins)
            #expect(admin.contains(line))
        }
    }

    @Test(arguments: ReplyLanguage.allCases, CommandName.allCases)
    func helpOnACommandOneMayNotRunIsAsIfUnknown(_ language: ReplyLanguage, _ name: CommandName) {
        let unknown = reply(.badArgument(.argument(.help, .unknownCommand)), language)
        #expect((reply(.ok(.help(name)), language) == unknown) == name.isForAdmins)
        let topic = reply(.ok(.help(name)), language, isAdmin: true)
        #expect(topic.hasPrefix(CommandCatalogue.declaration(of: name).usage(in: language)))
    }

    @Test func anAdminCommandIsNeverSuggestedToAPlayer() {
        #expect(
            reply(.unknownCommand(suggestion: .start)) == reply(.unknownCommand(suggestion: nil)))
        #expect(reply(.unknownCommand(suggestion: .start), isAdmin: true) == "您是想发送“抽奖开始”吗？")
        #expect(reply(.unknownCommand(suggestion: .draw)) == "您是想发送“抽奖”吗？")
    }

    // MARK: Echo

    @Test("hardening rows 6, 9, 21: nothing dangerous is repeated", arguments: ReplyLanguage.allCases)
    func nothingDangerousIsRepeated(_ language: ReplyLanguage) {
        let nonCharacter = String(Unicode.Scalar(UInt32(0xFDD0))!)
        let evil = "a\u{202E}b\u{0}c\u{1B}[31m\r\nINFO fake\u{2028}x\u{E000}" + nonCharacter + "\u{200B}{{head}}<b>"
        let outcomes: [Outcome] = [
            .gameIDUsed(gameID: evil), .maintenance(reason: evil), .ok(.bound(gameID: evil, previous: evil)),
            .badArgument(.unknownActivity(name: evil)), .badArgument(.unknownReceipt(evil)),
            .badArgument(.trafficSetting(.unknownKey(evil))), .ok(.maintenance(isOn: true, reason: evil)),
            .badArgument(.fileNotFound(file: evil, available: [evil])),
            .ok(
                .wins([
                    Win(
                        activityName: evil, award: .init(id: "a", prefix: evil, name: evil), receipt: receipt,
                        gameID: evil, wonAt: Samples.at)
                ])),
        ]
        for outcome in outcomes {
            let text = reply(outcome, language)
            #expect(text.contains("abc[31m"))
            #expect(text.contains("x\u{FFFD}\u{FFFD}{{head}}<b>"))
            let forbidden = text.unicodeScalars.filter {
                $0 != "\n"
                    && [.control, .format, .lineSeparator, .privateUse, .unassigned].contains(
                        $0.properties.generalCategory)
            }
            #expect(forbidden.isEmpty)
            #expect(!text.contains("\nINFO"))
        }
    }

    @Test(
        "hardening rows 6, 7, 9, 21: an echo is clean",
        arguments: [
            ("剑侠客", "剑侠客"), ("", ""), ("a\tb", "a b"), ("🐉 龙", "🐉 龙"), ("❤️", "❤️"), ("e\u{301}", "e\u{301}"),
            ("a" + String(repeating: "\u{301}", count: 50), "a" + String(repeating: "\u{301}", count: 4)),
            (String(repeating: "长", count: 81), String(repeating: "长", count: 80) + "…"),
            ("\u{10FFFD}\u{E0001}\u{F8FF}", "\u{FFFD}\u{FFFD}"), ("\u{9FFF}", "\u{9FFF}"),
        ])
    func echoCleans(_ text: String, _ shown: String) {
        #expect(Array(echo(text).unicodeScalars) == Array(shown.unicodeScalars))
    }

    @Test(
        arguments: [
            (0, "0%"), (1, "100%"), (0.5, "50%"), (0.005, "0.5%"), (0.123456, "12.3456%"), (1e-9, "<0.0001%"),
            (1 - 1e-9, ">99.9999%"), (1.0000001, "100%"), (-0.1, "0%"), (.nan, "0%"),
        ] as [(Double, String)])
    func chancesAreRoundedHonestly(_ chance: Double, _ text: String) {
        #expect(percentText(chance) == text)
    }
}

@Suite struct ReplyTextsTests {
    @Test(arguments: ReplyLanguage.allCases)
    func everyKeyIsThereAndNoOther(_ language: ReplyLanguage) throws {
        let texts = try ReplyTexts.parse(language.file.text)
        #expect(Set(texts.keys) == ReplyTexts.keys)
        #expect(texts.values.allSatisfy { !$0.isEmpty })
        _ = try ReplyTexts(language, overriding: nil)
    }

    @Test func everyLanguageUsesTheSameValues() throws {
        let reference = try ReplyTexts.parse(ReplyLanguage.simplifiedChinese.file.text)
        for language in ReplyLanguage.allCases {
            for (key, text) in try ReplyTexts.parse(language.file.text) {
                let names = try ReplyTemplate(text).names
                #expect(try names == ReplyTemplate(reference[key] ?? "").names, "\(language.rawValue) \(key)")
            }
        }
    }

    @Test func traditionalTextsHaveNoSimplifiedCharacters() throws {
        // Characters of command words whose traditional form differs, but for those that are a traditional one too.
        let simplified = Set(
            CommandCatalogue.declarations.flatMap(\.words).flatMap { word in
                zip(word.simplified.unicodeScalars, word.traditional.unicodeScalars).filter { $0 != $1 }.map(\.0)
            })
        for (key, text) in try ReplyTexts.parse(ReplyLanguage.traditionalChinese.file.text) {
            #expect(simplified.isDisjoint(with: text.unicodeScalars), "\(key): \(text)")
        }
    }

    @Test func anOperatorsTextTakesThePlaceOfOne() throws {
        let writer = try ReplyWriter(overriding: "not_bound: 请先绑定！\nwon: '恭喜中奖 {{award}}'\nsummary.draw: 碰碰运气\n")
        #expect(writer.text(for: Response(.notBound), role: .player) == "请先绑定！")
        let won = writer.text(for: Response(.won(Samples.attempt(Samples.label, left: 0))), role: .player)
        #expect(won == "恭喜中奖 【一等奖】游戏主机")
        #expect(writer.text(for: Response(.ok(.help(nil))), role: .player).contains("抽奖 — 碰碰运气"))
        #expect(writer.text(for: Response(.noActivity), role: .player).hasPrefix("现在没有开放的抽奖活动"))
    }

    @Test(arguments: ["", "# nothing\n", "---\n"])
    func anEmptyFileChangesNothing(_ yaml: String) throws {
        _ = try ReplyWriter(overriding: yaml)
    }

    @Test(
        arguments: [
            ("nonsense: a", "nonsense"), ("won: '{{#award}}'", "won"), ("won: '{{award'", "won"),
            ("won: '{{salt}}'", "won"),
            ("won: '{{award.id}}'", "won"), ("won: '{{> help}}'", "won"), ("won: '{{{award}}}'", "won"),
            ("won: '{{#award}}{{/receipt}}'", "won"), ("won: '{{=<% %>=}}'", "won"), ("won: [a]", "won"),
            ("won: a\nwon: b", "won"), ("- a", nil), ("a: [", nil), ("just text", nil),
        ] as [(String, String?)])
    func aBrokenTextIsRefusedByName(_ yaml: String, _ key: String?) {
        let error = #expect(throws: ReplyTextError.self) { try ReplyWriter(overriding: yaml) }
        if let key {
            #expect(error?.description.contains(key) == true)
        } else {
            #expect(error?.key == nil)
        }
    }

    @Test(arguments: ResourceFile.allCases)
    func everyFileIsText(_ file: ResourceFile) {
        #expect(!file.bytes.isEmpty)
        #expect(String(validating: file.bytes, as: UTF8.self) == file.text)
        #expect(!file.text.contains("\r"))
    }
}
