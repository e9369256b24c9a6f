import Foundation
import Testing

/// What the sources do without, so that no input can reach it.
@Suite struct SourceRulesTests {
    /// A line of the project's own code.
    private struct Line {
        let place: String
        let text: String

        /// Without what stands in comments and texts.
        var code: String {
            var code = text.replacing(/#"(?:[^"]|"(?!#))*"#/, with: "T").replacing(/"(?:[^"\\]|\\.)*"/, with: "T")
            if let comment = code.firstRange(of: "//") { code.removeSubrange(comment.lowerBound...) }
            return code
        }
    }

    private static func lines() throws -> [Line] {
        let sources = Document.root.appending(path: "Sources")
        var lines: [Line] = []
        for path in try FileManager.default.subpathsOfDirectory(atPath: sources.path).sorted()
        where path.hasSuffix(".swift") && !path.hasPrefix("TestSupport/") {
            let text = try String(contentsOf: sources.appending(path: path), encoding: .utf8)
            for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
                lines.append(Line(place: "\(path):\(index + 1)", text: String(line)))
            }
        }
        return lines
    }

    /// The places that break a rule.
    ///
    /// - Parameters:
    ///   - word: Something that stands wherever the rule is broken, since expressions take their time.
    ///   - allowed: Ends of places that are known and harmless.
    private static func places(of rule: String, with word: String, but allowed: [String] = []) throws -> [String] {
        let rule = try Regex<Substring>(rule)
        let lines = try lines()
        #expect(lines.count > 10_000)
        return lines.lazy.filter { $0.text.utf8.firstRange(of: word.utf8) != nil }.map { ($0.place, $0.code) }
            .filter { $0.1.contains(rule) }.map { "\($0.0): \($0.1)" }
            .filter { place in !allowed.contains { place.contains($0) } }
    }

    /// Look-ups in tables that are complete by the time the program runs; the key is a case of our own.
    private static let complete = ["templates[key]!", "summaries[command]!", "byName[name]!"]

    @Test(
        "hardening row 83: no forced unwrapping, no forced cast, no integer made of a floating-point number",
        arguments: [
            (#"\btry!"#, "try!", "let a = try! b()"), (#"\bas!"#, "as!", "let a = b as! C"),
            (#"\bfatalError\("#, "fatalError", "fatalError()"),
            // A forced unwrapping, and an implicit one.
            (#"[A-Za-z0-9_)\]]!(?!=)"#, "!", "let a = b.first!"),
            (#"\.unsafelyUnwrapped"#, "unsafelyUnwrapped", "b.unsafelyUnwrapped"),
            // What comes from outside is made an integer by its digits.
            (#"\bU?Int(?:8|16|32|64)?\(Double\("#, "Double", "Int(Double(a) * 2)"),
            (#"\bunowned\b"#, "unowned", "unowned let a"),
        ])
    func whatTrapsIsNotThere(_ rule: String, _ word: String, _ example: String) throws {
        #expect(example.contains(try Regex<Substring>(rule)) && example.contains(word))
        #expect(try Self.places(of: rule, with: word, but: Self.complete) == [])
    }

    /// A parser by hand takes its time by the length alone.
    @Test(
        "hardening row 19: no regular expression reads what people write",
        arguments: [
            (#"\b(?:NS)?RegularExpression\b"#, "RegularExpression"), (#"\bRegex\b"#, "Regex"),
            (#"\.(?:wholeMatch|prefixMatch|firstMatch|matches)\(of:"#, "(of:"),
        ])
    func noRegularExpressionIsThere(_ rule: String, _ word: String) throws {
        // What a configured proxy writes is taken apart by two plain expressions without repetitions of repetitions.
        #expect(try Self.places(of: rule, with: word, but: ["WebServer/Routes/ClientAddress.swift"]) == [])
    }
}
