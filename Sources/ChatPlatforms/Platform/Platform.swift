/// The chat platforms. The raw value names them in configuration, paths and metrics.
///
/// - Source: platforms.md section 0.
public enum Platform: String, Hashable, Sendable, CaseIterable {
    case webhook
    case onebot11
    case satori
    case qq
    case telegram
    case discord
    case feishu
    case dingtalk
    case wecom
    case wechatOA = "wechat_oa"
    case slack
    case line
    case mattermost
    case rocketchat
    case matrix
    case onebot12

    /// The identity namespace of an endpoint that names none; nil: the message's own login says it (Satori).
    ///
    /// - Source: spec.md section 2.
    public var defaultIdentity: String? {
        switch self {
        case .onebot11, .onebot12: "qq"
        case .qq: "qqbot"
        case .satori: nil
        case .webhook, .telegram, .discord, .feishu, .dingtalk, .wecom, .slack, .line, .mattermost, .rocketchat,
            .matrix:
            rawValue
        case .wechatOA: "wechat"
        }
    }
}

/// Who wrote the platform's settings wrongly, and how to mend it. Stops the start.
public struct SettingFault: Error, Hashable, Sendable {
    /// The setting's name, as it stands under the endpoint.
    public var setting: String
    public var chinese: String
    public var english: String

    public init(_ setting: String, _ chinese: String, _ english: String) {
        self.setting = setting
        self.chinese = chinese
        self.english = english
    }
}

/// A setting that a platform's endpoint takes.
public struct PlatformSetting: Hashable, Sendable {
    public var name: String
    /// Never shown, and may come from a file (`<name>_file`).
    public var isSecret: Bool
    /// In Chinese with English beside it, for whoever configures: where to find it.
    public var help: String

    public init(_ name: String, isSecret: Bool = false, _ help: String) {
        self.name = name
        self.isSecret = isSecret
        self.help = help
    }
}

/// What an operator wrote under an endpoint. Empty values count as missing. Printed, it shows nothing.
public struct PlatformSettings: Sendable, Redacted {
    private let values: [String: String]

    public init(_ values: [String: String]) {
        self.values = values.filter { !$0.value.isEmpty }
    }

    /// Nil when it is missing or empty. What is secret is read by ``secret(_:)``.
    public subscript(name: String) -> String? { values[name] }

    /// Nil when it is missing or empty.
    public func secret(_ name: String) -> Secret? { values[name].map { Secret($0) } }

    public func required(_ name: String) throws(SettingFault) -> String {
        if let value = values[name] { return value }
        throw SettingFault(name, "缺少 \(name)", "\(name) is missing")
    }

    public func requiredSecret(_ name: String) throws(SettingFault) -> Secret { Secret(try required(name)) }

    /// `true` or `false`; `standard` when missing.
    public func flag(_ name: String, default standard: Bool) throws(SettingFault) -> Bool {
        switch values[name] {
        case nil: return standard
        case "true": return true
        case "false": return false
        default: throw SettingFault(name, "\(name) 应为 true 或 false", "\(name) must be true or false")
        }
    }

    /// The address of a platform's API; nil when it is missing.
    ///
    /// - Throws: Unless it is https, or http towards a loopback or private address or a name without dots, and has
    ///   neither user, query nor fragment.
    public func url(_ name: String) throws(SettingFault) -> OutboundURL? {
        guard let text = values[name] else { return nil }
        guard let url = OutboundURL(text), url.scheme == "https" || url.isNearby, url.query.isEmpty else {
            throw SettingFault(
                name, "\(name) 应为 https:// 开头的网址（本机或内网地址可用 http://），不带参数",
                "\(name) must be an https:// address (http:// for this machine or a private network), without a query")
        }
        return url
    }

    /// As ``url(_:)``; `standard`, the platform's public address, when it is missing.
    public func url(_ name: String, default standard: StaticString) throws(SettingFault) -> OutboundURL {
        if let url = try url(name) { return url }
        guard let url = OutboundURL("\(standard)") else { preconditionFailure("\(standard) is an address") }
        return url
    }
}
