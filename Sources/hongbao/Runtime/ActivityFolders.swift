internal import Activities
internal import ActivityFiles
internal import Basics
internal import Foundation
internal import Lottery
internal import OperatorSettings

/// Activity files on disk: read from one folder, written to another.
struct ActivityFolders: ActivityLibrary {
    /// Where 活动导入 looks. A relative path is one of the working folder.
    var activities: String
    /// Where 导出 writes. Created when missing.
    var exports: String
    /// Whether a file may lie anywhere: for who sits at the command line, never for chat.
    var acceptsPaths = false
    /// Whether an export names nobody.
    var isPublic = false

    func activity(inFile name: String) -> Result<Activity, ImportRefusal> {
        let path: String
        if acceptsPaths {
            path = name
        } else {
            // A path could leave the folder, and a hidden file is none that an operator put there for this.
            guard !name.isEmpty, !name.contains("/"), !name.contains("\\"), !name.hasPrefix(".") else {
                return .failure(ImportRefusal(.fileNotFound(file: name, available: available)))
            }
            path =
                [name, name + ".yaml", name + ".yml"].map { activities + "/" + $0 }
                .first { FileManager.default.fileExists(atPath: $0) } ?? activities + "/" + name
        }
        let data: Data
        do throws(RegularFile.Fault) {
            // A link could lead out of the folder.
            data = try RegularFile.contents(
                of: path, maximumSize: ActivityFile.maximumSize, followsLinks: acceptsPaths)
        } catch .missing {
            return .failure(ImportRefusal(.fileNotFound(file: name, available: acceptsPaths ? [] : available)))
        } catch {
            return .failure(ImportRefusal(.fileUnreadable(file: name)))
        }
        do {
            return .success(try ActivityFile.parse(Array(data)))
        } catch {
            let faults = error.faults.map {
                ImportFault(line: $0.line, chinese: $0.chineseText, english: $0.description)
            }
            return .failure(ImportRefusal(.importFaults(file: name, faults: faults)))
        }
    }

    /// The activity files that could be named, in order, at most 20.
    private var available: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: activities)) ?? []
        return Array(names.filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }.sorted().prefix(20))
    }

    func export(_ activity: ActivityID, from store: any Store) async throws -> [String] {
        try FileManager.default.createDirectory(atPath: exports, withIntermediateDirectories: true)
        let ledgerName = "\(activity).ledger.jsonl"
        let winnersName = "\(activity).winners.csv"
        try await write(ledgerName) { file in
            var seq: Int64 = 0
            while true {
                let rows = try await store.ledger(of: activity, from: seq, limit: 5000)
                var bytes: [UInt8] = []
                for row in rows { bytes += (isPublic ? row.publicForm : row).canonicalLine + [0x0A] }
                try file.write(contentsOf: Data(bytes))
                guard let last = rows.last else { return }
                seq = last.seq + 1
            }
        }
        // The list of winners names game ids: it is not for the public.
        if isPublic { return [ledgerName] }
        try await write(winnersName) { file in
            try file.write(contentsOf: Data(WinnersCSV.header))
            var seq: Int64 = -1
            while true {
                let wins = try await store.winners(of: activity, after: seq, limit: 5000)
                var bytes: [UInt8] = []
                for win in wins where win.voidedAt == nil {
                    let label = win.award.prefix.isEmpty ? win.award.name : "\(win.award.prefix) \(win.award.name)"
                    bytes += WinnersCSV.line(
                        WinnersCSV.Winner(
                            receipt: win.receipt, user: win.user, gameID: win.gameID, award: label, at: win.wonAt))
                }
                try file.write(contentsOf: Data(bytes))
                guard let last = wins.last else { return }
                seq = last.receipt.seq
            }
        }
        return [ledgerName, winnersName]
    }

    /// Writes a file beside its final name and moves it there when it is whole.
    private func write(_ name: String, _ body: (FileHandle) async throws -> Void) async throws {
        let final = exports + "/" + name
        let partial = final + ".part"
        guard FileManager.default.createFile(atPath: partial, contents: nil),
            let file = FileHandle(forWritingAtPath: partial)
        else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        do {
            try await body(file)
            try file.synchronize()
            try file.close()
        } catch {
            try? FileManager.default.removeItem(atPath: partial)
            throw error
        }
        guard rename(partial, final) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
    }
}
