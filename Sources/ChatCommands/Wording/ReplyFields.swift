internal import Mustache

/// What a name in a template stands for.
enum ReplyField {
    case text(String)
    case number(Int)
    /// For sections only.
    case flag(Bool)
    case list([ReplyFields])
}

/// The values that a template may name.
struct ReplyFields: ExpressibleByDictionaryLiteral {
    /// Few: looked through from the front.
    private var values: [(String, ReplyField?)]

    /// A nil value is as if it were not listed: its section is left out.
    init(dictionaryLiteral elements: (String, ReplyField?)...) {
        values = elements
    }

    subscript(name: String) -> ReplyField? {
        for (field, value) in values where field == name { return value }
        return nil
    }
}

extension ReplyFields: MustacheParent {
    func child(named name: String) -> Any? {
        switch self[name] {
        case .text(let text): text
        case .number(let number): number
        case .flag(let flag): flag
        case .list(let list): list
        case nil: nil
        }
    }
}

extension ReplyField {
    /// Text that came from a person or a file of theirs.
    static func echoed(_ text: String) -> Self { .text(echo(text)) }

    static func number(ifAny number: Int?) -> Self? { number.map { .number($0) } }
    static func text(ifAny text: String?) -> Self? { text.map { .text($0) } }
    static func echoed(ifAny text: String?) -> Self? { text.map { .echoed($0) } }
}
