/// How an award is given out. The raw value is the kind's byte in the rules hash.
///
/// Cases are spelled as the source data spells them.
///
/// - Source: spec.md sections 2 and 5.
public enum AwardKind: UInt8, Sendable, CaseIterable {
    // swift-format-ignore: AlwaysUseLowerCamelCase
    /// 普通: up to `number` copies.
    case NORNAL = 1

    // swift-format-ignore: AlwaysUseLowerCamelCase
    /// 唯一: one single copy.
    case ONLY = 2

    // swift-format-ignore: AlwaysUseLowerCamelCase
    /// 低保: for whoever hit nothing else; never runs out and has no percent.
    case DI_BAO = 3

    /// `NORNAL`, `ONLY` or `DI_BAO`: the form of files, tables and the ledger.
    public var name: String {
        switch self {
        case .NORNAL: "NORNAL"
        case .ONLY: "ONLY"
        case .DI_BAO: "DI_BAO"
        }
    }

    /// Reads ``name``; `NORMAL` and the source data's digits "1", "2", "3" are accepted too. Nil for anything else.
    public init?(name: some StringProtocol) {
        switch String(name) {
        case "NORNAL", "NORMAL", "1": self = .NORNAL
        case "ONLY", "2": self = .ONLY
        case "DI_BAO", "3": self = .DI_BAO
        default: return nil
        }
    }
}
