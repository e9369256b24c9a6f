import Activities
import Basics
import Lottery
import TestSupport

extension TestBench {
    @discardableResult
    func command(_ command: Command, in place: ChatID? = groupChat, key: MessageKey? = nil) async throws -> Outcome {
        try await send(command, as: admin, in: place, isAdmin: true, key: key).outcome
    }

    /// Imports and opens.
    @discardableResult
    func open(_ activity: Activity = .sample()) async throws -> StartView? {
        library.put(activity, as: "\(activity.id).yaml")
        try await command(.importActivity(file: "\(activity.id).yaml"))
        return try await command(.start(activity: activity.id.text)).started
    }

    /// Binds `user` to a game id of their own and draws.
    @discardableResult
    func bindAndDraw(_ user: UserID, in place: ChatID? = groupChat) async throws -> Outcome {
        try await send(.bind("role of \(user)"), as: user, in: place)
        return try await send(.draw, as: user, in: place).outcome
    }
}
