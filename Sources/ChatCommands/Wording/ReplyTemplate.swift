internal import Mustache

/// One text with its places for values.
///
/// Most texts have nothing but plain names in them; they are taken apart once and put together without Mustache, which
/// takes ten times as long. The others are Mustache templates.
struct ReplyTemplate: Sendable {
    private enum Piece: Sendable {
        case text(String)
        case name(String)
    }

    private enum Form: Sendable {
        case flat([Piece])
        case mustache(MustacheTemplate)
    }

    private let form: Form
    /// In bytes, with some room for the values.
    private let size: Int
    /// Every name that stands in a tag, also in sections.
    let names: Set<String>

    /// - Throws: A sentence when `text` is no template that replies can use.
    init(_ text: String) throws(ReplyTemplateError) {
        var pieces: [Piece] = []
        var names: Set<String> = []
        var isFlat = true
        var rest = Substring(text)
        while let open = rest.utf8.firstRange(of: Array("{{".utf8)) {
            if rest.startIndex < open.lowerBound { pieces.append(.text(String(rest[..<open.lowerBound]))) }
            let inside = rest[open.upperBound...]
            guard let close = inside.utf8.firstRange(of: Array("}}".utf8)) else {
                throw ReplyTemplateError(message: "a tag is not closed")
            }
            var name = inside[..<close.lowerBound]
            rest = inside[close.upperBound...]
            let mark = name.utf8.first.map { "#^/".utf8.contains($0) } ?? false
            if mark {
                isFlat = false
                name = name.dropFirst()
            }
            guard !name.isEmpty, name.utf8.allSatisfy({ (0x61...0x7A).contains($0) || $0 == 0x5F }) else {
                throw ReplyTemplateError(message: "the tag {{\(name)}} is not a name, #name, ^name or /name")
            }
            names.insert(String(name))
            pieces.append(.name(String(name)))
        }
        if !rest.isEmpty { pieces.append(.text(String(rest))) }
        self.names = names
        size = text.utf8.count + 16 * pieces.count
        if isFlat {
            form = .flat(pieces)
            return
        }
        do {
            // Replies are text: nothing is escaped here, a platform's adapter knows what it must escape.
            form = .mustache(try MustacheTemplate(string: "{{% CONTENT_TYPE: TEXT}}" + text))
        } catch {
            throw ReplyTemplateError(message: "its sections are not opened and closed in pairs")
        }
    }

    func render(_ fields: ReplyFields) -> String {
        switch form {
        case .flat(let pieces):
            var result = ""
            result.reserveCapacity(size)
            for piece in pieces {
                switch piece {
                case .text(let text): result += text
                case .name(let name):
                    switch fields[name] {
                    case .text(let text): result += text
                    case .number(let number): result += String(number)
                    case .flag, .list, nil: break
                    }
                }
            }
            return result
        case .mustache(let template):
            var result = template.render(fields)
            while result.utf8.last == UInt8(ascii: "\n") { result.removeLast() }
            return result
        }
    }
}

/// Why a text is no template: an English sentence without its subject.
struct ReplyTemplateError: Error {
    var message: String
}
