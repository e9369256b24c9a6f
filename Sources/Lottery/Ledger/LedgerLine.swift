internal import Basics
internal import Foundation

/// Where a line of an exported ledger leaves the canonical form.
public struct LedgerLineError: Error, Hashable, Sendable {
    /// The key whose value is wrong, such as `user_hash`; empty when the line as a whole is.
    public let field: String
    /// The byte of the line, from 1.
    public let position: Int
    /// What should stand there.
    public let expected: String
    /// What stands there, shortened; `end of line` when nothing does.
    public let found: String
}

extension LedgerLineError: CustomStringConvertible {
    public var description: String {
        (field.isEmpty ? "" : "field \(field), ") + "byte \(position): expected \(expected), found \(found)"
    }
}

extension LedgerRow {
    /// The most bytes that one line may have: an opening with every award that an activity may hold fits many times.
    public static let maximumLineLength = 4 << 20

    /// The largest sequence number that fits a receipt.
    static let maximumSeq: UInt64 = 999_999_999_999_999_999
    /// The last millisecond of the year 9999, UTC.
    static let maximumMilliseconds: UInt64 = 253_402_300_799_999

    /// The row as an export writes it, UTF-8, without the line's end.
    ///
    /// Keys in a fixed order, no blanks, lower-case hex; within texts only `"`, `\` and U+0000…U+001F are escaped.
    /// An unlimited number of attempts is written 0, as it is hashed.
    ///
    /// - Source: spec.md section 5.
    public var canonicalLine: [UInt8] {
        var line = CanonicalLine()
        line.append("{\"seq\":")
        line.append(seq)
        line.append(",\"type\":")
        line.append(Int(event.type))
        line.append(",\"at_ms\":")
        line.append(at.milliseconds)
        switch event {
        case .open(let round, let rules, let commitment):
            line.append(",\"round\":")
            line.append(round)
            line.append(",\"activity\":")
            line.append(quoted: rules.activity.text)
            line.append(",\"max_attempts\":")
            line.append(rules.maxAttempts ?? 0)
            line.append(",\"one_win_per_game_id\":")
            line.append(rules.oneWinPerGameID ? "true" : "false")
            line.append(",\"awards\":[")
            for (index, award) in rules.awards.enumerated() {
                line.append(index == 0 ? "{\"id\":" : ",{\"id\":")
                line.append(quoted: award.id.text)
                line.append(",\"kind\":")
                line.append(quoted: award.kind.name)
                line.append(",\"ppm\":")
                line.append(award.percent.partsPerMillion)
                line.append(",\"number\":")
                line.append(orNull: award.number)
                line.append(",\"prefix\":")
                line.append(quoted: award.prefix)
                line.append(",\"name\":")
                line.append(quoted: award.name)
                line.append("}")
            }
            line.append("],\"rules_hash\":")
            line.append(quotedHexOf: rules.hash)
            line.append(",\"commitment\":")
            line.append(quotedHexOf: commitment)
        case .draw(let entry):
            line.append(",\"round\":")
            line.append(entry.round)
            line.append(",\"user\":")
            line.append(orNull: entry.user?.text)
            line.append(",\"salt\":")
            if let salt = entry.salt {
                salt.withUnsafeBytes { line.append(quotedHexOf: $0) }
            } else {
                line.append("null")
            }
            line.append(",\"user_hash\":")
            line.append(quotedHexOf: entry.userHash)
            line.append(",\"attempt\":")
            line.append(entry.attempt)
            line.append(",\"award\":")
            line.append(orNull: entry.award?.text)
            line.append(",\"remaining\":")
            line.append(orNull: entry.remaining)
        case .close(let round, let seed):
            line.append(",\"round\":")
            line.append(round)
            line.append(",\"seed\":")
            line.append(quoted: hexText(seed.bytes))
        case .void(let receipt, let reason):
            line.append(",\"receipt\":")
            line.append(quoted: receipt.description)
            line.append(",\"reason\":")
            line.append(quoted: reason)
        }
        line.append(",\"hash\":")
        line.append(quotedHexOf: hash)
        line.append("}")
        return line.bytes
    }

    /// ``canonicalLine`` as text.
    public var canonicalText: String {
        String(decoding: canonicalLine, as: UTF8.self)
    }

    /// The row without the user's id and salt: it can be published, and its hash stays the same.
    public var publicForm: LedgerRow {
        guard case .draw(var entry) = event else { return self }
        entry.user = nil
        entry.salt = nil
        return LedgerRow(seq: seq, at: at, event: .draw(entry), hash: hash)
    }

    /// Reads exactly what ``canonicalLine`` writes; any other spelling of the same values is refused.
    ///
    /// The rules hash of an opening must fit its rules. Nothing else is checked: the chain, the commitment and whether
    /// the row is possible at all are the verifier's. Never traps, whatever the bytes are.
    ///
    /// - Parameter line: Without the line's end. At most ``maximumLineLength`` bytes.
    /// - Complexity: O(*n*) in the line's length.
    public init(canonicalLine line: [UInt8]) throws(LedgerLineError) {
        self = try line.withUnsafeBufferPointer { bytes throws(LedgerLineError) in
            var reader = LedgerLineReader(bytes: bytes)
            return try reader.row()
        }
        // The reader accepts the canonical spelling only; comparing says so once more for every line.
        let written = canonicalLine
        guard isSame(written, line) else {
            let index = zip(written, line).enumerated().first { $1.0 != $1.1 }?.offset ?? min(written.count, line.count)
            throw line.withUnsafeBufferPointer {
                LedgerLineReader(bytes: $0).error("the canonical form", field: "", at: index)
            }
        }
    }
}

/// `==` compares byte by byte.
private func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count && memcmp(left, right, left.count) == 0
}

/// Builds one line. Numbers and literals need no escaping; texts get it.
private struct CanonicalLine {
    private(set) var bytes: [UInt8] = []

    init() {
        bytes.reserveCapacity(512)
    }

    mutating func append(_ literal: StaticString) {
        literal.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ value: some FixedWidthInteger) {
        bytes.append(contentsOf: String(value).utf8)
    }

    mutating func append(orNull value: Int?) {
        if let value { append(value) } else { append("null") }
    }

    mutating func append(orNull text: String?) {
        if let text { append(quoted: text) } else { append("null") }
    }

    mutating func append(quotedHexOf hash: Hash) {
        hash.withUnsafeBytes { append(quotedHexOf: $0) }
    }

    mutating func append(quotedHexOf data: UnsafeRawBufferPointer) {
        bytes.append(UInt8(ascii: "\""))
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * data.count) { digits in
            writeHex(of: data, to: digits)
            bytes.append(contentsOf: digits)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func append(quoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                append("\\u00")
                bytes.append(contentsOf: hexText(CollectionOfOne(byte)).utf8)
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

/// Reads one line from its beginning to its end, in one pass and at a fixed depth.
private struct LedgerLineReader {
    let bytes: UnsafeBufferPointer<UInt8>
    private var index = 0

    init(bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    mutating func row() throws(LedgerLineError) -> LedgerRow {
        guard bytes.count <= LedgerRow.maximumLineLength else {
            throw LedgerLineError(
                field: "", position: LedgerRow.maximumLineLength + 1,
                expected: "at most \(LedgerRow.maximumLineLength) bytes", found: "more")
        }
        try expect("{\"seq\":", "seq")
        let seq = Int64(try number("seq", upTo: LedgerRow.maximumSeq))
        try expect(",\"type\":", "type")
        let typeIndex = index
        let type = try number("type", upTo: 255)
        try expect(",\"at_ms\":", "at_ms")
        let at = Instant(milliseconds: Int64(try number("at_ms", upTo: LedgerRow.maximumMilliseconds)))
        let event: LedgerEvent =
            switch type {
            case 1: try open()
            case 2: try draw()
            case 3: try close()
            case 4: try void()
            default: throw error("1 (open), 2 (draw), 3 (close) or 4 (void)", field: "type", at: typeIndex)
            }
        try expect(",\"hash\":", "hash")
        let hash = try hash("hash")
        try expect("}", "hash")
        guard index == bytes.count else { throw error("the end of the line", field: "") }
        return LedgerRow(seq: seq, at: at, event: event, hash: hash)
    }

    private mutating func open() throws(LedgerLineError) -> LedgerEvent {
        let round = try round()
        try expect(",\"activity\":", "activity")
        let activity = ActivityID(try text("activity"))
        try expect(",\"max_attempts\":", "max_attempts")
        let maxAttempts = Int(try number("max_attempts", upTo: UInt64(UInt32.max)))
        try expect(",\"one_win_per_game_id\":", "one_win_per_game_id")
        let oneWinPerGameID = skip("true")
        if !oneWinPerGameID { try expect("false", "one_win_per_game_id", wanted: "true or false") }
        try expect(",\"awards\":[", "awards")
        var awards: [RoundRules.Award] = []
        while !skip("]") {
            guard awards.count < Activity.maximumAwardCount else {
                throw error("at most \(Activity.maximumAwardCount) awards", field: "awards")
            }
            if !awards.isEmpty { try expect(",", "awards") }
            awards.append(try award())
        }
        let rules = RoundRules(
            activity: activity, maxAttempts: maxAttempts == 0 ? nil : maxAttempts, oneWinPerGameID: oneWinPerGameID,
            awards: awards)
        try expect(",\"rules_hash\":", "rules_hash")
        let start = index
        let stated = try hash("rules_hash")
        let computed = rules.hash
        guard stated == computed else {
            throw error("\(computed.hex), the hash of these rules", field: "rules_hash", at: start + 1)
        }
        try expect(",\"commitment\":", "commitment")
        return .open(round: round, rules: rules, commitment: try hash("commitment"))
    }

    private mutating func award() throws(LedgerLineError) -> RoundRules.Award {
        try expect("{\"id\":", "id")
        let id = AwardID(try text("id"))
        try expect(",\"kind\":", "kind")
        let kindIndex = index
        let kindText = try text("kind")
        guard let kind = AwardKind.allCases.first(where: { $0.name == kindText }) else {
            throw error("NORNAL, ONLY or DI_BAO", field: "kind", at: kindIndex)
        }
        try expect(",\"ppm\":", "ppm")
        let ppm = Int(try number("ppm", upTo: 1_000_000))
        guard let percent = Percent(partsPerMillion: ppm) else { throw error("0…1000000", field: "ppm") }
        try expect(",\"number\":", "number")
        let copies = skip("null") ? nil : Int(try number("number", upTo: UInt64(Activity.maximumNumber)))
        try expect(",\"prefix\":", "prefix")
        let prefix = try text("prefix")
        try expect(",\"name\":", "name")
        let name = try text("name")
        try expect("}", "awards")
        return RoundRules.Award(id: id, kind: kind, percent: percent, number: copies, prefix: prefix, name: name)
    }

    private mutating func draw() throws(LedgerLineError) -> LedgerEvent {
        let round = try round()
        try expect(",\"user\":", "user")
        let user = skip("null") ? nil : UserID(try text("user"))
        try expect(",\"salt\":", "salt")
        var salt: Salt?
        if user == nil {
            try expect("null", "salt", wanted: "null, as the user is")
        } else {
            salt = Salt(storage: try hex("salt"))
        }
        try expect(",\"user_hash\":", "user_hash")
        let userHash = try hash("user_hash")
        try expect(",\"attempt\":", "attempt")
        let attempt = UInt32(try number("attempt", upTo: UInt64(UInt32.max)))
        try expect(",\"award\":", "award")
        let award = skip("null") ? nil : AwardID(try text("award", allowsEmpty: false))
        try expect(",\"remaining\":", "remaining")
        let remaining = skip("null") ? nil : Int(try number("remaining", upTo: UInt64(Activity.maximumNumber)))
        return .draw(
            DrawEntry(
                round: round, user: user, salt: salt, userHash: userHash, attempt: attempt, award: award,
                remaining: remaining))
    }

    private mutating func close() throws(LedgerLineError) -> LedgerEvent {
        let round = try round()
        try expect(",\"seed\":", "seed")
        return .close(round: round, seed: RoundSeed(storage: Bytes32(try hex("seed"))))
    }

    private mutating func void() throws(LedgerLineError) -> LedgerEvent {
        try expect(",\"receipt\":", "receipt")
        let start = index
        guard let receipt = Receipt(try text("receipt")) else {
            throw error("<activity id>-<seq>", field: "receipt", at: start)
        }
        try expect(",\"reason\":", "reason")
        return .void(receipt: receipt, reason: try text("reason"))
    }

    private mutating func round() throws(LedgerLineError) -> UInt32 {
        try expect(",\"round\":", "round")
        return UInt32(try number("round", upTo: UInt64(UInt32.max)))
    }

    private mutating func hash(_ field: String) throws(LedgerLineError) -> Hash {
        Hash(storage: Bytes32(try hex(field)))
    }

    /// As many bytes as the vector holds.
    private mutating func hex<Bytes: SIMD<UInt8>>(_ field: String) throws(LedgerLineError) -> Bytes {
        let first = index + 1
        let end = first + 2 * Bytes.scalarCount
        var value = Bytes()
        var isHex = end < bytes.count && bytes[index] == UInt8(ascii: "\"") && bytes[end] == UInt8(ascii: "\"")
        if isHex {
            withUnsafeMutableBytes(of: &value) { value in
                var seen: UInt8 = 0
                for offset in 0..<Bytes.scalarCount {
                    let high = hexNibble(bytes[first + 2 * offset])
                    let low = hexNibble(bytes[first + 2 * offset + 1])
                    value[offset] = high << 4 | low
                    seen |= high | low
                }
                isHex = seen < 16
            }
        }
        guard isHex else {
            throw error("\(Bytes.scalarCount * 2) lower-case hexadecimal digits in quotes", field: field)
        }
        index = end + 1
        return value
    }

    /// Plain decimal digits without leading zeros.
    private mutating func number(_ field: String, upTo maximum: UInt64) throws(LedgerLineError) -> UInt64 {
        let start = index
        var value: UInt64 = 0
        while index < bytes.count, case let byte = bytes[index], (0x30...0x39).contains(byte) {
            let (scaled, scaleOverflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflow) = scaled.addingReportingOverflow(UInt64(byte - 0x30))
            guard !scaleOverflow, !sumOverflow, sum <= maximum else {
                throw error("a number up to \(maximum)", field: field, at: start)
            }
            value = sum
            index += 1
        }
        guard index > start, bytes[start] != 0x30 || index == start + 1 else {
            throw error("a number without leading zeros", field: field, at: start)
        }
        return value
    }

    private mutating func text(_ field: String, allowsEmpty: Bool = true) throws(LedgerLineError) -> String {
        let start = index
        try expect("\"", field, wanted: "a text in quotes")
        // Most texts have nothing escaped and are taken from the line as they stand.
        var unescaped: [UInt8] = []
        var plainStart = index
        var isASCII = true
        while true {
            guard index < bytes.count else { throw error("a closing quote", field: field) }
            let byte = bytes[index]
            isASCII = isASCII && byte < 0x80
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\") {
                unescaped += bytes[plainStart..<index]
                unescaped.append(try escape(field))
                plainStart = index
            } else if byte < 0x20 {
                throw error("a control character written \\u00xx", field: field)
            } else {
                index += 1
            }
        }
        let plain = UnsafeBufferPointer(rebasing: bytes[plainStart..<index])
        index += 1
        // ASCII, as nearly all are, needs no validating.
        let valid =
            isASCII && unescaped.isEmpty
            ? String(decoding: plain, as: UTF8.self) : String(validating: unescaped + plain, as: UTF8.self)
        guard let text = valid else {
            throw error("UTF-8", field: field, at: start)
        }
        if text.isEmpty, !allowsEmpty { throw error("a text that is not empty", field: field, at: start) }
        return text
    }

    /// `\"`, `\\` or `\u00xx` of a control character, in lower case.
    private mutating func escape(_ field: String) throws(LedgerLineError) -> UInt8 {
        let start = index
        if skip("\\\"") { return UInt8(ascii: "\"") }
        if skip("\\\\") { return UInt8(ascii: "\\") }
        guard skip("\\u00"), index + 2 <= bytes.count,
            let value = hexBytes(String(decoding: bytes[index..<(index + 2)], as: UTF8.self)), value.count == 1,
            value[0] < 0x20
        else { throw error("\\\", \\\\ or \\u00xx of a control character", field: field, at: start) }
        index += 2
        return value[0]
    }

    /// Steps over `literal` if it stands here.
    private mutating func skip(_ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard count <= bytes.count - index else { return false }
        for offset in 0..<count where bytes[index + offset] != literal.utf8Start[offset] { return false }
        index += count
        return true
    }

    private mutating func expect(
        _ literal: StaticString, _ field: String, wanted: String? = nil
    ) throws(LedgerLineError) {
        guard skip(literal) else { throw error(wanted ?? "`\(literal)`", field: field) }
    }

    func error(_ expected: String, field: String, at start: Int? = nil) -> LedgerLineError {
        let start = start ?? index
        let rest = bytes.dropFirst(start)
        let printable = String(decoding: rest.prefix(24), as: UTF8.self).withoutControls()
        return LedgerLineError(
            field: field, position: start + 1, expected: expected,
            found: rest.isEmpty ? "end of line" : "`\(printable)`" + (rest.count > 24 ? "…" : ""))
    }
}

/// Cuts a stream of bytes into slices that end where a line ends, whatever the pieces they arrive in.
///
/// Holds one line at a time. Of a line that is too long no more is held than is needed to refuse it: its slice ends within
/// it, and what follows looks like another line, but nothing counts behind one that cannot be read.
public struct LedgerSlicer: Sendable {
    /// The beginning of a line.
    private var rest: [UInt8] = []

    public init() {}

    /// Takes the next piece of the file.
    ///
    /// - Returns: Every line that ends in the piece, with its `\n`. Empty when none does.
    public mutating func read(_ piece: some BidirectionalCollection<UInt8>) -> [UInt8] {
        let end = piece.lastIndex(of: newline).map(piece.index(after:)) ?? piece.startIndex
        var slice: [UInt8] = []
        if end > piece.startIndex {
            swap(&slice, &rest)
            slice += piece[..<end]
        }
        rest += piece[end...]
        // Nothing that follows makes this a line that can be read.
        if rest.count > LedgerRow.maximumLineLength {
            slice += rest
            rest = []
        }
        return slice
    }

    /// The rest after the last `\n`; empty when the file ended with one, as an export does.
    public mutating func finish() -> [UInt8] {
        defer { rest = [] }
        return rest
    }
}

private let newline = UInt8(ascii: "\n")

/// Hands over every line of a slice, without its `\n`.
///
/// - Parameter body: Returns false to hear of no further line.
func forEachLine(of slice: [UInt8], _ body: ([UInt8]) -> Bool) {
    slice.withUnsafeBufferPointer { slice in
        var rest = slice
        var line: [UInt8] = []
        while let start = rest.baseAddress, !rest.isEmpty {
            // Several times as fast as `firstIndex(of:)`.
            let end = memchr(start, Int32(newline), rest.count)
            let count = end.map { UnsafeRawPointer($0) - UnsafeRawPointer(start) } ?? rest.count
            line.removeAll(keepingCapacity: true)
            line.append(contentsOf: UnsafeBufferPointer(rebasing: rest[..<count]))
            guard body(line) else { return }
            rest = UnsafeBufferPointer(rebasing: rest[count...].dropFirst())
        }
    }
}
