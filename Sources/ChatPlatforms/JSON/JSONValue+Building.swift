extension JSONValue {
    /// An object with the members that are not nil, in their order.
    ///
    /// - Parameter members: Each key once.
    public static func object(_ members: KeyValuePairs<String, JSONValue?>) -> JSONValue {
        .object(
            JSONObject(
                uniqueMembers: members.compactMap { key, value in value.map { JSONObject.Member(key: key, value: $0) } }
            ))
    }

    public static func integer(_ value: Int64) -> JSONValue { .number(JSONNumber(value)) }

    /// The text of an id: a string that is not empty, or a plain integer as it was written. Nil for anything else.
    ///
    /// `1` and `"1"` are one id; for platforms whose implementations write either.
    public var idText: String? {
        switch self {
        case .string(let text): text.isEmpty ? nil : text
        case .number(let number): number.integer == nil ? nil : number.text
        case .object, .array, .bool, .null: nil
        }
    }

    /// A string that is not empty; nil for anything else.
    public var nonEmptyString: String? {
        stringValue.flatMap { $0.isEmpty ? nil : $0 }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}
