internal import Activities
internal import ArgumentParser
internal import Basics
internal import Foundation
internal import Lottery
internal import OperatorSettings
internal import SQLiteStore

/// `hongbao backup`: a checked copy of the database, also while it is in use.
struct BackupSubcommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "备份数据库，运行中也可以；备份完会检查。Copies the database, also while it is in use, and checks the copy.")

    @Argument(help: "备份写到哪个文件，不能已经存在。The new file.")
    var file: String

    @OptionGroup var shared: SharedOptions

    mutating func run() async throws {
        let file = file
        let database = try shared.configuration().database
        let start = ContinuousClock.now
        let report: DatabaseReport
        do {
            report = try await Interruptible.run { observe in
                try DatabaseCopy.backUp(database, to: file, observe)
            }
        } catch {
            throw CopyMessage.ofBackup(error)
        }
        print("✓ 已备份到 \(file)，已检查。Backed up to \(file), and checked.")
        print(ContentsText.text(report))
        print(ContentsText.size(file, since: start))
    }
}

/// What a backup holds, as text.
enum ContentsText {
    static func text(_ report: DatabaseReport) -> String {
        let draws = report.activities.reduce(0) { $0 + $1.drawCount }
        let wins = report.activities.reduce(0) { $0 + $1.winCount }
        var lines = [
            "活动 activities \(report.activities.count)，抽奖 draws \(draws)，中奖 wins \(wins)"
        ]
        for activity in report.activities where activity.isOpen {
            let head = activity.head.map { "末行 head \($0.receipt) \($0.hash.shortHex)" } ?? "还没有账本 no ledger yet"
            lines.append("进行中 open：\(activity.name) (\(activity.id))，\(head)")
        }
        return lines.joined(separator: "\n")
    }

    static func size(_ file: String, since start: ContinuousClock.Instant) -> String {
        let size = (try? FileManager.default.attributesOfItem(atPath: file)[.size] as? Int) ?? 0
        let elapsed = ContinuousClock.now - start
        let tenths = Int((elapsed / .milliseconds(100)).rounded())
        let kibibytes = (size + 1023) / 1024
        return
            "\(kibibytes < 10_240 ? "\(kibibytes) KiB" : "\(kibibytes >> 10) MiB")，用时 took \(tenths / 10).\(tenths % 10) s"
    }
}
