import Activities
import Basics
import ChatCommands
import Lottery
import Testing

/// A message in a group, from somebody without rights, not addressed to the bot.
let group = MessageContext()
let privately = MessageContext(isPrivate: true)
let mentioned = MessageContext(isMentioned: true)
let adminInGroup = MessageContext(role: .admin)
let adminPrivately = MessageContext(role: .admin, isPrivate: true)

/// With the prefix 剑三 and the name 红包助手.
let parser = CommandParser(configuration: ParserConfiguration(prefixes: ["剑三"], botNames: ["红包助手", "hongbao_bot"]))

func parse(_ text: String, _ context: MessageContext = group) -> MessageContent {
    parser.parse(text, context: context)
}

func parse(bytes: [UInt8], _ context: MessageContext = group) -> MessageContent {
    parser.parse(bytes: bytes, context: context)
}

func bound(_ gameID: String) -> MessageContent {
    .command(.bind(GameID(stored: gameID)))
}

/// What is expected of a line, with its line for messages.
struct ParserCase: Sendable, CustomTestStringConvertible {
    var text: String
    var content: MessageContent
    var context: MessageContext

    init(_ text: String, _ content: MessageContent, _ context: MessageContext = group) {
        self.text = text
        self.content = content
        self.context = context
    }

    init(_ text: String, _ command: Command, _ context: MessageContext = group) {
        self.init(text, .command(command), context)
    }

    var testDescription: String {
        text.unicodeScalars.prefix(40).map { $0.value < 0x20 ? "\\u{\(String($0.value, radix: 16))}" : String($0) }
            .joined()
    }
}

let receipt = Receipt(activity: "spring-sample", seq: 1)
