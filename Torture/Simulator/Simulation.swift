internal import Activities
internal import Basics
internal import Logging
internal import Lottery
internal import TestSupport
internal import TrafficGate

/// A whole event under one seed: the real service, queue and batches included, on a store in memory that fails, on
/// virtual time; a witness compares after every batch.
///
/// Everything happens on the task that calls, or while that waits, in an order that follows from the seed alone, so a seed repeats.
public struct Simulation {
    /// What happened in one simulation, or in several.
    public struct Tally: Hashable, Sendable {
        public var seeds = 0
        public var batches = 0
        /// Chat messages and pages' requests that reached the service.
        public var requests = 0
        /// Attempts that were made and acknowledged.
        public var draws = 0
        /// Stored answers that were told again.
        public var repeated = 0
        /// Time that went by in the event, without the jumps of the clock.
        public var virtualMilliseconds: Int64 = 0
        /// Processes that ended badly, by what went wrong.
        public var crashes: [String: Int] = [:]
        /// Planned ends and starts.
        public var restarts = 0
        public var failedReads = 0
        public var clockJumps = 0
        /// Of these.
        public var jumpsBackAnHour = 0
        /// Of these.
        public var jumpsTenYearsAhead = 0
        public var edits = 0
        /// How often each code was told.
        public var codes: [String: Int] = [:]
        /// Where the ledgers ended: the same seed ends at the same.
        public var heads: [String] = []

        public init() {}

        public mutating func add(_ other: Tally) {
            seeds += other.seeds
            batches += other.batches
            requests += other.requests
            draws += other.draws
            repeated += other.repeated
            virtualMilliseconds += other.virtualMilliseconds
            crashes.merge(other.crashes, uniquingKeysWith: +)
            restarts += other.restarts
            failedReads += other.failedReads
            clockJumps += other.clockJumps
            jumpsBackAnHour += other.jumpsBackAnHour
            jumpsTenYearsAhead += other.jumpsTenYearsAhead
            edits += other.edits
            codes.merge(other.codes, uniquingKeysWith: +)
            heads += other.heads
        }
    }

    /// What did not hold.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public let seed: UInt64
        public let step: Int
        /// The promise that was broken.
        public let promise: String
        /// What was said last.
        public let trace: [String]

        public var description: String { "seed \(seed), step \(step): \(promise)" }
    }

    private static let tenYears: Int64 = 10 * 365 * 86_400

    private struct Sent {
        let question: Witness.Exchange.Question
        let pending: PendingResponse
    }

    /// A message as its platform delivers it, once or more often.
    private struct Letter {
        var request: Request
    }

    private let seed: UInt64
    private let stepCount: Int
    private var random: SeededGenerator
    private let world: SimulatedWorld
    private let clock: ManualClock
    private let disk: MemoryStore.Disk
    private let library: MemoryLibrary
    private let logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
    private var store: FaultyStore
    private var service: ActivityService?
    private var witness: Witness
    private var limits = ActivityService.Limits()
    /// Requests that wait for their answers, in the order of their line.
    private var line: [Sent] = []
    /// Delivered before; some come again.
    private var letters: [Letter] = []
    /// Sent, and on their way.
    private var late: [Letter] = []
    private var receipts: [Receipt] = []
    private var messageCount = 0
    private var step = 0
    private var tally = Tally()
    private var trace: [String] = []

    /// - Parameter stepCount: How long it goes on.
    public init(seed: UInt64, stepCount: Int = 120) {
        self.seed = seed
        self.stepCount = stepCount
        random = SeededGenerator(seed: seed)
        world = SimulatedWorld(&random)
        clock = ManualClock()
        // A lenient disk takes what breaks the schema's rules, so that the witness has to notice.
        disk = MemoryStore.Disk(erasureKey: random.bytes(32), isStrict: random.below(2) == 0)
        library = MemoryLibrary()
        if random.below(3) == 0 { limits.queueCapacity = 5 + random.below(30) }
        limits.minimumAheadCount = 1 + random.below(4)
        if random.below(2) == 0 { limits.maximumBatchCount = 1 + random.below(20) }
        store = FaultyStore(MemoryStore(on: disk))
        for _ in 0..<(3 + random.below(6)) {
            let (key, value) = world.setting(&random)
            disk.editConfiguration(key, to: value)
        }
        if random.below(4) > 0 { disk.editConfiguration("max_concurrent_users", to: String(1 + random.below(20))) }
        witness = Witness(on: disk, now: clock.now)
    }

    /// Runs the event.
    ///
    /// - Throws: ``Failure``.
    public mutating func run() async throws -> Tally {
        do {
            try await start()
            try await open()
            while step < stepCount {
                step += 1
                try await takeStep()
            }
            try await end()
        } catch let broken as BrokenPromise {
            throw Failure(seed: seed, step: step, promise: broken.description, trace: trace)
        }
        tally.seeds = 1
        tally.draws = witness.drawCount
        tally.repeated = witness.repeatedCount
        for (code, count) in witness.codes { tally.codes[code.rawValue, default: 0] += count }
        return tally
    }

    private mutating func say(_ text: @autoclosure () -> String) {
        if trace.count >= 60 { trace.removeFirst(20) }
        trace.append("\(step) \(clock.now.dateTimeText()) \(text())")
    }

    private mutating func isOneIn(_ odds: Int) -> Bool { random.below(odds) == 0 }

    // MARK: Processes

    private mutating func start() async throws {
        store = FaultyStore(MemoryStore(on: disk))
        if isOneIn(10) {
            store.failReads(1)
            if (try? await store.load()) != nil { throw BrokenPromise("a failing load succeeded") }
            tally.failedReads += 1
            store = FaultyStore(MemoryStore(on: disk))
        }
        let stored: StoredState
        do {
            stored = try await store.load()
        } catch {
            throw BrokenPromise("the store cannot be opened again: \(error)")
        }
        service = ActivityService(
            store: store, stored: stored, library: library, limits: limits, clock: clock.read,
            entropy: SeededGenerator(seed: random.next()), logger: logger)
    }

    /// The next process, after the one before has ended.
    ///
    /// - Parameter isAcknowledged: As ``Witness/restart(isAcknowledged:now:disk:)`` has it.
    private mutating func restart(isAcknowledged: Bool) async throws {
        service = nil
        if isOneIn(3) { moveClock() }
        try await start()
        try witness.restart(isAcknowledged: isAcknowledged, now: clock.now, disk: disk)
        try await checkOutbox()
    }

    private func running() throws(BrokenPromise) -> ActivityService {
        guard let service else { throw BrokenPromise("nothing runs") }
        return service
    }

    // MARK: Steps

    /// Imports and opens, as an evening begins.
    private mutating func open() async throws {
        for index in world.activityIDs.indices {
            writeFile(index)
            try deliver(byAdmin(.command(.importActivity(file: "\(world.activityIDs[index]).yaml"))))
            try deliver(byAdmin(.command(.start(activity: world.activityIDs[index].text))))
        }
        for user in world.users {
            let gameID = SimulatedWorld.gameIDs[random.below(SimulatedWorld.gameIDs.count)].gameID
            try deliver(letter(.command(.bind(gameID)), from: user))
        }
        try await processAll()
    }

    private mutating func takeStep() async throws {
        moveClock()
        switch random.below(100) {
        case ..<62: try await burst()
        case ..<82:
            for _ in 0..<(1 + random.below(4)) {
                pass(milliseconds: Int64(1 + random.below(45_000)))
                try await process()
            }
        case ..<86:
            editConfiguration()
            if isOneIn(2) { try await burst() }
        case ..<88: try await shutDown()
        case ..<95:
            try noteDeliveries()
            if isOneIn(2) { try await process() }
        default:
            if isOneIn(2) {
                writeFile(random.below(world.activityIDs.count))
            }
            try await checkOutbox()
        }
    }

    /// An activity's file as the next import finds it.
    private mutating func writeFile(_ index: Int) {
        let activity = world.activity(index, now: clock.now, &random)
        library.put(activity, as: "\(activity.id).yaml")
        witness.put(activity, as: "\(activity.id).yaml")
    }

    /// Another program writes into the file, whatever is going on.
    private mutating func editConfiguration() {
        let (key, value) = world.setting(&random)
        let isActive = !isOneIn(6)
        say("somebody else writes \(key) = \(value)\(isActive ? "" : ", inactive")")
        disk.editConfiguration(key, to: value, isActive: isActive)
        witness.edit(key, to: value, isActive: isActive)
        tally.edits += 1
    }

    private mutating func pass(milliseconds: Int64) {
        clock.advance(milliseconds: milliseconds)
        tally.virtualMilliseconds += milliseconds
    }

    private mutating func moveClock() {
        switch random.below(2000) {
        case ..<16: jump(seconds: -3600)
        case ..<40: jump(seconds: -Int64(random.below(90)))
        case ..<54: jump(seconds: 86_400)
        case ..<56: jump(seconds: Self.tenYears)
        case ..<700: pass(milliseconds: Int64(random.below(400)))
        default: pass(milliseconds: Int64(random.below(15_000)))
        }
    }

    private mutating func jump(seconds: Int64) {
        clock.advance(seconds: seconds)
        tally.clockJumps += 1
        if seconds == -3600 { tally.jumpsBackAnHour += 1 }
        if seconds == Self.tenYears { tally.jumpsTenYearsAhead += 1 }
        say("the clock jumps \(seconds) s")
    }

    /// Up to forty messages at once: new ones, old ones again, late ones, in any order.
    private mutating func burst() async throws {
        // Nobody stays in maintenance, or without anything open, for a whole evening.
        if witness.gate.rules.maintenanceMode, isOneIn(3) {
            try deliver(byAdmin(.command(.maintenance(isOn: false, reason: nil))))
        }
        if isOneIn(6) {
            let id = world.activityIDs[random.below(world.activityIDs.count)]
            try deliver(byAdmin(.command(.start(activity: id.text))))
        }
        for _ in 0..<(1 + (isOneIn(4) ? random.below(40) : random.below(12))) {
            switch random.below(100) {
            case ..<14:
                let (request, network) = world.session(&random)
                try deliver(request, network)
            case ..<36 where !letters.isEmpty: try deliverAgain()
            case ..<42 where !late.isEmpty: try deliver(late.remove(at: random.below(late.count)))
            default:
                let letter = newLetter()
                if isOneIn(14) {
                    late.append(letter)
                } else {
                    try deliver(letter)
                    // In parallel.
                    while isOneIn(9) { try deliver(letter) }
                }
            }
        }
        try await processAll()
    }

    private mutating func newLetter() -> Letter {
        if isOneIn(11) {
            return byAdmin(world.adminContent(seen: receipts, &random))
        }
        let content = world.playerContent(seen: receipts, &random)
        if isOneIn(8) {
            var letter = letter(content, from: world.webUsers[random.below(world.webUsers.count)])
            letter.request.chat = nil
            letter.request.pageSession = world.pages[random.below(world.pages.count)]
            return letter
        }
        return letter(content, from: world.users[random.below(world.users.count)])
    }

    private mutating func byAdmin(_ content: MessageContent) -> Letter {
        var letter = letter(content, from: SimulatedWorld.admin)
        letter.request.role = isOneIn(20) ? .chatAdmin : .admin
        return letter
    }

    private mutating func letter(_ content: MessageContent, from user: UserID) -> Letter {
        messageCount += 1
        var sentAt: Instant?
        switch random.below(20) {
        case ..<4: break
        case 4: sentAt = clock.now.advanced(bySeconds: -Int64(random.below(26 * 3600)))
        case 5: sentAt = clock.now.advanced(bySeconds: Int64(random.below(3600)))
        default: sentAt = clock.now.advanced(byMilliseconds: -Int64(random.below(4000)))
        }
        let key = isOneIn(12) ? nil : MessageKey(sentAt: sentAt, text: "qq bot m\(messageCount)")
        let destination = Destination(
            endpoint: SimulatedWorld.endpoints[random.below(SimulatedWorld.endpoints.count)], address: "to \(user)")
        let routes: [ReplyRoute] = [.response(nil), .response(destination), .call(destination), .call(destination)]
        return Letter(
            request: Request(
                user: user, chat: world.chats[random.below(world.chats.count)], role: .player, key: key,
                content: content, route: routes[random.below(routes.count)]))
    }

    /// A message comes once more; now and then its key comes with something else.
    private mutating func deliverAgain() throws {
        // Mostly of the last minutes.
        let range = isOneIn(3) ? letters.count : min(letters.count, 25)
        var letter = letters[letters.count - 1 - random.below(range)]
        if isOneIn(12) {
            letter.request.content = world.playerContent(seen: receipts, &random)
            if isOneIn(3) { letter.request.user = world.users[random.below(world.users.count)] }
        }
        try deliver(letter)
    }

    private mutating func deliver(_ letter: Letter) throws {
        let request = letter.request
        if request.key != nil {
            letters.append(letter)
            if letters.count > 600 { letters.removeFirst(200) }
        }
        say("\(request.user) \(request.key?.text ?? "-") in \(request.chat?.text ?? "private"): \(request.content)")
        let service = try running()
        try queueUp(Sent(question: .message(request), pending: service.enqueue(request)), service)
    }

    private mutating func deliver(_ request: SessionRequest, _ network: Int?) throws {
        say("\(request)")
        let service = try running()
        try queueUp(Sent(question: .session(request, network: network), pending: service.enqueue(request)), service)
    }

    private mutating func queueUp(_ sent: Sent, _ service: ActivityService) throws {
        if sent.pending.isDecided {
            try expect(line.count >= limits.queueCapacity, "busy was told with \(line.count) in line")
            return
        }
        tally.requests += 1
        line.append(sent)
        try expect(service.waitingCount == line.count, "\(service.waitingCount) wait, not \(line.count)")
    }

    // MARK: Batches

    private mutating func processAll() async throws {
        while !line.isEmpty {
            // A batch that is decided already has its time and its facts.
            if try !running().isAhead {
                if isOneIn(4) { pass(milliseconds: Int64(random.below(50))) }
                if isOneIn(30) { moveClock() }
                if isOneIn(40) { editConfiguration() }
            }
            try await process()
        }
    }

    /// One batch, with or without requests, that may go wrong.
    private mutating func process() async throws {
        let service = try running()
        if line.isEmpty { service.wake() }
        if isOneIn(45) {
            let fault = FaultyStore.Fault.allCases[random.below(FaultyStore.Fault.allCases.count)]
            say(fault.rawValue)
            store.plan(fault)
            return try await crash(service, fault)
        }
        tally.batches += 1
        do {
            _ = try await service.processNext()
        } catch {
            throw BrokenPromise("a batch failed: \(error)")
        }
        if isOneIn(12) { store.failReads(1) }
        var exchanges: [Witness.Exchange] = []
        while let sent = line.first, sent.pending.isDecided {
            exchanges.append(try await answer(to: sent, service))
            line.removeFirst()
        }
        store.failReads(0)
        try witness.hear(exchanges, committed: store.takeCommitted(), now: clock.now, disk: disk)
    }

    private mutating func answer(to sent: Sent, _ service: ActivityService) async throws -> Witness.Exchange {
        let answer: Witness.Exchange.Answer
        do {
            switch sent.question {
            case .message:
                let response = try await service.response(to: sent.pending)
                say("  → \(response.outcome.code)\(response.isRepeated ? " again" : "")")
                if let receipt = response.outcome.receipt, receipts.last != receipt { receipts.append(receipt) }
                answer = .response(response)
            case .session:
                guard let told = try await service.sessionAnswer(to: sent.pending) else {
                    throw BrokenPromise("a page was answered as a chat")
                }
                answer = .session(told)
            }
        } catch let error as StoreError {
            tally.failedReads += 1
            say("  → \(error)")
            answer = .unread
        }
        return Witness.Exchange(question: sent.question, answer: answer)
    }

    /// A batch that fails: nobody may be told a result, and the process ends.
    private mutating func crash(_ service: ActivityService, _ fault: FaultyStore.Fault) async throws {
        tally.crashes[fault.rawValue, default: 0] += 1
        do {
            _ = try await service.processNext()
        } catch {
            try await loseLine(service)
            return
        }
        throw BrokenPromise("a batch went well with \(fault.rawValue)")
    }

    private mutating func loseLine(_ service: ActivityService) async throws {
        let lost = line
        line = []
        for sent in lost {
            try expect(sent.pending.isDecided, "somebody waits for a process that has ended")
            do {
                switch sent.question {
                case .message: _ = try await service.response(to: sent.pending)
                case .session: _ = try await service.sessionAnswer(to: sent.pending)
                }
            } catch {
                continue
            }
            throw BrokenPromise("a result was told although the batch failed")
        }
        let committed = store.takeCommitted()
        try witness.lose(lost.map(\.question), committed: committed, now: clock.now, disk: disk)
        try await restart(isAcknowledged: committed == nil)
    }

    /// A planned end; now and then something goes wrong in it.
    private mutating func shutDown() async throws {
        let service = try running()
        say("planned end")
        tally.restarts += 1
        service.shutDown()
        if isOneIn(4) {
            return try await crashAtTheEnd(service)
        }
        do {
            while try await service.processNext() {}
        } catch {
            throw BrokenPromise("the end failed: \(error)")
        }
        let isCloseFailing = isOneIn(6)
        store.failClose(isCloseFailing)
        // Everything was written before: that the file could not be closed well loses nothing.
        let hasClosed = (try? await store.close()) != nil
        try expect(hasClosed != isCloseFailing, "the close \(hasClosed ? "succeeded" : "failed")")
        _ = store.takeCommitted()
        witness.endWell()
        try await restart(isAcknowledged: true)
    }

    private mutating func crashAtTheEnd(_ service: ActivityService) async throws {
        let fault = FaultyStore.Fault.allCases[random.below(FaultyStore.Fault.allCases.count)]
        say(fault.rawValue)
        store.plan(fault)
        try await crash(service, fault)
    }

    // MARK: The outbox

    private mutating func noteDeliveries() throws {
        let service = try running()
        for key in witness.pendingKeys.prefix(30) where isOneIn(2) {
            let delivery: Delivery = isOneIn(5) ? .dropped : .sent
            service.note(delivery, of: key)
            witness.note(delivery, of: key)
        }
        let said = witness.saidKeys
        if !said.isEmpty, isOneIn(3) {
            let key = said[random.below(said.count)]
            service.note(.pending, of: key)
            witness.note(.pending, of: key)
        }
    }

    private mutating func checkOutbox() async throws {
        let service = try running()
        if isOneIn(8) {
            store.failReads(1)
            if (try? await service.pendingReplies(through: SimulatedWorld.endpoints[0], limit: .max)) != nil {
                throw BrokenPromise("replies were found although the read failed")
            }
            tally.failedReads += 1
        }
        do {
            for endpoint in SimulatedWorld.endpoints {
                let replies = try await service.pendingReplies(through: endpoint, limit: .max)
                try witness.checkOutbox(replies, through: endpoint)
            }
            try witness.checkOutbox(
                endpoints: await store.endpointsOfPendingReplies(),
                queued: await store.destinationsOfQueuedUsers(
                    since: clock.now.advanced(bySeconds: -Int64(random.below(3600))), limit: 1 + random.below(50)))
        } catch let error as StoreError {
            throw BrokenPromise("the outbox cannot be read: \(error)")
        }
    }

    // MARK: The end

    /// Closes everything, so that every seed is revealed and every outcome can be computed again.
    private mutating func end() async throws {
        try await processAll()
        for id in world.activityIDs { try deliver(byAdmin(.command(.stop(activity: id.text)))) }
        try await processAll()
        try await shutDown()
        try witness.check(disk)
        for id in world.activityIDs {
            let rows = disk.look { $0.ledger(of: id) }
            let report = LedgerVerifier.verify(rows.flatMap { $0.canonicalLine + [0x0A] })
            tally.heads.append(report.head.hex)
            if !rows.isEmpty { try expect(report.holds, "the ledger of \(id): \(String(describing: report.badRow))") }
        }
    }
}
