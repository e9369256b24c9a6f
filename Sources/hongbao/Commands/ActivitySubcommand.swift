internal import Activities
internal import ArgumentParser
internal import Basics
internal import ChatCommands
internal import Foundation
internal import Lottery
internal import OperatorSettings
internal import SQLiteStore

/// `hongbao activity …`: activities without a chat.
struct ActivitySubcommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "activity", abstract: "管理活动。Manages activities.",
        subcommands: [Import.self, List.self, Show.self, Start.self, Stop.self, Export.self])

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "导入活动文件。Imports an activity file.")
        @OptionGroup var shared: SharedOptions
        @Argument(help: "活动文件（YAML）。The activity file.") var file: String

        mutating func run() async throws {
            try RegularFile.check(file)
            try await ActivitySubcommand.decide(.importActivity(file: file), shared)
        }
    }

    struct Start: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "开启活动。Opens an activity.")
        @OptionGroup var shared: SharedOptions
        @Argument(help: "活动名或编号。Its name or id.") var name: String

        mutating func run() async throws {
            try await ActivitySubcommand.decide(.start(activity: name), shared)
        }
    }

    struct Stop: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "结束活动。Closes an activity.")
        @OptionGroup var shared: SharedOptions
        @Argument(help: "活动名或编号。Its name or id.") var name: String

        mutating func run() async throws {
            try await ActivitySubcommand.decide(.stop(activity: name), shared)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "列出活动。Lists activities.")
        @OptionGroup var shared: SharedOptions

        mutating func run() async throws {
            let configuration = try shared.configuration()
            let state = try await ActivitySubcommand.read(configuration) { try await $0.load() }
            let items = state.activities.map { ActivityListItem($0) }
            print(
                try configuration.replyWriter().text(
                    for: Response(.ok(.activities(items, hasOthers: false))), role: .admin))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "显示一个活动。Shows an activity.")
        @OptionGroup var shared: SharedOptions
        @Argument(help: "活动名或编号。Its name or id.") var name: String

        mutating func run() async throws {
            let name = name
            let configuration = try shared.configuration()
            let record = try await ActivitySubcommand.read(configuration) { store in
                try ActivitySubcommand.find(name, in: try await store.load())
            }
            print(ActivityReport.text(record))
        }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "导出账本和中奖名单。Exports the ledger and the winners.")
        @OptionGroup var shared: SharedOptions
        @Argument(help: "活动名或编号。Its name or id.") var name: String
        @Option(help: "写到哪个文件夹。The folder to write to.") var out: String
        @Flag(name: .customLong("public"), help: "公开版：不含任何用户和游戏 id。Names nobody.") var isPublic = false

        mutating func run() async throws {
            let (name, out, isPublic) = (name, out, isPublic)
            let configuration = try shared.configuration()
            let files = try await ActivitySubcommand.read(configuration) { store in
                let record = try ActivitySubcommand.find(name, in: try await store.load())
                let folders = ActivityFolders(
                    activities: configuration.activitiesFolder, exports: out, isPublic: isPublic)
                do {
                    return try await folders.export(record.activity.id, from: store)
                } catch let error as StoreError {
                    throw error
                } catch {
                    throw OperatorMessage(
                        "无法写入文件夹 \(out)。请检查路径和权限。",
                        "The folder \(out) cannot be written to: \(ActivitySubcommand.reason(error)). "
                            + "Check the path and who may write there.")
                }
            }
            for file in files { print("\(out)/\(file)") }
        }
    }

    /// Has a command decided by a service of its own, and prints its reply.
    private static func decide(_ command: Command, _ shared: SharedOptions) async throws {
        let configuration = try shared.configuration()
        let folders = ActivityFolders(
            activities: configuration.activitiesFolder, exports: configuration.exportsFolder, acceptsPaths: true)
        print(try await Runtime(configuration, folders: folders).run { try await $0.command(command) })
    }

    /// Reads the database, also while another process writes it.
    private static func read<Result: Sendable>(
        _ configuration: HongbaoConfiguration, _ body: (SQLiteStore) async throws -> Result
    ) async throws -> Result {
        do {
            let store = try SQLiteStore(path: configuration.database, mode: .readOnly)
            let result = try await body(store)
            try await store.close()
            return result
        } catch {
            throw OperatorMessage.describing(error)
        }
    }

    /// What the system says about a file that cannot be written, in a few words.
    private static func reason(_ error: any Error) -> String {
        let error = error as NSError
        let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError ?? error
        return cause.domain == NSPOSIXErrorDomain ? String(cString: strerror(Int32(cause.code))) : "unknown fault"
    }

    private static func find(_ name: String, in state: StoredState) throws -> ActivityRecord {
        let found = state.activities.first {
            $0.activity.id == ActivityID(name) || areEqualBytes($0.activity.name, name)
        }
        if let found { return found }
        let names = state.activities.map(\.activity.name).joined(separator: "、")
        throw OperatorMessage(
            "没有活动“\(name)”。现有活动：\(names.isEmpty ? "（无）" : names)",
            "There is no activity “\(name)”. There are: \(names.isEmpty ? "none" : names)")
    }
}
