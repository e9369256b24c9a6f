public import Basics

/// One row of `redpacket_traffic_stats`: how things stand, and what happened since the row before.
public struct GateStatistics: Hashable, Sendable {
    public var at: Instant
    /// After the tick's expiries and promotions.
    public var activeUsers: Int
    /// After the tick's expiries and promotions.
    public var queuedUsers: Int
    /// Players' requests since the last row.
    public var totalRequests: Int
    /// Of these, refused for maintenance, block or limits.
    public var rejectedRequests: Int
    /// Mean of `leave_time - join_time`, rounded, over the sessions that were active and ended since the last row; nil
    /// when there was none.
    public var averageSessionSeconds: Int?

    public init(
        at: Instant, activeUsers: Int, queuedUsers: Int, totalRequests: Int, rejectedRequests: Int,
        averageSessionSeconds: Int?
    ) {
        self.at = at
        self.activeUsers = activeUsers
        self.queuedUsers = queuedUsers
        self.totalRequests = totalRequests
        self.rejectedRequests = rejectedRequests
        self.averageSessionSeconds = averageSessionSeconds
    }
}

/// What 流量 shows.
public struct GateSummary: Hashable, Sendable, Codable {
    public var activeUsers: Int
    public var queuedUsers: Int
    /// How many may be active now.
    public var capacity: Int
    public var maintenance: Bool
    /// Since the last statistics row, or the start of the process.
    public var totalRequests: Int
    /// Since the last statistics row, or the start of the process.
    public var rejectedRequests: Int
    /// Mean over the last ``Gate/summaryRowCount`` rows and what ended since; nil when no active session ended.
    public var averageSessionSeconds: Int?
    /// What a newcomer would wait; unknown when nothing has been measured.
    public var wait: WaitEstimate

    public init(
        activeUsers: Int, queuedUsers: Int, capacity: Int, maintenance: Bool, totalRequests: Int,
        rejectedRequests: Int, averageSessionSeconds: Int?, wait: WaitEstimate
    ) {
        self.activeUsers = activeUsers
        self.queuedUsers = queuedUsers
        self.capacity = capacity
        self.maintenance = maintenance
        self.totalRequests = totalRequests
        self.rejectedRequests = rejectedRequests
        self.averageSessionSeconds = averageSessionSeconds
        self.wait = wait
    }
}

/// Sum and count of ended sessions, for their mean.
struct SessionLengths: Sendable {
    private(set) var count = 0
    private var milliseconds: Int64 = 0

    /// The column is a 32-bit INT, and a clock set back or forth can make any length.
    private static let longest = Int64(Int32.max) * 1000

    /// - Parameter length: In milliseconds; less than zero counts as zero.
    mutating func add(_ length: Int64) {
        count += 1
        milliseconds = saturatingSum(milliseconds, min(max(length, 0), Self.longest))
    }

    mutating func add(_ other: SessionLengths) {
        count += other.count
        milliseconds = saturatingSum(milliseconds, other.milliseconds)
    }

    /// In seconds, a half rounded up; nil without sessions.
    var meanSeconds: Int? {
        count == 0 ? nil : Int((milliseconds / Int64(count) + 500) / 1000)
    }

    private func saturatingSum(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }
}
