internal import Activities
internal import Basics
internal import ChatCommands
internal import OperatorSettings

extension Runtime {
    /// Who the audit log names for what is done at the command line.
    private static let operatorUser = UserID("command-line:operator")

    /// Has an admin's command decided for the person at the command line.
    ///
    /// - Returns: The reply's text.
    /// - Throws: An ``OperatorMessage`` with the reply when it was refused.
    @discardableResult
    func command(_ command: Command) async throws -> String {
        let response = try await service.submit(
            Request(user: Self.operatorUser, chat: nil, role: .admin, content: .command(command)))
        let text = words.text(for: response, role: .admin)
        guard response.outcome.code == .ok else { throw RefusedCommand(text: text) }
        return text
    }
}

/// A reply that refuses, as the end of a command.
struct RefusedCommand: Error, CustomStringConvertible {
    let text: String

    var description: String { text }
}
