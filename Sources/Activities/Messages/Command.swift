internal import Basics
public import Lottery

/// A command with its arguments, as a message stated it. Whether it may be run, and on what, is decided later.
public enum Command: Hashable, Sendable {
    case bind(GameID)
    case unbind
    case myBinding
    case draw
    case myWins
    /// Page from 1.
    case winners(page: Int)
    case pool
    case activity
    case queue
    case leave
    case verify(Receipt)
    case help(CommandName?)
    case myData
    case eraseMyData
    /// An activity's name or id.
    case start(activity: String)
    /// Nil: the one that is open in this chat.
    case stop(activity: String?)
    case activities
    /// A file name in the activities folder, without a path.
    case importActivity(file: String)
    /// Activity: nil means the one open in this chat, else its name or id. Award: its id, prefix or name.
    case setNumber(activity: String?, award: String, number: Int)
    case traffic
    case setTraffic(key: String, value: String)
    case maintenance(isOn: Bool, reason: String?)
    case void(Receipt, reason: String)
    case export(activity: String)

    public var name: CommandName {
        switch self {
        case .bind: .bind
        case .unbind: .unbind
        case .myBinding: .myBinding
        case .draw: .draw
        case .myWins: .myWins
        case .winners: .winners
        case .pool: .pool
        case .activity: .activity
        case .queue: .queue
        case .leave: .leave
        case .verify: .verify
        case .help: .help
        case .myData: .myData
        case .eraseMyData: .eraseMyData
        case .start: .start
        case .stop: .stop
        case .activities: .activities
        case .importActivity: .importActivity
        case .setNumber: .setNumber
        case .traffic: .traffic
        case .setTraffic: .setTraffic
        case .maintenance: .maintenance
        case .void: .void
        case .export: .export
        }
    }

    /// The command in one spelling, so that the same command written otherwise is recognised as the same message.
    ///
    /// Not for people. A game id stands in it, so it is stored and erased like one.
    public var fingerprint: String {
        switch self {
        case .bind(let gameID): "bind \(gameID.text)"
        case .winners(let page): "winners \(page)"
        case .verify(let receipt): "verify \(receipt)"
        case .help(let topic): "help \(topic?.rawValue ?? "")"
        case .start(let activity): "start \(activity)"
        case .stop(let activity): "stop \(activity ?? "")"
        case .importActivity(let file): "import \(file)"
        case .setNumber(let activity, let award, let number): "number \(activity ?? ""):\(award) \(number)"
        case .setTraffic(let key, let value): "set \(key) \(value)"
        case .maintenance(let isOn, let reason): "maintenance \(isOn) \(reason ?? "")"
        case .void(let receipt, let reason): "void \(receipt) \(reason)"
        case .export(let activity): "export \(activity)"
        case .unbind, .myBinding, .draw, .myWins, .pool, .activity, .queue, .leave, .myData, .eraseMyData,
            .activities, .traffic:
            name.rawValue
        }
    }
}

/// A game account as its player writes it: 1–64 bytes of printable text, white space collapsed.
///
/// - Source: spec.md section 4.
public struct GameID: Hashable, Sendable, Codable {
    public static let maximumSize = 64

    public let text: String

    /// - Returns: Nil where ``init(reading:)`` throws.
    public init?(_ text: String) {
        guard let gameID = try? GameID(reading: text) else { return nil }
        self = gameID
    }

    /// - Throws: `missing` when empty, `tooLong` for more than 64 bytes after white space was collapsed, whatever is in them,
    ///   `notPrintable` for a control, format or unassigned scalar, or nothing that can be seen by itself.
    public init(reading text: String) throws(ArgumentFault) {
        guard text.utf8.count <= 4096 else { throw .tooLong(maximumSize: Self.maximumSize) }
        var collapsed = String.UnicodeScalarView()
        var size = 0
        var pendingSpace = false
        var isEachPrintable = true
        var isAnySeen = false
        for scalar in text.unicodeScalars {
            if isWhiteSpace(scalar) {
                pendingSpace = size > 0
                continue
            }
            size += UTF8.width(scalar) + (pendingSpace ? 1 : 0)
            // A long text is not read to its end.
            guard size <= Self.maximumSize else { throw .tooLong(maximumSize: Self.maximumSize) }
            if pendingSpace { collapsed.append(" ") }
            pendingSpace = false
            collapsed.append(scalar)
            isEachPrintable = isEachPrintable && isPrintable(scalar)
            isAnySeen = isAnySeen || isSeen(scalar)
        }
        guard size > 0 else { throw .missing }
        guard isEachPrintable, isAnySeen else { throw .notPrintable }
        self.text = String(collapsed)
    }

    /// Text that came from the store, where it was valid.
    public init(stored text: String) {
        self.text = text
    }

    /// The form under which two spellings are one account: NFKC, then case folded.
    public var folded: String {
        if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.lowercased() }
        return foldCompatibly(text)
    }

    public static func == (left: Self, right: Self) -> Bool {
        areEqualBytes(left.text, right.text)
    }

    public func hash(into hasher: inout Hasher) {
        hashBytes(text, into: &hasher)
    }
}

/// Whether a scalar shows as something: no control, format, surrogate, private-use or unassigned scalar.
public func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    if isPlain(scalar) { return true }
    return switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    default: true
    }
}

/// Whether a scalar is white space by Unicode.
///
/// - Source: PropList.txt of the Unicode database, White_Space.
public func isWhiteSpace(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
    default: false
    }
}

/// Printable ASCII but the blank, and ideographs: what nearly all texts are made of, known without a look at Unicode's
/// tables.
private func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    (0x21...0x7E).contains(scalar.value) || (0x4E00...0x9FFF).contains(scalar.value)
}

/// Whether a printable scalar shows something by itself: neither a blank nor a mark on what stands before it.
private func isSeen(_ scalar: Unicode.Scalar) -> Bool {
    if isPlain(scalar) { return true }
    return switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .spacingMark, .spaceSeparator: false
    // A Braille pattern without dots.
    default: scalar != "\u{2800}"
    }
}
