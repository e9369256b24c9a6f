internal import Activities
internal import Basics
internal import Foundation
internal import Lottery
internal import NIOConcurrencyHelpers
internal import SQLiteStore
internal import TestSupport
internal import TrafficGate

/// What is wrong with the disk of a workload, or with how the store uses it.
public enum DiskFault: String, Sendable {
    case none
    /// The writer runs with `synchronous=NORMAL`.
    case normalSynchronous
    /// The disk says that the log was flushed, and did not.
    case ignoredLogSyncs
    /// The disk says that the database was flushed, and did not.
    case ignoredDatabaseSyncs
    /// One sync fails. The process then ends in order, or is killed, and another one goes on with the file.
    case failedSync
}

/// An event on a real store with the real core, under a recording: binds, draws, redeliveries, pages, voids, erasures, rounds
/// and ticks, in batches of 1 to 64, over several processes.
///
/// The batches are put together here and not by an `ActivityService`, whose batches depend on the threads' luck: the same
/// seed gives the same operations, as far as Swift's hashing is deterministic too (`SWIFT_DETERMINISTIC_HASHING`).
final class CrashWorkload {
    /// So small that the log is moved into the file, and begun anew, many times.
    private static let checkpointFrameCount: Int32 = 60
    private static let processCount = 3
    private static let batchCount = 22
    private static let chats: [ChatID] = ["qq:1", "qq:2", "qq:3"]
    private static let admin: UserID = "qq:admin"

    private struct Core: Sendable {
        var machine: ActivityStateMachine
        var entropy: SeededGenerator
    }

    /// A process with the file open.
    private struct Running {
        let store: SQLiteStore
        let core: NIOLockedValueBox<Core>
    }

    let fault: DiskFault
    /// Whether the log is moved into the file beside the batches, as in life. No seed repeats then.
    private let isOverlapping: Bool
    private let folder: String
    private var path: String { folder + "/hongbao.db" }
    private var random: SeededGenerator
    private let clock = ManualClock()
    private let recording: Recording
    private let original: [UInt8]
    private var promises: [Promise] = []
    private var acknowledgements: [Acknowledgement] = []
    /// Where in ``promises`` a message was answered.
    private var answered: [MessageKey: Int] = [:]
    private var erased: Set<UserID> = []
    private var wins: [Receipt] = []
    private var messageCount = 0
    private var isOpen = [Bool](repeating: false, count: chats.count)
    private var hadFailure = false

    /// Runs the whole event.
    ///
    /// - Throws: ``BrokenPromise`` when a message that was delivered again is answered otherwise.
    static func run(seed: UInt64, fault: DiskFault, isOverlapping: Bool) async throws -> RecordedWorkload {
        let workload = try await CrashWorkload(seed: seed, fault: fault, isOverlapping: isOverlapping)
        defer { try? FileManager.default.removeItem(atPath: workload.folder) }
        try await workload.run()
        return RecordedWorkload(
            recording: workload.recording, original: workload.original, promises: workload.promises,
            acknowledgements: workload.commitsOnly())
    }

    private init(seed: UInt64, fault: DiskFault, isOverlapping: Bool) async throws {
        self.fault = fault
        self.isOverlapping = isOverlapping
        random = SeededGenerator(seed: seed)
        folder = try MemoryFolder.make()
        let path = folder + "/hongbao.db"
        try await SQLiteStore(path: path).close()
        original = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        recording = try Recording(ofDatabase: path)
        if fault == .ignoredLogSyncs { recording.ignoreSyncs(of: .log) }
        if fault == .ignoredDatabaseSyncs { recording.ignoreSyncs(of: .database) }
        if fault == .failedSync { recording.failSync(after: 3 + random.below(60)) }
    }

    // MARK: Processes

    private func run() async throws {
        for number in 0..<Self.processCount {
            var running = try await start()
            if number == 0 {
                for item in opening() { running = try await decide([item], running) }
            }
            for _ in 0..<Self.batchCount {
                clock.advance(milliseconds: Int64(random.below(12) == 0 ? 31_000 : random.below(2000)))
                running = try await decide(nextBatch(), running)
            }
            try await stop(running)
        }
    }

    private func start() async throws -> Running {
        do {
            return try await open()
        } catch  where fault == .failedSync && recording.hasFailedSync && !hadFailure {
            hadFailure = true
            return try await open()
        }
    }

    private func open() async throws -> Running {
        let store = try SQLiteStore(path: path, checkpointFrameCount: Self.checkpointFrameCount)
        if fault == .normalSynchronous { _ = try await store.pragma("synchronous = NORMAL") }
        let machine = ActivityStateMachine(try await store.load(), now: clock.now)
        acknowledge()
        return Running(
            store: store,
            core: NIOLockedValueBox(Core(machine: machine, entropy: SeededGenerator(seed: random.next()))))
    }

    private func stop(_ running: Running) async throws {
        do {
            try await running.store.transact(FactQuery()) { _ in
                (running.core.withLockedValue { $0.machine.flush() }, ())
            }
            try await running.store.close()
        } catch  where fault == .failedSync && recording.hasFailedSync && !hadFailure {
            hadFailure = true
            try? await running.store.close()
        }
        acknowledge()
    }

    /// After a failed sync: the process ends, and another one takes the file.
    private func restart(_ running: Running) async throws -> Running {
        hadFailure = true
        // A kill leaves the log as it is; an orderly end moves what was acknowledged into the file.
        if random.below(4) != 0 { recording.cutOff() }
        try? await running.store.close()
        return try await open()
    }

    // MARK: Batches

    /// Decides a batch and takes down what was answered. After a failed sync its messages are delivered again.
    private func decide(_ items: [BatchItem], _ running: Running) async throws -> Running {
        do {
            let decided = try await transact(items, running)
            try takeDown(items, decided)
            acknowledge()
            return running
        } catch  where fault == .failedSync && recording.hasFailedSync && !hadFailure {
            let next = try await restart(running)
            try takeDown(items, try await transact(items, next))
            acknowledge()
            return next
        }
    }

    private func transact(_ items: [BatchItem], _ running: Running) async throws -> [DecidedRequest] {
        let now = clock.now
        let core = running.core
        let query = core.withLockedValue { $0.machine.prepare(items, now: now, entropy: &$0.entropy) }
        let decided = try await running.store.transact(query) { facts in
            core.withLockedValue { $0.machine.decide(items, facts: facts, now: now, entropy: &$0.entropy) }
        }
        if !isOverlapping { try await running.store.untilCheckpointed() }
        return decided
    }

    private func takeDown(_ items: [BatchItem], _ decided: [DecidedRequest]) throws {
        for (item, decision) in zip(items, decided) {
            switch item {
            case .session(let request):
                guard case .session(let answer) = decision.decision else { continue }
                let status: String? =
                    switch (request.action, answer.gate) {
                    case (.leave, _): "left"
                    case (_, .active): "active"
                    default: nil
                    }
                if let status { promises.append(Promise(content: .session(request.session, status: status))) }
            case .message(let request, _): try takeDown(request, decision)
            }
        }
    }

    private func takeDown(_ request: Request, _ decision: DecidedRequest) throws {
        guard let key = request.key, decision.isKept else { return }
        if let index = answered[key], case .answer(_, let first) = promises[index].content {
            let isForgotten = erased.contains(request.user)
            guard isForgotten || (decision.isRepeated && decision.decision == first.decision) else {
                throw BrokenPromise("\(key.text) was answered \(first), and then \(decision)")
            }
            if decision.isRepeated { return }
        }
        answered[key] = promises.count
        promises.append(Promise(content: .answer(request, decision)))
        switch decision.outcome {
        case .won(let attempt)?: wins.append(attempt.receipt)
        case .ok(.erased)?: erased.insert(request.user)
        default: break
        }
    }

    private func acknowledge() {
        acknowledgements.append(Acknowledgement(position: recording.count, promiseCount: promises.count))
    }

    /// Each acknowledgement where its commit ended. Behind it the log may already be moving into the file, on another
    /// thread; how far that had come when somebody was answered is luck.
    private func commitsOnly() -> [Acknowledgement] {
        var commits: [Acknowledgement] = []
        for acknowledgement in acknowledgements {
            let floor = commits.last?.position ?? 0
            var position = acknowledgement.position
            while position > floor, !recording[position - 1].isWriteToLog { position -= 1 }
            if position < recording.count, recording[position].isSyncOfLog { position += 1 }
            commits.append(
                Acknowledgement(position: max(floor, position), promiseCount: acknowledgement.promiseCount))
        }
        return commits
    }

    // MARK: What is said

    private func message(
        _ command: Command, of user: UserID, in chat: ChatID?, role: Role = .player,
        importing: Activity? = nil
    ) -> BatchItem {
        messageCount += 1
        // Some platforms give a time, some do not.
        let sentAt = messageCount.isMultiple(of: 2) ? clock.now : nil
        let key = MessageKey(sentAt: sentAt, text: "test/m\(random.below(1_000_000))-\(messageCount)")
        return BatchItem(
            Request(user: user, chat: chat, role: role, key: key, content: .command(command)),
            importing: importing.map { .success($0) })
    }

    private func opening() -> [BatchItem] {
        var items: [BatchItem] = []
        for (key, value) in [("user_messages_per_minute", "0"), ("heartbeat_timeout_seconds", "86400")] {
            items.append(message(.setTraffic(key: key, value: value), of: Self.admin, in: nil, role: .admin))
        }
        for (number, chat) in Self.chats.enumerated() {
            let activity = Self.activity(number, in: chat)
            items.append(
                message(
                    .importActivity(file: "\(number).yaml"), of: Self.admin, in: chat, role: .admin, importing: activity
                ))
            items.append(
                message(.start(activity: activity.id.text), of: Self.admin, in: chat, role: .admin))
            isOpen[number] = true
        }
        return items
    }

    private static func activity(_ number: Int, in chat: ChatID) -> Activity {
        var awards = [
            ActivityAward(
                id: "gold", kind: .ONLY, percent: Percent("4") ?? .zero, prefix: "一等奖", name: "主机", number: 1),
            ActivityAward(
                id: "silver", kind: .NORNAL, percent: Percent("30") ?? .zero, prefix: "二等奖", name: "皮肤", number: 12),
            ActivityAward(
                id: "copper", kind: .NORNAL, percent: Percent("12.5") ?? .zero, prefix: "三等奖", name: "坐骑",
                number: 1000),
        ]
        if number == 1 { awards.append(ActivityAward(id: "bao", kind: .DI_BAO, prefix: "低保", name: "金币")) }
        return Activity(
            id: ActivityID("a\(number)"), name: "活动\(number)", scope: .chats([chat]),
            maxAttempts: number == 2 ? 2 : nil,
            oneWinPerGameID: number == 0, awards: awards)
    }

    private func nextBatch() -> [BatchItem] {
        let number = random.below(Self.chats.count)
        let chat = Self.chats[number]
        if !isOpen[number] {
            isOpen[number] = true
            return [message(.start(activity: "a\(number)"), of: Self.admin, in: chat, role: .admin)]
        }
        switch random.below(20) {
        case 0 where !wins.isEmpty:
            let receipt = wins[random.below(wins.count)]
            return [message(.void(receipt, reason: "误发"), of: Self.admin, in: chat, role: .admin)]
        case 1: return [message(.eraseMyData, of: user(), in: chat)]
        case 2:
            isOpen[number] = false
            return [message(.stop(activity: "a\(number)"), of: Self.admin, in: chat, role: .admin)]
        case 3:
            let command = Command.setNumber(activity: "a\(number)", award: "copper", number: 900 + random.below(100))
            return [message(command, of: Self.admin, in: chat, role: .admin)]
        default:
            let count = random.below(4) == 0 ? 1 + random.below(64) : 1 + random.below(8)
            var items: [BatchItem] = []
            for _ in 0..<count { items.append(next(after: items)) }
            return items
        }
    }

    private func next(after items: [BatchItem]) -> BatchItem {
        let chat = Self.chats[random.below(Self.chats.count)]
        switch random.below(20) {
        case 0...4: return message(.bind(GameID(stored: "角色 \(random.below(400))")), of: user(), in: chat)
        case 5...13: return message(.draw, of: user(), in: chat)
        case 14, 15:
            // Delivered again: in the same batch, or long after.
            if random.below(2) == 0, let item = items.last, case .message = item { return item }
            let again = promises.isEmpty ? nil : promises[random.below(promises.count)]
            if case .answer(let request, _)? = again?.content, request.role == .player,
                request.command != .eraseMyData
            {
                return BatchItem(request)
            }
            return message(.pool, of: user(), in: chat)
        case 16: return message(random.below(2) == 0 ? .unbind : .myBinding, of: user(), in: chat)
        case 17: return message(.myWins, of: user(), in: chat)
        default:
            let actions: [SessionRequest.Action] = [.join(user: nil, ipAddress: "192.0.2.1"), .heartbeat, .leave]
            return .session(
                SessionRequest(
                    session: SessionID("web:p\(random.below(30))"), action: actions[random.below(actions.count)]))
        }
    }

    private func user() -> UserID { UserID("qq:\(10_000 + random.below(150))") }
}

/// What came of a ``CrashWorkload``: all that is needed to make images of any instant.
struct RecordedWorkload {
    let recording: Recording
    /// The file before the first operation.
    let original: [UInt8]
    let promises: [Promise]
    /// In the order of their positions.
    let acknowledgements: [Acknowledgement]
}

extension Operation {
    fileprivate var isWriteToLog: Bool {
        if case .write = kind, file == .log { true } else { false }
    }

    fileprivate var isSyncOfLog: Bool {
        if case .sync = kind, file == .log { true } else { false }
    }
}

/// A folder whose files stay in memory where the system has such a place.
enum MemoryFolder {
    static func make() throws -> String {
        let root = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm/" : NSTemporaryDirectory()
        let folder = root + "hongbao-crash-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // SQLite asks for files by their real names.
        return URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
    }
}
