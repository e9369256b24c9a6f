internal import Activities
internal import Basics
internal import ChatCommands

/// Messages as a group writes them, good and hostile, to commands.
struct ParsingBenchmark: Benchmark {
    let name = "parsing"

    func figures(_ settings: BenchmarkSettings) async throws -> [Figure] {
        let title = "messages parsed, good and hostile mixed"
        let lineCount = settings.scaled(500_000, atLeast: 1000)
        let parser = CommandParser(
            configuration: ParserConfiguration(prefixes: ["剑三"], botNames: ["红包机器人"]))
        let linesPerSecond = try await settings.median(title) { seed in
            var mix = MessageMix(seed: seed)
            let messages = (0..<lineCount).map { _ in mix.next() }
            var wrong: MessageMix.Message?
            let start = ContinuousClock.now
            for message in messages {
                let content = parser.parse(
                    bytes: message.bytes, context: MessageContext(isPrivate: message.isPrivate))
                if !message.expected.matches(content) { wrong = message }
            }
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            if let wrong {
                throw Wrong(
                    description: "not \(wrong.expected): \(String(decoding: wrong.bytes.prefix(200), as: UTF8.self))")
            }
            return Double(lineCount) / seconds
        }
        return [Figure(title, linesPerSecond, "lines/s", goal: .valueAtLeast(1_000_000))]
    }
}

/// Messages in fixed shares: in a hundred 30 commands, 30 lines of talk, 10 near misses, 12 commands in disguise
/// (full-width, traditional, zero-width, mentions, prefixes), 8 commands with arguments that must be refused, 5 with
/// marks or emoji without end, 3 long ones up to the limit, 2 that are no UTF-8. A fifth comes in private.
struct MessageMix {
    enum Expected {
        case command, badArgument, suggestion, talk

        func matches(_ content: MessageContent) -> Bool {
            switch (self, content) {
            case (.command, .command), (.badArgument, .badArgument), (.talk, .ignored),
                (.talk, .unknown(suggestion: nil, _)):
                true
            case (.suggestion, .unknown(let suggestion, _)): suggestion != nil
            default: false
            }
        }
    }

    struct Message {
        var bytes: [UInt8]
        var isPrivate: Bool
        var expected: Expected
    }

    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func next() -> Message {
        let isPrivate = number(below: 5) == 0
        func message(_ text: String, _ expected: Expected) -> Message {
            Message(bytes: Array(text.utf8), isPrivate: isPrivate, expected: expected)
        }
        switch number(below: 100) {
        case 0..<30: return message(command(), .command)
        case 30..<60: return message(talk(), .talk)
        case 60..<70: return message(pick(Self.nearMisses), .suggestion)
        case 70..<82: return message(disguised(), .command)
        case 82..<90: return message(refused(), .badArgument)
        case 90..<95: return message(endless(), .talk)
        case 95..<97: return message(long("今天群里好热闹啊，大家都来抽奖了吗 ok "), .talk)
        case 97: return message("绑定 " + long("剑侠客 "), .badArgument)
        default:
            var bytes = Array(talk().utf8)
            bytes.insert(pick([0xFF, 0xC0, 0xF8]), at: number(below: bytes.count))
            return Message(bytes: bytes, isPrivate: isPrivate, expected: .talk)
        }
    }

    private static let nearMisses = [
        "抽将", "抽讲", "中将汇总", "choujiang", "cj", "zhongjianghuizong", "中奖汇宗", "绑丁", "奖持", "排对", "wodejiangpin",
        "我的讲品",
    ]

    private mutating func command() -> String {
        switch number(below: 10) {
        case 0..<4: "抽奖"
        case 4: "绑定 剑侠客\(number(below: 10_000))"
        case 5: "中奖汇总 \(1 + number(below: 500))"
        case 6: "验证 spring-2027-\(number(below: 1_000_000))"
        case 7: pick(["我的奖品", "我的绑定", "解绑"])
        case 8: pick(["奖池", "排队", "活动", "离开"])
        default: pick(["中奖汇总", "帮助", "帮助 抽奖", "draw", "抽奖！"])
        }
    }

    private mutating func talk() -> String {
        let number = number(below: 1000)
        return switch self.number(below: 8) {
        case 0: "今晚\(number % 12 + 1)点开团，来的扣1，差一个奶妈"
        case 1: "哈哈哈哈哈哈\(number)"
        case 2: "谁有\(number)金，先借我一下，明天还 🙏"
        case 3: "lol did anyone see that, I lost \(number) gold in one pull"
        case 4: "我刚才中奖汇总都看了\(number)遍还是没有我😭"
        case 5: "https://example.com/forum/thread-\(number)-1-1.html 看这个攻略"
        case 6: "1"
        default: "[图片]\(number)"
        }
    }

    private mutating func disguised() -> String {
        let number = number(below: 1000)
        return switch self.number(below: 8) {
        case 0: "／抽奖"
        case 1: "　抽獎　"
        case 2: "抽\u{200B}奖\u{FEFF}"
        case 3: "绑定：玩家\(number)"
        case 4: "中奖汇总　１２"
        case 5: "@红包机器人 抽奖"
        case 6: "剑三 我的獎品"
        default: "綁定 《角色\(number)》"
        }
    }

    private mutating func refused() -> String {
        switch number(below: 5) {
        case 0: "绑定 角色\u{202E}\(number(below: 100))"
        case 1: "绑定 " + String(repeating: "很长", count: 20 + number(below: 20))
        case 2: "中奖汇总 99999999999999999999"
        case 3: "验证 '; DROP TABLE bot_user_award; --"
        default: "绑定 a\u{0}b\u{7}"
        }
    }

    private mutating func endless() -> String {
        switch number(below: 3) {
        case 0: "抽" + String(repeating: "\u{0301}\u{0489}", count: 50 + number(below: 200)) + "啊"
        case 1: String(repeating: "👨‍👩‍👧‍👦", count: 10 + number(below: 20))
        default: String(repeating: "\u{200B}\u{2060}", count: 100 + number(below: 100)) + "好"
        }
    }

    private mutating func long(_ piece: String) -> String {
        String(repeating: piece, count: (2000 + number(below: 2000)) / piece.utf8.count)
    }

    private mutating func number(below bound: Int) -> Int { Int(generator.next() % UInt64(bound)) }

    private mutating func pick<T>(_ values: [T]) -> T { values[number(below: values.count)] }
}
