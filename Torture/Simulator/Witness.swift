internal import Activities
internal import Basics
internal import Lottery
internal import TestSupport
internal import TrafficGate

/// What somebody must be able to rely on who has heard every answer: the promises of spec.md section 7, kept beside the
/// program in a form of their own, and compared with its answers and with the disk after every batch.
struct Witness {
    /// Something asked, and what was heard.
    struct Exchange {
        enum Question {
            case message(Request)
            /// `network`: of the address, as ``SimulatedWorld/addresses`` has it.
            case session(SessionRequest, network: Int?)
        }

        enum Answer {
            case response(Response)
            case session(SessionAnswer)
            /// What was decided could not be read.
            case unread
        }

        let question: Question
        let answer: Answer
    }

    /// A message whose answer was acknowledged, or found on the disk after a crash.
    private struct KnownMessage {
        /// Nil for an erasure: whose it was is not kept.
        let user: UserID?
        let content: MessageContent
        let code: OutcomeCode
        let receipt: Receipt?
        /// From when on its thirty days count.
        let lead: Instant
        let at: Instant
        let destination: Destination?
        var isPending: Bool
    }

    private static let retention: Int64 = 30 * 86_400_000
    private static let maximumAge: Int64 = 25 * 3_600_000

    private(set) var gate: GateWitness
    private(set) var activities: [ActivityID: ActivityWitness] = [:]
    private var bindings: [UserID: GameID] = [:]
    private var messages: [MessageKey: KnownMessage] = [:]
    /// Rows of the configuration as they stand in the file.
    private var rows: [ConfigurationRow]
    /// Whether somebody else has written one since the program looked.
    private var isConfigurationEdited = false
    /// What 活动导入 reads.
    private var files: [String: Activity] = [:]
    private var minutes: [UserID: (start: Instant, count: Int)] = [:]
    /// What was told and must never be gone: row hash and award.
    private var acknowledged: [Receipt: (hash: String, award: AwardID?)] = [:]
    private var voided: Set<Receipt> = []
    /// Draws that each user asked for: every key once, everything without a key each time.
    private var asked: [UserID: (keys: Set<MessageKey>, count: Int)] = [:]
    private var drawnCounts: [UserID: Int] = [:]
    /// What the program was told of replies and has not acknowledged.
    private(set) var notes: [MessageKey: Delivery] = [:]
    /// The latest moment of any batch.
    private var latest: Instant
    /// What 中奖 showed in this batch, to be compared at its end: it is read after the commit.
    private var wins: [(user: UserID, receipts: Set<Receipt>)] = []
    /// Whether the process that runs has answered a batch.
    private var hasHeard = false
    /// Of those who wait.
    private var tickets: [SessionID: UInt64] = [:]
    private(set) var drawCount = 0
    private(set) var repeatedCount = 0
    private(set) var codes: [OutcomeCode: Int] = [:]

    init(on disk: MemoryStore.Disk, now: Instant) {
        rows = disk.look(\.configuration)
        latest = now
        gate = GateWitness(rules: GateConfiguration(), sessions: [:], queue: [], now: now)
        startGate(on: disk, now: now)
    }

    // MARK: The outside

    /// Another program writes into the file.
    mutating func edit(_ key: String, to value: String, isActive: Bool) {
        write(key, value, isActive: isActive)
        isConfigurationEdited = true
    }

    /// An operator writes an activity's file.
    mutating func put(_ activity: Activity, as file: String) { files[file] = activity }

    mutating func note(_ delivery: Delivery, of key: MessageKey) { notes[key] = delivery }

    /// Replies that must be pending, without those that may be forgotten by now.
    var pendingKeys: [MessageKey] {
        messages.filter { $0.value.isPending && !isLapsed($0.value) }
            .sorted { ($0.value.at.milliseconds, $0.key.text) < ($1.value.at.milliseconds, $1.key.text) }.map(\.key)
    }

    /// Messages with a destination whose reply was said in the response.
    var saidKeys: [MessageKey] {
        messages.filter { !$0.value.isPending && $0.value.destination != nil && $0.value.user != nil }.keys
            .sorted { $0.text < $1.text }
    }

    // MARK: A batch that was acknowledged

    mutating func hear(
        _ exchanges: [Exchange], committed: Changes?, now: Instant, disk: MemoryStore.Disk
    ) throws(BrokenPromise) {
        latest = max(latest, now)
        hasHeard = true
        takeEdits(now: now)
        for exchange in exchanges {
            switch (exchange.question, exchange.answer) {
            case (.session(let request, let network), .session(let answer)):
                try hear(request, network, answer, now: now)
            case (.message(let request), .response(let response)):
                try hear(request, response, now: now, disk: disk)
            case (.message(let request), .unread): try hearUnread(request, now: now, disk: disk)
            case (.session, _), (.message, .session):
                throw BrokenPromise("a page was answered as a chat, or not at all")
            }
        }
        try takeRows(from: disk)
        takeNotes()
        for (user, receipts) in wins {
            let live = Set(activities.values.compactMap { $0.players[user]?.win })
            try expect(receipts == live, "\(user) was shown \(receipts), not \(live)")
        }
        wins = []
        let row = gate.endBatch(now: now)
        try expect(committed != nil, "a batch was answered and not committed")
        // A clock that went back and forth again may have begun the minute anew.
        if row != nil { minutes = minutes.filter { (0..<60_000).contains(now.milliseconds(since: $0.value.start)) } }
        let written = committed?.statistics ?? []
        try expect(
            written == (row.map { [$0] } ?? []), "statistics \(written) instead of \(row.map { "\($0)" } ?? "none")")
        try compareGate(with: disk)
        try compareStock(with: disk)
        try checkLedgers(disk)
        // Of what was told long ago a part; all of it at each start.
        let receipts = acknowledged.keys.sorted { ($0.seq, $0.activity) < ($1.seq, $1.activity) }
        for receipt in receipts.dropFirst(Int(now.milliseconds.magnitude % 16)).enumerated()
        where receipt.offset % 16 == 0 {
            try check(receipt.element, on: disk)
        }
    }

    private mutating func takeEdits(now: Instant) {
        guard isConfigurationEdited else { return }
        isConfigurationEdited = false
        let rules = rules(before: gate.rules)
        if rules != gate.rules { gate.configure(rules, now: now) }
    }

    private func rules(before old: GateConfiguration) -> GateConfiguration {
        var rules = GateConfiguration()
        for row in rows where row.isActive {
            do {
                try rules.set(row.key, to: row.value)
            } catch {
                if let value = old.value(of: row.key) { try? rules.set(row.key, to: value) }
            }
        }
        return rules
    }

    private mutating func write(_ key: String, _ value: String, isActive: Bool = true) {
        let row = ConfigurationRow(key: key, value: value, isActive: isActive)
        if let index = rows.firstIndex(where: { $0.key == key }) { rows[index] = row } else { rows.append(row) }
    }

    // MARK: A page

    private mutating func hear(
        _ request: SessionRequest, _ network: Int?, _ answer: SessionAnswer, now: Instant
    ) throws(BrokenPromise) {
        var verdict: GateWitness.Verdict?
        switch request.action {
        case .join(let user, _): verdict = gate.join(request.session, user: user, network: network, now: now)
        case .heartbeat: verdict = gate.heartbeat(request.session, now: now)
        case .leave: gate.leave(request.session, now: now)
        }
        gate.count(rejected: verdict == .blocked || verdict == .maintenance)
        let heard = answer.gate.map { GateWitness.Verdict($0) }
        try expect(
            heard == verdict, "\(request) was told \(String(describing: heard)), not \(String(describing: verdict))")
        try expect(
            answer.currentUsers == gate.activeCount, "\(answer.currentUsers) current users, not \(gate.activeCount)")
    }

    // MARK: A message

    private func session(_ request: Request) -> SessionID { request.pageSession ?? SessionID(request.user.text) }

    private func isLapsed(_ message: KnownMessage) -> Bool {
        latest.milliseconds(since: message.lead) > Self.retention
    }

    private func isTooOld(_ request: Request, _ now: Instant) -> Bool {
        request.key?.sentAt.map { now.milliseconds(since: $0) > Self.maximumAge } ?? false
    }

    private mutating func countDraw(askedBy request: Request) {
        guard request.content == .command(.draw) else { return }
        guard let key = request.key else {
            asked[request.user, default: ([], 0)].count += 1
            return
        }
        let isNew = asked[request.user, default: ([], 0)].keys.insert(key).inserted
        if isNew || messages[key].map({ isLapsed($0) }) ?? false { asked[request.user]?.count += 1 }
    }

    private mutating func hear(
        _ request: Request, _ response: Response, now: Instant, disk: MemoryStore.Disk
    ) throws(BrokenPromise) {
        let code = response.outcome.code
        codes[code, default: 0] += 1
        if isTooOld(request, now) {
            try expect(code == .ignored, "a message of more than 25 hours was answered \(code)")
            return
        }
        countDraw(askedBy: request)
        if try !hearAgain(request, response) {
            try hearFirst(request, response, now: now, disk: disk)
        }
        let position = gate.position(session(request))
        try expect(
            response.position == position,
            "\(request.user) was told position \(response.position ?? 0), not \(position ?? 0)")
    }

    /// - Returns: Whether the message was processed before.
    private mutating func hearAgain(_ request: Request, _ response: Response) throws(BrokenPromise) -> Bool {
        guard let key = request.key, let known = messages[key] else {
            try expect(!response.isRepeated, "a new message of \(request.user) was taken for a repeated one")
            return false
        }
        guard response.isRepeated else {
            try expect(isLapsed(known), "\(key.text) of \(request.user) was decided twice: \(response.outcome.code)")
            messages[key] = nil
            return false
        }
        repeatedCount += 1
        let isSame = (known.user == nil || known.user == request.user) && known.content == request.content
        if !isSame {
            try expect(
                response.outcome == .badArgument(.messageKeyReused),
                "\(key.text) with another text was answered \(response.outcome.code)")
        } else if !Self.isReading(request.content) {
            try expect(
                response.outcome.code == known.code && response.outcome.receipt == known.receipt,
                "\(key.text) was answered \(known.code) and then \(response.outcome.code)")
        }
        if isSame { noteWins(request, response) }
        return true
    }

    private mutating func noteWins(_ request: Request, _ response: Response) {
        guard case .ok(.wins(let found)) = response.outcome else { return }
        wins.append((request.user, Set(found.map(\.receipt))))
    }

    static func isReading(_ content: MessageContent) -> Bool {
        switch content {
        case .command(.myWins), .command(.winners), .command(.verify), .command(.myData), .command(.export): true
        default: false
        }
    }

    private mutating func hearFirst(
        _ request: Request, _ response: Response, now: Instant, disk: MemoryStore.Disk
    ) throws(BrokenPromise) {
        if isLimited(request, now) {
            try expect(response.outcome.code == .rateLimited, "\(request.user) passed the limit of messages")
            gate.count(rejected: true)
            return
        }
        switch request.content {
        case .command(let command) where command.name.isForAdmins:
            try hearAdmin(command, request, response.outcome, now: now, disk: disk)
        case .command(let command): try hearPlayer(command, request, response.outcome, now: now, disk: disk)
        case .badArgument, .unknown, .ignored:
            let codes: Set<OutcomeCode> = [.badArgument, .notPermitted, .maintenance, .unknownCommand, .ignored]
            try expect(codes.contains(response.outcome.code), "nonsense was answered \(response.outcome.code)")
        }
        noteWins(request, response)
        try remember(request, response.outcome, now: now, disk: disk)
    }

    /// Something was decided and could not be read for the answer.
    private mutating func hearUnread(_ request: Request, now: Instant, disk: MemoryStore.Disk) throws(BrokenPromise) {
        try expect(Self.isReading(request.content), "\(request.content) was answered with an error")
        // What could not be read was decided, so it was neither too old nor over the limit; a stored answer is not
        // told from a first one.
        if let key = request.key, let known = messages[key] {
            // A lapsed message is forgotten with one of the next batches, not at once: until then it is answered again.
            let isDecidedAnew = disk.look { $0.message(key)?.at } != known.at
            guard isLapsed(known), isDecidedAnew else { return }
            messages[key] = nil
        }
        guard case .command(let command) = request.content else { return }
        _ = isLimited(request, now)
        if !command.name.isForAdmins {
            try hearPlayer(command, request, nil, now: now, disk: disk)
        }
        guard let key = request.key else { return }
        messages[key] = known(request, .ok, nil, now)
    }

    /// Counts a message of the running minute.
    private mutating func isLimited(_ request: Request, _ now: Instant) -> Bool {
        let limit = gate.rules.userMessagesPerMinute
        guard request.role != .admin, limit > 0 else { return false }
        var minute = minutes[request.user] ?? (now, 0)
        if !(0..<60_000).contains(now.milliseconds(since: minute.start)) { minute = (now, 0) }
        defer { minutes[request.user] = minute }
        if minute.count >= limit { return true }
        minute.count += 1
        return false
    }

    private func known(
        _ request: Request, _ code: OutcomeCode, _ receipt: Receipt?, _ now: Instant
    ) -> KnownMessage {
        let isErasure = request.content == .command(.eraseMyData) && code == .ok
        var isPending = false
        if case .call = request.route { isPending = true }
        return KnownMessage(
            user: isErasure ? nil : request.user, content: request.content, code: code, receipt: receipt,
            lead: request.key?.sentAt ?? now, at: now, destination: request.route.destination, isPending: isPending)
    }

    /// Whatever was answered to a message with a key must stand on the disk by now.
    private mutating func remember(
        _ request: Request, _ outcome: Outcome, now: Instant, disk: MemoryStore.Disk
    ) throws(BrokenPromise) {
        guard let key = request.key, ![.ignored, .busy, .rateLimited].contains(outcome.code) else { return }
        let stored = disk.look { $0.message(key) }
        try expect(stored != nil, "\(outcome.code) was told to \(request.user) and \(key.text) is not stored")
        if !Self.isReading(request.content) {
            try expect(
                stored?.answer.code == outcome.code && stored?.answer.receipt == outcome.receipt,
                "\(outcome.code) was told, \(stored?.answer.code.rawValue ?? "") is stored")
        }
        messages[key] = known(request, outcome.code, outcome.receipt, now)
    }

    // MARK: Players

    /// - Parameter outcome: Nil when it could not be read.
    private mutating func hearPlayer(
        _ command: Command, _ request: Request, _ outcome: Outcome?, now: Instant, disk: MemoryStore.Disk
    ) throws(BrokenPromise) {
        let session = session(request)
        let code = outcome?.code
        func told(_ expected: OutcomeCode) throws(BrokenPromise) {
            try expect(
                code == nil || code == expected,
                "\(command.name) of \(request.user) was answered \(code?.rawValue ?? ""), not \(expected)")
        }
        switch command {
        case .help:
            gate.count(rejected: false)
            return try told(.ok)
        case .leave:
            gate.count(rejected: false)
            gate.leave(session, now: now)
            return try told(.ok)
        case .queue:
            gate.count(rejected: false)
            if case .queued = gate.heartbeat(session, now: now) { return try told(.queued) }
            return try told(.ok)
        default: break
        }
        var refusal: OutcomeCode?
        switch gate.join(session, user: request.user, network: nil, now: now) {
        case .maintenance: refusal = .maintenance
        case .blocked: refusal = .blocked
        case .active: if !gate.claim(session, for: request.user) { refusal = .blocked }
        case .queued:
            if !gate.claim(session, for: request.user) {
                refusal = .blocked
            } else if command == .draw {
                refusal = .queued
            }
        }
        gate.count(rejected: refusal == .blocked || refusal == .maintenance)
        if let refusal { return try told(refusal) }
        switch command {
        case .draw:
            guard let outcome else { throw BrokenPromise("a draw was answered with an error") }
            try hearDraw(request, outcome, disk: disk)
            let ends: Set<OutcomeCode> = [.won, .alreadyWon, .gameIDUsed, .attemptsUsed]
            if request.pageSession == nil, gate.rules.releaseAfterDraw, ends.contains(outcome.code) {
                gate.leave(session, now: now)
            }
        case .bind(let gameID):
            try told(.ok)
            bindings[request.user] = gameID
        case .unbind: try told(bindings.removeValue(forKey: request.user) == nil ? .notBound : .ok)
        case .myBinding: try told(bindings[request.user] == nil ? .notBound : .ok)
        case .pool, .activity: try told(openActivity(in: request.chat, on: disk) == nil ? .noActivity : .ok)
        case .eraseMyData:
            if code == .rateLimited { return }
            try told(.ok)
            try forget(request.user, now: now, disk: disk)
        case .verify: try expect([.ok, .badArgument, nil].contains(code), "验证 was answered \(code?.rawValue ?? "")")
        default: try told(.ok)
        }
    }

    private func openActivity(in chat: ChatID?, on disk: MemoryStore.Disk) -> Activity? {
        disk.look { tables in
            tables.activityIDs.lazy.compactMap { tables.record($0) }
                .first { $0.status == .active && $0.activity.scope.includes(chat) }?.activity
        }
    }

    /// What must come of an attempt, up to the luck.
    private mutating func hearDraw(
        _ request: Request, _ outcome: Outcome, disk: MemoryStore.Disk
    ) throws(BrokenPromise) {
        let user = request.user
        var expected: OutcomeCode?
        var receipt: Receipt?
        if let activity = openActivity(in: request.chat, on: disk) {
            if outcome.isDrawn { try takeRows(of: activity.id, from: disk, upTo: outcome.receipt) }
            let witness = activities[activity.id]
            let player = witness?.players[user]
            let account = bindings[user].flatMap { SimulatedWorld.account(of: $0) }
            if outcome.isDrawn {
                try hearDrawn(request, outcome, in: activity)
                return try expectStored(outcome, of: user, disk: disk)
            }
            if account == nil {
                expected = .notBound
            } else if let win = player?.win {
                (expected, receipt) = (.alreadyWon, win)
            } else if activity.oneWinPerGameID, let account,
                witness?.isAccountUsed(account, otherThanBy: user) == true
            {
                expected = .gameIDUsed
            } else if witness?.erased.contains(user) == true || (player?.misses ?? 0) >= activity.maxAttempts ?? .max {
                expected = .attemptsUsed
            }
        } else {
            expected = .noActivity
        }
        try expect(
            outcome.code == expected,
            "抽奖 of \(user) was answered \(outcome.code), not \(expected?.rawValue ?? "a draw")")
        try expect(
            receipt == nil || outcome.receipt == receipt,
            "\(user) was reminded of another win than \(receipt?.description ?? "")")
    }

    /// The draw itself; the rows up to its own have just been taken.
    private mutating func hearDrawn(
        _ request: Request, _ outcome: Outcome, in activity: Activity
    ) throws(BrokenPromise) {
        drawCount += 1
        guard let receipt = outcome.receipt, receipt.activity == activity.id else {
            throw BrokenPromise("\(request.user) drew in another activity than \(activity.id)")
        }
        try expect(bindings[request.user] != nil, "\(request.user) drew without a binding")
        let player = activities[activity.id]?.players[request.user]
        let attemptsUsed = player?.attempts ?? 0
        try expect(attemptsUsed > 0, "\(receipt) was told to \(request.user) and is not theirs")
    }

    private mutating func expectStored(
        _ outcome: Outcome, of user: UserID, disk: MemoryStore.Disk
    ) throws(BrokenPromise) {
        let attempt: DrawnAttempt
        switch outcome {
        case .won(let drawn), .missed(let drawn): attempt = drawn
        default: return
        }
        let row = disk.look { $0.row(attempt.receipt) }
        guard case .draw(let entry)? = row?.event, let row else {
            throw BrokenPromise("\(attempt.receipt) was told to \(user) and is not stored")
        }
        try expect(
            entry.user == user && entry.award == attempt.award?.id && row.hash.shortHex == attempt.rowHash
                && (outcome.code == .won) == (entry.award != nil),
            "\(attempt.receipt) is stored otherwise than it was told")
        try expect(acknowledged[attempt.receipt] == nil, "\(attempt.receipt) was told twice as new")
        acknowledged[attempt.receipt] = (attempt.rowHash, entry.award)
    }

    private mutating func forget(_ user: UserID, now: Instant, disk: MemoryStore.Disk) throws(BrokenPromise) {
        gate.erase(user, now: now)
        forgetAnswers(of: user)
        let isGone = disk.look { tables in
            tables.binding(of: user) == nil && !tables.hasMessages(of: user) && !tables.hasAttempts(of: user)
                && !tables.liveSessions.contains { $0.user == user }
        }
        try expect(isGone, "\(user) was told to be forgotten and is not")
    }

    private mutating func forgetAnswers(of user: UserID) {
        bindings[user] = nil
        messages = messages.filter { $0.value.user != user }
        minutes[user] = nil
        asked[user] = nil
        drawnCounts[user] = nil
        for id in activities.keys { activities[id]?.erase(user) }
    }

    // MARK: Admins

    private mutating func hearAdmin(
        _ command: Command, _ request: Request, _ outcome: Outcome, now: Instant, disk: MemoryStore.Disk
    ) throws(BrokenPromise) {
        if request.role == .player {
            return try expect(outcome.code == .notPermitted, "a player's \(command.name) was answered \(outcome.code)")
        }
        guard case .ok(let answer) = outcome else { return }
        func record(_ name: String?) -> ActivityRecord? {
            name.flatMap { name in disk.look { $0.record(ActivityID(name)) } }
        }
        switch (command, answer) {
        case (.setTraffic(let key, let value), .trafficSet(_, _, let new)):
            var rules = gate.rules
            guard (try? rules.set(key, to: value)) != nil, rules.value(of: key) == new else {
                throw BrokenPromise("\(key) was set to \(value), which is refused")
            }
            try configure(rules, key, new, now: now, disk: disk)
        case (.maintenance(let isOn, _), _):
            var rules = gate.rules
            rules.maintenanceMode = isOn
            try configure(rules, "maintenance_mode", String(isOn), now: now, disk: disk)
        case (.void(let receipt, _), _):
            try expect(voided.insert(receipt).inserted, "\(receipt) was voided twice")
        case (.importActivity(let file), _):
            let found = files[file].flatMap { record($0.id.text)?.activity }
            try expect(found != nil && found == files[file], "\(file) was told to be imported and is not")
        case (.start(let name), _):
            try expect(record(name)?.status == .active, "\(name) was told to be open and is not")
        case (.stop(let name?), _):
            try expect(record(name)?.status == .inactive, "\(name) was told to be closed and is not")
        case (.setNumber(let name, _, let number), .numberSet(let view)):
            let found = record(name)?.activity.awards.first { $0.id == view.award.id }?.number
            try expect(found == number, "\(view.award.id) was told to have \(number), not \(found ?? -1)")
        default: break
        }
    }

    private mutating func configure(
        _ rules: GateConfiguration, _ key: String, _ value: String, now: Instant, disk: MemoryStore.Disk
    ) throws(BrokenPromise) {
        gate.configure(rules, now: now)
        write(key, value)
        if key == "maintenance_mode" {
            // The reason is nobody's promise.
            if let row = disk.look(\.configuration).first(where: { $0.key == "maintenance_reason" }) {
                write(row.key, row.value)
            }
        }
        try expect(disk.look(\.configuration) == rows, "\(key) was told to be \(value) and is not")
    }

    // MARK: The disk

    /// - Parameter receipt: Nil: all rows.
    private mutating func takeRows(
        of id: ActivityID, from disk: MemoryStore.Disk, upTo receipt: Receipt?
    ) throws(BrokenPromise) {
        var witness = activities[id] ?? ActivityWitness(id)
        // In place, so that nothing is copied.
        activities[id] = nil
        defer { activities[id] = witness }
        while receipt.map({ $0.activity == id && Int64(witness.rowCount) <= $0.seq }) ?? true {
            let next = Receipt(activity: id, seq: Int64(witness.rowCount))
            let (row, win) = disk.look { ($0.row(next), $0.win(next)) }
            guard let row else {
                if let receipt { throw BrokenPromise("\(receipt) was told and is not stored") }
                return
            }
            try witness.take(row, win: win, account: SimulatedWorld.account)
            if case .draw(let entry) = row.event, let user = entry.user {
                drawnCounts[user, default: 0] += 1
                try expect(
                    drawnCounts[user] ?? 0 <= asked[user]?.count ?? 0,
                    "\(user) asked for \(asked[user]?.count ?? 0) draws and has \(drawnCounts[user] ?? 0)")
            }
        }
    }

    private mutating func takeRows(from disk: MemoryStore.Disk) throws(BrokenPromise) {
        for id in disk.look(\.activityIDs) { try takeRows(of: id, from: disk, upTo: nil) }
    }

    private mutating func takeNotes() {
        for (key, delivery) in notes { messages[key]?.isPending = delivery == .pending }
        notes = [:]
    }

    private mutating func compareGate(with disk: MemoryStore.Disk) throws(BrokenPromise) {
        let stored = disk.look(\.liveSessions)
        let missing = Set(gate.sessions.keys).subtracting(stored.map(\.session))
        try expect(missing.isEmpty, "the live sessions \(missing.map(\.text).sorted()) are not stored")
        for row in stored {
            guard let known = gate.sessions[row.session] else {
                throw BrokenPromise("\(row.session) is stored as \(row.status) and must not be")
            }
            try expect(
                known.user == row.user && known.joined == row.joinTime, "\(row.session) is stored otherwise than it is")
        }
        let line = stored.filter { $0.status == .queued }
        try expect(line.map(\.session) == gate.queue, "the queue is \(line.map(\.session)), not \(gate.queue)")
        for (row, next) in zip(line, line.dropFirst()) {
            try expect(row.ticket ?? 0 < next.ticket ?? 0, "\(next.session) has no higher ticket than \(row.session)")
        }
        tickets = Dictionary(uniqueKeysWithValues: line.map { ($0.session, $0.ticket ?? 0) })
    }

    private func compareStock(with disk: MemoryStore.Disk) throws(BrokenPromise) {
        for (id, witness) in activities {
            guard let record = disk.look({ $0.record(id) }) else { throw BrokenPromise("\(id) is gone") }
            for (award, issued) in zip(record.activity.awards, record.issued) {
                let held = witness.held[award.id] ?? 0
                try expect(issued == held, "\(issued) of \(award.id) in \(id) are said to be issued, \(held) are")
                try expect(
                    award.kind == .DI_BAO || held <= award.number,
                    "\(held) of \(award.number) \(award.id) in \(id) are won")
            }
        }
    }

    // MARK: A crash and a start

    /// A batch failed, and nobody was told anything.
    mutating func lose(
        _ questions: [Exchange.Question], committed: Changes?, now: Instant, disk: MemoryStore.Disk
    ) throws(BrokenPromise) {
        defer { notes = [:] }
        guard let committed else { return }
        latest = max(latest, now)
        for case .message(let request) in questions where !isTooOld(request, now) {
            countDraw(askedBy: request)
        }
        try takeRows(from: disk)
        takeNotes()
        for erasure in committed.erasures { forgetAnswers(of: erasure.user) }
        var candidates: [UserID: [GameID?]] = [:]
        for case .message(let request) in questions {
            switch request.content {
            case .command(.bind(let gameID)): candidates[request.user, default: []].append(gameID)
            case .command(.unbind): candidates[request.user, default: []].append(nil)
            default: break
            }
            guard let key = request.key, let stored = disk.look({ $0.message(key) }), stored.at == now,
                messages[key].map({ isLapsed($0) }) ?? true,
                stored.user == request.user || stored.user.text.isEmpty
            else { continue }
            messages[key] = known(request, stored.answer.code, stored.answer.receipt, now)
        }
        for (user, gameIDs) in candidates {
            let stored = disk.look { $0.binding(of: user) }
            try expect((gameIDs + [bindings[user]]).contains(stored), "\(user) is bound to what they never said")
            bindings[user] = stored
        }
    }

    /// A process ended as planned: what it was told of replies is written.
    mutating func endWell() { takeNotes() }

    /// A process starts on what is on the disk; everything that was ever told must be there.
    ///
    /// - Parameter isAcknowledged: Whether somebody was told of the last batch that was written.
    mutating func restart(isAcknowledged: Bool, now: Instant, disk: MemoryStore.Disk) throws(BrokenPromise) {
        // Whom the process let in at its start stands on the disk with its first batch.
        if hasHeard {
            if isAcknowledged { try compareGate(with: disk) } else { try compareOrder(with: disk) }
        }
        startGate(on: disk, now: now)
        minutes = [:]
        try check(disk)
    }

    /// Nobody was told what the last batch did, but those who still wait must wait in their order.
    private func compareOrder(with disk: MemoryStore.Disk) throws(BrokenPromise) {
        // Whoever left and came back in that batch has another ticket and stands at the back.
        let line = disk.look(\.liveSessions).filter { row in
            row.status == .queued && row.ticket == tickets[row.session]
        }.map(\.session)
        let waiting = gate.queue.filter { line.contains($0) }
        try expect(line == waiting, "the queue \(waiting) became \(line)")
    }

    private mutating func startGate(on disk: MemoryStore.Disk, now: Instant) {
        hasHeard = false
        rows = disk.look(\.configuration)
        isConfigurationEdited = false
        let stored = disk.look(\.liveSessions)
        var sessions: [SessionID: GateWitness.Session] = [:]
        for row in stored {
            sessions[row.session] = GateWitness.Session(
                user: row.user,
                network: SimulatedWorld.addresses.first { $0.text == row.ipAddress }.flatMap(\.network),
                joined: row.joinTime, lastSign: row.lastHeartbeat)
        }
        gate = GateWitness(
            rules: rules(before: GateConfiguration()), sessions: sessions,
            queue: stored.filter { $0.status == .queued }.map(\.session), now: now)
    }

    /// Everything that was ever acknowledged, once more, and the ledgers.
    mutating func check(_ disk: MemoryStore.Disk) throws(BrokenPromise) {
        for receipt in acknowledged.keys { try check(receipt, on: disk) }
        for receipt in voided {
            try expect(disk.look { $0.win(receipt)?.voidedAt } != nil, "\(receipt) was told to be void and is not")
        }
        for (user, gameID) in bindings {
            try expect(disk.look { $0.binding(of: user) } == gameID, "\(user) is not bound to \(gameID.text)")
        }
        try checkLedgers(disk)
    }

    private func check(_ receipt: Receipt, on disk: MemoryStore.Disk) throws(BrokenPromise) {
        let (row, win) = disk.look { ($0.row(receipt), $0.win(receipt)) }
        guard let told = acknowledged[receipt], let row, case .draw(let entry) = row.event,
            row.hash.shortHex == told.hash, entry.award == told.award, told.award == nil || win?.award == told.award
        else { throw BrokenPromise("\(receipt) was told and is not stored any more") }
    }

    private mutating func checkLedgers(_ disk: MemoryStore.Disk) throws(BrokenPromise) {
        for id in activities.keys.sorted() {
            let rows = disk.look { $0.ledger(of: id) }
            try activities[id]?.verify(rows)
        }
    }

    /// Compares the endpoints that have something to be sent with those that must, and whom a promotion would find.
    func checkOutbox(
        endpoints: Set<String>, queued: [(user: UserID, destination: Destination)]
    ) throws(BrokenPromise) {
        let due = Set(messages.values.filter { $0.isPending && !isLapsed($0) }.compactMap { $0.destination?.endpoint })
        try expect(due.isSubset(of: endpoints), "\(due.subtracting(endpoints)) have replies and are not named")
        for (user, destination) in queued {
            let isKnown = messages.values.contains {
                $0.user == user && $0.code == .queued && $0.destination == destination
            }
            try expect(isKnown, "\(user) was never told to wait at \(destination.address)")
        }
        try expect(Set(queued.map(\.user)).count == queued.count, "a user who waits is named twice")
    }

    /// Compares what waits to be sent with what must.
    func checkOutbox(
        _ replies: [PendingReply], through endpoint: String
    ) throws(BrokenPromise) {
        let found = replies.filter { reply in messages[reply.key].map { !isLapsed($0) } ?? true }
        let expected = messages.filter { key, known in
            known.isPending && known.destination?.endpoint == endpoint && !isLapsed(known)
        }
        let keys = Set(found.map(\.key))
        try expect(
            keys == Set(expected.keys),
            "pending through \(endpoint): \(keys.map(\.text).sorted()), not \(expected.keys.map(\.text).sorted())")
        for reply in found {
            guard let known = expected[reply.key], !Self.isReading(known.content) else { continue }
            try expect(
                reply.outcome?.code == known.code && reply.outcome?.receipt == known.receipt,
                "the pending reply \(reply.key.text) is \(reply.outcome?.code.rawValue ?? "none"), not \(known.code)")
        }
        let times = found.map(\.decidedAt)
        try expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 }, "pending replies are out of order")
    }
}

extension Outcome {
    /// Whether an attempt was made.
    fileprivate var isDrawn: Bool { code == .won || code == .missed }
}
