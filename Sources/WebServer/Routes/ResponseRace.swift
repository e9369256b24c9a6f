internal import ChatPlatforms
internal import NIOConcurrencyHelpers

/// Whether the answers were there before the platform would give up. The first end counts.
final class ResponseRace: Sendable {
    enum End: Sendable {
        case answered([AnsweredMessage])
        case failed(any Error)
        case late
    }

    private struct State {
        var end: End?
        var waiting: CheckedContinuation<End, Never>?
    }

    private let state = NIOLockedValueBox(State())

    /// - Returns: Whether this is the end that counts.
    @discardableResult
    func end(_ end: End) -> Bool {
        let (isFirst, waiting) = state.withLockedValue { state -> (Bool, CheckedContinuation<End, Never>?) in
            guard state.end == nil else { return (false, nil) }
            state.end = end
            return (true, state.waiting.take())
        }
        waiting?.resume(returning: end)
        return isFirst
    }

    /// To be asked for once.
    var result: End {
        get async {
            await withCheckedContinuation { continuation in
                let end = state.withLockedValue { state -> End? in
                    if state.end == nil { state.waiting = continuation }
                    return state.end
                }
                if let end { continuation.resume(returning: end) }
            }
        }
    }
}
