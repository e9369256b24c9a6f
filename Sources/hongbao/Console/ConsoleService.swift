internal import Activities
internal import AsyncAlgorithms
internal import Basics
internal import ChatCommands
internal import ChatPlatforms
internal import Lottery
internal import ServiceLifecycle

/// Reads messages from standard input and writes each one's answer, in the order of the input.
///
/// Reading runs ahead of answering by a few slices of lines at most, so any amount of input goes through in bounded
/// memory.
struct ConsoleService: Service {
    /// How lines are read and answers written.
    enum Form: Sendable {
        /// A person types as one user.
        case talk(Talk)
        /// `--json`: each line says who speaks, each answer is one line.
        case json
    }

    struct Talk: Sendable {
        var user: UserID
        /// Nil: in private.
        var chat: ChatID?
        /// Whether a person sits there: prompt and colours.
        var isTerminal: Bool
        /// Shown once at the beginning of a talk in a terminal.
        var greeting: String
        /// What happened without anybody asking, in words. Shown in a terminal only.
        var notices: AsyncStream<String>
    }

    /// Lines handed on at once. A few slices are under way at any time, far fewer than the service lets wait: a file of
    /// short lines is never told `busy`.
    private static let sliceCount = 1024

    let form: Form
    let admins: Set<UserID>
    let parser: CommandParser
    let runtime: Runtime
    let input = StandardInput()
    let output = StandardOutput()
    /// Done before the first line is read.
    let prepare: @Sendable (Runtime) async throws -> Void

    /// An answer that is on its way, with what its line needs.
    private struct Expected: Sendable {
        enum Content: Sendable {
            case pending(PendingResponse)
            case fault(ConsoleLineError)
        }

        var content: Content
        var user: UserID?
        var id: ConsoleMessageID?

        var isDecided: Bool {
            switch content {
            case .pending(let pending): pending.isDecided
            case .fault: true
            }
        }
    }

    /// Answers until the input ends, the process is told to stop, or nobody reads the answers any more.
    ///
    /// - Throws: What ``prepare`` throws, and ``StoreError`` when an answer could not be made durable: then what was
    ///   answered before is still written, and nothing after it.
    func run() async throws {
        try await withGracefulShutdownHandler {
            try await withTaskCancellationHandler {
                try await prepare(runtime)
                try await talk()
            } onCancel: {
                input.stop()
                output.giveUp()
            }
        } onGracefulShutdown: {
            input.stop()
            output.end()
        }
    }

    private func talk() async throws {
        if case .talk(let talk) = form, talk.isTerminal {
            guard await output.write(talk.greeting + Terminal.prompt(talk.user)) else { return }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            let lines = AsyncChannel<[Expected]>()
            group.addTask { await read(into: lines) }
            if case .talk(let talk) = form, talk.isTerminal { group.addTask { await tell(talk) } }
            // However answering ends: a reader that still waits for input would keep the process alive.
            defer { input.stop() }
            try await answer(lines)
            group.cancelAll()
        }
    }

    // MARK: In

    private func read(into lines: AsyncChannel<[Expected]>) async {
        defer { lines.finish() }
        var splitter = LineSplitter(maximumLineSize: ConsoleLine.maximumLineSize)
        while true {
            switch await input.next() {
            case .bytes(let bytes):
                let read = splitter.append(bytes[...])
                for start in stride(from: 0, to: read.count, by: Self.sliceCount) {
                    await lines.send(read[start..<min(start + Self.sliceCount, read.count)].map(expect))
                }
            case .end:
                if let last = splitter.finish() { await lines.send([expect(last)]) }
                return
            case .stopped:
                // An unfinished line was never sent.
                return
            }
        }
    }

    private func expect(_ line: LineSplitter.Line) -> Expected {
        switch (form, line) {
        case (.json, .tooLong):
            return Expected(content: .fault(ConsoleLineError(.lineTooLong(maximumSize: ConsoleLine.maximumLineSize))))
        case (.json, .line(let bytes)):
            do {
                let message = try ConsoleLine.decode(bytes)
                let key = message.keyText.flatMap { MessageKey(sentAt: nil, text: $0) }
                return Expected(
                    content: .pending(
                        enqueue(message.user, message.chat, key, Array(message.text.utf8))),
                    user: message.user, id: message.id)
            } catch {
                return Expected(content: .fault(error), id: error.id)
            }
        case (.talk(let talk), .tooLong):
            // Whatever it began with, it is longer than any command.
            let pending = enqueue(talk.user, talk.chat, nil, Array(repeating: UInt8(ascii: "?"), count: 5000))
            return Expected(content: .pending(pending), user: talk.user)
        case (.talk(let talk), .line(let bytes)):
            return Expected(content: .pending(enqueue(talk.user, talk.chat, nil, Array(bytes))), user: talk.user)
        }
    }

    private func enqueue(_ user: UserID, _ chat: ChatID?, _ key: MessageKey?, _ text: [UInt8]) -> PendingResponse {
        let role: Role = admins.contains(user) ? .admin : .player
        let content = parser.parse(bytes: text, context: MessageContext(role: role, isPrivate: chat == nil))
        return runtime.service.enqueue(
            Request(user: user, chat: chat, role: role, key: key, content: content))
    }

    // MARK: Out

    private func answer(_ lines: AsyncChannel<[Expected]>) async throws {
        var bytes: [UInt8] = []
        var isRead = true
        for await expected in lines {
            for line in expected {
                if !line.isDecided, !bytes.isEmpty {
                    isRead = await output.write(bytes) && isRead
                    bytes.removeAll(keepingCapacity: true)
                }
                do {
                    try await append(line, to: &bytes)
                } catch {
                    // What was decided before is durable.
                    _ = await output.write(bytes)
                    throw error
                }
            }
            isRead = await output.write(bytes) && isRead
            bytes.removeAll(keepingCapacity: true)
            // Nobody hears the answers any more: stop taking questions.
            if !isRead { input.stop() }
        }
        // Leaves the shell's prompt on a line of its own.
        if case .talk(let talk) = form, talk.isTerminal { _ = await output.write("\n") }
    }

    /// Writes what happened without anybody asking, between the answers, until it is cancelled.
    private func tell(_ talk: Talk) async {
        for await notice in talk.notices {
            _ = await output.write(
                "\n" + Terminal.reply(notice, .ok, colored: true) + Terminal.prompt(talk.user))
        }
    }

    private func append(_ line: Expected, to bytes: inout [UInt8]) async throws {
        let response: Response
        switch line.content {
        case .fault(let fault):
            let reply = runtime.words.text(forUnreadableLine: fault.description)
            ConsoleReply(id: line.id, user: nil, code: OutcomeCode.badArgument.rawValue, reply: reply)
                .append(to: &bytes)
            return
        case .pending(let pending): response = try await runtime.service.response(to: pending)
        }
        let user = line.user ?? UserID("")
        let text = runtime.words.text(for: response, role: admins.contains(user) ? .admin : .player)
        switch form {
        case .json:
            ConsoleReply(
                id: line.id, user: user.text, code: response.outcome.code.rawValue, reply: text,
                receipt: response.outcome.receipt?.description, award: response.outcome.award?.text,
                position: response.position.map { Int64($0) }
            ).append(to: &bytes)
        case .talk(let talk):
            if !text.isEmpty { bytes += Terminal.reply(text, response.outcome.code, colored: talk.isTerminal).utf8 }
            if talk.isTerminal { bytes += Terminal.prompt(talk.user).utf8 }
        }
    }
}
