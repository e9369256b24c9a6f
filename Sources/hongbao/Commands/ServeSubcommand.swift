internal import Activities
internal import ArgumentParser
internal import Basics
internal import ChatPlatforms
internal import Foundation
internal import Logging
internal import NIOConcurrencyHelpers
internal import NIOSSL
internal import OperatorSettings
internal import ServiceLifecycle
internal import WebServer

/// `hongbao serve`: the HTTP server, the chat platforms' webhooks and the gate's clock.
struct ServeSubcommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "启动服务：聊天平台、活动页面接口和流量闸门。Serves chat platforms and the web page's API.")

    @OptionGroup var shared: SharedOptions

    @Option(help: "监听地址，默认 127.0.0.1。The address to listen on.")
    var host: String?

    @Option(help: "端口，默认 8080；0 为任意空闲端口。The port; 0: any free one.")
    var port: Int?

    mutating func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        var overrides: [String: [String]] = [:]
        if let host { overrides["host"] = [host] }
        if let port { overrides["port"] = [String(port)] }
        let configuration = try shared.configuration(overrides)
        var serverConfiguration = try configuration.webServer()
        // Where files run out, nobody is answered any more, not even a monitor.
        let fileLimit = OpenFiles.raiseLimit()
        let wantedConnections = serverConfiguration.limits.connectionCount
        serverConfiguration.limits.connectionCount = max(16, min(wantedConnections, fileLimit - OpenFiles.reserve))
        let registry = PrometheusRegistry(help: ServerMetrics.help)
        let metrics = ServerMetrics(platforms: Set(configuration.endpoints.map(\.platform)), factory: registry)
        // The service is there before the server that tells its notices.
        let teller = NIOLockedValueBox<WebServer?>(nil)
        let runtime = try await Runtime(
            configuration,
            folders: ActivityFolders(
                activities: configuration.activitiesFolder, exports: configuration.exportsFolder),
            onNotice: { notice in teller.withLockedValue { $0 }?.tell(notice) },
            onBatch: { metrics.note($0) })
        if serverConfiguration.limits.connectionCount < wantedConnections {
            runtime.logger.warning(
                "fewer connections are taken: the limit of open files is low",
                metadata: [
                    "connections": "\(serverConfiguration.limits.connectionCount)", "open_files": "\(fileLimit)",
                ])
        }
        let folder = URL(fileURLWithPath: configuration.database).deletingLastPathComponent().path
        let readiness = Readiness(of: runtime.store, folder: folder)
        let server = await WebServer(
            serverConfiguration, service: runtime.service, parser: configuration.parser(), words: runtime.words,
            admins: configuration.admins, clock: Runtime.now, metrics: metrics,
            metricsText: { registry.text() },
            faults: { await readiness.faults() }, logger: runtime.logger)
        teller.withLockedValue { $0 = server }
        let greeting = Self.greeting(configuration)
        let announcing = Announcement {
            let scheme = configuration.tlsCertificateFile == nil ? "http" : "https"
            let shownHost = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
            let port = await server.port
            guard port > 0 else { return }
            let address = "\(scheme)://\(shownHost):\(port)"
            FileHandle.standardError.write(Data("\(greeting)\n\(address)\n".utf8))
        }
        try await runtime.run(services: server.services + [announcing])
    }

    /// Empty when nobody else can read along: on a loopback address, with TLS, behind a proxy.
    private static func warning(_ configuration: HongbaoConfiguration) -> String {
        let host = configuration.host.lowercased()
        let isLoopback = host == "localhost" || host == "::1" || host.hasPrefix("127.")
        if isLoopback || configuration.tlsCertificateFile != nil || !configuration.trustedProxies.isEmpty { return "" }
        return """
            注意：正在 \(host) 上以明文 HTTP 监听，令牌和消息在网络上没有加密。请配置 tls_certificate_file 和 tls_key_file；\
            或者前面放一个 HTTPS 反向代理，把它的地址写进 trusted_proxies。
            Warning: listening on \(host) without TLS, so tokens and messages cross the network unencrypted. Set \
            tls_certificate_file and tls_key_file, or put an HTTPS proxy in front and list its address in trusted_proxies.

            """
    }

    /// What stands in front of the address once the server listens.
    private static func greeting(_ configuration: HongbaoConfiguration) -> String {
        let lines = configuration.endpoints.map { "  /webhook/\($0.name) (\($0.platform.rawValue))" }
        let platforms =
            lines.isEmpty
            ? "还没有配置聊天平台，见 docs/operations.md。No chat platform is configured yet; see docs/operations.md."
            : "聊天平台 chat platforms:\n" + lines.joined(separator: "\n")
        return warning(configuration) + platforms + "\n已启动，按 Ctrl-C 停止。Listening; Ctrl-C stops."
    }
}

/// Says once that the server listens.
private struct Announcement: Service {
    let announce: @Sendable () async -> Void

    func run() async throws {
        await announce()
        try? await gracefulShutdown()
    }
}
