internal import Activities
internal import Basics
internal import Foundation

/// What a person at a terminal sees around the answers.
enum Terminal {
    /// Whether a person types and reads.
    static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }
    /// Whether standard error is read by a person.
    static var hasErrorReader: Bool { isatty(STDERR_FILENO) == 1 }

    static func prompt(_ user: UserID) -> String {
        "\u{1B}[2m\(user)>\u{1B}[0m "
    }

    static func reply(_ text: String, _ code: OutcomeCode, colored: Bool) -> String {
        guard colored else { return text + "\n" }
        let color =
            switch code {
            case .won: "\u{1B}[1;31m"
            case .ok, .missed, .alreadyWon, .queued: "\u{1B}[32m"
            case .gameIDUsed, .attemptsUsed, .notBound, .noActivity, .blocked, .maintenance, .rateLimited, .busy,
                .notPermitted, .unknownCommand, .badArgument, .ignored:
                "\u{1B}[33m"
            }
        return "\(color)\(text)\u{1B}[0m\n"
    }
}
