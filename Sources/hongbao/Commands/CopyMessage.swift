internal import Activities
internal import Basics
internal import Lottery
internal import OperatorSettings
internal import SQLiteStore

/// Why a backup or a restore was refused, as an operator reads it.
enum CopyMessage {
    static func ofBackup(_ error: any Error) -> any Error {
        switch error {
        case DatabaseCopy.Refusal.unsound(let faults):
            OperatorMessage(
                "检查没有通过，什么都没有留下：\(chinese(faults))。请运行 hongbao doctor 看看数据库。",
                "The copy did not pass its checks and was removed: \(english(faults)). See hongbao doctor.")
        case DatabaseCopy.Refusal.unlike:
            OperatorMessage(
                "写出来的备份和数据库不一样，已删除。请检查存放备份的磁盘，再试一次。",
                "The copy is not what the database held, and was removed. Check the disk that it was written to, and try again."
            )
        default: ofEither(error)
        }
    }

    /// - Parameter file: The backup that was to be restored.
    static func ofRestore(_ error: any Error, file: String) -> any Error {
        switch error {
        case DatabaseCopy.Refusal.unusable(let fault, let cause): unusable(fault, cause, file)
        case DatabaseCopy.Refusal.unsound(let faults):
            OperatorMessage(
                "备份 \(file) 没有通过检查，什么都没有改动：\(chinese(faults))。请换一份备份。",
                "The backup \(file) did not pass its checks: \(english(faults)). Nothing was changed. Use another backup."
            )
        case DatabaseCopy.Refusal.unlike:
            OperatorMessage(
                "写出来的数据库和备份 \(file) 不一样，已删除，什么都没有改动。请检查放数据库的磁盘，再试一次。",
                "The copy is not what the backup \(file) holds, and was removed. Nothing was changed. Check the disk of the "
                    + "database, and try again.")
        case DatabaseCopy.Refusal.same:
            OperatorMessage(
                "\(file) 就是正在用的数据库，不是备份，什么都没有改动。", "\(file) is the database itself, not a backup. Nothing was changed.")
        default: ofEither(error)
        }
    }

    private static func unusable(_ fault: DatabaseCopy.BackupFault, _ cause: String?, _ file: String) -> OperatorMessage
    {
        let cause = cause.map { " (\($0))" } ?? ""
        return switch fault {
        case .missing:
            OperatorMessage(
                "没有备份文件 \(file)，什么都没有改动。请检查文件名。",
                "There is no backup \(file). Nothing was changed. Check the name of the file.")
        case .foreign:
            OperatorMessage(
                "\(file) 不是本版本 hongbao 能恢复的备份：它是别的文件，或由更新的版本写成，或被别的程序改过。什么都没有改动。请换一份备份。",
                "\(file) is no backup that this hongbao can restore: it is something else, of a newer version, or was changed "
                    + "by another program. Nothing was changed. Use another backup.")
        case .damaged:
            OperatorMessage(
                "备份 \(file) 已损坏，读不完整，什么都没有改动。请换一份备份。",
                "The backup \(file) is damaged\(cause). Nothing was changed. Use another backup.")
        case .unreadable:
            OperatorMessage(
                "备份 \(file) 打不开，什么都没有改动。请检查它和它所在文件夹的权限。",
                "The backup \(file) cannot be opened\(cause). Nothing was changed. Check its permissions and its folder's."
            )
        }
    }

    private static func ofEither(_ error: any Error) -> any Error {
        switch error {
        case DatabaseCopy.Refusal.taken(let name):
            OperatorMessage(
                "已经有文件 \(name)，没有覆盖它。请换一个文件名。", "There is a file \(name) already; it was left alone. Name another.")
        case is CancellationError:
            OperatorMessage("已中断，什么都没有改动，也没有留下文件。", "Interrupted. Nothing was changed and no file was left.")
        case let error as StoreError where error.code == .full:
            OperatorMessage("磁盘满了，什么都没有改动，也没有留下文件。请腾出空间。", "\(error)")
        default: OperatorMessage.describing(error)
        }
    }

    private static func chinese(_ faults: [DatabaseFault]) -> String { joined(faults.map(DatabaseFaultText.chinese)) }

    private static func english(_ faults: [DatabaseFault]) -> String { joined(faults.map(DatabaseFaultText.english)) }

    private static func joined(_ texts: [String]) -> String {
        texts.prefix(3).joined(separator: "；") + (texts.count > 3 ? " …" : "")
    }
}

/// What cannot be right in a database, in words without a stop at the end.
enum DatabaseFaultText {
    static func chinese(_ fault: DatabaseFault) -> String {
        switch fault {
        case .structure(let text): "文件结构损坏（\(text)）"
        case .foreignKey(let table): "表 \(table) 里有一行指向不存在的行"
        case .ledger(let activity, let seq, let fault):
            "活动 \(activity) 的账本\(seq.map { "第 seq \($0) 行" } ?? "")不成立"
                + (fault.map { "：\($0.chineseText)" } ?? "（读不出来）")
        case .stock(let activity, let award, let issued, let listed, let inLedger):
            "活动 \(activity) 的奖品 \(award)：记着发出 \(issued)，中奖名单有 \(listed)，账本有 \(inLedger)"
        case .wins(let activity, let receipt):
            "活动 \(activity) 的中奖名单和账本不一致" + (receipt.map { "（编号 \($0)）" } ?? "")
        case .drawCount(let activity, let counted, let inLedger):
            "活动 \(activity)：记着抽奖 \(counted) 次，账本有 \(inLedger) 次"
        }
    }

    static func english(_ fault: DatabaseFault) -> String {
        switch fault {
        case .structure(let text): "the file's structure is damaged (\(text))"
        case .foreignKey(let table): "a row of \(table) points to one that does not exist"
        case .ledger(let activity, let seq, let fault):
            "the ledger of \(activity) does not hold" + (seq.map { " at seq \($0)" } ?? "")
                + (fault.map { ": \($0)" } ?? ": it cannot be read")
        case .stock(let activity, let award, let issued, let listed, let inLedger):
            "award \(award) of \(activity): \(issued) counted as given, \(listed) in the list of wins, \(inLedger) in the ledger"
        case .wins(let activity, let receipt):
            "the wins of \(activity) are not those of its ledger" + (receipt.map { " (receipt \($0))" } ?? "")
        case .drawCount(let activity, let counted, let inLedger):
            "\(activity): \(counted) draws counted, \(inLedger) in the ledger"
        }
    }
}

/// What receipts a database lacks, in words: a line each, Chinese first.
enum GapText {
    static func chinese(_ gap: LedgerGap) -> String {
        if let first = gap.firstMissing {
            return "  \(gap.issued.activity)：缺 \(gap.missingCount) 行，编号 \(first) 到 \(gap.issued.receipt)"
        }
        return "  \(gap.issued.activity)：编号 \(gap.issued.receipt) 已经发给别的结果，从这之前的某一行起就不同"
    }

    static func english(_ gap: LedgerGap) -> String {
        if let first = gap.firstMissing {
            return
                "  \(gap.issued.activity): \(gap.missingCount) rows missing, receipts \(first) to \(gap.issued.receipt)"
        }
        return
            "  \(gap.issued.activity): receipt \(gap.issued.receipt) was issued for something else; they differ from some row before it on"
    }
}

extension OperatorMessage {
    /// Why nothing draws on this database.
    init(_ error: OutdatedDatabase, confirmation: String) {
        self.init(
            """
            数据库 \(error.database) 比已经发出的抽奖结果旧：它可能是恢复的备份，或者丢了 -wal 文件，或者被换过。
            缺少的结果：
            \(error.gaps.map(GapText.chinese).joined(separator: "\n"))
            为了不重复发奖，没有启动，什么都没有改动。查看、导出、备份都还可以用。
            怎么办：
              找得到较新的数据库（连同 -wal 文件）就放回去，或者用 hongbao restore 恢复较新的备份，再启动。
              找不到，就对照群里的聊天记录补记，然后运行（会再问一次）：
                \(confirmation)
            """,
            """
            The database \(error.database) is older than the receipts that were issued from it: a restored backup, a lost -wal
            file, or another file in its place. Missing:
            \(error.gaps.map(GapText.english).joined(separator: "\n"))
            So that no prize is given twice, nothing was started or changed. Listing, exporting and backing up still work.
            Put the newer database back, with its -wal file, or restore a newer backup, and start. If there is none, compare
            with what the chat shows, and run the command above; it asks once more.
            """)
    }
}
