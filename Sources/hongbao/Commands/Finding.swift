internal import OperatorSettings

/// One line of what `hongbao doctor` says.
struct Finding {
    enum Mark: String {
        case good = "✓"
        case warning = "!"
        case bad = "✗"
    }

    let mark: Mark
    let chinese: String
    let english: String

    static func good(_ chinese: String, _ english: String) -> Finding {
        Finding(mark: .good, chinese: chinese, english: english)
    }

    static func warning(_ chinese: String, _ english: String) -> Finding {
        Finding(mark: .warning, chinese: chinese, english: english)
    }

    static func bad(_ chinese: String, _ english: String) -> Finding {
        Finding(mark: .bad, chinese: chinese, english: english)
    }

    /// With what `error` says behind each text.
    static func bad(_ chinese: String, _ english: String, _ error: any Error) -> Finding {
        let message = OperatorMessage.describing(error) as? OperatorMessage
        return .bad(
            chinese + withoutStop(message?.chinese ?? "\(error)"),
            english + withoutStop(message?.english ?? "\(error)"))
    }

    private static func withoutStop(_ text: String) -> String {
        text.hasSuffix("。") || text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
