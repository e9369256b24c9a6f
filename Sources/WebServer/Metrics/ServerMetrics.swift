public import Activities
public import ChatPlatforms
public import Metrics
internal import TrafficGate

/// What the server counts. Labels come from closed sets only: never a user, a chat or a name.
public final class ServerMetrics: Sendable {
    /// What each metric means, for whoever reads `/metrics`.
    public static let help = [
        "hongbao_messages_total": "Messages answered, by platform and code.",
        "hongbao_draws_total": "Answers to draw commands, by code; one that came again counts once.",
        "hongbao_refusals_total": "Webhook requests refused, by platform and fault.",
        "hongbao_replies_total": "Replies that went out by calls, by platform and what became of them.",
        "hongbao_batch_requests": "Requests decided in one batch.",
        "hongbao_commit_duration_seconds": "From taking a batch to its commit.",
        "hongbao_waiting_requests": "Requests in front of the writer.",
        "hongbao_active_users": "Sessions that hold a place.",
        "hongbao_queued_users": "Sessions that wait.",
        "hongbao_open_connections": "Open connections of the main listener.",
    ]

    private let messages: [Platform: [OutcomeCode: Counter]]
    private let draws: [OutcomeCode: Counter]
    private let refusals: [Platform: [WebhookFault: Counter]]
    private let replies: [Platform: [Delivery: Counter]]
    private let batchSize: Recorder
    private let commitDuration: Metrics.Timer
    private let waiting: Gauge
    private let active: Gauge
    private let queued: Gauge
    let openConnections: Meter

    /// What a draw command is never answered.
    private static let codesOfOtherCommands: Set<OutcomeCode> = [.ok, .notPermitted, .unknownCommand]

    /// - Parameters:
    ///   - platforms: Those that have an endpoint; nothing is counted for others.
    ///   - factory: Where the figures are kept.
    public init(platforms: Set<Platform>, factory: any MetricsFactory) {
        func counters<Key: Hashable & CaseIterable & RawRepresentable<String>>(
            _ label: String, _ name: String, _ more: [(String, String)] = [], without left: Set<Key> = []
        ) -> [Key: Counter] {
            Dictionary(
                uniqueKeysWithValues: Key.allCases.filter { !left.contains($0) }.map { key in
                    (key, Counter(label: label, dimensions: more + [(name, key.rawValue)], factory: factory))
                })
        }
        func byPlatform<Key: Hashable & CaseIterable & RawRepresentable<String>>(
            _ label: String, _ name: String, without left: Set<Key> = []
        ) -> [Platform: [Key: Counter]] {
            Dictionary(
                uniqueKeysWithValues: platforms.map { platform in
                    (platform, counters(label, name, [("platform", platform.rawValue)], without: left))
                })
        }
        messages = byPlatform("hongbao_messages_total", "code")
        draws = counters("hongbao_draws_total", "code", without: Self.codesOfOtherCommands)
        refusals = byPlatform("hongbao_refusals_total", "fault")
        replies = byPlatform("hongbao_replies_total", "delivery", without: [.pending])
        batchSize = Recorder(label: "hongbao_batch_requests", factory: factory)
        commitDuration = Metrics.Timer(label: "hongbao_commit_duration_seconds", factory: factory)
        waiting = Gauge(label: "hongbao_waiting_requests", factory: factory)
        active = Gauge(label: "hongbao_active_users", factory: factory)
        queued = Gauge(label: "hongbao_queued_users", factory: factory)
        openConnections = Meter(label: "hongbao_open_connections", factory: factory)
    }

    /// - Parameter isDraw: Whether it was a draw command that had not come before.
    func count(_ code: OutcomeCode, _ platform: Platform, isDraw: Bool) {
        messages[platform]?[code]?.increment()
        if isDraw { countDraw(code) }
    }

    func countDraw(_ code: OutcomeCode) {
        draws[code]?.increment()
    }

    func count(_ fault: WebhookFault, _ platform: Platform) {
        refusals[platform]?[fault]?.increment()
    }

    func countReplies(_ count: Int, _ platform: Platform, _ delivery: Delivery) {
        replies[platform]?[delivery]?.increment(by: count)
    }

    /// Takes note of a batch; for the service's `onBatch`.
    public func note(_ report: BatchReport) {
        if report.requestCount > 0 {
            batchSize.record(report.requestCount)
            let (seconds, attoseconds) = report.duration.components
            commitDuration.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        }
        waiting.record(report.waitingCount)
        active.record(report.activeUsers)
        queued.record(report.queuedUsers)
    }
}
