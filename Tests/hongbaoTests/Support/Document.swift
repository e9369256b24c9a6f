import Foundation

/// A file of the project, and the parts of a document.
enum Document {
    static func text(_ name: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent(name), encoding: .utf8)
    }

    /// The contents of the fenced blocks with this info string.
    static func blocks(_ info: String, in markdown: some StringProtocol) -> [String] {
        markdown.components(separatedBy: "```\(info)\n").dropFirst()
            .map { $0.components(separatedBy: "\n```").first ?? "" }
    }
}
