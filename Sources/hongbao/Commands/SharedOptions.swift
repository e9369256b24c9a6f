internal import ArgumentParser
internal import OperatorSettings

/// What every command that reads the configuration takes.
struct SharedOptions: ParsableArguments {
    @Option(help: "配置文件，默认 ./hongbao.yaml。The configuration file.")
    var config: String?

    @Option(help: "数据库文件，默认 ./hongbao.db。The database file.")
    var database: String?

    @Option(help: "回复语言：zh-Hans、zh-Hant、en。The language of replies.")
    var language: String?

    /// The effective configuration with these options on top.
    func configuration(_ more: [String: [String]] = [:]) throws -> HongbaoConfiguration {
        var overrides = more
        if let database { overrides["database"] = [database] }
        if let language { overrides["language"] = [language] }
        return try HongbaoConfiguration(
            file: config ?? HongbaoConfiguration.defaultFile, isRequired: config != nil, overrides: overrides)
    }
}
