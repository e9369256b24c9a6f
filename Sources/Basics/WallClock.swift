/// Where the executable reads the time, and a test sets it.
///
/// Called once per batch and per tick, from any thread.
public typealias WallClock = @Sendable () -> Instant
