internal import ArgumentParser
internal import OperatorSettings

/// `hongbao config`: what holds, and where it came from.
struct ConfigSubcommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "显示生效的配置及其来源。Prints the effective configuration and its origins.")

    @OptionGroup var shared: SharedOptions

    mutating func run() async throws {
        let configuration = try await shared.configuration()
        for (key, value, origin) in configuration.origins {
            print("\(key): \(value)  # \(origin.rawValue)")
        }
    }
}
