import ChatPlatforms
import Foundation
import Resources
import Testing

/// What operators copy from docs/operations.md and deploy/ works.
@Suite struct OperationsDocumentTests {
    /// From an anchor to the next.
    private static func section(_ anchor: String) throws -> String {
        let parts = try Document.text("docs/operations.md").components(separatedBy: "<a id=\"").dropFirst()
        return try #require(parts.first { $0.hasPrefix(anchor + "\"") }, "there is no section \(anchor)")
    }

    /// The first block of a section with this info string.
    private static func block(_ info: String, of section: String) throws -> String {
        let blocks = Document.blocks(info, in: section)
        return try #require(blocks.first, "there is no block of \(info)")
    }

    /// `hongbao config` on `yaml`.
    private func configuration(
        _ yaml: String, environment: [String: String] = [:]
    ) throws -> Program.Result {
        let folder = try TemporaryFolder()
        _ = try folder.file("hongbao.yaml", yaml + "\n")
        return try Program.run(["config"], in: folder.path, environment: environment)
    }

    // MARK: The document

    @Test func everyLinkWithinTheDocumentLeadsSomewhere() throws {
        let document = try Document.text("docs/operations.md")
        let anchors = document.components(separatedBy: "<a id=\"").dropFirst().map { $0.prefix { $0 != "\"" } }
        let links = Set(document.components(separatedBy: "](#").dropFirst().map { $0.prefix { $0 != ")" } })
        #expect(Set(anchors).count == anchors.count)
        #expect(links.count > 20)
        #expect(links.isSubset(of: anchors), "\(links.subtracting(anchors))")
        #expect(links.isSuperset(of: anchors), "not in the contents: \(Set(anchors).subtracting(links))")
    }

    @Test func everyConfigurationShownIsTaken() throws {
        let blocks = Document.blocks("yaml", in: try Document.text("docs/operations.md"))
        #expect(blocks.count > Platform.allCases.count)
        for block in blocks {
            let result = try configuration(block)
            #expect(result.status == 0, "\(block)\n\(result.errors)")
            // Each line that sets something does set it.
            #expect(result.lines.contains { $0.hasSuffix("# file") }, "\(block)")
        }
    }

    @Test("hardening row 66: sample secrets are refused") func theSampleSecretsThemselvesAreRefused() throws {
        let blocks = Document.blocks("yaml", in: try Document.verbatimText("docs/operations.md"))
        let samples = blocks.filter { $0.contains("ReplaceMe") }
        #expect(samples.count >= Platform.allCases.count - 1)
        for block in samples {
            let result = try configuration(block)
            #expect(result.status == 1, "\(block)")
            #expect(result.errors.contains("太容易被猜到"), "\(block)\n\(result.errors)")
        }
    }

    @Test(arguments: Platform.allCases)
    func everyPlatformHasASectionThatNamesAllOfItsSettings(_ platform: Platform) throws {
        let section = try Self.section(platform.rawValue)
        for setting in platform.adapterType.settings {
            #expect(section.contains("`\(setting.name)`"), "\(platform.rawValue): \(setting.name)")
        }
        for part in ["**那边", "**通了", "**限制"] { #expect(section.contains(part), "\(platform.rawValue): \(part)") }
        let yaml = try Self.block("yaml", of: section)
        let lines = try configuration(yaml).lines
        let name = platform.rawValue
        #expect(
            lines.contains { $0.hasPrefix("endpoints.\(name).") || $0.contains(".platform: \(name) ") },
            "\(yaml) is no endpoint of \(name)")
    }

    @Test func everyPlatformStandsInTheTableOfNamespaces() throws {
        let admins = try Self.section("admins")
        for platform in Platform.allCases {
            let row = admins.split(separator: "\n").first { line in
                line.hasPrefix("| `") && line.split(separator: "|")[0].contains("`\(platform.rawValue)`")
            }
            let identity = platform.defaultIdentity ?? "red"
            #expect(
                row?.contains("`\(identity)`") == true || row?.contains("平台名") == true,
                "\(platform.rawValue): \(identity)")
        }
    }

    @Test func groupAdminsAreTrustedExactlyWhereTheDocumentSaysSo() throws {
        let admins = try Self.section("admins")
        let sentence = try #require(admins.split(separator: "\n\n").first { $0.hasPrefix("第 2 条") })
        for platform in Platform.allCases {
            #expect(
                sentence.contains("`\(platform.rawValue)`") == platform.adapterType.signsRoles, "\(platform.rawValue)")
        }
    }

    @Test func everyFaultIsExplained() throws {
        let logs = try Self.section("logs")
        for fault in WebhookFault.allCases { #expect(logs.contains("`\(fault.rawValue)`"), "\(fault.rawValue)") }
    }

    @Test(arguments: ["docs/operations.md", "README.md", "README.zh-CN.md"])
    func everyConfigurationKeyIsExplained(_ name: String) throws {
        let document = try Document.text(name)
        let keys = try configuration("").lines.compactMap { $0.split(separator: ":").first }
        #expect(keys.count > 15)
        for key in keys + ["endpoints"] { #expect(document.contains("`\(key)`"), "\(name): \(key)") }
    }

    // MARK: What it tells to run

    @Test func theRedPacketPagesLinesAreAnsweredAndNameEveryRoute() throws {
        // Given: the section's configuration, an activity that is open, and the program that signs tokens.
        let section = try Self.section("page")
        let script = try Self.block("sh", of: section)
        let folder = try TemporaryFolder()
        _ = try folder.file("hongbao.yaml", try Self.block("yaml", of: section))
        _ = try folder.file("player_token.py", try Self.block("python", of: section))
        _ = try folder.file(
            "all.yaml", "id: all\nname: 全服\nawards:\n  - {id: bao, prefix: 低保, name: 金币, kind: DI_BAO}\n")
        let opened = try Shell.run("hongbao activity import all.yaml && hongbao activity start 全服", in: folder.path)
        #expect(opened.status == 0, "\(opened.text)")
        // When: everything is typed as it stands, but for the port.
        let server = try RunningServer(in: folder)
        let curl = "set -e; curl() { command curl -sS --fail-with-body \"$@\"; echo; }; "
        let result = try Shell.run(
            curl + script.replacingOccurrences(of: "http://127.0.0.1:8080", with: server.address), in: folder.path)
        #expect(server.stop() == 0)
        // Then: each line is answered with success, and the draw wins.
        #expect(result.status == 0, "\(result.text)")
        let answers = result.text.split(separator: "\n")
        let calls = script.split(separator: "\n").filter { $0.hasPrefix("curl ") }
        #expect(answers.count == calls.count, "\(result.text)")
        #expect(answers.allSatisfy { $0.hasPrefix("{\"code\":200,\"msg\":\"success\"") }, "\(result.text)")
        #expect(answers.contains { $0.contains("\"code\":\"won\"") && $0.contains("\"receipt\":\"all-1\"") })
        #expect(answers.contains { $0.contains("\"wins\":[{") && $0.contains("剑侠客") })
        // And: these are the routes that there are.
        let description = try #require(
            try JSONSerialization.jsonObject(with: Data(ResourceFile.openAPI.bytes)) as? [String: Any])
        let routes = Set(try #require(description["paths"] as? [String: Any]).keys.filter { $0.hasPrefix("/api/") })
        let called = calls.compactMap { $0.components(separatedBy: "$SITE").last }
        #expect(Set(called) == routes)
        for route in routes { #expect(section.contains(" \(route)`"), "\(route) is not in the table") }
    }

    @Test func theProgramThatSignsWebhooksIsAnswered() throws {
        let section = try Self.section("webhook")
        let script = try Self.block("sh", of: section)
        let folder = try TemporaryFolder()
        _ = try folder.file("hongbao.yaml", try Self.block("yaml", of: section))
        _ = try folder.file("send.py", try Self.block("python", of: section))
        let server = try RunningServer(in: folder)
        let result = try Shell.run(
            "set -e; " + script.replacingOccurrences(of: "http://127.0.0.1:8080", with: server.address),
            in: folder.path)
        #expect(server.stop() == 0)
        #expect(result.status == 0, "\(result.text)")
        #expect(result.text.contains("绑定成功") && result.text.contains("现在没有开放的抽奖活动"), "\(result.text)")
    }

    /// With every folder in the test's own, without another user and without a service to stop: what `systemd-run` would
    /// run runs in the folder that it is given.
    private static func typed(_ text: String, in folder: TemporaryFolder) -> String {
        text.replacing(/\s*\\\n\s*/, with: " ")
            .replacing(/sudo systemd-run [^\n]*--working-directory=(\S+) [^\n]*(?=\/usr\/local\/bin\/hongbao )/) {
                "cd \($0.1) && "
            }
            .replacingOccurrences(of: "sudo install -d -m 0700 -o hongbao -g hongbao", with: "mkdir -p")
            .replacingOccurrences(of: "/var/backups/hongbao", with: folder.path + "/backups")
            .replacingOccurrences(of: "/var/lib/hongbao", with: folder.path)
            .replacingOccurrences(of: "/usr/local/bin/hongbao", with: Program.path)
            .replacingOccurrences(of: "/etc/hongbao", with: folder.path + "/etc")
            .replacingOccurrences(of: "sudo systemctl", with: "true")
    }

    /// Where the service's configuration lies for a test, which names a database of its own.
    private static func configure(_ folder: TemporaryFolder) throws {
        try FileManager.default.createDirectory(atPath: folder.path + "/etc", withIntermediateDirectories: false)
        _ = try folder.file("etc/hongbao.yaml", "database: service.db\n")
    }

    @Test func theChapterOnBackupsCanBeFollowed() throws {
        // Given somebody with an open activity, who makes a backup
        let section = try Self.section("backup")
        let steps = Document.blocks("sh", in: section)
        try #require(steps.count == 3)
        let folder = try TemporaryFolder()
        try Self.configure(folder)
        _ = try folder.file(
            "all.yaml", "id: all\nname: 全服\nawards:\n  - {id: bao, prefix: 低保, name: 金币, kind: DI_BAO}\n")
        // Who types the lines is anywhere.
        let elsewhere = try TemporaryFolder()
        func run(_ script: String, in place: TemporaryFolder) throws -> String {
            let result = try Shell.run("set -e; " + Self.typed(script, in: folder), in: place.path)
            #expect(result.status == 0, "\(script)\n\(result.text)")
            return result.text
        }
        func draw(_ user: Int) throws -> Int32 {
            let lines = ["绑定 角色", "抽奖"].map {
                #"{"platform":"qq","user":"\#(user)","chat":"g","text":"\#($0)"}"# + "\n"
            }
            return try Program.run(
                ["chat", "--json", "--database", "service.db"], in: folder.path, input: lines.joined()
            ).status
        }
        let database = "--database service.db"
        _ = try run(
            "hongbao activity import all.yaml \(database); hongbao activity start 全服 \(database)", in: folder)
        #expect(try draw(1) == 0)
        #expect(try run(steps[0], in: elsewhere).contains("✓ 已备份到"))
        // When it is restored after another draw, as the chapter says
        #expect(try draw(2) == 0)
        let restored = try Shell.run(Self.typed(steps[1], in: folder), in: elsewhere.path)
        #expect(restored.text.contains("换上的数据库是 \(folder.path)/service.db"), "\(restored.text)")
        #expect(restored.text.contains("all-2") && restored.text.contains("before-restore-"), "\(restored.text)")
        #expect(try draw(3) == 1)
        let confirmation = steps[2].replacingOccurrences(of: "--accept-lost-draws", with: "--accept-lost-draws --yes")
        #expect(try run(confirmation, in: elsewhere).contains("✓ 已确认"))
        #expect(try draw(3) == 0)
        #expect(try run("hongbao doctor --offline \(database)", in: folder).contains("✓ 账本成立"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: elsewhere.path).isEmpty)
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/hongbao.db"))
    }

    /// Every line of the chapter runs as the service does, and names its configuration.
    @Test func everyLineOfTheChapterOnBackupsIsWhole() throws {
        let check = try #require(
            Document.blocks("bash", in: try Self.section("service")).first { $0.contains("systemd-run") })
        let prefix = check.components(separatedBy: "/usr/local/bin/hongbao")[0]
        let blocks = Document.blocks("sh", in: try Self.section("backup"))
        let parts = blocks.flatMap { $0.components(separatedBy: "sudo ").filter { $0.contains("bin/hongbao ") } }
        #expect(parts.count == 4)
        for part in parts {
            // What asks needs a terminal.
            let line = "sudo " + part.replacingOccurrences(of: "--pty", with: "--pipe")
            #expect(line.hasPrefix(prefix) && line.contains(" --config /etc/hongbao/hongbao.yaml"), "\(line)")
            #expect(part.contains("--pty") == part.contains("--accept-lost-draws"), "\(part)")
        }
        let image = try Document.text("deploy/Dockerfile")
        #expect(image.contains("ENTRYPOINT [\"hongbao\"]") && image.contains("--uid 10001"))
        let docker = Document.blocks("bash", in: try Self.section("backup-docker")).joined(separator: "\n")
        for command in ["hongbao backup", "hongbao restore"] {
            #expect(docker.contains("\(command) --config /etc/hongbao/hongbao.yaml "), "\(docker)")
        }
    }

    @Test func theLinesForEveryDayMakeABackup() throws {
        let folder = try TemporaryFolder()
        try Self.configure(folder)
        #expect(try Program.run(["chat", "--json", "--database", "service.db"], in: folder.path).status == 0)
        #expect(
            try Shell.run("mkdir backups && touch -d '40 days ago' backups/hongbao-old.db", in: folder.path).status == 0
        )
        // cron gives the command to a shell, a percent sign without its backslash.
        let line = try Self.block("text", of: Self.section("backup"))
        let words = line.split(separator: " ", maxSplits: 5)
        #expect(words.prefix(5).joined(separator: " ") == "15 4 * * *")
        let command = try #require(words.last).replacingOccurrences(of: "\\%", with: "%")
        let cron = try Shell.run(
            Self.typed(command, in: folder), in: "/", environment: ["PATH": "/usr/bin:/bin"])
        #expect(cron.status == 0, "\(cron.text)")
        var names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/backups")
        #expect(names.count == 1 && names[0] != "hongbao-old.db", "\(names)")
        // systemd splits at spaces outside of quotes, and doubles percent signs.
        let unit = try Document.text("deploy/hongbao-backup.service").split(separator: "\n")
        let starts = unit.filter { $0.hasPrefix("ExecStart=") }.map { $0.dropFirst("ExecStart=".count) }
        #expect(starts.count == 2)
        for start in starts {
            let typed = Self.typed(start.replacingOccurrences(of: "%%", with: "%"), in: folder)
                .replacingOccurrences(of: "hongbao-*.db", with: "'hongbao-*.db'")
            let result = try Shell.run(typed, in: folder.path)
            #expect(result.status == 0, "\(typed)\n\(result.text)")
        }
        names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/backups")
        #expect(names.count == 2, "\(names)")
        for line in ["User=hongbao", "WorkingDirectory=/var/lib/hongbao", "NoNewPrivileges=true", "UMask=0077"] {
            #expect(unit.contains(Substring(line)), "\(line)")
        }
        let timer = try Document.text("deploy/hongbao-backup.timer")
        #expect(timer.contains("OnCalendar=*-*-* 04:15:00") && timer.contains("Persistent=true"))
    }

    @Test func everyMetricIsExplainedAndARefusalIsLoggedByItsFault() throws {
        let folder = try TemporaryFolder()
        let webhook = try Self.block("yaml", of: Self.section("webhook"))
        let logs = try Self.block("yaml", of: Self.section("logs"))
        _ = try folder.file("hongbao.yaml", logs + "\n" + webhook + "\n")
        let server = try RunningServer(in: folder)
        let refused = try Shell.run("curl -sS -d '{}' \(server.address)/webhook/webhook", in: folder.path)
        let metrics = try Shell.run("curl -sS --fail-with-body \(server.address)/metrics", in: folder.path)
        #expect(server.stop() == 0)
        #expect(refused.status == 0)
        #expect(metrics.status == 0)
        let names = metrics.text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map {
            $0.split(separator: " ")[2]
        }
        #expect(names.count > 8)
        let monitoring = try Self.section("monitoring")
        for name in names { #expect(monitoring.contains("`\(name)`"), "\(name)") }
        let log = try folder.text("serve.log")
        #expect(log.contains("webhook requests refused") && log.contains("fault=missing_signature"), "\(log)")
    }

    // MARK: deploy/

    @Test func theSampleConfigurationServesOnceItsSecretIsInTheEnvironment() throws {
        let folder = try TemporaryFolder()
        let file = try folder.file("sample.yaml", try Document.text("deploy/hongbao.yaml"))
        // Nobody starts with a secret that everybody can read: the sample has none.
        let bare = try Program.run(["serve", "--config", file], in: folder.path)
        #expect(bare.status == 1)
        #expect(bare.errors.contains("endpoints.onebot11.secret"), "\(bare.errors)")
        let variables = ["HONGBAO_ENDPOINTS_ONEBOT11_SECRET": "b1946ac92492d2347c6235b4d2611184"]
        let lines = try Program.run(["config", "--config", file], in: folder.path, environment: variables).lines
        #expect(lines.contains("endpoints.onebot11.secret: ********  # environment"))
        #expect(lines.contains("operation_port: 8081  # file"))
    }

    /// The line that checks a change does it as the unit would run it, and stands in the sample as in the document.
    @Test func aChangeIsCheckedAsTheServiceItself() throws {
        let block = try #require(
            Document.blocks("bash", in: try Self.section("service")).first { $0.contains("systemd-run") })
        let joined = block.replacing(/\s*\\\n\s*/, with: " ")
        let line = try #require(joined.split(separator: "\n").first { $0.contains("systemd-run") })
        let sample = try Document.text("deploy/hongbao.yaml").split(separator: "\n")
        #expect(sample.contains("#   " + line), "\(line)")
        let words = line.split(separator: " ").map(String.init)
        let options = words.filter { $0.hasPrefix("--") }
        let unit = try Document.text("deploy/hongbao.service").split(separator: "\n")
        let settings = Dictionary(
            unit.filter { $0.contains("=") }.map { line in
                let parts = line.split(separator: "=", maxSplits: 1).map(String.init)
                return (parts[0], parts.count > 1 ? parts[1] : "")
            }, uniquingKeysWith: { $1 })
        let variables = try #require(settings["EnvironmentFile"]).drop { $0 == "-" }
        #expect(options.contains("--uid=" + (settings["User"] ?? "")))
        #expect(options.contains("--working-directory=" + (settings["WorkingDirectory"] ?? "")))
        #expect(options.contains("--property=EnvironmentFile=\(variables)"))
        // What it runs is well once the secret is there, and finds what is not otherwise.
        let start = try #require(words.firstIndex(of: "/usr/local/bin/hongbao"))
        #expect(settings["ExecStart"]?.hasPrefix("/usr/local/bin/hongbao serve ") == true)
        let folder = try TemporaryFolder()
        let file = try folder.file("hongbao.yaml", try Document.text("deploy/hongbao.yaml"))
        let arguments = words[(start + 1)...].map { $0 == "/etc/hongbao/hongbao.yaml" ? file : $0 } + ["--offline"]
        #expect(arguments.first == "doctor")
        let secret = ["HONGBAO_ENDPOINTS_ONEBOT11_SECRET": "b1946ac92492d2347c6235b4d2611184"]
        #expect(try Program.run(arguments, in: folder.path, environment: secret).status == 0)
        #expect(try Program.run(arguments, in: folder.path).status == 1)
    }

    @Test func theVariablesThatTheDocumentNamesAreRead() throws {
        let section = try Self.section("configuration")
        let yaml = try Self.block("yaml", of: section)
        let variables = try Self.block("bash", of: section).split(separator: "\n")
        var environment: [String: String] = [:]
        for variable in variables {
            let parts = variable.split(separator: "=", maxSplits: 1).map(String.init)
            environment[parts[0]] = parts[1] == "…" ? "b1946ac92492d2347c6235b4d2611184" : parts[1]
        }
        let result = try configuration(yaml, environment: environment)
        #expect(result.status == 0, "\(result.errors)")
        let fromEnvironment = result.lines.filter { $0.hasSuffix("# environment") }
        #expect(fromEnvironment.count == variables.count, "\(result.output)")
        #expect(result.lines.contains("admins: [qq:10001, qq:10002]  # environment"))
    }

    @Test func theUnitAndTheImageStartTheSampleWithoutPrivileges() throws {
        let unit = try Document.text("deploy/hongbao.service").split(separator: "\n")
        for line in [
            "ExecStart=/usr/local/bin/hongbao serve --config /etc/hongbao/hongbao.yaml", "User=hongbao",
            "StateDirectory=hongbao", "NoNewPrivileges=true", "ProtectSystem=strict", "LimitCORE=0",
            "LimitNOFILE=65536", "TimeoutStopSec=30", "Restart=on-failure",
        ] {
            #expect(unit.contains(Substring(line)), "\(line)")
        }
        let image = try Document.text("deploy/Dockerfile").split(separator: "\n")
        #expect(image.contains("USER hongbao"))
        #expect(image.contains(#"CMD ["serve", "--config", "/etc/hongbao/hongbao.yaml"]"#))
    }
}
