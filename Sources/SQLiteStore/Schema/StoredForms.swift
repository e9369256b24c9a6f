internal import Activities
internal import Basics
internal import Foundation
internal import GRDB
internal import Lottery

// How values of the core stand in columns.

extension Scope {
    /// A JSON list: `["*"]`, or the chats in order.
    var storedText: String {
        let chats: [String] =
            switch self {
            case .everywhere: ["*"]
            case .chats(let chats): chats.sorted().map(\.text)
            }
        guard let json = try? JSONEncoder().encode(chats) else { preconditionFailure("a list of texts is JSON") }
        return String(decoding: json, as: UTF8.self)
    }

    /// - Throws: ``StoreError`` when the text is not such a list.
    init(storedText: String) throws {
        guard let chats = try? JSONDecoder().decode([String].self, from: Data(storedText.utf8)) else {
            throw StoreError(
                code: .corrupt, message: "bot_activity.scope must be a JSON list such as [\"*\"].", cause: storedText)
        }
        self = chats.contains("*") ? .everywhere : .chats(Set(chats.map { ChatID($0) }))
    }
}

/// A round's rules as JSON, with the names of the exported ledger.
struct StoredRules: Codable {
    struct Award: Codable {
        var id: AwardID
        var kind: AwardKind
        var ppm: Percent
        var number: Int?
        var prefix: String
        var name: String
    }

    var activity: ActivityID
    var maxAttempts: Int?
    var oneWinPerGameID: Bool
    var awards: [Award]

    private enum CodingKeys: String, CodingKey {
        case activity
        case maxAttempts = "max_attempts"
        case oneWinPerGameID = "one_win_per_game_id"
        case awards
    }

    init(_ rules: RoundRules) {
        activity = rules.activity
        maxAttempts = rules.maxAttempts
        oneWinPerGameID = rules.oneWinPerGameID
        awards = rules.awards.map {
            Award(
                id: $0.id, kind: $0.kind, ppm: $0.percent, number: $0.number, prefix: $0.prefix, name: $0.name)
        }
    }

    init(json: String) throws {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(json.utf8))
        } catch {
            throw StoreError(code: .corrupt, message: "bot_draw_round.rules cannot be read.", cause: "\(error)")
        }
    }

    func json() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }

    var rules: RoundRules {
        RoundRules(
            activity: activity, maxAttempts: maxAttempts, oneWinPerGameID: oneWinPerGameID,
            awards: awards.map {
                RoundRules.Award(
                    id: $0.id, kind: $0.kind, percent: $0.ppm, number: $0.number, prefix: $0.prefix, name: $0.name)
            })
    }
}

/// What every counter is below.
let countLimit: Int64 = 1_000_000_000_000_000_000

/// A BLOB for GRDB's arguments.
func bytes(_ bytes: [UInt8]) -> Data {
    Data(bytes)
}

extension Row {
    func instant(_ column: String) -> Instant? {
        (self[column] as String?).flatMap { Instant(dateTimeText: $0) }
    }

    /// - Throws: ``StoreError`` when there is none.
    func text(_ column: String) throws -> String {
        guard let text = self[column] as String? else {
            throw StoreError(code: .corrupt, message: "Column \(column) must have a text.")
        }
        return text
    }

    /// A count or a number that counts up. More than 18 digits, which no receipt could show, is damage: one more must
    /// always have room.
    ///
    /// - Throws: ``StoreError`` when it is anything else.
    func count<Count: FixedWidthInteger>(_ column: String) throws -> Count {
        let limit = Swift.min(countLimit, Int64(clamping: Count.max))
        guard let number = Int64.fromDatabaseValue(self[column]), 0..<limit ~= number,
            let count = Count(exactly: number)
        else { throw StoreError(code: .corrupt, message: "Column \(column) must have a count.") }
        return count
    }

    /// A 32-byte column.
    ///
    /// - Throws: ``StoreError`` when it is anything else.
    func hash(_ column: String) throws -> Hash {
        guard let data = self[column] as Data?, let hash = Hash(Array(data)) else {
            throw StoreError(code: .corrupt, message: "Column \(column) must have 32 bytes.")
        }
        return hash
    }
}
