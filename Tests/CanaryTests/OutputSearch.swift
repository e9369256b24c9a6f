import Foundation

/// Looks for planted secrets in every file of a folder.
struct OutputSearch {
    struct Finding: CustomStringConvertible {
        let file: String
        let line: Int
        let names: [String]

        var description: String { "\(file):\(line) holds \(names.joined(separator: ", "))" }
    }

    let secrets: [PlantedSecret]

    /// - Throws: When a file cannot be read, or `grep` cannot be run.
    func findings(in folder: URL, except skipped: String) throws -> [Finding] {
        let forms = secrets.map { (name: $0.name, forms: $0.forms) }
        let patterns = FileManager.default.temporaryDirectory.appending(path: "patterns-\(UUID())")
        defer { try? FileManager.default.removeItem(at: patterns) }
        let list = Set(forms.flatMap(\.forms)).sorted().joined(separator: "\n")
        // With an empty line among them, everything would be found.
        precondition(!secrets.isEmpty && !list.contains("\n\n"), "nothing to look for")
        try Data(list.utf8).write(to: patterns)
        return try lines(matching: patterns, in: folder, except: skipped).map { file, line, text in
            Finding(
                file: file, line: line,
                names: forms.filter { $0.forms.contains { text.contains($0) } }.map(\.name).sorted())
        }
    }

    /// `grep` looks for thousands of words in hundreds of megabytes at once.
    private func lines(
        matching patterns: URL, in folder: URL, except skipped: String
    ) throws -> [(file: String, line: Int, text: String)] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["grep", "-ranF", "--exclude=\(skipped)", "-f", patterns.path, "."]
        process.currentDirectoryURL = folder
        process.environment = ["LC_ALL": "C", "PATH": "/usr/bin:/bin"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let found = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        // 1: nothing was found; 2: it failed.
        guard process.terminationStatus < 2 else { throw CocoaError(.fileReadUnknown) }
        return found.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let number = Int(parts[1]) else { return nil }
            return (String(parts[0]), number, String(parts[2]))
        }
    }
}
