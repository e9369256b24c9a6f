internal import Basics

/// What `hongbao doctor` says about the clock.
enum ClockFindings {
    /// How far the clock may lie behind what stands in the database: two clocks are never quite the same.
    static let toleranceSeconds: Int64 = 60
    /// Signed messages are good for 300 s; long before that somebody should look.
    static let platformToleranceSeconds: Int64 = 30
    /// 2025 and 2100: no clock that is set lies outside.
    private static let plausibleRange =
        Instant(milliseconds: 1_735_689_600_000)..<Instant(milliseconds: 4_102_444_800_000)

    /// Nothing when the year can be right.
    static func plausible(_ now: Instant) -> [Finding] {
        if plausibleRange.contains(now) { return [] }
        let text = now.dateTimeText().prefix(10)
        return [
            .bad(
                "系统时钟是 \(text)，不可能对：请用 timedatectl 校准，再启动",
                "The clock says \(text), which cannot be: set it (timedatectl) before anything starts")
        ]
    }

    /// - Parameter latest: The latest moment in the database; nil: it has none.
    static func since(_ latest: Instant?, now: Instant) -> Finding {
        guard let latest else { return .good("系统时钟 \(text(now)) UTC", "The clock says \(text(now)) UTC") }
        let behind = latest.milliseconds(since: now) / 1000
        if behind > toleranceSeconds {
            return .bad(
                "系统时钟 \(text(now)) UTC 比数据库里最后一条记录早 \(behind) 秒：请用 timedatectl 校准；"
                    + "时钟没错的话，就是以前快过，账本的时间会停在那里，直到追上",
                "The clock, \(text(now)) UTC, is \(behind) s before the last entry of the database: set it (timedatectl); if "
                    + "it is right, it was ahead once, and the ledgers' times stand still until it has caught up")
        }
        return .good("系统时钟 \(text(now)) UTC，在数据库最后一条记录之后", "The clock says \(text(now)) UTC, after the last entry")
    }

    /// Nothing when the platform's time is ours.
    ///
    /// - Parameters:
    ///   - before: Our time when it was asked.
    ///   - after: Our time when it had answered.
    static func difference(_ name: String, platform: Instant, before: Instant, after: Instant) -> [Finding] {
        // In whole seconds, and what a cache on the way adds cannot be told.
        let ahead = before.milliseconds(since: platform) / 1000
        let behind = platform.milliseconds(since: after) / 1000
        let seconds = max(ahead, behind)
        guard seconds > platformToleranceSeconds else { return [] }
        let (chinese, english) = ahead > behind ? ("快", "ahead of") : ("慢", "behind")
        return [
            .warning(
                "系统时钟比 \(name) 那边\(chinese) \(seconds) 秒：差 300 秒以上时消息会被当成过期，请用 timedatectl 校准",
                "The clock is \(seconds) s \(english) that of \(name): beyond 300 s messages count as stale: set it (timedatectl)"
            )
        ]
    }

    private static func text(_ moment: Instant) -> Substring { moment.dateTimeText().prefix(19) }
}
