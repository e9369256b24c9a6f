/// The answer to one request: what came of it, and where its sender stands in the queue.
public struct Response: Hashable, Sendable {
    public var outcome: Outcome
    /// From 1, whenever the sender is waiting.
    public var position: Int?
    /// Whether this is the stored answer to a message that came before.
    public var isRepeated: Bool

    public init(_ outcome: Outcome, position: Int? = nil, isRepeated: Bool = false) {
        self.outcome = outcome
        self.position = position
        self.isRepeated = isRepeated
    }
}
