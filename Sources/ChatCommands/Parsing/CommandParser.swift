public import Activities

/// What a chat's messages may begin with, and whether typing errors are answered.
public struct ParserConfiguration: Hashable, Sendable {
    /// Words that address the bot, such as `剑三`; `/` and `／` always do. One that ends in a letter, a digit or an
    /// ideograph addresses it only with white space or a command behind it, so that `剑三真好玩` stays talk.
    public var prefixes: [String]
    /// What the bot is called; `@name` at the start or the end of a message addresses it and is taken away.
    public var botNames: [String]
    /// Whether near misses get a suggestion.
    public var suggestionsEnabled: Bool

    public init(prefixes: [String] = [], botNames: [String] = [], suggestionsEnabled: Bool = true) {
        self.prefixes = prefixes
        self.botNames = botNames
        self.suggestionsEnabled = suggestionsEnabled
    }
}

/// Who wrote a message, and where.
public struct MessageContext: Hashable, Sendable {
    /// Decides what is suggested, never what is a command.
    public var role: Role
    /// A talk with the bot alone.
    public var isPrivate: Bool
    /// The message mentioned the bot, and the mention is not part of the text any more.
    public var isMentioned: Bool

    public init(role: Role = .player, isPrivate: Bool = false, isMentioned: Bool = false) {
        self.role = role
        self.isPrivate = isPrivate
        self.isMentioned = isMentioned
    }
}

/// Tells commands from talk, and reads their arguments.
///
/// A message is *addressed* when it is private, mentions the bot or begins with a prefix. What then cannot be
/// understood gets a hint; anywhere else it is talk. The rules that the specification leaves open:
///
/// - The longest command word that a message begins with counts. Where something follows it without white space it is
///   the argument (`绑定123`), except behind an alias, which ends at a boundary.
/// - A command without arguments takes none: `抽奖啦` and `抽奖 一下` are talk; addressed, the latter is refused. What ends
///   a statement may stand behind it (`抽奖！`), a question mark not.
/// - What is glued to a word is taken for an argument less readily (docs/decisions/0008-glued-arguments.md): final
///   particles (`绑定了吗`, `绑定成功`) never; and unless addressed only what talk does not look like: a game id that begins
///   with a letter or a digit, a receipt, a page; never a name in an admin's command (`抽奖结束后发奖`).
/// - A command word that a message begins with wins over commands that the message is merely close to.
/// - One message is one command; line breaks are white space.
///
/// - Source: spec.md section 4; hardening.md section 1.1.
public struct CommandParser: Sendable {
    private struct Prefix: Sendable {
        var scalars: [UInt32]
        var needsBoundary: Bool
    }

    private let folding: ScalarFolding
    private let tree: WordTree
    private let nearMisses: NearMisses?
    private let prefixes: [Prefix]
    private let botNames: [[UInt32]]
    private let declarations = CommandCatalogue.declarations

    public init(configuration: ParserConfiguration = ParserConfiguration()) {
        var folding = ScalarFolding.catalogue
        for text in configuration.prefixes + configuration.botNames { folding.include(text) }
        self.folding = folding
        tree = WordTree(declarations, folding)
        nearMisses = configuration.suggestionsEnabled ? NearMisses(declarations, folding) : nil
        prefixes = (["/"] + configuration.prefixes)
            .map { Self.trimmed(folding.fold($0)) }
            .filter { !$0.isEmpty }
            .sorted { $0.count > $1.count }
            .map { scalars in
                let last = scalars.last.flatMap(Unicode.Scalar.init)
                let isWord = last.map { $0.properties.isAlphabetic || $0.properties.numericType != nil } ?? false
                return Prefix(scalars: scalars, needsBoundary: isWord)
            }
        botNames = configuration.botNames
            .map { Self.trimmed(folding.fold($0.hasPrefix("@") ? String($0.dropFirst()) : $0)) }
            .filter { !$0.isEmpty }
            .sorted { $0.count > $1.count }
    }

    private static func trimmed(_ scalars: [UInt32]) -> [UInt32] {
        let front = scalars.drop { $0 == ScalarFolding.blank }
        return Array(front.reversed().drop { $0 == ScalarFolding.blank }.reversed())
    }

    /// Reads one message.
    ///
    /// - Parameter text: As the adapter decoded it; of any length.
    /// - Complexity: O(*n*) up to ``ParserLimits/messageSize`` bytes; what is longer is not read.
    public func parse(_ text: String, context: MessageContext) -> MessageContent {
        var text = text
        return text.withUTF8 { parse($0, context) }
    }

    /// Reads one message from its bytes. What is not UTF-8 is ``MessageContent/ignored``.
    public func parse(bytes: some Collection<UInt8>, context: MessageContext) -> MessageContent {
        if let content = bytes.withContiguousStorageIfAvailable({ parse($0, context) }) { return content }
        // One more than fits, to see that it does not.
        return Array(bytes.prefix(ParserLimits.messageSize + 1)).withUnsafeBufferPointer { parse($0, context) }
    }

    private func parse(_ bytes: UnsafeBufferPointer<UInt8>, _ context: MessageContext) -> MessageContent {
        let limit = ParserLimits.messageSize
        let isTooLong = bytes.count > limit
        var message = trim(bytes, 0..<(isTooLong ? Self.start(of: bytes, before: limit) : bytes.count))
        var isAddressed = context.isPrivate || context.isMentioned
        var isExplicit = context.isMentioned

        if !botNames.isEmpty, removeMention(bytes, &message) {
            isAddressed = true
            isExplicit = true
        }
        if removePrefix(bytes, &message) {
            isAddressed = true
            isExplicit = true
        }
        guard !message.isEmpty else { return isExplicit ? .unknown(suggestion: nil, isAddressed: true) : .ignored }

        let reader = FoldingReader(bytes, message, folding)
        if let match = tree.longestMatch(reader) {
            let declaration = declarations[match.declaration]
            if isTooLong {
                return takesRest(declaration, bytes, match, message, isAddressed: isAddressed)
                    ? .badArgument(declaration.name, .tooLong(maximumSize: limit)) : .ignored
            }
            var start = match.end
            var isGlued = match.boundary == .glued
            if match.boundary == .mention {
                switch mention(bytes, match.end..<message.upperBound) {
                case .own(let end):
                    start = end
                    isAddressed = true
                case .foreign: return .ignored
                case .none: isGlued = true
                }
            }
            let rest = trim(bytes, start..<message.upperBound)
            guard let text = String(validating: UnsafeBufferPointer(rebasing: bytes[rest]), as: UTF8.self) else {
                return .ignored
            }
            if let content = read(declaration, text, isGlued: isGlued, isAddressed: isAddressed, context) {
                return content
            }
        }
        if isTooLong { return .ignored }
        if let suggestion = suggestion(bytes, message, isAddressed: isAddressed, context) {
            return .unknown(suggestion: suggestion, isAddressed: isAddressed)
        }
        guard isAddressed, isUTF8(reader) else { return .ignored }
        return .unknown(suggestion: nil, isAddressed: true)
    }

    /// The start of the scalar that a cut at `offset` would go through.
    private static func start(of bytes: UnsafeBufferPointer<UInt8>, before offset: Int) -> Int {
        var start = offset
        while start > offset - 4, bytes[start] & 0xC0 == 0x80 { start -= 1 }
        return start
    }

    private func isUTF8(_ reader: consuming FoldingReader) -> Bool {
        while true {
            switch reader.next() {
            case FoldingReader.end: return true
            case FoldingReader.invalid: return false
            default: break
            }
        }
    }
}

// MARK: - What stands around a command

extension CommandParser {
    /// Without the white space and the invisible scalars at both ends.
    private func trim(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Range<Int> {
        func isEmpty(_ scalar: UInt32) -> Bool {
            let folded = folding.fold(scalar)
            return folded == ScalarFolding.blank || folded == ScalarFolding.nothing
        }
        var start = range.lowerBound
        var end = range.upperBound
        while start < end {
            if bytes[start] < 0x80 {
                guard isEmpty(UInt32(bytes[start])) else { break }
                start += 1
            } else {
                guard let (scalar, size) = decodeScalar(bytes, start, end), isEmpty(scalar) else { break }
                start += size
            }
        }
        while start < end {
            var last = end - 1
            if bytes[last] < 0x80 {
                guard isEmpty(UInt32(bytes[last])) else { break }
            } else {
                while last > start, last > end - 4, bytes[last] & 0xC0 == 0x80 { last -= 1 }
                // A variation selector belongs to the character before it.
                guard let (scalar, size) = decodeScalar(bytes, last, end), last + size == end, isEmpty(scalar),
                    !(0xFE00...0xFE0F).contains(scalar)
                else { break }
            }
            end = last
        }
        return start..<end
    }

    /// Where the text goes on behind `scalars`; nil when it does not begin with them.
    private func skip(_ scalars: [UInt32], _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Int? {
        var reader = FoldingReader(bytes, range, folding)
        for scalar in scalars where reader.next() != scalar { return nil }
        return reader.offset
    }

    /// Whether nothing, white space or a command comes next.
    private func isBoundary(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
        var reader = FoldingReader(bytes, range, folding)
        let copy = reader
        switch reader.next() {
        case FoldingReader.end, ScalarFolding.blank: return true
        default: return tree.longestMatch(copy) != nil
        }
    }

    private enum Mention {
        case own(end: Int)
        case foreign
    }

    /// Reads `@name` at the start of a range.
    private func mention(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Mention? {
        var reader = FoldingReader(bytes, range, folding)
        guard reader.next() == UInt32(UInt8(ascii: "@")) else { return nil }
        let afterSign = reader.offset
        for name in botNames {
            if let end = skip(name, bytes, afterSign..<range.upperBound), isBoundary(bytes, end..<range.upperBound) {
                return .own(end: end)
            }
        }
        switch reader.next() {
        case FoldingReader.end, FoldingReader.invalid, ScalarFolding.blank: return nil
        default: return .foreign
        }
    }

    private func removeMention(_ bytes: UnsafeBufferPointer<UInt8>, _ message: inout Range<Int>) -> Bool {
        if case .own(let end) = mention(bytes, message) {
            message = trim(bytes, end..<message.upperBound)
            return true
        }
        // At the end: the last sign with white space before it.
        var sign = message.upperBound - 1
        while sign > message.lowerBound {
            let isSign =
                bytes[sign] == UInt8(ascii: "@")
                || (bytes[sign] == 0xEF && sign + 2 < message.upperBound && bytes[sign + 1] == 0xBC
                    && bytes[sign + 2] == 0xA0)
            if isSign { break }
            sign -= 1
        }
        guard sign > message.lowerBound, case .own(let end) = mention(bytes, sign..<message.upperBound),
            end == message.upperBound
        else { return false }
        let before = trim(bytes, message.lowerBound..<sign)
        guard before.upperBound < sign else { return false }
        message = before
        return true
    }

    private func removePrefix(_ bytes: UnsafeBufferPointer<UInt8>, _ message: inout Range<Int>) -> Bool {
        var isFound = false
        // Two, so that a configured word and the slash may come together.
        for _ in 0..<2 {
            var rest: Range<Int>?
            for prefix in prefixes {
                guard let end = skip(prefix.scalars, bytes, message),
                    !prefix.needsBoundary || isBoundary(bytes, end..<message.upperBound)
                else { continue }
                rest = trim(bytes, end..<message.upperBound)
                break
            }
            guard let rest else { break }
            message = rest
            isFound = true
        }
        return isFound
    }

    /// Whether the first word of a message that is too long is a command.
    private func takesRest(
        _ declaration: CommandDeclaration, _ bytes: UnsafeBufferPointer<UInt8>, _ match: WordTree.Match,
        _ message: Range<Int>, isAddressed: Bool
    ) -> Bool {
        guard match.boundary == .glued else { return true }
        var reader = FoldingReader(bytes, match.end..<message.upperBound, folding)
        return isAddressed && declaration.arguments != nil && !isCombiningMark(reader.next())
    }

    private func suggestion(
        _ bytes: UnsafeBufferPointer<UInt8>, _ message: Range<Int>, isAddressed: Bool, _ context: MessageContext
    ) -> CommandName? {
        guard let nearMisses, message.count <= NearMisses.longestText * 4 else { return nil }
        var reader = FoldingReader(bytes, message, folding)
        var scalars: [UInt32] = []
        while true {
            let scalar = reader.next()
            if scalar == FoldingReader.end { break }
            if scalar == ScalarFolding.blank { continue }
            guard scalar != FoldingReader.invalid, scalars.count < NearMisses.longestText else { return nil }
            scalars.append(scalar)
        }
        return nearMisses.suggestion(for: scalars, isOpen: isAddressed, role: context.role)?.name
    }
}

// MARK: - Arguments

extension CommandParser {
    /// - Returns: A command or a refusal; nil when it is talk.
    private func read(
        _ declaration: CommandDeclaration, _ rest: String, isGlued: Bool, isAddressed: Bool, _ context: MessageContext
    ) -> MessageContent? {
        guard declaration.arguments != nil else {
            if isEnd(rest) { return .command(argumentless(declaration.name)) }
            return isGlued || !isAddressed ? nil : .badArgument(declaration.name, .unexpected)
        }
        var rest = rest
        var isGlued = isGlued
        if declaration.name == .bind {
            let mark = Arguments.removeMark(&rest)
            // A colon parts as white space does; behind a comma a sentence may go on.
            if mark == .colon { isGlued = false }
            Arguments.removeBrackets(&rest)
        }
        if isGlued {
            guard let first = rest.unicodeScalars.first, !isCombiningMark(first.value), !Self.isParticles(rest),
                isAddressed || Self.isTaken(rest, gluedTo: declaration.name, role: context.role)
            else { return nil }
        }
        switch arguments(of: declaration.name, rest) {
        case .success(let command): return .command(command)
        case .failure(let fault): return isGlued && !isAddressed ? nil : .badArgument(declaration.name, fault)
        }
    }

    /// Whether nothing but what ends a statement is left.
    private func isEnd(_ rest: String) -> Bool {
        rest.unicodeScalars.allSatisfy { scalar in
            let folded = folding.fold(scalar.value)
            return folded == ScalarFolding.nothing || WordTree.isEndMark(folded)
        }
    }

    /// Whether something glued to a command word is read as its argument although nothing addresses the bot.
    ///
    /// - Source: docs/decisions/0008-glued-arguments.md
    private static func isTaken(_ rest: String, gluedTo name: CommandName, role: Role) -> Bool {
        switch name {
        // Anything can be a game id: only what does not look like the next word of a sentence.
        case .bind: beginsWithLetterOrDigit(rest)
        // A page, a receipt or a command: what is none is talk.
        case .winners, .verify, .help: true
        case .maintenance, .void: role.mayRun(name)
        // Their arguments are names, which any talk could be.
        case .start, .stop, .importActivity, .setNumber, .setTraffic, .export: false
        case .unbind, .myBinding, .draw, .myWins, .pool, .activity, .queue, .leave, .myData, .eraseMyData,
            .activities, .traffic:
            false
        }
    }

    /// One of ASCII without a mark on it, however that is written: `é` may be one scalar or two.
    private static func beginsWithLetterOrDigit(_ text: String) -> Bool {
        var scalars = text.unicodeScalars.makeIterator()
        guard let first = scalars.next(), isLetterOrDigit(first) else { return false }
        return scalars.next().map { !isCombiningMark($0.value) } ?? true
    }

    /// Of ASCII, or its full-width form.
    private static func isLetterOrDigit(_ scalar: Unicode.Scalar) -> Bool {
        let plain = (0xFF01...0xFF5E).contains(scalar.value) ? scalar.value - 0xFF01 + 0x21 : scalar.value
        return switch plain {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }

    /// Whether a text is nothing but what ends a sentence: 了, 吗, 成功 and their like.
    private static func isParticles(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { particles.contains($0) }
    }

    private static let particles = Set("了吗嗎呢吧啊呀啦嘛么麼的過过好不沒没上完成功失敗败。！？!?~～…".unicodeScalars)

    private func argumentless(_ name: CommandName) -> Command {
        switch name {
        case .unbind: .unbind
        case .myBinding: .myBinding
        case .draw: .draw
        case .myWins: .myWins
        case .pool: .pool
        case .activity: .activity
        case .queue: .queue
        case .leave: .leave
        case .myData: .myData
        case .eraseMyData: .eraseMyData
        case .activities: .activities
        case .traffic: .traffic
        case .bind, .winners, .verify, .help, .start, .stop, .importActivity, .setNumber, .setTraffic, .maintenance,
            .void, .export:
            preconditionFailure("\(name.rawValue) takes arguments.")
        }
    }

    private func arguments(of name: CommandName, _ rest: String) -> Result<Command, ArgumentFault> {
        do throws(ArgumentFault) {
            // A game id is the whole line, not words.
            if name == .bind { return .success(.bind(try GameID(reading: rest))) }
            return .success(try command(name, Arguments(rest)))
        } catch {
            return .failure(error)
        }
    }

    private func command(_ name: CommandName, _ arguments: Arguments) throws(ArgumentFault) -> Command {
        var arguments = arguments
        switch name {
        case .winners:
            guard let word = arguments.next() else { return .winners(page: 1) }
            let page = try Arguments.number(word, in: 1...1_000_000)
            try arguments.end()
            return .winners(page: page)
        case .verify:
            let receipt = try arguments.receipt()
            try arguments.end()
            return .verify(receipt)
        case .help:
            guard !arguments.isEmpty else { return .help(nil) }
            guard let topic = topic(arguments.rest()) else { throw .unknownCommand }
            return .help(topic)
        case .start:
            return .start(activity: try arguments.name())
        case .stop:
            return .stop(activity: arguments.isEmpty ? nil : try arguments.name())
        case .importActivity:
            let file = try arguments.name()
            // A name, not a way to somewhere else.
            guard !file.utf8.contains(UInt8(ascii: "/")), !file.utf8.contains(UInt8(ascii: "\\")),
                file.utf8.first != 0x2E
            else { throw .unexpected }
            return .importActivity(file: file)
        case .setNumber:
            guard let last = arguments.popLast(), !arguments.isEmpty else { throw .missing }
            let number = try Arguments.number(last, in: 0...1_000_000_000)
            let (activity, award) = try arguments.awardOfActivity()
            return .setNumber(activity: activity, award: award, number: number)
        case .setTraffic:
            guard let key = arguments.next(), !arguments.isEmpty else { throw .missing }
            let value = arguments.rest()
            return .setTraffic(
                key: try Arguments.printable(Arguments.narrow(key).lowercased(), maximumSize: 64),
                value: try Arguments.printable(Arguments.narrow(value), maximumSize: 200))
        case .maintenance:
            guard let word = arguments.next() else { throw .missing }
            guard let isOn = Arguments.isOn(word) else { throw .notASwitch }
            return .maintenance(isOn: isOn, reason: arguments.isEmpty ? nil : try arguments.reason())
        case .void:
            let receipt = try arguments.receipt()
            return .void(receipt, reason: try arguments.reason())
        case .export:
            return .export(activity: try arguments.name())
        case .bind, .unbind, .myBinding, .draw, .myWins, .pool, .activity, .queue, .leave, .myData, .eraseMyData,
            .activities, .traffic:
            preconditionFailure("\(name.rawValue) takes no words.")
        }
    }

    /// The command that 帮助 is asked about: its word or alias, with or without a slash.
    private func topic(_ text: String) -> CommandName? {
        var text = text
        return text.withUTF8 { bytes in
            var range = trim(bytes, 0..<bytes.count)
            if let end = skip([0x2F], bytes, range) { range = trim(bytes, end..<range.upperBound) }
            return tree.exactMatch(FoldingReader(bytes, range, folding)).map { declarations[$0].name }
        }
    }
}
