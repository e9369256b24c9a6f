/// An answer that will be there once its batch is durable.
public struct PendingResponse: Sendable {
    private let result: OneTimeValue<Result<DecidedRequest, any Error>>

    init() {
        result = OneTimeValue()
    }

    init(_ decided: DecidedRequest) {
        result = OneTimeValue(.success(decided))
    }

    /// Hands the decision to whoever waits. Only the first call counts.
    func resolve(_ result: Result<DecidedRequest, any Error>) {
        self.result.resolve(result)
    }

    /// Whether waiting would give the decision at once.
    public var isDecided: Bool { result.isResolved }

    /// Waits for the decision.
    func decided() async throws -> DecidedRequest {
        try await result.value.get()
    }
}
