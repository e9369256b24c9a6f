/// The command words and aliases by their folded scalars: finds the longest that a text begins with.
struct WordTree: Sendable {
    private struct Node: Sendable {
        var scalar: UInt32
        var firstChild: Int32 = -1
        var nextSibling: Int32 = -1
        /// Index into the catalogue; −1 where no word ends.
        var word: Int32 = -1
        var isAlias = false
        /// Of a command without arguments.
        var isAlone = false
    }

    /// What follows a word.
    enum Boundary {
        /// The end or white space.
        case clear
        /// Something else, which may be the argument.
        case glued
        /// `@`, as Telegram adds the name of the bot that is meant.
        case mention
    }

    struct Match {
        /// Index into the catalogue.
        var declaration: Int
        /// Of the byte behind the word.
        var end: Int
        var boundary: Boundary
    }

    private var nodes = [Node(scalar: 0)]
    private var roots: [UInt32: Int32] = [:]

    init(_ declarations: [CommandDeclaration], _ folding: ScalarFolding) {
        for (index, declaration) in declarations.enumerated() {
            let isAlone = declaration.arguments == nil
            for word in declaration.words {
                insert(folding.fold(word.simplified), index, isAlias: false, isAlone: isAlone)
            }
            for alias in declaration.aliases { insert(folding.fold(alias), index, isAlias: true, isAlone: isAlone) }
        }
        var child = nodes[0].firstChild
        while child >= 0 {
            roots[nodes[Int(child)].scalar] = child
            child = nodes[Int(child)].nextSibling
        }
    }

    private mutating func insert(_ scalars: [UInt32], _ declaration: Int, isAlias: Bool, isAlone: Bool) {
        var node = 0
        for scalar in scalars {
            if let child = child(of: node, scalar) {
                node = child
            } else {
                nodes.append(Node(scalar: scalar, nextSibling: nodes[node].firstChild))
                nodes[node].firstChild = Int32(nodes.count - 1)
                node = nodes.count - 1
            }
        }
        precondition(nodes[node].word < 0, "Every word means one command.")
        nodes[node].word = Int32(declaration)
        nodes[node].isAlias = isAlias
        nodes[node].isAlone = isAlone
    }

    @inline(__always)
    private func child(of node: Int, _ scalar: UInt32) -> Int? {
        var child = nodes[node].firstChild
        while child >= 0 {
            if nodes[Int(child)].scalar == scalar { return Int(child) }
            child = nodes[Int(child)].nextSibling
        }
        return nil
    }

    /// What may end a statement, folded: `抽奖！`. A question is none.
    static func isEndMark(_ scalar: UInt32) -> Bool {
        switch Unicode.Scalar(scalar) {
        case "!", ".", "~", "。", "｡", "〜": true
        default: false
        }
    }

    /// The longest word at the reader's place; nil when there is none. An alias needs a boundary behind it; that of a
    /// command without arguments may end in a mark.
    func longestMatch(_ reader: consuming FoldingReader) -> Match? {
        guard let root = roots[reader.next()] else { return nil }
        var node = Int(root)
        var best: Match?
        while true {
            let end = reader.offset
            let next = reader.next()
            if nodes[node].word >= 0 {
                let boundary: Boundary =
                    switch next {
                    case FoldingReader.end, ScalarFolding.blank: .clear
                    case UInt32(UInt8(ascii: "@")): .mention
                    default: .glued
                    }
                let isWhole =
                    boundary != .glued || !nodes[node].isAlias || (nodes[node].isAlone && Self.isEndMark(next))
                if isWhole, next != FoldingReader.invalid {
                    best = Match(declaration: Int(nodes[node].word), end: end, boundary: boundary)
                }
            }
            guard let child = child(of: node, next) else { return best }
            node = child
        }
    }

    /// The command whose word or alias the reader's whole rest is.
    func exactMatch(_ reader: consuming FoldingReader) -> Int? {
        guard let root = roots[reader.next()] else { return nil }
        var node = Int(root)
        while true {
            let next = reader.next()
            if next == FoldingReader.end {
                return nodes[node].word >= 0 ? Int(nodes[node].word) : nil
            }
            guard let child = child(of: node, next) else { return nil }
            node = child
        }
    }
}
