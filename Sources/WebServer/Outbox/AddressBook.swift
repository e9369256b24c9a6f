internal import Basics
internal import NIOConcurrencyHelpers

/// Where people can be told something that they did not just ask for: those who wait, and the admins.
///
/// Remembers the latest address of each. Bounded: beyond it nobody new is remembered, so some are not told.
final class AddressBook: Sendable {
    static let capacity = 100_000
    private static let promotedCapacity = 10_000
    /// How long ago a promotion may be of which word came before it was noted that the user waits.
    private static let promotionSeconds: Int64 = 10
    /// Nobody waits as long; they have gone without a word.
    private static let waitingSeconds: Int64 = 86_400

    private struct Waiting {
        var addresses: [UserID: (address: StoredAddress, notedAt: Instant)] = [:]
        /// When the book was full and nobody could be left out.
        var foundFullAt: Instant?
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
            if waiting.addresses[user] == nil { Self.makeRoom(in: &waiting, now: now) }
            if waiting.addresses.count < Self.capacity || waiting.addresses[user] != nil {
                waiting.addresses[user] = (address, now)
            }
            return false
        }
    }

    /// Leaves out who has gone, when the book is full; not more often than every minute, since it looks at everybody.
    private static func makeRoom(in waiting: inout Waiting, now: Instant) {
        guard waiting.addresses.count >= capacity else { return }
        if let last = waiting.foundFullAt, (0..<60_000).contains(now.milliseconds(since: last)) { return }
        waiting.foundFullAt = now
        waiting.addresses = waiting.addresses.filter {
            now.milliseconds(since: $0.value.notedAt) < waitingSeconds * 1000
        }
    }

    /// Forgets where somebody is.
    func forget(_ user: UserID) {
        waiting.withLockedValue { waiting in
            waiting.addresses[user] = nil
            waiting.promoted[user] = nil
        }
        admins.withLockedValue { $0[user] = nil }
    }

    /// The address of somebody who waits no more.
    func takeWaiting(_ user: UserID, now: Instant) -> StoredAddress? {
        waiting.withLockedValue { waiting in
            if let noted = waiting.addresses.removeValue(forKey: user) { return noted.address }
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
