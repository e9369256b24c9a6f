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
    @Test func everyExampleInCommandsIsAnsweredAsItSays() async throws {
        // Given: the sample activity, imported and open, as commands.md says at its beginning.
        let transcript = try ChatTranscript(markdown: Document.text("commands.md"))
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
        let readme = try Document.text(name)
        let folder = try TemporaryFolder()
        let files = Document.blocks("yaml", in: readme)
        try #require(files.count == 2)
        _ = try folder.file("spring.yaml", files[0])
        _ = try folder.file("hongbao.yaml", files[1])
        let lines = Document.blocks("sh", in: readme).flatMap { $0.split(separator: "\n").map(String.init) }
        #expect(lines.contains { $0.hasPrefix("make run") } && lines.contains { $0.hasPrefix("make test") })
        let commands = lines.filter { !$0.hasPrefix("make ") }
        #expect(commands.count == 12)
        var server: RunningServer?
        for command in commands {
            if command.hasPrefix("hongbao serve") {
                server = try RunningServer(in: folder)
                continue
            }
            // The server has a port of its own, so that nothing else on the machine is in the way.
            let typed = command.replacingOccurrences(of: "http://127.0.0.1:8080", with: server?.address ?? "")
            let result = try Shell.run(typed.replacingOccurrences(of: "curl ", with: "curl -sSf "), in: folder.path)
            #expect(result.status == 0, "\(name): \(command)\n\(result.text)")
            if command.hasPrefix("curl ") { #expect(result.text.contains("\"status\":\"ok\"")) }
        }
        #expect(try #require(server).stop() == 0)
    }

    /// Whoever takes a test away that holds a promise finds the promise.
    @Test func everyTestThatTheThreatModelNamesExists() throws {
        let names = try Document.text("docs/threat-model.md").matches(of: /`(?:[A-Za-z]+\/)?([A-Za-z]+Tests)`/).map(\.1)
        #expect(Set(names).count > 15)
        let tests = Document.root.appending(path: "Tests")
        let paths = try FileManager.default.subpathsOfDirectory(atPath: tests.path)
        let known = Set(paths.map { $0.split(separator: "/").last.map(String.init) ?? "" })
        for name in Set(names) {
            #expect(known.contains("\(name).swift") || known.contains(String(name)), "\(name)")
        }
    }

    @Test func bothReadmesShowTheSameCommands() throws {
        let commands = { (name: String) in
            Document.blocks("sh", in: try Document.text(name)).flatMap { $0.split(separator: "\n") }
                .map { $0.prefix { $0 != "#" }.trimmingCharacters(in: .whitespaces) }
        }
        #expect(try commands("README.md") == commands("README.zh-CN.md"))
    }
}
