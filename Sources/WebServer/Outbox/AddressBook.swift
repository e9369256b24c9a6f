internal import Basics
internal import NIOConcurrencyHelpers

/// Where people can be told something that they did not just ask for: those who wait, and the admins.
///
/// Remembers the latest address of each. Bounded: beyond it nobody new is remembered, so some are not told.
final class AddressBook: Sendable {
    private static let capacity = 100_000

    private let waiting = NIOLockedValueBox<[UserID: StoredAddress]>([:])
    private let admins = NIOLockedValueBox<[UserID: StoredAddress]>([:])

    func noteWaiting(_ user: UserID, at address: StoredAddress) {
        waiting.withLockedValue { waiting in
            if waiting.count < Self.capacity || waiting[user] != nil { waiting[user] = address }
        }
    }

    /// The address of somebody who waits no more.
    func takeWaiting(_ user: UserID) -> StoredAddress? {
        waiting.withLockedValue { $0.removeValue(forKey: user) }
    }

    /// Admins are configured, so they are few.
    func noteAdmin(_ user: UserID, at address: StoredAddress) {
        admins.withLockedValue { $0[user] = address }
    }

    var adminAddresses: [StoredAddress] {
        admins.withLockedValue { Array($0.values) }
    }
}
