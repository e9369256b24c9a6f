internal import Foundation

/// The system's cryptographic generator, asked for 256 bytes at a time: a call for each salt costs a draw a
/// microsecond.
public struct SystemEntropy: RandomNumberGenerator, Sendable {
    private var numbers = [UInt64](repeating: 0, count: 32)
    private var index = 32

    public init() {}

    public mutating func next() -> UInt64 {
        if index == numbers.count {
            let isFilled = numbers.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) == 0 }
            precondition(isFilled, "the system gives no random numbers")
            index = 0
        }
        defer {
            // What became a seed must not stay behind here.
            numbers[index] = 0
            index += 1
        }
        return numbers[index]
    }
}
