import Basics
import CrashImages
import Foundation
import TestSupport
import Testing

/// The power goes at any instant, and the disk keeps what was synced and any part of the rest.
///
/// `HONGBAO_IMAGES` sets how many crashes are looked at (`make images`: 100,000), `HONGBAO_SEED` the first workload, and
/// `HONGBAO_IMAGE` and `HONGBAO_FAULT` one image of that workload.
@Suite(.serialized) struct CrashImageTests {
    private static func variable(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }

    private static let fault =
        ProcessInfo.processInfo.environment["HONGBAO_FAULT"].flatMap { DiskFault(rawValue: $0) } ?? .none

    private let seed = SeededGenerator.baseSeed

    @Test func nothingAcknowledgedIsMissingAfterACrash() async throws {
        let start = ContinuousClock.now
        let report =
            if let image = Self.variable("HONGBAO_IMAGE") {
                try await CrashImages(fault: Self.fault).run(image: image, ofWorkload: seed)
            } else {
                try await CrashImages().run(count: Self.variable("HONGBAO_IMAGES") ?? 5000, seed: seed)
            }
        #expect(report.failures.isEmpty, "\(report.failures)")
        print(
            """
            \(report.imageCount) crash images in \(start.duration(to: .now)), of \(report.seeds.count) workloads with \
            \(report.writeCount) writes, \(report.syncCount) syncs, \(report.checkpointCount) checkpoints and \
            \(report.promiseCount) answers; \(report.restartCount) started again, \(report.inspectionCount) looked \
            through as a whole; seeds from \(seed)
            """)
    }

    /// As in life: seeds do not repeat here.
    @Test func nothingIsMissingWhenTheLogIsMovedBesideBatches() async throws {
        guard Self.variable("HONGBAO_IMAGE") == nil else { return }
        let count = (Self.variable("HONGBAO_IMAGES") ?? 5000) / 5
        let report = try await CrashImages(isOverlapping: true).run(count: count, seed: seed)
        #expect(report.failures.isEmpty, "\(report.failures)")
        #expect(report.checkpointCount > 0)
    }

    /// What the file held when a sync failed is never answered for before it is written again.
    @Test func aFailedSyncCostsNothingThatIsAcknowledgedLater() async throws {
        let count = (Self.variable("HONGBAO_IMAGES") ?? 5000) / 10
        var seeds = SeededGenerator(seed: seed)
        var total = CrashImageReport()
        while Self.variable("HONGBAO_IMAGE") == nil, total.imageCount < count {
            let report = try await CrashImages(fault: .failedSync).run(count: max(100, count / 40), seed: seeds.next())
            #expect(report.failures.isEmpty, "\(report.failures)")
            total.imageCount += report.imageCount
            total.lostSyncCount += report.lostSyncCount
            total.seeds += report.seeds
        }
        print("\(total.imageCount) crash images behind \(total.lostSyncCount) failed syncs")
        // At least one in each workload, or nothing was tried.
        #expect(total.lostSyncCount >= total.seeds.count)
    }

    /// Under its own name a database is there as a whole, or not at all.
    @Test func aNewDatabaseIsWholeBeforeItGetsItsName() async throws {
        #expect(try await CrashImages().faultsOfNewDatabase(images: 100, seed: seed) == [])
    }

    /// What would break the promise is found; else the tests above could not fail.
    @Test(arguments: [DiskFault.normalSynchronous, .ignoredLogSyncs, .ignoredDatabaseSyncs])
    func aDiskThatForgetsIsFound(_ fault: DiskFault) async throws {
        // A workload begins with few wins to lose.
        let report = try await CrashImages(fault: fault, maximumFailureCount: 400).run(count: 1000, seed: seed)
        let losses = report.failures.count { $0.faults.contains { $0.hasPrefix("the win ") } }
        #expect(!report.failures.isEmpty && (losses > 0 || fault == .ignoredDatabaseSyncs))
        print(
            """
            \(fault): \(report.failures.count) of \(report.imageCount) images are wrong, \(losses) lack a win; \
            \(report.failures.last?.faults.last ?? "")
            """)
        for failure in report.failures { try? FileManager.default.removeItem(atPath: failure.folder) }
    }
}
