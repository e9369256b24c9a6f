import Foundation
import Lottery
import TestSupport

/// What a verifier says of a ledger.
struct Verdict: Hashable, CustomStringConvertible {
    /// The first bad line, from 1; 0 when there is none.
    let line: Int
    /// No line is bad, and the given head, if any, is the last row's.
    let holds: Bool

    var description: String { holds ? "holds" : line > 0 ? "line \(line) is bad" : "has another head" }
}

/// Many ledgers to be checked: each is a whole file, or one of them with a piece replaced.
struct LedgerCases {
    struct Case: Encodable {
        let name: String
        /// Which file, and what of it is replaced.
        let base: Int
        let at: Int
        let gone: Int
        let new: Data
        let head: String
        /// What every verifier must say, where that is known beforehand.
        let expected: Verdict?

        enum CodingKeys: CodingKey { case base, at, gone, new, head }
    }

    private(set) var bases: [Data] = []
    private(set) var cases: [Case] = []

    /// A whole file; the number is for ``change(_:at:gone:new:of:expected:)``.
    @discardableResult
    mutating func add(
        _ name: String, _ contents: some Sequence<UInt8>, head: String = "", expected: Verdict? = nil
    ) -> Int {
        bases.append(Data(contents))
        change(name, at: 0, gone: 0, of: bases.count - 1, head: head, expected: expected)
        return bases.count - 1
    }

    mutating func change(
        _ name: String, at: Int, gone: Int, new: [UInt8] = [], of base: Int, head: String = "",
        expected: Verdict? = nil
    ) {
        cases.append(
            Case(
                name: name, base: base, at: at, gone: gone, new: Data(new), head: head, expected: expected))
    }

    func contents(_ item: Case) -> [UInt8] {
        var contents = Array(bases[item.base])
        contents.replaceSubrange(item.at..<(item.at + item.gone), with: item.new)
        return contents
    }

    /// For the other verifiers: `{"bases":[…],"cases":[…]}` with bytes in base64.
    func encoded() throws -> Data {
        struct Work: Encodable {
            let bases: [Data]
            let cases: [Case]
        }
        return try JSONEncoder().encode(Work(bases: bases, cases: cases))
    }

    /// What this project's own verifier says, in this process.
    func swiftVerdicts() -> [Verdict] {
        cases.map { item in
            let report = LedgerVerifier.verify(contents(item), head: HeadClaim(item.head))
            return Verdict(line: report.badRow?.line ?? 0, holds: report.holds)
        }
    }
}

/// The verifiers that are no Swift: each checks many ledgers in one process.
enum OtherVerifiers {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("verifiers").path

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private struct Answer: Decodable {
        let line: Int
        let holds: Bool
    }

    private static func verdicts(_ json: some StringProtocol) throws -> [Verdict] {
        do {
            return try JSONDecoder().decode([Answer].self, from: Data(json.utf8))
                .map { Verdict(line: $0.line, holds: $0.holds) }
        } catch {
            throw Failure(description: "no verdicts: \(json.prefix(2000))")
        }
    }

    private static let pythonDriver = """
        import base64, io, json, sys
        sys.path.insert(0, sys.argv[1])
        import verify
        with open(sys.argv[2]) as file: work = json.load(file)
        bases = [base64.b64decode(base) for base in work["bases"]]
        answers = []
        for case in work["cases"]:
            base, at = bases[case["base"]], case["at"]
            contents = base[:at] + base64.b64decode(case["new"]) + base[at + case["gone"]:]
            line, holds, told = verify.verify(lambda: io.BytesIO(contents), case["head"])
            assert holds == told.startswith("✓"), told
            answers.append({"line": line, "holds": holds})
        print(json.dumps(answers))
        """

    static func pythonVerdicts(_ cases: LedgerCases) throws -> [Verdict] {
        let folder = try TemporaryFolder()
        _ = try folder.file("driver.py", pythonDriver)
        try cases.encoded().write(to: URL(fileURLWithPath: folder.path + "/work.json"))
        let result = try Shell.run(
            "timeout 300 '\(TestMachine.python ?? "")' -B driver.py '\(Self.folder)' work.json", in: folder.path)
        guard result.status == 0 else { throw Failure(description: result.text) }
        return try verdicts(result.text)
    }

    /// The page's program on a page of its own, beside `body`, which may use its functions.
    private static let browserDriver = """
        const read = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
        const work = JSON.parse(document.getElementById("work").textContent), bases = work.bases.map(read);
        document.getElementById("answer").textContent = JSON.stringify(work.cases.map((one) => {
            const base = bases[one.base];
            const contents = join(base.subarray(0, one.at), read(one.new), base.subarray(one.at + one.gone));
            const { line, holds } = verifyLedger(contents, one.head);
            return { line, holds };
        }));
        """

    static func browserVerdicts(_ cases: LedgerCases) throws -> [Verdict] {
        let page = try Document.verbatimText("verifiers/verify.html")
        let program = try part("script", of: page)
        let work = String(decoding: try cases.encoded(), as: UTF8.self)
        return try verdicts(
            answer(
                ofPage: """
                    <!doctype html><meta charset="utf-8">
                    <pre id="answer"></pre>
                    <script type="application/json" id="work">\(work)</script>
                    <script>\(program)</script>
                    <script>\(browserDriver)</script>
                    """))
    }

    /// What stands between `<name>` and `</name>`.
    static func part(_ name: String, of page: String) throws -> String {
        let parts = page.components(separatedBy: "<\(name)>")
        guard parts.count == 2, let text = parts[1].components(separatedBy: "</\(name)>").first else {
            throw Failure(description: "not one <\(name)>")
        }
        return text
    }

    /// The text of the element `answer` after the page has been loaded and `seconds` of its own time have passed.
    static func answer(ofPage page: String, seconds: Int = 0) throws -> String {
        let folder = try TemporaryFolder()
        let dumped = try dump(try folder.file("page.html", page), seconds: seconds)
        guard let start = dumped.range(of: #"<pre id="answer">"#)?.upperBound,
            let end = dumped[start...].range(of: "</pre>")?.lowerBound
        else { throw Failure(description: "the page has no answer: \(dumped.prefix(2000))") }
        return String(dumped[start..<end]).replacingOccurrences(of: "&lt;", with: "<")
            .replacingOccurrences(of: "&gt;", with: ">").replacingOccurrences(of: "&amp;", with: "&")
    }

    /// The document of a page as the browser has it in the end.
    static func dump(_ file: String, seconds: Int = 0) throws -> String {
        let folder = try TemporaryFolder()
        let budget = seconds > 0 ? "--virtual-time-budget=\(seconds * 1000)" : ""
        let result = try Shell.run(
            """
            timeout 300 '\(TestMachine.browser ?? "")' --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                --user-data-dir=profile \(budget) --dump-dom 'file://\(file)' >page.html 2>errors.txt
            """, in: folder.path, environment: ["HOME": folder.path])
        guard result.status == 0 else {
            throw Failure(
                description:
                    "\(TestMachine.browser ?? "") ended with \(result.status): \(try folder.text("errors.txt"))")
        }
        return try folder.text("page.html")
    }
}
