import Foundation
import Testing

/// `Fixtures/draw-vectors.json`, read with a JSON parser that has nothing to do with the code under test.
struct DrawVector: Sendable, CustomTestStringConvertible {
    let activity: String
    let seedHex: String
    let thresholds: [String: String]
    let wordsBySeq: [Int: [UInt64]]
    let lines: [String]

    var testDescription: String { activity }

    static let all: [DrawVector] = {
        let url = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/draw-vectors.json")
        do {
            return try JSONDecoder().decode([Stored].self, from: Data(contentsOf: url)).map { stored in
                DrawVector(
                    activity: stored.activity, seedHex: stored.seed, thresholds: stored.thresholds,
                    wordsBySeq: Dictionary(
                        uniqueKeysWithValues: stored.words_by_seq.map { seq, words in
                            (Int(seq) ?? -1, words.compactMap { UInt64($0) })
                        }),
                    lines: stored.ledger)
            }
        } catch {
            preconditionFailure("draw-vectors.json cannot be read: \(error)")
        }
    }()

    /// The whole ledger as an export writes it.
    var contents: [UInt8] {
        lines.flatMap { Array($0.utf8) + [0x0A] }
    }

    private struct Stored: Decodable {
        let activity: String
        let seed: String
        let thresholds: [String: String]
        // swift-format-ignore: AlwaysUseLowerCamelCase
        let words_by_seq: [String: [String]]
        let ledger: [String]
    }
}

// swift-format-ignore: AlwaysUseLowerCamelCase
/// A line's values, as the JSON parser sees them.
struct LooseRow: Decodable {
    struct Award: Decodable {
        let id: String
        let kind: String
        let ppm: Int
        let number: Int?
        let prefix: String
        let name: String
    }

    let seq: Int64
    let type: Int
    let at_ms: Int64
    let round: UInt32?
    let activity: String?
    let max_attempts: Int?
    let one_win_per_game_id: Bool?
    let awards: [Award]?
    let rules_hash: String?
    let commitment: String?
    let user: String?
    let salt: String?
    let user_hash: String?
    let attempt: UInt32?
    let award: String?
    let remaining: Int?
    let seed: String?
    let receipt: String?
    let reason: String?
    let hash: String

    init(line: String) throws {
        self = try JSONDecoder().decode(LooseRow.self, from: Data(line.utf8))
    }
}
