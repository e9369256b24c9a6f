public import Activities
internal import Basics
internal import Foundation
internal import Lottery
internal import TrafficGate

/// Puts outcomes into words.
///
/// The texts come from Resources in the chosen language, those that the operator wrote instead come first. Everything
/// that people typed is cleaned before it is repeated (`echo`); what a platform gives a meaning to (markdown, mentions)
/// is for its adapter to escape.
public struct ReplyWriter: Sendable, CustomStringConvertible {
    public let language: ReplyLanguage

    /// Not its hundred texts, which a log of what runs would repeat.
    public var description: String { "ReplyWriter(\(language))" }

    private let texts: ReplyTexts
    private let timeZone: TimeZone

    /// - Parameters:
    ///   - yaml: An operator's texts, key by key in place of the shipped ones.
    ///   - timeZone: The zone that times are written in, by its name in the time zone database.
    /// - Throws: ``ReplyTextError`` naming the key: one that does not exist, or a template that is broken or names a
    ///   value that the reply does not have.
    public init(
        language: ReplyLanguage = .simplifiedChinese, overriding yaml: String? = nil,
        timeZone: String = "Asia/Shanghai"
    ) throws(ReplyTextError) {
        guard let zone = TimeZone(identifier: timeZone) ?? (timeZone == "Asia/Shanghai" ? .fixedChina : nil) else {
            throw ReplyTextError(key: nil, message: "there is no time zone \"\(echo(timeZone))\"")
        }
        self.language = language
        texts = try ReplyTexts(language, overriding: yaml)
        self.timeZone = zone
    }

    /// The reply to one request; empty when there is nothing to say.
    ///
    /// - Parameter role: The asker's: 帮助 shows only what they may run.
    public func text(for response: Response, role: Role) -> String {
        let reply = text(response.outcome, role: role)
        guard let position = response.position, !reply.isEmpty else { return reply }
        if case .queued = response.outcome { return reply }
        return reply + "\n" + fill(.queueStillWaiting, ["position": .number(position)])
    }

    /// What somebody who waited is told when they have come in: 轮到你了.
    public var promotedText: String { fill(.promoted) }

    /// What is told without anybody having asked: to the person who came in, everything else to admins.
    public func text(for notice: ActivityStateMachine.Notice) -> String {
        switch notice {
        case .openedBySchedule(let activityName):
            fill(.noticeOpened, ["activity": .echoed(activityName)])
        case .closedBySchedule(let activityName):
            fill(.noticeClosed, ["activity": .echoed(activityName)])
        case .scheduleConflict(let activityName, let faults):
            fill(.noticeConflict, fields(faults, activityName))
        case .scheduleMissed(let activityName):
            fill(.noticeMissed, ["activity": .echoed(activityName)])
        case .promoted:
            promotedText
        case .configurationIgnored(let key, let value):
            fill(
                .noticeConfigurationIgnored,
                [
                    "key": .echoed(key), "value": .echoed(value),
                    "is_known": .flag(GateConfiguration.keys.contains { $0.name == key }),
                ])
        }
    }

    /// The reply to a line of input that is no message.
    ///
    /// - Parameter fault: What is wrong with it, in English.
    public func text(forUnreadableLine fault: String) -> String {
        fill(.unreadableLine, ["fault": .echoed(fault)])
    }

    private func fill(_ key: ReplyKey, _ fields: ReplyFields = [:]) -> String {
        texts[key].render(fields)
    }

    private func text(_ outcome: Outcome, role: Role) -> String {
        switch outcome {
        case .won(let attempt):
            return fill(.won, fields(attempt))
        case .missed(let attempt):
            switch attempt.attemptsLeft {
            case nil: return fill(.missedUnlimited, fields(attempt))
            case 0: return fill(.missedLast, fields(attempt))
            case .some: return fill(.missed, fields(attempt))
            }
        case .alreadyWon(let win):
            return fill(
                .alreadyWon,
                [
                    "award": .text(text(win.award)), "activity": .echoed(win.activityName),
                    "receipt": .echoed(win.receipt.description),
                ])
        case .gameIDUsed(let gameID):
            return fill(.gameIDUsed, ["game_id": .echoed(gameID)])
        case .attemptsUsed(let maximum):
            return fill(.attemptsUsed, ["maximum": .number(maximum)])
        case .erasedBefore:
            return fill(.erasedBefore)
        case .notBound:
            return fill(.notBound)
        case .noActivity:
            return fill(.noActivity)
        case .queued(let place):
            let ahead =
                place.position > 1
                ? fill(.queueAhead, ["ahead": .number(place.position - 1)]) : fill(.queueFirst)
            return fill(
                .queued,
                ["position": .number(place.position), "ahead": .text(ahead), "wait": .text(text(place.wait))])
        case .blocked(let reason):
            switch reason {
            case .ipSessions: return fill(.blockedIPSessions)
            case .queueFull: return fill(.blockedQueueFull)
            case .noSession: return fill(.blockedNoSession)
            }
        case .maintenance(let reason):
            guard let reason, !reason.isEmpty else { return fill(.maintenance) }
            return fill(.maintenanceReason, ["reason": .text(echo(reason, maximumCount: 200))])
        case .rateLimited(let limit):
            return fill(.rateLimited, ["limit": .number(limit)])
        case .busy:
            return fill(.busy)
        case .notPermitted(let command):
            return fill(.notPermitted, ["command": word(command)])
        case .unknownCommand(let suggestion):
            guard let suggestion, role.mayRun(suggestion) else { return fill(.unknownCommand) }
            return fill(.unknownCommandSuggestion, ["command": word(suggestion)])
        case .badArgument(let refusal):
            return text(refusal)
        case .ok(let answer):
            return text(answer, role: role)
        case .ignored:
            return ""
        }
    }
}

extension TimeZone {
    /// Where the system has no time zone database: the zone has had this one offset since 1991.
    fileprivate static let fixedChina = TimeZone(secondsFromGMT: 8 * 3600)
}

// MARK: - Answers

extension ReplyWriter {
    private func text(_ answer: Answer, role: Role) -> String {
        switch answer {
        case .bound(let gameID, let previous):
            guard let previous, previous != gameID else { return fill(.bound, ["game_id": .echoed(gameID)]) }
            return fill(.boundChanged, ["game_id": .echoed(gameID), "previous": .echoed(previous)])
        case .unbound(let gameID):
            return fill(.unbound, ["game_id": .echoed(gameID)])
        case .binding(let gameID):
            return fill(.binding, ["game_id": .echoed(gameID)])
        case .wins(let wins):
            return wins.isEmpty ? fill(.winsNone) : fill(.wins, ["wins": .list(wins.map(fields))])
        case .winners(let page):
            return text(page)
        case .pool(let pool):
            return text(pool)
        case .activity(let view):
            return fill(
                .activity,
                [
                    "activity": .echoed(view.name), "opened_at": .text(text(view.openedAt)),
                    "ends_at": .text(ifAny: view.endsAt.map(text)),
                    "max_attempts": .number(ifAny: view.maxAttempts), "users": .number(view.userCount),
                    "draws": .number(view.drawCount), "round": .number(view.round),
                    "commitment": .text(view.commitment),
                ])
        case .place(let isIn):
            return fill(isIn ? .placeIn : .placeNone)
        case .left(let hadPlace):
            return fill(hadPlace ? .left : .leftNone)
        case .verification(let view):
            return text(view)
        case .help(let topic):
            return help(topic, role: role)
        case .myData(let data):
            return fill(
                .myData,
                [
                    "user": .echoed(data.user.text), "game_id": .echoed(ifAny: data.gameID),
                    "wins": .list(data.wins.map(fields)), "misses": .number(data.missCount),
                    "messages": .number(data.messageCount), "session": .flag(data.hasSession),
                ])
        case .erased:
            return fill(.erased)
        case .started(let view):
            return fill(
                .started,
                [
                    "activity": .echoed(view.activityName), "round": .number(view.round),
                    "commitment": .text(view.commitment), "head": .text(view.head),
                    "ends_at": .text(ifAny: view.endsAt.map(text)),
                    "warnings": .list(view.warnings.map { ["text": .text(text($0))] }),
                ])
        case .stopped(let view):
            return text(view)
        case .activities(let items, let hasOthers):
            guard !items.isEmpty else { return fill(hasOthers ? .activitiesNoneHere : .activitiesNone) }
            return fill(.activities, ["activities": .list(items.map(fields))])
        case .imported(let view):
            let key: ReplyKey =
                switch view.effect {
                case .created: .importedCreated
                case .replaced: .importedReplaced
                case .unchanged: .importedUnchanged
                }
            return fill(
                key,
                ["activity": .echoed(view.name), "id": .echoed(view.id.text), "awards": .number(view.awardCount)])
        case .numberSet(let view):
            return fill(
                .numberSet,
                [
                    "activity": .echoed(view.activityName), "award": .text(text(view.award)),
                    "old": .number(view.oldNumber), "number": .number(view.number),
                    "remaining": .number(view.remaining), "commitment": .text(ifAny: view.commitment),
                ])
        case .traffic(let summary):
            return fill(
                .traffic,
                [
                    "active": .number(summary.activeUsers), "capacity": .number(summary.capacity),
                    "queued": .number(summary.queuedUsers), "maintenance": .flag(summary.maintenance),
                    "requests": .number(summary.totalRequests), "rejections": .number(summary.rejectedRequests),
                    "average": .number(ifAny: summary.averageSessionSeconds), "wait": .text(text(summary.wait)),
                ])
        case .trafficSet(let key, let old, let new):
            return fill(.trafficSet, ["key": .echoed(key), "old": .echoed(old), "new": .echoed(new)])
        case .maintenance(let isOn, let reason):
            let reason = reason.flatMap { $0.isEmpty ? nil : echo($0, maximumCount: 200) }
            return fill(isOn ? .maintenanceSetOn : .maintenanceSetOff, ["reason": .text(ifAny: reason)])
        case .voided(let view):
            return fill(
                .voided,
                [
                    "activity": .echoed(view.activityName), "receipt": .echoed(view.receipt.description),
                    "award": .text(text(view.award)), "reason": .text(echo(view.reason, maximumCount: 200)),
                    "limited": .flag(view.remaining != nil), "remaining": .number(ifAny: view.remaining),
                    "may_draw_again": .flag(view.mayDrawAgain),
                ])
        case .exported(let activityName, let files):
            return fill(
                .exported,
                ["activity": .echoed(activityName), "files": .list(files.map { ["file": .echoed($0)] })])
        }
    }

    private func text(_ page: WinnersPage) -> String {
        guard !page.winners.isEmpty else { return fill(.winnersNone) }
        let winners: [ReplyFields] = page.winners.map { winner in
            let awards = winner.wins.filter { $0.voidedAt == nil }.map { text($0.award) }
            return [
                "game_id": winner.gameID.isEmpty ? .text(fill(.winnersErased)) : .echoed(winner.gameID),
                "awards": .text(awards.joined(separator: fill(.listSeparator))),
            ]
        }
        return fill(
            .winners,
            [
                "total": .number(page.winnerCount), "page": .number(page.page), "pages": .number(page.pageCount),
                "winners": .list(winners), "next": .number(ifAny: page.page < page.pageCount ? page.page + 1 : nil),
            ])
    }

    private func text(_ pool: PoolView) -> String {
        let awards: [ReplyFields] = pool.awards.map { award in
            [
                "award": .text(text(award.label)), "limited": .flag(award.kind != .DI_BAO),
                "percent": .text(award.percent.description), "odds": .text(percentText(award.effectiveOdds)),
                "remaining": .number(award.remaining ?? 0), "number": .number(award.number ?? 0),
            ]
        }
        return fill(
            .pool,
            [
                "activity": .echoed(pool.activityName), "awards": .list(awards),
                "miss": .text(ifAny: pool.missOdds > 0 ? percentText(pool.missOdds) : nil),
            ])
    }

    private func text(_ view: VerificationView) -> String {
        let steps: [ReplyFields] = view.steps.map { step in
            [
                "award": .text(text(step.award)), "word": .text(hexText(step.word)),
                "threshold": .text(ifAny: step.threshold.map(hexText)), "fate": .text(text(step.fate)),
            ]
        }
        return fill(
            .verification,
            [
                "receipt": .echoed(view.receipt.description), "activity": .echoed(view.activityName),
                "round": .number(view.round), "user": .echoed(ifAny: view.user?.text),
                "attempt": .number(view.attempt), "time": .text(text(view.drawnAt)),
                "result": .text(view.award.map(text) ?? fill(.verificationMissed)), "voided": .flag(view.isVoided),
                "row_hash": .text(view.rowHash), "commitment": .text(view.commitment),
                "salt": .text(ifAny: view.salt), "seed": .text(ifAny: view.seed), "steps": .list(steps),
            ])
    }

    private func text(_ fate: VerificationView.Fate) -> String {
        switch fate {
        case .missed: fill(.fateMissed)
        case .won: fill(.fateWon)
        case .soldOut: fill(.fateSoldOut)
        case .notAsked: fill(.fateNotAsked)
        }
    }

    private func text(_ view: StopView) -> String {
        let awards: [ReplyFields] = view.awards.map { award in
            [
                "award": .text(text(award.label)), "issued": .number(award.issued),
                "limited": .flag(award.remaining != nil), "remaining": .number(award.remaining ?? 0),
            ]
        }
        return fill(
            .stopped,
            [
                "activity": .echoed(view.activityName), "round": .number(view.round),
                "users": .number(view.userCount), "draws": .number(view.drawCount), "wins": .number(view.winCount),
                "awards": .list(awards), "seed": .text(view.seed), "head": .text(view.head),
            ])
    }

    /// 帮助: the list, or one command. What this person may not run looks as if it did not exist.
    private func help(_ topic: CommandName?, role: Role) -> String {
        guard let topic else {
            func lines(_ isForAdmins: Bool) -> [ReplyFields] {
                CommandCatalogue.declarations.filter { $0.isForAdmins == isForAdmins && role.mayRun($0.name) }.map {
                    ["usage": .text($0.usage(in: language)), "summary": .text(texts.summary(of: $0.name))]
                }
            }
            return fill(
                .help,
                [
                    "commands": .list(lines(false)), "is_admin": .flag(role != .player),
                    "admin_commands": .list(lines(true)),
                ])
        }
        guard role.mayRun(topic) else { return fill(.helpUnknown) }
        let declaration = CommandCatalogue.declaration(of: topic)
        let others = declaration.otherWords(in: language)
        return fill(
            .helpTopic,
            [
                "usage": .text(declaration.usage(in: language)), "summary": .text(texts.summary(of: topic)),
                "others": others.isEmpty ? nil : .text(others.joined(separator: fill(.listSeparator))),
                "example": .text(declaration.example(in: language)),
            ])
    }

    private func fields(_ attempt: DrawnAttempt) -> ReplyFields {
        [
            "award": .text(ifAny: attempt.award.map(text)), "activity": .echoed(attempt.activityName),
            "receipt": .echoed(attempt.receipt.description), "hash": .text(attempt.rowHash),
            "left": .number(ifAny: attempt.attemptsLeft),
        ]
    }

    private func fields(_ win: Win) -> ReplyFields {
        [
            "award": .text(text(win.award)), "activity": .echoed(win.activityName), "time": .text(text(win.wonAt)),
            "receipt": .echoed(win.receipt.description), "voided": .flag(win.voidedAt != nil),
        ]
    }

    private func fields(_ item: ActivityListItem) -> ReplyFields {
        let status: ReplyKey =
            switch item.status {
            case .idle: .statusIdle
            case .active: .statusActive
            case .inactive: .statusInactive
            }
        return [
            "activity": .echoed(item.name), "id": .echoed(item.id.text), "status": .text(fill(status)),
            "draws": .number(item.drawCount), "starts_at": .text(ifAny: item.startsAt.map(text)),
            "ends_at": .text(ifAny: item.endsAt.map(text)),
        ]
    }

    private func text(_ warning: StartWarning) -> String {
        switch warning {
        case .oddsGap(let missChance):
            fill(.startWarningOddsGap, ["miss": .text(percentText(missChance))])
        case .unlimitedAttempts:
            fill(.startWarningUnlimitedAttempts)
        }
    }
}

// MARK: - Refusals

extension ReplyWriter {
    private func text(_ refusal: Refusal) -> String {
        switch refusal {
        case .argument(let command, let fault):
            return text(fault, of: command)
        case .messageTooLong:
            return fill(.refusalMessageTooLong, ["maximum": .number(ParserLimits.messageSize)])
        case .messageKeyReused:
            return fill(.refusalMessageKeyReused)
        case .unknownActivity(let name):
            return fill(.refusalUnknownActivity, ["name": .echoed(name)])
        case .nothingOpen:
            return fill(.refusalNothingOpen)
        case .notOpen(let activityName):
            return fill(.refusalNotOpen, ["activity": .echoed(activityName)])
        case .unknownAward(let name, let activityName):
            return fill(.refusalUnknownAward, ["name": .echoed(name), "activity": .echoed(activityName)])
        case .ambiguousAward(let name, let ids):
            let list = ids.map { echo($0.text) }.joined(separator: fill(.listSeparator))
            return fill(.refusalAmbiguousAward, ["name": .echoed(name), "ids": .text(list)])
        case .cannotStart(let activityName, let faults):
            return fill(.refusalCannotStart, fields(faults, activityName))
        case .numberOfOnly(let award):
            return fill(.refusalNumberOfOnly, ["award": .text(text(award))])
        case .numberOfDiBao(let award):
            return fill(.refusalNumberOfDiBao, ["award": .text(text(award))])
        case .numberBelowIssued(let award, let issued):
            return fill(.refusalNumberBelowIssued, ["award": .text(text(award)), "issued": .number(issued)])
        case .unknownReceipt(let receipt):
            return fill(.refusalUnknownReceipt, ["receipt": .echoed(receipt)])
        case .notAWin(let receipt):
            return fill(.refusalNotAWin, ["receipt": .echoed(receipt.description)])
        case .alreadyVoided(let receipt):
            return fill(.refusalAlreadyVoided, ["receipt": .echoed(receipt.description)])
        case .trafficSetting(let error):
            return text(error)
        case .importFaults(let file, let faults):
            // A reply is read in a group: the first faults are enough to go on with.
            let shown = faults.prefix(10)
            let lines: [ReplyFields] = shown.map { fault in
                let sentence = language == .english ? fault.english : fault.chinese
                // The sentence names its line.
                return ["text": .text(echo(sentence, maximumCount: 300))]
            }
            return fill(
                .refusalImportFaults,
                [
                    "file": .echoed(file), "faults": .list(lines),
                    "more": .number(ifAny: faults.count > shown.count ? faults.count - shown.count : nil),
                ])
        case .fileNotFound(let file, let available):
            let list = available.prefix(20).map { echo($0) }.joined(separator: fill(.listSeparator))
            return fill(
                .refusalFileNotFound, ["file": .echoed(file), "files": list.isEmpty ? nil : .text(list)])
        case .fileUnreadable(let file):
            return fill(.refusalFileUnreadable, ["file": .echoed(file)])
        case .importWhileOpen(let activityName):
            return fill(.refusalImportWhileOpen, ["activity": .echoed(activityName)])
        case .importDropsWonAward(let award):
            return fill(.refusalImportDropsWonAward, ["award": .text(text(award))])
        case .importBelowIssued(let award, let issued):
            return fill(.refusalImportBelowIssued, ["award": .text(text(award)), "issued": .number(issued)])
        case .importNameTaken(let name, let id):
            return fill(.refusalImportNameTaken, ["name": .echoed(name), "id": .echoed(id.text)])
        case .exportFailed(let activityName):
            return fill(.refusalExportFailed, ["activity": .echoed(activityName)])
        }
    }

    private func text(_ fault: ArgumentFault, of command: CommandName) -> String {
        let declaration = CommandCatalogue.declaration(of: command)
        let sentence: String
        switch fault {
        case .missing:
            sentence = fill(.faultMissing, ["command": word(command)])
        case .unexpected:
            sentence =
                command == .importActivity
                ? fill(.faultUnexpectedPath) : fill(.faultUnexpected, ["command": word(command)])
        case .tooLong(let maximumSize):
            guard maximumSize < ParserLimits.messageSize else { return text(.messageTooLong(command)) }
            sentence = fill(
                .faultTooLong, ["maximum": .number(maximumSize), "characters": .number(maximumSize / 3)])
        case .notPrintable:
            sentence = fill(.faultNotPrintable)
        case .notANumber:
            sentence = fill(.faultNotANumber)
        case .outOfRange(let minimum, let maximum):
            sentence = fill(.faultOutOfRange, ["minimum": .number(minimum), "maximum": .number(maximum)])
        case .notAReceipt:
            sentence = fill(.faultNotAReceipt)
        case .notASwitch:
            sentence = fill(.faultNotASwitch)
        case .unknownCommand:
            // The same words as for a command that the asker may not run.
            return fill(.helpUnknown)
        }
        return fill(
            .refusalArgument,
            [
                "fault": .text(sentence), "usage": .text(declaration.usage(in: language)),
                "example": .text(declaration.example(in: language)),
            ])
    }

    private func fields(_ faults: [StartFault], _ activityName: String) -> ReplyFields {
        let lines: [ReplyFields] = faults.map { ["text": .text(text($0, activityName))] }
        return ["activity": .echoed(activityName), "faults": .list(lines)]
    }

    private func text(_ fault: StartFault, _ activityName: String) -> String {
        switch fault {
        case .alreadyOpen:
            fill(.startFaultAlreadyOpen, ["activity": .echoed(activityName)])
        case .noAwards:
            fill(.startFaultNoAwards)
        case .overlaps(let other):
            fill(.startFaultOverlaps, ["other": .echoed(other)])
        case .onlyNumber(let award, let number):
            fill(.startFaultOnlyNumber, ["award": .text(text(award)), "number": .number(number)])
        case .twoDiBao:
            fill(.startFaultTwoDiBao)
        }
    }

    private func text(_ error: GateConfigurationError) -> String {
        switch error {
        case .unknownKey(let key):
            let keys = GateConfiguration.keys.map(\.name).joined(separator: fill(.listSeparator))
            return fill(.refusalUnknownSetting, ["key": .echoed(key), "keys": .text(keys)])
        case .invalidValue(let key, let value, let expected):
            switch expected {
            case .integer(let range):
                return fill(
                    .refusalSettingRange,
                    [
                        "key": .echoed(key), "value": .echoed(value), "minimum": .number(range.lowerBound),
                        "maximum": .number(range.upperBound),
                    ])
            case .boolean:
                return fill(.refusalSettingSwitch, ["key": .echoed(key), "value": .echoed(value)])
            case .timeZone:
                return fill(.refusalSettingZone, ["key": .echoed(key), "value": .echoed(value)])
            }
        }
    }
}

// MARK: - Parts

extension ReplyWriter {
    private func word(_ command: CommandName) -> ReplyField {
        .text(CommandCatalogue.declaration(of: command).word(in: language))
    }

    private func text(_ award: AwardLabel) -> String {
        guard !award.prefix.isEmpty else { return echo(award.name) }
        return fill(.awardLabel, ["prefix": .echoed(award.prefix), "name": .echoed(award.name)])
    }

    private func text(_ wait: WaitEstimate) -> String {
        switch wait {
        case .unknown:
            return fill(.waitUnknown)
        case .seconds(let range):
            if range.upperBound < 120 {
                return fill(
                    range.count == 1 ? .waitAboutSeconds : .waitSeconds,
                    ["low": .number(range.lowerBound), "high": .number(range.upperBound)])
            }
            // Rounded outwards: the range stays true.
            let low = max(1, range.lowerBound / 60)
            let high = (range.upperBound + 59) / 60
            return fill(low == high ? .waitAboutMinutes : .waitMinutes, ["low": .number(low), "high": .number(high)])
        }
    }

    /// To the minute, in the writer's zone.
    private func text(_ instant: Instant) -> String {
        let offset = timeZone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(instant.milliseconds / 1000)))
        // From the end: a year may have more than four digits.
        return String(instant.dateTimeText(offsetSeconds: offset).dropLast(7))
    }

    private func hexText(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

/// A chance of 0…1 in percent with at most four decimals. What is possible is never 0 %, what is not certain never 100
/// %.
func percentText(_ chance: Double) -> String {
    guard chance > 0 else { return "0%" }
    guard chance < 1 else { return "100%" }
    let partsPerMillion = Int((chance * 1_000_000).rounded())
    if partsPerMillion == 0 { return "<0.0001%" }
    if partsPerMillion == 1_000_000 { return ">99.9999%" }
    return Percent(partsPerMillion: partsPerMillion).map { "\($0)%" } ?? "100%"
}
