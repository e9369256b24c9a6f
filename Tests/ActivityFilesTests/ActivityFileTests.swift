import ActivityFiles
import Basics
import Lottery
import Testing

struct ActivityFileTests {
    private static let sample = """
        id: spring-2027          # optional; made from the name otherwise
        name: 春节抽奖
        scope: ["*"]             # or platform:chat ids
        max_attempts: 1          # optional
        one_win_per_game_id: true   # optional
        starts_at: 2027-02-10T20:00:00+08:00
        ends_at: 2027-02-10 14:30Z
        awards:                  # order matters, see section 5; id and remark optional
          - {id: gold, prefix: 一等奖, name: 游戏主机, kind: ONLY, percent: 0.5, number: 1}
          - {id: silver, prefix: 二等奖, name: 限定皮肤, kind: NORNAL, percent: 8, number: 50}
          - {id: bao, prefix: 低保, name: 金币 x100, kind: DI_BAO, remark: 邮寄}

        """

    private func parse(_ text: String) throws(ActivityFileError) -> Activity {
        try ActivityFile.parse(Array(text.utf8))
    }

    private func faults(_ text: String) -> [ActivityFileError.Fault] {
        faults(Array(text.utf8))
    }

    private func faults(_ bytes: [UInt8]) -> [ActivityFileError.Fault] {
        do throws(ActivityFileError) {
            _ = try ActivityFile.parse(bytes)
            return []
        } catch {
            return error.faults
        }
    }

    // MARK: Good files

    @Test func sampleIsRead() throws {
        let activity = try parse(Self.sample)
        let start = try #require(Instant(dateTimeText: "2027-02-10 12:00:00"))
        #expect(
            activity
                == Activity(
                    id: "spring-2027", name: "春节抽奖", maxAttempts: 1, oneWinPerGameID: true, startsAt: start,
                    endsAt: start.advanced(bySeconds: 9000),
                    awards: [
                        ActivityAward(
                            id: "gold", kind: .ONLY, percent: try #require(Percent("0.5")), prefix: "一等奖",
                            name: "游戏主机", number: 1),
                        ActivityAward(
                            id: "silver", kind: .NORNAL, percent: try #require(Percent("8")), prefix: "二等奖",
                            name: "限定皮肤", number: 50),
                        ActivityAward(id: "bao", kind: .DI_BAO, prefix: "低保", name: "金币 x100", remark: "邮寄"),
                    ]))
    }

    @Test func whatIsLeftOutHasItsDefault() throws {
        let activity = try parse(
            """
            name: 春节抽奖
            awards:
              - name: 主机
                kind: ONLY
                percent: 33.3333
              - name: 皮肤
                kind: NORMAL
                percent: "0.0001"
                number: 1000000000
            """)
        #expect(activity.id.text.hasPrefix("chun-jie-chou-jiang-"))
        #expect(isValidID(activity.id.text))
        #expect(activity.scope == .everywhere)
        #expect(activity.maxAttempts == nil)
        #expect(!activity.oneWinPerGameID)
        #expect(activity.awards.map(\.id) == ["a1", "a2"])
        #expect(activity.awards.map(\.kind) == [.ONLY, .NORNAL])
        #expect(activity.awards.map(\.number) == [1, 1_000_000_000])
        #expect(activity.awards.map(\.percent.partsPerMillion) == [333_333, 1])
    }

    @Test(arguments: [
        ("春节抽奖", "chun-jie-chou-jiang-"), ("2027 Spring!", "2027-spring-"), ("🎁", "activity-"),
        (String(repeating: "春", count: 60), "chun-chun-chun-chun-chun-chun-chun-chun-"),
    ])
    func idComesFromTheName(_ name: String, _ prefix: String) throws {
        let text = "name: \(name)\nawards: [{name: x, kind: DI_BAO}]\n"
        let id = try parse(text).id
        #expect(id.text.hasPrefix(prefix))
        #expect(id.text.utf8.count == prefix.utf8.count + 4)
        #expect(isValidID(id.text))
        #expect(try parse(text).id == id)
    }

    @Test func namesThatSoundAlikeHaveTheirOwnIDs() throws {
        let first = try parse("name: 抽奖\nawards: [{name: x, kind: DI_BAO}]").id
        let second = try parse("name: 抽浆\nawards: [{name: x, kind: DI_BAO}]").id
        #expect(first.text.dropLast(4) == second.text.dropLast(4))
        #expect(first != second)
    }

    @Test func scopeListsChats() throws {
        let rest = "\nname: x\nawards: [{name: x, kind: DI_BAO}]"
        #expect(try parse("scope: [onebot11:88001, 'qq:群-1']" + rest).scope == .chats(["onebot11:88001", "qq:群-1"]))
        #expect(try parse("scope: [qq:1, \"*\"]" + rest).scope == .everywhere)
    }

    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0), ("1970-01-01 08:00+08:00", 0), ("2028-02-29T00:00:00.500Z", 1_835_395_200_500),
        ("2027-01-01T00:00:00-05:30", 1_798_781_400_000),
    ])
    func zonedTimesAreRead(_ text: String, _ milliseconds: Int64) throws {
        let activity = try parse("name: x\nstarts_at: \(text)\nawards: [{name: x, kind: DI_BAO}]")
        #expect(activity.startsAt == Instant(milliseconds: milliseconds))
    }

    @Test func textsMayContainWhatLooksLikeSyntax() throws {
        let activity = try parse(
            """
            # 备注: &no anchor in a comment
            name: "Tom & Jerry: *! #1"
            awards:
              - {name: Tom & Jerry, kind: DI_BAO, remark: 'a & b'}
            """)
        #expect(activity.name == "Tom & Jerry: *! #1")
        #expect(activity.awards[0].name == "Tom & Jerry")
    }

    // MARK: Faults

    /// A line of the sample exchanged for another: where the fault is said to be, and a word of what it says.
    @Test(
        "hardening rows 70, 71, 72, 73, 75: a fault names its line and field",
        arguments: [
            (1, "id: 春", "id", "A-Z"),
            (1, "id: \"\"", "id", "A-Z"),
            (1, "id: [a]", "id", "a list"),
            (1, "id:", "id", "nothing"),
            (1, "id: " + String(repeating: "a", count: 65), "id", "64"),
            (2, "name: \"\"", "name", "nothing"),
            (2, "name: \"  \"", "name", "nothing"),
            (2, "name: \"a\\nb\"", "name", "control"),
            (2, "name: \"a\\0b\"", "name", "control"),
            (2, "name: \"a\\u202Eb\"", "name", "control"),
            (2, "name: " + String(repeating: "春", count: 65), "name", "65"),
            (2, "name: !!str 春", "name", "tag"),
            (2, "name: !custom 春", "name", "tag"),
            (2, "name: {a: b}", "name", "keys with values"),
            (3, "scope: \"*\"", "scope", "list"),
            (3, "scope: []", "scope", "0 entries"),
            (3, "scope: [88001]", "scope[1]", "platform:chat"),
            (3, "scope: [\"*\", \"qq:\"]", "scope[2]", "platform:chat"),
            (3, "scope: [\"QQ:1\"]", "scope[1]", "platform:chat"),
            (3, "scope: [\"qq:1 2\"]", "scope[1]", "platform:chat"),
            (3, "scope: !!set [\"*\"]", "scope", "tag"),
            (4, "max_attempts: 0", "max_attempts", "unlimited"),
            (4, "max_attempts: -1", "max_attempts", "whole number"),
            (4, "max_attempts: 1.5", "max_attempts", "whole number"),
            (4, "max_attempts: 9223372036854775808", "max_attempts", "whole number"),
            (4, "max_attempts: 0x10", "max_attempts", "whole number"),
            (4, "max_atempts: 1", "max_atempts", "unknown key"),
            (4, "Name: x", "Name", "unknown key"),
            (4, "[a]: x", "?", "unknown key"),
            (5, "one_win_per_game_id: yes", "one_win_per_game_id", "true or false"),
            (5, "one_win_per_game_id: \"true\"", "one_win_per_game_id", "true or false"),
            (5, "one_win_per_game_id: 1", "one_win_per_game_id", "true or false"),
            (6, "starts_at: 2027-02-10T20:00:00", "starts_at", "zone is missing"),
            (6, "starts_at: 2027-02-10", "starts_at", "zone"),
            (6, "starts_at: 2027-02-29T20:00:00+08:00", "starts_at", "zone"),
            (6, "starts_at: 2100-02-29T20:00:00Z", "starts_at", "zone"),
            (6, "starts_at: 1969-12-31T23:59:59Z", "starts_at", "zone"),
            (6, "starts_at: 10000-01-01T00:00:00Z", "starts_at", "zone"),
            (6, "starts_at: 2027-02-10T24:00:00Z", "starts_at", "zone"),
            (6, "starts_at: 2027-02-10T20:00:00+15:00", "starts_at", "zone"),
            (6, "starts_at: 2027-02-10T20:00:00+0800", "starts_at", "zone"),
            (6, "starts_at: 2027-02-10T20:00:00 CST", "starts_at", "zone"),
            (6, "starts_at: 1802260800", "starts_at", "zone"),
            (7, "ends_at: 2027-02-10T20:00:00+08:00", "ends_at", "later"),
            (7, "ends_at: 2027-02-10T19:59:59+08:00", "ends_at", "later"),
            (9, "  - {id: gold, name: x, kind: ONLY, percent: 0.5, number: 2}", "awards[1].number", "one copy"),
            (9, "  - {id: gold, name: x, kind: ONLY, percent: 0.5, number: 0}", "awards[1].number", "one copy"),
            (9, "  - {id: gold, name: x, kind: ONLY}", "awards[1].percent", "missing"),
            (9, "  - {id: gold, name: x, kind: only, percent: 1}", "awards[1].kind", "NORNAL"),
            (9, "  - {id: gold, name: x, percent: 1}", "awards[1].kind", "missing"),
            (9, "  - {id: gold, kind: ONLY, percent: 1}", "awards[1].name", "missing"),
            (9, "  - {id: silver, name: x, kind: ONLY, percent: 1}", "awards[2].id", "again"),
            (9, "  - {id: gold, name: x, kind: ONLY, percent: 1, chance: 2}", "awards[1].chance", "unknown key"),
            (9, "  - 一等奖", "awards[1]", "keys with values"),
            (10, "  - {name: x, kind: NORNAL, percent: 8}", "awards[2].number", "missing"),
            (10, "  - {name: x, kind: NORNAL, percent: 8, number: -1}", "awards[2].number", "whole number"),
            (10, "  - {name: x, kind: NORNAL, percent: 8, number: 1000000001}", "awards[2].number", "1000000000"),
            (10, "  - {name: x, kind: NORNAL, percent: 8, number: 9223372036854775807}", "awards[2].number", "whole"),
            (10, "  - {name: x, kind: NORNAL, percent: 8, number: 1e3}", "awards[2].number", "whole number"),
            (10, "  - {name: x, kind: NORNAL, percent: 8, number: 1_000}", "awards[2].number", "whole number"),
            (10, "  - {name: x, kind: NORNAL, percent: 8, number: 010}", "awards[2].number", "whole number"),
            (10, "  - {name: x, kind: NORNAL, percent: -1, number: 1}", "awards[2].percent", "0…100"),
            (10, "  - {name: x, kind: NORNAL, percent: 100.01, number: 1}", "awards[2].percent", "0…100"),
            (10, "  - {name: x, kind: NORNAL, percent: .nan, number: 1}", "awards[2].percent", "0…100"),
            (10, "  - {name: x, kind: NORNAL, percent: 50%, number: 1}", "awards[2].percent", "percent sign"),
            (10, "  - {name: x, kind: NORNAL, percent: 0.00001, number: 1}", "awards[2].percent", "four decimals"),
            (10, "  - {name: x, kind: NORNAL, percent: 0.1+0.2, number: 1}", "awards[2].percent", "0…100"),
            (10, "  - {name: x, kind: NORNAL, percent: 1e1, number: 1}", "awards[2].percent", "digits out"),
            (10, "  - {name: x, kind: NORNAL, percent: \u{FF15}, number: 1}", "awards[2].percent", "half-width"),
            (10, "  - {name: x, kind: NORNAL, percent: [8], number: 1}", "awards[2].percent", "a list"),
            (10, "  - {name: x, kind: DI_BAO}", "awards[3].kind", "second DI_BAO"),
            (11, "  - {name: x, kind: DI_BAO, percent: 1}", "awards[3].percent", "no percent"),
            (11, "  - {name: x, kind: DI_BAO, number: 1}", "awards[3].number", "no number"),
            (
                11, "  - {name: x, kind: DI_BAO, remark: \"" + String(repeating: "a", count: 201) + "\"}",
                "awards[3].remark", "200"
            ),
            (11, "  - {name: x, kind: DI_BAO, prefix: \" \"}", "awards[3].prefix", "nothing"),
        ])
    func faultNamesItsLineAndField(_ line: Int, _ replacement: String, _ field: String, _ word: String) throws {
        var lines = Self.sample.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        lines[line - 1] = replacement
        let faults = faults(lines.joined(separator: "\n"))
        let fault = try #require(faults.first { $0.field == field }, "\(faults)")
        // A repeated id or a second DI_BAO is noticed where the second one stands.
        let isLater = word == "again" || word == "second DI_BAO"
        #expect(fault.line == (isLater ? line + 1 : line))
        #expect(fault.english.contains(word), "\(fault)")
        #expect(fault.chineseText.hasPrefix("第 \(fault.line) 行"))
    }

    /// Whoever shows a fault adds nothing to it: a reply once said the line twice.
    @Test func aFaultSaysItsLineAndFieldOnce() throws {
        let fault = try #require(faults("name: x\nawards: []\n").first)
        #expect(fault.chineseText == "第 2 行 awards：\(fault.chinese)")
        #expect(fault.description == "line 2, awards: \(fault.english)")
        #expect(!fault.chinese.contains("行") && !fault.english.contains("line"))
    }

    /// What makes the rest of the file unreadable.
    @Test(
        "hardening row 75: an unreadable file names the line",
        arguments: [
            ("", 1, "empty"),
            ("# nothing\n", 1, "empty"),
            ("\u{FEFF}name: x\n", 1, "byte order mark"),
            ("name: x\r\nawards: []\r\n", 1, "carriage return"),
            ("name: x\nawards: []\r\n", 2, "carriage return"),
            ("name: x\u{0}\n", 1, "NUL"),
            ("name: x\nawards:\n\t- name: y\n", 3, "tab"),
            ("name: x\nname: y\n", 1, "repeated"),
            ("name: x\nawards:\n  - {name: a, kind: DI_BAO, name: b}\n", 3, "repeated"),
            ("name: x\nawards: &a\n  - {name: a}\n", 2, "anchor"),
            ("&a name: x\n", 1, "anchor"),
            ("name: !!str &a x\n", 1, "anchor"),
            ("name: x\nawards: [&a {name: a}, *a]\n", 2, "anchor"),
            ("name: \"x\"\nawards: {\"k\":&a x}\n", 2, "anchor"),
            ("name: x\u{2028}&a y: z\n", 1, "anchor"),
            ("\"\\e[31m\": x\n", 1, "unknown key"),
            ("\"\\e[31m\": x\n\"\\e[31m\": y\n", 1, "repeated"),
            ("name: x\nscope: [*]\n", 2, ""),
            ("name: x\nscope: [*all]\n", 2, "alias"),
            ("name: x\n---\nname: y\n", 2, "second document"),
            ("name: \"x\n", 2, "YAML"),
            ("name: [x\n", 2, "YAML"),
            ("name: x\n bad\n  : y: z\n", 3, "YAML"),
            ("name: x\u{1}\n", 1, "cannot be read"),
            ("- a\n- b\n", 1, "keys with values"),
            ("春节", 1, "keys with values"),
            ("!custom {name: x}\n", 1, "tag"),
        ])
    func unreadableFileNamesTheLine(_ text: String, _ line: Int, _ word: String) {
        let faults = faults(text)
        #expect(faults.first?.line == line, "\(faults)")
        #expect(faults.first?.english.contains(word) ?? false || word.isEmpty, "\(faults)")
        #expect(!faults.contains { $0.description.unicodeScalars.contains("\u{1B}") }, "\(faults)")
    }

    @Test func bytesThatAreNoUTF8NameTheLine() {
        let faults = faults(Array("name: x\nid: ".utf8) + [0xC3, 0x28, 0x0A])
        #expect(faults.map(\.line) == [2])
        #expect(faults.first?.english.contains("UTF-8") == true)
    }

    @Test("hardening row 75: a file that is too large says its size") func tooLargeFileSaysItsSize() {
        let faults = faults([UInt8](repeating: 0x23, count: ActivityFile.maximumSize + 1))
        #expect(faults.first?.english.contains("1048577") == true)
    }

    @Test func allFaultsComeAtOnceInLineOrder() {
        let faults = faults(
            """
            max_attempts: many
            nonsense: 1
            awards:
              - {name: x, kind: ONLY, percent: 200, number: 3}
              - {kind: GOLD}
            ends_at: tomorrow
            """)
        #expect(
            faults.map { "\($0.line) \($0.field)" } == [
                "1 name", "1 max_attempts", "2 nonsense", "4 awards[1].percent", "4 awards[1].number",
                "5 awards[2].name", "5 awards[2].kind", "6 ends_at",
            ])
    }

    @Test("hardening row 70: awards are counted") func awardsAreCounted() {
        let award = "  - {name: x, kind: NORNAL, percent: 0.01, number: 1}\n"
        let head = "name: x\nawards:\n"
        #expect(faults(head + String(repeating: award, count: 1000)).isEmpty)
        #expect(faults(head + String(repeating: award, count: 1001)).first?.english.contains("1001") == true)
        #expect(faults("name: x\nawards: []\n").first?.field == "awards")
        #expect(faults("name: x\n").first?.english == "the key is missing")
    }

    /// hardening.md row 75: nesting, bombs and rubbish cost little and never trap.
    @Test("hardening row 75: nesting and bombs are refused") func hostileFilesAreRefused() {
        for open in ["[", "{", "- ", "? ", "[{a: "] {
            #expect(!faults("name: " + String(repeating: open, count: 300_000)).isEmpty)
            #expect(!faults(String(repeating: open, count: 300_000)).isEmpty)
            #expect(!faults(String(repeating: open, count: 900)).isEmpty)
        }
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + (0..<20).map { "b\($0): &b\($0) [*a,*a,*a,*a]\n" }.joined()
        #expect(faults(bomb).first?.english.contains("anchor") == true)
    }

    @Test func everyCutAndEveryBrokenByteIsReadWithoutATrap() {
        let bytes = Array(Self.sample.utf8)
        for index in bytes.indices {
            _ = faults(Array(bytes[..<index]))
            for value: UInt8 in [0x00, 0x22, 0x26, 0x2A, 0x3A, 0x5B, 0x7B, 0x80, 0xFF] {
                var broken = bytes
                broken[index] = value
                _ = faults(broken)
            }
        }
    }
}
