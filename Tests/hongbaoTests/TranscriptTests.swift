import Activities
import ActivityFiles
import Basics
import ChatCommands
import ChatPlatforms
import Foundation
import Lottery
import SQLiteStore
import TestSupport
import Testing

/// A whole event, through the service and through the program.
@Suite struct TranscriptTests {
    private let transcript = EventTranscript()

    /// An answer as a program reads it.
    private struct Answer: Decodable {
        var id: String?
        var user: String?
        var code: String
        var reply: String
        var receipt: String?
        var award: String?
        var position: Int?
    }

    @Test func theServiceAnswersAWholeEvent() async throws {
        // Given: the two activities and a parser and wording as the program uses them.
        let library = MemoryLibrary()
        for (name, yaml) in [("lantern", EventTranscript.lantern), ("spring", EventTranscript.spring)] {
            library.put(try ActivityFile.parse(Array(yaml.utf8)), as: name)
        }
        let parser = CommandParser()
        let words = try ReplyWriter()
        let transcript = transcript
        let answers = try await TestBench(library: library).running { bench in
            for name in ["lantern", "spring"] {
                try await bench.send(.importActivity(file: name), as: "qq:1", isAdmin: true)
            }
            // When: every line goes through the decoder, the parser, the service and the wording.
            var answers: [Answer] = []
            for line in transcript.input.split(separator: "\n") {
                let message = try ConsoleLine.decode(line.utf8)
                let isAdmin = message.user == UserID("qq:\(EventTranscript.admin)")
                let content = parser.parse(
                    message.text,
                    context: MessageContext(role: isAdmin ? .admin : .player, isPrivate: message.chat == nil))
                let response = try await bench.service.submit(
                    Request(
                        user: message.user, chat: message.chat, role: isAdmin ? .admin : .player,
                        key: message.keyText.flatMap { MessageKey(sentAt: nil, text: $0) }, content: content))
                answers.append(
                    Answer(
                        user: message.user.text, code: response.outcome.code.rawValue,
                        reply: words.text(for: response, role: isAdmin ? .admin : .player),
                        receipt: response.outcome.receipt?.description, award: response.outcome.award?.text,
                        position: response.position))
            }
            // Then: the ledgers hold.
            for id in ["lantern", "spring"] as [ActivityID] {
                let rows = try await bench.store.ledger(of: id, from: 0, limit: 10_000)
                let file = Array(rows.map { $0.canonicalLine }.joined(separator: [0x0A])) + [0x0A]
                let report = LedgerVerifier.verify(file)
                #expect(report.holds, "\(id): \(String(describing: report.badRow))")
                #expect(!report.isLastRoundOpen)
            }
            return answers
        }
        check(answers)
    }

    @Test func theProgramAnswersAWholeEvent() throws {
        let folder = try TemporaryFolder()
        let lantern = try folder.file("lantern.yaml", EventTranscript.lantern)
        let spring = try folder.file("spring.yaml", EventTranscript.spring)
        let arguments = [
            "chat", "--json", "--database", "event.db", "--admin", "qq:\(EventTranscript.admin)", "--activity", lantern,
            "--activity", spring,
        ]
        let result = try Program.run(arguments, in: folder.path, input: transcript.input)
        #expect(result.status == 0, "\(result.errors)")
        let answers = try result.lines.map { try JSONDecoder().decode(Answer.self, from: Data($0.utf8)) }
        check(answers)

        // The ledgers that the admin exported hold, and the list of winners has them.
        for id in ["lantern", "spring"] {
            let verified = try Program.run(["verify", "exports/\(id).ledger.jsonl"], in: folder.path)
            #expect(verified.status == 0, "\(verified.output)\(verified.errors)")
        }
        let winners = try folder.text("exports/lantern.winners.csv")
        // The header, 300 winners; the voided win is not among them.
        #expect(winners.split(separator: "\r\n").count == 301)
        #expect(!winners.contains("\"lantern-1\""))
    }

    private func check(_ answers: [Answer]) {
        #expect(answers.count == transcript.lines.count)
        for (index, (line, answer)) in zip(transcript.lines, answers).enumerated() {
            let place: Comment = "line \(index + 1), \(line.user) in \(line.chat): \(line.text) → \(answer.reply)"
            #expect(answer.user == "qq:\(line.user)", place)
            #expect(answer.code == line.code, place)
            if let award = line.award { #expect(answer.award == award, place) }
            if let position = line.position { #expect(answer.position == position, place) }
            for text in line.contains { #expect(answer.reply.contains(text), place) }
            if let repeated = line.repeats {
                #expect(answer.reply == answers[repeated].reply, place)
                #expect(answer.receipt == answers[repeated].receipt, place)
            }
            #expect(answer.reply.isEmpty == (line.code == "ignored"), place)
        }
    }
}
