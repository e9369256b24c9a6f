internal import Basics
internal import ChatPlatforms
internal import Logging
internal import NIOConcurrencyHelpers

/// Tells operators that requests are refused, without letting whoever sends them fill the log: a line a minute for each
/// endpoint and fault, with the number of those before it.
final class RefusalLog: Sendable {
    private struct Kind: Hashable {
        let endpoint: String
        let fault: WebhookFault
    }

    private static let intervalSeconds: Int64 = 60

    private let logger: Logger
    private let untold = NIOLockedValueBox<[Kind: (count: Int, toldAt: Instant)]>([:])

    init(logger: Logger) {
        self.logger = logger
    }

    func note(_ fault: WebhookFault, _ endpoint: String, now: Instant) {
        let count = untold.withLockedValue { untold -> Int? in
            let kind = Kind(endpoint: endpoint, fault: fault)
            guard let last = untold[kind] else {
                untold[kind] = (0, now)
                return 1
            }
            guard now.milliseconds(since: last.toldAt) >= Self.intervalSeconds * 1000 else {
                untold[kind] = (last.count + 1, last.toldAt)
                return nil
            }
            untold[kind] = (0, now)
            return last.count + 1
        }
        guard let count else { return }
        logger.warning(
            "webhook requests refused",
            metadata: ["endpoint.name": "\(endpoint)", "fault": "\(fault.rawValue)", "count": "\(count)"])
    }
}
