import ChatPlatforms
import Foundation
import TestSupport
import Testing

/// Secrets, seeds and messages stay out of everything that the program and its tests put out.
struct OutputSearchTests {
    private static let secret = PlantedSecret(bytes: Array("kanarien/vogel+ÿ?7".utf8), name: "bird")

    /// The forms written by other code than that which looks for them.
    private static let outputs: [String] = {
        let data = Data(secret.bytes)
        let plain = String(decoding: secret.bytes, as: UTF8.self)
        let encoded = ["", "a", "ab", "abc"].map { (Data($0.utf8) + data + Data("xyz".utf8)).base64EncodedString() }
        return [
            plain, "token=\(plain)&x=1", data.map { String(format: "%02x", $0) }.joined(),
            data.map { String(format: "%02X", $0) }.joined(), data.map { String(format: "%%%02x", $0) }.joined(),
            plain.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-._~"))) ?? "",
        ] + encoded + encoded.map { $0.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "") }
    }()

    @Test(arguments: outputs)
    func aSecretIsFoundInEveryForm(_ output: String) throws {
        let found = try Self.search("before\ninfo \(output) after\n")
        #expect(found.map(\.description) == ["./a.log:2 holds bird"], "\(output)")
    }

    @Test(arguments: ["nothing", "kanarien", "kanarien/vogel+", "6b616e617269656e", ""])
    func whatIsNoSecretIsNotFound(_ output: String) throws {
        #expect(try Self.search(output + "\n").isEmpty)
    }

    @Test func whatWasPlantedIsReadBack() {
        #expect(PlantedSecret(line: "00ff20 a name") == PlantedSecret(bytes: [0, 255, 32], name: "a name"))
        for line in ["", "00ff", "0 a", "0x a"] { #expect(PlantedSecret(line: line[...]) == nil, "\(line)") }
    }

    private static func search(_ text: String) throws -> [OutputSearch.Finding] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "search-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(text.utf8).write(to: folder.appending(path: "a.log"))
        try Data(text.utf8).write(to: folder.appending(path: "skipped.txt"))
        return try OutputSearch(secrets: [secret]).findings(in: folder, except: "skipped.txt")
    }

    // MARK: The run

    private static let runFolder = ProcessInfo.processInfo.environment["HONGBAO_SEARCHED_OUTPUT"]

    /// `make test` runs it after everything else, on all that was put out.
    @Test(.enabled(if: runFolder != nil, "make test looks through the output of a whole run"))
    func noPlantedSecretIsInAnyOutputOfTheRun() throws {
        let folder = URL(filePath: try #require(Self.runFolder))
        let planted = try String(contentsOf: folder.appending(path: Canary.plantedFile), encoding: .utf8)
        let secrets = Set(planted.split(separator: "\n").compactMap { PlantedSecret(line: $0) })

        // A search for little, or in little, finds nothing.
        let names = Set(secrets.map(\.name))
        for platform in Platform.allCases where platform != .discord {
            #expect(names.contains { $0.hasPrefix("\(platform.rawValue) ") }, "no secret of \(platform) was planted")
        }
        for name in ["player token secret", "seed of an open round", "words of a message", "secret of hongbao.yaml"] {
            #expect(names.contains(name), "no \(name) was planted")
        }
        for (file, word) in [
            ("loggers.log", "webhook"), ("programs.log", "http://"), ("tests-1.log", "passed after"),
            ("tests-2.log", "passed after"), ("tests-3.log", "passed after"),
        ] {
            let text = try String(decoding: Data(contentsOf: folder.appending(path: file)), as: UTF8.self)
            #expect(text.count > 20_000 && text.contains(word), "\(file) was not kept")
        }

        let findings = try OutputSearch(secrets: Array(secrets)).findings(in: folder, except: Canary.plantedFile)
        #expect(findings.isEmpty, "\(findings.count) lines, such as \(findings.prefix(20).map(\.description))")
        print("\(secrets.count) planted secrets are in no output")
    }
}
