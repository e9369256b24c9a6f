internal import Foundation

/// Something that strangers' bytes go through, and what must hold for any bytes whatever.
///
/// Besides the promises that a target names, nothing may trap, hang or use much memory; that is for whoever runs it to
/// watch.
public struct FuzzTarget: Sendable {
    /// Of the target, its corpus and its fuzzer.
    public let name: String
    private let examine: @Sendable ([UInt8]) throws -> Void

    init(_ name: String, _ examine: @escaping @Sendable ([UInt8]) throws -> Void) {
        self.name = name
        self.examine = examine
    }

    public static let all = [commands, platforms, json, activities, ledgers, configuration]

    /// Feeds one input.
    ///
    /// - Throws: ``BrokenPromise``.
    public func run(_ input: [UInt8]) throws {
        try examine(input)
    }

    /// Feeds one input as a fuzzer does: ends the process when a promise is broken.
    ///
    /// - Returns: What a fuzzer wants to hear.
    public func run(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
        do {
            try run(Array(UnsafeBufferPointer(start: start, count: count)))
        } catch {
            FileHandle.standardError.write(Data("\(name): \(error)\n".utf8))
            abort()
        }
        return 0
    }
}

/// What was promised and does not hold for an input.
public struct BrokenPromise: Error, CustomStringConvertible {
    public let description: String
}

/// - Parameter promise: What holds, said as a sentence.
func require(_ holds: Bool, _ promise: @autoclosure () -> String) throws {
    if !holds { throw BrokenPromise(description: "it does not hold that " + promise()) }
}

/// Reads an input's leading bytes as choices.
struct Choices {
    /// What was not read yet.
    private(set) var rest: ArraySlice<UInt8>

    init(_ input: [UInt8]) {
        rest = input[...]
    }

    /// 0 behind the end.
    mutating func next() -> UInt8 { rest.popFirst() ?? 0 }

    var isEmpty: Bool { rest.isEmpty }
}

extension Unicode.Scalar {
    /// Nothing that steers a terminal or turns a text around, and nothing that no font has.
    var isHarmless: Bool {
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }
}

extension StringProtocol {
    /// No C0, U+007F or C1, but line breaks where `allowsLines`.
    func hasNoControls(allowsLines: Bool = false) -> Bool {
        unicodeScalars.allSatisfy { $0.properties.generalCategory != .control || (allowsLines && $0 == "\n") }
    }
}
