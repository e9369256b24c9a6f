internal import Foundation

/// Which scalars count as the same when a command word is looked for: white space as one blank, full-width and other
/// compatibility forms as the plain one, traditional characters as simplified, capitals as small letters; zero-width
/// and other format scalars as nothing.
///
/// For matching only. Look-alikes of other scripts stay what they are.
///
/// - Source: spec.md section 4; hardening.md rows 2–5 and 16.
struct ScalarFolding: Sendable {
    /// Folded to this a scalar counts as nothing.
    static let nothing: UInt32 = 0
    /// All white space, line breaks too.
    static let blank: UInt32 = 0x20

    /// By scalar below U+10000.
    private var plane0: [UInt16]
    /// The few above that fold to something else.
    private let above: [UInt32: UInt32]

    /// For the words of the catalogue.
    static let catalogue = ScalarFolding()

    private init() {
        var table = (0...0xFFFF).map { UInt16($0) }
        // NUL is not nothing, it is a scalar that matches no word.
        table[0] = 1
        for value in UInt32(0x80)...0xFFFF {
            // Ideographs, syllables and private scalars are neither.
            if (0x3400...0x9FFF).contains(value) || (0xAC00...0xF8FF).contains(value) { continue }
            guard let scalar = Unicode.Scalar(value) else { continue }
            let properties = scalar.properties
            if properties.isWhitespace {
                table[Int(value)] = UInt16(Self.blank)
            } else if properties.generalCategory == .format || properties.isDefaultIgnorableCodePoint {
                table[Int(value)] = UInt16(Self.nothing)
            }
        }
        for value in 0x09...0x0D { table[value] = UInt16(Self.blank) }
        for value in 0x41...0x5A { table[value] = UInt16(value | 0x20) }

        var wanted: Set<UInt32> = []
        var characters: [(UInt32, UInt32)] = []
        for declaration in CommandCatalogue.declarations {
            for word in declaration.words {
                for (simplified, traditional) in zip(word.simplified.unicodeScalars, word.traditional.unicodeScalars) {
                    wanted.formUnion([simplified.value, traditional.value])
                    characters.append((traditional.value, simplified.value))
                }
            }
        }
        for (variant, plain) in CommandCatalogue.variants {
            wanted.insert(variant.value)
            characters.append((variant.value, plain.value))
        }
        for (character, simplified) in characters { table[Int(character)] = UInt16(simplified) }

        // Full-width forms fold whatever they are; other compatibility forms where they stand for ASCII or a wanted
        // one.
        for value in 0xFF01...0xFF5E { table[value] = table[value - 0xFF01 + 0x21] }
        var above: [UInt32: UInt32] = [:]
        for range in [0x2100...0x214F, 0x2460...0x24FF, 0x2F00...0x2FDF, 0xF900...0xFAFF] + [
            0x1D400...0x1D7FF, 0x2F800...0x2FA1D,
        ]
            as [ClosedRange<UInt32>]
        {
            for value in range {
                guard let scalar = Unicode.Scalar(value) else { continue }
                let plain = String(scalar).precomposedStringWithCompatibilityMapping.unicodeScalars
                guard plain.count == 1, let only = plain.first, only.isASCII || wanted.contains(only.value) else {
                    continue
                }
                if value > 0xFFFF {
                    above[value] = UInt32(table[Int(only.value)])
                } else {
                    table[Int(value)] = table[Int(only.value)]
                }
            }
        }
        plane0 = table
        self.above = above
    }

    /// Folds the traditional spelling of further words too, where it pairs up with the simplified one by scalar.
    mutating func include(_ word: String) {
        let transform = StringTransform("Hans-Hant")
        guard let traditional = word.applyingTransform(transform, reverse: false)?.unicodeScalars,
            let simplified = word.applyingTransform(transform, reverse: true)?.unicodeScalars,
            traditional.count == simplified.count
        else { return }
        for (character, plain) in zip(traditional, simplified)
        where character != plain && character.value <= 0xFFFF && plain.value <= 0xFFFF {
            plane0[Int(character.value)] = UInt16(plain.value)
        }
    }

    /// What a scalar counts as; ``nothing`` when it does not count.
    @inline(__always)
    func fold(_ scalar: UInt32) -> UInt32 {
        if scalar <= 0xFFFF { return UInt32(plane0[Int(scalar)]) }
        return foldAbove(scalar)
    }

    private func foldAbove(_ scalar: UInt32) -> UInt32 {
        // Tags and the second block of variation selectors.
        if (0xE0000...0xE0FFF).contains(scalar) { return Self.nothing }
        return above[scalar] ?? scalar
    }

    /// A word as it is compared: folded, without what counts as nothing.
    func fold(_ text: some StringProtocol) -> [UInt32] {
        text.unicodeScalars.map { fold($0.value) }.filter { $0 != Self.nothing }
    }
}
