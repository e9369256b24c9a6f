internal import Activities
internal import ArgumentParser
internal import ChatPlatforms
internal import Foundation
internal import OperatorSettings
internal import WebServer

/// `hongbao doctor`: what is well, what is not, and what to do about it. Changes nothing.
struct DoctorSubcommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "检查配置、数据库、账本、时钟、磁盘和聊天平台。Checks configuration, database, ledgers, clock, disk and platforms.")

    @OptionGroup var shared: SharedOptions

    @Flag(help: "不访问网络。Asks nobody on the network.")
    var offline = false

    mutating func run() async throws {
        var findings: [Finding] = []
        let configuration: HongbaoConfiguration
        do {
            configuration = try shared.configuration()
            _ = try configuration.webServer()
            _ = try configuration.replyWriter()
            findings.append(.good("配置没有问题", "The configuration is valid"))
        } catch {
            Self.report([.bad("配置有误：", "The configuration is not valid: ", error)])
            throw ExitCode(1)
        }
        findings += ClockFindings.plausible(Runtime.now())
        findings += await DatabaseFindings.all(configuration.database, now: Runtime.now())
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
                let before = Runtime.now()
                let found = await probe.examine(endpoint)
                findings.append(Self.finding(endpoint.name, found.result))
                if let time = found.serverTime {
                    findings += ClockFindings.difference(
                        endpoint.name, platform: time, before: before, after: Runtime.now())
                }
            }
            await probe.shutDown()
        }
        Self.report(findings)
        if findings.contains(where: { $0.mark == .bad }) { throw ExitCode(1) }
    }

    private static func report(_ findings: [Finding]) {
        for finding in findings { print("\(finding.mark.rawValue) \(finding.chinese)。\(finding.english).") }
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
