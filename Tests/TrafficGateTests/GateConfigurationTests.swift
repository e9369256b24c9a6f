import Basics
import Testing
import TrafficGate

struct GateConfigurationTests {
    @Test func keysAndDefaultsAreThoseOfTheSourceDocumentAndTheAddedOnes() {
        let rows = GateConfiguration.keys.map { "\($0.name)=\($0.defaultValue)" }
        #expect(
            rows == [
                "max_concurrent_users=1000", "queue_timeout_seconds=300", "heartbeat_timeout_seconds=60",
                "maintenance_mode=false", "rush_hour_start=11", "rush_hour_end=20", "rush_hour_max_users=800",
                "ip_max_sessions=0", "max_queue_length=0", "time_zone=Asia/Shanghai", "release_after_draw=true",
                "user_messages_per_minute=30",
            ])
        #expect(GateConfiguration.keys[1].description == "队列超时时间（秒）")
        #expect(GateConfiguration.keys.allSatisfy { !$0.description.isEmpty })
    }

    @Test func everyDefaultIsAcceptedAsItsOwnValue() throws {
        var configuration = GateConfiguration()
        for key in GateConfiguration.keys { try configuration.set(key.name, to: key.defaultValue) }
        #expect(configuration == GateConfiguration())
    }

    @Test(arguments: [
        ("max_concurrent_users", "1", "1"), ("max_concurrent_users", "10000000", "10000000"),
        ("max_concurrent_users", "00012", "12"), ("max_concurrent_users", "000000000000000012", "12"),
        ("queue_timeout_seconds", "86400", "86400"), ("heartbeat_timeout_seconds", "1", "1"),
        ("rush_hour_start", "0", "0"), ("rush_hour_end", "23", "23"), ("rush_hour_max_users", "5", "5"),
        ("ip_max_sessions", "0", "0"), ("max_queue_length", "10000000", "10000000"),
        ("user_messages_per_minute", "0", "0"),
        ("maintenance_mode", "true", "true"), ("maintenance_mode", "1", "true"), ("maintenance_mode", "ON", "true"),
        ("maintenance_mode", "开", "true"), ("release_after_draw", "False", "false"),
        ("release_after_draw", "0", "false"), ("release_after_draw", "off", "false"),
        ("release_after_draw", "关", "false"),
        ("time_zone", "UTC", "UTC"), ("time_zone", "UTC+8", "UTC+8"),
        ("time_zone", "America/New_York", "America/New_York"),
    ])
    func goodValueIsTakenAndShownInItsPlainForm(key: String, text: String, shown: String) throws {
        var configuration = GateConfiguration()
        try configuration.set(key, to: text)
        #expect(configuration.value(of: key) == shown)
    }

    private static let badNumbers = [
        "", " ", "-1", "+1", "-0", "1e9", "0x10", "1_000", "1,000", "1.0", "1.", " 5", "5 ", "5\n", "5\0", "１２", "٣",
        "Ⅷ",
        "五", "5\u{301}", "9223372036854775808", "18446744073709551617", "0000000000000000001", "NaN", "inf", "true",
    ]

    @Test(
        "hardening row 17: a hostile number is refused and changes nothing",
        arguments: [
            "max_concurrent_users", "queue_timeout_seconds", "heartbeat_timeout_seconds", "rush_hour_start",
            "rush_hour_end",
            "rush_hour_max_users", "ip_max_sessions", "max_queue_length", "user_messages_per_minute",
        ])
    func hostileNumberIsRefusedAndChangesNothing(key: String) {
        for text in Self.badNumbers {
            var configuration = GateConfiguration()
            #expect(throws: GateConfigurationError.self, "\(text)") { try configuration.set(key, to: text) }
            #expect(configuration == GateConfiguration(), "\(text)")
        }
    }

    @Test(arguments: [
        ("max_concurrent_users", "0", 1...10_000_000), ("max_concurrent_users", "10000001", 1...10_000_000),
        ("rush_hour_max_users", "0", 1...10_000_000), ("queue_timeout_seconds", "0", 1...86_400),
        ("heartbeat_timeout_seconds", "86401", 1...86_400), ("rush_hour_start", "24", 0...23),
        ("rush_hour_end", "24", 0...23), ("ip_max_sessions", "10000001", 0...10_000_000),
        ("max_queue_length", "999999999999999999", 0...10_000_000),
    ])
    func valueOutOfRangeIsRefusedWithTheRange(key: String, text: String, range: ClosedRange<Int>) {
        var configuration = GateConfiguration()
        #expect(throws: GateConfigurationError.invalidValue(key: key, value: text, expected: .integer(range))) {
            try configuration.set(key, to: text)
        }
        #expect(configuration == GateConfiguration())
    }

    @Test(arguments: ["", "yes", "2", "01", "ｔｒｕｅ", "true ", "开开", "truetruetrue", "開", "t"])
    func badBooleanIsRefused(text: String) {
        var configuration = GateConfiguration()
        #expect(
            throws: GateConfigurationError.invalidValue(key: "maintenance_mode", value: text, expected: .boolean)
        ) { try configuration.set("maintenance_mode", to: text) }
        #expect(!configuration.maintenanceMode)
    }

    /// `CST` is Chicago to the system and Shanghai to most who would write it.
    @Test(arguments: [
        "", "Mars/Olympus", "asia/shanghai", "Asia", "Asia/", "/", "Asia//Shanghai", "Asia/Shanghai ",
        "../../etc/passwd",
        "/usr/share/zoneinfo/UTC", "CST", "+08:00", "Asia/Shangha\u{131}", "UTC+99", "localtime",
        String(repeating: "A/", count: 100_000),
    ])
    func zoneThatDoesNotExistIsRefused(text: String) {
        var configuration = GateConfiguration()
        #expect(throws: GateConfigurationError.invalidValue(key: "time_zone", value: text, expected: .timeZone)) {
            try configuration.set("time_zone", to: text)
        }
        #expect(configuration == GateConfiguration())
    }

    @Test(arguments: ["", "max_users", "MAX_CONCURRENT_USERS", "max_concurrent_users ", "maxConcurrentUsers"])
    func unknownKeyIsRefused(key: String) {
        var configuration = GateConfiguration()
        #expect(throws: GateConfigurationError.unknownKey(key)) { try configuration.set(key, to: "1") }
        #expect(configuration.value(of: key) == nil)
    }

    // MARK: - Rush hours

    /// Noon of 2027-02-06 in Shanghai is 04:00 UTC.
    @Test(arguments: [
        // start, end, time in Shanghai, rush hour
        (11, 20, "10:59:59.999", false), (11, 20, "11:00:00.000", true), (11, 20, "19:59:59.999", true),
        (11, 20, "20:00:00.000", false),
        (22, 2, "21:59:59.999", false), (22, 2, "22:00:00.000", true), (22, 2, "23:59:59.999", true),
        (22, 2, "00:00:00.000", true), (22, 2, "01:59:59.999", true), (22, 2, "02:00:00.000", false),
        (0, 0, "00:00:00.000", false), (12, 12, "12:00:00.000", false), (12, 12, "11:00:00.000", false),
        (0, 23, "22:59:59.999", true), (0, 23, "23:00:00.000", false), (23, 0, "23:30:00.000", true),
        (23, 0, "00:00:00.000", false),
    ])
    func rushHoursAreHalfOpenAndMayCrossMidnight(start: Int, end: Int, time: String, isRush: Bool) throws {
        var configuration = GateConfiguration()
        configuration.rushHourStart = start
        configuration.rushHourEnd = end
        let local = try #require(Instant(dateTimeText: "2027-02-06 \(time)"))
        #expect(configuration.capacity(at: local.advanced(bySeconds: -8 * 3600)) == (isRush ? 800 : 1000))
    }

    @Test func rushHoursFollowTheZoneAndItsSummerTime() throws {
        var configuration = GateConfiguration()
        try configuration.set("time_zone", to: "America/New_York")
        func capacity(_ text: String) throws -> Int {
            configuration.capacity(at: try #require(Instant(dateTimeText: text)))
        }
        // Eleven o'clock there is 16:00 UTC in winter, 15:00 UTC in summer.
        #expect(try capacity("2027-01-15 15:59:59.999") == 1000)
        #expect(try capacity("2027-01-15 16:00:00.000") == 800)
        #expect(try capacity("2027-07-15 14:59:59.999") == 1000)
        #expect(try capacity("2027-07-15 15:00:00.000") == 800)
        // 5 h 45 min before UTC: a rush hour begins within an hour of UTC.
        try configuration.set("time_zone", to: "Asia/Kathmandu")
        #expect(try capacity("2027-01-15 05:14:59.999") == 1000)
        #expect(try capacity("2027-01-15 05:15:00.000") == 800)
    }

    @Test func rushHoursNeverRaiseTheCapacity() {
        var configuration = GateConfiguration()
        configuration.rushHourMaxUsers = 5000
        #expect(configuration.capacity(at: at(4 * 3600)) == 1000)
        configuration.maxConcurrentUsers = 10
        #expect(configuration.capacity(at: at(4 * 3600)) == 10)
    }

    @Test(arguments: [Int64.min, -1, 0, 1, 253_402_300_800_000, Int64.max])
    func everyInstantHasACapacity(milliseconds: Int64) {
        let capacity = GateConfiguration().capacity(at: Instant(milliseconds: milliseconds))
        #expect(capacity == 1000 || capacity == 800)
    }
}
