internal import Configuration
internal import Foundation
internal import SystemPackage
internal import Yams

/// `hongbao.yaml` as a layer of the configuration.
enum ConfigurationFile {
    /// - Throws: An ``OperatorMessage`` that names the line and the key.
    static func provider(
        _ file: String, isRequired: Bool, keys: [String]
    ) async throws -> FileProvider<YAMLSnapshot> {
        try checkKeys(of: file, isRequired: isRequired, keys: keys)
        do {
            return try await FileProvider<YAMLSnapshot>(filePath: FilePath(file), allowMissing: !isRequired)
        } catch {
            throw OperatorMessage(
                "读不懂配置文件 \(file)：请检查 YAML 格式。", "The configuration file \(file) cannot be read: \(error)")
        }
    }

    /// Refuses keys that nobody reads, since a misspelt key would otherwise silently mean its default.
    private static func checkKeys(of file: String, isRequired: Bool, keys: [String]) throws {
        guard let data = FileManager.default.contents(atPath: file) else {
            if isRequired {
                throw OperatorMessage("找不到配置文件 \(file)。", "There is no configuration file \(file).")
            }
            return
        }
        guard data.count <= 1 << 20, let text = String(validating: data, as: UTF8.self) else {
            throw OperatorMessage(
                "配置文件 \(file) 必须是 UTF-8 文本，且不超过 1 MiB。",
                "The configuration file \(file) must be UTF-8 text of at most 1 MiB.")
        }
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            throw OperatorMessage("配置文件 \(file) 格式有误：\(error)", "The configuration file \(file) is not valid YAML.")
        }
        guard let node else { return }
        guard let mapping = node.mapping else {
            throw OperatorMessage(
                "配置文件 \(file) 应为“键: 值”的形式。", "The configuration file \(file) must be a mapping of keys to values.")
        }
        for (key, _) in mapping {
            guard let name = key.string, !keys.contains(name) else { continue }
            let line = key.mark.map { ":\($0.line)" } ?? ""
            throw OperatorMessage(
                "\(file)\(line)：不认识的键“\(name)”。可用的键：\(keys.joined(separator: "、"))。",
                "\(file)\(line): unknown key “\(name)”. Known keys: \(keys.joined(separator: ", ")).")
        }
    }
}
