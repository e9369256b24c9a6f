internal import Activities
internal import Basics
internal import Foundation
internal import SQLiteStore

/// What `hongbao doctor` says about the database and where it lies.
enum DatabaseFindings {
    /// Beyond this length of the log, something keeps it from being moved into the file.
    private static let longLogSize = 256 << 20

    static func all(_ path: String, now: Instant) async -> [Finding] {
        var findings: [Finding] = []
        if FileManager.default.fileExists(atPath: path) {
            findings += await readable(path)
            if findings.allSatisfy({ $0.mark != .bad }) {
                findings += await contents(path, now: now)
                findings += [journal(path)]
                findings += receipts(path)
                findings += log(path)
            }
        } else {
            // Something was issued from it, or there never was one.
            let issued = try? SQLiteStore.issuedState(path: path)
            findings +=
                issued.map { receipts($0, path) }
                ?? [.good("数据库 \(path) 还不存在，首次启动时创建", "The database \(path) will be made at the first start")]
        }
        findings += place(path)
        findings += disk(path)
        return findings
    }

    private static func readable(_ path: String) async -> [Finding] {
        do {
            let store = try SQLiteStore(path: path, mode: .readOnly)
            let stored = try await store.load()
            try await store.close()
            let open = stored.activities.count { $0.status == .active }
            return [
                .good(
                    "数据库可读：\(stored.activities.count) 个活动，\(open) 个进行中",
                    "The database can be read: \(stored.activities.count) activities, \(open) open")
            ]
        } catch {
            return [.bad("数据库 \(path)：", "The database \(path): ", error)]
        }
    }

    // MARK: What is in it

    private static func contents(_ path: String, now: Instant) async -> [Finding] {
        let size = size(path)
        let isThorough = size <= SQLiteStore.thoroughCheckSize
        do {
            let report = try await Interruptible.run { observe in
                try SQLiteStore.report(path: path, isThorough: isThorough, observe)
            }
            return contents(report) + [ClockFindings.since(report.latestMoment, now: now)]
        } catch is CancellationError {
            return [.warning("检查被中断，数据库没有查完", "Interrupted: the database was not looked through")]
        } catch {
            return [.bad("数据库 \(path)：", "The database \(path): ", error)]
        }
    }

    static func contents(_ report: DatabaseReport) -> [Finding] {
        let check = report.isThorough ? "integrity_check" : "quick_check"
        var findings = report.faults.map { fault in
            Finding.bad(
                "数据库：\(DatabaseFaultText.chinese(fault))。\(advice(fault).chinese)",
                "The database: \(DatabaseFaultText.english(fault)): \(advice(fault).english)")
        }
        if !report.faults.contains(where: \.isOfStructure) {
            findings.append(
                .good("数据库结构完整，引用都在（\(check)）", "The database is whole, and so are its references (\(check))"))
            if report.faults.isEmpty {
                findings.append(
                    .good(
                        "账本成立，库存和中奖名单与账本一致（\(report.rowCount) 行）",
                        "The ledgers hold, stock and wins are what they say (\(report.rowCount) rows)"))
            }
        }
        return findings
    }

    private static func advice(_ fault: DatabaseFault) -> (chinese: String, english: String) {
        switch fault {
        case .structure, .foreignKey:
            (
                "请停止服务，留一份它和 -wal 的副本，再用 hongbao restore 恢复备份",
                "stop, keep a copy of it and its -wal, and restore a backup"
            )
        case .ledger, .stock, .wins, .drawCount:
            (
                "有别的程序改过数据库，或磁盘出过错：请先结束活动，留一份副本，与群里的编号对照，再恢复备份",
                "another program changed the file, or the disk failed: close the activity, keep a copy, compare with the "
                    + "receipts in the chat, and restore a backup"
            )
        }
    }

    private static func receipts(_ path: String) -> [Finding] {
        do {
            return receipts(try SQLiteStore.issuedState(path: path), path)
        } catch {
            return [.bad("已发出结果的记录：", "The file of issued receipts: ", error)]
        }
    }

    private static func receipts(_ state: IssuedState, _ path: String) -> [Finding] {
        let gaps = state.gaps
        if gaps.isEmpty { return state.isNeeded ? [receiptsFile(state, path)] : [] }
        let receipts = gaps.map { "\($0.firstMissing ?? $0.issued.receipt) … \($0.issued.receipt)" }
            .joined(separator: "，")
        return [
            .bad(
                "数据库比已经发出的结果旧（缺 \(receipts)），不会启动：放回较新的数据库或备份；"
                    + "找不回来，就运行 \(RestoreSubcommand.confirmation(path))",
                "The database is older than what was issued (\(receipts) are missing) and will not start: put a newer one "
                    + "back, or run the command on the left")
        ]
    }

    private static func receiptsFile(_ state: IssuedState, _ path: String) -> Finding {
        if !state.isThere {
            return .warning(
                "没有 \(path).heads：这次看不出数据库是不是旧的；下次启动时会重新建立",
                "There is no \(path).heads, so an older database would not be noticed; the next start makes it anew")
        }
        if state.damagedCount > 0 {
            return .warning(
                "\(path).heads 有 \(state.damagedCount) 处读不出来，其余的都对得上；下次启动时会补好",
                "\(state.damagedCount) records of \(path).heads cannot be read, the others agree; the next start mends them"
            )
        }
        return .good("已经发出的结果都在数据库里（\(path).heads）", "All that was issued is in the database (\(path).heads)")
    }

    // MARK: Where it lies

    private static func journal(_ path: String) -> Finding {
        do {
            return journal(try SQLiteStore.journalState(path: path))
        } catch {
            return .bad("数据库的写入方式：", "How the database is written: ", error)
        }
    }

    static func journal(_ state: JournalState) -> Finding {
        if state.isWriteAhead {
            return .good(
                "数据库是 WAL 模式；写它的程序启动时设 synchronous=FULL 并核对，设不上就不启动",
                "The database is in WAL mode; what writes it sets synchronous=FULL at its start, reads it back, and does not "
                    + "start without it")
        }
        if state.isInUse {
            return .bad(
                "数据库正在使用，却不是 WAL 模式，断电时可能丢失结果：请停止服务再启动，启动时会改回来并核对",
                "The database is in use and not in WAL mode, so a power cut may lose results: stop the service and start it "
                    + "again, which sets the mode and reads it back")
        }
        return .good(
            "数据库不是 WAL 模式（备份和刚恢复的都这样），下次启动时会改为 WAL 并核对",
            "The database is not in WAL mode, as backups are and what was just restored; the next start sets it and reads it "
                + "back")
    }

    private static func log(_ path: String) -> [Finding] {
        let size = size(path + "-wal")
        guard size > longLogSize else { return [] }
        return [
            .warning(
                "\(path)-wal 有 \(size >> 20) MiB：有程序一直在读数据库，请关掉它；没有的话，重启服务",
                "\(path)-wal has \(size >> 20) MiB: some program reads the database without end: close it, or restart the service"
            )
        ]
    }

    private static func place(_ path: String) -> [Finding] {
        let folder = URL(fileURLWithPath: path).resolvingSymlinksInPath().deletingLastPathComponent().path
        guard let system = FileSystem(ofFolder: folder) else { return [] }
        return [place(system)]
    }

    static func place(_ system: FileSystem) -> Finding {
        switch system.kind {
        case .local:
            .good(
                "数据库在本机磁盘上（\(system.name)）", "The database lies on a disk of this machine (\(system.name))")
        case .network:
            .bad(
                "数据库在网络磁盘上（\(system.name)），不能保证不丢、不重：请移到本机磁盘",
                "The database lies on a network disk (\(system.name)), where it cannot be kept safe: move it to this machine"
            )
        case .memory:
            .warning(
                "数据库在内存里（\(system.name)），机器一重启就没了：请移到磁盘上",
                "The database lies in memory (\(system.name)) and is gone when the machine restarts: move it to a disk")
        case .container:
            .warning(
                "数据库在容器自己的文件系统里（\(system.name)），删掉容器就没了：请挂载卷",
                "The database lies in the container (\(system.name)) and is gone with it: mount a volume")
        case .unclear:
            .warning(
                "数据库在 \(system.name) 上，看不出是不是本机磁盘：请确认，网络磁盘不能用",
                "The database lies on \(system.name), which may be another machine's: make sure that it is not")
        }
    }

    private static func disk(_ path: String) -> [Finding] {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard let free = Readiness.freeSpace(inFolder: folder) else { return [] }
        let megabytes = free >> 20
        if free < Readiness.minimumFreeSpace {
            return [.bad("磁盘只剩 \(megabytes) MiB，请先腾出空间", "The disk has only \(megabytes) MiB left: make room first")]
        }
        if free < 2 * Int64(size(path)) {
            return [
                .warning(
                    "磁盘剩余 \(megabytes) MiB，不到数据库的两倍，备份和增长可能不够用",
                    "The disk has \(megabytes) MiB left, less than twice the database: a backup may not fit")
            ]
        }
        return [.good("磁盘剩余 \(megabytes) MiB", "The disk has \(megabytes) MiB left")]
    }

    /// 0 when there is no such file.
    private static func size(_ path: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    }
}

extension DatabaseFault {
    /// Whether nothing else in the file can be believed.
    fileprivate var isOfStructure: Bool {
        switch self {
        case .structure, .foreignKey: true
        case .ledger, .stock, .wins, .drawCount: false
        }
    }
}
