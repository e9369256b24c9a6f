internal import Activities
internal import Basics
internal import ChatCommands
internal import Foundation
internal import Lottery

extension FuzzTarget {
    /// A chat message, from its bytes to a command, and back into a reply. The first byte says who wrote it where.
    public static let commands = FuzzTarget("commands") { input in
        var choices = Choices(input)
        let flags = choices.next()
        let context = MessageContext(
            role: flags & 1 == 0 ? .player : .admin, isPrivate: flags & 2 != 0, isMentioned: flags & 4 != 0)
        let parser = flags & 8 == 0 ? CommandPromises.plainParser : CommandPromises.namedParser
        var message = Array(choices.rest)
        if flags & 16 != 0, !message.isEmpty {
            // So that what takes more than linear time is seen.
            while message.count < 64 * 1024 { message += message }
        }
        let content = parser.parse(bytes: message, context: context)
        try CommandPromises.check(content, of: message, context)
        // Storage that is not contiguous takes another way in.
        try require(
            parser.parse(bytes: message.lazy.map { $0 }, context: context) == content || message.count > 4096,
            "the same bytes are the same message")
        guard let text = String(validating: message, as: UTF8.self) else {
            if case .badArgument(_, .tooLong) = content { return }
            try CommandPromises.checkNotUTF8(content)
            return
        }
        try require(parser.parse(text, context: context) == content, "a text and its bytes are the same message")
        try CommandPromises.checkNormalisation(text, content, parser, context)
        try CommandPromises.checkWording(text)
    }
}

private enum CommandPromises {
    static let plainParser = CommandParser()
    static let namedParser = CommandParser(
        configuration: ParserConfiguration(prefixes: ["剑三", "!", "小红包 "], botNames: ["红包", "hongbao"]))
    static let writers = ReplyLanguage.allCases.compactMap { try? ReplyWriter(language: $0) }

    static func check(_ content: MessageContent, of message: [UInt8], _ context: MessageContext) throws {
        switch content {
        case .ignored, .badArgument: break
        case .unknown(let suggestion, _):
            if let suggestion {
                try require(context.role.mayRun(suggestion), "only what somebody may run is suggested to them")
            }
        case .command(let command):
            try require(message.count <= 4096, "a long message is no command")
            try check(command)
        }
    }

    private static func check(_ command: Command) throws {
        try require(command.fingerprint.hasNoControls(), "no control character is in a command")
        try require(command.fingerprint.utf8.count <= 4096, "a command is no longer than its message may be")
        switch command {
        case .bind(let gameID):
            try require((1...64).contains(gameID.text.utf8.count), "a game id has 1 to 64 bytes")
            try require(gameID.text.unicodeScalars.allSatisfy(isPrintable), "a game id can be printed")
            try require(GameID(gameID.text) == gameID, "a game id read again is the same")
            try require(
                GameID(gameID.text + " ")?.folded == gameID.folded, "white space around a game id makes no difference")
        case .winners(let page): try require((1...1_000_000).contains(page), "a page is a number from 1")
        case .setNumber(_, let award, let number):
            try require((0...1_000_000_000).contains(number), "a stock is 0 to 10^9")
            try require(!award.isEmpty, "an award has a name")
        case .importActivity(let file):
            try require(
                !file.utf8.contains(UInt8(ascii: "/")) && !file.hasPrefix("."), "a file's name leads nowhere else")
        case .verify(let receipt):
            try require(parserTakes(receipt.description), "a receipt can be asked for as it is shown")
        default: break
        }
    }

    private static func parserTakes(_ receipt: String) -> Bool {
        if case .command(.verify) = plainParser.parse("验证 " + receipt, context: MessageContext()) {
            true
        } else {
            false
        }
    }

    static func checkNotUTF8(_ content: MessageContent) throws {
        switch content {
        case .ignored: break
        default: throw BrokenPromise(description: "what is not UTF-8 was taken for \(content)")
        }
    }

    /// However a text's characters are put together, it is the same command with the same arguments.
    static func checkNormalisation(
        _ text: String, _ content: MessageContent, _ parser: CommandParser, _ context: MessageContext
    ) throws {
        guard case .command(let command) = content else { return }
        // Composing, Foundation loses this scalar (U+1101 U+1170 U+11A7; seen with Swift 6.3): it is no jamo, but the place
        // before the first.
        if text.unicodeScalars.contains("\u{11A7}") { return }
        for other in [text.precomposedStringWithCanonicalMapping, text.decomposedStringWithCanonicalMapping] {
            switch parser.parse(other, context: context) {
            case .command(let same):
                // Swift's own comparison, which is by canonical equivalence.
                try require(same.fingerprint == command.fingerprint, "\(text.debugDescription) is one command")
            // Of more bytes than may be: glued to the word it is talk then.
            case .badArgument(let name, .tooLong) where name == command.name: break
            case .ignored where other.utf8.count > GameID.maximumSize: break
            case let changed:
                throw BrokenPromise(
                    description: "\(text.debugDescription) is \(content), normalised it is \(changed)")
            }
        }
    }

    static func checkWording(_ text: String) throws {
        let shown = echo(text)
        try require(shown.unicodeScalars.allSatisfy(\.isHarmless), "nothing harmful is repeated")
        try require(shown.unicodeScalars.count <= 81, "no more than 80 characters are repeated")
        try require(echo(shown).utf8.elementsEqual(shown.utf8), "what was cleaned stays as it is")
        let normalised = shown.precomposedStringWithCanonicalMapping
        try require(normalised.unicodeScalars.allSatisfy(\.isHarmless), "nothing harmful comes of normalising")
        for writer in writers {
            let reply = writer.text(for: .closedBySchedule(activityName: text))
            let plain = writer.text(for: .closedBySchedule(activityName: "a"))
            try require(reply.hasNoControls(allowsLines: true), "no control character is in a reply")
            try require(
                reply.utf8.count { $0 == 0x0A } == plain.utf8.count { $0 == 0x0A }, "nobody adds lines to a reply")
        }
    }
}
