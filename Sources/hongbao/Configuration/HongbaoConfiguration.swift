internal import Activities
internal import Basics
internal import ChatCommands
internal import Configuration
internal import Foundation
internal import Logging

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
///
/// - Source: spec.md section 9.
struct HongbaoConfiguration: Sendable {
    static let defaultFile = "./hongbao.yaml"

    var database = "./hongbao.db"
    var admins: Set<UserID> = []
    var prefixes: [String] = []
    var botNames: [String] = []
    var suggestions = true
    var language = ReplyLanguage.simplifiedChinese
    var repliesFile: String?
    var activitiesFolder = "./activities"
    var exportsFolder = "./exports"
    var timeZone = "Asia/Shanghai"
    var logLevel = Logger.Level.warning

    /// The effective values in the order of ``keys``, each with where it came from.
    private(set) var origins: [(key: String, value: String, origin: Origin)] = []

    enum Origin: String, Sendable {
        case commandLine = "command line"
        case environment
        case file
        case standard = "default"
    }

    static let keys = [
        "database", "admins", "prefixes", "bot_names", "suggestions", "language", "replies_file",
        "activities_folder", "exports_folder", "time_zone", "log_level",
    ]
    private static let listKeys: Set<String> = ["admins", "prefixes", "bot_names"]

    /// Reads all layers.
    ///
    /// - Parameters:
    ///   - file: The configuration file; a missing one is no fault unless `isRequired`.
    ///   - overrides: What the command line gives; lists add to what the layers below say.
    /// - Throws: An ``OperatorMessage`` that names the key.
    init(file: String = defaultFile, isRequired: Bool = false, overrides: [String: [String]] = [:]) async throws {
        let fileProvider = try await ConfigurationFile.provider(file, isRequired: isRequired, keys: Self.keys)
        let layers: [(Origin, ConfigReader)] = [
            (.environment, ConfigReader(provider: EnvironmentVariablesProvider().prefixKeys(with: "hongbao"))),
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
        default: ""
        }
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
    static func user(_ text: String) -> UserID? {
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

    func replyWriter() throws -> ReplyWriter {
        var override: String?
        if let repliesFile {
            guard let data = try? RegularFile.contents(of: repliesFile, maximumSize: 1 << 20),
                let text = String(validating: data, as: UTF8.self)
            else {
                throw Self.invalid(
                    "replies_file", repliesFile, "可读的 UTF-8 文件，不超过 1 MiB", "a readable UTF-8 file of at most 1 MiB")
            }
            override = text
        }
        do {
            return try ReplyWriter(language: language, overriding: override, timeZone: timeZone)
        } catch {
            throw OperatorMessage(
                "文案文件 \(repliesFile ?? "") 有误：\(error)",
                "The reply texts in \(repliesFile ?? "") are not valid: \(error)")
        }
    }

    func parser() -> CommandParser {
        CommandParser(
            configuration: ParserConfiguration(
                prefixes: prefixes, botNames: botNames, suggestionsEnabled: suggestions))
    }
}
