internal import Activities
internal import ActivityFiles
internal import ArgumentParser
internal import Basics
internal import ChatCommands
internal import Foundation
internal import Lottery
internal import OperatorSettings
internal import Resources

/// `hongbao chat`: one message a line on standard input, its answer on standard output.
struct ChatSubcommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat", abstract: "在终端里对话，或逐行处理消息。Talk here, or answer messages line by line.")

    @OptionGroup var shared: SharedOptions

    @Option(name: .customLong("as"), help: "以哪个用户身份说话，例如 qq:10001。Who speaks.")
    var speaker: String?

    @Option(help: "在哪个群里说话，例如 qq:88001；不写为私聊。The chat; private when left out.")
    var chat: String?

    @Option(help: "管理员，可重复。An admin; repeatable.")
    var admin: [String] = []

    @Option(help: "先导入活动文件，可重复。Imports an activity file first; repeatable.")
    var activity: [String] = []

    @Flag(help: "每行一个 JSON 对象。One JSON object a line.")
    var json = false

    @Flag(help: "临时数据库里的示例活动，退出后删除。A sample activity in a temporary database.")
    var demo = false

    private static let demoUser = "demo:me"

    mutating func validate() throws {
        if let speaker, HongbaoConfiguration.user(speaker) == nil {
            throw ValidationError("--as 应形如 qq:10001。--as must be a user such as qq:10001.")
        }
        if let chat, HongbaoConfiguration.user(chat) == nil {
            throw ValidationError("--chat 应形如 qq:88001。--chat must be a chat such as qq:88001.")
        }
        if json, speaker != nil || chat != nil {
            throw ValidationError(
                "--json 的每一行自带身份，不能与 --as、--chat 同用。With --json each line says who speaks; leave out --as and --chat.")
        }
        if demo, shared.database != nil {
            throw ValidationError("--demo 使用临时数据库，不能与 --database 同用。--demo has a database of its own.")
        }
    }

    mutating func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        for file in activity { try RegularFile.check(file) }
        var configuration = try shared.configuration(admin.isEmpty ? [:] : ["admins": admin])
        var demoFolder: String?
        if demo {
            let folder = NSTemporaryDirectory() + "hongbao-demo-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            configuration.database = folder + "/hongbao.db"
            configuration.exportsFolder = folder + "/exports"
            configuration.admins.insert(UserID(speaker ?? Self.demoUser))
            demoFolder = folder
        }
        defer { if let demoFolder { try? FileManager.default.removeItem(atPath: demoFolder) } }

        let user = UserID(speaker ?? (demo ? Self.demoUser : "console:me"))
        let isTerminal = !json && Terminal.isInteractive
        let writer = try configuration.replyWriter()
        let isAdmin = configuration.admins.contains(user)
        let (notices, noticeSink) = AsyncStream<String>.makeStream(bufferingPolicy: .bufferingNewest(100))
        let runtime = try await Runtime(configuration, folders: folders(configuration)) { notice in
            guard isTerminal, Self.concerns(notice, user, isAdmin: isAdmin) else { return }
            noticeSink.yield(writer.text(for: notice))
        }
        let files = activity
        let isDemo = demo
        let client = ConsoleService(
            form: json
                ? .json
                : .talk(
                    ConsoleService.Talk(
                        user: user, chat: chat.map { ChatID($0) }, isTerminal: isTerminal,
                        greeting: Self.greeting(demo: demo), notices: notices)),
            admins: configuration.admins, parser: configuration.parser(), runtime: runtime
        ) { runtime in
            for file in files { try await runtime.command(.importActivity(file: file)) }
            if isDemo {
                try await runtime.command(.importActivity(file: DemoLibrary.fileName))
                try await runtime.command(.start(activity: DemoLibrary.activityName))
            }
        }
        try await runtime.run { _ in try await client.run() }
    }

    /// Whether somebody is told: one's own turn, and as an admin what became of activities and configuration.
    private static func concerns(_ notice: ActivityStateMachine.Notice, _ user: UserID, isAdmin: Bool) -> Bool {
        switch notice {
        case .promoted(let promoted): promoted == user
        case .openedBySchedule, .closedBySchedule, .scheduleConflict, .scheduleMissed, .configurationIgnored: isAdmin
        }
    }

    private func folders(_ configuration: HongbaoConfiguration) -> any ActivityLibrary {
        let folders = ActivityFolders(
            activities: configuration.activitiesFolder, exports: configuration.exportsFolder)
        return ConsoleLibrary(folders: folders, files: activity, isDemo: demo)
    }

    private static func greeting(demo: Bool) -> String {
        demo
            ? """
            示例活动“\(DemoLibrary.activityName)”已开始，你既是玩家也是管理员。试着依次发送：
              绑定 剑侠客    抽奖    奖池    中奖汇总    抽奖结束
            发送“帮助”查看全部命令，按 Ctrl-D 退出。
            A sample draw is open; you are a player and an admin. Send the lines above in turn, 帮助 for all commands.

            """
            : "发送“帮助”查看全部命令，按 Ctrl-D 退出。Send 帮助 for all commands, Ctrl-D to leave.\n"
    }
}

/// The configured folders, and before them what the command line named.
private struct ConsoleLibrary: ActivityLibrary {
    let folders: ActivityFolders
    /// Paths given with `--activity`: whoever started the program may name any.
    let files: [String]
    let isDemo: Bool

    func activity(inFile name: String) -> Result<Activity, ImportRefusal> {
        if isDemo, name == DemoLibrary.fileName { return DemoLibrary.activity }
        var folders = folders
        folders.acceptsPaths = files.contains(name)
        return folders.activity(inFile: name)
    }

    func export(_ activity: ActivityID, from store: any Store) async throws -> [String] {
        try await folders.export(activity, from: store)
    }
}

/// The sample activity that is part of the program.
enum DemoLibrary {
    static let fileName = ResourceFile.sampleActivity.rawValue
    static let activityName = "春节抽奖"

    static var activity: Result<Activity, ImportRefusal> {
        do {
            return .success(try ActivityFile.parse(ResourceFile.sampleActivity.bytes))
        } catch {
            preconditionFailure("the built-in sample activity is valid: \(error)")
        }
    }
}
