internal import ArgumentParser
internal import Basics
internal import DequeModule
internal import Foundation
internal import Lottery
internal import OperatorSettings

/// `hongbao verify`: checks an exported ledger, row by row.
struct VerifySubcommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "校验导出的账本。Checks an exported ledger.")

    @Argument(help: "账本文件（.ledger.jsonl）。The ledger file.")
    var file: String

    @Option(help: "在聊天里看到的账本末行校验码（64 位，或回复里的前 16 位）。The head that was shown in chat.")
    var head: String?

    mutating func run() async throws {
        var claim: HeadClaim?
        if let head {
            guard let parsed = HeadClaim(head) else {
                throw ValidationError("--head 应为 64 位或 16 位十六进制数。--head must be 64 or 16 hex digits.")
            }
            claim = parsed
        }
        var seeds = LedgerSeeds()
        try await Self.forEachSlice(of: file) { slice, _ in
            seeds.read(slice: slice)
            return true
        }
        let report = try await report(seeds, claim)
        print(VerificationReport.text(report))
        if !report.holds { throw ExitCode.failure }
    }

    /// Reading the lines and hashing them is most of the work, and needs no verifier: every core takes a slice of the
    /// file. What the lines say is checked here, in their order.
    private func report(_ seeds: LedgerSeeds, _ claim: HeadClaim?) async throws -> LedgerReport {
        var verifier = LedgerVerifier(seeds: seeds, head: claim)
        let reader = verifier.reader
        let processorCount = ProcessInfo.processInfo.activeProcessorCount
        var slices: Deque<Task<[LedgerVerifier.Line], Never>> = []
        let progress = Progress()
        defer { progress.clear() }
        try await Self.forEachSlice(of: file) { slice, share in
            progress.show(share)
            // Not a group's: their order is that of the file. Each ends by itself, also when nobody waits for it.
            slices.append(Task { reader.lines(of: slice) })
            guard slices.count > processorCount, let first = slices.popFirst() else { return true }
            return await first.value.allSatisfy { verifier.read($0) }
        }
        // Behind a bad line these are passed over.
        for slice in slices {
            for line in await slice.value { _ = verifier.read(line) }
        }
        return verifier.finish()
    }

    /// Reads the file slice by slice.
    ///
    /// - Parameter body: Gets whole lines and how much of the file was read, 0…1; returns false to hear no more.
    private static func forEachSlice(of file: String, _ body: ([UInt8], Double) async -> Bool) async throws {
        let handle: FileHandle
        do throws(RegularFile.Fault) {
            handle = try RegularFile.open(file)
        } catch {
            throw OperatorMessage(error, file)
        }
        defer { try? handle.close() }
        let size = Double((try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 1)
        var slicer = LedgerSlicer()
        var readCount = 0
        while let piece = try handle.read(upToCount: 1 << 16), !piece.isEmpty {
            readCount += piece.count
            guard await body(slicer.read(piece), Double(readCount) / max(1, size)) else { return }
        }
        _ = await body(slicer.finish(), 1)
    }

    /// A percentage on a terminal, for files that take more than a second.
    private final class Progress {
        private let start = ContinuousClock.now
        private let hasReader = Terminal.hasErrorReader
        private var shown = -1

        func show(_ share: Double) {
            let percent = Int(share * 100)
            guard hasReader, percent != shown, ContinuousClock.now - start > .seconds(1) else { return }
            shown = percent
            FileHandle.standardError.write(Data("\r\(percent)%".utf8))
        }

        func clear() {
            if shown >= 0 { FileHandle.standardError.write(Data("\r    \r".utf8)) }
        }
    }
}

/// What `hongbao verify` prints.
enum VerificationReport {
    /// What stands in the file is part of it, but adds no line: a name could look like a verdict.
    static func text(_ report: LedgerReport) -> String {
        lines(report).map { $0.withoutControls() }.joined(separator: "\n")
    }

    private static func lines(_ report: LedgerReport) -> [String] {
        var lines: [String] = []
        if let activity = report.activity { lines.append("活动 activity: \(activity)") }
        lines.append("已校验 rows: \(report.rowCount)")
        if let bad = report.badRow {
            let seq = bad.seq.map { "，seq \($0)" } ?? ""
            lines.append("✗ 第 \(bad.line) 行\(seq) 不成立：\(bad.fault.chineseText)")
            lines.append("✗ Line \(bad.line) is bad: \(bad.fault)")
            lines.append("此行之前的内容成立。Everything before this line holds.")
            return lines
        }
        for round in report.rounds {
            let state = round.closedAt == nil ? "进行中 open" : "已结束 closed"
            lines.append(
                "第 \(round.number) 轮 round（\(reason(round.beginning))）：\(round.openedAt.dateTimeText()) UTC，\(state)，"
                    + "抽奖 draws \(round.drawCount)，中奖 wins \(round.winCount)")
        }
        for award in report.awards {
            let text = awardText(prefix: award.prefix, name: award.name)
            lines.append(
                "\(text) [\(award.id)]：中 wins \(award.winCount)，作废 voided \(award.voidCount)")
        }
        lines.append(
            "抽奖 draws \(report.drawCount)，中奖 wins \(report.winCount)，未中 misses \(report.missCount)，作废 voids \(report.voidCount)"
        )
        lines.append("由种子重新算出 recomputed: \(report.recomputedCount)")
        if report.hiddenUserCount > 0 {
            lines.append("隐去用户的行 rows without a user: \(report.hiddenUserCount)（这些行的结果无法重算 not recomputable）")
        }
        if report.isLastRoundOpen {
            lines.append("最后一轮还在进行，种子未公开，其结果尚不能重算。The last round is open: its seed is not revealed yet.")
        }
        if report.rounds.count > 3 {
            lines.append("轮次较多，值得问问原因。So many rounds are worth a question.")
        }
        lines.append("账本末行 head: \(report.head.hex)")
        switch report.headCheck {
        case nil: lines.append("✓ 账本成立。The ledger holds.")
        case .isHead: lines.append("✓ 账本成立，末行与所给校验码一致。The ledger holds and ends with the given head.")
        case .isEarlier(let seq):
            lines.append("✗ 所给校验码是第 seq \(seq) 行，账本之后还有内容。The given head is an earlier row, seq \(seq).")
        case .isMissing:
            lines.append("✗ 账本里没有所给校验码：有行被删改，或不是同一账本。No row has the given head: rows were dropped or rebuilt.")
        }
        return lines
    }

    private static func reason(_ beginning: RoundBeginning) -> String {
        switch beginning {
        case .opened: "首次开启 opened"
        case .reopened: "再次开启 reopened"
        case .rulesChanged(let changes): "规则变更 rules changed：" + changes.map(\.chineseText).joined(separator: "；")
        }
    }
}
