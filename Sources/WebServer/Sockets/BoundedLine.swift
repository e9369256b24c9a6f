internal import DequeModule
internal import NIOConcurrencyHelpers

/// A line between one task that puts in and one that takes out: whoever puts in waits while it is full.
final class BoundedLine<Element: Sendable>: Sendable {
    private struct State {
        var elements = Deque<Element>()
        var isFinished = false
        var taker: CheckedContinuation<Void, Never>?
        var putter: CheckedContinuation<Void, Never>?
    }

    private let capacity: Int
    private let state = NIOLockedValueBox(State())

    /// - Parameter capacity: At least 1.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Puts an element at the end, once there is room. After ``finish()`` it is thrown away.
    func put(_ element: Element) async {
        while true {
            let (isDone, taker) = state.withLockedValue { state -> (Bool, CheckedContinuation<Void, Never>?) in
                if state.isFinished { return (true, nil) }
                guard state.elements.count < capacity else { return (false, nil) }
                state.elements.append(element)
                return (true, state.taker.take())
            }
            taker?.resume()
            if isDone { return }
            await withCheckedContinuation { continuation in
                let hasRoom = state.withLockedValue { state in
                    if state.isFinished || state.elements.count < capacity { return true }
                    state.putter = continuation
                    return false
                }
                if hasRoom { continuation.resume() }
            }
        }
    }

    /// The next element, once there is one; nil after ``finish()``, when everything was taken.
    func take() async -> Element? {
        while true {
            let (element, isOver, putter) = state.withLockedValue {
                state -> (Element?, Bool, CheckedContinuation<Void, Never>?) in
                guard let element = state.elements.popFirst() else { return (nil, state.isFinished, nil) }
                return (element, false, state.putter.take())
            }
            putter?.resume()
            if element != nil || isOver { return element }
            await withCheckedContinuation { continuation in
                let isReady = state.withLockedValue { state in
                    if state.isFinished || !state.elements.isEmpty { return true }
                    state.taker = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    /// Nothing more is put in.
    func finish() {
        let (taker, putter) = state.withLockedValue { state in
            state.isFinished = true
            return (state.taker.take(), state.putter.take())
        }
        taker?.resume()
        putter?.resume()
    }
}
