internal import Foundation
internal import Lottery

/// The id of an activity whose file gives none: its name's pinyin, and four hex digits of the name's SHA-256.
///
/// The same name gives the same id, so importing a file again finds its activity; two names that sound alike differ in
/// the digits. A name without any letter or digit becomes `activity-…`.
///
/// - Source: spec.md section 5.
func generatedID(name: String) -> String {
    let latin = name.applyingTransform(.mandarinToLatin, reverse: false) ?? name
    let plain = (latin.applyingTransform(.stripDiacritics, reverse: false) ?? latin).lowercased()
    var words = ""
    for byte in plain.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            words.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            if !words.isEmpty, words.utf8.last != UInt8(ascii: "-") { words += "-" }
        }
    }
    words = String(words.prefix(40))
    while words.utf8.last == UInt8(ascii: "-") { words.removeLast() }
    return (words.isEmpty ? "activity" : words) + "-" + Hash.sha256(of: name).hex.prefix(4)
}
