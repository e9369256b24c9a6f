import Activities
import ActivityFiles
import Basics
import ChatCommands
import Foundation
import Resources
import TestSupport
import Testing

/// What the documents show is what happens.
@Suite struct DocumentationTests {
    private static func document(_ name: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent(name), encoding: .utf8)
    }

    @Test func everyExampleInCommandsIsAnsweredAsItSays() async throws {
        // Given: the sample activity, imported and open, as commands.md says at its beginning.
        let transcript = try ChatTranscript(markdown: Self.document("commands.md"))
        #expect(transcript.lines.count > 40)
        let library = MemoryLibrary()
        library.put(
            try ActivityFile.parse(ResourceFile.sampleActivity.bytes), as: ResourceFile.sampleActivity.rawValue)
        let parser = CommandParser()
        let words = try ReplyWriter()
        let admin: UserID = "demo:管理员"
        try await TestBench(library: library).running { bench in
            try await bench.send(
                .importActivity(file: ResourceFile.sampleActivity.rawValue), as: admin, isAdmin: true)
            try await bench.send(.start(activity: "春节抽奖"), as: admin, isAdmin: true)
            // When each line is said, then its reply matches.
            for line in transcript.lines {
                let user = UserID("demo:\(line.speaker)")
                let context = MessageContext(role: user == admin ? .admin : .player, isPrivate: false)
                let response = try await bench.service.submit(
                    Request(
                        user: user, chat: "demo:1", role: user == admin ? .admin : .player,
                        content: parser.parse(line.text, context: context)))
                let reply = words.text(for: response, role: user == admin ? .admin : .player)
                #expect(
                    line.accepts(reply),
                    "commands.md:\(line.lineNumber): \(line.speaker)> \(line.text)\nis answered:\n\(reply)")
            }
        }
    }

    @Test(arguments: ["README.md", "README.zh-CN.md"])
    func everyCommandInTheReadmeRuns(_ name: String) throws {
        let readme = try Self.document(name)
        let folder = try TemporaryFolder()
        _ = try folder.file("spring.yaml", try #require(Self.blocks("yaml", in: readme).first))
        let lines = Self.blocks("sh", in: readme).flatMap { $0.split(separator: "\n").map(String.init) }
        #expect(lines.contains { $0.hasPrefix("make run") } && lines.contains { $0.hasPrefix("make test") })
        let commands = lines.filter { !$0.hasPrefix("make ") }
        #expect(commands.count == 8)
        for command in commands {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", command]
            process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
            let bin = URL(fileURLWithPath: Program.path).deletingLastPathComponent().path
            process.environment = ["PATH": "\(bin):/usr/bin:/bin"]
            process.standardInput = FileHandle.nullDevice
            let output = Pipe()
            process.standardOutput = output
            process.standardError = output
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(name): \(command)\n\(text)")
        }
    }

    @Test func bothReadmesShowTheSameCommands() throws {
        let commands = { (name: String) in
            Self.blocks("sh", in: try Self.document(name)).flatMap { $0.split(separator: "\n") }
                .map { $0.prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces) }
        }
        #expect(try commands("README.md") == commands("README.zh-CN.md"))
    }

    /// The contents of the fenced blocks with this info string.
    private static func blocks(_ info: String, in markdown: String) -> [String] {
        markdown.components(separatedBy: "```\(info)\n").dropFirst()
            .map { $0.components(separatedBy: "\n```").first ?? "" }
    }
}
