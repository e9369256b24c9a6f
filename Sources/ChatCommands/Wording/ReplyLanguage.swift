internal import Resources

/// A language that replies come in. The raw value is the BCP 47 tag that the configuration names it by.
public enum ReplyLanguage: String, Hashable, Sendable, CaseIterable {
    case simplifiedChinese = "zh-Hans"
    case traditionalChinese = "zh-Hant"
    case english = "en"

    var file: ResourceFile {
        switch self {
        case .simplifiedChinese: .simplifiedChinese
        case .traditionalChinese: .traditionalChinese
        case .english: .english
        }
    }
}

/// One short text in every language that replies come in.
public struct LocalizedText: Hashable, Sendable {
    public let simplified: String
    public let traditional: String
    public let english: String

    public init(_ simplified: String, _ traditional: String, _ english: String) {
        self.simplified = simplified
        self.traditional = traditional
        self.english = english
    }

    public func text(in language: ReplyLanguage) -> String {
        switch language {
        case .simplifiedChinese: simplified
        case .traditionalChinese: traditional
        case .english: english
        }
    }
}
