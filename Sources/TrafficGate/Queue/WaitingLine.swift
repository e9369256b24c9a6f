/// The queue: first in, first out, with the exact rank of everybody at any time.
///
/// Everyone gets the next *lane* of an array; whoever goes leaves a gap. A Fenwick tree counts who stands in front of a
/// lane. When the array is full the gaps are closed (``compactIfFull()``) and lanes change.
struct WaitingLine: Sendable {
    /// Slot by lane; ``gap`` where somebody has gone.
    private var lanes: [Int] = []
    /// Fenwick tree over the lanes, index from 1; `tree.count == capacity + 1`.
    private var tree: [Int32]
    /// The first lane that may be taken; everything before is a gap.
    private var head = 0
    /// How many wait.
    private(set) var count = 0

    private static let gap = -1
    private static let smallest = 16

    init() {
        tree = [Int32](repeating: 0, count: Self.smallest + 1)
    }

    var isEmpty: Bool { count == 0 }

    private var capacity: Int { tree.count - 1 }

    /// Closes the gaps when no lane is left, so that ``append(_:)`` has one.
    ///
    /// - Returns: The slots in order, whose lanes are now their indices; nil when nothing moved.
    /// - Complexity: Amortised O(1) per appended slot.
    mutating func compactIfFull() -> [Int]? {
        guard lanes.count == capacity else { return nil }
        let waiting = lanes[head...].filter { $0 != Self.gap }
        // Twice the room that is needed: at least half of the lanes are appended before the next time.
        var newCapacity = Self.smallest
        while newCapacity < waiting.count * 2 { newCapacity *= 2 }
        lanes = waiting
        lanes.reserveCapacity(newCapacity)
        head = 0
        tree = [Int32](repeating: 0, count: newCapacity + 1)
        for node in 1...newCapacity {
            if node <= waiting.count { tree[node] += 1 }
            let parent = node + (node & -node)
            if parent <= newCapacity { tree[parent] += tree[node] }
        }
        return waiting
    }

    /// Puts a slot at the back; ``compactIfFull()`` comes first.
    ///
    /// - Returns: Its lane. Its rank is ``count``.
    mutating func append(_ slot: Int) -> Int {
        precondition(lanes.count < capacity, "The line must be compacted before it is full.")
        lanes.append(slot)
        count += 1
        add(1, at: lanes.count - 1)
        return lanes.count - 1
    }

    /// Takes the slot of a lane out, wherever it stands.
    mutating func remove(lane: Int) {
        precondition(lanes[lane] != Self.gap, "Nobody stands in this lane.")
        lanes[lane] = Self.gap
        count -= 1
        add(-1, at: lane)
        // The tree is all zeros now.
        if count == 0 {
            lanes.removeAll(keepingCapacity: true)
            head = 0
        }
    }

    /// Takes out the slot that has waited longest.
    mutating func popFirst() -> Int? {
        guard count > 0 else { return nil }
        while lanes[head] == Self.gap { head += 1 }
        let slot = lanes[head]
        remove(lane: head)
        return slot
    }

    #if DEBUG
        /// Takes out the slot that has waited least: for `Mutation`.
        mutating func popLast() -> Int? {
            guard let lane = lanes.lastIndex(where: { $0 != Self.gap }) else { return nil }
            let slot = lanes[lane]
            remove(lane: lane)
            return slot
        }
    #endif

    /// From 1.
    ///
    /// - Complexity: O(log *n*).
    func rank(lane: Int) -> Int {
        var node = lane + 1
        var sum = 0
        while node > 0 {
            sum += Int(tree[node])
            node &= node - 1
        }
        return sum
    }

    private mutating func add(_ change: Int32, at lane: Int) {
        var node = lane + 1
        while node < tree.count {
            tree[node] += change
            node += node & -node
        }
    }
}
