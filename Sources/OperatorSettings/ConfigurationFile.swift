internal import ActivityFiles
internal import Configuration
internal import Foundation
internal import Yams

/// `hongbao.yaml` as a layer of the configuration.
enum ConfigurationFile {
    /// The layer, and the names of the endpoints in it.
    ///
    /// - Parameters:
    ///   - contents: What stands in the file; nil when there is none.
    ///   - file: For messages.
    /// - Throws: An ``OperatorMessage`` that names the line and the key.
    static func read(
        _ contents: [UInt8]?, _ file: String, keys: [String]
    ) throws -> (provider: InMemoryProvider, endpoints: [String]) {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        // A file that says nothing, such as one whose lines are all commented out, is as good as none.
        guard let contents, let node = try node(plainText(contents, file), file), node.null == nil else {
            return (InMemoryProvider(values: values), [])
        }
        guard let mapping = node.mapping else {
            throw OperatorMessage(
                "配置文件 \(file) 应为“键: 值”的形式。", "The configuration file \(file) must be a mapping of keys to values.")
        }
        var endpoints: [String] = []
        for (key, value) in mapping {
            let place = file + (key.mark.map { ":\($0.line)" } ?? "")
            if key.string == EndpointReader.section {
                endpoints = try readEndpoints(value, file, place, into: &values)
                continue
            }
            // A misspelt key would otherwise silently mean its default.
            guard let name = key.string, keys.contains(name) else {
                let name = key.string ?? ""
                let keys = keys + [EndpointReader.section]
                throw OperatorMessage(
                    "\(place)：不认识的键“\(name)”。可用的键：\(keys.joined(separator: "、"))。",
                    "\(place): unknown key “\(name)”. Known keys: \(keys.joined(separator: ", ")).")
            }
            if let scalar = value.scalar {
                values[[name]] = ConfigValue(.string(scalar.string), isSecret: false)
            } else if let items = value.sequence.map({ $0.compactMap(\.scalar?.string) }),
                items.count == value.sequence?.count
            {
                values[[name]] = ConfigValue(.stringArray(items), isSecret: false)
            } else {
                throw OperatorMessage(
                    "\(place)：键“\(name)”应为单个值，或由单个值组成的列表。",
                    "\(place): “\(name)” must be a single value or a list of single values.")
            }
            try checkCharacters(of: value, name, place)
        }
        return (InMemoryProvider(values: values), endpoints)
    }

    /// Refuses endpoints that are no mappings, and settings that their platform does not have.
    ///
    /// - Returns: Their names.
    private static func readEndpoints(
        _ node: Node, _ file: String, _ place: String, into values: inout [AbsoluteConfigKey: ConfigValue]
    ) throws -> [String] {
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
                guard let scalar = value.scalar else {
                    throw OperatorMessage(
                        "\(place)：endpoints.\(name).\(setting) 应为单个值。",
                        "\(place): endpoints.\(name).\(setting) must be a single value.")
                }
                try checkCharacters(of: value, "endpoints.\(name).\(setting)", place)
                values[[EndpointReader.section, name, setting]] = ConfigValue(.string(scalar.string), isSecret: true)
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
    static func contents(of file: String, isRequired: Bool) throws -> [UInt8]? {
        do throws(RegularFile.Fault) {
            return Array(try RegularFile.contents(of: file, maximumSize: ActivityFile.maximumSize))
        } catch .missing {
            if !isRequired { return nil }
            throw OperatorMessage("找不到配置文件 \(file)。", "There is no configuration file \(file).")
        } catch {
            throw OperatorMessage(error, file)
        }
    }

    /// The text of a YAML file that an operator writes.
    ///
    /// - Throws: An ``OperatorMessage`` that names the line.
    static func plainText(_ contents: [UInt8], _ file: String) throws -> String {
        do throws(ActivityFileError) {
            return try ActivityFile.plainText(contents)
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
