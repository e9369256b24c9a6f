/// What a person may do where they speak.
public enum Role: Hashable, Sendable, CaseIterable {
    case player
    /// Leads the chat, as a signed payload of the platform says. Such a person may start, stop, change stock and void,
    /// in activities whose scope is exactly this chat.
    case chatAdmin
    /// Configured by the operator.
    case admin

    /// Whether the command is this person's to run. For a ``chatAdmin`` it further depends on the activity.
    public func mayRun(_ name: CommandName) -> Bool {
        switch self {
        case .player: !name.isForAdmins
        case .chatAdmin: !name.isForAdmins || [.start, .stop, .setNumber, .void].contains(name)
        case .admin: true
        }
    }
}
