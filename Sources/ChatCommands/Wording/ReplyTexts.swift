internal import Activities
internal import Basics
internal import Resources
internal import Yams

/// Reply texts that cannot be used; for operators, at the start.
public struct ReplyTextError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The text it is about; nil when it is about the whole file.
    public var key: String?
    /// What is wrong, in English.
    public var message: String

    public init(key: String?, message: String) {
        self.key = key
        self.message = message
    }

    public var description: String {
        (key.map { "Reply text \"\($0)\": \(message)." } ?? "Reply texts: \(message).").withoutControls(
            keepsLines: true)
    }
}

/// Every text of one language, ready to be filled in.
struct ReplyTexts: Sendable {
    private let templates: [ReplyKey: ReplyTemplate]
    private let summaries: [CommandName: String]

    /// The keys a file may have.
    static let keys = Set(
        ReplyKey.allCases.map(\.rawValue) + CommandCatalogue.declarations.map(\.summaryKey))

    /// - Parameter yaml: The operator's texts, which take the place of the shipped ones key by key.
    init(_ language: ReplyLanguage, overriding yaml: String?) throws(ReplyTextError) {
        let reference = try Self.parse(ReplyLanguage.simplifiedChinese.file.text)
        var texts = language == .simplifiedChinese ? reference : try Self.parse(language.file.text)
        let overrides = try yaml.map(Self.parse) ?? [:]
        for key in overrides.keys.sorted() where !Self.keys.contains(key) {
            throw ReplyTextError(key: key, message: "there is no such key")
        }
        texts.merge(overrides) { _, override in override }

        var templates: [ReplyKey: ReplyTemplate] = [:]
        for key in ReplyKey.allCases {
            let template = try Self.template(key.rawValue, texts)
            let known = try Self.template(key.rawValue, reference).names
            if let name = template.names.subtracting(known).min() {
                let offer = known.isEmpty ? "it has none" : "it has \(known.sorted().joined(separator: ", "))"
                throw ReplyTextError(key: key.rawValue, message: "it has no value {{\(name)}}; \(offer)")
            }
            templates[key] = template
        }
        var summaries: [CommandName: String] = [:]
        for declaration in CommandCatalogue.declarations {
            summaries[declaration.name] = try Self.text(declaration.summaryKey, texts)
        }
        self.templates = templates
        self.summaries = summaries
    }

    subscript(key: ReplyKey) -> ReplyTemplate {
        templates[key]!
    }

    func summary(of command: CommandName) -> String {
        summaries[command]!
    }

    private static func text(_ key: String, _ texts: [String: String]) throws(ReplyTextError) -> String {
        guard let text = texts[key] else { throw ReplyTextError(key: key, message: "it is missing") }
        return text
    }

    private static func template(_ key: String, _ texts: [String: String]) throws(ReplyTextError) -> ReplyTemplate {
        let text = try text(key, texts)
        do {
            return try ReplyTemplate(text)
        } catch {
            throw ReplyTextError(key: key, message: error.message)
        }
    }

    /// A flat mapping of texts; empty text is an empty mapping.
    static func parse(_ yaml: String) throws(ReplyTextError) -> [String: String] {
        if let line = lineOfYAMLAnchor(in: yaml) {
            throw ReplyTextError(
                key: nil, message: "line \(line) has an anchor (&); a text that begins with & needs quotes")
        }
        let node: Node?
        do {
            node = try Yams.compose(yaml: yaml)
        } catch let error as YamlError {
            throw ReplyTextError(key: nil, message: "no YAML: \(error)")
        } catch {
            throw ReplyTextError(key: nil, message: "no YAML")
        }
        guard let node, node.scalar?.string != "" else { return [:] }
        guard let mapping = node.mapping else { throw ReplyTextError(key: nil, message: "no mapping of keys to texts") }
        var texts: [String: String] = [:]
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                throw ReplyTextError(key: nil, message: "a key is no text")
            }
            guard let text = value.scalar?.string else {
                throw ReplyTextError(key: name, message: "it is no text")
            }
            guard text.utf8.count <= 8192 else { throw ReplyTextError(key: name, message: "it is over 8 KiB") }
            guard texts.updateValue(text, forKey: name) == nil else {
                throw ReplyTextError(key: name, message: "it stands there twice")
            }
        }
        return texts
    }
}
