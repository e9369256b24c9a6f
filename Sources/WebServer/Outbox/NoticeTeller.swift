internal import Activities
internal import Basics
internal import ChatCommands
internal import ChatPlatforms
internal import Logging
internal import ServiceLifecycle

/// Tells people in chat what happened without their asking: whoever waited that it is their turn, admins what the
/// schedule did. Only where the platform allows that and an address is known.
struct NoticeTeller: Service {
    private static let waitingSeconds: Int64 = 86_400

    let service: ActivityService
    let dispatcher: ReplyDispatcher
    let addressBook: AddressBook
    let words: ReplyWriter
    let clock: WallClock
    let logger: Logger

    func take(_ notice: ActivityStateMachine.Notice) {
        switch notice {
        case .promoted(let user):
            if let address = addressBook.takeWaiting(user, now: clock()) { say(words.text(for: notice), address) }
        case .openedBySchedule, .closedBySchedule, .scheduleConflict, .scheduleMissed, .configurationIgnored:
            for address in addressBook.adminAddresses { say(words.text(for: notice), address) }
        }
    }

    /// Notes that somebody waits; if their turn has come meanwhile, they are told so.
    func noteWaiting(_ user: UserID, at address: StoredAddress) {
        if addressBook.noteWaiting(user, at: address, now: clock()) {
            say(words.text(for: .promoted(user)), address)
        }
    }

    private func say(_ text: String, _ address: StoredAddress) {
        guard dispatcher.canPush(through: address.endpoint) else { return }
        dispatcher.mention(text, to: address)
    }

    /// Finds out who waited when the process before ended.
    func run() async throws {
        let since = clock().advanced(bySeconds: -Self.waitingSeconds)
        do {
            let waiting = try await service.destinationsOfQueuedUsers(since: since, limit: AddressBook.capacity)
            for (user, destination) in waiting {
                if let address = StoredAddress(destination) { noteWaiting(user, at: address) }
            }
        } catch {
            logger.error("those who wait cannot be told of their turn", metadata: ["error": "\(error)"])
        }
        try? await gracefulShutdown()
    }
}

/// Closes the connections of calls out when everything else has stopped.
struct ClientCloser: Service {
    let client: OutboundClient

    func run() async throws {
        try? await gracefulShutdown()
        await client.shutDown()
    }
}
