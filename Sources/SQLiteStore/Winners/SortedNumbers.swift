/// Numbers in ascending order, each once. They lie in short pieces, so that one may come or go anywhere among millions
/// without moving the others.
struct SortedNumbers: Sendable {
    private static let pieceSize = 1024

    /// None is empty.
    private var pieces: [[Int64]] = []
    private(set) var count = 0

    /// Does nothing when it is there already.
    mutating func insert(_ number: Int64) {
        guard let last = pieces.last?.last, number <= last else { return append(number) }
        let piece = piece(of: number)
        let index = pieces[piece].firstIndex(notLessThan: number)
        if pieces[piece][index] == number { return }
        pieces[piece].insert(number, at: index)
        count += 1
        if pieces[piece].count > 2 * Self.pieceSize {
            pieces.insert(Array(pieces[piece][Self.pieceSize...]), at: piece + 1)
            pieces[piece].removeSubrange(Self.pieceSize...)
        }
    }

    /// Does nothing when it is not there.
    mutating func remove(_ number: Int64) {
        let piece = piece(of: number)
        guard piece < pieces.count else { return }
        let index = pieces[piece].firstIndex(notLessThan: number)
        guard pieces[piece][index] == number else { return }
        pieces[piece].remove(at: index)
        count -= 1
        if pieces[piece].isEmpty { pieces.remove(at: piece) }
    }

    /// Those at `range`, which counts from 0; what is beyond the end is left out.
    func numbers(_ range: Range<Int>) -> [Int64] {
        var found: [Int64] = []
        var first = 0
        for piece in pieces where first < range.upperBound {
            let part = range.clamped(to: first..<first + piece.count)
            found += piece[(part.lowerBound - first)..<(part.upperBound - first)]
            first += piece.count
        }
        return found
    }

    private mutating func append(_ number: Int64) {
        if pieces.last.map({ $0.count >= Self.pieceSize }) ?? true {
            pieces.append([])
            pieces[pieces.count - 1].reserveCapacity(Self.pieceSize)
        }
        pieces[pieces.count - 1].append(number)
        count += 1
    }

    /// Where `number` is or would be; behind the last piece when it is above all.
    private func piece(of number: Int64) -> Int {
        var range = pieces.indices
        while let middle = range.middle {
            if let last = pieces[middle].last, last < number {
                range = middle + 1..<range.upperBound
            } else {
                range = range.lowerBound..<middle
            }
        }
        return range.lowerBound
    }
}

extension [Int64] {
    /// Of an array in ascending order.
    fileprivate func firstIndex(notLessThan number: Int64) -> Int {
        var range = indices
        while let middle = range.middle {
            range = self[middle] < number ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return range.lowerBound
    }
}

extension Range<Int> {
    /// Nil when it is empty.
    fileprivate var middle: Int? { isEmpty ? nil : lowerBound + count / 2 }
}
