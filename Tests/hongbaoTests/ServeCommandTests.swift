import Foundation
import GRDB
import TestSupport
import Testing

/// `hongbao serve` and `hongbao config` as an operator meets them.
@Suite struct ServeCommandTests {
    private static let strong = Canary.planted("b7f3a1c95d2e48f06a1b9c3d7e5f2048", as: "secret of hongbao.yaml")

    @Test func itSaysWhereItListensAnswersAndEnds() throws {
        let folder = try TemporaryFolder()
        let serve = try ServeProcess(in: folder, yaml: WebhookSender.yaml)
        #expect(serve.program.errorText.contains("/webhook/webhook (webhook)"))
        #expect(serve.program.errorText.contains("http://127.0.0.1:\(serve.port)\n"))
        #expect(!serve.program.errorText.contains("Warning"))
        #expect(try serve.get("/healthz").body == "ok\n")
        #expect(try serve.get("/readyz").body == "ready\n")
        #expect(try serve.get("/api/traffic/check").body.contains(#""status":"ok""#))
        #expect(try serve.get("/openapi.json").status == 200)
        let client = try SocketClient(serve.port)
        let answer = try WebhookSender.send("帮助", of: "1", id: "msg_1", on: client)
        #expect(answer.status == 200 && answer.body.contains("绑定"), "\(answer.body)")
        client.close()
        let result = try serve.stop()
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/serve.db-wal"))
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func aSignalEndsItAtWhateverInstantItComes(_ signal: Int32) throws {
        let folder = try TemporaryFolder()
        for delay in [0.08, 0.1, 0.12, 0.15, 0.2, 0.4] {
            let program = try Program(["serve", "--port", "0", "--database", "a.db"], in: folder.path)
            Thread.sleep(forTimeInterval: delay)
            program.send(signal)
            let result = try #require(program.finish(within: 20), "it does not end, \(delay) s behind its start")
            // Before it has begun to listen for signals, a signal just ends it.
            #expect([0, signal].contains(result.status), "\(delay): \(result.errors)")
        }
    }

    @Test func aPortInUseIsNamed() throws {
        let folder = try TemporaryFolder()
        let first = try ServeProcess(in: folder)
        let other = try TemporaryFolder()
        for (arguments, environment, key) in [
            (["--port", "\(first.port)"], [:], "port"),
            (["--port", "0"], ["HONGBAO_OPERATION_PORT": "\(first.port)"], "operation_port"),
        ] {
            let program = try Program(["serve"] + arguments, in: other.path, environment: environment)
            let result = try #require(program.finish(within: 20), "it does not end")
            #expect(result.status == 1)
            #expect(result.errors.contains("Error: \(key)：端口 \(first.port) 已被另一个程序占用"), "\(result.errors)")
            #expect(result.errors.contains("\n\(key): another program already listens on port \(first.port)"))
            Self.expectNothingElse(in: result)
        }
        #expect(try first.stop().status == 0)
    }

    @Test(arguments: ["192.0.2.1", "no-such-host.invalid"])
    func aHostThatIsNotHereIsNamed(_ host: String) throws {
        let folder = try TemporaryFolder()
        let program = try Program(["serve", "--port", "0", "--host", host], in: folder.path)
        let result = try #require(program.finish(within: 20), "it does not end")
        #expect(result.status == 1)
        #expect(result.errors.contains("Error: host：“\(host)”不是这台机器的地址"), "\(result.errors)")
        Self.expectNothingElse(in: result)
    }

    @Test("hardening row 80: a database in use is named") func aDatabaseInUseIsNamed() throws {
        let folder = try TemporaryFolder()
        let first = try ServeProcess(in: folder)
        let program = try Program(["serve", "--port", "0", "--database", "serve.db"], in: folder.path)
        let result = try #require(program.finish(within: 20), "it does not end")
        #expect(result.status == 1)
        #expect(result.errors.contains("数据库正被另一个 hongbao 使用"), "\(result.errors)")
        Self.expectNothingElse(in: result)
        #expect(try first.get("/readyz").status == 200)
        #expect(try first.stop().status == 0)
    }

    private static func expectNothingElse(in result: Program.Result, sourceLocation: SourceLocation = #_sourceLocation)
    {
        for alarm in ["CancellationError", "error hongbao", "Fatal", "SwiftError", "IOError", "Swift."] {
            #expect(!result.errors.contains(alarm), "\(result.errors)", sourceLocation: sourceLocation)
        }
    }

    @Test func aCertificateAndItsKeyMakeItHTTPS() throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("fullchain.pem", TLSFiles.certificate)
        _ = try folder.file("privkey.pem", TLSFiles.key)
        let serve = try ServeProcess(
            in: folder, ["--host", "0.0.0.0"], yaml: "tls_certificate_file: fullchain.pem\ntls_key_file: privkey.pem\n")
        #expect(serve.program.errorText.contains("https://0.0.0.0:\(serve.port)\n"), "\(serve.program.errorText)")
        #expect(!serve.program.errorText.contains("Warning"))
        // Asked by a client that checks the certificate.
        let answer = try Shell.run(
            "curl -sS --fail-with-body --noproxy '*' --cacert fullchain.pem https://127.0.0.1:\(serve.port)/healthz",
            in: folder.path)
        #expect(answer.status == 0 && answer.text == "ok\n", "\(answer.text)")
        let plain = try Shell.run(
            "curl -sS --noproxy '*' http://127.0.0.1:\(serve.port)/healthz", in: folder.path)
        #expect(plain.status != 0, "answered in the clear: \(plain.text)")
        #expect(try serve.stop().status == 0)
    }

    // MARK: What stops the start

    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        var yaml = ""
        var environment: [String: String] = [:]
        /// Files beside it, and their modes.
        var files: [(name: String, text: String, mode: Int)] = []
        let text: String

        var testDescription: String { name }

        static func endpoint(_ name: String, _ settings: String, _ text: String) -> Fault {
            Fault(name: name, yaml: "endpoints:\n  \(settings)\n", text: text)
        }
    }

    static let faults: [Fault] = [
        .endpoint("an unknown platform", "x: {platform: icq, secret: \(strong)}", "endpoints.x.platform"),
        .endpoint("a platform that is none by its name", "icq: {secret: \(strong)}", "endpoints.icq.platform"),
        .endpoint("a bad name", "My Bot: {platform: webhook, secret: \(strong)}", "“My Bot”"),
        .endpoint("no settings", "webhook:", "endpoints.webhook"),
        .endpoint("no secret", "webhook: {identity: qq}", "endpoints.webhook.secret"),
        .endpoint("an empty secret", "onebot11: {secret: \"\"}", "endpoints.onebot11.secret"),
        .endpoint("a default secret", "onebot11: {secret: changeme123456}", "endpoints.onebot11.secret"),
        .endpoint("a short secret", "onebot11: {secret: a1b2c3d4e5f}", "endpoints.onebot11.secret"),
        .endpoint("a dull secret", "onebot11: {secret: aaaaaaaaaaaaaaaaaaaaaaab}", "endpoints.onebot11.secret"),
        .endpoint(
            "a weak old secret",
            "onebot11: {secret: \(strong), previous_secret: password123, previous_until: 2027-01-31T00:00:00Z}",
            "endpoints.onebot11.previous_secret"),
        .endpoint(
            "http to the world", "onebot11: {secret: \(strong), api_url: \"http://api.example.com\"}",
            "endpoints.onebot11.api_url"),
        .endpoint(
            "an API address with a user", "onebot11: {secret: \(strong), api_url: \"https://a@api.example.com\"}",
            "endpoints.onebot11.api_url"),
        .endpoint(
            "roles that nobody signed",
            "telegram: {secret_token: \(strong), bot_username: DrawBot, trust_group_admins: true}",
            "endpoints.telegram.trust_group_admins"),
        .endpoint(
            "a switch that is none", "onebot11: {secret: \(strong), trust_group_admins: yes please}",
            "endpoints.onebot11.trust_group_admins"),
        .endpoint("a bot without a voice", "line: {channel_secret: \(strong)}", "endpoints.line"),
        .endpoint(
            "an end that is no time",
            "onebot11: {secret: \(strong), previous_secret: \(strong)9, previous_until: soon}",
            "endpoints.onebot11.previous_until"),
        .endpoint(
            "an end without a zone",
            "onebot11: {secret: \(strong), previous_secret: \(strong)9, previous_until: \"2027-01-31 00:00\"}",
            "endpoints.onebot11.previous_until"),
        .endpoint(
            "an old secret without an end", "onebot11: {secret: \(strong), previous_secret: \(strong)9}",
            "endpoints.onebot11.previous_until"),
        .endpoint(
            "one name twice", "onebot11: {secret: \(strong)}\n  onebot11: {secret: \(strong)}",
            "键“onebot11”写了不止一次"),
        .endpoint(
            "one setting twice", "onebot11: {secret: \(strong), secret: \(strong)}", "“secret”写了不止一次"),
        .endpoint("a misspelt setting", "onebot11: {secret: \(strong), acess_token: x}", "acess_token"),
        .endpoint(
            "a namespace that is none", "onebot11: {secret: \(strong), identity: \"q q\"}",
            "endpoints.onebot11.identity"),
        .endpoint(
            "a pause that is none", "onebot11: {secret: \(strong), reply_interval_ms: 60001}",
            "endpoints.onebot11.reply_interval_ms"),
        .endpoint("a secret file that is not there", "onebot11: {secret_file: none.txt}", "none.txt"),
        Fault(
            name: "a secret file that others may read", yaml: "endpoints:\n  onebot11: {secret_file: s.txt}\n",
            files: [("s.txt", strong, 0o644)], text: "endpoints.onebot11.secret_file"),
        Fault(
            name: "a weak secret in a file", yaml: "endpoints:\n  onebot11: {secret_file: s.txt}\n",
            files: [("s.txt", "123456\n", 0o600)], text: "endpoints.onebot11.secret"),
        Fault(
            name: "a weak secret in the environment", environment: ["HONGBAO_ENDPOINTS_ONEBOT11_SECRET": "changeme"],
            text: "endpoints.onebot11.secret"),
        Fault(name: "one port for both", yaml: "port: 8090\noperation_port: 8090\n", text: "operation_port"),
        Fault(name: "a port that is none", yaml: "port: 65536\n", text: "port"),
        Fault(name: "a port in other digits", environment: ["HONGBAO_PORT": "+80"], text: "port"),
        Fault(name: "half of TLS", yaml: "tls_certificate_file: a.pem\n", text: "tls_key_file"),
        Fault(
            name: "TLS files that are not there", yaml: "tls_certificate_file: a.pem\ntls_key_file: b.pem\n",
            text: "tls_certificate_file"),
        Fault(
            name: "a TLS key of another certificate", yaml: "tls_certificate_file: a.pem\ntls_key_file: b.pem\n",
            files: [("a.pem", TLSFiles.certificate, 0o644), ("b.pem", TLSFiles.otherKey, 0o600)],
            text: "tls_key_file: b.pem is not the key of the certificate in a.pem"),
        Fault(
            name: "a certificate for a TLS key", yaml: "tls_certificate_file: a.pem\ntls_key_file: a.pem\n",
            files: [("a.pem", TLSFiles.certificate, 0o600)],
            text: "tls_key_file: the file a.pem must hold a private key"),
        Fault(
            name: "TLS files that are none", yaml: "tls_certificate_file: a.pem\ntls_key_file: a.pem\n",
            files: [("a.pem", "no certificate", 0o600)], text: "tls_certificate_file"),
        Fault(name: "a short token secret", yaml: "player_token_secret: abc\n", text: "player_token_secret"),
        Fault(
            name: "a dull token secret",
            yaml: "player_token_secret: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", text: "player_token_secret"
        ),
        Fault(name: "an origin with a path", yaml: "cors_origins: [\"https://a.example/x\"]\n", text: "cors_origins"),
        Fault(name: "every origin", yaml: "cors_origins: [\"*\"]\n", text: "cors_origins"),
        Fault(name: "a proxy by name", yaml: "trusted_proxies: [proxy.example]\n", text: "trusted_proxies"),
        Fault(name: "a host that is none", yaml: "host: \"a b\"\n", text: "host"),
    ]

    @Test("hardening row 66: a weak secret or another fault stops the start by its name", arguments: faults)
    func aFaultInTheConfigurationStopsTheStartByItsName(_ fault: Fault) throws {
        let folder = try TemporaryFolder()
        _ = try folder.file("hongbao.yaml", fault.yaml)
        for (name, text, mode) in fault.files {
            let path = try folder.file(name, text)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        }
        let program = try Program(["serve", "--database", "a.db"], in: folder.path, environment: fault.environment)
        let result = try #require(program.finish(within: 20), "it starts")
        #expect(result.status == 1, "\(result.errors)")
        #expect(result.errors.contains(fault.text), "\(result.errors)")
        // Chinese first, English beside it, and nothing else.
        let lines = result.errors.split(separator: "\n")
        #expect(lines.count == 2, "\(result.errors)")
        #expect(lines.first?.unicodeScalars.contains { $0.properties.isIdeographic } == true)
        #expect(lines.last?.contains { $0.isASCII && $0.isLetter } == true)
        Self.expectNothingElse(in: result)
        for secret in [Self.strong, "changeme123456", "password123"] { #expect(!result.errors.contains(secret)) }
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/a.db"))
    }

    @Test(arguments: [("0.0.0.0", true), ("127.0.0.1", false), ("localhost", false)])
    func whoListensToTheWorldInTheClearIsWarned(_ host: String, _ isWarned: Bool) throws {
        let folder = try TemporaryFolder()
        let serve = try ServeProcess(in: folder, ["--host", host])
        #expect(serve.program.errorText.contains("注意：") == isWarned, "\(serve.program.errorText)")
        #expect(serve.program.errorText.contains("Warning: listening on \(host) without TLS") == isWarned)
        #expect(try serve.stop().status == 0)
        // Who names the proxy in front has seen to it.
        let behind = try ServeProcess(in: folder, ["--host", host], yaml: "trusted_proxies: [\"10.0.0.1\"]\n")
        #expect(!behind.program.errorText.contains("注意："))
        #expect(try behind.stop().status == 0)
    }

    // MARK: hongbao config

    @Test func secretsAreMaskedWhereverTheyComeFrom() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("s.txt", "file-" + Self.strong)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        _ = try folder.file(
            "hongbao.yaml",
            """
            cors_origins: ["https://play.example"]
            player_token_secret: yaml-\(Self.strong)
            endpoints:
              guild:
                platform: onebot11
                secret: yaml-\(Self.strong)
                previous_secret: past-\(Self.strong)
                previous_until: 2027-01-31T00:00:00Z
                access_token: yaml-\(Self.strong)
                api_url: http://127.0.0.1:5700
              second:
                platform: onebot11
                secret_file: s.txt

            """)
        let result = try Program.run(
            ["config"], in: folder.path,
            environment: [
                "HONGBAO_ENDPOINTS_TELEGRAM_SECRET_TOKEN": "env-" + Self.strong,
                "HONGBAO_ENDPOINTS_TELEGRAM_BOT_USERNAME": "DrawBot",
                "HONGBAO_ENDPOINTS_GUILD_ACCESS_TOKEN": "env-" + Self.strong,
            ])
        #expect(result.status == 0, "\(result.errors)")
        #expect(!(result.output + result.errors).contains(Self.strong), "\(result.output)")
        for line in [
            "cors_origins: [https://play.example]  # file", "player_token_secret: ********  # file",
            "endpoints.guild.secret: ********  # file", "endpoints.guild.previous_secret: ********  # file",
            "endpoints.guild.previous_until: 2027-01-31T00:00:00Z  # file",
            "endpoints.guild.access_token: ********  # environment",
            "endpoints.guild.api_url: http://127.0.0.1:5700  # file", "endpoints.second.secret: ********  # file",
            "endpoints.telegram.secret_token: ********  # environment",
            "endpoints.telegram.bot_username: DrawBot  # environment", "host: 127.0.0.1  # default",
        ] {
            #expect(result.lines.contains(line), "\(line) is not in \(result.output)")
        }
    }

    @Test func anEndpointMayStandInTheEnvironmentAlone() throws {
        let folder = try TemporaryFolder()
        let serve = try ServeProcess(
            in: folder,
            environment: [
                "HONGBAO_ENDPOINTS_WECHAT_OA_TOKEN": Self.strong,
                "HONGBAO_ENDPOINTS_WECHAT_OA_ENCODING_AES_KEY": "serveTestsWeChatKey0123456789ABCDEFGHIJKLMN",
                "HONGBAO_ENDPOINTS_WECHAT_OA_RECEIVE_ID": "wx0000000000000001",
            ])
        #expect(serve.program.errorText.contains("/webhook/wechat_oa (wechat_oa)"), "\(serve.program.errorText)")
        #expect(try serve.get("/webhook/wechat_oa").status == 401)
        #expect(try serve.get("/webhook/telegram").status == 404)
        #expect(try serve.stop().status == 0)
    }

    private static let privateWords = Canary.planted("私密的话，别写进日志", as: "words of a message")

    @Test func nothingOfASecretReachesTheLog() throws {
        let folder = try TemporaryFolder()
        let serve = try ServeProcess(in: folder, yaml: "log_level: trace\n" + WebhookSender.yaml)
        let client = try SocketClient(serve.port)
        _ = try WebhookSender.send("绑定 独行者", of: "1", id: "msg_1", on: client)
        _ = try client.ask(
            "POST", "/webhook/webhook", headers: ["webhook-signature": "v1,c2VjcmV0"], body: Self.privateWords)
        client.close()
        let result = try serve.stop()
        #expect(result.status == 0)
        for word in ["独行者", Self.privateWords, "c2VjcmV0", "whsec_", "webhook-signature"] {
            #expect(!result.errors.contains(word), "\(result.errors)")
        }
    }
}
