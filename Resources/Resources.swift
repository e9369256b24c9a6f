/// The files of this folder, compiled in so that the program stays one file.
public enum ResourceFile: String, Sendable, CaseIterable {
    /// Reply texts, simplified Chinese: the reference for the other languages.
    case simplifiedChinese = "zh-Hans.yaml"
    /// Reply texts, traditional Chinese.
    case traditionalChinese = "zh-Hant.yaml"
    /// Reply texts, English.
    case english = "en.yaml"
    /// The activity that `--demo` opens and the documentation draws in.
    case sampleActivity = "sample-activity.yaml"
    /// What `/openapi.json` says.
    case openAPI = "openapi.json"

    /// The file's content, UTF-8.
    public var bytes: [UInt8] {
        switch self {
        case .simplifiedChinese: PackageResources.zh_Hans_yaml
        case .traditionalChinese: PackageResources.zh_Hant_yaml
        case .english: PackageResources.en_yaml
        case .sampleActivity: PackageResources.sample_activity_yaml
        case .openAPI: PackageResources.openapi_json
        }
    }

    /// The file's content as text.
    public var text: String { String(decoding: bytes, as: UTF8.self) }
}
