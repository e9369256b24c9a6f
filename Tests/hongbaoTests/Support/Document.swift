import Foundation

/// A file of the project, and the parts of a document.
enum Document {
    /// The text, with other secrets in the place of the samples, which the program refuses.
    static func text(_ name: String) throws -> String {
        try verbatimText(name).replacingOccurrences(of: "ReplaceMe", with: "k7Qx2Wp9Z")
    }

    /// The project's folder.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    static func verbatimText(_ name: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(name), encoding: .utf8)
    }

    /// The contents of the fenced blocks with this info string.
    static func blocks(_ info: String, in markdown: some StringProtocol) -> [String] {
        markdown.components(separatedBy: "```\(info)\n").dropFirst()
            .map { $0.components(separatedBy: "\n```").first ?? "" }
    }
}
