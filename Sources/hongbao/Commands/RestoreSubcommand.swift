internal import Activities
internal import ArgumentParser
internal import Basics
internal import Foundation
internal import OperatorSettings
internal import SQLiteStore

/// `hongbao restore`: puts a backup in the database's place, and takes an operator's word that draws may go on without
/// what it lacks.
struct RestoreSubcommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "恢复备份；原来的数据库改名保留。Restores a backup; the database before is kept under another name.")

    @Argument(help: "备份文件。The backup.")
    var file: String?

    @OptionGroup var shared: SharedOptions

    @Flag(help: "确认缺少的抽奖结果找不回来了，让抽奖继续。Lets draws go on without the receipts that are missing.")
    var acceptLostDraws = false

    @Flag(help: "不再询问，只和 --accept-lost-draws 一起用。Does not ask; only with --accept-lost-draws.")
    var yes = false

    mutating func validate() throws {
        guard (file == nil) == acceptLostDraws else {
            throw ValidationError(
                "请写备份文件，或者 --accept-lost-draws，二者选一。Name a backup or --accept-lost-draws, one of the two.")
        }
        guard !yes || acceptLostDraws else {
            throw ValidationError(
                "--yes 只和 --accept-lost-draws 一起用，恢复备份不会询问。"
                    + "--yes goes with --accept-lost-draws only; restoring a backup does not ask.")
        }
    }

    mutating func run() async throws {
        let database = try shared.configuration().database
        if let file {
            try await restore(file, to: database)
        } else {
            try await acceptLoss(database)
        }
    }

    // MARK: A backup

    private func restore(_ file: String, to database: String) async throws {
        let start = ContinuousClock.now
        let restoration: DatabaseCopy.Restoration
        do {
            restoration = try await Interruptible.run { observe in
                try DatabaseCopy.restore(file, to: database, at: Runtime.now(), observe)
            }
        } catch {
            throw CopyMessage.ofRestore(error, file: file)
        }
        print("✓ 已恢复 \(file)，已检查。Restored \(file), and checked.")
        print("换上的数据库是 \(restoration.database)。It is now the database \(restoration.database).")
        print(ContentsText.text(restoration.report))
        print(ContentsText.size(database, since: start))
        if let kept = restoration.kept {
            print("原来的数据库保留在 \(kept)。The database before is kept as \(kept).")
        }
        if !restoration.couldReadKept {
            print(
                "! 原来的数据库读不出来：它发出的、备份里没有的结果，只有 .heads 文件知道。"
                    + "The database before cannot be read: only the .heads file knows what it issued.")
        }
        if restoration.replacesAnother {
            print("! 这份备份来自另一个数据库。This is a backup of another database.")
        }
        if restoration.gaps.isEmpty {
            print("下一步：hongbao doctor，然后启动。Next: hongbao doctor, then start.")
            return
        }
        print("! 备份之后发出的这些结果不在里面 · Issued after the backup and not in it:")
        for gap in restoration.gaps {
            print(GapText.chinese(gap))
            print(GapText.english(gap))
        }
        if let kept = restoration.kept {
            print("还能从原来的数据库导出，用来对照 · They can still be exported from the database before, to compare:")
            for gap in restoration.gaps {
                print(
                    "  hongbao activity export \(gap.issued.activity) --out before --database \(ShellWord.quoted(kept))"
                )
            }
        }
        print("在您确认之前不能抽奖。确认用 · Nothing draws until you confirm with:")
        print("  \(Self.confirmation(restoration.database))")
    }

    /// The command that confirms.
    static func confirmation(_ database: String) -> String {
        "hongbao restore --accept-lost-draws --database \(ShellWord.quoted(database))"
    }

    // MARK: The loss

    private func acceptLoss(_ database: String) async throws {
        do {
            let gaps = try SQLiteStore.issuedState(path: database).gaps
            guard !gaps.isEmpty else {
                print("没有缺少的抽奖结果，不用确认。No receipts are missing; there is nothing to confirm.")
                return
            }
            print("以后抽奖会接着数据库里的账本，这些已经发出的结果作废 · Draws will go on from the database; these receipts are given up:")
            for gap in gaps {
                print(GapText.chinese(gap))
                print(GapText.english(gap))
            }
            print(
                """
                这些编号会再次发出，拿着旧编号的人查到的是别的结果；他们的奖品会再抽一次。
                Their numbers will be issued again, for other results, and their prizes drawn again.
                """)
            try confirm()
            try await SQLiteStore.accept(gaps, path: database, at: Runtime.now())
            let open = try SQLiteStore.report(path: database, isThorough: false).activities.filter(\.isOpen)
            print("✓ 已确认，记入审计。可以启动了。Confirmed, and noted in the audit log. You may start now.")
            for activity in open {
                print(
                    "! 活动“\(activity.name)”还开着，它的种子可能已经公布过：请先“抽奖结束 \(activity.name)”，再“抽奖开始 \(activity.name)”。"
                        + "It is open, and its seed may be known: stop it and start it again first.")
            }
        } catch {
            throw OperatorMessage.describing(error)
        }
    }

    private func confirm() throws {
        if yes { return }
        guard Terminal.isInteractive else {
            throw OperatorMessage("没有改动。不在终端里运行时，请加 --yes。", "Nothing was changed. Without a terminal, add --yes.")
        }
        print("输入 yes 继续 · Type yes to go on: ", terminator: "")
        fflush(nil)
        guard readLine()?.trimmingCharacters(in: .whitespaces).lowercased() == "yes" else {
            throw OperatorMessage("没有改动。", "Nothing was changed.")
        }
    }
}
