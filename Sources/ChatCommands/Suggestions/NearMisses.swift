internal import Activities

/// Finds the command that somebody probably meant.
///
/// - Source: spec.md section 4.
struct NearMisses: Sendable {
    /// No command word, pinyin or alias is as long as this; a longer message is nobody's typing error.
    static let longestText = 24

    private struct Word: Sendable {
        var scalars: [UInt32]
        /// Index per scalar into the syllables.
        var syllables: [UInt8]
        var declaration: Int
    }

    private static let firstCharacter: UInt32 = 0x4E00
    private static let lastCharacter: UInt32 = 0x9FFF

    private let declarations: [CommandDeclaration]
    private let words: [Word]
    private let aliases: [Word]
    /// In scalars.
    private let longestWord: Int
    /// Commands by pinyin and by initials, in the catalogue's order.
    private let spellings: [[UInt32]: [Int]]
    /// Syllable per character from U+4E00; 0: none that a command word has.
    private let syllables: [UInt8]

    init(_ declarations: [CommandDeclaration], _ folding: ScalarFolding) {
        self.declarations = declarations
        var names: [Substring] = [""]
        var table = [UInt8](repeating: 0, count: Int(Self.lastCharacter - Self.firstCharacter) + 1)
        for line in homophones.split(separator: "\n") {
            let parts = line.split(separator: " ")
            if names.last != parts[0] { names.append(parts[0]) }
            for character in parts[1].unicodeScalars {
                table[Int(character.value - Self.firstCharacter)] = UInt8(names.count - 1)
            }
        }
        var words: [Word] = []
        var aliases: [Word] = []
        var spellings: [[UInt32]: [Int]] = [:]
        for (index, declaration) in declarations.enumerated() {
            for word in declaration.words {
                let scalars = folding.fold(word.simplified)
                let sounds = scalars.map { table[Int($0 - Self.firstCharacter)] }
                precondition(!sounds.contains(0), "Every character of a command word has a reading.")
                words.append(Word(scalars: scalars, syllables: sounds, declaration: index))
                let pinyin = sounds.map { names[Int($0)] }
                // Where there is no ü on the keyboard, some write v and some u.
                for spelling in Set([
                    pinyin.joined(), pinyin.map { $0 == "lv" ? "lu" : $0 }.joined(),
                    String(pinyin.compactMap(\.first)),
                ]) {
                    spellings[folding.fold(spelling), default: []].append(index)
                }
            }
            for alias in declaration.aliases where alias.utf8.count >= 4 {
                aliases.append(Word(scalars: folding.fold(alias), syllables: [], declaration: index))
            }
        }
        self.words = words
        self.aliases = aliases
        longestWord = words.map(\.scalars.count).max() ?? 0
        self.spellings = spellings
        syllables = table
    }

    /// The command that a whole message is close to.
    ///
    /// - Parameters:
    ///   - text: Folded, without white space; at most ``longestText`` scalars.
    ///   - isOpen: Behind a prefix or mention or in private, where one wrong character is enough in short words too.
    ///   - role: Only commands that this person may run are suggested.
    /// - Complexity: O(words · length); no allocation for most texts.
    func suggestion(for text: [UInt32], isOpen: Bool, role: Role) -> CommandDeclaration? {
        guard let first = text.first else { return nil }
        func allowed(_ index: Int) -> Bool { role.mayRun(declarations[index].name) }

        if first < 0x80 {
            // An apostrophe parts syllables: chou'jiang.
            let letters = text.contains(0x27) ? text.filter { $0 != 0x27 } : text
            if let index = spellings[letters]?.first(where: allowed) { return declarations[index] }
        } else {
            let plain = text.contains(where: isCombiningMark) ? text.filter { !isCombiningMark($0) } : text
            if plain.count <= longestWord {
                for word in words
                where word.scalars.count == plain.count && allowed(word.declaration)
                    && (plain == word.scalars || sounds(plain, like: word))
                {
                    return declarations[word.declaration]
                }
            }
        }
        if text.count <= longestWord + 1 {
            for word in words
            where (isOpen || word.scalars.count >= 4) && allowed(word.declaration)
                && differsByOne(text, word.scalars)
            {
                return declarations[word.declaration]
            }
        }
        // Aliases are everyday English words: in a group "find" is not "bind".
        guard isOpen else { return nil }
        for word in aliases where allowed(word.declaration) && differsByOne(text, word.scalars) {
            return declarations[word.declaration]
        }
        return nil
    }

    private func sounds(_ text: [UInt32], like word: Word) -> Bool {
        for (scalar, syllable) in zip(text, word.syllables) {
            guard (Self.firstCharacter...Self.lastCharacter).contains(scalar),
                syllables[Int(scalar - Self.firstCharacter)] == syllable
            else { return false }
        }
        return true
    }

    /// Whether one scalar changed, left out or added makes one the other; also when they are equal.
    private func differsByOne(_ left: [UInt32], _ right: [UInt32]) -> Bool {
        let difference = left.count - right.count
        guard (-1...1).contains(difference) else { return false }
        let shorter = min(left.count, right.count)
        var front = 0
        while front < shorter, left[front] == right[front] { front += 1 }
        var back = 0
        while back < shorter - front, left[left.count - 1 - back] == right[right.count - 1 - back] { back += 1 }
        return max(left.count, right.count) - front - back <= 1
    }
}

/// Whether a scalar is drawn onto the one before it.
func isCombiningMark(_ scalar: UInt32) -> Bool {
    // None among ASCII and the ideographs, which most texts are made of.
    guard scalar >= 0x300, !(0x3400...0x9FFF).contains(scalar) else { return false }
    return switch Unicode.Scalar(scalar)?.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .spacingMark: true
    default: false
    }
}
