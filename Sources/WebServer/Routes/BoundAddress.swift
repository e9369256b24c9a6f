internal import NIOConcurrencyHelpers

/// The port that a server got, for whoever waits for it.
final class BoundAddress: Sendable {
    private enum State {
        case waiting([CheckedContinuation<Int, Never>])
        case bound(Int)
    }

    private let state = NIOLockedValueBox(State.waiting([]))

    /// - Parameter port: Nil when there will be none.
    func note(_ port: Int?) {
        let port = port ?? 0
        let waiting = state.withLockedValue { state -> [CheckedContinuation<Int, Never>] in
            guard case .waiting(let waiting) = state else { return [] }
            state = .bound(port)
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: port) }
    }

    /// Whether whoever asks for the port is answered at once.
    var isKnown: Bool {
        state.withLockedValue { if case .bound = $0 { true } else { false } }
    }

    var port: Int {
        get async {
            await withCheckedContinuation { continuation in
                let bound = state.withLockedValue { state -> Int? in
                    switch state {
                    case .bound(let port): return port
                    case .waiting(let waiting):
                        state = .waiting(waiting + [continuation])
                        return nil
                    }
                }
                if let bound { continuation.resume(returning: bound) }
            }
        }
    }
}
