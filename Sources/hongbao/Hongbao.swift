internal import ArgumentParser
internal import Foundation

/// The command line. Exit codes: 0 done, 1 failed, 64 wrong usage.
///
/// - Source: spec.md section 9.
@main
struct Hongbao: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hongbao",
        abstract: "群聊抽奖与红包活动，每次结果都可验证。Prize draws in chat groups that every player can check.",
        version: "0.1.0",
        subcommands: [
            ChatSubcommand.self, ServeSubcommand.self, ActivitySubcommand.self, VerifySubcommand.self,
            SimulateSubcommand.self,
            ConfigSubcommand.self, DoctorSubcommand.self, BackupSubcommand.self, RestoreSubcommand.self,
        ])

    static func main() async {
        // However odd the environment: what is written here, nobody else may change.
        umask(umask(0) | 0o022)
        await main(nil)
    }
}
