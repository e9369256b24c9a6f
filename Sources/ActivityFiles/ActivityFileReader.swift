internal import Basics
internal import Lottery
internal import Yams

/// Turns a YAML tree into an activity, gathering faults as it goes.
///
/// It looks only where a field belongs, so its work does not depend on how deep a tree is.
struct ActivityFileReader {
    private var faults: [ActivityFileError.Fault] = []

    private static let activityKeys = [
        "id", "name", "scope", "max_attempts", "one_win_per_game_id", "starts_at", "ends_at", "awards",
    ]
    private static let awardKeys = ["id", "prefix", "name", "remark", "kind", "percent", "number"]

    /// A value with its place.
    private struct Field {
        let node: Node
        let name: String
        let line: Int
    }

    mutating func read(_ root: Node) throws(ActivityFileError) -> Activity {
        let activity = activity(root)
        guard let activity, faults.isEmpty else {
            // Sorting keeps faults of one line in the order of the fields.
            let ordered = faults.enumerated().sorted { ($0.element.line, $0.offset) < ($1.element.line, $1.offset) }
            throw ActivityFileError(faults: ordered.map(\.element))
        }
        return activity
    }

    private mutating func activity(_ root: Node) -> Activity? {
        let file = Field(node: root, name: "", line: root.mark?.line ?? 1)
        guard let fields = mapping(file, keys: Self.activityKeys) else { return nil }
        let name = required("name", in: fields, at: file).flatMap {
            text($0, maximumLength: ActivityFile.maximumNameLength)
        }
        let id = fields["id"].map { self.id($0) } ?? name.map { generatedID(name: $0) }
        let scope = fields["scope"].map { self.scope($0) } ?? .everywhere
        let maxAttempts = fields["max_attempts"].map {
            integer($0, in: 1...Activity.maximumNumber, english: "leave it out for unlimited", chinese: "不限次数请删去此项")
        }
        let oneWinPerGameID = fields["one_win_per_game_id"].map { boolean($0) } ?? false
        let startsAt = fields["starts_at"].map { instant($0) }
        let endsAt = fields["ends_at"].map { instant($0) }
        if let start = startsAt ?? nil, let end = endsAt ?? nil, end <= start, let field = fields["ends_at"] {
            report(
                field, "found an end at or before starts_at, expected a later moment",
                "结束时间不晚于 starts_at，应晚于开始时间")
        }
        guard let awardsField = required("awards", in: fields, at: file), let awards = awards(awardsField),
            let id, let name
        else { return nil }
        return Activity(
            id: ActivityID(id), name: name, scope: scope ?? .everywhere, maxAttempts: maxAttempts ?? nil,
            oneWinPerGameID: oneWinPerGameID ?? false, startsAt: startsAt ?? nil, endsAt: endsAt ?? nil,
            awards: awards)
    }

    // MARK: Awards

    private mutating func awards(_ field: Field) -> [ActivityAward]? {
        guard let nodes = sequence(field) else { return nil }
        guard !nodes.isEmpty else {
            report(field, "found no awards, expected at least one", "没有奖品，至少要有一个")
            return nil
        }
        guard nodes.count <= Activity.maximumAwardCount else {
            report(
                field, "found \(nodes.count) awards, expected at most \(Activity.maximumAwardCount)",
                "有 \(nodes.count) 个奖品，最多 \(Activity.maximumAwardCount) 个")
            return nil
        }
        var awards: [ActivityAward] = []
        var lines: [AwardID: Int] = [:]
        var diBaoLine: Int?
        for (index, node) in nodes.enumerated() {
            let place = Field(node: node, name: "awards[\(index + 1)]", line: node.mark?.line ?? field.line)
            guard let (award, line) = award(place, position: index + 1) else { continue }
            if let first = lines[award.id] {
                report(
                    Field(node: node, name: place.name + ".id", line: line),
                    "found the award id \(shown(award.id.text)) again, expected a unique one (first on line \(first))",
                    "奖品 id \(shown(award.id.text)) 与第 \(first) 行重复")
            } else {
                lines[award.id] = line
            }
            if award.kind == .DI_BAO {
                if let first = diBaoLine {
                    report(
                        Field(node: node, name: place.name + ".kind", line: line),
                        "found a second DI_BAO, expected at most one (first on line \(first))",
                        "有第二个低保（DI_BAO），最多一个（第一个在第 \(first) 行）")
                } else {
                    diBaoLine = line
                }
            }
            awards.append(award)
        }
        return awards
    }

    /// - Returns: The award and its line; nil when it is not even a mapping with a kind. With faults in it, some of its
    ///   values are stand-ins: the faults keep them from being used.
    private mutating func award(_ place: Field, position: Int) -> (award: ActivityAward, line: Int)? {
        guard let fields = mapping(place, keys: Self.awardKeys) else { return nil }
        let name = required("name", in: fields, at: place).flatMap {
            text($0, maximumLength: ActivityFile.maximumNameLength)
        }
        let prefix = fields["prefix"].map {
            text($0, maximumLength: ActivityFile.maximumNameLength, allowsEmpty: true)
        }
        let remark = fields["remark"].map {
            text($0, maximumLength: ActivityFile.maximumRemarkLength, allowsEmpty: true)
        }
        let id = fields["id"].map { self.id($0) } ?? "a\(position)"
        let kind = required("kind", in: fields, at: place).flatMap { self.kind($0) }
        let percent = fields["percent"].map { self.percent($0) }
        let number = fields["number"].map { integer($0, in: 0...Activity.maximumNumber) }
        guard let kind else { return nil }

        var copies = 0
        switch kind {
        case .NORNAL:
            if percent == nil { reportMissing("percent", at: place) }
            if number == nil { reportMissing("number", at: place) }
            copies = (number ?? nil) ?? 0
        case .ONLY:
            if percent == nil { reportMissing("percent", at: place) }
            copies = 1
            if let field = fields["number"], let value = number ?? nil, value != 1 {
                report(
                    field, "found \(value), expected 1: an ONLY award has one copy", "唯一（ONLY）奖品的数量只能是 1，写的是 \(value)")
            }
        case .DI_BAO:
            for key in ["percent", "number"] {
                guard let field = fields[key] else { continue }
                report(
                    field, "found a value, expected none: a DI_BAO award has no \(key)",
                    "低保（DI_BAO）没有\(key == "percent" ? "概率" : "数量")，请删去此项")
            }
        }
        let award = ActivityAward(
            id: AwardID((id ?? nil) ?? "a\(position)"), kind: kind,
            percent: kind == .DI_BAO ? .zero : (percent ?? nil) ?? .zero, prefix: (prefix ?? nil) ?? "",
            name: name ?? "", remark: (remark ?? nil) ?? "", number: copies)
        return (award, fields["id"]?.line ?? place.line)
    }

    private mutating func kind(_ field: Field) -> AwardKind? {
        guard let scalar = scalar(field, expected: "NORNAL, ONLY or DI_BAO", "NORNAL、ONLY 或 DI_BAO") else { return nil }
        guard scalar.string.utf8.allSatisfy({ $0 < 0x80 }), let kind = AwardKind(name: scalar.string) else {
            report(
                field, "found \(shown(scalar.string)), expected NORNAL, ONLY or DI_BAO",
                "写的是 \(shown(scalar.string))，应为 NORNAL(普通)、ONLY(唯一)或 DI_BAO(低保)")
            return nil
        }
        return kind
    }

    private mutating func percent(_ field: Field) -> Percent? {
        let english = "0…100 with at most four decimals, such as 0.5"
        let chinese = "0…100、最多四位小数的数字，例如 0.5"
        guard let scalar = scalar(field, expected: english, chinese) else { return nil }
        if let percent = Percent(scalar.string) { return percent }
        let text = scalar.string.utf8
        var englishHint = ""
        var chineseHint = ""
        if text.contains(UInt8(ascii: "%")) || scalar.string.unicodeScalars.contains("\u{FF05}") {
            englishHint = "; leave out the percent sign"
            chineseHint = "；不要写百分号"
        } else if text.contains(UInt8(ascii: "e")) || text.contains(UInt8(ascii: "E")) {
            englishHint = "; write the digits out"
            chineseHint = "；请写成普通小数"
        } else if scalar.string.unicodeScalars.contains(where: { ("\u{FF10}"..."\u{FF19}").contains($0) }) {
            englishHint = "; use half-width digits"
            chineseHint = "；请用半角数字"
        }
        report(
            field, "found \(shown(scalar.string)), expected \(english)\(englishHint)",
            "写的是 \(shown(scalar.string))，应为\(chinese)\(chineseHint)")
        return nil
    }

    // MARK: Values

    private mutating func scope(_ field: Field) -> Scope? {
        guard let nodes = sequence(field) else { return nil }
        let english = "\"*\" or platform:chat"
        let chinese = "\"*\" 或 platform:群号"
        guard !nodes.isEmpty, nodes.count <= ActivityFile.maximumChatCount else {
            report(
                field, "found \(nodes.count) entries, expected 1…\(ActivityFile.maximumChatCount)",
                "有 \(nodes.count) 项，应为 1…\(ActivityFile.maximumChatCount) 项")
            return nil
        }
        var chats: Set<ChatID> = []
        var isEverywhere = false
        for (index, node) in nodes.enumerated() {
            let entry = Field(node: node, name: "\(field.name)[\(index + 1)]", line: node.mark?.line ?? field.line)
            guard let scalar = scalar(entry, expected: english, chinese) else { continue }
            if scalar.string == "*" {
                isEverywhere = true
            } else if isChat(scalar.string) {
                chats.insert(ChatID(scalar.string))
            } else {
                report(
                    entry, "found \(shown(scalar.string)), expected \(english)",
                    "写的是 \(shown(scalar.string))，应为 \(chinese)")
            }
        }
        return isEverywhere ? .everywhere : .chats(chats)
    }

    /// `platform:chat`: a lower-case name, a colon, and 1…128 bytes without blanks and control characters.
    private func isChat(_ text: String) -> Bool {
        let bytes = text.utf8
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else { return false }
        let platform = bytes[..<colon]
        let chat = text.unicodeScalars[text.unicodeScalars.index(after: colon)...]
        return (1...32).contains(platform.count)
            && platform.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F || $0 == 0x2D
            }
            && (1...128).contains(String(chat).utf8.count)
            && chat.allSatisfy { !$0.properties.isWhitespace && !isUnprintable($0) }
    }

    private mutating func id(_ field: Field) -> String? {
        let english = "1…64 of A-Z a-z 0-9 . _ -"
        let chinese = "1…64 个字符，只能用 A-Z a-z 0-9 . _ -"
        guard let scalar = scalar(field, expected: english, chinese) else { return nil }
        guard isValidID(scalar.string) else {
            report(
                field, "found \(shown(scalar.string)), expected \(english)", "写的是 \(shown(scalar.string))，应为 \(chinese)"
            )
            return nil
        }
        return scalar.string
    }

    private mutating func text(_ field: Field, maximumLength: Int, allowsEmpty: Bool = false) -> String? {
        guard let scalar = scalar(field, expected: "a text", "文字") else { return nil }
        let scalars = scalar.string.unicodeScalars
        let isBlank = scalars.allSatisfy { $0.properties.isWhitespace }
        if isBlank, !allowsEmpty || !scalars.isEmpty {
            report(field, "found nothing, expected a text", "是空的，应写文字")
            return nil
        }
        guard scalars.count <= maximumLength else {
            report(
                field, "found \(scalars.count) characters, expected at most \(maximumLength)",
                "有 \(scalars.count) 个字符，最多 \(maximumLength) 个")
            return nil
        }
        guard !scalars.contains(where: isUnprintable) else {
            report(field, "found a control character, expected plain text in one line", "含有控制字符或换行，应为一行普通文字")
            return nil
        }
        return scalar.string
    }

    /// Controls, line separators, and marks that turn the direction of the text around them.
    private func isUnprintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: ("\u{202A}"..."\u{202E}").contains(scalar) || ("\u{2066}"..."\u{2069}").contains(scalar)
        }
    }

    private mutating func integer(
        _ field: Field, in range: ClosedRange<Int>, english hint: String = "", chinese chineseHint: String = ""
    ) -> Int? {
        let english = "a whole number \(range.lowerBound)…\(range.upperBound)" + (hint.isEmpty ? "" : "; \(hint)")
        let chinese = "\(range.lowerBound)…\(range.upperBound) 的整数" + (chineseHint.isEmpty ? "" : "；\(chineseHint)")
        guard let scalar = scalar(field, expected: english, chinese) else { return nil }
        let digits = scalar.string.utf8
        guard (1...10).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }),
            digits.count == 1 || digits.first != 0x30, let value = Int(scalar.string), range.contains(value)
        else {
            report(
                field, "found \(shown(scalar.string)), expected \(english)", "写的是 \(shown(scalar.string))，应为 \(chinese)"
            )
            return nil
        }
        return value
    }

    private mutating func boolean(_ field: Field) -> Bool? {
        guard let scalar = scalar(field, expected: "true or false", "true 或 false") else { return nil }
        switch scalar.string {
        case "true" where scalar.style == .plain: return true
        case "false" where scalar.style == .plain: return false
        default:
            report(
                field, "found \(shown(scalar.string)), expected true or false",
                "写的是 \(shown(scalar.string))，应为 true 或 false")
            return nil
        }
    }

    private mutating func instant(_ field: Field) -> Instant? {
        let english = "a date, a time and a zone, such as 2027-02-10T20:00:00+08:00"
        let chinese = "带时区的日期时间，例如 2027-02-10T20:00:00+08:00"
        guard let scalar = scalar(field, expected: english, chinese) else { return nil }
        if let instant = Instant(zonedText: scalar.string) { return instant }
        let isZoneMissing = Instant(dateTimeText: scalar.string) != nil
        report(
            field,
            "found \(shown(scalar.string)), expected \(english)" + (isZoneMissing ? "; the zone is missing" : ""),
            "写的是 \(shown(scalar.string))，应为\(chinese)" + (isZoneMissing ? "；缺少时区" : ""))
        return nil
    }

    // MARK: Nodes

    private mutating func mapping(_ field: Field, keys: [String]) -> [String: Field]? {
        guard case .mapping(let mapping) = field.node else {
            report(
                field, "found \(kindName(field.node).english), expected keys with values",
                "是\(kindName(field.node).chinese)，应为“键: 值”")
            return nil
        }
        guard isUntagged(field, mapping.tag) else { return nil }
        let prefix = field.name.isEmpty ? "" : field.name + "."
        var fields: [String: Field] = [:]
        for (key, value) in mapping {
            let line = key.mark?.line ?? field.line
            guard case .scalar(let scalar) = key, keys.contains(where: { areEqualBytes($0, scalar.string) })
            else {
                let found = key.scalar.map { shown($0.string) } ?? "a key that is not a text"
                report(
                    Field(node: key, name: prefix + (key.scalar.map { plain($0.string) } ?? "?"), line: line),
                    "found the unknown key \(found), expected one of \(keys.joined(separator: ", "))",
                    "不认识的键 \(key.scalar.map { shown($0.string) } ?? "（不是文字）")，可用的键：\(keys.joined(separator: "、"))")
                continue
            }
            // Comparing the keys for repetitions has resolved their tags: each is a text, whether it says so or not.
            let place = Field(node: key, name: prefix + scalar.string, line: line)
            guard scalar.tag.rawValue == Tag.Name.str.rawValue || isUntagged(place, scalar.tag) else { continue }
            fields[scalar.string] = Field(node: value, name: prefix + scalar.string, line: value.mark?.line ?? line)
        }
        return fields
    }

    private mutating func sequence(_ field: Field) -> [Node]? {
        guard case .sequence(let sequence) = field.node else {
            report(
                field, "found \(kindName(field.node).english), expected a list", "是\(kindName(field.node).chinese)，应为列表"
            )
            return nil
        }
        guard isUntagged(field, sequence.tag) else { return nil }
        return Array(sequence)
    }

    private mutating func scalar(_ field: Field, expected english: String, _ chinese: String) -> Node.Scalar? {
        guard case .scalar(let scalar) = field.node else {
            report(
                field, "found \(kindName(field.node).english), expected \(english)",
                "是\(kindName(field.node).chinese)，应为\(chinese)")
            return nil
        }
        guard isUntagged(field, scalar) else { return nil }
        if scalar.style == .plain, ["", "~", "null", "Null", "NULL"].contains(scalar.string) {
            report(field, "found nothing, expected \(english)", "没有写值，应为\(chinese)")
            return nil
        }
        return scalar
    }

    /// A quoted text carries the tag of a text already, so only on a plain one does a tag show.
    private mutating func isUntagged(_ field: Field, _ scalar: Node.Scalar) -> Bool {
        scalar.style != .plain && scalar.tag.rawValue == Tag.Name.str.rawValue || isUntagged(field, scalar.tag)
    }

    private mutating func isUntagged(_ field: Field, _ tag: Tag) -> Bool {
        if tag.rawValue == Tag.Name.implicit.rawValue { return true }
        report(
            field,
            "found the tag \(shown(tag.rawValue)), expected plain values; a text that begins with ! needs quotes",
            "不能使用 YAML 标签（!）；以 ! 开头的文字请加引号")
        return false
    }

    private func kindName(_ node: Node) -> (english: String, chinese: String) {
        switch node {
        case .scalar(let scalar): (shown(scalar.string), " \(shown(scalar.string))")
        case .mapping: ("keys with values", "“键: 值”")
        case .sequence: ("a list", "列表")
        case .alias: ("an alias", "别名")
        }
    }

    // MARK: Faults

    private mutating func required(_ key: String, in fields: [String: Field], at place: Field) -> Field? {
        if let field = fields[key] { return field }
        reportMissing(key, at: place)
        return nil
    }

    private mutating func reportMissing(_ key: String, at place: Field) {
        let name = place.name.isEmpty ? key : "\(place.name).\(key)"
        report(Field(node: place.node, name: name, line: place.line), "the key is missing", "缺少此项")
    }

    private mutating func report(_ field: Field, _ english: String, _ chinese: String) {
        faults.append(
            ActivityFileError.Fault(line: field.line, field: field.name, english: english, chinese: chinese))
    }
}
