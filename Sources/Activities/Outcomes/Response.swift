/// The answer to one request: what came of it, and where its sender stands in the queue.
public struct Response: Hashable, Sendable {
    public var outcome: Outcome
    /// From 1, whenever the sender is waiting.
    public var position: Int?

    public init(_ outcome: Outcome, position: Int? = nil) {
        self.outcome = outcome
        self.position = position
    }
}
