/// Everything that is wrong with an activity file, in the order of its lines.
public struct ActivityFileError: Error, Hashable, Sendable {
    /// One fault. Each says what was found and what was expected.
    public struct Fault: Hashable, Sendable {
        /// From 1.
        public let line: Int
        /// Where it is, such as `awards[2].percent` (positions from 1); empty when it is the file as a whole.
        public let field: String
        public let english: String
        public let chinese: String
    }

    /// At least one.
    public let faults: [Fault]
}

extension ActivityFileError: CustomStringConvertible {
    /// One English line per fault.
    public var description: String {
        faults.map(\.description).joined(separator: "\n")
    }

    /// One Chinese line per fault.
    public var chineseText: String {
        faults.map(\.chineseText).joined(separator: "\n")
    }
}

extension ActivityFileError.Fault: CustomStringConvertible {
    public var description: String {
        "line \(line)" + (field.isEmpty ? "" : ", \(field)") + ": \(english)"
    }

    public var chineseText: String {
        "第 \(line) 行" + (field.isEmpty ? "" : " \(field)") + "：\(chinese)"
    }
}
