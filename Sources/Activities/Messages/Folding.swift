internal import Foundation

/// NFKC, then case folded, then NFKC again: full-width and compatibility forms of one text become equal bytes.
func foldCompatibly(_ text: String) -> String {
    text.precomposedStringWithCompatibilityMapping
        .folding(options: .caseInsensitive, locale: nil)
        .precomposedStringWithCompatibilityMapping
}
