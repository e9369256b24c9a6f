internal import ActivityFiles
internal import Configuration
internal import Foundation
internal import SystemPackage
internal import Yams

/// `hongbao.yaml` as a layer of the configuration.
enum ConfigurationFile {
    /// The layer, and the names of the endpoints in it.
    ///
    /// - Throws: An ``OperatorMessage`` that names the line and the key.
    static func read(
        _ file: String, isRequired: Bool, keys: [String]
    ) async throws -> (provider: any ConfigProvider, endpoints: [String]) {
        // A file that says nothing, such as one whose lines are all commented out, is as good as none.
        guard let endpoints = try checkKeys(of: file, isRequired: isRequired, keys: keys) else {
            return (InMemoryProvider(values: [:]), [])
        }
        do {
            return (try await FileProvider<YAMLSnapshot>(filePath: FilePath(file)), endpoints)
        } catch {
            throw OperatorMessage(
                "读不懂配置文件 \(file)：请检查 YAML 格式。", "The configuration file \(file) cannot be read: \(error)")
        }
    }

    /// Refuses keys that nobody reads, since a misspelt key would otherwise silently mean its default.
    ///
    /// - Returns: The names of the endpoints; nil when the file says nothing.
    private static func checkKeys(of file: String, isRequired: Bool, keys: [String]) throws -> [String]? {
        guard let text = try text(of: file, isRequired: isRequired), let node = try node(text, file) else {
            return nil
        }
        if node.null != nil { return nil }
        var endpoints: [String] = []
        guard let mapping = node.mapping else {
            throw OperatorMessage(
                "配置文件 \(file) 应为“键: 值”的形式。", "The configuration file \(file) must be a mapping of keys to values.")
        }
        for (key, value) in mapping {
            let place = file + (key.mark.map { ":\($0.line)" } ?? "")
            if key.string == EndpointReader.section {
                endpoints = try checkEndpoints(value, file, place)
                continue
            }
            guard let name = key.string, keys.contains(name) else {
                let name = key.string ?? ""
                let keys = keys + [EndpointReader.section]
                throw OperatorMessage(
                    "\(place)：不认识的键“\(name)”。可用的键：\(keys.joined(separator: "、"))。",
                    "\(place): unknown key “\(name)”. Known keys: \(keys.joined(separator: ", ")).")
            }
            guard value.scalar != nil || value.sequence?.allSatisfy({ $0.scalar != nil }) == true else {
                throw OperatorMessage(
                    "\(place)：键“\(name)”应为单个值，或由单个值组成的列表。",
                    "\(place): “\(name)” must be a single value or a list of single values.")
            }
            try checkCharacters(of: value, name, place)
        }
        return endpoints
    }

    /// Refuses endpoints that are no mappings, and settings that their platform does not have.
    ///
    /// - Returns: Their names.
    private static func checkEndpoints(_ node: Node, _ file: String, _ place: String) throws -> [String] {
        if node.null != nil { return [] }
        guard let mapping = node.mapping else {
            throw OperatorMessage(
                "\(place)：endpoints 下应为“名称: 设置”的形式。",
                "\(place): endpoints must be a mapping of names to settings.")
        }
        var names: [String] = []
        for (key, value) in mapping {
            let name = key.string ?? ""
            let place = file + (key.mark.map { ":\($0.line)" } ?? "")
            guard let settings = value.mapping else {
                throw OperatorMessage(
                    "\(place)：endpoints.\(name) 下应写它的设置，每行一个“键: 值”。",
                    "\(place): endpoints.\(name) must hold its settings, one “key: value” a line.")
            }
            let platform = try EndpointReader.platform(
                ofEndpoint: name, named: settings.first { $0.key.string == "platform" }?.value.string, place: place)
            let known = EndpointReader.settingNames(of: platform)
            for (key, value) in settings {
                let place = file + (key.mark.map { ":\($0.line)" } ?? "")
                guard let setting = key.string, known.contains(setting) else {
                    throw OperatorMessage(
                        "\(place)：endpoints.\(name) 没有设置“\(key.string ?? "")”。可用的：\(known.joined(separator: "、"))。",
                        "\(place): endpoints.\(name) has no setting “\(key.string ?? "")”. "
                            + "Known settings: \(known.joined(separator: ", ")).")
                }
                guard value.scalar != nil else {
                    throw OperatorMessage(
                        "\(place)：endpoints.\(name).\(setting) 应为单个值。",
                        "\(place): endpoints.\(name).\(setting) must be a single value.")
                }
                try checkCharacters(of: value, "endpoints.\(name).\(setting)", place)
            }
            names.append(name)
        }
        return names
    }

    /// Refuses characters that would change how a terminal shows what repeats the value.
    private static func checkCharacters(of value: Node, _ name: String, _ place: String) throws {
        let texts = value.sequence?.compactMap(\.string) ?? [value.string ?? ""]
        let isPlain = texts.allSatisfy { text in
            text.unicodeScalars.allSatisfy { scalar in
                switch scalar.properties.generalCategory {
                case .control, .lineSeparator, .paragraphSeparator: false
                default: !scalar.properties.isBidiControl
                }
            }
        }
        guard isPlain else {
            throw OperatorMessage(
                "\(place)：\(name) 里有控制字符，请删掉。",
                "\(place): \(name) has control characters; delete them.")
        }
    }

    /// Nil: there is no such file.
    private static func text(of file: String, isRequired: Bool) throws -> String? {
        let data: Data
        do throws(RegularFile.Fault) {
            data = try RegularFile.contents(of: file, maximumSize: ActivityFile.maximumSize)
        } catch .missing {
            if !isRequired { return nil }
            throw OperatorMessage("找不到配置文件 \(file)。", "There is no configuration file \(file).")
        } catch {
            throw OperatorMessage(error, file)
        }
        return try plainText(data, file)
    }

    /// The text of a YAML file that an operator writes.
    ///
    /// - Throws: An ``OperatorMessage`` that names the line.
    static func plainText(_ data: Data, _ file: String) throws -> String {
        do throws(ActivityFileError) {
            return try ActivityFile.plainText(Array(data))
        } catch {
            let line = error.faults.first?.line ?? 1
            throw OperatorMessage(
                "\(file):\(line)：\(error.faults.first?.chinese ?? "")。",
                "\(file):\(line): \(error.faults.first?.english ?? "").")
        }
    }

    private static func node(_ text: String, _ file: String) throws -> Node? {
        do {
            return try Yams.compose(yaml: text)
        } catch YamlError.duplicatedKeysInMapping(let duplicates, let context) {
            let names = duplicates.map { "“\($0)”" }
            throw OperatorMessage(
                "\(file):\(context.mark.line)：键\(names.joined(separator: "、"))写了不止一次，每个键只写一次。",
                "\(file):\(context.mark.line): the key \(names.joined(separator: ", ")) stands more than once.")
        } catch YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _)
        {
            throw OperatorMessage(
                "\(file):\(mark.line)：YAML 格式有误，请检查这一行和它前面的缩进、引号和括号。",
                "\(file):\(mark.line): this is not valid YAML: \(problem).")
        } catch {
            throw OperatorMessage("配置文件 \(file) 不是有效的 YAML。", "The configuration file \(file) is not valid YAML.")
        }
    }
}
