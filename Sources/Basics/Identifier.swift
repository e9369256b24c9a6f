/// A name for one thing of one kind, compared as UTF-8 bytes.
///
/// Swift compares `String` by Unicode equivalence, so two users of a chat platform whose ids differ only in their
/// normalisation form would be one person. Identifiers therefore compare, order and hash their bytes. `Kind` is never
/// instantiated: it keeps a user's id from being passed where a chat's is wanted.
///
/// - Source: spec.md section 2.
public struct Identifier<Kind>: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// As given; not normalised, not checked. Limits belong to whoever accepts the text.
    public let text: String

    /// - Parameter text: Any text, kept as it is.
    public init(_ text: String) {
        self.text = text
    }

    public static func == (left: Self, right: Self) -> Bool {
        areEqualBytes(left.text, right.text)
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        hashBytes(text, into: &hasher)
    }

    public var description: String { text }
}

extension Identifier: Codable {
    public init(from decoder: any Decoder) throws {
        self.init(try decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

extension Identifier: ExpressibleByStringLiteral, ExpressibleByUnicodeScalarLiteral,
    ExpressibleByExtendedGraphemeClusterLiteral
{
    public init(stringLiteral text: String) {
        self.init(text)
    }
}

public enum UserKind {}
public enum ChatKind {}
public enum SessionKind {}
public enum ActivityKind {}
public enum AwardIDKind {}

/// `namespace:user-id`, for example `qq:10001`. The namespace belongs to the endpoint, never to the message.
public typealias UserID = Identifier<UserKind>

/// `platform:chat`, for example `onebot11:88001`, as an activity's scope lists it.
public typealias ChatID = Identifier<ChatKind>

/// A session of the traffic gate: a chat user's id, or `web:` and the web page's session id.
public typealias SessionID = Identifier<SessionKind>

/// An activity's id: `[A-Za-z0-9._-]{1,64}`.
public typealias ActivityID = Identifier<ActivityKind>

/// An award's id within its activity: `[A-Za-z0-9._-]{1,64}`.
public typealias AwardID = Identifier<AwardIDKind>

extension UserID {
    /// The text before the first colon; empty when there is none.
    public var namespace: Substring {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return "" }
        return text[..<colon]
    }
}

/// Whether two texts are the same UTF-8 bytes; Unicode equivalence does not make them so.
public func areEqualBytes(_ left: String, _ right: String) -> Bool {
    let count = left.utf8.count
    guard count == right.utf8.count else { return false }
    let result = left.utf8.withContiguousStorageIfAvailable { left in
        right.utf8.withContiguousStorageIfAvailable { right in
            // Compiles to a loop over memory; comparing the collections does not.
            var index = 0
            while index < count, left[index] == right[index] { index += 1 }
            return index == count
        }
    }
    return (result ?? nil) ?? left.utf8.elementsEqual(right.utf8)
}

/// Feeds a text's UTF-8 bytes, in agreement with ``areEqualBytes(_:_:)``.
public func hashBytes(_ text: String, into hasher: inout Hasher) {
    let hashed: Void? = text.utf8.withContiguousStorageIfAvailable {
        hasher.combine(bytes: UnsafeRawBufferPointer($0))
    }
    if hashed == nil {
        for byte in text.utf8 { hasher.combine(byte) }
    }
    hasher.combine(0xFF as UInt8)
}
