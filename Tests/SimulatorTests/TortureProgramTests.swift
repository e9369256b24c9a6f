#if DEBUG
    import Basics
    import Foundation
    import Testing

    /// What `make torture` runs, as a process.
    struct TortureProgramTests {
        /// What is broken is told with the seed, and that seed breaks it again in another process.
        @Test(arguments: Mutation.allCases)
        func aFailingSeedIsToldAndRepeats(_ mutation: Mutation) throws {
            let first = try run(["--mutation", mutation.rawValue, "--seconds", "60"])
            #expect(first.status == 1)
            let broken = try #require(first.lines.first { $0.hasPrefix("broken: seed ") })
            let seed = try #require(broken.split(whereSeparator: { $0 == " " || $0 == "," }).dropFirst(2).first)
            #expect(first.lines.last == "again:  make torture SEED=\(seed) STEPS=120 MUTATION=\(mutation.rawValue)")

            let again = try run(["--mutation", mutation.rawValue, "--seed", String(seed)])
            #expect(again.status == 1)
            #expect(again.lines.suffix(30) == first.lines.suffix(30))

            let honest = try run(["--seed", String(seed)])
            #expect(honest.status == 0, "\(honest.lines)")
        }

        private func run(_ arguments: [String]) throws -> (status: Int32, lines: [String]) {
            let process = Process()
            process.executableURL = try program()
            process.arguments = arguments
            process.environment = ["SWIFT_DETERMINISTIC_HASHING": "1"]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return (process.terminationStatus, text.split(separator: "\n").map(String.init))
        }

        /// Beside the tests, or some folders above.
        private func program() throws -> URL {
            var folder = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
            while folder.path != "/" {
                folder.deleteLastPathComponent()
                let file = folder.appendingPathComponent("hongbao-torture")
                if FileManager.default.isExecutableFile(atPath: file.path) { return file }
            }
            throw CocoaError(.fileNoSuchFile)
        }
    }
#endif
