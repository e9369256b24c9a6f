internal import DequeModule
internal import NIOConcurrencyHelpers

/// The bounded line in front of the writer: requests gather here while the previous batch is being made durable.
///
/// One consumer, any number of producers. First in, first out.
final class RequestQueue: Sendable {
    struct Entry: Sendable {
        let item: BatchItem
        let response: PendingResponse
    }

    private struct State {
        var entries = Deque<Entry>()
        var consumer: CheckedContinuation<Void, Never>?
        var isWoken = false
        var isClosed = false
    }

    private let state = NIOLockedValueBox(State())
    private let capacity: Int
    private let maximumBatchCount: Int

    /// - Parameters:
    ///   - capacity: Requests that may wait; at least 1.
    ///   - maximumBatchCount: Requests taken at once; at least 1.
    init(capacity: Int, maximumBatchCount: Int) {
        self.capacity = capacity
        self.maximumBatchCount = maximumBatchCount
    }

    /// - Returns: False when the queue is full or closed; the entry was not taken.
    func append(_ entry: Entry) -> Bool {
        let (isTaken, consumer) = state.withLockedValue { state -> (Bool, CheckedContinuation<Void, Never>?) in
            guard !state.isClosed, state.entries.count < capacity else { return (false, nil) }
            state.entries.append(entry)
            return (true, state.consumer.take())
        }
        consumer?.resume()
        return isTaken
    }

    /// Requests that wait.
    var count: Int { state.withLockedValue { $0.entries.count } }

    /// Lets a waiting consumer go on with an empty batch.
    func wake() {
        let consumer = state.withLockedValue { state in
            state.isWoken = true
            return state.consumer.take()
        }
        consumer?.resume()
    }

    /// Takes nothing more. What is waiting is still handed out.
    func close() {
        let consumer = state.withLockedValue { state in
            state.isClosed = true
            return state.consumer.take()
        }
        consumer?.resume()
    }

    /// The next batch, in order; empty after ``wake()``; nil once the queue is closed and handed out.
    ///
    /// An entry that must be decided alone comes alone.
    func take() async -> [Entry]? {
        while true {
            let batch = state.withLockedValue { state -> [Entry]?? in
                if !state.entries.isEmpty { return .some(.some(nextBatch(&state))) }
                if state.isClosed { return .some(nil) }
                if state.isWoken {
                    state.isWoken = false
                    return .some(.some([]))
                }
                return nil
            }
            if let batch { return batch }
            await withCheckedContinuation { continuation in
                let isReady = state.withLockedValue { state in
                    if !state.entries.isEmpty || state.isClosed || state.isWoken { return true }
                    state.consumer = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    /// The next batch if enough wait, without waiting for anybody; else nil.
    ///
    /// - Parameters:
    ///   - ahead: Requests that are being made durable. Together with those that wait they are shared out evenly: whoever
    ///     asks again as soon as they are answered would otherwise all come in every other batch, and nothing would be left
    ///     to decide during the one between.
    ///   - minimum: At least 1. Where fewer wait, they go on waiting.
    func takeWaiting(behind ahead: Int, atLeast minimum: Int) -> [Entry]? {
        state.withLockedValue { state in
            let count = state.entries.count
            return count < minimum ? nil : nextBatch(&state, atMost: (count + ahead + 1) / 2)
        }
    }

    /// Everything that is left, for telling it that nothing will come.
    func drain() -> [Entry] {
        state.withLockedValue { state in
            state.isClosed = true
            defer { state.entries.removeAll() }
            return Array(state.entries)
        }
    }

    private func nextBatch(_ state: inout State, atMost share: Int = .max) -> [Entry] {
        state.isWoken = false
        let limit = min(state.entries.count, maximumBatchCount, share)
        let solitary = state.entries.prefix(limit).firstIndex { $0.item.isSolitary }
        let count = solitary.map { max($0, 1) } ?? limit
        let batch = Array(state.entries.prefix(count))
        state.entries.removeFirst(count)
        return batch
    }
}
