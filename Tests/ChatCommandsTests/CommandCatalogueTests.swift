import Activities
import Foundation
import TestSupport
import Testing

@testable import ChatCommands

@Suite struct CommandCatalogueTests {
    static let documentation: String = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return (try? String(contentsOf: root.appending(path: "commands.md"), encoding: .utf8)) ?? ""
    }()

    @Test func everyCommandIsDeclaredOnce() {
        #expect(
            CommandCatalogue.declarations.map(\.name.rawValue).sorted() == CommandName.allCases.map(\.rawValue).sorted()
        )
    }

    @Test func everyWordMeansOneCommand() {
        let words = CommandCatalogue.declarations.flatMap { $0.words.map(\.simplified) + $0.aliases }
        #expect(Set(words).count == words.count)
    }

    @Test(arguments: CommandCatalogue.declarations, ReplyLanguage.allCases)
    func everyWordAndExampleIsUnderstood(_ declaration: CommandDeclaration, _ language: ReplyLanguage) {
        let content = parse(declaration.example(in: language), adminInGroup)
        guard case .command(let command) = content else {
            Issue.record("\(content)")
            return
        }
        #expect(command.name == declaration.name)
        for word in [declaration.word(in: language)] + declaration.otherWords(in: language) {
            #expect(parse("帮助 \(word)") == .command(.help(declaration.name)))
        }
    }

    @Test(arguments: [false, true])
    func theTableOfTheDocumentationIsTheCatalogue(_ isForAdmins: Bool) throws {
        let table = try commandTable(isForAdmins: isForAdmins)
        let mark = isForAdmins ? "admins" : "players"
        let parts = Self.documentation.components(separatedBy: "<!-- \(mark) -->\n")
        let found = try #require(parts.last?.components(separatedBy: "<!-- /\(mark) -->").first)
        #expect(found == table, "commands.md should have:\n\(table)")
    }

    /// One row per command: usage, other words, what it does; Chinese and English.
    private func commandTable(isForAdmins: Bool) throws -> String {
        let chinese = try ReplyTexts(.simplifiedChinese, overriding: nil)
        let english = try ReplyTexts(.english, overriding: nil)
        func code(_ text: String) -> String { "`\(text.replacing("|", with: "\\|"))`" }
        var rows = ["| 命令 Command | 也可以写 Also | 作用 What it does |", "|---|---|---|"]
        for declaration in CommandCatalogue.declarations where declaration.isForAdmins == isForAdmins {
            let usages = [ReplyLanguage.simplifiedChinese, .english].map { code(declaration.usage(in: $0)) }
            let first = [declaration.words[0].simplified, declaration.aliases[0]]
            var others: [String] = []
            for word in declaration.words.flatMap({ [$0.simplified, $0.traditional] }) + declaration.aliases
            where !first.contains(word) && !others.contains(word) {
                others.append(word)
            }
            let summaries = [chinese, english].map { $0.summary(of: declaration.name) }
            rows.append(
                "| \(usages.joined(separator: "<br>")) | \(others.map(code).joined(separator: " ")) "
                    + "| \(summaries.joined(separator: "<br>")) |")
        }
        return rows.joined(separator: "\n") + "\n"
    }

    @Test func theDocumentationShowsEveryCommand() throws {
        let transcript = try ChatTranscript(markdown: Self.documentation)
        var shown: Set<CommandName> = []
        for line in transcript.lines {
            let context = MessageContext(role: line.speaker == "管理员" ? .admin : .player)
            switch parse(line.text, context) {
            case .command(let command): shown.insert(command.name)
            case .badArgument: #expect(!line.expectedReply.isEmpty)
            case .unknown(let suggestion, _): #expect(suggestion != nil, "line \(line.lineNumber)")
            case .ignored: #expect(line.expectedReply.isEmpty, "line \(line.lineNumber)")
            }
        }
        #expect(shown == Set(CommandName.allCases))
    }

    /// What needs no store is worded as the documentation says.
    @Test func theDocumentationQuotesTheTexts() throws {
        let writer = try ReplyWriter()
        for line in try ChatTranscript(markdown: Self.documentation).lines {
            let isAdmin = line.speaker == "管理员"
            let outcome: Outcome
            switch parse(line.text, MessageContext(role: isAdmin ? .admin : .player)) {
            case .badArgument(let name, let fault): outcome = .badArgument(.argument(name, fault))
            case .unknown(let suggestion, _): outcome = .unknownCommand(suggestion: suggestion)
            case .command(.help(let topic?)) where topic.isForAdmins && !isAdmin:
                outcome = .badArgument(.argument(.help, .unknownCommand))
            case .command(.help(let topic)): outcome = .ok(.help(topic))
            case .command(let command) where command.name.isForAdmins && !isAdmin: outcome = .notPermitted(command.name)
            default: continue
            }
            let reply = writer.text(for: Response(outcome), role: isAdmin ? .admin : .player)
            #expect(line.accepts(reply), "line \(line.lineNumber): \(reply)")
        }
    }
}
