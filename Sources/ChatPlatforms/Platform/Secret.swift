/// What must never be printed: interpolating, dumping or reflecting it tells nothing of what it holds.
public protocol Redacted: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {}

extension Redacted {
    public var description: String { "<redacted>" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A secret of the operator's: a token, a key, a password of an application.
///
/// Not comparable: what a stranger sent is held against it by ``SecretBytes``, in constant time.
public struct Secret: Sendable, Redacted {
    /// The secret itself. Only for what is sent to the platform, or computed with.
    public let exposedText: String

    public init(_ text: String) {
        exposedText = text
    }

    /// The bytes of ``exposedText`` in UTF-8.
    public var exposedBytes: [UInt8] { Array(exposedText.utf8) }
}
