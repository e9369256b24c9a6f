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
            findings.append(.good("配置没有问题", "The configuration is valid"))
        } catch {
            Self.report([.bad("配置有误：\(error)", "The configuration is not valid; see above")])
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
            let described = OperatorMessage.describing(error)
            return [.bad("数据库：\(described)", "The database cannot be used; see above")]
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
        case .reached(let host, true):
            .good("\(name)：\(host) 接受了凭据", "\(name): \(host) took the credentials")
        case .reached(let host, false):
            .good("\(name)：能连上 \(host)", "\(name): \(host) can be reached")
        case .credentialsRefused(let host, let status):
            .bad(
                "\(name)：\(host) 没有接受凭据（状态 \(status)），请核对应用的 id 和密钥",
                "\(name): \(host) did not take the credentials (status \(status)): check the app's id and secret")
        case .unreachable(let host):
            .bad(
                "\(name)：连不上 \(host)，请检查网络、防火墙和 api_url",
                "\(name): \(host) cannot be reached: check the network, the firewall and api_url")
        case .nothingToCall:
            .good(
                "\(name)：回复写在响应里，请在群里发送“帮助”试一试",
                "\(name): replies are said in responses; send 帮助 in the group to see")
        }
    }
}
