public import Basics
internal import Foundation

/// How many may be in, and for how long: the table `redpacket_traffic_config`.
///
/// Text from people and from the table comes in through ``set(_:to:)``, which checks it. Code may set a property
/// directly; a value out of range then does no harm beyond its meaning (a capacity below 1 admits nobody).
///
/// | key | default | range |
/// |---|---|---|
/// | `max_concurrent_users` | 1000 | 1…10^7 |
/// | `queue_timeout_seconds` | 300 | 1…86,400 |
/// | `heartbeat_timeout_seconds` | 60 | 1…86,400 |
/// | `maintenance_mode` | false | boolean |
/// | `rush_hour_start` | 11 | 0…23 |
/// | `rush_hour_end` | 20 | 0…23 |
/// | `rush_hour_max_users` | 800 | 1…10^7 |
/// | `ip_max_sessions` | 0 | 0…10^7 |
/// | `max_queue_length` | 0 | 0…10^7 |
/// | `time_zone` | Asia/Shanghai | a zone that exists |
/// | `release_after_draw` | true | boolean |
/// | `user_messages_per_minute` | 30 | 0…10^7 |
///
/// - Source: spec.md section 6.
public struct GateConfiguration: Hashable, Sendable {
    /// Active sessions outside the rush hours, and never more than this within them.
    public var maxConcurrentUsers = 1000
    /// A queued session may be silent for this long.
    public var queueTimeoutSeconds = 300
    /// An active session may be silent for this long.
    public var heartbeatTimeoutSeconds = 60
    /// Nobody is let in, promoted or expired.
    public var maintenanceMode = false
    /// The first rush hour, in ``timeZone``.
    public var rushHourStart = 11
    /// The first hour after the rush hours. Equal to the start: there are none. Before the start: over midnight.
    public var rushHourEnd = 20
    /// Active sessions within the rush hours.
    public var rushHourMaxUsers = 800
    /// Live sessions per address, IPv6 by /64; 0: no limit.
    public var ipMaxSessions = 0
    /// Sessions that may wait; 0: as many as ``Gate/maximumLiveSessions`` allows.
    public var maxQueueLength = 0
    /// The zone of the rush hours, as it was written.
    public private(set) var timeZone = "Asia/Shanghai"
    /// A chat session leaves by itself with its draw. The gate does not look at it; its caller does.
    public var releaseAfterDraw = true
    /// 0: no limit. The gate does not look at it; its caller does.
    public var userMessagesPerMinute = 30

    /// Of `timeZone`; nil where the system does not know the default zone, which has had one offset since 1991.
    private var zone = TimeZone(identifier: "Asia/Shanghai")
    private static let defaultOffsetSeconds = 8 * 3600

    /// The defaults.
    public init() {}
}

extension GateConfiguration {
    private enum Key: String, CaseIterable {
        case maxConcurrentUsers = "max_concurrent_users"
        case queueTimeoutSeconds = "queue_timeout_seconds"
        case heartbeatTimeoutSeconds = "heartbeat_timeout_seconds"
        case maintenanceMode = "maintenance_mode"
        case rushHourStart = "rush_hour_start"
        case rushHourEnd = "rush_hour_end"
        case rushHourMaxUsers = "rush_hour_max_users"
        case ipMaxSessions = "ip_max_sessions"
        case maxQueueLength = "max_queue_length"
        case timeZone = "time_zone"
        case releaseAfterDraw = "release_after_draw"
        case userMessagesPerMinute = "user_messages_per_minute"

        var expectation: GateConfigurationExpectation {
            switch self {
            case .maxConcurrentUsers, .rushHourMaxUsers: .integer(1...10_000_000)
            case .queueTimeoutSeconds, .heartbeatTimeoutSeconds: .integer(1...86_400)
            case .rushHourStart, .rushHourEnd: .integer(0...23)
            case .ipMaxSessions, .maxQueueLength, .userMessagesPerMinute: .integer(0...10_000_000)
            case .maintenanceMode, .releaseAfterDraw: .boolean
            case .timeZone: .timeZone
            }
        }

        var description: String {
            switch self {
            case .maxConcurrentUsers: "最大并发用户数"
            case .queueTimeoutSeconds: "队列超时时间（秒）"
            case .heartbeatTimeoutSeconds: "心跳超时时间（秒）"
            case .maintenanceMode: "维护模式开关"
            case .rushHourStart: "高峰期开始时间（小时）"
            case .rushHourEnd: "高峰期结束时间（小时）"
            case .rushHourMaxUsers: "高峰期最大用户数"
            case .ipMaxSessions: "每个IP地址的最大会话数（0 表示不限，IPv6 按 /64 计算）"
            case .maxQueueLength: "最大排队人数（0 表示会话总数不超过 1000000）"
            case .timeZone: "高峰期所用时区"
            case .releaseAfterDraw: "抽奖后自动离开（仅限聊天会话）"
            case .userMessagesPerMinute: "每位用户每分钟的最大消息数（0 表示不限）"
            }
        }
    }

    /// Every key, those of the source document first and in its order.
    public static let keys: [GateConfigurationKey] = {
        let defaults = GateConfiguration()
        return Key.allCases.map {
            GateConfigurationKey(
                name: $0.rawValue, defaultValue: defaults.value(of: $0), description: $0.description,
                expectation: $0.expectation)
        }
    }()

    /// Sets one value from text. Surrounding white space and full-width digits are refused too: whoever accepts them
    /// folds them before.
    ///
    /// - Parameters:
    ///   - key: As in the table.
    ///   - value: See ``GateConfigurationExpectation``.
    /// - Throws: ``GateConfigurationError``, and then nothing has changed.
    public mutating func set(_ key: String, to value: String) throws(GateConfigurationError) {
        guard let known = Key(rawValue: key) else { throw .unknownKey(key) }
        guard assign(known, value) else {
            throw .invalidValue(key: key, value: value, expected: known.expectation)
        }
    }

    /// The value as the table writes it: digits without leading zeros, `true` or `false`; nil for an unknown key.
    public func value(of key: String) -> String? {
        Key(rawValue: key).map { value(of: $0) }
    }

    private func value(of key: Key) -> String {
        switch key {
        case .maxConcurrentUsers: String(maxConcurrentUsers)
        case .queueTimeoutSeconds: String(queueTimeoutSeconds)
        case .heartbeatTimeoutSeconds: String(heartbeatTimeoutSeconds)
        case .maintenanceMode: String(maintenanceMode)
        case .rushHourStart: String(rushHourStart)
        case .rushHourEnd: String(rushHourEnd)
        case .rushHourMaxUsers: String(rushHourMaxUsers)
        case .ipMaxSessions: String(ipMaxSessions)
        case .maxQueueLength: String(maxQueueLength)
        case .timeZone: timeZone
        case .releaseAfterDraw: String(releaseAfterDraw)
        case .userMessagesPerMinute: String(userMessagesPerMinute)
        }
    }

    /// - Returns: False when the text is refused.
    private mutating func assign(_ key: Key, _ text: String) -> Bool {
        switch key.expectation {
        case .integer(let range):
            guard let value = Self.number(text), range.contains(value) else { return false }
            switch key {
            case .maxConcurrentUsers: maxConcurrentUsers = value
            case .queueTimeoutSeconds: queueTimeoutSeconds = value
            case .heartbeatTimeoutSeconds: heartbeatTimeoutSeconds = value
            case .rushHourStart: rushHourStart = value
            case .rushHourEnd: rushHourEnd = value
            case .rushHourMaxUsers: rushHourMaxUsers = value
            case .ipMaxSessions: ipMaxSessions = value
            case .maxQueueLength: maxQueueLength = value
            case .userMessagesPerMinute: userMessagesPerMinute = value
            case .maintenanceMode, .timeZone, .releaseAfterDraw: preconditionFailure("\(key) is no number.")
            }
        case .boolean:
            guard let value = Self.boolean(text) else { return false }
            if key == .maintenanceMode { maintenanceMode = value } else { releaseAfterDraw = value }
        case .timeZone:
            guard let value = Self.zone(text) else { return false }
            timeZone = text
            zone = value
        }
        return true
    }

    private static func number(_ text: String) -> Int? {
        guard (1...18).contains(text.utf8.count) else { return nil }
        var value = 0
        for byte in text.utf8 {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        return value
    }

    private static func boolean(_ text: String) -> Bool? {
        // Bytes, because Swift compares text by Unicode equivalence. Only ASCII letters have a lower case here.
        let lowered = text.utf8.prefix(8).map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        func isOne(of words: [String]) -> Bool { words.contains { $0.utf8.elementsEqual(lowered) } }
        if isOne(of: ["true", "1", "on", "开"]) { return true }
        if isOne(of: ["false", "0", "off", "关"]) { return false }
        return nil
    }

    private static func zone(_ text: String) -> TimeZone? {
        // Bare abbreviations are refused: CST is Chicago to the system and Shanghai to its reader.
        let isName = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "/_+-".utf8.contains(byte)
            }
        }
        guard (1...64).contains(text.utf8.count), isName,
            text.utf8.contains(UInt8(ascii: "/")) || text.hasPrefix("UTC") || text.hasPrefix("GMT")
        else { return nil }
        return TimeZone(identifier: text)
    }
}

extension GateConfiguration {
    /// How many may be active in the minute of `instant`.
    ///
    /// Costs a look-up in the zone's table when there are rush hours; the gate asks once per minute.
    public func capacity(at instant: Instant) -> Int {
        isRushHour(at: instant) ? min(rushHourMaxUsers, maxConcurrentUsers) : maxConcurrentUsers
    }

    private func isRushHour(at instant: Instant) -> Bool {
        guard rushHourStart != rushHourEnd else { return false }
        // Beyond these years no zone has rules, and the sums below could overflow.
        let minute = floorDivide(min(max(instant.milliseconds, -4_000_000_000_000), 8_000_000_000_000), 60_000)
        let offset = zone?.secondsFromGMT(for: Date(timeIntervalSince1970: Double(minute * 60)))
        let hours = floorDivide(minute * 60 + Int64(offset ?? Self.defaultOffsetSeconds), 3600)
        let hour = Int(hours - floorDivide(hours, 24) * 24)
        return rushHourStart < rushHourEnd
            ? rushHourStart <= hour && hour < rushHourEnd : rushHourStart <= hour || hour < rushHourEnd
    }
}

/// Rounds down, also below zero.
func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? quotient - 1 : quotient
}
