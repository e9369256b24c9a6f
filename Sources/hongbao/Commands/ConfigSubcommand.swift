internal import ArgumentParser
internal import OperatorSettings

/// `hongbao config`: what holds, and where it came from.
struct ConfigSubcommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "显示生效的配置及其来源。Prints the effective configuration and its origins.")

    @OptionGroup var shared: SharedOptions

    func run() throws {
        let configuration = try shared.configuration()
        for (key, value, origin) in configuration.origins {
            print("\(key): \(value)  # \(origin.rawValue)")
        }
    }
}
