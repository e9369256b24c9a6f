internal import Activities
internal import Basics
internal import ChatPlatforms
internal import Configuration
internal import Foundation

/// Reads the endpoints: `endpoints.<name>.<setting>` in the file, `HONGBAO_ENDPOINTS_<NAME>_<SETTING>` in the
/// environment. An endpoint named like its platform may stand in the environment alone.
///
/// | setting | meaning |
/// |---|---|
/// | `platform` | may be left out where the endpoint's name is the platform's |
/// | `identity` | the namespace of its users and chats; the platform's own by default |
/// | `trust_group_admins` | `true`: the role in a signed message makes an admin of its chat |
/// | `reply_interval_ms` | 0…60000: between messages to one chat; the platform's own by default |
/// | `previous_<secret>`, `previous_until` | a secret of before, and the moment until which it is still good |
/// | `<secret>_file` | the secret stands in this file, which only its owner may read |
/// | what the platform's adapter lists | |
///
/// - Source: spec.md section 2; hardening.md section 3.3.
struct EndpointReader {
    static let section = "endpoints"

    typealias Layer = (HongbaoConfiguration.Origin, ConfigReader)

    /// An endpoint, and where its settings came from.
    typealias Found = (endpoint: Endpoint, origins: [(key: String, value: String, origin: HongbaoConfiguration.Origin)])

    let layers: [Layer]

    private static let commonSettings = ["platform", "identity", "trust_group_admins", "reply_interval_ms"]

    /// Everything that may stand under an endpoint of a platform.
    static func settingNames(of platform: Platform) -> [String] {
        let settings = platform.adapterType.settings
        let secrets = settings.filter(\.isSecret).map(\.name)
        return commonSettings + settings.map(\.name) + secrets.map { "\($0)_file" }
            + (secrets.isEmpty ? [] : secrets.map { "previous_\($0)" } + ["previous_until"])
    }

    /// - Parameter place: Where it stands in the file; empty for the environment.
    static func platform(ofEndpoint name: String, named text: String?, place: String) throws -> Platform {
        let isName =
            (1...32).contains(name.utf8.count)
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                    UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
        guard isName else {
            throw OperatorMessage(
                "\(place)：endpoints 下的名称“\(name)”只能用小写字母、数字、_ 和 -，最多 32 个。",
                "\(place): the endpoint's name “\(name)” must be 1 to 32 of a-z, 0-9, _ and -.")
        }
        guard let platform = Platform(rawValue: text ?? name) else {
            let known = Platform.allCases.map(\.rawValue)
            throw OperatorMessage(
                "\(place)：endpoints.\(name).platform 的值“\(text ?? name)”不是已知的平台。可用的：\(known.joined(separator: "、"))。",
                "\(place): endpoints.\(name).platform “\(text ?? name)” is no platform. "
                    + "Known platforms: \(known.joined(separator: ", ")).")
        }
        return platform
    }

    /// - Parameter names: Those in the file; the environment may add platforms.
    /// - Throws: An ``OperatorMessage`` that names the key.
    func endpoints(named names: [String]) throws -> [Found] {
        let added = Platform.allCases.map(\.rawValue).filter { name in
            !names.contains(name) && isInEnvironment(name)
        }
        return try (names + added).map(endpoint)
    }

    private func isInEnvironment(_ name: String) -> Bool {
        guard let platform = Platform(rawValue: name) else { return false }
        return Self.settingNames(of: platform).contains { value(name, $0)?.origin == .environment }
    }

    private func value(_ endpoint: String, _ setting: String) -> (text: String, origin: HongbaoConfiguration.Origin)? {
        let key = ConfigKey([Self.section, endpoint, setting])
        for (origin, reader) in layers {
            if let text = reader.string(forKey: key, isSecret: true), !text.isEmpty { return (text, origin) }
        }
        return nil
    }

    private func endpoint(_ name: String) throws -> Found {
        let platform = try Self.platform(
            ofEndpoint: name, named: value(name, "platform")?.text, place: "endpoints.\(name)")
        let adapterType = platform.adapterType
        var values: [String: String] = [:]
        var previousValues: [String: String] = [:]
        var origins: [(key: String, value: String, origin: HongbaoConfiguration.Origin)] = []
        for setting in adapterType.settings {
            let (text, origin) = try resolve(setting, of: name)
            guard let text, let origin else { continue }
            if setting.isSecret { try SecretStrength.check(text, key: "endpoints.\(name).\(setting.name)") }
            values[setting.name] = text
            let shown = setting.isSecret ? HongbaoConfiguration.mask : text
            origins.append(("endpoints.\(name).\(setting.name)", shown, origin))
            if setting.isSecret, let previous = value(name, "previous_\(setting.name)") {
                try SecretStrength.check(previous.text, key: "endpoints.\(name).previous_\(setting.name)")
                previousValues[setting.name] = previous.text
                origins.append(
                    ("endpoints.\(name).previous_\(setting.name)", HongbaoConfiguration.mask, previous.origin))
            }
        }
        let adapter = try make(adapterType, values, name)
        try requireAnswer(adapter, values, name)
        var previous: (any PlatformAdapter, Instant)?
        if !previousValues.isEmpty {
            let until = try moment("previous_until", of: name)
            previous = (try make(adapterType, values.merging(previousValues) { $1 }, name), until)
        }
        for setting in Self.commonSettings + ["previous_until"] {
            if let (text, origin) = value(name, setting) {
                origins.append(("endpoints.\(name).\(setting)", text, origin))
            }
        }
        return (
            Endpoint(
                name: name, adapter: adapter, identity: try identity(of: name, platform),
                trustsGroupAdmins: try flag("trust_group_admins", of: name, adapterType),
                replyIntervalMilliseconds: try interval(of: name), previous: previous),
            origins
        )
    }

    /// The setting itself, or what stands in the file that it names.
    private func resolve(
        _ setting: PlatformSetting, of name: String
    ) throws -> (text: String?, origin: HongbaoConfiguration.Origin?) {
        if let (text, origin) = value(name, setting.name) { return (text, origin) }
        guard setting.isSecret, let (path, origin) = value(name, "\(setting.name)_file") else { return (nil, nil) }
        return (try SecretFile.text(of: path, key: "endpoints.\(name).\(setting.name)_file"), origin)
    }

    private func make(
        _ type: any PlatformAdapter.Type, _ values: [String: String], _ name: String
    ) throws -> any PlatformAdapter {
        do throws(SettingFault) {
            return try type.init(PlatformSettings(values))
        } catch {
            let help = type.settings.first { $0.name == error.setting }?.help
            throw OperatorMessage(
                "endpoints.\(name).\(error.setting)：\(error.chinese)。\(help ?? "")",
                "endpoints.\(name).\(error.setting): \(error.english).")
        }
    }

    /// A bot that hears everything and can say nothing would look broken to everybody in the group.
    private func requireAnswer(_ adapter: any PlatformAdapter, _ values: [String: String], _ name: String) throws {
        var message = IncomingMessage(userID: "1", chatID: "1", messageID: "1", text: "", dedupe: "1")
        message.postID = "1"
        if adapter.answersInResponse(to: message) || adapter.sender != nil
            || (adapter as? OneBot11Adapter)?.socket != nil
        {
            return
        }
        let missing = type(of: adapter).settings.map(\.name).filter { values[$0] == nil }
        throw OperatorMessage(
            "endpoints.\(name) 还不能回复消息，请补上调用平台接口所需的设置（尚未填写的有：\(missing.joined(separator: "、"))）。",
            "endpoints.\(name) cannot answer yet: set what calls to the platform's API need "
                + "(not set: \(missing.joined(separator: ", "))).")
    }

    private func identity(of name: String, _ platform: Platform) throws -> String? {
        guard let (text, _) = value(name, "identity") else { return nil }
        let isNamespace =
            (1...32).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
        guard isNamespace else {
            throw invalid(
                name, "identity", text, "命名空间，字母、数字、_、- 和 .，最多 32 个，例如 qq",
                "a namespace of up to 32 letters, digits, _, - and ., such as qq")
        }
        return text
    }

    private func flag(_ setting: String, of name: String, _ type: any PlatformAdapter.Type) throws -> Bool {
        switch value(name, setting)?.text {
        case nil, "false": return false
        case "true" where type.signsRoles: return true
        case "true":
            throw OperatorMessage(
                "endpoints.\(name).trust_group_admins：这个平台的消息没有签名覆盖的身份，不能信任群管理员。请删除这一项，把管理员写进 admins。",
                "endpoints.\(name).trust_group_admins: no signature covers the role in this platform's messages. "
                    + "Remove it, and list admins under admins.")
        case let text?: throw invalid(name, setting, text, "true 或 false", "true or false")
        }
    }

    private func interval(of name: String) throws -> Int64? {
        guard let (text, _) = value(name, "reply_interval_ms") else { return nil }
        guard let milliseconds = Int64(text), (0...60_000).contains(milliseconds), String(milliseconds) == text else {
            throw invalid(name, "reply_interval_ms", text, "0–60000 的毫秒数", "milliseconds from 0 to 60000")
        }
        return milliseconds
    }

    private func moment(_ setting: String, of name: String) throws -> Instant {
        let text = value(name, setting)?.text
        guard let text, let date = try? Date(text, strategy: .iso8601) else {
            throw invalid(
                name, setting, text ?? "", "旧密钥失效的时间，例如 2027-01-31T00:00:00Z",
                "the moment the old secret ends, such as 2027-01-31T00:00:00Z")
        }
        return Instant(milliseconds: Int64((date.timeIntervalSince1970 * 1000).rounded()))
    }

    private func invalid(
        _ name: String, _ setting: String, _ value: String, _ chinese: String, _ english: String
    ) -> OperatorMessage {
        OperatorMessage(
            "endpoints.\(name).\(setting) 的值“\(value)”无效，应为：\(chinese)。",
            "The value “\(value)” of endpoints.\(name).\(setting) is not valid; expected: \(english).")
    }
}

/// Secrets that a stranger would guess are refused.
///
/// - Source: hardening.md row 66.
enum SecretStrength {
    static let minimumSize = 12
    private static let minimumVariety = 6
    private static let samples = ["changeme", "password", "secret", "example", "your-", "your_", "123456", "qwerty"]

    static func check(_ secret: String, key: String) throws {
        let lowercased = secret.lowercased()
        // The first is what the manual writes where a secret belongs.
        let isSample =
            lowercased.contains("replaceme")
            || samples.contains { lowercased.hasPrefix($0) && lowercased.utf8.count < $0.utf8.count + 12 }
        guard secret.utf8.count >= minimumSize, Set(secret.utf8).count >= minimumVariety, !isSample else {
            throw OperatorMessage(
                "\(key) 太容易被猜到：至少 \(minimumSize) 字节，且不能是示例值。可用 openssl rand -hex 24 生成一个，并填到平台那边。",
                "\(key) is too easy to guess: at least \(minimumSize) bytes, and no sample value. "
                    + "openssl rand -hex 24 makes one; enter it on the platform's side too.")
        }
    }
}

/// A file that holds one secret.
enum SecretFile {
    static func text(of path: String, key: String) throws -> String {
        let data: Data
        do throws(RegularFile.Fault) {
            data = try RegularFile.contents(of: path, maximumSize: 4096)
        } catch {
            throw OperatorMessage(error, path)
        }
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard let mode = attributes?[.posixPermissions] as? Int, mode & 0o077 == 0 else {
            throw OperatorMessage(
                "\(key)：文件 \(path) 别人也能读，请先执行 chmod 600 \(path)。",
                "\(key): others may read the file \(path). Run chmod 600 \(path) first.")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw OperatorMessage("\(key)：文件 \(path) 应为 UTF-8 文本。", "\(key): the file \(path) must be UTF-8 text.")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
