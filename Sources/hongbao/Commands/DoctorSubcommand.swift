internal import Activities
internal import ArgumentParser
internal import Foundation
internal import SQLiteStore
internal import WebServer

/// `hongbao doctor`: what is well, what is not, and what to do about it. Changes nothing.
struct DoctorSubcommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "检查配置、数据库、磁盘和聊天平台。Checks configuration, database, disk and platforms.")

    @OptionGroup var shared: SharedOptions

    @Flag(help: "不访问网络。Asks nobody on the network.")
    var offline = false

    mutating func run() async throws {
        var findings: [Finding] = []
        let configuration: HongbaoConfiguration
        do {
            configuration = try await shared.configuration()
            _ = try configuration.webServer()
            _ = try configuration.replyWriter()
            findings.append(.good("配置没有问题", "The configuration is valid"))
        } catch {
            Self.report([.bad("配置有误：", "The configuration is not valid: ", error)])
            throw ExitCode(1)
        }
        findings += await Self.database(configuration.database)
        findings += Self.disk(configuration.database)
        if configuration.admins.isEmpty {
            findings.append(
                .warning(
                    "没有配置管理员，群里没人能开始抽奖：请在 hongbao.yaml 写 admins，例如 admins: [\"qq:10001\"]",
                    "There are no admins, so nobody can start a draw in chat: set admins in hongbao.yaml"))
        }
        if configuration.endpoints.isEmpty {
            findings.append(
                .warning(
                    "没有配置聊天平台：见 docs/operations.md", "No chat platform is configured: see docs/operations.md"))
        }
        if !offline {
            let probe = EndpointProbe()
            for endpoint in configuration.endpoints {
                findings.append(Self.finding(endpoint.name, await probe.probe(endpoint)))
            }
            await probe.shutDown()
        }
        Self.report(findings)
        if findings.contains(where: { $0.mark == .bad }) { throw ExitCode(1) }
    }

    /// One line of the report.
    private struct Finding {
        enum Mark: String {
            case good = "✓"
            case warning = "!"
            case bad = "✗"
        }

        let mark: Mark
        let chinese: String
        let english: String

        static func good(_ chinese: String, _ english: String) -> Finding {
            Finding(mark: .good, chinese: chinese, english: english)
        }

        static func warning(_ chinese: String, _ english: String) -> Finding {
            Finding(mark: .warning, chinese: chinese, english: english)
        }

        static func bad(_ chinese: String, _ english: String) -> Finding {
            Finding(mark: .bad, chinese: chinese, english: english)
        }

        /// With what `error` says behind each text.
        static func bad(_ chinese: String, _ english: String, _ error: any Error) -> Finding {
            let message = OperatorMessage.describing(error) as? OperatorMessage
            return .bad(
                chinese + withoutStop(message?.chinese ?? "\(error)"),
                english + withoutStop(message?.english ?? "\(error)"))
        }

        private static func withoutStop(_ text: String) -> String {
            text.hasSuffix("。") || text.hasSuffix(".") ? String(text.dropLast()) : text
        }
    }

    private static func report(_ findings: [Finding]) {
        for finding in findings { print("\(finding.mark.rawValue) \(finding.chinese)。\(finding.english).") }
    }

    private static func database(_ path: String) async -> [Finding] {
        guard FileManager.default.fileExists(atPath: path) else {
            return [.good("数据库 \(path) 还不存在，首次启动时创建", "The database \(path) will be made at the first start")]
        }
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

    private static func disk(_ path: String) -> [Finding] {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard let free = Readiness.freeSpace(inFolder: folder) else { return [] }
        let megabytes = free >> 20
        return free < Readiness.minimumFreeSpace
            ? [.bad("磁盘只剩 \(megabytes) MiB，请先腾出空间", "The disk has only \(megabytes) MiB left: make room first")]
            : [.good("磁盘剩余 \(megabytes) MiB", "The disk has \(megabytes) MiB left")]
    }

    private static func finding(_ name: String, _ result: EndpointProbe.Result) -> Finding {
        switch result {
        case .reached(let origin, true):
            .good("\(name)：\(origin) 接受了凭据", "\(name): \(origin) took the credentials")
        case .reached(let origin, false):
            .good("\(name)：能连上 \(origin)", "\(name): \(origin) can be reached")
        case .credentialsRefused(let origin, let status):
            .bad(
                "\(name)：\(origin) 没有接受凭据（状态 \(status)），请核对配置里的编号、密钥和令牌",
                "\(name): \(origin) did not take the credentials (status \(status)): check id, secret and token")
        case .unexpectedAnswer(let origin, let status):
            .warning(
                "\(name)：\(origin) 的回答看不懂（状态 \(status)），凭据没有查成：平台可能有故障；每次都这样，就核对配置里的地址",
                "\(name): \(origin) gave an answer that says nothing about the credentials (status \(status)): it may have "
                    + "trouble of its own; if it always does, check the address")
        case .unreachable(let origin):
            .bad(
                "\(name)：连不上 \(origin)，请检查网络、防火墙和配置里的地址",
                "\(name): \(origin) cannot be reached: check the network, the firewall and the address")
        case .nothingToCall:
            .good(
                "\(name)：回复写在响应里，或发到消息带来的地址，没有可查的：请发“帮助”试一试",
                "\(name): replies are said in responses or to addresses that come with messages: send 帮助 to see")
        case .saidOverSocket:
            .good(
                "\(name)：回复写在响应里，或由反向 WebSocket 发出，没有可查的：请发“帮助”试一试",
                "\(name): replies are said in responses or over the reverse WebSocket: send 帮助 to see")
        }
    }
}
