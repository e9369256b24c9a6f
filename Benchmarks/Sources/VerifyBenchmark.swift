internal import Basics
internal import Crypto
internal import Foundation
internal import Lottery

/// `hongbao verify` on a ledger of one closed round, every outcome of which it computes again.
struct VerifyBenchmark: Benchmark {
    let name = "verify"

    func figures(_ settings: BenchmarkSettings) async throws -> [Figure] {
        let title = "ledger rows verified"
        let ledger = SampleLedger(drawCount: settings.scaled(300_000), seed: 1)
        let file = settings.folder + "/bench.ledger.jsonl"
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data(ledger.rows.flatMap { $0.canonicalLine + [0x0A] }).write(to: URL(fileURLWithPath: file))
        let hashing = try LedgerHashing(ledger)
        let comparison = try await settings.compare(
            title, ours: { _ in try verifiedPerSecond(settings.program, file, ledger) },
            reference: { _ in try hashing.rowsPerSecond() })
        return [
            Figure(
                title, comparison, "rows/s", reference: "SHA-256 and HMAC of the same bytes, one core",
                goal: .ratioAtLeast(0.5))
        ]
    }

    private func verifiedPerSecond(_ program: String, _ file: String, _ ledger: SampleLedger) throws -> Double {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["verify", file]
        let output = Pipe()
        process.standardOutput = output
        let start = ContinuousClock.now
        try process.run()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        guard process.terminationStatus == 0, said.contains("rows: \(ledger.rows.count)\n"),
            said.contains("recomputed: \(ledger.rows.count - 2)\n")
        else { throw Wrong(description: "the ledger was not verified: \(said)") }
        return Double(ledger.rows.count) / seconds
    }
}

/// A round of draws by random users, opened and closed.
struct SampleLedger {
    let activity = BenchActivity.activity
    let seed: RoundSeed
    private(set) var rows: [LedgerRow] = []

    init(drawCount: Int, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        self.seed = .random(using: &generator)
        var head = LedgerHead.empty
        var now = Instant(milliseconds: 1_776_643_200_000)
        var remaining = activity.awards.map(\.number)
        let rules = RoundRules(activity: activity, remaining: remaining)
        rows.append(
            head.append(
                .open(round: 1, rules: rules, commitment: rules.commitment(round: 1, seed: self.seed)), now: now))
        for _ in 0..<drawCount {
            let user = UserID("qq:\(generator.next() as UInt64)")
            var words = DrawWords(seed: self.seed, activity: activity.id, round: 1, user: user, attempt: 1)
            let result = decideDraw(awards: activity.awards, remaining: remaining) { words.word(at: $0) }
            var award: AwardID?
            var left: Int? = 0
            if case .won(let index) = result {
                award = activity.awards[index].id
                let isLimited = activity.awards[index].kind != .DI_BAO
                if isLimited { remaining[index] -= 1 }
                left = isLimited ? remaining[index] : nil
            }
            let salt = Salt.random(using: &generator)
            now = now.advanced(byMilliseconds: 3)
            rows.append(
                head.append(
                    .draw(
                        DrawEntry(
                            round: 1, user: user, salt: salt, userHash: userHash(user, salt: salt), attempt: 1,
                            award: award, remaining: left)), now: now))
        }
        rows.append(head.append(.close(round: 1, seed: self.seed), now: now))
    }
}

/// What no verifier can do without: the bytes of every draw's row, user and words, hashed one after the other.
struct LedgerHashing {
    private struct Messages {
        let leaf: [UInt8]
        let user: [UInt8]
        let words: [UInt8]
        let hash: [UInt8]
        let userHash: [UInt8]
    }

    /// Keyed once, as the verifier's is.
    private let code: HMAC<SHA256>
    private let draws: [Messages]

    init(_ ledger: SampleLedger) throws {
        code = HMAC(key: SymmetricKey(data: ledger.seed.bytes))
        draws = try zip(ledger.rows, ledger.rows.dropFirst()).compactMap { previous, row in
            guard case .draw(let entry) = row.event else { return nil }
            guard let user = entry.user, let salt = entry.salt else {
                throw Wrong(description: "a draw without a user")
            }
            let body =
                u32(entry.round) + entry.userHash.bytes + u32(entry.attempt) + prefixed(entry.award?.text ?? "")
                + u64(entry.remaining.map { UInt64($0) } ?? .max)
            return Messages(
                leaf: Array("hongbao/1/leaf".utf8) + previous.hash.bytes + u64(UInt64(row.seq)) + [2]
                    + u64(UInt64(row.at.milliseconds)) + u32(UInt32(body.count)) + body,
                user: Array("hongbao/1/user".utf8) + salt.bytes + prefixed(user.text),
                words: Array("hongbao/1/draw".utf8) + prefixed(ledger.activity.id.text) + u32(entry.round)
                    + prefixed(user.text) + u32(entry.attempt) + u32(0),
                hash: row.hash.bytes, userHash: entry.userHash.bytes)
        }
    }

    /// - Throws: ``Wrong`` when these are not the bytes that the ledger's hashes are of.
    func rowsPerSecond() throws -> Double {
        var areEqual = true
        var sum: UInt8 = 0
        let start = ContinuousClock.now
        for draw in draws {
            areEqual = SHA256.hash(data: draw.leaf) == draw.hash && areEqual
            areEqual = SHA256.hash(data: draw.user) == draw.userHash && areEqual
            var code = code
            code.update(data: draw.words)
            code.finalize().withUnsafeBytes { sum &+= $0[0] }
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        guard areEqual, withExtendedLifetime(sum, { true }) else {
            throw Wrong(description: "the reference hashes something else")
        }
        return Double(draws.count) / seconds
    }
}

private func u32(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

private func u64(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

private func prefixed(_ text: String) -> [UInt8] { u32(UInt32(text.utf8.count)) + Array(text.utf8) }
