internal import Basics
internal import NIOConcurrencyHelpers

/// Where people can be told something that they did not just ask for: those who wait, and the admins.
///
/// Remembers the latest address of each. Bounded: beyond it nobody new is remembered, so some are not told.
final class AddressBook: Sendable {
    private static let capacity = 100_000
    private static let promotedCapacity = 10_000
    /// How long ago a promotion may be of which word came before it was noted that the user waits.
    private static let promotionSeconds: Int64 = 10

    private struct Waiting {
        var addresses: [UserID: StoredAddress] = [:]
        /// Promoted while no address was known.
        var promoted: [UserID: Instant] = [:]
    }

    private let waiting = NIOLockedValueBox(Waiting())
    private let admins = NIOLockedValueBox<[UserID: StoredAddress]>([:])

    /// Notes where somebody is who was told to wait.
    ///
    /// - Returns: Whether they were promoted already, which nobody could tell them: one batch may hold both.
    func noteWaiting(_ user: UserID, at address: StoredAddress, now: Instant) -> Bool {
        waiting.withLockedValue { waiting in
            if let promotedAt = waiting.promoted.removeValue(forKey: user),
                now.milliseconds(since: promotedAt) < Self.promotionSeconds * 1000
            {
                return true
            }
            if waiting.addresses.count < Self.capacity || waiting.addresses[user] != nil {
                waiting.addresses[user] = address
            }
            return false
        }
    }

    /// The address of somebody who waits no more.
    func takeWaiting(_ user: UserID, now: Instant) -> StoredAddress? {
        waiting.withLockedValue { waiting in
            if let address = waiting.addresses.removeValue(forKey: user) { return address }
            if waiting.promoted.count >= Self.promotedCapacity {
                waiting.promoted = waiting.promoted.filter {
                    now.milliseconds(since: $0.value) < Self.promotionSeconds * 1000
                }
            }
            if waiting.promoted.count < Self.promotedCapacity { waiting.promoted[user] = now }
            return nil
        }
    }

    /// Admins are configured, so they are few.
    func noteAdmin(_ user: UserID, at address: StoredAddress) {
        admins.withLockedValue { $0[user] = address }
    }

    var adminAddresses: [StoredAddress] {
        admins.withLockedValue { Array($0.values) }
    }
}
