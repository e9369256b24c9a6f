internal import NIOConcurrencyHelpers

/// An answer that will be there once its batch is durable.
public final class PendingResponse: Sendable {
    private enum State {
        case undecided([CheckedContinuation<DecidedRequest, any Error>])
        case decided(Result<DecidedRequest, any Error>)
    }

    private let state = NIOLockedValueBox(State.undecided([]))

    init() {}

    init(_ decided: DecidedRequest) {
        state.withLockedValue { $0 = .decided(.success(decided)) }
    }

    /// Hands the decision to whoever waits. Only the first call counts.
    func resolve(_ result: Result<DecidedRequest, any Error>) {
        let waiting = state.withLockedValue { state -> [CheckedContinuation<DecidedRequest, any Error>] in
            guard case .undecided(let waiting) = state else { return [] }
            state = .decided(result)
            return waiting
        }
        for continuation in waiting { continuation.resume(with: result) }
    }

    /// Whether waiting would give the decision at once.
    public var isDecided: Bool {
        state.withLockedValue { state in
            if case .decided = state { true } else { false }
        }
    }

    /// Waits for the decision.
    func decided() async throws -> DecidedRequest {
        try await withCheckedThrowingContinuation { continuation in
            let result = state.withLockedValue { state -> Result<DecidedRequest, any Error>? in
                switch state {
                case .decided(let result): return result
                case .undecided(var waiting):
                    waiting.append(continuation)
                    state = .undecided(waiting)
                    return nil
                }
            }
            if let result { continuation.resume(with: result) }
        }
    }
}
