internal import Activities
package import Basics
package import ChatCommands
package import ChatPlatforms
internal import Configuration
internal import Foundation
package import Logging

/// What an operator sets: command line over `HONGBAO_*` environment over `hongbao.yaml` over the defaults.
///
/// | key | type | default | range |
/// |---|---|---|---|
/// | `database` | path | `./hongbao.db` | |
/// | `admins` | list of users | none | each `namespace:id` |
/// | `prefixes` | list of words | none | each 1–20 characters |
/// | `bot_names` | list of words | none | each 1–40 characters |
/// | `suggestions` | switch | `true` | `true`, `false` |
/// | `language` | tag | `zh-Hans` | `zh-Hans`, `zh-Hant`, `en` |
/// | `replies_file` | path | none | YAML of reply texts that take the place of the built-in ones |
/// | `activities_folder` | path | `./activities` | |
/// | `exports_folder` | path | `./exports` | |
/// | `time_zone` | zone | `Asia/Shanghai` | times in replies |
/// | `log_level` | level | `warning` | `trace` … `critical` |
/// | `host` | address | `127.0.0.1` | where `hongbao serve` listens |
/// | `port` | number | `8080` | 0…65535, 0: any free one |
/// | `operation_port` | number | none | 1…65535: `/healthz`, `/readyz` and `/metrics` on a loopback port of their own |
/// | `tls_certificate_file`, `tls_key_file` | paths | none | PEM; both or neither |
/// | `cors_origins` | list of origins | none | each `https://host[:port]` |
/// | `trusted_proxies` | list of addresses | none | whose `X-Forwarded-For` counts |
/// | `player_token_secret` | secret | none | at least 32 bytes; signs the tokens of web players |
/// | `endpoints` | see ``EndpointReader`` | none | one per chat platform's bot |
///
/// - Source: spec.md section 9.
package struct HongbaoConfiguration: Sendable {
    package static let defaultFile = "./hongbao.yaml"

    package var database = "./hongbao.db"
    package var admins: Set<UserID> = []
    package var prefixes: [String] = []
    package var botNames: [String] = []
    package var suggestions = true
    package var language = ReplyLanguage.simplifiedChinese
    package var repliesFile: String?
    package var activitiesFolder = "./activities"
    package var exportsFolder = "./exports"
    package var timeZone = "Asia/Shanghai"
    package var logLevel = Logger.Level.warning
    package var host = "127.0.0.1"
    package var port = 8080
    package var operationPort: Int?
    package var tlsCertificateFile: String?
    package var tlsKeyFile: String?
    package var corsOrigins: [String] = []
    package var trustedProxies: [String] = []
    package var playerTokenSecret: String?
    package var endpoints: [Endpoint] = []

    /// The effective values in the order of ``keys``, each with where it came from.
    package private(set) var origins: [(key: String, value: String, origin: Origin)] = []

    package enum Origin: String, Sendable {
        case commandLine = "command line"
        case environment
        case file
        case standard = "default"
    }

    static let keys = [
        "database", "admins", "prefixes", "bot_names", "suggestions", "language", "replies_file",
        "activities_folder", "exports_folder", "time_zone", "log_level", "host", "port", "operation_port",
        "tls_certificate_file", "tls_key_file", "cors_origins", "trusted_proxies", "player_token_secret",
    ]
    private static let listKeys: Set<String> = [
        "admins", "prefixes", "bot_names", "cors_origins", "trusted_proxies",
    ]

    /// Reads all layers.
    ///
    /// - Parameters:
    ///   - file: The configuration file; a missing one is no fault unless `isRequired`.
    ///   - overrides: What the command line gives; lists add to what the layers below say.
    /// - Throws: An ``OperatorMessage`` that names the key.
    package init(
        file: String = defaultFile, isRequired: Bool = false, overrides: [String: [String]] = [:]
    ) throws {
        try self.init(
            contents: try ConfigurationFile.contents(of: file, isRequired: isRequired), file: file,
            environment: ProcessInfo.processInfo.environment, overrides: overrides)
    }

    /// Reads layers that are in memory. Files that a setting names (`<secret>_file`) are read where they are.
    ///
    /// - Parameters:
    ///   - contents: What stands in the configuration file; nil when there is none.
    ///   - file: What the file is called in messages.
    ///   - environment: All variables; those without `HONGBAO_` in front are not looked at.
    /// - Throws: As ``init(file:isRequired:overrides:)``.
    package init(
        contents: [UInt8]?, file: String, environment: [String: String], overrides: [String: [String]] = [:]
    ) throws {
        let (fileProvider, endpointNames) = try ConfigurationFile.read(contents, file, keys: Self.keys)
        let environmentProvider = EnvironmentVariablesProvider(environmentVariables: environment)
        let layers: [(Origin, ConfigReader)] = [
            (.environment, ConfigReader(provider: environmentProvider.prefixKeys(with: "hongbao"))),
            (.file, ConfigReader(provider: fileProvider)),
        ]
        for key in Self.keys {
            var values: [String] = []
            var origin = Origin.standard
            if let given = overrides[key], !given.isEmpty {
                (values, origin) = (given, .commandLine)
            }
            // Admins named on the command line come on top of the configured ones; anything else takes their place.
            if origin == .standard || key == "admins" {
                for (layer, reader) in layers {
                    guard let found = try Self.values(of: key, in: reader, layer) else { continue }
                    values += found
                    if origin == .standard { origin = layer }
                    break
                }
            }
            try apply(key, values, origin)
        }
        if (tlsCertificateFile == nil) != (tlsKeyFile == nil) {
            throw OperatorMessage(
                "tls_certificate_file 和 tls_key_file 要么都写，要么都不写。",
                "Set both tls_certificate_file and tls_key_file, or neither.")
        }
        if let operationPort, operationPort == port {
            throw OperatorMessage(
                "operation_port 和 port 都是 \(port)，请换一个。",
                "operation_port and port are both \(port); choose another for one of them.")
        }
        for endpoint in try EndpointReader(layers: layers).endpoints(named: endpointNames) {
            endpoints.append(endpoint.endpoint)
            origins += endpoint.origins
        }
    }

    private static func values(of key: String, in reader: ConfigReader, _ origin: Origin) throws -> [String]? {
        let configKey = ConfigKey(key)
        if listKeys.contains(key) {
            if let list = reader.stringArray(forKey: configKey) { return list }
            if let text = reader.string(forKey: configKey) {
                throw invalid(key, text, "一个列表，例如 [\"qq:10001\"]", "a list such as [\"qq:10001\"]")
            }
            return nil
        }
        if let text = reader.string(forKey: configKey) { return [text] }
        if let list = reader.stringArray(forKey: configKey) {
            throw invalid(key, "[\(list.joined(separator: ", "))]", "单个值，而不是列表", "a single value, not a list")
        }
        return nil
    }

    private mutating func apply(_ key: String, _ values: [String], _ origin: Origin) throws {
        let value = values.first
        if origin != .standard {
            switch key {
            case "database": database = try Self.path(key, value)
            case "activities_folder": activitiesFolder = try Self.path(key, value)
            case "exports_folder": exportsFolder = try Self.path(key, value)
            case "replies_file": repliesFile = try Self.path(key, value)
            case "admins":
                for admin in values {
                    guard let user = Self.user(admin) else {
                        throw Self.invalid(key, admin, "形如 qq:10001 的用户", "users such as qq:10001")
                    }
                    admins.insert(user)
                }
            case "prefixes": prefixes = try Self.words(key, values, maximumLength: 20)
            case "bot_names": botNames = try Self.words(key, values, maximumLength: 40)
            case "suggestions":
                guard let flag = value.flatMap({ Bool($0.lowercased()) }) else {
                    throw Self.invalid(key, value, "true 或 false", "true or false")
                }
                suggestions = flag
            case "language":
                guard let tag = value.flatMap({ ReplyLanguage(rawValue: $0) }) else {
                    let tags = ReplyLanguage.allCases.map(\.rawValue)
                    throw Self.invalid(
                        key, value, tags.joined(separator: "、"), "one of \(tags.joined(separator: ", "))")
                }
                language = tag
            case "time_zone":
                guard let name = value, TimeZone(identifier: name) != nil else {
                    throw Self.invalid(key, value, "时区名，例如 Asia/Shanghai", "a time zone such as Asia/Shanghai")
                }
                timeZone = name
            case "log_level":
                guard let level = value.flatMap({ Logger.Level(rawValue: $0) }) else {
                    let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
                    throw Self.invalid(key, value, levels, "one of \(levels)")
                }
                logLevel = level
            case "host":
                guard let host = value, !host.isEmpty, host.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
                    throw Self.invalid(
                        key, value, "地址，例如 127.0.0.1 或 0.0.0.0", "an address such as 127.0.0.1 or 0.0.0.0")
                }
                self.host = host
            case "port": port = try Self.port(key, value, from: 0)
            case "operation_port": operationPort = try Self.port(key, value, from: 1)
            case "tls_certificate_file": tlsCertificateFile = try Self.path(key, value)
            case "tls_key_file": tlsKeyFile = try Self.path(key, value)
            case "cors_origins":
                for origin in values where !Self.isOrigin(origin) {
                    throw Self.invalid(
                        key, origin, "形如 https://example.com 的来源，末尾不带斜线",
                        "origins such as https://example.com, without a slash at the end")
                }
                corsOrigins = values
            case "trusted_proxies":
                for address in values where !Self.isAddress(address) {
                    throw Self.invalid(key, address, "IP 地址，例如 127.0.0.1", "addresses such as 127.0.0.1")
                }
                trustedProxies = values
            case "player_token_secret":
                guard let secret = value, secret.utf8.count >= 32 else {
                    throw OperatorMessage(
                        "配置项 player_token_secret 至少 32 字节，可用 openssl rand -hex 32 生成。",
                        "player_token_secret must have at least 32 bytes; openssl rand -hex 32 makes one.")
                }
                try SecretStrength.check(secret, key: key)
                playerTokenSecret = secret
            default: preconditionFailure("\(key) is not a key")
            }
        }
        origins.append((key, effectiveText(of: key), origin))
    }

    private func effectiveText(of key: String) -> String {
        switch key {
        case "database": database
        case "activities_folder": activitiesFolder
        case "exports_folder": exportsFolder
        case "replies_file": repliesFile ?? ""
        case "admins": "[" + admins.sorted().map(\.text).joined(separator: ", ") + "]"
        case "prefixes": "[" + prefixes.joined(separator: ", ") + "]"
        case "bot_names": "[" + botNames.joined(separator: ", ") + "]"
        case "suggestions": String(suggestions)
        case "language": language.rawValue
        case "time_zone": timeZone
        case "log_level": logLevel.rawValue
        case "host": host
        case "port": String(port)
        case "operation_port": operationPort.map { String($0) } ?? ""
        case "tls_certificate_file": tlsCertificateFile ?? ""
        case "tls_key_file": tlsKeyFile ?? ""
        case "cors_origins": "[" + corsOrigins.joined(separator: ", ") + "]"
        case "trusted_proxies": "[" + trustedProxies.joined(separator: ", ") + "]"
        case "player_token_secret": playerTokenSecret == nil ? "" : Self.mask
        default: ""
        }
    }

    /// What stands for a secret.
    package static let mask = "********"

    private static func port(_ key: String, _ value: String?, from minimum: Int) throws -> Int {
        guard let value, let port = Int(value), (minimum...65_535).contains(port), String(port) == value else {
            throw invalid(key, value, "\(minimum)–65535 的整数", "a number from \(minimum) to 65535")
        }
        return port
    }

    /// Of IP in either version, without a port; one of version 6 may name its interface (`fe80::1%eth0`).
    private static func isAddress(_ text: String) -> Bool {
        guard !text.utf8.contains(0) else { return false }
        var address = in6_addr()
        if inet_pton(AF_INET, text, &address) == 1 { return true }
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        return inet_pton(AF_INET6, String(parts[0]), &address) == 1 && parts.last?.isEmpty == false
    }

    private static func isOrigin(_ text: String) -> Bool {
        guard let url = OutboundURL(text) else { return false }
        return url.path.isEmpty && url.query.isEmpty && !text.hasSuffix("/") && url.text == text
    }

    private static func path(_ key: String, _ value: String?) throws -> String {
        guard let value, !value.isEmpty, !value.contains("\0") else {
            throw invalid(key, value, "文件或文件夹的路径", "a path")
        }
        return value
    }

    private static func words(_ key: String, _ values: [String], maximumLength: Int) throws -> [String] {
        for value in values where !(1...maximumLength).contains(value.unicodeScalars.count) {
            throw invalid(key, value, "1–\(maximumLength) 个字的词", "words of 1–\(maximumLength) characters")
        }
        return values
    }

    /// A `namespace:id`, as users are named in configuration and on the command line.
    package static func user(_ text: String) -> UserID? {
        let user = UserID(text)
        guard !user.namespace.isEmpty, user.namespace.utf8.count < text.utf8.count - 1, text.utf8.count <= 160,
            text.unicodeScalars.allSatisfy({ isPrintable($0) })
        else { return nil }
        return user
    }

    private static func invalid(
        _ key: String, _ value: String?, _ chinese: String, _ english: String
    ) -> OperatorMessage {
        let shown = value.map { "“\($0)”" } ?? ""
        return OperatorMessage(
            "配置项 \(key) 的值\(shown)无效，应为：\(chinese)。什么都没有改动。",
            "The value \(shown) of \(key) is not valid; expected: \(english). Nothing was changed.")
    }

    // MARK: What follows from it

    package func replyWriter() throws -> ReplyWriter {
        var override: String?
        if let repliesFile {
            guard let data = try? RegularFile.contents(of: repliesFile, maximumSize: 1 << 20) else {
                throw Self.invalid(
                    "replies_file", repliesFile, "可读的 UTF-8 文件，不超过 1 MiB", "a readable UTF-8 file of at most 1 MiB")
            }
            override = try ConfigurationFile.plainText(Array(data), repliesFile)
        }
        do {
            return try ReplyWriter(language: language, overriding: override, timeZone: timeZone)
        } catch {
            throw OperatorMessage(
                "文案文件 \(repliesFile ?? "") 有误：\(error)",
                "The reply texts in \(repliesFile ?? "") are not valid: \(error)")
        }
    }

    package func parser() -> CommandParser {
        CommandParser(
            configuration: ParserConfiguration(
                prefixes: prefixes, botNames: botNames, suggestionsEnabled: suggestions))
    }
}
