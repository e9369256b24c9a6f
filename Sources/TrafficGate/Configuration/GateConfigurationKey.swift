/// A row of `redpacket_traffic_config` as it stands in a new database.
public struct GateConfigurationKey: Hashable, Sendable {
    /// `config_key`.
    public let name: String
    /// `config_value`, in the form of ``GateConfiguration/value(of:)``.
    public let defaultValue: String
    /// `description`, in Chinese.
    public let description: String
    /// What a value must look like.
    public let expectation: GateConfigurationExpectation
}

/// What a value must look like.
public enum GateConfigurationExpectation: Hashable, Sendable, Codable {
    /// ASCII decimal digits, at most 18, within the range.
    case integer(ClosedRange<Int>)
    /// `true`, `1`, `on`, `开` or `false`, `0`, `off`, `关`; ASCII letters in either case.
    case boolean
    /// `UTC`, `GMT`, either with an offset (`UTC+8`), or a name of the time zone database with its area
    /// (`Asia/Shanghai`), spelled exactly.
    case timeZone
}

/// A refused setting; nothing was changed.
public enum GateConfigurationError: Error, Hashable, Sendable, Codable {
    case unknownKey(String)
    case invalidValue(key: String, value: String, expected: GateConfigurationExpectation)
}
