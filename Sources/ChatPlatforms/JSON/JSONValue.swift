internal import Basics

/// A JSON value as it was written: members in their order, numbers as text.
///
/// Strings and keys are compared as UTF-8 bytes, not by Unicode equivalence.
public enum JSONValue: Sendable {
    case object(JSONObject)
    case array([JSONValue])
    case string(String)
    case number(JSONNumber)
    case bool(Bool)
    case null
}

extension JSONValue {
    /// Nil for anything but an object.
    public var objectValue: JSONObject? {
        if case .object(let object) = self { object } else { nil }
    }

    /// Nil for anything but an array.
    public var arrayValue: [JSONValue]? {
        if case .array(let values) = self { values } else { nil }
    }

    /// Nil for anything but a string; a number is not turned into one.
    public var stringValue: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// Nil for anything but a plain integer within `Int64`; see ``JSONNumber/integer``.
    public var integerValue: Int64? {
        if case .number(let number) = self { number.integer } else { nil }
    }

    /// Nil for anything but `true` and `false`.
    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }
}

extension JSONValue: Hashable {
    public static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.object(let left), .object(let right)): left == right
        case (.array(let left), .array(let right)): left == right
        case (.string(let left), .string(let right)): areEqualBytes(left, right)
        case (.number(let left), .number(let right)): left == right
        case (.bool(let left), .bool(let right)): left == right
        case (.null, .null): true
        case (.object, _), (.array, _), (.string, _), (.number, _), (.bool, _), (.null, _): false
        }
    }

    public func hash(into hasher: inout Hasher) {
        switch self {
        case .object(let object):
            hasher.combine(0)
            hasher.combine(object)
        case .array(let values):
            hasher.combine(1)
            hasher.combine(values)
        case .string(let text):
            hasher.combine(2)
            hasher.combine(JSONKey(text))
        case .number(let number):
            hasher.combine(3)
            hasher.combine(number)
        case .bool(let value):
            hasher.combine(4)
            hasher.combine(value)
        case .null:
            hasher.combine(5)
        }
    }
}

/// The members of an object, each key once, in the order written. Equality looks at the order too.
public struct JSONObject: Sendable {
    public struct Member: Hashable, Sendable {
        public let key: String
        public let value: JSONValue

        public static func == (left: Self, right: Self) -> Bool {
            areEqualBytes(left.key, right.key) && left.value == right.value
        }

        public func hash(into hasher: inout Hasher) {
            hasher.combine(JSONKey(key))
            hasher.combine(value)
        }
    }

    public let members: [Member]

    /// The caller has seen to it that no key is there twice.
    internal init(uniqueMembers members: [Member]) {
        self.members = members
    }

    /// The member's value; nil when there is none. A member that is `null` gives ``JSONValue/null``.
    ///
    /// - Complexity: O(*n*) in the number of members, of which there are at most ``StrictJSON/maximumKeyCount``.
    public subscript(key: String) -> JSONValue? {
        for member in members where areEqualBytes(member.key, key) {
            return member.value
        }
        return nil
    }
}

extension JSONObject: Hashable {}

/// A number as it was written. Never goes through `Double`, so an id above 2^53 stays what it was.
public struct JSONNumber: Hashable, Sendable {
    /// As RFC 8259 section 6 allows it: `12`, `-0`, `1.50`, `1e999`. Compared as text: `1` and `1.0` differ.
    public let text: String

    /// The caller has checked the form.
    internal init(checkedText text: String) {
        self.text = text
    }

    public init(_ integer: Int64) {
        self.text = String(integer)
    }

    /// The value of a plain integer; nil for a fraction, an exponent, `-0`, and whatever does not fit.
    public var integer: Int64? {
        // `Int64(_:)` would also take "+1" and "-0"; the first is not in `text`, the second is refused here.
        text == "-0" ? nil : Int64(text)
    }
}

internal enum JSONKeyKind {}

/// Hashes and compares its bytes.
internal typealias JSONKey = Identifier<JSONKeyKind>
