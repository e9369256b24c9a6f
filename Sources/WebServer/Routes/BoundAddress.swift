internal import NIOConcurrencyHelpers

/// The port that a server got, for whoever waits for it.
final class BoundAddress: Sendable {
    private enum State {
        case waiting([CheckedContinuation<Int, Never>])
        case bound(Int)
    }

    private let state = NIOLockedValueBox(State.waiting([]))

    func note(_ port: Int?) {
        let port = port ?? 0
        let waiting = state.withLockedValue { state -> [CheckedContinuation<Int, Never>] in
            guard case .waiting(let waiting) = state else { return [] }
            state = .bound(port)
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: port) }
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
