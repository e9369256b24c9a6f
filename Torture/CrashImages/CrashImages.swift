internal import Activities
internal import Basics
internal import Foundation
internal import GRDBSQLite
internal import Lottery
internal import SQLiteStore
internal import TestSupport

/// An image in which something is missing, and how to make it again.
public struct FailedImage: Sendable, CustomStringConvertible {
    public let fault: DiskFault
    /// Of the workload.
    public let seed: UInt64
    /// Of the image, within its workload.
    public let number: Int
    /// How many operations of the recording came before the crash.
    public let instant: Int
    public let faults: [String]
    /// Where its files were put.
    public let folder: String

    public var description: String {
        """
        seed \(seed), image \(number), instant \(instant): \(faults.prefix(3).joined(separator: "; "))\
        \(faults.count > 3 ? " … (\(faults.count) in all)" : "")
        files: \(folder)
        again: make images SEED=\(seed) IMAGE=\(number)\(fault == .none ? "" : " FAULT=\(fault)")
        """
    }
}

/// What a run over crash images looked at.
public struct CrashImageReport: Sendable {
    public var seeds: [UInt64] = []
    public var imageCount = 0
    /// Recorded over all workloads.
    public var writeCount = 0
    public var syncCount = 0
    public var lostSyncCount = 0
    public var checkpointCount = 0
    public var promiseCount = 0
    /// Images that were opened by the real store and asked again for answers.
    public var restartCount = 0
    /// Images that were looked through as a whole, because they were no known state.
    public var inspectionCount = 0
    public var failures: [FailedImage] = []

    public init() {}
}

/// Makes databases as a crash may have left them, and looks for what was acknowledged.
///
/// What SQLite recovers from an image must be, byte for byte, what the database was after some commit, and that commit must be
/// no older than the last one that anybody was told of. Each of those states is looked through as a whole once. An image that
/// equals none of them is looked through as a whole itself.
public struct CrashImages: Sendable {
    /// One image in so many is opened by the real store and service.
    private static let restartInterval = 200

    /// One state in so many is looked through as a whole; the others only for what was promised.
    private static let wholeInterval = 10

    private let fault: DiskFault
    private let isOverlapping: Bool
    /// A run stops after so many failures.
    private let maximumFailureCount: Int

    /// - Parameter isOverlapping: Whether the log is moved into the file beside the batches, as in life. No seed repeats
    ///   then.
    public init(fault: DiskFault = .none, isOverlapping: Bool = false, maximumFailureCount: Int = 3) {
        self.fault = fault
        self.isOverlapping = isOverlapping
        self.maximumFailureCount = maximumFailureCount
    }

    /// Looks at `count` images: as many workloads as that takes, with seeds that follow from `seed`.
    ///
    /// - Parameter seed: The first workload's.
    public func run(count: Int, seed: UInt64) async throws -> CrashImageReport {
        var report = CrashImageReport()
        var seeds = SeededGenerator(seed: seed)
        var next = seed
        // A workload and its states cost as much as a thousand images and more.
        let countPerWorkload = min(max(1000, count / 40), 2500)
        while report.imageCount < count, report.failures.count < maximumFailureCount {
            let numbers = 0..<min(countPerWorkload, count - report.imageCount)
            try await run(numbers, ofWorkload: next, &report)
            next = seeds.next()
        }
        return report
    }

    /// Looks at one image again.
    public func run(image: Int, ofWorkload seed: UInt64) async throws -> CrashImageReport {
        var report = CrashImageReport()
        try await run(image..<(image + 1), ofWorkload: seed, &report)
        return report
    }

    private func run(_ numbers: Range<Int>, ofWorkload seed: UInt64, _ report: inout CrashImageReport) async throws {
        let workload = try await CrashWorkload.run(seed: seed, fault: fault, isOverlapping: isOverlapping)
        report.seeds.append(seed)
        report.promiseCount += workload.promises.count
        workload.count(&report)
        let inspection = Inspection(promises: workload.promises)
        let image = try MemoryDatabase()
        let states = try await states(of: workload, inspection, image)

        var plans = numbers.map { number in
            var random = SeededGenerator(seed: seed ^ (UInt64(number + 1) &* 0x9E37_79B9_7F4A_7C15))
            return (number: number, instant: random.below(workload.recording.count + 1), random: random)
        }
        plans.sort { ($0.instant, $0.number) < ($1.instant, $1.number) }
        var disk = SimulatedDisk(database: workload.original)
        var applied = 0
        var acknowledged = 0
        // What was between two acknowledgements, such as in the middle of a start, and was found well.
        var inspected: [(content: Data, promiseCount: Int)] = []
        for var plan in plans {
            while applied < plan.instant {
                disk.apply(workload.recording[applied])
                applied += 1
            }
            while acknowledged < workload.acknowledgements.count,
                workload.acknowledgements[acknowledged].position <= plan.instant
            {
                acknowledged += 1
            }
            disk.writeCrashed(to: image, &plan.random)
            report.imageCount += 1
            let promiseCount = acknowledged == 0 ? 0 : workload.acknowledgements[acknowledged - 1].promiseCount
            var faults: [String] = []
            let content = recovered(image)
            if !states[max(0, acknowledged - 1)...].prefix(3).contains(where: { $0 == content }),
                !inspected.contains(where: { $0.promiseCount == promiseCount && $0.content == content })
            {
                report.inspectionCount += 1
                faults = await inspection.faults(ofDatabase: image.path, after: promiseCount)
                if faults.isEmpty, let content { inspected.append((content, promiseCount)) }
            }
            // The last: it changes the file.
            if faults.isEmpty, plan.number % Self.restartInterval == 0 {
                report.restartCount += 1
                faults = try await restartFaults(image, workload.promises, promiseCount, &plan.random)
            }
            guard !faults.isEmpty else { continue }
            let folder = NSTemporaryDirectory() + "hongbao-crash-image-\(seed)-\(plan.number)"
            try image.write(toFolder: folder, named: "hongbao.db")
            report.failures.append(
                FailedImage(
                    fault: fault, seed: seed, number: plan.number, instant: plan.instant, faults: faults, folder: folder
                ))
            if report.failures.count >= maximumFailureCount { return }
        }
    }

    /// Makes a new database and lets the power go when it gets its name.
    ///
    /// - Returns: What may then be wrong with the file of that name; empty when all is well.
    public func faultsOfNewDatabase(images count: Int, seed: UInt64) async throws -> [String] {
        let folder = try MemoryFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let recording = try Recording(ofDatabase: folder + "/hongbao.db.new")
        try await SQLiteStore(path: folder + "/hongbao.db").close()
        var disk = SimulatedDisk(database: [])
        for index in 0..<recording.count { disk.apply(recording[index]) }
        let image = try MemoryDatabase()
        var random = SeededGenerator(seed: seed)
        var faults: [String] = recording.count == 0 ? ["nothing was recorded"] : []
        for _ in 0..<count {
            disk.writeCrashed(to: image, &random)
            // What stood beside it keeps its old name.
            image.resize(.log, to: nil)
            image.resize(.journal, to: nil)
            faults += await Inspection(promises: []).faults(ofDatabase: image.path, after: 0)
        }
        return faults
    }

    // MARK: States

    struct BrokenWorkload: Error, CustomStringConvertible {
        let description: String
    }

    /// What the database was at each acknowledgement, all of them well.
    private func states(
        of workload: RecordedWorkload, _ inspection: Inspection, _ image: MemoryDatabase
    ) async throws -> [Data] {
        var disk = SimulatedDisk(database: workload.original)
        var applied = 0
        var states: [Data] = []
        for (index, acknowledgement) in workload.acknowledgements.enumerated() {
            while applied < acknowledgement.position {
                disk.apply(workload.recording[applied])
                applied += 1
            }
            disk.writeWhole(to: image)
            let state = recovered(image)
            guard let state else { throw BrokenWorkload(description: "a state cannot be opened") }
            if state != states.last {
                let isLast = index == workload.acknowledgements.count - 1
                let faults = await inspection.faults(
                    ofDatabase: image.path, after: acknowledgement.promiseCount,
                    isWhole: isLast || index % Self.wholeInterval == 0)
                guard faults.isEmpty else {
                    throw BrokenWorkload(description: "without any crash: \(faults.prefix(3))")
                }
            }
            states.append(state)
        }
        return states
    }

    /// The pages as SQLite sees them after its recovery; nil when it cannot.
    private func recovered(_ image: MemoryDatabase) -> Data? {
        var connection: OpaquePointer?
        defer { sqlite3_close(connection) }
        guard sqlite3_open_v2(image.path, &connection, SQLITE_OPEN_READONLY, nil) == SQLITE_OK else { return nil }
        var size: Int64 = 0
        guard let bytes = sqlite3_serialize(connection, "main", &size, 0) else { return nil }
        return Data(bytesNoCopy: bytes, count: Int(size), deallocator: .custom { bytes, _ in sqlite3_free(bytes) })
    }

    // MARK: Starting again

    /// The real store and service start on the image; what was answered is asked again.
    private func restartFaults(
        _ image: MemoryDatabase, _ promises: [Promise], _ count: Int, _ random: inout SeededGenerator
    ) async throws -> [String] {
        let folder = try MemoryFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try image.write(toFolder: folder, named: "hongbao.db")
        let bench = try await TestBench(path: folder + "/hongbao.db", clock: ManualClock(), seed: random.next())
        let repeated = (0..<12).compactMap { _ in count == 0 ? nil : promises[random.below(count)] }
        let erased = Set(
            promises.compactMap { promise in
                if case .answer(let request, let decision) = promise.content, decision.outcome == .ok(.erased) {
                    request.user
                } else {
                    nil
                }
            })
        return try await bench.running { bench in
            var faults: [String] = []
            for promise in repeated {
                guard case .answer(let request, let decision) = promise.content, let outcome = decision.outcome,
                    !erased.contains(request.user)
                else { continue }
                let response = try await bench.service.submit(request)
                if response.outcome != outcome || !response.isRepeated {
                    faults.append("asked again: \(response) instead of \(outcome)")
                }
            }
            // And it goes on.
            let user: UserID = "qq:somebody-new"
            try await bench.send(.bind(GameID(stored: "角色")), as: user, in: "qq:1")
            let drawn = try await bench.send(.draw, as: user, in: "qq:1", key: .test("after"))
            let again = try await bench.send(.draw, as: user, in: "qq:1", key: .test("after"))
            if again.outcome != drawn.outcome || !again.isRepeated { faults.append("a new draw is not kept") }
            return faults
        }
    }
}

extension RecordedWorkload {
    fileprivate func count(_ report: inout CrashImageReport) {
        var wasDatabaseSync = false
        for index in 0..<recording.count {
            let operation = recording[index]
            switch operation.kind {
            case .write: report.writeCount += 1
            case .sync: report.syncCount += 1
            case .lostSync: report.lostSyncCount += 1
            case .create, .truncate, .delete: break
            }
            let isDatabaseSync = if case .sync = operation.kind, operation.file == .database { true } else { false }
            if isDatabaseSync, !wasDatabaseSync { report.checkpointCount += 1 }
            wasDatabaseSync = isDatabaseSync
        }
    }
}
