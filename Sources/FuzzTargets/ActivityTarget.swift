internal import ActivityFiles
internal import Basics
internal import ChatPlatforms
internal import Lottery

extension FuzzTarget {
    /// An activity file.
    public static let activities = FuzzTarget("activities") { input in
        let activity: Activity
        switch Result(catching: { () throws(ActivityFileError) in try ActivityFile.parse(input) }) {
        case .success(let read): activity = read
        case .failure(let error): return try ActivityPromises.check(error, of: input)
        }
        try ActivityPromises.check(activity)
        try ActivityPromises.checkImportingAgain(activity)
        try ActivityPromises.checkOpening(activity)
    }
}

private enum ActivityPromises {
    static func check(_ error: ActivityFileError, of input: [UInt8]) throws {
        let lineCount = input.count { $0 == 0x0A } + 1
        try require(!error.faults.isEmpty, "a refusal says why")
        for fault in error.faults {
            try require((1...lineCount + 1).contains(fault.line), "line \(fault.line) is one of the file's")
            for text in [fault.description, fault.chineseText] {
                try require(text.hasNoControls(), "no control character is in \(text.debugDescription)")
                try require(text.utf8.count <= 4096, "a fault is no longer than a message")
            }
        }
        try require(
            zip(error.faults, error.faults.dropFirst()).allSatisfy { $0.line <= $1.line },
            "faults are in the order of the lines")
    }

    static func check(_ activity: Activity) throws {
        try require(isValidID(activity.id.text), "an activity's id is valid")
        try check(name: activity.name)
        try require((activity.maxAttempts ?? 1) >= 1, "attempts are counted from 1")
        if let startsAt = activity.startsAt, let endsAt = activity.endsAt {
            try require(startsAt < endsAt, "an activity ends after it starts")
        }
        if case .chats(let chats) = activity.scope {
            try require(!chats.isEmpty, "somebody may take part")
            try require(chats.allSatisfy { $0.text.hasNoControls() }, "a chat's id has no control characters")
        }
        try require((1...Activity.maximumAwardCount).contains(activity.awards.count), "there are 1 to 1,000 awards")
        try require(Set(activity.awards.map(\.id)).count == activity.awards.count, "each award's id is there once")
        try require(activity.awards.count { $0.kind == .DI_BAO } <= 1, "there is one DI_BAO at most")
        for award in activity.awards {
            try require(isValidID(award.id.text), "an award's id is valid")
            try check(name: award.name)
            try require((0...Activity.maximumNumber).contains(award.number), "a stock is 0 to 10^9")
            try require(award.kind != .ONLY || award.number == 1, "there is one copy of an ONLY")
            try require(
                award.kind != .DI_BAO || (award.percent == .zero && award.number == 0), "a DI_BAO has no limits")
            try require(
                Percent(award.percent.description) == award.percent, "a percentage reads as it is written")
        }
    }

    private static func check(name: String) throws {
        try require(
            (1...ActivityFile.maximumNameLength).contains(name.unicodeScalars.count) && name.hasNoControls(),
            "a name is 1 to 64 printable characters")
    }

    /// What was read, written out again, is the same activity.
    static func checkImportingAgain(_ activity: Activity) throws {
        var lines = [
            "id: \(quoted(activity.id.text))", "name: \(quoted(activity.name))",
            "one_win_per_game_id: \(activity.oneWinPerGameID)",
        ]
        if case .chats(let chats) = activity.scope {
            lines.append("scope: [\(chats.map { quoted($0.text) }.joined(separator: ", "))]")
        }
        if let maxAttempts = activity.maxAttempts { lines.append("max_attempts: \(maxAttempts)") }
        if let startsAt = activity.startsAt { lines.append("starts_at: \(startsAt.dateTimeText())Z") }
        if let endsAt = activity.endsAt { lines.append("ends_at: \(endsAt.dateTimeText())Z") }
        lines.append("awards:")
        for award in activity.awards {
            var fields = [
                "id: \(quoted(award.id.text))", "prefix: \(quoted(award.prefix))", "name: \(quoted(award.name))",
                "remark: \(quoted(award.remark))", "kind: \(award.kind.name)",
            ]
            if award.kind != .DI_BAO { fields += ["percent: \(award.percent)", "number: \(award.number)"] }
            lines.append("  - {\(fields.joined(separator: ", "))}")
        }
        let again: Activity
        switch Result(catching: { () throws(ActivityFileError) in
            try ActivityFile.parse(Array((lines.joined(separator: "\n") + "\n").utf8))
        }) {
        case .success(let read): again = read
        case .failure(let error):
            throw BrokenPromise(description: "an activity that was read cannot be read again: \(error)")
        }
        // Names are compared by bytes, which Swift's own comparison does not do.
        try require(again == activity, "an activity reads as it is written")
        let texts = zip(again.awards, activity.awards).flatMap { new, old in
            [(new.prefix, old.prefix), (new.name, old.name), (new.remark, old.remark)]
        }
        try require(
            (texts + [(again.name, activity.name)]).allSatisfy { areEqualBytes($0, $1) }, "names stay as they are")
    }

    /// A double-quoted text is the same in JSON and in YAML. A mark that could begin an anchor is written as an escape.
    private static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        JSONWriter.append(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self).split(separator: "&", omittingEmptySubsequences: false)
            .joined(separator: "\\u0026")
    }

    /// Whatever can be imported can be opened, and its ledger holds.
    static func checkOpening(_ activity: Activity) throws {
        guard let seed = RoundSeed(Array(repeating: 7, count: 32)) else { return }
        let rules = RoundRules(activity: activity, remaining: activity.awards.map(\.number))
        var head = LedgerHead.empty
        let now = Instant(milliseconds: 1_760_000_000_000)
        let rows = [
            head.append(
                .open(round: 1, rules: rules, commitment: rules.commitment(round: 1, seed: seed)), now: now),
            head.append(.close(round: 1, seed: seed), now: now),
        ]
        let report = LedgerVerifier.verify(Array(rows.map { $0.canonicalLine + [0x0A] }.joined()))
        try require(report.holds, "the ledger of any activity holds: \(String(describing: report.badRow))")
    }
}
