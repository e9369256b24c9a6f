public import Basics
internal import Foundation

extension SeededGenerator {
    /// What random tests start from: `HONGBAO_SEED`, else a fixed number. Print it with every failure.
    public static let baseSeed: UInt64 =
        ProcessInfo.processInfo.environment["HONGBAO_SEED"].flatMap { UInt64($0) } ?? 20_270_210

    public mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }

    /// 0..<bound; the bias is of no consequence in tests.
    public mutating func below(_ bound: Int) -> Int {
        Int(next() >> 33) % bound
    }
}
