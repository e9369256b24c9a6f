internal import NIOConcurrencyHelpers

/// A value that will be there, and stays.
struct OneTimeValue<Value: Sendable>: Sendable {
    private enum State {
        case none
        /// Mostly one waits, and then a list would only cost time.
        case awaited(by: UnsafeContinuation<Value, Never>, others: [UnsafeContinuation<Value, Never>])
        case resolved(Value)
    }

    private let state = NIOLockedValueBox(State.none)

    init() {}

    init(_ value: Value) {
        state.withLockedValue { $0 = .resolved(value) }
    }

    /// Hands the value to whoever waits. Only the first call counts.
    func resolve(_ value: Value) {
        let waiting = state.withLockedValue { state in
            if case .resolved = state { return State.none }
            defer { state = .resolved(value) }
            return state
        }
        guard case .awaited(let first, let others) = waiting else { return }
        first.resume(returning: value)
        for continuation in others { continuation.resume(returning: value) }
    }

    var isResolved: Bool {
        state.withLockedValue { state in
            if case .resolved = state { true } else { false }
        }
    }

    /// Waits for the value, whether the task is cancelled or not.
    var value: Value {
        get async {
            // Unchecked, since the check costs as much as the rest: each continuation is resumed here or by whoever takes
            // it out of the state.
            await withUnsafeContinuation { continuation in
                let value = state.withLockedValue { state -> Value? in
                    switch state {
                    case .none: state = .awaited(by: continuation, others: [])
                    case .awaited(let first, let others): state = .awaited(by: first, others: others + [continuation])
                    case .resolved(let value): return value
                    }
                    return nil
                }
                if let value { continuation.resume(returning: value) }
            }
        }
    }
}
