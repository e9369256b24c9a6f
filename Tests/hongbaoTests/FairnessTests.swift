import Basics
import Crypto
import Foundation
import Lottery
import TestSupport
import Testing

/// docs/fairness.md is right, and three verifiers that share no code say the same of every ledger.
@Suite struct FairnessTests {
    private static func document() throws -> String { try Document.verbatimText("docs/fairness.md") }

    /// The document's small ledger.
    private static func teaLedger() throws -> [UInt8] {
        let block = try #require(Document.blocks("ledger", in: document()).first)
        return Array((block + "\n").utf8)
    }

    // MARK: The document

    @Test func theWorkedHashesAreRight() throws {
        let block = try #require(Document.blocks("vectors", in: Self.document()).first)
        let ledger = String(decoding: try Self.teaLedger(), as: UTF8.self)
        let seed = SymmetricKey(data: (0..<32).map { UInt8($0) })
        var hashes: [String: String] = [:]
        for item in block.components(separatedBy: "\n\n") {
            let lines = item.split(separator: "\n").map(String.init)
            let head = try #require(lines.first).components(separatedBy: " = ")
            let input = try lines.dropFirst().dropLast().reduce(into: [UInt8]()) { bytes, line in
                let hex = line.split(separator: " ", omittingEmptySubsequences: true)[0]
                bytes += try #require(hexBytes(hex), "\(line)")
            }
            let stated = try #require(lines.last).replacingOccurrences(of: ") = ", with: "")
            let isMAC = head[1].hasPrefix("HMAC")
            let computed =
                isMAC
                ? hexText(Array(HMAC<SHA256>.authenticationCode(for: input, using: seed)))
                : hexText(Array(SHA256.hash(data: input)))
            #expect(computed == stated, "\(head[0])")
            // What is worked out is what the ledger holds.
            if !isMAC { #expect(ledger.contains("\"\(stated)\""), "\(head[0])") }
            hashes[head[0]] = stated
        }
        #expect(hashes.count == 14)
        // And the words in the document's table are those of the blocks.
        let document = try Self.document()
        for row in 1...3 {
            let mac = try #require(hashes["block 0 of row \(row)"])
            let words = [mac.prefix(16), mac.dropFirst(16).prefix(16)].map { "`\($0)`" }.joined(separator: " ")
            #expect(document.contains("| \(row) | \(words) |"))
        }
    }

    @Test func theDocumentsLedgerHoldsAndEndsAsTheCommandsSay() throws {
        let folder = try TemporaryFolder()
        let ledger = try Self.teaLedger()
        try Data(ledger).write(to: URL(fileURLWithPath: folder.path + "/tea.ledger.jsonl"))
        let report = LedgerVerifier.verify(ledger)
        #expect(report.holds && report.recomputedCount == 3 && report.voidCount == 1)
        let commands = try #require(Document.blocks("sh", in: Self.document()).first).split(separator: "\n").map(
            String.init)
        #expect(commands.count == 2)
        for command in commands {
            guard command.hasPrefix("hongbao") || TestMachine.python != nil else { continue }
            let typed = command.replacingOccurrences(of: "verifiers/", with: OtherVerifiers.folder + "/")
            let result = try Shell.run(typed, in: folder.path)
            #expect(result.status == 0, "\(command)\n\(result.text)")
        }
    }

    @Test(.enabled(if: TestMachine.python != nil, "python3 is not installed"))
    func theDocumentsPythonPrintsWhatItShows() throws {
        let program = try #require(Document.blocks("python", in: Self.document()).first)
        let folder = try TemporaryFolder()
        _ = try folder.file("one.py", program)
        let result = try Shell.run("python3 one.py", in: folder.path)
        let shown = try #require(Document.blocks("output", in: Self.document()).first)
        #expect(result.text == shown + "\n")
    }

    @Test func everyLinkWithinTheDocumentLeadsSomewhere() throws {
        let document = try Self.document()
        let anchors = document.components(separatedBy: "<a id=\"").dropFirst().map { $0.prefix { $0 != "\"" } }
        let links = Set(document.components(separatedBy: "](#").dropFirst().map { $0.prefix { $0 != ")" } })
        #expect(Set(anchors).count == anchors.count)
        #expect(links == Set(anchors))
    }

    @Test func aPlayersOwnRowMayBeFilledIntoAPublicLedger() throws {
        let lines = String(decoding: try Self.teaLedger(), as: UTF8.self).split(separator: "\n").map(String.init)
        var shared = try lines.map { try LedgerRow(canonicalLine: Array($0.utf8)).publicForm.canonicalText }
        shared[3] = shared[3].replacingOccurrences(
            of: #""user":null,"salt":null"#, with: #""user":"qq:10015","salt":"dbc4579ae2b3ab293213f42bb852706e""#)
        #expect(shared[3] == lines[3])
        let report = LedgerVerifier.verify(Array((shared.joined(separator: "\n") + "\n").utf8))
        #expect(report.holds)
        #expect(report.recomputedCount == 1)
    }

    // MARK: The files

    @Test func theScriptIsShortAndNeedsTheStandardLibraryOnly() throws {
        let script = try Document.verbatimText("verifiers/verify.py")
        #expect(script.split(separator: "\n", omittingEmptySubsequences: false).dropLast().count <= 120)
        #expect(script.hasSuffix("\n"))
        #expect(script.split(separator: "\n").allSatisfy { $0.count <= 125 }, "no lines that hide lines")
        let imports = script.split(separator: "\n").filter { $0.contains("import") && !$0.hasPrefix("\"\"\"") }
        #expect(imports == ["import contextlib, hashlib, hmac, json, re, sys"])
    }

    @Test func thePageLoadsNothingAndRunsItsOwnProgramOnly() throws {
        let page = try Document.verbatimText("verifiers/verify.html")
        let hash = { (part: String) in
            "'sha256-"
                + Data(SHA256.hash(data: Data(try OtherVerifiers.part(part, of: page).utf8))).base64EncodedString()
                + "'"
        }
        let policy = try """
        default-src 'none'; script-src \(hash("script")); style-src \(hash("style")); base-uri 'none'; form-action 'none'
        """
        let isStated = page.contains("<meta http-equiv=\"Content-Security-Policy\" content=\"\(policy)\">")
        #expect(isStated, "after a change of the page its policy is: \(policy)")
        for word in [
            "http://", "https://", "innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(",
            " src=", " href=", "url(", "@import", "fetch(", "XMLHttpRequest", "localStorage", " style=", " onclick",
        ] {
            #expect(!page.contains(word), "\(word)")
        }
    }

    @Test(.enabled(if: TestMachine.browser != nil, "chromium is not installed"))
    func thePageAsItIsStartsUnderItsOwnPolicy() throws {
        #expect(try OtherVerifiers.dump(OtherVerifiers.folder + "/verify.html").contains("data-ready=\"yes\""))
    }

    /// What a person sees, with a ledger that tries to be more than text.
    @Test(
        "hardening row 86: the page shows hostile text as text",
        .enabled(if: TestMachine.browser != nil, "chromium is not installed"))
    func thePageShowsVerdictsAndHostileTextAsText() throws {
        var activity = sampleActivity()
        activity.awards[0].name = "<img src=x onerror=\"document.title='hit'\"><script>document.title='hit'</script>"
        activity.awards[1].name = "\u{202E}\u{2066}反"
        var ledger = LedgerBuilder(activity, seed: 3)
        ledger.open()
        for number in 1...30 { ledger.draw(UserID("qq:\(number)")) }
        ledger.close()
        let head = try #require(ledger.rows.last).hash.hex
        let good = Data(ledger.contents).base64EncodedString()
        let bad = Data(exported(rehashed(ledger.rows.events.dropLast() + [ledger.rows.events[0]])))
            .base64EncodedString()
        let page = try Document.verbatimText("verifiers/verify.html")
        let policy = try #require(page.range(of: "script-src '[^']*'", options: .regularExpression))
        let driver = """
            <pre id="answer"></pre>
            <script>
            (async () => {
                const answer = document.getElementById("answer");
                const show = async (contents, head) => {
                    const bytes = Uint8Array.from(atob(contents), (character) => character.charCodeAt(0));
                    await checkFile(new File([bytes], "a.jsonl"), head);
                    answer.textContent += document.getElementById("verdict").className + ": "
                        + document.getElementById("verdict").textContent + document.getElementById("details").textContent + "\\n";
                    answer.textContent += "elements: " + document.querySelectorAll("main img, main script, main a").length + "\\n";
                };
                await show("\(good)", "");
                await show("\(good)", " \(head.uppercased()) ");
                await show("\(good)", "\(ledger.rows[4].hash.shortHex)");
                await show("\(good)", "\(String(repeating: "0", count: 16))");
                await show("\(good)", "xyz");
                await show("\(bad)", "");
                await show("", "");
                answer.textContent += "title: " + document.title + ", hidden: " + document.getElementById("progress").hidden;
            })();
            </script>
            """
        let harness =
            page.replacingCharacters(in: policy, with: "script-src 'unsafe-inline'")
            .replacingOccurrences(of: "</body>", with: driver + "</body>")
        // The browser's own clock does not wait for files that are read; a busy machine needs more of it.
        var answer = ""
        for seconds in [20, 100, 500, 2_500, 10_000] where !answer.contains("title: ") {
            answer = try OtherVerifiers.answer(ofPage: harness, seconds: seconds)
        }
        let lines = answer.split(separator: "\n").map(String.init)
        try #require(lines.count == 15, "\(answer)")
        #expect(lines[0].hasPrefix("good: ✓ 文件前后一致。") && lines[0].contains("没有填账本头"))
        #expect(lines[0].contains("一等奖 <img src=x onerror=\"document.title='hit'\"><script>"))
        #expect(lines[0].contains("二等奖 \u{FFFD}\u{FFFD}反") && !lines[0].contains("\u{202E}"))
        #expect(lines[2].hasPrefix("good: ✓ 账本成立，末行就是您看到的账本头。"))
        #expect(lines[4].hasPrefix("bad: ✗ 您填的是第 5 行的校验码"))
        #expect(lines[6].hasPrefix("bad: ✗ 账本里没有您看到的校验码"))
        #expect(lines[8].hasPrefix("bad: 账本头应为 16 位或 64 位"))
        #expect(lines[10].hasPrefix("bad: ✗ 第 32 行不成立："))
        #expect(lines[12].hasPrefix("bad: ✗ 第 1 行不成立：文件里没有任何一行"))
        #expect(lines.filter { $0.hasPrefix("elements: ") }.allSatisfy { $0 == "elements: 0" })
        #expect(lines[14] == "title: 核对抽奖账本 · Check a draw's ledger, hidden: true")
    }

    @Test(.enabled(if: TestMachine.python != nil, "python3 is not installed"))
    func theScriptsExitCodesAreThoseOfTheProgram() throws {
        let folder = try TemporaryFolder()
        let good = String(decoding: try Self.teaLedger(), as: UTF8.self)
        _ = try folder.file("good.jsonl", good)
        _ = try folder.file("bad.jsonl", good.replacingOccurrences(of: "\"award\":\"leaf\"", with: "\"award\":\"cup\""))
        _ = try folder.file("empty.jsonl", "")
        let head = String(good.dropLast(3).suffix(64))
        let runs: [(arguments: String, status: Int32, text: String)] = [
            ("good.jsonl", 0, head), ("good.jsonl --head \(head)", 0, "✓"),
            ("good.jsonl --head \(head.prefix(16).uppercased())", 0, "✓"),
            ("good.jsonl --head \(String(head.reversed()))", 1, "✗"), ("bad.jsonl", 1, "第 4 行"),
            ("bad.jsonl --head \(head)", 1, "第 4 行"), ("empty.jsonl", 1, "第 1 行"),
            ("nowhere.jsonl", 1, "nowhere.jsonl"),
            (". --head \(head)", 1, ""), ("good.jsonl --head xyz", 64, "Usage"),
            ("good.jsonl --head \(head.prefix(17))", 64, "Usage"), ("", 64, ""), ("good.jsonl --head", 64, ""),
            ("good.jsonl --more", 64, ""), ("good.jsonl bad.jsonl", 64, ""),
        ]
        for run in runs {
            let script = try Shell.run(
                "python3 -B '\(OtherVerifiers.folder)/verify.py' \(run.arguments)", in: folder.path)
            #expect(script.status == run.status, "\(run.arguments)\n\(script.text)")
            #expect(run.text.isEmpty || script.text.contains(run.text), "\(run.arguments)\n\(script.text)")
            let program = try Shell.run("hongbao verify \(run.arguments)", in: folder.path)
            #expect(program.status == run.status, "\(run.arguments)\n\(program.text)")
        }
    }

    // MARK: Agreement

    /// All that is done to ledgers, honest ones among them.
    private static func cases() throws -> LedgerCases {
        var cases = LedgerCases()
        let holds = Verdict(line: 0, holds: true)
        let hasAnotherHead = Verdict(line: 0, holds: false)
        let bad = { (line: Int) in Verdict(line: line, holds: false) }
        let fixture = try JSONDecoder().decode(
            [Fixture].self, from: Data(Document.verbatimText("Tests/LotteryTests/Fixtures/draw-vectors.json").utf8))
        for vector in fixture {
            cases.add("vector \(vector.activity)", vector.ledger.flatMap { Array($0.utf8) + [0x0A] }, expected: holds)
        }

        // Every byte of the small ledger: changed, removed, doubled.
        let tea = try teaLedger()
        let base = cases.add("tea", tea, expected: holds)
        let teaHead = String(decoding: tea.dropLast(3).suffix(64), as: UTF8.self)
        var line = 1
        for (index, byte) in tea.enumerated() {
            for mask: UInt8 in [0x01, 0x20, 0x80] {
                cases.change(
                    "byte \(index) ^ \(mask)", at: index, gone: 1, new: [byte ^ mask], of: base, expected: bad(line))
            }
            let isLast = index == tea.count - 1
            cases.change("byte \(index) removed", at: index, gone: 1, of: base, expected: isLast ? holds : bad(line))
            let doubled = byte == 0x0A ? line + 1 : line
            // A doubled quote, brace and so on are found in their line; a second line feed is an empty line.
            cases.change("byte \(index) doubled", at: index, gone: 0, new: [byte], of: base, expected: bad(doubled))
            cases.change("cut at \(index)", at: index, gone: tea.count - index, of: base)
            cases.change(
                "cut at \(index), with the head", at: index, gone: tea.count - index, of: base, head: teaHead,
                expected: isLast ? holds : nil)
            if byte == 0x0A { line += 1 }
        }

        // Spelling.
        let text = String(decoding: tea, as: UTF8.self)
        let respelled: [(name: String, line: Int, text: String)] = [
            ("CR LF", 1, text.replacingOccurrences(of: "\n", with: "\r\n")),
            ("CR", 1, text.replacingOccurrences(of: "\n", with: "\r")),
            ("NUL at the end", 7, text + "\0"), ("a blank at the end", 7, text + " "),
            ("an empty line", 7, text + "\n"),
            ("an empty line before", 1, "\n" + text), ("a byte order mark", 1, "\u{FEFF}" + text),
            ("blanks", 1, text.replacingOccurrences(of: ",\"", with: ", \"")),
            ("a blank before", 1, " " + text),
            ("a repeated key", 2, text.replacing("\"award\":\"cup\"", with: "\"award\":\"leaf\",\"award\":\"cup\"")),
            (
                "a repeated key, equal", 2,
                text.replacing("\"attempt\":1,\"award\":\"cup\"", with: "\"attempt\":1,\"attempt\":1,\"award\":\"cup\"")
            ),
            ("another key", 2, text.replacing("\"award\":\"cup\"", with: "\"award\":\"cup\",\"x\":1")),
            ("__proto__", 2, text.replacing("\"award\":\"cup\"", with: "\"award\":\"cup\",\"__proto__\":{}")),
            (
                "keys exchanged", 2,
                text.replacing("\"attempt\":1,\"award\":\"cup\"", with: "\"award\":\"cup\",\"attempt\":1")
            ),
            (
                "a fraction", 2,
                text.replacing("\"attempt\":1,\"award\":\"cup\"", with: "\"attempt\":1.0,\"award\":\"cup\"")
            ),
            (
                "an exponent", 2,
                text.replacing("\"attempt\":1,\"award\":\"cup\"", with: "\"attempt\":1e0,\"award\":\"cup\"")
            ),
            (
                "a leading zero", 2,
                text.replacing("\"attempt\":1,\"award\":\"cup\"", with: "\"attempt\":01,\"award\":\"cup\"")
            ),
            (
                "a minus zero", 2,
                text.replacing("\"remaining\":0,\"hash\":\"df", with: "\"remaining\":-0,\"hash\":\"df")
            ),
            (
                "true for 1", 2,
                text.replacing("\"attempt\":1,\"award\":\"cup\"", with: "\"attempt\":true,\"award\":\"cup\"")
            ),
            (
                "a text for a number", 2,
                text.replacing("\"attempt\":1,\"award\":\"cup\"", with: "\"attempt\":\"1\",\"award\":\"cup\"")
            ),
            (
                "a huge number", 2,
                text.replacing(
                    "\"attempt\":1,\"award\":\"cup\"",
                    with: "\"attempt\":\(String(repeating: "9", count: 5000)),\"award\":\"cup\"")
            ),
            ("a number for a flag", 1, text.replacing(":false,", with: ":0,")),
            ("an award as a list", 1, text.replacing("[{\"id\"", with: "[[],{\"id\"")),
            // None of these three is covered by the row's hash.
            ("an award of nothing", 3, text.replacing("\"award\":null", with: "\"award\":\"\"")),
            ("a user without salt", 2, text.replacing("\"2bc990059473448e6ebd442aa16bfaa0\"", with: "null")),
            ("a salt without user", 2, text.replacing("\"user\":\"qq:10007\"", with: "\"user\":null")),
            ("NaN", 2, text.replacing("\"remaining\":0,\"hash\":\"df", with: "\"remaining\":NaN,\"hash\":\"df")),
            ("an escaped letter", 2, text.replacing("\"cup\",\"remaining\"", with: "\"c\\u0075p\",\"remaining\"")),
            ("an escaped slash", 5, text.replacing("\"小号\"", with: "\"\\/\"")),
            ("a lone surrogate", 5, text.replacing("\"小号\"", with: "\"\\ud800\"")),
            ("ASCII only", 5, text.replacing("\"小号\"", with: "\"\\u5c0f\\u53f7\"")),
            ("a short escape", 5, text.replacing("\"小号\"", with: "\"\\n\"")),
            ("upper case hex", 2, text.replacing("2bc990059473448e", with: "2BC990059473448E")),
            ("a list around", 1, "[" + text), ("nesting", 1, String(repeating: "[", count: 100_000)),
            ("decomposed text", 1, text.replacing("一等奖", with: "一等e\u{301}")),
        ]
        for item in respelled {
            #expect(item.text != text, "\(item.name) changes nothing")
            cases.add(item.name, item.text.utf8, expected: bad(item.line))
        }
        let rows = text.split(separator: "\n").map(String.init)
        // A row that continues the chain rightly, whatever its bytes are.
        func voided(seq: UInt64 = 6, reason: [UInt8]) throws -> [UInt8] {
            let bigEndian = { (number: UInt64, count: Int) in
                (0..<count).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
            }
            let receipt = Array("tea-3".utf8)
            let body = bigEndian(5, 4) + receipt + bigEndian(UInt64(reason.count), 4) + reason
            let head = try #require(hexBytes(teaHead))
            let leaf =
                Array("hongbao/1/leaf".utf8) + head + bigEndian(seq, 8) + [4] + bigEndian(1_776_643_205_000, 8)
                + bigEndian(UInt64(body.count), 4) + body
            let begin = "{\"seq\":\(seq),\"type\":4,\"at_ms\":1776643205000,\"receipt\":\"tea-3\",\"reason\":\""
            let end = "\",\"hash\":\"\(hexText(Array(SHA256.hash(data: leaf))))\"}\n"
            return Array(begin.utf8) + reason + Array(end.utf8)
        }
        cases.add("a void more", try tea + voided(reason: [0x7F]), expected: holds)
        cases.add("a seq too high", try tea + voided(seq: 7, reason: []), expected: bad(7))
        cases.add("a raw control character", try tea + voided(reason: [0x1F]), expected: bad(7))
        for (name, bytes) in [
            ("overlong UTF-8", [0xC0, 0xAF]), ("a surrogate in UTF-8", [0xED, 0xA0, 0x80]), ("a lone byte", [0x80]),
            ("beyond Unicode", [0xF4, 0x90, 0x80, 0x80]), ("half a character", [0xE5, 0xB0]),
        ] as [(String, [UInt8])] {
            cases.add(name, try tea + voided(reason: bytes), expected: bad(7))
        }
        cases.add("the highest character", try tea + voided(reason: [0xF4, 0x8F, 0xBF, 0xBF]), expected: holds)
        let room = try LedgerRow.maximumLineLength - (voided(reason: []).count - 1)
        for (name, count, verdict) in [("the longest line", room, holds), ("one byte more", room + 1, bad(7))] {
            cases.add(name, try tea + voided(reason: [UInt8](repeating: 0x78, count: count)), expected: verdict)
        }

        // Seeds that a first pass might take from the wrong line.
        let closing = rows[5]
        cases.add("the close twice", (text + closing + "\n").utf8, expected: bad(7))
        cases.add("a close before", (closing + "\n" + text).utf8, expected: bad(1))
        let events = try rows.map { try LedgerRow(canonicalLine: Array($0.utf8)) }.events
        let wrongSeed = RoundSeed([UInt8](repeating: 7, count: 32)).map { LedgerEvent.close(round: 1, seed: $0) }
        let wrongClose = (event: try #require(wrongSeed), at: events[5].at)
        var forged = events
        forged[1].event = events[1].event.altered(award: "leaf", remaining: 1)
        forged[3].event = events[3].event.altered(award: "leaf", remaining: 0)
        // The right seed is known, so the forged outcome shows although the file is bad further down, too.
        cases.add("a forged outcome", exported(rehashed(forged)), expected: bad(2))
        cases.add("and a wrong seed after the right one", exported(rehashed(forged + [wrongClose])), expected: bad(2))
        // Of several seeds the first counts: with a wrong one no outcome is computed, and its own row is the bad one.
        let before = Array(forged.prefix(4)) + [wrongClose, events[5]]
        cases.add("and a wrong seed before the right one", exported(rehashed(before)), expected: bad(5))

        // Limits.
        var late = events
        late[5].at = Instant(milliseconds: 253_402_300_799_999)
        cases.add("the last millisecond", exported(rehashed(late)), expected: holds)
        late[5].at = late[5].at.advanced(byMilliseconds: 1)
        cases.add("a millisecond more", exported(rehashed(late)), expected: bad(6))
        for (name, number, count, verdict) in [
            ("10^9 copies", 1_000_000_000, 1, holds), ("10^9 + 1 copies", 1_000_000_001, 1, bad(1)),
            ("1000 awards", 1, 1000, holds), ("1001 awards", 1, 1001, bad(1)), ("no awards", 1, 0, bad(1)),
        ] {
            let awards = (0..<count).map {
                ActivityAward(id: AwardID("a\($0)"), kind: .NORNAL, percent: .of("1"), name: "", number: number)
            }
            var ledger = LedgerBuilder(Activity(id: "many", name: "多", awards: awards), seed: 1)
            ledger.open()
            ledger.draw("qq:1")
            ledger.close()
            cases.add(name, ledger.contents, expected: verdict)
        }
        cases.add("no rows", [], expected: bad(1))
        cases.add("one line feed", [0x0A], expected: bad(1))

        // Whole ledgers.
        print("FairnessTests seed \(SeededGenerator.baseSeed)")
        var forger = LedgerForger(seed: SeededGenerator.baseSeed)
        for number in 0..<40 {
            let ledger = forger.ledger()
            let honest = ledger.rows
            let head = honest.last?.hash.hex ?? ""
            let name = "ledger \(number)"
            cases.add(name, ledger.contents, expected: holds)
            cases.add("\(name), head", ledger.contents, head: head, expected: holds)
            cases.add("\(name), short head", ledger.contents, head: head.prefix(16).uppercased(), expected: holds)
            cases.add("\(name), public", exported(honest.map(\.publicForm)), expected: holds)
            cases.add("\(name), erased", exported(forger.erased(honest)), expected: holds)
            for _ in 0..<12 {
                let forged = forger.forged(forger.below(3) == 0 ? forger.erased(honest) : honest)
                cases.add("\(name), forged", exported(forged))
                cases.add("\(name), forged, public", exported(forged.map(\.publicForm)))
            }
            guard number < 6 else { continue }
            for index in honest.indices {
                let cut = exported(Array(honest[..<index]))
                cases.add("\(name), cut at row \(index)", cut, expected: index == 0 ? bad(1) : holds)
                cases.add(
                    "\(name), cut at row \(index), head", cut, head: head,
                    expected: index == 0 ? bad(1) : hasAnotherHead)
                cases.add(
                    "\(name), doubled row \(index)", exported(Array(honest[...index]) + honest[index...]),
                    expected: bad(index + 2))
                guard index < honest.count - 1 else { continue }
                cases.add(
                    "\(name), without row \(index)", exported(Array(honest[..<index]) + honest[(index + 1)...]),
                    expected: bad(index + 1))
                var swapped = honest
                swapped.swapAt(index, index + 1)
                cases.add(
                    "\(name), rows \(index) and \(index + 1) swapped", exported(swapped), expected: bad(index + 1))
            }
        }
        for number in 0..<600 { cases.add("loose ledger \(number)", exported(forger.looseLedger())) }
        return cases
    }

    private struct Fixture: Decodable {
        let activity: String
        let ledger: [String]
    }

    @Test(
        .enabled(if: TestMachine.python != nil, "python3 is not installed"),
        .enabled(if: TestMachine.browser != nil, "chromium is not installed"))
    func allThreeVerifiersAgree() async throws {
        let cases = try Self.cases()
        async let python = OtherVerifiers.pythonVerdicts(cases)
        async let browser = OtherVerifiers.browserVerdicts(cases)
        let swift = cases.swiftVerdicts()
        let (inPython, inBrowser) = try await (python, browser)
        print(
            "FairnessTests: \(swift.count) ledgers, \(swift.count { $0.holds }) hold, \(swift.count { $0.line > 0 }) have a bad line"
        )
        try #require(inPython.count == cases.cases.count && inBrowser.count == cases.cases.count)
        var wrong = 0
        for (index, item) in cases.cases.enumerated() {
            let verdict = swift[index]
            let isRight =
                verdict == inPython[index] && verdict == inBrowser[index] && verdict == item.expected ?? verdict
            guard !isRight else { continue }
            wrong += 1
            guard wrong <= 20 else { continue }
            Issue.record(
                """
                \(item.name): program \(verdict), script \(inPython[index]), page \(inBrowser[index]), \
                expected \(item.expected.map { "\($0)" } ?? "the same")
                \(String(decoding: cases.contents(item).prefix(3000), as: UTF8.self))
                """)
        }
        #expect(wrong == 0)
        // Neither "everything holds" nor "nothing holds" would do.
        #expect(swift.count { $0.holds } > 300)
        #expect(swift.count { $0.line > 0 } > 5000)
        #expect(swift.count { $0.line == 0 && !$0.holds } > 50)
    }
}
